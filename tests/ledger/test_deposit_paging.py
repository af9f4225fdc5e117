"""Nothing is lost between pages and windows of the venue's history, whatever arrives while it is read."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.conf import settings

from accounts.models import User
from exchange.gate import services as gate
from ledger import services as ledger
from ledger.models import Deposit, DepositAddress, Network, Transfer
from tests.factories import balance, make_user
from tests.ledger.custodian import Custodian, custodian


@pytest.fixture
def paper(db: None) -> Iterator[Custodian]:
    with custodian("USDT") as found:
        yield found


def trading_accounts_depositor() -> User:
    """alice, to whom the trading account's own address was given: nothing has to be swept."""
    alice = make_user()
    route = Network.objects.get(asset_id="USDT", code="TRX")
    rest = gate.Rest(
        base_url=settings.BINANCE_REST_URL, sapi_url=settings.BINANCE_SAPI_URL, key=gate.venue_key()
    )
    address = rest.deposit_address("USDT", "TRX").address
    DepositAddress.objects.create(user=alice, network=route, address=address)
    return alice


def test_2500_deposits_that_arrive_while_the_history_is_paged_are_each_credited_once(
    paper: Custodian,
) -> None:
    alice = trading_accounts_depositor()
    paper.pay(status=1, amount="1", count=1200, spreadMs=600_000)
    paper.pay(status=1, amount="1", count=1300, each=200, spreadMs=600_000)
    for _reading in range(10):
        ledger.poll_deposits()
        if Deposit.objects.count() == 2500:
            break
    assert balance(alice, "USDT") == (2500, 0)
    assert Deposit.objects.filter(status="CREDITED").count() == 2500
    assert Transfer.objects.filter(kind="DEPOSIT").count() == 2500
    assert Decimal(2500) == sum(Deposit.objects.values_list("amount", flat=True))
