"""Which way an order takes: rules of staff, the venue's own routing, and what is on record of the choice."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from exchange.office.models import AuditRecord
from markets.models import Market
from orders import routing, services
from orders.models import Fill, Order, RouteDecision, RouteRule, Strategy
from orders.routing import choice
from tests.exchange.gate.test_budgets import calm, orders_used
from tests.factories import balance, make_market, make_user, publish_book, venue_account
from tests.orders.test_placing import market_ticket, ticket
from tests.orders.test_reports import event, tell
from tests.venue import Body, Venue, error, fill_body, order_body, trade_body

ONE = Decimal(1)
SOR_PATH = "/api/v3/sor/order"


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol", is_staff=True, is_superuser=True)


def rule(by: User, strategy: str = "SMART", **more: Any) -> RouteRule:
    asked = {"symbol": None, "group_id": None, "tier": None, "allows_crossing": False, "bridges": [], **more}
    found = services.begin_route_rule(name=strategy.lower(), strategy=strategy, by=by, **asked)
    choice.forget()
    return found


def strategy_for(user: User, symbol: str) -> str:
    found = routing.rule_for(user, symbol)
    return "DIRECT" if found is None else found.strategy


# ------------------------------------------------------------------ rules of staff
def test_without_a_rule_nothing_is_compared_and_no_query_is_made_for_it(alice: User, venue: Venue) -> None:
    routing.rule_for(alice, "BTCUSDT")
    with CaptureQueriesContext(connection) as asked:
        assert routing.rule_for(alice, "BTCUSDT") is None
    assert not asked
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    assert (order.route, RouteDecision.objects.count()) == ("", 0)


def test_the_rule_that_names_most_counts(alice: User, carol: User) -> None:
    make_market("ETH")
    rule(carol, "SMART")
    assert strategy_for(alice, "BTCUSDT") == strategy_for(alice, "ETHUSDT") == "SMART"
    rule(carol, "DIRECT", symbol="BTCUSDT")
    assert (strategy_for(alice, "BTCUSDT"), strategy_for(alice, "ETHUSDT")) == ("DIRECT", "SMART")
    friends = Group.objects.create(name="friends")
    rule(carol, "SMART", symbol="BTCUSDT", group_id=friends.pk)
    assert strategy_for(alice, "BTCUSDT") == "DIRECT"
    alice.groups.add(friends)
    assert strategy_for(alice, "BTCUSDT") == "SMART"
    rule(carol, "DIRECT", symbol="ETHUSDT", tier=2)
    assert strategy_for(alice, "ETHUSDT") == "SMART"


def test_a_rule_begins_and_ends_on_record_and_a_direct_one_crosses_nothing(alice: User, carol: User) -> None:
    begun = rule(carol, bridges=["USDT"])
    services.end_route_rule(rule_id=begun.pk, by=carol)
    services.end_route_rule(rule_id=begun.pk, by=carol)
    choice.forget()
    assert strategy_for(alice, "BTCUSDT") == "DIRECT"
    said = AuditRecord.objects.filter(subject_type="route rule").order_by("id")
    assert [row.action for row in said] == ["route_rule.begun", "route_rule.ended"]
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(carol, "DIRECT", allows_crossing=True)


def test_staff_begin_and_end_rules_in_the_admin(client: Client, carol: User, market: Market) -> None:
    client.force_login(carol)
    said = {"name": "all", "market": "", "group": "", "tier": "", "strategy": "SMART", "bridges": "USDT, BTC"}
    assert client.post("/admin/orders/routerule/add/", said).status_code == 302
    found = RouteRule.objects.get()
    assert (found.strategy, found.bridges, found.begun_by) == (Strategy.SMART, ["USDT", "BTC"], carol)
    chosen = {"action": "end", "_selected_action": [found.pk]}
    client.post("/admin/orders/routerule/", chosen)
    found.refresh_from_db()
    assert found.ended_at is not None


# ------------------------------------------------------------------ the venue's own routing
@pytest.fixture
def routed(alice: User, carol: User) -> User:
    """alice, where the venue routes bitcoin over two books, of which the other one is better."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=["SOR", "AMEND"])
    make_market("BTC", "USDC", abilities=["SOR"])
    publish_book()
    publish_book("BTCUSDC", bids=[("40004.00", "5")], asks=[("40006.00", "5")])
    rule(carol)
    return alice


