"""alice's orders at a paper venue on a port, followed in a thread of the test; bob trades with her."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.test import override_settings

from accounts.models import User
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.paper.accounts import ApiKey
from orders import services
from orders.management.follower import Follower
from orders.models import Fill, Order
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import TRADE, Bench, Caller, serving
from tests.factories import fund, make_market, make_user, publish_book, venue_account
from tests.markets.processes import addresses

BOB = {"key": "bobskey" * 8, "secret": "s3cret-of-bob"}


class Scene:
    """One market without anybody else on its book; alice has 100,000 USDT and 10 BTC, and bob has enough."""

    def __init__(self, bench: Bench, url: str) -> None:
        self.bench, self.venue, self.url = bench, bench.venue, url
        self.house, self.bob = Caller(url), Caller(url, BOB)
        make_market()
        self.account = venue_account()
        publish_book()
        self.alice: User = make_user()
        fund(self.alice, "USDT", "100000")
        fund(self.alice, "BTC", "10")
        self._placed = 0

    def place(self, side: str = "BUY", price: str = "39000", quantity: str = "0.1") -> Order:
        """A limit order of alice's that rests."""
        self._placed += 1
        ticket = services.Ticket(
            symbol="BTCUSDT",
            side=side,
            type="LIMIT",
            time_in_force="GTC",
            price=Decimal(price),
            quantity=Decimal(quantity),
            nonce=f"n{self._placed}",
        )
        return services.place_order(user=self.alice, ticket=ticket)

    def fill(self, order: Order, quantity: str = "") -> None:
        """bob takes it, at its price."""
        side = "SELL" if order.side == "BUY" else "BUY"
        asked = {"symbol": order.market_id, "side": side, "type": "LIMIT", "timeInForce": "IOC"}
        amounts = {"price": f"{order.price:f}", "quantity": quantity or f"{order.quantity:f}"}
        answer = self.bob.signed("POST", "/api/v3/order", **asked, **amounts)
        assert answer.json().get("status") == "FILLED", answer.text

    def is_filled(self, order: Order) -> bool:
        order.refresh_from_db()
        return order.status == "FILLED"

    def agrees(self) -> bool:
        """Every trade that the venue made for us is booked, once."""
        theirs = {
            trade["id"] for trade in self.house.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT").json()
        }
        return theirs == set(Fill.objects.values_list("trade_id", flat=True)) and bool(theirs)

    def fault(self, **body: Any) -> None:
        answer = self.house.door("fault", **body)
        assert "set" in answer, answer

    def now(self) -> VenueAccount:
        return VenueAccount.objects.get(pk=self.account.pk)

    @property
    def is_followed(self) -> bool:
        return self.now().stream_state == VenueAccount.StreamState.SUBSCRIBED

    @contextmanager
    def following(self) -> Iterator[None]:
        """The account's stream is followed as `manage.py executions` does it."""
        key = gate.key_of(self.account)
        assert key is not None
        follower = Follower(self.now(), key)
        follower.start()
        try:
            yield
        finally:
            follower.stop()
            follower.wait(15)


@contextmanager
def scene(door: str, **settings: object) -> Iterator[Scene]:
    """`door`: how the stream comes, ws_api or listen_key. Wants a database in which tests really commit."""
    bench = Bench()
    bench.any_price()
    bench.fund(bench.alice, USDT="1000000", BTC="100")
    bench.fund(bench.bob, USDT="100000000", BTC="1000")
    bench.venue.keys[BOB["key"]] = ApiKey(
        BOB["key"], bench.bob.account_id, secret=BOB["secret"], can_trade=True
    )
    bench.venue.listen_keys.are_served = door == "listen_key"
    keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
    with serving(bench.venue) as url:
        named: dict[str, object] = {**addresses(url), **keys, "BINANCE_USER_STREAM": door, **settings}
        with override_settings(**named):
            forget_the_venue()
            yield Scene(bench, url)
    forget_the_venue()
