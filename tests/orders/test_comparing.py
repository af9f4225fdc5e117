"""Orders and the comparison with the venue: trades under way, past trades, and what a stopped asset still allows."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from exchange.office.models import AuditRecord
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import AssetStopped
from ledger.models import Account, HistoryCheck, LedgerException
from orders import services
from orders.models import Fill, Order
from tests.factories import balance, held_by_the_house, make_market, publish_ticker
from tests.ledger.runs import differences, holds, run, twice
from tests.orders.test_lost_orders import LAST, asked, knows_nothing, now
from tests.orders.test_placing import made_long_ago, ticket
from tests.orders.test_reports import tell, traded
from tests.venue import Venue, error, order_body, trade_body

DAY = date(2023, 11, 14)  # of the wire's times
TRADES = "/api/v3/myTrades"
D = Decimal


@pytest.fixture(autouse=True)
def wallet(venue: Venue) -> None:
    publish_ticker("BTCUSDT", "40000")
    venue.on("GET", "/sapi/v1/capital/deposit/hisrec", (200, []))


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    """alice buys 1 BTC at 39,000, and nothing of it is traded here yet."""
    venue.places()
    return services.place_order(user=alice, ticket=ticket())


def trades(venue: Venue, *rows: dict[str, Any]) -> None:
    venue.on("GET", TRADES, (200, list(rows)))


def shows(venue: Venue, client_order_id: str, **changes: Any) -> None:
    """Asked for an order by its number, the venue says that it has this name."""
    named = {"symbol": "BTCUSDT", "newClientOrderId": client_order_id}
    venue.on("GET", "/api/v3/order", (200, order_body(named, **changes)))


def half(**changes: Any) -> dict[str, Any]:
    """Half of the order, as the venue tells it."""
    return trade_body(4711, 7, "39000.00", "0.50000000", "19500.00000000", **changes)


def fresh(**changes: Any) -> dict[str, Any]:
    return half(time=4_000_000_000_000, **changes)


# ------------------------------------------------------------------ now
def test_a_trade_that_is_not_booked_yet_is_under_way(order: Order, venue: Venue) -> None:
    trades(venue, fresh(commission="0.00050000"))
    holds(venue, USDT="80500", BTC="2.4995")
    found = twice()
    assert found.is_ok
    row = found.rows.get(asset="BTC")
    assert (row.explained, row.explanations[0][1]) == (D("0.4995"), f"ORDER:{order.pk} trade 7")


def test_a_commission_in_a_third_asset_is_under_way_with_its_trade(order: Order, venue: Venue) -> None:
    trades(venue, fresh(commission="0.00100000", commissionAsset="USDT"))
    holds(venue, USDT="80499.999", BTC="2.5")
    assert run().is_ok


def test_a_booked_trade_explains_nothing(order: Order, venue: Venue) -> None:
    tell(traded(order, 7, "0.5", "0.5"))
    trades(venue, fresh())
    holds(venue, USDT="80500", BTC="2.49999999")
    assert differences(run()) == {"BTC": D("-0.00000001")}


def test_a_trade_of_somebody_elses_order_explains_nothing(order: Order, venue: Venue) -> None:
    trades(venue, {**fresh(), "orderId": 1})
    holds(venue, USDT="80500", BTC="2.5")
    assert differences(run()) == {"BTC": D("0.5"), "USDT": D(-19500)}


# ------------------------------------------------------------------ a stopped asset
@pytest.fixture
def stopped(order: Order, venue: Venue) -> LedgerException:
    """Half of alice's bitcoins are missing at the venue, and staff do not know why."""
    trades(venue)
    holds(venue, USDT="100000", BTC="1")
    twice()
    return LedgerException.objects.get()


def test_a_stopped_asset_takes_no_new_orders_on_either_side_and_nothing_is_held(
    alice: User, stopped: LedgerException, venue: Venue
) -> None:
    before = balance(alice, "USDT")
    for side, nonce in (("BUY", "n2"), ("SELL", "n3")):
        with pytest.raises(AssetStopped, match="Open orders can be canceled") as refusal:
            services.place_order(user=alice, ticket=ticket(side=side, nonce=nonce))
    assert (refusal.value.code, refusal.value.status) == ("asset_stopped", 409)
    assert (balance(alice, "USDT"), Order.objects.count()) == (before, 1)


