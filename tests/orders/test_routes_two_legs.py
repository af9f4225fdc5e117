"""An order in two trades over another asset: exact to the end, and told whatever keeps the second from being made."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from accounts.models import User
from exchange.binance.models import MyTrade, Report
from exchange.desk import evidence
from exchange.money import plain
from exchange.office.models import Notice
from ledger import queries as books
from ledger.models import Hold
from ledger.services import Cause
from markets.models import Market
from orders import queries, routing, services
from orders.models import Fill, Order, RouteDecision, VenueOrder
from tests.factories import balance, fund, make_market, make_user, publish_book
from tests.orders.test_placing import made_long_ago
from tests.orders.test_reports import tell
from tests.orders.test_routes import rule
from tests.venue import Body, Venue, error, fill_body, order_body, trade_body

PLACE = "/api/v3/order"
STEP = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.00001", "maxPrice": "1000", "tickSize": "0.00001"},
    {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "9000", "stepSize": "0.0001"},
    {"filterType": "NOTIONAL", "minNotional": "0.0001", "applyMinToMarket": True},
]


@pytest.fixture
def bridged(alice: User) -> User:
    """alice with ether, which brings 4 % more bitcoin over dollars than in its own market."""
    make_market("ETH", "BTC", filters=STEP)
    make_market("ETH", "USDT")
    fund(alice, "ETH", "10")
    tell_books()
    rule(make_user("carol", is_staff=True), bridges=["USDT"])
    return alice


def tell_books() -> None:
    publish_book("ETHBTC", bids=[("0.07200", "50")], asks=[("0.07300", "50")])
    publish_book("ETHUSDT", bids=[("3000.00", "50")], asks=[("3001.00", "50")])
    publish_book("BTCUSDT", bids=[("39990.00", "50")], asks=[("40000.00", "50")])


def sale(amount: str = "1", nonce: str = "n1") -> services.Ticket:
    return services.Ticket(symbol="ETHBTC", side="SELL", type="MARKET", nonce=nonce, quantity=Decimal(amount))


def executed(
    asked: Body, number: int, price: str, quantity: str, quote: str, **more: Any
) -> tuple[int, Body]:
    fill = fill_body(number, price, quantity, asset="USDT")
    found = {
        "status": "FILLED",
        "executedQty": quantity,
        "cummulativeQuoteQty": quote,
        "fills": [fill],
        **more,
    }
    return 200, order_body(asked, orderId=number, **found)


def answers(venue: Venue, first: Callable[[Body], Any], second: Callable[[Body], Any]) -> None:
    """What the venue says to each of the two trades."""
    by_symbol = {"ETHUSDT": first, "BTCUSDT": second}
    venue.on("POST", PLACE, lambda asked: by_symbol[asked["symbol"]](asked))


def sells(asked: Body) -> Any:
    """1 ETH for 3000 dollars, of which 2997 are left after our fee."""
    return executed(asked, 11, "3000.00", "1.00000000", "3000.00000000")


def buys(asked: Body) -> Any:
    """Bitcoin for as many of the 2997 dollars as make whole steps: 0.07492 at 40000 are 2996.8."""
    return executed(asked, 12, "40000.00", "0.07492000", "2996.80000000")


def nothing_is_held() -> bool:
    return not Hold.objects.filter(is_open=True).exists() and what_is_held_is_wanted()


def what_is_held_is_wanted() -> bool:
    pairs = ((Cause.ORDER, queries.holding_orders()), (Cause.BRIDGE, queries.holding_bridges()))
    return not [
        odd for cause, wanted in pairs for odd in evidence.stray_holds("x", books.held_for(cause), wanted)
    ]


def what_was_saved() -> tuple[Decimal, Decimal, Decimal | None]:
    """What orders that ended received, how much of it beyond their own market's, and that in basis points."""
    services.realise_routes()
    (found,) = routing.savings(timezone.now() - timedelta(hours=1))
    return found.received, found.saved, found.saved_bps


def whole(user: User) -> Order:
    return Order.objects.get(user=user, route_of=None)


