"""What `make soak` rests on: its customers ask for what can be meant, and its reckoning finds what is not as it has to
be."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings

from accounts.models import User
from exchange.paper.accounts import MAIN
from exchange.paper.venue import Venue
from ledger import services as ledger
from markets import services as markets
from orders import services
from orders.models import Order
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import KEYS, TRADE, Caller, serving
from tests.factories import fund, make_user, publish_book, publish_ticker, venue_account
from tests.journeys.site import Site
from tests.soak.mischief import Door
from tests.soak.reckoning import Reckoned, broken, reckon
from tests.soak.tickets import SYMBOLS, Body, Tickets, is_list, otherwise
from tests.soak.traders import NEVER

D = Decimal
PROPER = (
    "market", "crossing", "resting", "post_only", "at_once", "iceberg", "stop", "trailing", "oco", "oto", "otoco",
)  # fmt: skip
IMPROPER = {
    "too_much": {"insufficient_funds"},
    "off_the_filters": {"off_tick", "off_step", "below_min_notional", "iceberg_quantity_too_small"},
    "no_order": {"bad_ticket", "invalid"},
}


class Here(Site):
    """A site whose processes are this test, at a paper venue of its own."""

    def __init__(self, database: str, venue: Venue, url: str) -> None:
        self._environment = {
            "DATABASE_URL": database, "BINANCE_REST_URL": url, "BINANCE_SAPI_URL": url,
            "BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"],
        }  # fmt: skip
        self.venue, self.door = venue, Door(self)

    @property
    def environment(self) -> dict[str, str]:
        return self._environment

    def best(self) -> dict[str, tuple[Decimal, Decimal]]:
        found = {symbol: self.venue.live[symbol].best() for symbol in SYMBOLS}
        return {symbol: (D(row["bidPrice"]), D(row["askPrice"])) for symbol, row in found.items()}

    def steps(self) -> dict[str, tuple[Decimal, Decimal]]:
        found = {symbol: self.venue.live[symbol].filters for symbol in SYMBOLS}
        return {symbol: (filters.tick, filters.step) for symbol, filters in found.items()}

    def tell_prices(self) -> None:
        for symbol, (bid, ask) in self.best().items():
            publish_book(symbol, bids=[(f"{bid:f}", "5")], asks=[(f"{ask:f}", "5")])
            publish_ticker(symbol, f"{self.venue.live[symbol].last:f}")

    def at_venue(self, method: str, path: str, **asked: str) -> None:
        """Somebody with the platform's key asks the venue, and the platform hears nothing of it."""
        caller = Caller(self.environment["BINANCE_REST_URL"])
        caller.signed(method, f"/api/v3/{path}", **asked).raise_for_status()

    def reckon(self) -> Reckoned:
        return reckon(self, self.door)


@pytest.fixture
def here(committed_db: str) -> Iterator[Here]:
    """alice has something of everything, and as much is at the venue; its markets stand still."""
    venue = Venue(None, KEYS, levels=60, deepest=60, symbols=SYMBOLS)
    for maker in venue.makers.values():
        maker.act = lambda: None  # type: ignore[method-assign]
    with serving(venue) as url:
        keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
        with override_settings(BINANCE_REST_URL=url, BINANCE_SAPI_URL=url, **keys):
            forget_the_venue()
            venue_account()
            site, user = Here(committed_db, venue, url), make_user()
            site.door.make_room()
            markets.synchronise_catalogue()
            for asset, amount in (("USDT", "50000"), ("BTC", "1"), ("ETH", "20"), ("BNB", "50")):
                venue.accounts[MAIN].receive(asset, D(amount))
                fund(user, asset, amount)
            site.tell_prices()
            yield site
    forget_the_venue()


@pytest.fixture
def browser(here: Here, client: Client) -> Client:
    client.force_login(User.objects.get())
    return client


def ask(browser: Client, body: Body, nonce: str) -> tuple[int, dict[str, Any]]:
    path = "/api/v1/order-lists/" if is_list(body) else "/api/v1/orders/"
    answer = browser.post(path, {**body, "client_order_id": nonce}, content_type="application/json")
    return answer.status_code, answer.json()


# ------------------------------------------------------------------ what customers write
def test_what_is_written_by_dice_is_taken_but_for_what_the_market_says(here: Here, browser: Client) -> None:
    answers = Counter[str]()
    for seed, kind in itertools.product(range(8), PROPER):
        here.tell_prices()
        tickets = Tickets(random.Random(seed), here.steps(), here.best())
        code, found = ask(browser, getattr(tickets, kind)(), f"{kind}{seed}")
        assert code in (201, 400, 409) and found.get("code") not in NEVER, found
        answers[f"{kind} {'taken' if code == 201 else 'refused'}"] += 1
    assert all(answers[f"{kind} taken"] > answers[f"{kind} refused"] for kind in PROPER), answers


def test_what_must_be_refused_is_refused_for_that(here: Here, browser: Client) -> None:
    codes: dict[str, set[str]] = {kind: set() for kind in IMPROPER}
    for seed, kind in itertools.product(range(20), IMPROPER):
        tickets = Tickets(random.Random(seed), here.steps(), here.best())
        code, found = ask(browser, getattr(tickets, kind)(), f"{kind}{seed}")
        assert code in (400, 409), found
        codes[kind].add(found["code"])
    assert codes == IMPROPER
    assert not Order.objects.exists()