def allotted(number: int, price: str, quantity: str) -> dict[str, Any]:
    return {**fill_body(-1, price, quantity), "allocId": number, "matchType": "ONE_PARTY_TRADE_REPORT"}


def test_an_order_goes_where_the_venue_routes_it_when_that_is_better(routed: User, venue: Venue) -> None:
    fills = [allotted(71, "40006.00", "1.00000000")]
    changes = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "40006.0", "fills": fills}
    venue.on("POST", SOR_PATH, lambda asked: (200, order_body(asked, usedSor=True, **changes)))
    order = services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    assert (order.status, order.route) == ("FILLED", "SOR")
    assert balance(routed, "USDT") == (Decimal(59994), 0)
    assert (venue.count("POST", SOR_PATH), venue.count("POST", "/api/v3/order")) == (1, 0)
    assert Fill.objects.get().allocation_id == 71
    services.realise_routes()
    made = RouteDecision.objects.get(order=order)
    # 4 dollars less for the same bitcoin, both after the fee: what the market itself would have cost is 40010.
    assert made.saved is not None and 0 < made.saved < Decimal("0.0002")
    assert made.books["BTCUSDC"]["u"] == 1


def test_the_market_itself_is_taken_when_another_book_brings_nothing_more(routed: User, venue: Venue) -> None:
    publish_book("BTCUSDC", bids=[("40000.00", "5")], asks=[("40010.00", "5")])
    venue.places(status="EXPIRED")
    order = services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    assert (order.route, venue.count("POST", SOR_PATH)) == ("DIRECT", 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [({"quote_quantity": Decimal(1000)}, "by_total"), ({"quantity": Decimal("0.01")}, "not_offered")],
)
def test_why_a_way_was_out_is_on_record(routed: User, venue: Venue, change: Any, why: str) -> None:
    if why == "not_offered":
        Market.objects.filter(symbol="BTCUSDT").update(abilities=[])
    venue.places(status="EXPIRED")
    order = services.place_order(user=routed, ticket=market_ticket(**change))
    ways = {way["kind"]: way for way in RouteDecision.objects.get(order=order).candidates}
    assert ways["SOR"]["out"] == why
    assert ways["DIRECT"]["hops"][0]["symbol"] == "BTCUSDT"


def row_of(number: int, price: str, quantity: str, quote: str, at_ms: int = 1_700_000_000_000) -> Body:
    """A row of myAllocations."""
    return {
        "symbol": "BTCUSDT", "allocationId": number, "allocationType": "SOR", "orderId": 4711, "orderListId": -1,
        "price": price, "qty": quantity, "quoteQty": quote, "commission": "0", "commissionAsset": "BTC",
        "time": at_ms, "isBuyer": True, "isMaker": False, "isAllocator": False,
    }  # fmt: skip


def test_an_allotment_that_no_answer_told_of_is_asked_for_and_booked_once(routed: User, venue: Venue) -> None:
    venue.on("POST", SOR_PATH, (504, "timeout"))
    order = services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    assert order.status == "PENDING"
    venue.knows(status="FILLED", executedQty="1.0", cummulativeQuoteQty="40006.5", side="BUY")
    trade = trade_body(4711, 9, "40010.00", "0.5", "20005.0")
    row = row_of(71, "40003.00", "0.5", "20001.5")
    venue.on("GET", "/api/v3/myTrades", (200, [trade]))
    venue.on("GET", "/api/v3/myAllocations", (200, [row]))
    for _time in range(2):
        services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    assert (order.status, Fill.objects.filter(order=order).count()) == ("FILLED", 2)
    assert balance(routed, "USDT") == (Decimal("59993.5"), 0)


def shows_three_at_once(venue: Venue, rows: list[Body]) -> None:
    """The oldest, or those from the number on; an order is asked for by its number, a time by both ends of it."""

    def page(wanted: Body) -> Any:
        first = int(wanted.get("fromAllocationId", 0))
        start, end = int(wanted.get("startTime", 0)), int(wanted.get("endTime", 2**62))
        found = [row for row in rows if row["allocationId"] >= first and start <= row["time"] <= end]
        return 200, found[:3] if wanted["symbol"] == "BTCUSDT" else []

    venue.on("GET", "/api/v3/myAllocations", page)