def test_an_order_in_a_stopped_asset_can_still_be_canceled(
    alice: User, order: Order, stopped: LedgerException, venue: Venue
) -> None:
    venue.on(
        "DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED", orderId=4711))
    )
    assert services.cancel_order(user=alice, order_id=order.pk).status == "CANCELED"
    assert balance(alice, "USDT") == (100000, 0)


def test_an_order_in_a_stopped_asset_still_fills(order: Order, stopped: LedgerException) -> None:
    tell(traded(order, 7, "0.5", "0.5"))
    assert Fill.objects.count() == 1


def test_another_market_is_not_stopped(alice: User, stopped: LedgerException, venue: Venue) -> None:
    make_market("ETH", "USDT")
    placed = services.place_order(user=alice, ticket=ticket(symbol="ETHUSDT", nonce="n2", price=D(1000)))
    assert placed.status == "OPEN"


def test_orders_are_taken_again_once_the_difference_is_gone(
    alice: User, stopped: LedgerException, venue: Venue
) -> None:
    holds(venue, USDT="100000", BTC="2")
    run(10)
    assert services.place_order(user=alice, ticket=ticket(nonce="n2")).status == "OPEN"


# ------------------------------------------------------------------ a past day
def found() -> list[tuple[str, str | None, Decimal | None]]:
    rows = LedgerException.objects.order_by("id")
    return [(row.source, row.asset_id, row.amount and row.amount.normalize()) for row in rows]


def test_a_day_both_have_alike_is_no_finding(order: Order, venue: Venue) -> None:
    tell(traded(order, 7, "0.5", "0.5"))
    trades(venue, half())
    assert services.compare_trades(day=DAY) == ledger.Comparison()
    assert HistoryCheck.objects.get().compared == 1


def test_a_trade_whose_event_was_lost_is_booked_put_on_record_and_told_to_staff(
    alice: User, order: Order, venue: Venue
) -> None:
    tell(traded(order, 6, "0.25", "0.25"))
    trades(venue, half(id=6, qty="0.25", quoteQty="9750"), half())
    assert services.compare_trades(day=DAY) == ledger.Comparison(1)
    assert Fill.objects.filter(trade_id=7, order=order).count() == 1
    assert balance(alice, "USDT") == (61000, 9750)
    assert AuditRecord.objects.filter(action="trade.repaired").count() == 1
    assert found() == [("trade was missing here", "BTC", D("0.5"))]
    assert services.compare_trades(day=DAY) == ledger.Comparison()


def test_a_trade_of_an_order_nobody_knows_goes_to_suspense_once(order: Order, venue: Venue) -> None:
    trades(venue, {**half(), "orderId": 99})
    shows(venue, "web_123", orderId=99)
    for _time in range(2):
        services.compare_trades(day=DAY)
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == D("0.5")
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == D("-19500")
    assert [source for source, _asset, _amount in found()] == [
        "fill of an unknown order",
        "trade was missing here",
    ]