# ------------------------------------------------------------------ both are made
def test_an_order_goes_over_another_asset_when_that_brings_more(bridged: User, venue: Venue) -> None:
    answers(venue, sells, buys)
    order = services.place_order(user=bridged, ticket=sale())
    assert (order.status, order.route, order.cumulative_quantity) == ("FILLED", "TWO_LEGS", 1)
    assert order.cumulative_quote == Decimal("0.07492")
    assert balance(bridged, "ETH") == (9, 0)
    assert balance(bridged, "BTC") == (Decimal("2.07484508"), 0)  # less our fee of a tenth of a percent
    assert balance(bridged, "USDT") == (Decimal("100000.2"), 0)
    assert order.reason_code == "left_over" and order.reason.startswith("0.2 USDT")
    assert nothing_is_held()
    asked = [asked for method, path, asked in venue.asked if method == "POST"]
    assert [(row["symbol"], row["side"]) for row in asked] == [("ETHUSDT", "SELL"), ("BTCUSDT", "BUY")]
    assert asked[1]["quoteOrderQty"] == "2997"


def test_what_a_market_without_totals_leaves_in_between_is_told_by_notice(
    bridged: User, venue: Venue
) -> None:
    """The second trade is by amount: what 2997 dollars buy at the worst price that is allowed, five per cent up."""
    Market.objects.filter(symbol="BTCUSDT").update(allows_quote_quantity=False)
    publish_book("ETHBTC", bids=[("0.06600", "50")], asks=[("0.06610", "50")])

    def buys_by_amount(asked: Body) -> Any:
        quote = Decimal(asked["quantity"]) * 40000
        return executed(asked, 12, "40000.00", asked["quantity"], f"{quote:f}")

    answers(venue, sells, buys_by_amount)
    order = services.place_order(user=bridged, ticket=sale())
    assert (order.status, order.route, order.reason_code) == ("FILLED", "TWO_LEGS", "left_over")
    left = balance(bridged, "USDT")[0] - 100000
    assert left > 100
    for channel in ("SITE", "MAIL"):
        notice = Notice.objects.get(user=bridged, kind="order.left_over", channel=channel)
        assert f"{plain(left)} USDT of the first trade are left over" in notice.body
    assert nothing_is_held()


def test_what_it_brought_beyond_its_own_market_is_on_record(bridged: User, venue: Venue) -> None:
    answers(venue, sells, buys)
    services.place_order(user=bridged, ticket=sale())
    services.realise_routes()
    (found,) = routing.savings(timezone.now() - timedelta(hours=1))
    # 0.07484508 instead of 0.072 less its fee: 0.071928.
    assert (found.kind, found.saved) == ("TWO_LEGS", Decimal("0.00291708"))
    assert found.saved_bps == found.estimated_bps == Decimal("405.556")


def test_a_purchase_by_total_goes_the_other_way(bridged: User, venue: Venue) -> None:
    publish_book("ETHBTC", bids=[("0.07600", "50")], asks=[("0.07800", "50")])

    def first(asked: Body) -> Any:
        return executed(asked, 21, "39990.00", "0.10000000", "3999.00000000")

    def second(asked: Body) -> Any:
        return executed(asked, 22, "3001.00", "1.33122000", "3994.99122000")

    answers(venue, second, first)
    ticket = services.Ticket(
        symbol="ETHBTC", side="BUY", type="MARKET", nonce="n1", quote_quantity=Decimal("0.1")
    )
    order = services.place_order(user=bridged, ticket=ticket)
    assert (order.status, order.cumulative_quote) == ("FILLED", Decimal("0.1"))
    assert order.cumulative_quantity == Decimal("1.33122")
    assert balance(bridged, "BTC") == (Decimal("1.9"), 0)
    assert nothing_is_held()


def test_its_own_market_is_taken_when_the_gain_is_less_than_it_risks(bridged: User, venue: Venue) -> None:
    publish_book("ETHBTC", bids=[("0.07491", "50")], asks=[("0.07499", "50")])
    venue.places(status="EXPIRED")
    assert services.place_order(user=bridged, ticket=sale()).route == "DIRECT"
    assert [asked["symbol"] for method, _path, asked in venue.asked if method == "POST"] == ["ETHBTC"]


def test_a_market_of_the_bridge_that_takes_nothing_now_sends_it_to_its_own(
    bridged: User, venue: Venue
) -> None:
    Market.objects.filter(symbol="ETHUSDT").update(status="HALT")
    venue.places(status="EXPIRED")
    order = services.place_order(user=bridged, ticket=sale())
    ways = RouteDecision.objects.get(order=order).candidates
    assert (order.route, ways[-1]["out"]) == ("DIRECT", "market_closed")


