"""The paper venue on a port, asked over its own wire, as the custodian of customers' deposits."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.test import override_settings

from accounts.models import User
from exchange.paper.venue import Venue
from ledger import services as ledger
from ledger.models import Deposit, DepositAddress
from markets.models import Asset
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import KEYS, TRADE, Caller, serving
from tests.factories import make_user, venue_account

NEVER = 1e9  # seconds: nothing is confirmed but what a test orders


class Custodian:
    """Orders deposits and turns at the control door, and lets our sweep read them."""

    def __init__(self, url: str) -> None:
        self.caller = Caller(url)

    def pay(self, to: DepositAddress | None = None, **asked: Any) -> list[str]:
        """Deposits appear there, at the trading account's address when none is given; gives their ids."""
        body: dict[str, Any] = {"coin": "USDT", "network": "TRX", "amount": "100", "hold": True}
        if to is not None:
            body |= {"coin": to.network.asset_id, "network": to.network.code}
            body |= {"address": to.address, "tag": to.tag}
        answer = self.caller.door("deposit", **body | asked)
        return answer["ids"] if "ids" in answer else [answer["id"]]

    def turn(self, deposit_id: str, status: int, confirmations: str = "") -> None:
        self.caller.door("fault", do="deposit", id=deposit_id, status=status, confirmations=confirmations)

    def vanish(self, deposit_id: str) -> None:
        self.caller.door("fault", do="vanish", id=deposit_id)

    def fault(self, **asked: Any) -> None:
        self.caller.door("fault", **asked)

    def free(self, email: str, coin: str) -> Decimal:
        """What the venue's account with this address really has."""
        accounts = self.caller.door_get("state")["accounts"]
        found = next(row for row in accounts if row["email"] == email)
        return Decimal(found["balances"].get(coin, ["0"])[0])


@contextmanager
def custodian(*assets: str, pace: float = NEVER) -> Iterator[Custodian]:
    """A venue of its own; these assets are listed. A deposit is confirmed every `pace` seconds."""
    with serving(Venue(None, KEYS, pace=pace, levels=60, deepest=60)) as url:
        keys = {
            "BINANCE_API_KEY": TRADE["key"],
            "BINANCE_API_SECRET": TRADE["secret"],
            "BINANCE_REST_URL": url,
            "BINANCE_SAPI_URL": url,
        }
        with override_settings(**keys):
            forget_the_venue()
            for code in assets:
                Asset.objects.get_or_create(code=code)
            venue_account()
            ledger.synchronise_networks()
            yield Custodian(url)
    forget_the_venue()


def address_of(user: User, asset: str = "USDT", network: str = "TRX") -> DepositAddress:
    return ledger.deposit_address(user=user, asset=asset, network=network)


def statuses() -> list[str]:
    ledger.poll_deposits()
    return list(Deposit.objects.order_by("id").values_list("status", flat=True))


def make_staff(name: str) -> User:
    return make_user(name, is_staff=True, is_superuser=True)
