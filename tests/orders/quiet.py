"""A paper venue on a port where nobody trades but the platform, and a stranger when a test says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.test import override_settings

from exchange.paper.accounts import MAIN, ApiKey
from exchange.paper.book import Match
from exchange.paper.maker import Maker
from exchange.paper.venue import Venue
from ledger.models import Account, Entry
from markets import services as markets
from orders import services
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import KEYS, TRADE, Caller, serving
from tests.factories import publish_book, publish_ticker, venue_account

SYMBOL = "BTCUSDT"
STRANGER = {"key": "strangerkey" * 5, "secret": "s3cret-of-the-stranger"}
# Sweeps look at everything each time, and the venue may be silent for a second and a half.
QUICK = {
    "SWEEP_SECONDS": 0, "POLL_SECONDS": 0, "VENUE_TIMEOUT_SECONDS": 1.5, "ORDER_SEND_BY_MS": 2000,
    "ORDER_RESOLVE_MARGIN_MS": 500,
}  # fmt: skip


class Nobody(Maker):
    """The simulated rest of the world keeps still."""

    def __init__(self) -> None:
        """Without a market: it quotes nothing."""

    def act(self) -> None:
        """Nothing happens."""

    def forget(self, match: Match) -> None:
        """None of what rests is its own."""


class Quiet:
    def __init__(self, venue: Venue, url: str) -> None:
        self.venue, self.trader, self.stranger = venue, Caller(url), Caller(url, STRANGER)
        self.last = venue.live[SYMBOL].last
        self._begun_with = {asset: self._has(asset) for asset in ("BTC", "USDT")}

    def trade(self, side: str, price: Decimal, quantity: str, tif: str = "IOC") -> None:
        """The stranger trades at the price, or waits for somebody who does."""
        self.stranger.signed(
            "POST", "/api/v3/order", symbol=SYMBOL, side=side, type="LIMIT", timeInForce=tif, price=f"{price:f}",
            quantity=quantity, selfTradePreventionMode="NONE",
        ).raise_for_status()  # fmt: skip

    def sweep(self) -> None:
        services.resolve_pending()
        services.reconcile_open()
        services.follow_lists()

    def let_time_pass(self) -> None:
        """At the venue it is so late that no request of before can be accepted any more."""
        self.trader.door("fault", do="clock", ms=60_000)
        forget_the_venue()

    def executed(self) -> list[dict[str, Any]]:
        """What the venue executed for the platform."""
        return self.venue.accounts[MAIN].trades

    def _has(self, asset: str) -> Decimal:
        row = self.venue.accounts[MAIN].balance(asset)
        return row.free + row.locked

    def difference(self, asset: str) -> Decimal:
        """What trades brought the account at the venue beyond what the books say that they did."""
        trades = Entry.objects.filter(account__type=Account.Type.VENUE, asset_id=asset, transfer__kind="FILL")
        return (
            self._has(asset) - self._begun_with[asset] + sum((entry.amount for entry in trades), Decimal(0))
        )

    def open_orders(self) -> list[str]:
        """Client order ids of what the platform has open at the venue."""
        return [order.client_id for order in self.venue.accounts[MAIN].orders.values() if order.is_open]


@contextmanager
def quiet() -> Iterator[Quiet]:
    """The platform trades in its market; book and last price are published as they begin."""
    venue = Venue(None, KEYS, levels=0, deepest=0, symbols=(SYMBOL, "BNBUSDT"))
    venue.makers.update({symbol: Nobody() for symbol in venue.makers})
    email = venue.transfers.create_sub_account("stranger")["email"]
    stranger = venue.transfers.sub_account(email)
    key = ApiKey(STRANGER["key"], stranger.account_id, secret=STRANGER["secret"], can_trade=True)
    venue.keys[STRANGER["key"]] = key
    for account in (stranger, venue.accounts[MAIN]):
        for asset in ("BTC", "USDT"):
            account.receive(asset, Decimal(10_000_000))
    with serving(venue) as url:
        keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
        with override_settings(BINANCE_REST_URL=url, BINANCE_SAPI_URL=url, **keys, **QUICK):
            forget_the_venue()
            venue_account()
            markets.synchronise_catalogue()
            found = Quiet(venue, url)
            tell_prices(found.last)
            yield found
    forget_the_venue()


def tell_prices(last: Decimal) -> None:
    publish_ticker(SYMBOL, f"{last:f}")
    publish_book(SYMBOL, bids=((f"{last - 1:f}", "5"),), asks=((f"{last + 1:f}", "5"),))