# ------------------------------------------------------------------ the first is not made, or in part
def test_a_first_trade_that_is_refused_ends_the_order_and_nothing_is_between(
    bridged: User, venue: Venue
) -> None:
    answers(venue, lambda asked: error(-2010, "Market is closed."), buys)
    order = services.place_order(user=bridged, ticket=sale())
    assert (order.status, order.reason_code) == ("REJECTED", "market_closed")
    assert balance(bridged, "ETH") == (10, 0)
    assert nothing_is_held()


def test_of_a_first_trade_in_part_that_part_goes_on(bridged: User, venue: Venue) -> None:
    def half(asked: Body) -> Any:
        return executed(asked, 11, "3000.00", "0.50000000", "1500.00000000", status="EXPIRED")

    def rest(asked: Body) -> Any:
        return executed(asked, 12, "40000.00", "0.03746000", "1498.40000000")

    answers(venue, half, rest)
    order = services.place_order(user=bridged, ticket=sale())
    assert (order.status, order.cumulative_quantity) == ("EXPIRED", Decimal("0.5"))
    assert balance(bridged, "ETH") == (Decimal("9.5"), 0)
    assert nothing_is_held()


# ------------------------------------------------------------------ the second is not made
def test_a_second_trade_that_is_refused_is_told_with_what_the_customer_has(
    bridged: User, venue: Venue, client: Client
) -> None:
    answers(venue, sells, lambda asked: error(-2010, "Market is closed."))
    order = services.place_order(user=bridged, ticket=sale())
    assert (order.status, order.reason_code, order.cumulative_quantity) == (
        "EXPIRED",
        "second_part_not_whole",
        0,
    )
    assert order.reason.startswith("2997 USDT of the first trade could not be traded on and are available")
    assert balance(bridged, "USDT") == (102997, 0)
    assert nothing_is_held()
    notice = Notice.objects.filter(user=bridged, kind="order.in_between", channel="SITE").get()
    assert "takes no new orders" in notice.body and "2997 USDT" in notice.body
    client.force_login(bridged)
    page = client.get(f"/orders/{order.pk}/").content.decode()
    assert "Trade 1 of two: 1 ETH for 3,000 USDT" in page
    assert "2997 USDT of the first trade" in page
    told = client.get(f"/api/v1/orders/{order.pk}/").json()
    assert (told["route"], told["reason"]) == ("TWO_LEGS", order.reason)
    assert what_was_saved() == (Decimal(0), Decimal(0), None)


def test_a_second_trade_without_an_answer_is_never_sent_again_and_ends_right(
    bridged: User, venue: Venue
) -> None:
    answers(venue, sells, lambda asked: (504, "timeout"))
    order = services.place_order(user=bridged, ticket=sale())
    assert order.status == "PENDING" and "held for the second" in order.reason
    assert balance(bridged, "USDT") == (100000, 2997)
    VenueOrder.objects.filter(order__part=2).update(sent_at=timezone.now() - timedelta(seconds=20))
    services.follow_routes()
    order.refresh_from_db()
    assert order.reason_code == "second_part_checked" and "nothing is sent again" in order.reason
    body = {"status": "FILLED", "executedQty": "0.07492", "cummulativeQuoteQty": "2996.8", "orderId": 12}
    venue.on("GET", PLACE, lambda asked: (200, order_body(asked, side="BUY", **body)))
    venue.on("GET", "/api/v3/myTrades", (200, [{
        "symbol": "BTCUSDT", "id": 12, "orderId": 12, "price": "40000", "qty": "0.07492", "quoteQty": "2996.8",
        "commission": "0", "commissionAsset": "BTC", "time": 1_700_000_000_000, "isBuyer": True, "isMaker": False,
    }]))  # fmt: skip
    for _time in range(2):
        services.reconcile(venue_order_id=VenueOrder.objects.get(order__part=2).pk)
        services.follow_routes()
    order.refresh_from_db()
    assert (order.status, order.cumulative_quote) == ("FILLED", Decimal("0.07492"))
    assert venue.count("POST", PLACE) == 2
    assert nothing_is_held()


