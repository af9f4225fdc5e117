"""Every order fault of binance.md 17, as a limit and as a market order, through the whole platform.

Whatever goes wrong, a customer who tries until an order is executed has it executed once: the venue's own list of
trades, the fills, the balances and the books say the same, and nothing stays held.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from exchange.gate import services as gate
from ledger.models import Hold, LedgerException
from orders.models import Fill, Order, VenueOrder
from tests.factories import balance
from tests.orders.stage import PIECE, PRICE, SYMBOL, Stage, open_stage

pytestmark = pytest.mark.xdist_group("faults")
QUANTITY = 2 * PIECE
TICKETS = {
    "LIMIT": {"time_in_force": "GTC", "price": str(PRICE), "quantity": str(QUANTITY)},
    "MARKET": {"quote_quantity": f"{PRICE * QUANTITY:f}"},
}
KINDS = pytest.mark.parametrize("kind", TICKETS)
Asked = dict[str, Any]
NOBODY_TELLS: Asked = {"do": "events", "how": "delay", "count": 20, "ms": 30_000}
LOT_SIZE = {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"}


@dataclass(frozen=True)
class Fault:
    """What is asked of the control door before the order is placed, what the customer is told at once, and what is
    asked before the next try when nothing was placed.

    `rests`: a limit order waits for the stranger; every other finds what it wants. `never_arrives`: nobody says so.
    """

    asked: tuple[Asked, ...]
    told: str = "FILLED"
    over: tuple[Asked, ...] = ()
    rests: bool = False
    never_arrives: bool = False


def lost(do: str, ms: int = 1000) -> Fault:
    """The order never gets there."""
    return Fault(asked=({"on": "place", "do": do, "ms": ms},), told="PENDING", never_arrives=True)


def executed(do: str, ms: int = 1000) -> Fault:
    """The answer goes wrong, and for a while nobody hears otherwise what became of the order."""
    return Fault(asked=(NOBODY_TELLS, {"on": "place", "do": do, "ms": ms}), told="PENDING")


def refused(do: str) -> Fault:
    """Nothing is read for a second."""
    return Fault(asked=({"on": "place", "do": do, "ms": 1000},), told="REJECTED")


def telling(how: str) -> Fault:
    """What the account hears of its trades goes wrong."""
    return Fault(asked=({"do": "events", "how": how, "x": "TRADE", "count": 2, "ms": 400},), rests=True)


def closed(status: str) -> Fault:
    word = {"do": "status", "symbol": SYMBOL}
    return Fault(asked=({**word, "status": status},), told="REJECTED", over=({**word, "status": "TRADING"},))


FAULTS = {
    "partial fills": Fault(asked=(), rests=True),
    "429 with Retry-After": refused("429"),
    "418": refused("418"),
    "overloaded": lost("-1008"),
    "403 with a page": lost("403"),
    "5XX before": lost("503 before"),
    "-1007 before": lost("-1007 before"),
    "reset before": lost("reset before"),
    "hangs before": lost("hang before", 3000),
    "5XX after": executed("504 after"),
    "-1000 after": executed("-1000 after"),
    "-1006 after": executed("-1006 after"),
    "-1007 after": executed("-1007 after"),
    "garbage after": executed("garbage after"),
    "hangs after": executed("hang after", 3000),
    "reset after": executed("reset after"),
    "-1021": Fault(asked=({"do": "clock", "ms": 10_000},), told="REJECTED"),
    "fills told twice": telling("duplicate"),
    "fills told out of order": telling("swap"),
    "fills told late": telling("delay"),
    "fills never told": telling("drop"),
    "commission in BNB": Fault(asked=({"do": "commission", "asset": "BNB"},)),
    "commission in base": Fault(asked=({"do": "commission", "asset": "base"},)),
    "commission in quote": Fault(asked=({"do": "commission", "asset": "quote"},)),
    "HALT": closed("HALT"),
    "CANCEL_ONLY": closed("CANCEL_ONLY"),
    "a new filter": Fault(
        asked=({"do": "filter", "symbol": SYMBOL, "filter": {**LOT_SIZE, "minQty": "1"}},), told="REJECTED",
        over=({"do": "filter", "symbol": SYMBOL, "filter": LOT_SIZE},),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lasting(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with open_stage(django_db_blocker, tmp_path_factory.mktemp("faults")) as stage:
        yield stage


@pytest.fixture
def stage(lasting: Stage) -> Iterator[Stage]:
    """Without a fault, and with nobody waiting, before and after."""
    with override_settings(GATE_INSIDE_TRANSACTIONS=False):
        yield lasting
        lasting.clear()


@pytest.fixture
def alice(stage: Stage) -> User:
    return stage.customer()


# ------------------------------------------------------------------ how a customer trades
def buy(stage: Stage, user: User, kind: str, nonce: str = "") -> dict[str, Any]:
    return stage.place(user, nonce, side="BUY", type=kind, **TICKETS[kind])


def fill(stage: Stage, *, is_waiting: bool) -> None:
    """Two trades: with an order that waits, or with the next one that comes."""
    for _piece in range(2):
        if is_waiting:
            stage.offer(tif="IOC")
        else:
            stage.offer()


def bought(stage: Stage, user: User, kind: str, over: tuple[Asked, ...] = ()) -> Order:
    """The last of as many orders as it takes until one is executed; what was not placed is tried again."""
    order = stage.ended(Order.objects.filter(user=user).latest("id").pk)
    if order.status != "REJECTED":
        return order
    for asked in over:
        stage.trader.door("fault", **asked)
    stage.until(lambda: not gate.blocked_for(), "the venue to listen again")
    return stage.ended(buy(stage, user, kind)["id"])


def require_exact(stage: Stage, user: User, before: dict[str, Decimal]) -> None:
    """The venue, the fills, the balances and the books agree to the last digit, and nothing is held."""
    trades, fills = stage.trades(user), Fill.objects.filter(order__user=user)
    told = {
        (row["id"], Decimal(row["qty"]), Decimal(row["quoteQty"]), Decimal(row["commission"]))
        for row in trades
    }
    assert {(row.trade_id, row.quantity, row.quote_quantity, row.commission) for row in fills} == told
    assert len(fills) == len(trades)
    quote = sum((Decimal(row["quoteQty"]) for row in trades), Decimal(0))
    base = sum((Decimal(row["qty"]) for row in trades), Decimal(0))
    fees = sum((row.fee for row in fills), Decimal(0))
    assert balance(user, "USDT") == (10000 - quote, 0)
    assert balance(user, "BTC") == (1 + base - fees, 0)
    assert stage.differences() == before
    assert not Hold.objects.filter(account__owner=user, is_open=True).exists()
    assert not LedgerException.objects.exists()


# ------------------------------------------------------------------ the table
@KINDS
@pytest.mark.parametrize("name", FAULTS)
def test_an_order_is_executed_once_whatever_goes_wrong(
    stage: Stage, alice: User, name: str, kind: str
) -> None:
    fault, before = FAULTS[name], stage.differences()
    is_waiting = fault.rests and kind == "LIMIT"
    if not is_waiting:
        fill(stage, is_waiting=False)
    for asked in fault.asked:
        stage.trader.door("fault", **asked)
    answer = buy(stage, alice, kind)
    assert answer["status"] == ("OPEN" if is_waiting else fault.told), answer
    assert (answer["http"] == 202) == (answer["status"] == "PENDING")
    if answer["status"] == "PENDING":
        assert "the order is being checked" in stage.page_of(alice, answer["id"])
    if is_waiting:
        fill(stage, is_waiting=True)
    if fault.never_arrives:
        stage.sweep()
        assert Order.objects.get(pk=answer["id"]).status == "PENDING", "given up while it could still arrive"
        stage.let_time_pass()
    order = bought(stage, alice, kind, fault.over)
    assert (order.status, order.cumulative_quantity) == ("FILLED", QUANTITY)
    assert stage.executed_orders(alice) == 1
    assert Fill.objects.filter(order=order).count() == 2
    require_exact(stage, alice, before)


@KINDS
def test_an_order_that_is_found_only_later_is_not_given_up(stage: Stage, alice: User, kind: str) -> None:
    """The venue answers -2013 for a while, and the account hears nothing of the order."""
    before = stage.differences()
    fill(stage, is_waiting=False)
    stage.trader.door("fault", do="events", how="drop", count=20)
    stage.trader.door("fault", on="place", do="504 after", hideMs=1500)
    order = Order.objects.get(pk=buy(stage, alice, kind)["id"])
    stage.sweep()
    order.refresh_from_db()
    assert (order.status, VenueOrder.objects.get(order=order).checks > 0) == ("PENDING", True)
    assert stage.ended(order.pk).status == "FILLED"
    require_exact(stage, alice, before)


@KINDS
def test_fills_may_be_told_before_the_answer(stage: Stage, alice: User, kind: str) -> None:
    before, ms = stage.differences(), 1200
    fill(stage, is_waiting=False)
    stage.trader.door("fault", on="place", do="slow", ms=ms)
    answer = buy(stage, alice, kind)
    sent = VenueOrder.objects.get(order=answer["id"])
    assert sent.sent_at and sent.answered_at
    assert (sent.answered_at - sent.sent_at).total_seconds() * 1000 < ms
    assert answer["status"] == "FILLED"
    require_exact(stage, alice, before)


@KINDS
def test_a_wrong_signature_places_nothing_and_is_no_problem_of_the_customers(
    stage: Stage, alice: User, kind: str
) -> None:
    before = stage.differences()
    fill(stage, is_waiting=False)
    with override_settings(BINANCE_API_SECRET="not the secret"):
        gate.venue_key.cache_clear()
        answer = buy(stage, alice, kind)
    gate.venue_key.cache_clear()
    assert (answer["status"], answer["reason_code"]) == ("REJECTED", "unavailable")
    assert bought(stage, alice, kind).status == "FILLED"
    assert stage.executed_orders(alice) == 1
    require_exact(stage, alice, before)


@KINDS
def test_an_id_that_is_said_again_after_its_order_was_filled_executes_nothing(
    stage: Stage, alice: User, kind: str
) -> None:
    """The venue itself would take it again."""
    before = stage.differences()
    for _time in range(2):
        fill(stage, is_waiting=False)
    first, again = (buy(stage, alice, kind, nonce="mine") for _time in range(2))
    assert (first["id"], first["status"], again["status"]) == (again["id"], "FILLED", "FILLED")
    assert stage.executed_orders(alice) == 1
    require_exact(stage, alice, before)


@KINDS
def test_two_customers_who_meet_at_the_venue_do_not_trade_with_each_other(
    stage: Stage, alice: User, kind: str
) -> None:
    bob, before = stage.customer(), stage.differences()
    sell = {"time_in_force": "GTC", "price": str(PRICE), "quantity": str(QUANTITY)}
    resting = stage.place(bob, side="SELL", type="LIMIT", **sell)
    fill(stage, is_waiting=False)
    assert buy(stage, alice, kind)["status"] == "FILLED"
    ended = stage.ended(resting["id"])
    assert (ended.status, ended.reason_code, ended.cumulative_quantity) == ("EXPIRED", "EXPIRED_IN_MATCH", 0)
    assert (stage.trades(bob), balance(bob, "BTC")) == ([], (1, 0))
    require_exact(stage, alice, before)


@KINDS
def test_an_order_ends_where_the_venues_price_range_ends(stage: Stage, alice: User, kind: str) -> None:
    before, edge = stage.differences(), PRICE * Decimal("1.02") / stage.venue.live[SYMBOL].average()
    stage.offer()
    stage.offer(PRICE + 5000)
    stage.trader.door("fault", do="price range", symbol=SYMBOL, bidLimitMultUp=str(edge))
    ticket = TICKETS[kind] | ({"price": str(PRICE + 6000)} if kind == "LIMIT" else {})
    answer = stage.place(alice, side="BUY", type=kind, **ticket)
    stage.trader.door("fault", do="price range", symbol=SYMBOL)
    order = stage.ended(answer["id"])
    assert (order.status, order.cumulative_quantity) == ("EXPIRED", PIECE)
    assert order.reason_code == "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
    require_exact(stage, alice, before)
