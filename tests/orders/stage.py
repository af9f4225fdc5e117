"""The platform before a paper venue on a port: its API, its user stream in a process of its own, its sweeps, and a
stranger who trades with its customers when a test says so.

Nobody else trades on that venue, so what happens there is what a test wanted.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.test import Client, override_settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.paper.accounts import MAIN, ApiKey
from exchange.paper.book import Match
from exchange.paper.maker import Maker
from exchange.paper.venue import Venue
from ledger.models import Account, Entry
from markets import services as markets
from orders import services
from orders.models import Order
from tests.conftest import forget_the_venue, fresh_database
from tests.exchange.paper.people import KEYS, TRADE, Caller, serving
from tests.factories import fund, make_user, publish_book, venue_account
from tests.markets.processes import addresses, process

SYMBOL, PRICE, PIECE = "BTCUSDT", Decimal("83760.00"), Decimal("0.01")
ASSETS = ("BTC", "USDT", "BNB")
STRANGER = {"key": "strangerkey" * 5, "secret": "s3cret-of-the-stranger"}
PATIENCE = 60  # seconds until something has happened, on however busy a machine
LOOK = 0.1
# The waits of a real installation, scaled down; sweeps look at everything each time.
QUICK = {
    "GATE_INSIDE_TRANSACTIONS": False,
    "RELAY_THREADS": 0,
    "SWEEP_SECONDS": 0,
    "POLL_SECONDS": 0,
    "VENUE_TIMEOUT_SECONDS": 1.5,
    "ORDER_SEND_BY_MS": 2000,
    "ORDER_RESOLVE_MARGIN_MS": 500,
}


class Nobody(Maker):
    """The simulated rest of the world keeps still."""

    def __init__(self) -> None:
        """Without a market: it quotes nothing."""

    def act(self) -> None:
        """Nothing happens."""

    def forget(self, match: Match) -> None:
        """None of what rests is its own."""


def quiet_venue() -> Venue:
    venue = Venue(None, KEYS, levels=0, deepest=0, symbols=(SYMBOL, "BNBUSDT"))
    for symbol in venue.makers:
        venue.makers[symbol] = Nobody()
    stranger = venue.transfers.sub_account(venue.transfers.create_sub_account("stranger")["email"])
    venue.keys[STRANGER["key"]] = ApiKey(
        STRANGER["key"], stranger.account_id, secret=STRANGER["secret"], can_trade=True
    )
    for account in (stranger, venue.accounts[MAIN]):
        for asset, amount in (("BTC", "1000"), ("USDT", "90000000"), ("BNB", "1000")):
            account.receive(asset, Decimal(amount))
    return venue


class Stage:
    def __init__(self, venue: Venue, url: str) -> None:
        self.venue = venue
        self.trader, self.stranger = Caller(url), Caller(url, STRANGER)
        self._numbers = itertools.count(1)
        self.trader.door("fault", do="order limit", tenSeconds=100_000, day=1_000_000)

    # ------------------------------------------------------------------ people
    def customer(self) -> User:
        user = make_user(f"customer{next(self._numbers)}")
        fund(user, "USDT", "10000")
        fund(user, "BTC", "1")
        return user

    def place(self, user: User, nonce: str = "", **ticket: str) -> dict[str, Any]:
        """What the API answers to the ticket, with its status."""
        publish_book(SYMBOL, bids=((str(PRICE - 10), "5"),), asks=((str(PRICE), "5"),))
        browser = browser_of(user)
        body = {"symbol": SYMBOL, "client_order_id": nonce or f"try-{next(self._numbers)}", **ticket}
        answer = browser.post("/api/v1/orders/", body, content_type="application/json")
        found: dict[str, Any] = answer.json()
        return {**found, "http": answer.status_code}

    def page_of(self, user: User, order_id: int) -> str:
        """The order's own page as the customer sees it."""
        return browser_of(user).get(f"/orders/{order_id}/").content.decode()

    def offer(
        self, price: Decimal = PRICE, quantity: Decimal = PIECE, side: str = "SELL", tif: str = "GTC"
    ) -> None:
        """The stranger trades, or waits for somebody who does."""
        self.stranger.signed(
            "POST", "/api/v3/order", symbol=SYMBOL, side=side, type="LIMIT", timeInForce=tif, price=str(price),
            quantity=str(quantity),
        ).raise_for_status()  # fmt: skip

    def clear(self) -> None:
        """No fault is left, nobody waits at the venue, and both sides know the time."""
        self.trader.door("fault", do="clear")
        for caller in (self.stranger, self.trader):
            caller.signed("DELETE", "/api/v3/openOrders", symbol=SYMBOL)
        gate.clock().forget()
        gate.measure_clock()

    # ------------------------------------------------------------------ what moves orders
    def sweep(self) -> None:
        services.resolve_pending()
        services.reconcile_open()

    def until(self, is_so: Callable[[], Any], what: str) -> None:
        """Sweeps until it is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.sweep()
            time.sleep(LOOK)

    def ended(self, order_id: int) -> Order:
        """The order, when nothing is held for it any more."""
        self.until(lambda: Order.objects.filter(pk=order_id, finished_at__isnull=False).exists(), "its end")
        return Order.objects.get(pk=order_id)

    def let_time_pass(self) -> None:
        """At the venue it is so late that no request of before can be accepted any more."""
        self.trader.door("fault", do="clock", ms=60_000)
        gate.clock().forget()

    # ------------------------------------------------------------------ what is so
    def trades(self, user: User) -> list[dict[str, Any]]:
        """The venue's own list of what it executed for the customer."""
        mine = self.venue.accounts[MAIN]
        numbers = {order.order_id for order in mine.orders.values() if order.client_id in client_ids(user)}
        return [fill for fill in mine.trades if fill["orderId"] in numbers]

    def executed_orders(self, user: User) -> int:
        return len({fill["orderId"] for fill in self.trades(user)})

    def differences(self) -> dict[str, Decimal]:
        """What the venue has of each asset and the books do not say that it has."""
        found = {}
        for asset in ASSETS:
            row = self.venue.accounts[MAIN].balance(asset)
            entries = Entry.objects.filter(account__type=Account.Type.VENUE, asset_id=asset)
            found[asset] = row.free + row.locked + sum((entry.amount for entry in entries), Decimal(0))
        return found


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def client_ids(user: User) -> set[str]:
    sent = Order.objects.filter(user=user).values_list("venue_orders__client_order_id", flat=True)
    return {str(found) for found in sent if found}


@contextmanager
def open_stage(blocker: DjangoDbBlocker, folder: Path) -> Iterator[Stage]:
    """The platform follows its account at the venue."""
    venue = quiet_venue()
    with ExitStack() as stack:
        stack.enter_context(fresh_database(blocker))
        url = stack.enter_context(serving(venue))
        environment = {
            **addresses(url), "BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]
        }  # fmt: skip
        settings = {name: value for name, value in environment.items() if name != "BINANCE_STREAM_URL"}
        stack.enter_context(override_settings(**settings, **QUICK))
        forget_the_venue()
        stack.callback(forget_the_venue)
        venue_account()
        markets.synchronise_catalogue()
        log = folder / "executions.log"
        child = stack.enter_context(process(log, "executions", **environment))
        stage = Stage(venue, url)
        wait_until_followed(lambda: child.poll() is None, log)
        yield stage


def wait_until_followed(is_alive: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not VenueAccount.objects.filter(stream_state=VenueAccount.StreamState.SUBSCRIBED).exists():
        assert is_alive() and time.monotonic() < deadline, log.read_text()
        time.sleep(LOOK)