def test_a_second_trade_in_part_leaves_the_rest_in_between_and_says_so(bridged: User, venue: Venue) -> None:
    def part(asked: Body) -> Any:
        more = {"status": "EXPIRED", "expiryReason": "INSUFFICIENT_LIQUIDITY"}
        return executed(asked, 12, "40000.00", "0.03746000", "1498.40000000", **more)

    answers(venue, sells, part)
    order = services.place_order(user=bridged, ticket=sale())
    assert (order.status, order.cumulative_quote) == ("EXPIRED", Decimal("0.03746"))
    assert round(order.cumulative_quantity, 6) == Decimal("0.499967")
    assert order.reason.startswith("1498.6 USDT") and "not enough on the other side" in order.reason
    assert balance(bridged, "USDT") == (Decimal("101498.6"), 0)
    assert Notice.objects.filter(user=bridged, kind="order.in_between").count() == 2  # site and mail
    assert nothing_is_held()
    received, saved, bps = what_was_saved()
    # 0.03742254 for 0.499967 ETH, instead of 0.072 less its fee for each.
    assert (received, round(saved, 6)) == (Decimal("0.03742254"), Decimal("0.001461"))
    assert bps is not None and round(bps) == 406


def test_a_second_trade_waits_while_prices_are_delayed_and_is_then_made(bridged: User, venue: Venue) -> None:
    def sells_and_the_books_stop(asked: Body) -> Any:
        publish_book("BTCUSDT", state="STALE")
        return sells(asked)

    answers(venue, sells_and_the_books_stop, buys)
    order = services.place_order(user=bridged, ticket=sale())
    assert (order.status, order.reason_code) == ("PENDING", "second_part_waits")
    assert order.reason.startswith(
        "2997 USDT came of the first trade and are held for the second, which waits:"
    )
    assert balance(bridged, "USDT") == (100000, 2997)
    assert what_is_held_is_wanted()
    tell_books()
    services.follow_routes()
    services.follow_routes()
    order.refresh_from_db()
    assert (order.status, venue.count("POST", PLACE)) == ("FILLED", 2)
    assert nothing_is_held()


def test_what_waited_too_long_is_the_customers_in_between(bridged: User, venue: Venue) -> None:
    def sells_and_the_books_stop(asked: Body) -> Any:
        publish_book("BTCUSDT", state="STALE")
        return sells(asked)

    answers(venue, sells_and_the_books_stop, buys)
    order = services.place_order(user=bridged, ticket=sale())
    Order.objects.filter(part=1).update(finished_at=timezone.now() - timedelta(seconds=61))
    services.follow_routes()
    order.refresh_from_db()
    assert (order.status, order.reason_code) == ("EXPIRED", "second_part_not_made")
    assert balance(bridged, "USDT") == (102997, 0)
    assert Notice.objects.filter(user=bridged, kind="order.in_between").exists()
    assert nothing_is_held()


def test_a_cancel_in_between_keeps_the_second_from_being_made(bridged: User, venue: Venue) -> None:
    def sells_and_the_books_stop(asked: Body) -> Any:
        publish_book("BTCUSDT", state="STALE")
        return sells(asked)

    answers(venue, sells_and_the_books_stop, buys)
    order = services.place_order(user=bridged, ticket=sale())
    services.cancel_order(user=bridged, order_id=order.pk)
    tell_books()
    services.follow_routes()
    order.refresh_from_db()
    assert (order.status, venue.count("POST", PLACE)) == ("CANCELED", 1)
    assert balance(bridged, "USDT") == (102997, 0)


# ------------------------------------------------------------------ a process that stops on the way
def test_a_second_trade_that_never_left_is_sent_once_under_another_name(bridged: User, venue: Venue) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exchange.failpoints.hit", stop_at("route.begun"))
        answers(venue, sells, buys)
        with pytest.raises(Stop):
            services.place_order(user=bridged, ticket=sale())
    services.follow_routes()
    assert venue.count("POST", PLACE) == 1  # somebody may still be about to send it
    VenueOrder.objects.filter(order__part=2).update(send_by=timezone.now() - timedelta(seconds=1))
    for _time in range(3):
        services.follow_routes()
    order = whole(bridged)
    assert (order.status, venue.count("POST", PLACE)) == ("FILLED", 2)
    assert VenueOrder.objects.filter(order__part=2).count() == 2
    assert nothing_is_held()


