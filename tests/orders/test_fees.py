"""The fee schedule: the best line that a customer has reached when an order is placed counts for all its fills."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from exchange.office.models import AuditRecord
from markets.models import Market
from orders import queries, services
from orders.models import FeeRule, Fill, Order, TradedVolume
from orders.rules import Rate, best_rate
from tests.factories import balance, make_market, make_user, publish_ticker
from tests.orders.test_placing import place, ticket
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, fill_body

LARGE = Decimal(100_000)


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol", is_staff=True, is_superuser=True)


def line(by: User, *, maker: int = 2, taker: int = 5, symbol: str | None = None, **more: Any) -> FeeRule:
    asked = {"name": f"{maker} and {taker}", "tier": 0, "min_volume": Decimal(0), **more}
    return services.begin_fee_rule(symbol=symbol, maker_bps=maker, taker_bps=taker, by=by, **asked)


def has_traded(user: User, volume: Decimal) -> None:
    TradedVolume.objects.update_or_create(
        user=user, defaults={"volume": volume, "counted_at": timezone.now()}
    )


def rate(user: User | None, market: Market) -> tuple[int, int]:
    found = queries.rate_of(user, market)
    return found.maker_bps, found.taker_bps


# ------------------------------------------------------------------ which line counts
def test_the_best_is_that_of_the_taker_and_then_of_the_maker() -> None:
    usual, lines = Rate(10, 10), [Rate(3, 8, 1), Rate(2, 8, 2), Rate(1, 9, 3)]
    assert best_rate(usual, lines).rule_id == 2
    assert best_rate(usual, [Rate(10, 10, 4), Rate(1, 11, 5)]) == usual


def test_a_line_counts_for_who_has_the_tier_and_the_volume(alice: User, market: Market, carol: User) -> None:
    line(carol, maker=4, taker=8, tier=1)
    line(carol, maker=2, taker=6, min_volume=LARGE)
    assert (rate(None, market), rate(alice, market)) == ((10, 10), (4, 8))
    has_traded(alice, LARGE - 1)
    assert rate(alice, market) == (4, 8)
    has_traded(alice, LARGE)
    assert rate(alice, market) == (2, 6)


def test_a_line_that_is_worse_than_the_usual_fee_raises_nobodys(
    alice: User, market: Market, carol: User
) -> None:
    line(carol, maker=20, taker=20)
    assert rate(alice, market) == (10, 10)


@pytest.mark.parametrize(("own_fee", "own_line", "expected"), [(30, None, 30), (None, 9, 9), (30, 9, 9)])
def test_a_market_with_a_fee_or_lines_of_its_own_is_governed_by_these_alone(
    alice: User, market: Market, carol: User, own_fee: int | None, own_line: int | None, expected: int
) -> None:
    line(carol, maker=1, taker=1)
    market.own_fee_bps = own_fee
    if own_line is not None:
        line(carol, maker=own_line, taker=own_line, symbol="BTCUSDT")
    assert rate(alice, market) == (expected, expected)


def test_a_line_of_one_market_counts_for_no_other(alice: User, market: Market, carol: User) -> None:
    line(carol, symbol="BTCUSDT")
    assert rate(alice, make_market("ETH")) == (10, 10)


def test_a_line_that_was_ended_counts_for_no_later_order(alice: User, carol: User, venue: Venue) -> None:
    venue.places()
    rule = line(carol)
    before = place(alice, nonce="before")
    services.end_fee_rule(rule_id=rule.pk, by=carol)
    after = place(alice, quantity=Decimal("0.1"), nonce="after")
    assert [(one.maker_fee_bps, one.fee_bps, one.fee_rule) for one in (before, after)] == [
        (2, 5, rule),
        (10, 10, None),
    ]


# ------------------------------------------------------------------ what is charged
def test_a_maker_pays_the_makers_fee_and_a_taker_the_takers(alice: User, carol: User, venue: Venue) -> None:
    """Half of it met an order at once, the rest waited and was met."""
    line(carol, maker=2, taker=5)
    fills = [fill_body(7, "39000.00", "0.50000000")]
    venue.places(
        status="PARTIALLY_FILLED", executedQty="0.5", cummulativeQuoteQty="19500.00000000", fills=fills
    )
    order = services.place_order(user=alice, ticket=ticket())
    report = event(order, "TRADE", "FILLED", l="0.5", z="1", L="39000.00", t=8, Y="19500", Z="39000", m=True)
    tell(report)
    paid = dict(Fill.objects.values_list("trade_id", "fee"))
    assert paid == {7: Decimal("0.00025"), 8: Decimal("0.0001")}
    assert [fill.fee_bps for fill in Fill.objects.order_by("trade_id")] == [5, 2]
    assert balance(alice, "BTC")[0] == Decimal("2.99965")


def test_a_fee_that_changes_later_changes_no_fill_of_an_order_that_is_there(
    alice: User, carol: User, venue: Venue
) -> None:
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    line(carol, maker=0, taker=0)
    tell(traded(order, 7, "1", "1", "FILLED"))
    assert Fill.objects.get().fee == Decimal("0.001")


def test_a_preview_counts_the_customers_own_rate(alice: User, carol: User) -> None:
    line(carol, maker=2, taker=5, min_volume=LARGE)
    assert services.preview(ticket(), user=alice).fee == Decimal("0.001")
    has_traded(alice, LARGE)
    assert services.preview(ticket(), user=alice).fee == Decimal("0.0005")


# ------------------------------------------------------------------ volume
@pytest.fixture
def trades(alice: User, venue: Venue) -> Order:
    """1 BTC at 39,000 USDT, just now."""
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    tell(traded(order, 7, "1", "1", "FILLED"))
    Fill.objects.update(at=timezone.now())
    return order


def test_what_was_traded_within_thirty_days_is_counted(alice: User, trades: Order) -> None:
    publish_ticker("BTCUSDT", "40000")
    assert services.count_volumes() == 1
    assert TradedVolume.objects.get().volume == 39000
    Fill.objects.update(at=timezone.now() - timedelta(days=31))
    services.count_volumes()
    assert queries.volume_of(alice) is None


def test_while_no_price_is_known_the_last_count_stays(alice: User, trades: Order) -> None:
    has_traded(alice, Decimal(1))
    publish_ticker("BTCUSDT", "40000", age_s=61)
    assert services.count_volumes() == 0
    assert TradedVolume.objects.get().volume == 1


# ------------------------------------------------------------------ staff, page and API
def test_staff_begin_and_end_lines_on_record_and_never_change_one(client: Client, carol: User) -> None:
    make_market()
    client.force_login(carol)
    asked = {"name": "Friends", "market": "", "tier": 1, "min_volume": "1000", "maker_bps": 1, "taker_bps": 2}
    client.post("/admin/orders/feerule/add/", asked)
    rule = FeeRule.objects.get()
    client.post(f"/admin/orders/feerule/{rule.pk}/change/", {**asked, "taker_bps": 9})
    client.post("/admin/orders/feerule/", {"action": "end", "_selected_action": [rule.pk]})
    rule.refresh_from_db()
    assert (rule.name, rule.taker_bps, rule.ended_at is None) == ("Friends", 2, False)
    assert set(AuditRecord.objects.filter(subject_type="fee rule").values_list("action", flat=True)) == {
        "fee_rule.begun",
        "fee_rule.ended",
    }


@pytest.mark.parametrize("asked", [{"taker": 1001}, {"maker": 1001}, {"min_volume": Decimal(-1)}])
def test_a_line_out_of_bounds_is_none(carol: User, asked: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        line(carol, **asked)


def test_the_page_says_which_lines_are_reached_and_what_is_missing_to_the_others(
    client: Client, alice: User, market: Market, carol: User
) -> None:
    line(carol, maker=4, taker=8, tier=1, name="Verified")
    line(carol, maker=2, taker=6, min_volume=LARGE, name="Busy")
    line(carol, maker=1, taker=3, symbol="BTCUSDT", name="Bitcoin for all")
    has_traded(alice, Decimal(40_000))
    visitor = client.get("/fees/").text
    assert all(word in visitor for word in ("Verified", "Busy", "Bitcoin for all", "0.08%", "from"))
    client.force_login(alice)
    shown = client.get("/fees/").text
    assert "reached" in shown and "60,000" in shown and "40,000" in shown


def test_an_order_and_its_fills_explain_their_fee(
    client: Client, alice: User, carol: User, venue: Venue
) -> None:
    line(carol, maker=2, taker=5, name="Busy")
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    tell(traded(order, 7, "1", "1", "FILLED"))
    client.force_login(alice)
    shown = client.get(f"/orders/{order.pk}/").text
    assert "maker 0.02%, taker 0.05%" in shown and "Busy" in shown
    assert "0.05%, taker" in shown
    assert '"makerFeeBps": 2' in client.get("/trade/BTCUSDT/").text
    (fill,) = client.get("/api/v1/fills/").json()["results"]
    assert (fill["fee"], fill["fee_bps"], fill["is_maker"]) == ("0.0005", 5, False)


def test_the_api_tells_the_schedule_and_the_own_volume(client: Client, alice: User, carol: User) -> None:
    line(carol, maker=2, taker=6, min_volume=LARGE, name="Busy")
    has_traded(alice, Decimal(7))
    client.force_login(alice)
    told = client.get("/api/v1/fees/").json()
    assert (told["usual_bps"], told["volume"]) == (10, "7")
    assert told["lines"] == [
        {"name": "Busy", "symbol": None, "tier": 0, "min_volume": "100000", "maker_bps": 2, "taker_bps": 6}
    ]
    assert Client().get("/api/v1/fees/").status_code == 401