def test_the_allotments_of_an_order_of_very_many_are_read_to_the_last(
    routed: User, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.services.pages.PAGE", 3)
    venue.on("POST", SOR_PATH, (504, "timeout"))
    order = services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    venue.knows(status="EXPIRED", executedQty="0.7", cummulativeQuoteQty="28000.0", side="BUY")
    venue.on("GET", "/api/v3/myTrades", (200, []))
    shows_three_at_once(venue, [row_of(number, "40000.00", "0.1", "4000.0") for number in range(71, 78)])
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    assert (order.status, Fill.objects.filter(order=order).count()) == ("EXPIRED", 7)
    assert balance(routed, "USDT") == (Decimal(72000), 0)


def test_the_allotments_of_a_day_of_very_many_are_read_to_the_last_and_none_of_the_next(
    routed: User, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.services.pages.PAGE", 3)
    part = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "40006.0"}
    first = [allotted(71, "40006.00", "1.00000000")]
    venue.on("POST", SOR_PATH, lambda asked: (200, order_body(asked, **part, fills=first)))
    services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    yesterday = timezone.now() - timedelta(days=1)
    at_ms = int(yesterday.replace(hour=12).timestamp() * 1000)
    rows = [row_of(number, "40006.00", "0.1", "4000.6", at_ms) for number in range(72, 77)]
    rows.append(row_of(77, "40006.00", "0.1", "4000.6", at_ms + 86_400_000))
    venue.on("GET", "/api/v3/myTrades", (200, []))
    shows_three_at_once(venue, rows)
    services.compare_trades(day=yesterday.date())
    assert list(Fill.objects.order_by("id").values_list("allocation_id", flat=True)) == list(range(71, 77))


def test_an_order_that_the_venue_will_not_route_goes_to_its_own_market(routed: User, venue: Venue) -> None:
    venue.on("POST", SOR_PATH, error(-2010, "This action is disabled on this account."))
    fills = [fill_body(7, "40010.00", "1.00000000")]
    venue.places(status="FILLED", executedQty="1.0", cummulativeQuoteQty="40010.0", fills=fills)
    order = services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    assert (order.status, order.route) == ("FILLED", "DIRECT")
    assert (venue.count("POST", SOR_PATH), venue.count("POST", "/api/v3/order")) == (1, 1)
    assert balance(routed, "USDT") == (Decimal(59990), 0)
    services.realise_routes()
    assert [found.kind for found in routing.savings(RouteDecision.objects.get().at)] == ["DIRECT"]


def test_what_is_not_routed_needs_no_second_seat_and_has_its_own_place_among_the_orders(
    routed: User, venue: Venue, settings: Settings
) -> None:
    """Each thread with a seat may be one whose order was refused so: none of them waits for another's."""
    settings.GATE_MAX_RELAYS = 1
    calm()
    venue.on("POST", SOR_PATH, error(-2010, "This action is disabled on this account."))
    venue.places(status="EXPIRED")
    order = services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    assert (order.status, order.route) == ("EXPIRED", "DIRECT")
    assert orders_used(venue_account()) == 1, "as the venue counts: what it took, and not what it refused"


def test_what_is_not_routed_is_not_sent_when_the_account_may_place_no_more(
    routed: User, venue: Venue
) -> None:
    calm()
    refusal = error(-2010, "This action is disabled on this account.")
    venue.on("POST", SOR_PATH, (*refusal, {"X-MBX-ORDER-COUNT-10S": "1000000"}))
    venue.places()
    order = services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    assert (order.status, order.reason_code) == ("REJECTED", "busy")
    assert (venue.count("POST", "/api/v3/order"), balance(routed, "USDT")) == (0, (100000, 0))


def test_an_allotment_of_a_past_day_that_nobody_told_of_is_found_and_booked(
    routed: User, venue: Venue
) -> None:
    """The day's list of trades does not have it."""
    changes = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "40006.0"}
    first = [allotted(71, "40006.00", "1.00000000")]
    venue.on("POST", SOR_PATH, lambda asked: (200, order_body(asked, **changes, fills=first)))
    services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    yesterday = timezone.now() - timedelta(days=1)
    row = row_of(72, "40006.00", "0.1", "4000.6", int(yesterday.timestamp() * 1000))
    venue.on("GET", "/api/v3/myTrades", (200, []))
    venue.on(
        "GET", "/api/v3/myAllocations", lambda asked: (200, [row] if asked["symbol"] == "BTCUSDT" else [])
    )
    for _time in range(2):
        services.compare_trades(day=yesterday.date())
    assert list(Fill.objects.order_by("id").values_list("allocation_id", flat=True)) == [71, 72]