def test_a_trade_of_an_order_that_was_given_up_is_its_orders_and_told_later_it_is_a_repeat(
    alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", (504, "late"))
    venue.knows_none()
    order = services.place_order(user=alice, ticket=ticket())
    services.reconcile(venue_order_id=made_long_ago(order, 60).pk)
    ended = {"status": "CANCELED", "executedQty": "0.5", "cummulativeQuoteQty": "19500.0"}
    shows(venue, order.venue_orders.get().client_order_id, orderId=4711, **ended)
    trades(venue, half())
    assert services.compare_trades(day=DAY) == ledger.Comparison(1)
    tell(traded(order, 7, "0.5", "0.5"))
    assert Fill.objects.get().order == order
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == 0
    assert [source for source, _asset, _amount in found()] == ["uncovered fill", "trade was missing here"]


def test_a_trade_whose_order_the_venue_does_not_show_yet_is_asked_for_again_and_keeps_no_other_waiting(
    order: Order, venue: Venue
) -> None:
    trades(venue, half(), {**half(id=8), "orderId": 99})
    venue.on("GET", "/api/v3/order", error(-2013, "Order does not exist."))
    assert services.compare_trades(day=DAY) == ledger.Comparison(0, (f"{DAY} trades:BTCUSDT",))
    assert not books.has_transfer("fill", f"{order.venue_orders.get().venue_account_id}:BTCUSDT:8")
    assert (Fill.objects.get().order, found()) == (order, [("trade was missing here", "BTC", D("0.5"))])
    assert not HistoryCheck.objects.exists()
    shows(venue, "web_123", orderId=99)
    assert services.compare_trades(day=DAY) == ledger.Comparison(1)
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == D("0.5")


def test_a_late_trade_of_an_order_that_was_taken_for_gone_is_its_orders(
    alice: User, order: Order, venue: Venue
) -> None:
    knows_nothing(venue)
    asked(LAST)
    assert now(order)[1] == "lost_at_venue"
    venue.places(orderId=4712)
    other = services.place_order(user=alice, ticket=ticket(nonce="other"))
    trades(venue, half(), {**half(id=8), "orderId": 4712})
    assert services.compare_trades(day=DAY) == ledger.Comparison(2)
    assert set(Fill.objects.values_list("order", flat=True)) == {order.pk, other.pk}
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == 0


def test_nothing_is_called_unknown_while_an_order_has_no_number_at_the_venue(
    alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", (504, "late"))
    services.place_order(user=alice, ticket=ticket())
    trades(venue, half())
    assert services.compare_trades(day=DAY) == ledger.Comparison(0, (f"{DAY} trades:BTCUSDT",))
    assert not HistoryCheck.objects.exists()


def test_a_trade_the_venue_does_not_have_is_found(order: Order, venue: Venue) -> None:
    tell(traded(order, 7, "0.5", "0.5"))
    trades(venue)
    services.compare_trades(day=DAY)
    assert found() == [("trade the venue does not show", "BTC", D("0.5"))]


def test_a_trade_of_another_quantity_is_found(order: Order, venue: Venue) -> None:
    tell(traded(order, 7, "0.5", "0.5"))
    trades(venue, half(qty="0.50000001"))
    services.compare_trades(day=DAY)
    assert found() == [("trade differs from the venue's", "BTC", D("0.00000001"))]


def test_a_commission_that_was_not_booked_is_found_with_the_lines_that_book_it(
    order: Order, venue: Venue
) -> None:
    tell(traded(order, 7, "0.5", "0.5"))
    trades(venue, half(commission="0.00050000"))
    services.compare_trades(day=DAY)
    difference = LedgerException.objects.get()
    assert (difference.source, difference.amount) == ("commission differs from the venue's", D("-0.0005"))
    assert difference.suggestion[1] == ["COMMISSION::BTC", "S", "-0.0005"]


def test_every_page_of_a_day_is_read(order: Order, venue: Venue) -> None:
    first = [half(id=number, orderId=1, qty="0.00001", quoteQty="0.39") for number in range(1, 1001)]
    rest = [
        half(id=1001, orderId=1, qty="0.00001", quoteQty="0.39"),
        half(id=1002, orderId=1, time=1_700_006_400_000),
    ]
    venue.on("GET", TRADES, lambda asked: (200, rest if asked.get("fromId") == "1001" else first))
    found = services.comparing._trades(
        order.venue_orders.get().venue_account, "BTCUSDT", *ledger.span_of(DAY)
    )
    assert [trade.fill.trade_id for trade in found] == list(range(1, 1002))


def test_a_market_the_venue_no_longer_has_does_not_stop_the_others(order: Order, venue: Venue) -> None:
    make_market("ETH", "USDT")
    gone = error(-1121, "Invalid symbol.")
    venue.on("GET", TRADES, lambda asked: gone if asked["symbol"] == "BTCUSDT" else (200, []))
    assert services.compare_trades(day=DAY) == ledger.Comparison(0, (f"{DAY} trades:BTCUSDT",))
    assert list(HistoryCheck.objects.values_list("part", flat=True)) == ["trades:ETHUSDT"]


def test_the_books_stay_whole_through_repairs(order: Order, venue: Venue) -> None:
    trades(venue, half(), {**half(), "id": 8, "orderId": 99})
    services.compare_trades(day=DAY)
    assert books.first_broken_row() == ""
