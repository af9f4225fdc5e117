"""What came by a deposit that is not final stays, whichever way somebody tries to take it out."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from ledger import queries
from ledger import services as ledger
from ledger.errors import LockedElsewhere, StillLocked
from ledger.models import Account, Deposit, Network, Transfer
from ledger.services.posting import available, system
from markets import feed
from markets.models import Asset
from tests.factories import balance, fund, publish_ticker
from tests.ledger.money import (
    APPLY,
    OWN_WALLET,
    approved,
    poll,
    record,
    request,
    staff,
    status_of,
    with_address,
)
from tests.venue import Venue

IN_BTC: dict[str, Any] = {
    "asset": "BTC", "network": "BTC", "address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "fee": Decimal("0.0001"), "beneficiary": OWN_WALLET,
}  # fmt: skip


@pytest.fixture
def sold(rich: User, venue: Venue) -> User:
    """alice whose 1,000 USDT and another 1,000 of a locked deposit have become 0.05 BTC, worth 2,000."""
    Asset.objects.create(code="BTC")
    Network.objects.create(
        asset_id="BTC", code="BTC", withdraw_enabled=True, withdraw_fee=Decimal("0.0001"),
        withdraw_min=Decimal("0.001"),
    )  # fmt: skip
    publish_ticker("BTCUSDT", "40000")
    with_address(rich)
    poll(venue, record(amount="1000", status=6))
    lines = [
        available(rich.pk, "USDT", Decimal(-2000)),
        system(Account.Type.FEES, "USDT", Decimal(2000)),
    ]
    ledger.post(scope="test", key="sold", kind=Transfer.Kind.FEE, lines=lines)
    fund(rich, "BTC", "0.05")
    return rich


def lock_deposit(user: User, venue: Venue, coin: str, amount: str) -> None:
    """It is credited, and the venue still waits for confirmations before it may leave."""
    poll(venue, record(coin=coin, amount=amount, status=6))
    assert Deposit.objects.get().status == Deposit.Status.LOCKED


def test_what_came_by_a_deposit_that_is_not_final_stays(rich: User, venue: Venue) -> None:
    lock_deposit(with_address(rich), venue, "USDT", "950")
    assert balance(rich, "USDT") == (1950, 0)
    assert queries.withdrawable(rich.pk, "USDT") == 1000
    with pytest.raises(StillLocked, match="950 USDT"):
        request(rich, amount=Decimal(1001), beneficiary=OWN_WALLET)
    assert request(rich, nonce="n2", amount=Decimal(1000), beneficiary=OWN_WALLET).pk


def test_its_worth_does_not_leave_as_another_asset_either(rich: User, venue: Venue) -> None:
    Asset.objects.create(code="BTC")
    publish_ticker("BTCUSDT", "40000")
    lock_deposit(with_address(rich), venue, "BTC", "0.03")
    sold = [available(rich.pk, "BTC", Decimal("-0.03")), system(Account.Type.FEES, "BTC", Decimal("0.03"))]
    ledger.post(scope="test", key="sold", kind=Transfer.Kind.FEE, lines=sold)
    fund(rich, "USDT", "1200")
    with pytest.raises(LockedElsewhere, match="1200 USDT"):
        request(rich, amount=Decimal(1001), beneficiary=OWN_WALLET)
    assert request(rich, nonce="n2", amount=Decimal(1000), beneficiary=OWN_WALLET).pk


def test_its_worth_does_not_leave_by_two_requests_either(sold: User) -> None:
    first = request(sold, amount=Decimal("0.024"), **IN_BTC)
    with pytest.raises(LockedElsewhere, match="1000 USDT"):
        request(sold, nonce="n2", amount=Decimal("0.024"), **IN_BTC)
    assert balance(sold, "BTC") == (Decimal("0.026"), Decimal("0.024"))
    ledger.cancel_withdrawal(withdrawal_id=first.pk, user=sold)
    assert request(sold, nonce="n3", amount=Decimal("0.025"), **IN_BTC).pk


def test_a_deposit_that_is_locked_after_the_approval_keeps_its_worth_here(rich: User, venue: Venue) -> None:
    with_address(rich)
    poll(venue, record(amount="500"))
    withdrawal = approved(rich, amount=Decimal(1400), beneficiary=OWN_WALLET)
    poll(venue, record(amount="500", status=6))
    assert queries.locked(rich.pk) == {"USDT": 500}
    ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("REQUESTED", 0)
    assert withdrawal.reasons[0] == "DEPOSIT_LOCKED"
    with pytest.raises(StillLocked, match="500 USDT"):
        ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=staff())
    poll(venue, record(amount="500"))
    ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=staff())
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"


def test_what_nobody_can_price_now_is_neither_sent_nor_given_back_to_staff(sold: User, venue: Venue) -> None:
    withdrawal = approved(sold, amount=Decimal("0.024"), **IN_BTC)
    feed.client().delete(feed.TICKERS)
    assert not ledger.send_next_withdrawal()
    assert (status_of(withdrawal), withdrawal.approvals.count()) == ("APPROVED", 1)
    assert (withdrawal.reasons.count("DEPOSIT_LOCKED"), venue.count("POST", APPLY)) == (0, 0)


def test_what_a_locked_deposit_does_not_need_is_sent(rich: User, venue: Venue) -> None:
    with_address(rich)
    poll(venue, record(amount="500"))
    withdrawal = approved(rich, amount=Decimal(1000), beneficiary=OWN_WALLET)
    poll(venue, record(amount="500", status=6))
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"