def test_an_order_whose_process_stopped_between_the_trades_goes_on(bridged: User, venue: Venue) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exchange.failpoints.hit", stop_at("route.following"))
        answers(venue, sells, buys)
        with pytest.raises(Stop):
            services.place_order(user=bridged, ticket=sale())
    assert balance(bridged, "USDT") == (100000, 2997)
    services.follow_routes()
    services.follow_routes()
    assert whole(bridged).status == "FILLED"
    again = services.place_order(user=bridged, ticket=sale())
    assert (again.pk, venue.count("POST", PLACE)) == (whole(bridged).pk, 2)


class Stop(BaseException):
    """The process is gone."""


def stop_at(point: str) -> Callable[[str], None]:
    def hit(name: str) -> None:
        if name == point:
            raise Stop(point)

    return hit


# ------------------------------------------------------------------ what the customer sees of it
def test_parts_are_read_with_their_order_and_stand_in_no_list(
    bridged: User, venue: Venue, client: Client
) -> None:
    answers(venue, sells, buys)
    order = services.place_order(user=bridged, ticket=sale())
    client.force_login(bridged)
    rows = client.get("/api/v1/orders/").json()["results"]
    assert [row["id"] for row in rows] == [order.pk]
    fills = client.get("/api/v1/fills/").json()["results"]
    assert [(row["route"], row["symbol"]) for row in fills] == [
        ("TWO_LEGS", "BTCUSDT"),
        ("TWO_LEGS", "ETHUSDT"),
    ]
    part = client.get(f"/api/v1/orders/{fills[0]['order']}/").json()
    assert part["route_of"] == order.pk
    assert "Trade 2 of two" in client.get(f"/orders/{part['id']}/").content.decode()
    client.force_login(make_user("dave", is_staff=True, is_superuser=True))
    page = client.get(f"/admin/orders/order/{order.pk}/change/").content.decode()
    assert f"#{part['id']}, BTCUSDT" in page and "two trades over another asset" in page


def test_a_part_that_is_told_of_too_late_is_the_customers_who_hears_of_it(
    bridged: User, venue: Venue
) -> None:
    answers(venue, sells, buys)
    services.place_order(user=bridged, ticket=sale())
    first = VenueOrder.objects.get(order__part=1)
    row = trade_body(11, 13, "3000", "0.1", "300", symbol="ETHUSDT", isBuyer=False)
    services.apply_trades(venue_account=first.venue_account, trades=[MyTrade.from_wire(row)])
    assert Fill.objects.filter(order__part=1).count() == 2
    said = Notice.objects.filter(user=bridged, kind="order.in_between", channel="SITE").get()
    assert "299.7 USDT more" in said.body
    assert not books.trial_balance()


# ------------------------------------------------------------------ for conversions
def test_an_order_whose_first_trade_was_given_up_and_made_after_all_was_not_refused(
    bridged: User, venue: Venue
) -> None:
    venue.on("POST", PLACE, (504, "timeout"))
    order = services.place_order(user=bridged, ticket=sale())
    (part,) = Order.objects.filter(route_of=order)
    venue.knows_none()
    services.reconcile(venue_order_id=made_long_ago(part, 60).pk)
    services.follow_routes()
    order.refresh_from_db()
    assert (order.status, order.reason_code) == ("REJECTED", "never_arrived")
    sent = part.venue_orders.get()
    tell(
        Report.from_answer(
            sells({"symbol": "ETHUSDT", "side": "SELL", "newClientOrderId": sent.client_order_id})[1]
        )
    )
    order.refresh_from_db()
    part.refresh_from_db()
    assert (order.status, order.reason_code, part.status) == ("EXPIRED", "stood_after_all", "FILLED")
    assert balance(bridged, "USDT") == (102997, 0)


def test_the_ways_from_one_asset_to_another_best_first(bridged: User) -> None:
    found = routing.paths(user=bridged, give="ETH", get="BTC", amount=Decimal(1), bridges=["USDT", "EUR"])
    assert [(path.over, path.received) for path in found] == [
        ("USDT", Decimal("0.07484508")), ("", Decimal("0.071928")),
    ]  # fmt: skip
    assert found[0].books["BTCUSDT"]["u"] == 1 and found[0].is_complete
    with override_settings(ROUTE_BOOK_AGE_MS=0):
        publish_book("ETHBTC", age_ms=5000)
        publish_book("ETHUSDT", age_ms=5000)
        assert routing.paths(user=bridged, give="ETH", get="BTC", amount=Decimal(1), bridges=["USDT"]) == []
