"""However the venue behaves, the house ends covered but for dust, and its position is what the conversions explain."""

from datetime import timedelta
from typing import Any

import requests
from django.utils import timezone

from accounts.models import User
from exchange.conversions import queries, services
from exchange.conversions.models import Cover, CoverOrder
from exchange.gate import services as gate
from exchange.office.models import Notice
from ledger import queries as books
from ledger.models import Hold, LedgerException
from orders import services as orders
from orders.models import Order, VenueOrder
from tests.conversions.conftest import equip
from tests.conversions.desk import D, Desk, books_agree, convert, house_orders, is_covered, quote, refused
from tests.factories import balance, fund, make_user, publish_book
from tests.race import at_once
from tests.venue import Venue, error


def is_right(dust: str = "0.00001") -> bool:
    """Covered, explained, and nothing is held for the house any more."""
    assert books.first_broken_row() == ""
    nothing_held = not Hold.objects.filter(is_open=True).exists()
    return is_covered(dust=dust) and books_agree() and nothing_held


# ------------------------------------------------------------------ faults of the venue
def test_an_order_of_which_the_venue_is_silent_is_found_and_not_sent_again(alice: User, desk: Desk) -> None:
    desk.fills(answers=False)
    convert(alice)
    assert [order.status for order in house_orders()] == ["PENDING"]
    desk.fills()
    desk.sweep(3)
    assert [order.status for order in house_orders()] == ["FILLED"]
    assert is_right()