def test_the_same_id_with_one_number_changed_is_refused(here: Here, browser: Client) -> None:
    tickets = Tickets(random.Random(1), here.steps(), here.best())
    for kind in ("market", "resting", "oco", "otoco"):
        body = getattr(tickets, kind)()
        assert ask(browser, body, kind)[0] == 201
        code, found = ask(browser, otherwise(body), kind)
        assert (code, found["code"]) == (409, "nonce_reused")


# ------------------------------------------------------------------ what the reckoning finds
@pytest.fixture
def standing(here: Here, browser: Client) -> Here:
    """An order, and a pair of which one cancels the other, wait at the venue for prices that do not come."""
    tickets = Tickets(random.Random(3), here.steps(), here.best())
    (price, _ask), quantity = here.best()["BTCUSDT"], tickets.amount("BTCUSDT", 60)
    order = {
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC",
        "price": f"{price - 2000:f}", "quantity": f"{quantity:f}",
    }  # fmt: skip
    assert ask(browser, order, "order")[0] == 201
    assert ask(browser, tickets.oco(), "pair")[0] == 201
    assert here.reckon().wrong == []
    return here


def names(here: Here, **of: object) -> list[str]:
    found = Order.objects.filter(**of).order_by("id")
    return [order.venue_orders.get().client_order_id for order in found]


def test_nothing_is_wrong_with_what_has_traded_and_ended(here: Here, browser: Client) -> None:
    for seed in range(30):
        here.tell_prices()
        tickets = Tickets(random.Random(seed), here.steps(), here.best())
        ask(browser, tickets.dice.choice([tickets.market, tickets.at_once, tickets.crossing])(), f"n{seed}")
    services.reconcile_open()
    assert here.reckon() == Reckoned([], dict.fromkeys(("BNB", "BTC", "ETH", "USDT"), D(0)))


def test_an_order_that_ended_there_alone_is_found(standing: Here) -> None:
    (name,) = names(standing, order_list=None)
    standing.door.ask(do="expire", symbol="BTCUSDT", clientOrderId=name)
    wrong = standing.reckon().wrong
    assert f"{name} is open here and not there" in wrong
    assert f"the hold for ORDER {Order.objects.get(order_list=None).pk} is for nothing" in wrong


def test_a_pair_that_ended_there_alone_is_found(standing: Here) -> None:
    pair = Order.objects.filter(order_list__isnull=False)
    for name in names(standing, order_list__isnull=False)[:1]:
        standing.door.ask(do="expire", symbol=pair[0].market_id, clientOrderId=name)
    assert f"the hold for LIST {pair[0].order_list_id} is for nothing" in standing.reckon().wrong


def test_another_size_there_is_found(standing: Here) -> None:
    (name,) = names(standing, order_list=None)
    order = Order.objects.get(order_list=None)
    assert order.quantity is not None
    half = order.quantity / 2 // D("0.00001") * D("0.00001")
    standing.at_venue(
        "PUT", "order/amend/keepPriority", symbol="BTCUSDT", origClientOrderId=name, newClientOrderId=name,
        newQty=f"{half:f}",
    )  # fmt: skip
    (line,) = standing.reckon().wrong
    assert line.startswith(f"{name} is ")


def test_an_order_that_nobody_here_knows_is_found(standing: Here) -> None:
    standing.at_venue(
        "POST", "order", symbol="ETHUSDT", side="SELL", type="LIMIT", timeInForce="GTC", price="3000", quantity="1",
        newClientOrderId="strange",
    )  # fmt: skip
    wrong = standing.reckon().wrong
    assert "strange is open there and not here" in wrong
    assert any(line.endswith("ETH are held, and 1.00000000 are locked there") for line in wrong)


def test_a_list_of_another_name_is_found(standing: Here) -> None:
    (found,) = standing.venue.accounts[MAIN].lists.values()
    ours, found.client_id = found.client_id, "strange"
    assert standing.reckon().wrong == [
        f"list {ours} is open here and not there", "list strange is open there and not here",
    ]  # fmt: skip


def test_a_hold_that_outlived_its_order_is_found(standing: Here) -> None:
    order = Order.objects.get(order_list=None)
    services.cancel_order(user=order.user, order_id=order.pk)
    assert standing.reckon().wrong == []
    ledger.hold(
        user_id=order.user_id, asset="USDT", amount=D(5), cause=ledger.Cause.CHANGE, cause_id=order.pk
    )
    assert f"the hold for CHANGE {order.pk} is for nothing" in standing.reckon().wrong


def test_a_trade_that_is_not_booked_is_found(here: Here) -> None:
    here.at_venue("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001")
    found = here.reckon()
    assert any(line.startswith("0 fills of ") for line in found.wrong)
    assert found.apart["BTC"] > 0 > found.apart["USDT"]


def test_what_no_process_should_ever_say_is_found(tmp_path: Path) -> None:
    said = [
        "worker | level=error event=order.reconcile_failed order=7",
        "web    | level=warning event=order.unknown order=8 reason=timeout",
        "worker | level=error event=list.follow_failed order_list=9",
    ]
    (tmp_path / "output").write_text("\n".join(said))
    site = Site(tmp_path, "", launcher=None)  # type: ignore[arg-type]
    assert broken(site) == ["event=order.reconcile_failed order=7", "event=list.follow_failed order_list=9"]
