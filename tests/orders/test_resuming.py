"""After a gap the venue is asked by market, within its weight, and every trade finds its order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from exchange.binance.models import MyTrade
from ledger.models import LedgerException
from markets.models import Market
from orders import rules, services
from orders.models import Fill, Order, VenueOrder
from tests.factories import balance, make_market, venue_account
from tests.orders.test_placing import ticket
from tests.venue import Venue, error, has_counted, order_body, trade_body

ORDER, OPEN, TRADES = "/api/v3/order", "/api/v3/openOrders", "/api/v3/myTrades"


def resume(hours: float = 0) -> None:
    """The stream was heard until so long ago."""
    services.resume(venue_account=venue_account(), heard_until=timezone.now() - timedelta(hours=hours))


def rests(venue: Venue, *orders: VenueOrder, **changes: Any) -> None:
    """The venue has these open."""
    rows = [told(order, **changes) for order in orders]
    venue.on(
        "GET",
        OPEN,
        lambda asked: (200, [row for row in rows if row["symbol"] in asked.get("symbol", row["symbol"])]),
    )


def told(sent: VenueOrder, **changes: Any) -> dict[str, Any]:
    asked = {"symbol": sent.order.market_id, "newClientOrderId": sent.client_order_id}
    return order_body(asked, **{"orderId": sent.venue_order_id or 4711, **changes})


def many(user: User, market: Market, count: int) -> list[VenueOrder]:
    """Open orders in the market, as if they had been placed long ago."""
    asked: dict[str, Any] = {"price": Decimal(1), "quantity": Decimal(1), "fee_bps": 10, "maker_fee_bps": 10}
    common: dict[str, Any] = {"side": "BUY", "type": "LIMIT", "status": "OPEN"}
    orders = Order.objects.bulk_create(
        Order(user=user, nonce=f"{market.symbol}-{n}", market=market, **asked, **common) for n in range(count)
    )
    return VenueOrder.objects.bulk_create(
        VenueOrder(
            order=order, venue_account=venue_account(), client_order_id=rules.new_client_order_id(), type="LIMIT",
            venue_order_id=order.pk, timestamp_ms=1, recv_window_ms=5000, send_by=timezone.now(), status="OPEN",
        )
        for order in orders
    )  # fmt: skip


@pytest.fixture
def no_trades(venue: Venue) -> None:
    venue.on("GET", TRADES, (200, []))


def test_a_thousand_open_orders_cost_one_question_for_all_and_one_for_each_that_moved(
    alice: User, market: Market, venue: Venue, no_trades: None
) -> None:
    placed = many(alice, market, 1000)
    rests(venue, *placed[2:])
    venue.on("GET", ORDER, lambda asked: (200, order_body(asked, status="CANCELED")))
    resume()
    assert [venue.count("GET", path) for path in (OPEN, ORDER, TRADES)] == [1, 2, 1]
    assert Order.objects.filter(status="CANCELED").count() == 2
    assert VenueOrder.objects.filter(checked_at=None).count() == 0


def test_orders_in_many_markets_are_asked_for_by_one_question(
    alice: User, market: Market, venue: Venue, no_trades: None
) -> None:
    placed = [order for n in range(14) for order in many(alice, make_market(f"C{n:02}"), 2)]
    rests(venue, *placed)
    resume()
    assert [asked for _method, path, asked in venue.asked if path == OPEN and "symbol" in asked] == []
    assert [venue.count("GET", path) for path in (OPEN, ORDER)] == [1, 0]


def test_the_question_for_what_is_open_brings_what_moved(alice: User, venue: Venue) -> None:
    venue.places()
    first, second = (
        services.place_order(user=alice, ticket=ticket(nonce=f"n{n}")).venue_orders.get() for n in range(2)
    )
    half = {"status": "PARTIALLY_FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "19500.0"}
    venue.on("GET", OPEN, (200, [told(first, orderId=4711, **half), told(second, orderId=4712)]))
    venue.on("GET", TRADES, (200, [trade_body(4711, 7, "39000.00", "0.5", "19500.0")]))
    resume()
    first.order.refresh_from_db()
    assert (first.order.status, first.order.cumulative_quantity) == ("PARTIALLY_FILLED", Decimal("0.5"))
    assert balance(alice, "USDT") == (22000, 58500)


def test_a_cancel_that_was_asked_for_is_carried_out_on_what_is_found_open(
    alice: User, venue: Venue, no_trades: None
) -> None:
    venue.places()
    placed = [services.place_order(user=alice, ticket=ticket(nonce=f"n{n}")) for n in range(2)]
    venue.on("DELETE", ORDER, (504, ""))
    services.cancel_order(user=alice, order_id=placed[0].pk)
    rests(venue, *(order.venue_orders.get() for order in placed))
    venue.on("DELETE", ORDER, lambda asked: (200, order_body(asked, status="CANCELED")))
    resume()
    assert sorted(Order.objects.values_list("status", flat=True)) == ["CANCELED", "OPEN"]


def test_what_the_weight_does_not_allow_is_left_to_the_sweep(
    alice: User, market: Market, venue: Venue, no_trades: None
) -> None:
    many(alice, market, 30)
    venue.on("GET", OPEN, (200, [], {"X-MBX-USED-WEIGHT-1M": "3000"}))
    resume()
    assert [venue.count("GET", path) for path in (ORDER, TRADES)] == [0, 0]
    has_counted(0)
    venue.on("GET", OPEN, (200, []))
    venue.on("GET", ORDER, lambda asked: (200, order_body(asked, status="CANCELED")))
    assert services.reconcile_open() == 30
    assert Order.objects.filter(status="CANCELED").count() == 30


def test_a_market_that_does_not_answer_keeps_nobody_else_waiting(
    alice: User, venue: Venue, no_trades: None
) -> None:
    placed = many(alice, make_market("ETH"), 2) + many(alice, make_market("SOL"), 2)
    venue.on(
        "GET",
        OPEN,
        lambda asked: (
            (503, "") if asked["symbol"] == "ETHUSDT" else (200, [told(order) for order in placed[2:]])
        ),
    )
    venue.on("GET", ORDER, lambda asked: (200, order_body(asked)))
    resume()
    assert venue.count("GET", ORDER) == 2
    assert VenueOrder.objects.filter(checked_at=None).count() == 0


# ------------------------------------------------------------------ trades
def finished(user: User, venue: Venue, nonce: str = "n1") -> Order:
    """An order that was canceled, as far as anybody here knows."""
    venue.places(status="CANCELED")
    return services.place_order(user=user, ticket=ticket(nonce=nonce))


def test_a_trade_of_an_order_that_has_ended_here_is_found(alice: User, venue: Venue) -> None:
    order = finished(alice, venue)
    venue.on("GET", TRADES, (200, [trade_body(4711, 7, "39000.00", "0.5", "19500.0")]))
    resume()
    order.refresh_from_db()
    assert (order.status, order.cumulative_quantity) == ("CANCELED", Decimal("0.5"))
    assert balance(alice, "USDT") == (80500, 0)
    assert LedgerException.objects.get().source == "uncovered fill"


def test_trades_are_asked_for_from_the_last_one_known_before_the_gap(alice: User, venue: Venue) -> None:
    """One that was booked since says nothing about those before it."""
    order, now = finished(alice, venue), timezone.now()
    venue.on("GET", TRADES, (200, []))
    for number, hours in ((7, 3), (9, 0)):
        trade = trade_body(
            4711,
            number,
            "39000.00",
            "0.1",
            "3900.0",
            time=int((now - timedelta(hours=hours)).timestamp() * 1000),
        )
        services.apply_trades(venue_account=venue_account(), trades=[MyTrade.from_wire(trade)])
    venue.on(
        "GET", TRADES, lambda asked: (200, [trade_body(4711, n, "39000.00", "0.1", "3900.0") for n in (8, 9)])
    )
    resume(hours=2)
    asked = [asked for _method, path, asked in venue.asked if path == TRADES]
    assert [row["fromId"] for row in asked] == ["8"]
    order.refresh_from_db()
    assert order.cumulative_quantity == Decimal("0.3")


def test_a_trade_of_an_order_that_has_no_number_here_yet_finds_it_by_our_own_id(
    alice: User, venue: Venue
) -> None:
    """Its answer was lost, and so was its event: it is no stranger's."""
    venue.on("POST", ORDER, (504, ""))
    order = services.place_order(user=alice, ticket=ticket())
    sent = order.venue_orders.get()
    filled = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "39000.0"}
    lags = error(-2013, "Order does not exist.")
    venue.on("GET", ORDER, lambda asked: (200, told(sent, **filled)) if "orderId" in asked else lags)
    venue.on("GET", TRADES, (200, [trade_body(4711, 7, "39000.00", "1.0", "39000.0")]))
    resume()
    order.refresh_from_db()
    assert (order.status, Fill.objects.count()) == ("FILLED", 1)
    assert not LedgerException.objects.exists()


def test_a_trade_of_nobodys_order_goes_to_suspense_once(alice: User, venue: Venue) -> None:
    finished(alice, venue)
    stranger = {"symbol": "BTCUSDT", "newClientOrderId": "web_123"}
    venue.on("GET", ORDER, (200, order_body(stranger, orderId=815, status="FILLED")))
    venue.on("GET", TRADES, (200, [trade_body(815, 7, "39000.00", "1.0", "39000.0")]))
    resume()
    resume()
    assert LedgerException.objects.get().source == "fill of an unknown order"
    assert balance(alice, "BTC") == (2, 0)


def test_a_trade_whose_order_the_venue_does_not_show_yet_waits(alice: User, venue: Venue) -> None:
    finished(alice, venue)
    venue.on("GET", ORDER, error(-2013, "Order does not exist."))
    venue.on("GET", TRADES, (200, [trade_body(815, 7, "39000.00", "1.0", "39000.0")]))
    resume()
    assert not LedgerException.objects.exists()
    assert not Fill.objects.exists()