def test_one_that_never_arrived_is_given_up_and_another_is_sent(
    alice: User, desk: Desk, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", requests.exceptions.ReadTimeout())
    convert(alice)
    desk.sweep()
    assert [order.status for order in house_orders()] == ["PENDING"]
    desk.fills()
    desk.sweep()
    assert len(house_orders()) == 1  # as long as it may still arrive, nothing else is sent
    desk.hour_later()
    desk.sweep(3)
    assert [order.status for order in house_orders()] == ["REJECTED", "FILLED"]
    assert is_right()


def test_what_the_venue_refuses_is_tried_again_and_told(alice: User, desk: Desk) -> None:
    desk.refuses()
    convert(alice)
    desk.sweep(2)
    assert {order.status for order in house_orders()} == {"REJECTED"}
    cover = Cover.objects.get()
    assert cover.is_open and cover.trouble and queries.exposure("BTC") < 0
    make_user("carol", is_staff=True)
    Cover.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    desk.sweep(2)
    (told,) = Notice.objects.filter(kind="conversion.uncovered")
    assert "BUY 0.02494377 BTC in BTCUSDT is still to be traded" in told.body
    desk.fills()
    desk.sweep(2)
    assert is_right()


def test_while_the_venue_is_down_it_waits_longer_and_longer(alice: User, desk: Desk) -> None:
    desk.is_away()
    convert(alice)
    services.cover_positions()
    before = len(house_orders())
    services.cover_positions()  # not due yet
    assert len(house_orders()) == before
    desk.sweep(6)
    waits = Cover.objects.get().next_at - timezone.now()
    assert waits > timedelta(seconds=30)
    assert not Hold.objects.filter(is_open=True).exists()
    desk.fills()
    desk.sweep(2)
    assert is_right()


def test_while_prices_are_delayed_nothing_is_traded_blindly(alice: User, desk: Desk) -> None:
    found = quote(alice)
    publish_book("BTCUSDT", state="STALE")
    services.accept_quote(user=alice, quote_id=found.pk, channel="SITE")
    desk.sweep(2)
    assert house_orders() == []
    assert "prices_delayed" in Cover.objects.get().trouble
    publish_book("BTCUSDT")
    desk.sweep(2)
    assert is_right()


def test_part_by_part_until_it_is_done(alice: User, desk: Desk) -> None:
    desk.fills(share="0.4")
    convert(alice, from_amount=D(40_000))
    desk.sweep(2)
    assert len(house_orders()) >= 2
    assert Cover.objects.get().is_open and books_agree()
    desk.fills()
    desk.sweep(2)
    assert is_right()


def test_nothing_on_the_other_side_of_the_book_is_no_trade_and_no_loss(alice: User, desk: Desk) -> None:
    desk.fills(share="0")
    convert(alice)
    desk.sweep(2)
    assert {order.status for order in house_orders()} == {"EXPIRED"}
    assert books_agree()
    desk.fills()
    desk.sweep(2)
    assert is_right()


def test_what_staff_have_stopped_is_covered_when_they_let_it(alice: User, desk: Desk) -> None:
    carol = make_user("carol", is_staff=True, is_superuser=True)
    dave = make_user("dave", is_staff=True, is_superuser=True)
    desk.is_away()
    convert(alice)
    desk.sweep()
    sent = len(house_orders())
    desk.fills()
    switch = gate.flip_switch(scope="MARKET", market="BTCUSDT", by=carol, reason="odd")
    desk.sweep(2)
    assert (len(house_orders()), "trading_stopped" in Cover.objects.get().trouble) == (sent, True)
    gate.ask_release(switch.pk, by=carol, reason="fine")
    gate.confirm_release(switch.pk, by=dave, reason="seen")
    desk.sweep(2)
    assert is_right()


def test_a_trade_that_is_told_late_is_traded_back(alice: User, desk: Desk, venue: Venue) -> None:
    """The venue had it after all: given up as never arrived, and covered a second time meanwhile."""
    desk.fills(answers=False)
    convert(alice)
    hidden = dict(desk.known)
    desk.known.clear()
    desk.fills()
    desk.hour_later()
    desk.sweep(3)
    assert [order.status for order in house_orders()] == ["REJECTED", "FILLED"]
    desk.known.update(hidden)
    late = VenueOrder.objects.order_by("id").first()
    assert late is not None
    orders.reconcile(venue_order_id=late.pk)
    desk.sweep(3)
    assert [order.side for order in house_orders()] == ["BUY", "BUY", "SELL"]
    assert is_covered()
    assert queries.exposure("BTC") == queries.position()["BTC"]
    # What the hold did not cover any more is slippage, told to staff; the rest is explained by conversions and covers.
    assert LedgerException.objects.filter(source="uncovered fill").exists()
    assert books_agree() and books.first_broken_row() == ""


def test_a_crash_between_the_booking_and_the_cover_leaves_a_row_for_the_sweep(
    alice: User, desk: Desk
) -> None:
    found = quote(alice)
    from exchange.conversions.services.accepting import _accept

    _accept(alice, found.pk, "SITE")
    assert house_orders() == [] and queries.exposure("BTC") < 0
    desk.sweep(2)
    assert is_right()


def test_an_order_that_was_recorded_and_never_sent_is_given_up_in_time(
    alice: User, desk: Desk, venue: Venue
) -> None:
    """The process died after the commit."""
    venue.on("POST", "/api/v3/order", requests.exceptions.ReadTimeout())
    convert(alice)
    VenueOrder.objects.update(sent_at=None)
    desk.fills()
    assert [order.status for order in house_orders()] == ["PENDING"]
    desk.hour_later()
    desk.sweep(3)
    assert [order.status for order in house_orders()] == ["REJECTED", "FILLED"]
    assert is_right()


# ------------------------------------------------------------------ bridges, remainders, room
def test_both_legs_of_a_bridge_are_covered(alice: User, desk: Desk) -> None:
    fund(alice, "ETH", "10")
    done = convert(alice, from_asset="ETH", to_asset="BTC", from_amount=D("1.23456"))
    desk.sweep(2)
    assert {(order.market_id, order.side) for order in house_orders()} == {
        ("ETHUSDT", "SELL"),
        ("BTCUSDT", "BUY"),
    }
    assert is_right(dust="0.00002")
    assert set(queries.earned(done)) <= {"USDT", "BTC", "ETH"}


def test_one_leg_refused_leaves_the_house_with_the_bridge_and_the_customer_whole(
    alice: User, desk: Desk, venue: Venue
) -> None:
    fund(alice, "ETH", "10")
    fill = venue

    def only_eth(asked: dict[str, Any]) -> Any:
        if asked["symbol"] == "BTCUSDT":
            return error(-2010, "Order would trigger immediately.")
        return 200, desk._execute(asked, D(1), None)

    fill.on("POST", "/api/v3/order", only_eth)
    found = quote(alice, from_asset="ETH", to_asset="BTC", from_amount=D(1))
    services.accept_quote(user=alice, quote_id=found.pk, channel="SITE")
    desk.sweep(2)
    assert (balance(alice, "ETH")[0], balance(alice, "BTC")[0]) == (9, 2 + found.to_amount)
    assert balance(alice, "USDT") == (100_000, 0)
    assert Cover.objects.filter(is_open=True).count() == 1 and books_agree()
    desk.fills()
    desk.sweep(2)
    assert is_right(dust="0.00002")


def test_remainders_are_carried_until_they_can_be_traded(alice: User, desk: Desk, settings: Any) -> None:
    for _time in range(3):
        convert(alice, from_asset="BTC", to_asset="USDT", from_amount=D("0.00100999"))
        desk.sweep(2)
    left = [cover.left for cover in Cover.objects.all()]
    assert left == [D("0.00000999")] * 3
    assert queries.exposure("BTC") == D("0.00002997") == queries.position()["BTC"]
    # Together they are worth 0.80, which no market takes; with a lower bound they are one order.
    from markets.models import Market

    row = Market.objects.get(symbol="BTCUSDT")
    row.filters = [
        {**item, **({"minNotional": "0.5"} if "minNotional" in item else {})} for item in row.filters
    ]
    row.save()
    desk.sweep(3)
    carried = Cover.objects.get(conversion=None)
    assert (carried.quantity, carried.done, carried.is_open) == (D("0.00002997"), D("0.00002"), False)
    assert queries.exposure("BTC") == D("0.00000997")
    assert is_right()


def test_remainders_that_cancel_each_other_out_are_nothing(alice: User, desk: Desk) -> None:
    convert(alice, from_asset="BTC", to_asset="USDT", from_amount=D("0.00100999"))
    desk.sweep(2)
    found = Cover.objects.get()
    Cover.objects.create(
        market_id="BTCUSDT", side="BUY", quantity=found.left, is_open=False, next_at=timezone.now()
    )
    desk.sweep(2)
    assert [cover.left for cover in Cover.objects.all()] == [0, 0]
    assert len(house_orders()) == 1


def test_what_makes_the_house_less_uncovered_is_always_taken(alice: User, desk: Desk, settings: Any) -> None:
    desk.is_away()
    convert(alice, from_amount=D(20_000))
    settings.CONVERT_UNCOVERED_LIMIT = D(100)
    assert refused(lambda: quote(alice, from_amount=D(200))) == "house_is_full"
    assert quote(alice, from_asset="BTC", to_asset="USDT", from_amount=D("0.4"))


def test_a_large_cover_is_cut_into_orders_that_the_venue_takes(alice: User, desk: Desk) -> None:
    from markets.models import Market

    row = Market.objects.get(symbol="BTCUSDT")
    row.filters = [
        {**item, **({"maxQty": "0.3"} if item["filterType"] == "LOT_SIZE" else {})} for item in row.filters
    ]
    row.save()
    convert(alice, from_amount=D(40_000))
    desk.sweep(6)
    assert [order.quantity for order in house_orders()][:3] == [D("0.3")] * 3
    assert is_right()


# ------------------------------------------------------------------ at once
def test_many_sweeps_at_once_send_one_order(committed_db: str, venue: Venue) -> None:
    alice = equip()
    desk = Desk(venue)
    found = quote(alice)
    from exchange.conversions.services.accepting import _accept

    _accept(alice, found.pk, "SITE")
    at_once(6, lambda _number: services.cover_positions())
    at_once(6, lambda _number: services.cover_positions())
    assert (Order.objects.count(), CoverOrder.objects.count()) == (1, 1)
    desk.sweep()
    assert is_right()


def test_many_conversions_both_ways_end_flat(committed_db: str, venue: Venue) -> None:
    alice = equip()
    desk = Desk(venue)

    def trade(number: int) -> None:
        if number % 2:
            convert(alice, from_asset="BTC", to_asset="USDT", from_amount=D("0.0212345") + D(number) / 10**6)
        else:
            convert(alice, from_amount=D("812.3456") + number)
        services.cover_positions()

    for _time in range(2):
        at_once(4, trade)
    desk.sweep(3)
    assert is_right(dust="0.0002")
    assert queries.position()["BTC"] == queries.exposure("BTC")