def test_a_limit_order_that_rests_is_not_routed_when_no_book_takes_it(routed: User, venue: Venue) -> None:
    venue.places()
    order = services.place_order(user=routed, ticket=ticket())
    assert (order.route, order.status) == ("DIRECT", "OPEN")


# ------------------------------------------------------------------ the report
def test_staff_see_by_kind_what_routes_saved(client: Client, routed: User, venue: Venue, carol: User) -> None:
    fills = [allotted(71, "40006.00", "1.00000000")]
    changes = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "40006.0", "fills": fills}
    venue.on("POST", SOR_PATH, lambda asked: (200, order_body(asked, **changes)))
    services.place_order(user=routed, ticket=market_ticket(quantity=ONE))
    services.realise_routes()
    (found,) = routing.savings(RouteDecision.objects.get().at)
    assert (found.kind, found.orders, found.ended, found.asset) == ("SOR", 1, 1, "BTC")
    assert found.saved_bps == found.estimated_bps == Decimal("1.000")
    client.force_login(carol)
    page = client.get("/admin/orders/routedecision/").content.decode()
    assert "routed by the venue" in page and "+1" in page
    assert client.get(f"/admin/orders/routedecision/{Order.objects.get().pk}/change/").status_code == 200
    assert 'causeway_route_saved_bps{asset="BTC",kind="SOR"} 1.0' in client.get("/metrics").content.decode()


def test_what_rested_before_it_traded_is_no_saving_and_no_loss_of_a_way(
    client: Client, routed: User, venue: Venue, carol: User
) -> None:
    """Half of it takes at 40010, and half rests at 40020 until somebody meets it."""
    publish_book(asks=[("40010.00", "0.5")])
    publish_book("BTCUSDC", bids=[("40004.00", "5")], asks=[("40030.00", "5")])
    part = {"status": "PARTIALLY_FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "20005.0"}
    venue.places(**part, fills=[fill_body(5, "40010.00", "0.50000000")])
    order = services.place_order(user=routed, ticket=ticket(price=Decimal(40020)))
    assert (order.route, order.status) == ("DIRECT", "PARTIALLY_FILLED")
    rested = {"l": "0.5", "z": "1", "L": "40020.00", "Y": "20010.0", "Z": "40015.0", "t": 6, "m": True}
    tell(event(order, "TRADE", "FILLED", **rested))
    services.realise_routes()
    (found,) = routing.savings(RouteDecision.objects.get().at)
    assert (found.kind, found.ended) == ("DIRECT", 1)
    assert (found.saved_bps, found.received) == (Decimal(0), Decimal("0.4995"))
    assert abs(found.saved) < Decimal("0.000000000001")
    client.force_login(carol)
    assert client.get("/admin/orders/routedecision/").status_code == 200


# ------------------------------------------------------------------ before an order is placed
def previewed(client: Client, **wanted: str) -> Any:
    body = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", **wanted}
    return client.post("/api/v1/orders/preview/", body, content_type="application/json").json()


def test_a_preview_tells_the_way_an_order_would_take_and_what_it_saves(routed: User, client: Client) -> None:
    client.force_login(routed)
    found = previewed(client, quantity="1")["route"]
    assert (found["kind"], found["over"], found["saving_asset"]) == ("SOR", "", "BTC")
    # 40006 instead of 40010, and our fee of a tenth of a percent on both: a ten-thousandth.
    assert Decimal(found["saving_bps"]) == ONE
    assert Decimal(found["saving"]) == round(Decimal("0.999") * 40006 * (ONE / 40006 - ONE / 40010), 8)
    assert found["text"] == "Routed by the venue, about 0.01% better"
    assert "data-estimate-route" in client.get("/trade/BTCUSDT/").content.decode()


def test_a_preview_of_an_order_for_its_own_market_says_so_and_where_nothing_is_compared_nothing(
    routed: User, client: Client
) -> None:
    client.force_login(routed)
    publish_book("BTCUSDC", bids=[("40004.00", "5")], asks=[("40016.00", "5")])
    found = previewed(client, quantity="1")["route"]
    assert (found["kind"], found["text"]) == ("DIRECT", "The market itself")
    RouteRule.objects.update(ended_at=timezone.now())
    choice.forget()
    assert previewed(client, quantity="1")["route"] is None
