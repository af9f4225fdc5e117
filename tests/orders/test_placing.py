"""What a customer gets for every way in which the venue answers a new order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from exchange.binance.models import Report
from ledger.errors import InsufficientFunds
from ledger.models import Account, Hold
from markets.errors import FarFromMarket, FilterViolation
from markets.models import Asset
from orders import services
from orders.errors import BadTicket, MarketClosed, NonceReused, PricesDelayed
from orders.models import Fill, Order, Status, VenueOrder
from tests.factories import balance, fund, held_by_the_house, make_user, publish_book, venue_account
from tests.venue import Venue, error, fill_body, order_body, trade_body

PERCENT = {
    "filterType": "PERCENT_PRICE_BY_SIDE",
    **{
        f"{side}Multiplier{end}": many
        for side in ("bid", "ask")
        for end, many in (("Up", "5"), ("Down", "0.2"))
    },
}


def ticket(**changes: Any) -> services.Ticket:
    """Buy 1 BTC at 39000."""
    wanted: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "time_in_force": "GTC",
        "price": Decimal(39000),
        "quantity": Decimal(1),
        "nonce": "n1",
    }
    return services.Ticket(**{**wanted, **changes})


def market_ticket(side: str = "BUY", **changes: Any) -> services.Ticket:
    return services.Ticket(symbol="BTCUSDT", side=side, type="MARKET", nonce="n1", **changes)


def place(user: User, **changes: Any) -> Order:
    return services.place_order(user=user, ticket=ticket(**changes))


def no_hold_is_left() -> bool:
    return not Hold.objects.filter(is_open=True).exists()


# ------------------------------------------------------------------ answers
def test_an_order_that_rests_is_open_and_holds_what_it_can_cost(alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    assert order.status == "OPEN"
    assert balance(alice, "USDT") == (61000, 39000)


def test_what_is_sent_is_what_was_recorded(alice: User, venue: Venue) -> None:
    venue.places()
    sent_for = place(alice).venue_orders.get()
    asked = next(asked for method, path, asked in venue.asked if (method, path) == ("POST", "/api/v3/order"))
    assert asked["newClientOrderId"] == sent_for.client_order_id
    assert int(asked["timestamp"]) == sent_for.timestamp_ms
    assert (asked["price"], asked["quantity"], asked["newOrderRespType"]) == ("39000", "1", "FULL")


def test_an_answer_with_fills_settles_at_once_and_gives_the_rest_back(alice: User, venue: Venue) -> None:
    fills = [
        fill_body(7, "38900.00", "0.40000000", "0.00040000"),
        fill_body(8, "39000.00", "0.60000000", "0.0006"),
    ]
    venue.places(status="FILLED", executedQty="1.00000000", cummulativeQuoteQty="38960.00000000", fills=fills)
    order = place(alice)
    assert order.status == "FILLED"
    assert balance(alice, "USDT") == (61040, 0)
    assert balance(alice, "BTC") == (Decimal("2.999"), 0)
    assert held_by_the_house(Account.Type.COMMISSION, "BTC") == Decimal("-0.001")


def test_many_trades_cost_an_order_no_statement_more_than_few(alice: User, venue: Venue) -> None:
    """All of them are booked and written by one statement; nothing is looked up or added up anew for them."""

    def asked_for(count: int, nonce: str) -> int:
        part = Decimal(1) / count
        fills = [fill_body(count * 100 + number, "39000.00", f"{part:.8f}") for number in range(count)]
        venue.places(
            status="FILLED", executedQty="1.00000000", cummulativeQuoteQty="39000.00000000", fills=fills
        )
        with CaptureQueriesContext(connection) as asked:
            place(alice, nonce=nonce)
        return len(asked)

    fund(alice, "USDT", "100000")
    asked_for(3, "first")

    few, many = asked_for(2, "a"), asked_for(10, "b")
    assert many == few


def test_an_expired_order_keeps_its_fills_and_gives_the_rest_back(alice: User, venue: Venue) -> None:
    venue.places(
        status="EXPIRED",
        executedQty="0.25000000",
        cummulativeQuoteQty="9750.00000000",
        fills=[fill_body(7, "39000.00", "0.25000000")],
        expiryReason="UNFILLED_IOC_QUANTITY_EXPIRED",
    )
    order = place(alice, time_in_force="IOC")
    assert order.status == "EXPIRED"
    assert "could not trade at once" in order.reason
    assert balance(alice, "USDT") == (90250, 0)


def test_a_quote_amount_the_answer_does_not_name_exactly_is_asked_for(alice: User, venue: Venue) -> None:
    """Price × quantity has more decimals than the venue books; it says how it rounded in myTrades alone."""
    venue.places(
        status="FILLED",
        executedQty="1.00000000",
        cummulativeQuoteQty="38999.99999999",
        fills=[fill_body(7, "39000.00", "1.00000000")],
    )
    venue.on("GET", "/api/v3/myTrades", (200, [trade_body(4711, 7, "39000.00", "1.0", "38999.99999999")]))
    assert place(alice).status == "FILLED"
    assert Fill.objects.get().quote_quantity == Decimal("38999.99999999")


REFUSALS = [
    (error(-2010, "Account has insufficient balance for requested action."), "unavailable"),
    (error(-2010, "Market is closed."), "market_closed"),
    (error(-1013, "Filter failure: NOTIONAL"), "notional"),
    (error(-1013, "Filter failure: MAX_NUM_ORDERS"), "unavailable"),
    (error(-1021, "Timestamp for this request is outside of the recvWindow."), "too_late"),
    (error(-2015, "Invalid API-key, IP, or permissions for action.", 401), "unavailable"),
    (error(-1022, "Signature for this request is not valid."), "unavailable"),
    (error(-9999, "Something new."), "refused_by_venue"),
    (error(-1015, "Too many new orders.", 429), "busy"),
    (error(-1003, "Too much request weight used.", 418), "busy"),
]


@pytest.mark.parametrize(
    ("answer", "code"), REFUSALS, ids=[str(answer[1]["code"]) + code for answer, code in REFUSALS]
)
def test_a_definite_refusal_releases_everything_and_says_why(
    alice: User, venue: Venue, answer: Any, code: str
) -> None:
    venue.on("POST", "/api/v3/order", answer)
    order = place(alice)
    assert (order.status, order.reason_code) == ("REJECTED", code)
    assert balance(alice, "USDT") == (100000, 0)
    assert no_hold_is_left()
    assert "insufficient balance" not in order.reason.lower()


SILENCES = [
    (500, "oops"),
    (502, "<html>"),
    (403, "<html>blocked</html>"),
    (200, "not json"),
    error(-1007, "Timeout waiting for response from backend server.", 408),
    error(-1006, "An unexpected response was received from the message bus."),
    error(-1001, "Internal error."),
    requests.exceptions.ReadTimeout(),
    requests.exceptions.ConnectionError("Connection aborted."),
]


@pytest.mark.parametrize("answer", SILENCES, ids=lambda answer: str(answer)[:30])
def test_silence_keeps_the_order_pending_its_money_held_and_nothing_is_sent_again(
    alice: User, venue: Venue, answer: Any
) -> None:
    venue.on("POST", "/api/v3/order", answer)
    venue.knows_none()
    order = place(alice)
    services.resolve_pending()
    order.refresh_from_db()
    assert order.status == "PENDING"
    assert balance(alice, "USDT") == (61000, 39000)
    assert venue.count("POST", "/api/v3/order") == 1


def test_a_silent_order_that_was_executed_is_found_and_settled(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    order = place(alice)
    venue.knows(status="FILLED", executedQty="1.00000000", cummulativeQuoteQty="39000.00000000")
    venue.on("GET", "/api/v3/myTrades", (200, [trade_body(4711, 7, "39000.00", "1.0", "39000.00000000")]))
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    assert order.status == "FILLED"
    assert balance(alice, "BTC")[0] == Decimal("2.999")
    assert no_hold_is_left()


def made_long_ago(order: Order, seconds: int) -> VenueOrder:
    """As if the order had been placed that long ago."""
    venue_order = order.venue_orders.get()
    venue_order.timestamp_ms -= seconds * 1000
    venue_order.send_by -= timedelta(seconds=seconds)
    venue_order.save()
    return venue_order


def test_no_such_order_is_no_proof_before_the_last_moment(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.knows_none()
    order = place(alice)
    services.reconcile(venue_order_id=made_long_ago(order, 15).pk)
    order.refresh_from_db()
    assert order.status == "PENDING"
    assert not no_hold_is_left()


def test_no_such_order_after_the_last_moment_releases_once(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.knows_none()
    order = place(alice)
    venue_order = made_long_ago(order, 60)
    for _time in range(2):
        services.reconcile(venue_order_id=venue_order.pk)
    order.refresh_from_db()
    assert (order.status, order.reason_code) == ("REJECTED", "never_arrived")
    assert balance(alice, "USDT") == (100000, 0)


def test_an_order_that_turns_up_after_it_was_given_up_is_booked_all_the_same(
    alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.knows_none()
    order = place(alice)
    venue_order = made_long_ago(order, 60)
    services.reconcile(venue_order_id=venue_order.pk)
    asked = {"symbol": "BTCUSDT", "origClientOrderId": venue_order.client_order_id}
    body = order_body(asked, status="FILLED", executedQty="1.0", cummulativeQuoteQty="39000.0")
    body["fills"] = [fill_body(7, "39000.00", "1.0")]
    services.apply_report(venue_account=venue_account(), report=Report.from_answer(body), source="late")
    alice.refresh_from_db()
    assert balance(alice, "USDT") == (61000, 0)
    assert Fill.objects.count() == 1
    assert alice.is_frozen


def test_a_sender_that_slept_too_long_sends_nothing(alice: User, venue: Venue) -> None:
    venue.places()
    with override_settings(ORDER_SEND_BY_MS=-1):
        order = place(alice)
    assert (order.status, order.reason_code) == ("REJECTED", "too_late")
    assert venue.count("POST", "/api/v3/order") == 0
    assert no_hold_is_left()


# ------------------------------------------------------------------ repeats
def test_a_repeat_gives_the_first_order_and_sends_nothing(alice: User, venue: Venue) -> None:
    venue.places()
    first, second = place(alice), place(alice)
    assert first.pk == second.pk
    assert venue.count("POST", "/api/v3/order") == 1


def test_another_order_under_the_same_id_is_refused(alice: User, venue: Venue) -> None:
    venue.places()
    place(alice)
    with pytest.raises(NonceReused):
        place(alice, price=Decimal(38000))


def test_two_customers_may_use_the_same_id(alice: User, venue: Venue) -> None:
    from tests.factories import fund

    venue.places()
    bob = make_user("bob")
    fund(bob, "USDT", "50000")
    assert place(alice).pk != place(bob).pk


# ------------------------------------------------------------------ market orders
def test_a_market_buy_by_amount_can_never_cost_more_than_is_held(alice: User, venue: Venue) -> None:
    venue.places()
    order = services.place_order(user=alice, ticket=market_ticket(quantity=Decimal(1)))
    sent = order.venue_orders.get()
    assert (sent.type, sent.time_in_force) == ("LIMIT", "IOC")
    assert sent.price == Decimal("42010.50")
    assert balance(alice, "USDT") == (Decimal("57989.5"), Decimal("42010.5"))


def test_a_market_buy_by_total_holds_exactly_the_total(alice: User, venue: Venue) -> None:
    venue.places()
    order = services.place_order(user=alice, ticket=market_ticket(quote_quantity=Decimal(1000)))
    sent = order.venue_orders.get()
    assert (sent.type, sent.quote_quantity) == ("MARKET", 1000)
    assert balance(alice, "USDT") == (99000, 1000)


def test_a_market_sell_by_total_sells_what_the_book_gives_it_for(alice: User, venue: Venue) -> None:
    venue.places()
    order = services.place_order(user=alice, ticket=market_ticket("SELL", quote_quantity=Decimal(20000)))
    sent = order.venue_orders.get()
    assert (sent.quantity, sent.price) == (Decimal("0.5"), Decimal("38000.00"))
    assert balance(alice, "BTC") == (Decimal("1.5"), Decimal("0.5"))


@pytest.mark.parametrize("book", [{"state": "STALE"}, {"state": "SYNCING"}, {"age_ms": 60_000}])
def test_a_market_order_waits_for_live_prices(alice: User, venue: Venue, book: dict[str, Any]) -> None:
    publish_book(**book)
    with pytest.raises(PricesDelayed):
        services.place_order(user=alice, ticket=market_ticket(quantity=Decimal(1)))


@pytest.mark.parametrize("book", [{"state": "STALE"}, {"state": "SYNCING"}, {"age_ms": 60_000}])
def test_how_far_a_price_may_be_is_not_measured_by_old_prices(
    alice: User, market: Any, venue: Venue, book: dict[str, Any]
) -> None:
    """The venue knows where the market is now; a book of a while ago would refuse good orders."""
    market.filters = [*market.filters, PERCENT]
    market.save()
    venue.places()
    with pytest.raises(FarFromMarket):
        services.place_order(user=alice, ticket=ticket(price=Decimal("7000.00")))
    publish_book(**book)
    assert services.place_order(user=alice, ticket=ticket(price=Decimal("7000.00"))).status == Status.OPEN


# ------------------------------------------------------------------ refused before the venue hears of it
BAD = [
    ({"price": Decimal("39000.001")}, "price"),
    ({"quantity": Decimal("0.000001")}, "quantity"),
    ({"quantity": Decimal("0.00001")}, "quantity"),
    ({"side": "HOLD"}, "side"),
    ({"type": "TRAILING_STOP"}, "type"),
    ({"time_in_force": "GTX"}, "time_in_force"),
    ({"price": None}, "price"),
    ({"quantity": None}, "quantity"),
    ({"quote_quantity": Decimal(5)}, "quote_quantity"),
    ({"nonce": ""}, "client_order_id"),
    ({"nonce": "x" * 65}, "client_order_id"),
    ({"nonce": "a b"}, "client_order_id"),
]


@pytest.mark.parametrize(("changes", "field"), BAD, ids=str)
def test_a_bad_ticket_is_refused_beside_its_field(
    alice: User, venue: Venue, changes: Any, field: str
) -> None:
    with pytest.raises((BadTicket, FilterViolation)) as refusal:
        place(alice, **changes)
    assert refusal.value.field == field
    assert not Order.objects.exists()


def test_an_order_beyond_the_funds_leaves_nothing(alice: User, venue: Venue) -> None:
    with pytest.raises(InsufficientFunds):
        place(alice, quantity=Decimal(3))
    assert not Order.objects.exists()
    assert no_hold_is_left()


def test_a_halted_market_takes_no_order(alice: User, market: Any, venue: Venue) -> None:
    market.status = "HALT"
    market.save()
    with pytest.raises(MarketClosed):
        place(alice)


def test_the_unverified_and_the_frozen_do_not_trade(alice: User, venue: Venue) -> None:
    from accounts.errors import AccountFrozen, TierTooLow

    with pytest.raises(TierTooLow):
        place(make_user("bob", tier=0))
    with pytest.raises(AccountFrozen):
        place(make_user("mallory", is_frozen=True))


def test_a_commission_in_bnb_opens_its_asset(alice: User, venue: Venue) -> None:
    venue.places(
        status="FILLED",
        executedQty="1.0",
        cummulativeQuoteQty="39000.0",
        fills=[fill_body(7, "39000.00", "1.0", "0.02", "BNB")],
    )
    place(alice)
    assert Asset.objects.filter(code="BNB").exists()
    assert held_by_the_house(Account.Type.COMMISSION, "BNB") == Decimal("-0.02")
