"""Two customers in one account at the venue never trade with each other, also where the market's usual mode lets them:
of such a trade the venue has one number, and two orders would need it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client, override_settings

from accounts.models import User
from markets.models import Market
from markets.rules import prevention_to_name
from orders import services
from orders.models import Fill, Order
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import TRADE, Caller, serving
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.orders.lists import place_oco
from tests.orders.stage import quiet_venue
from tests.orders.test_placing import ticket
from tests.orders.test_replacing import answers, change
from tests.venue import Body, Venue

D = Decimal
MODES = ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"]


def modes_sent(venue: Venue) -> list[Any]:
    return [asked.get("selfTradePreventionMode") for method, _path, asked in venue.asked if method == "POST"]


def lets_orders_meet(**fields: Any) -> None:
    Market.objects.update(default_stp_mode="NONE", stp_modes=MODES, **fields)


@pytest.mark.parametrize(
    ("usual", "allowed", "named"),
    [
        ("EXPIRE_MAKER", MODES, ""),
        ("EXPIRE_TAKER", MODES, ""),
        ("DECREMENT", MODES, ""),
        ("", [], ""),
        ("NONE", MODES, "EXPIRE_MAKER"),
        ("NONE", ["NONE", "EXPIRE_BOTH"], "EXPIRE_BOTH"),
        ("TRANSFER", [*MODES, "TRANSFER"], "EXPIRE_MAKER"),
        ("SOMETHING_NEW", MODES, "EXPIRE_MAKER"),
        # What the venue then refuses is no trade that cannot be booked.
        ("NONE", ["NONE"], "EXPIRE_MAKER"),
    ],
)
def test_a_mode_is_named_where_the_usual_one_keeps_nothing_apart(
    usual: str, allowed: list[str], named: str
) -> None:
    assert prevention_to_name(usual, allowed) == named


def test_where_the_usual_mode_keeps_orders_apart_none_is_sent(alice: User, venue: Venue) -> None:
    Market.objects.update(default_stp_mode="EXPIRE_TAKER", stp_modes=MODES)
    venue.places()
    services.place_order(user=alice, ticket=ticket())
    assert modes_sent(venue) == [None]


def test_an_order_a_pair_and_a_change_name_the_mode(alice: User, venue: Venue) -> None:
    lets_orders_meet(abilities=["OCO", "CANCEL_REPLACE"])
    publish_book()
    venue.places()
    venue.places_pairs()
    order = services.place_order(user=alice, ticket=ticket())
    place_oco(alice, nonce="pair")
    answers(venue, order)
    change(order, price=D(38000))
    assert modes_sent(venue) == ["EXPIRE_MAKER"] * 3


@pytest.mark.parametrize(
    ("mode", "usual", "sent"),
    [
        ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_TAKER"),
        ("EXPIRE_BOTH", "EXPIRE_BOTH", None),
        ("", "NONE", "EXPIRE_MAKER"),
    ],
)
def test_staff_choose_which_of_two_orders_ends(
    client: Client, alice: User, venue: Venue, mode: str, usual: str, sent: str | None
) -> None:
    client.force_login(make_user("carol", is_staff=True, is_superuser=True))
    Market.objects.update(default_stp_mode=usual, stp_modes=MODES)
    page = "/admin/markets/market/BTCUSDT/change/"
    assert client.post(page, {"rank": 1, "is_listed": "on", "own_stp_mode": mode}).status_code == 302
    venue.places()
    services.place_order(user=alice, ticket=ticket())
    assert modes_sent(venue) == [sent]


def test_staff_choose_none_that_the_market_does_not_allow(client: Client, market: Market) -> None:
    client.force_login(make_user("carol", is_staff=True, is_superuser=True))
    Market.objects.update(default_stp_mode="EXPIRE_MAKER", stp_modes=["EXPIRE_MAKER"])
    page = "/admin/markets/market/BTCUSDT/change/"
    for mode in ("EXPIRE_TAKER", "DECREMENT", "NONE"):
        answer = client.post(page, {"rank": 1, "is_listed": "on", "own_stp_mode": mode})
        assert answer.status_code == 200 and "error" in answer.content.decode(), mode
        assert Market.objects.get().own_stp_mode == ""


def test_what_the_market_does_not_allow_any_more_is_not_named(alice: User, venue: Venue) -> None:
    Market.objects.update(
        default_stp_mode="EXPIRE_MAKER", stp_modes=["EXPIRE_MAKER"], own_stp_mode="EXPIRE_TAKER"
    )
    venue.places()
    services.place_order(user=alice, ticket=ticket())
    assert modes_sent(venue) == [None]


# ------------------------------------------------------------------ at the venue
@pytest.fixture
def paper(db: None) -> Iterator[Caller]:
    """A venue where nobody else trades, and orders of one account trade with each other unless they say otherwise."""
    world = quiet_venue()
    info: Body = world.live["BTCUSDT"].info
    info["defaultSelfTradePreventionMode"] = "NONE"
    with serving(world) as url:
        keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
        with override_settings(BINANCE_REST_URL=url, BINANCE_SAPI_URL=url, **keys):
            forget_the_venue()
            yield Caller(url)
    forget_the_venue()


def test_of_two_customers_who_meet_there_the_one_that_rested_ends_and_is_told(paper: Caller) -> None:
    make_market()
    lets_orders_meet()
    venue_account()
    publish_book(bids=[("83750.00", "5")], asks=[("83760.00", "5")])
    alice, bob = make_user(), make_user("bob")
    fund(alice, "BTC", "1")
    fund(bob, "USDT", "10000")
    wanted = {"price": D("83755"), "quantity": D("0.1")}
    resting = services.place_order(user=alice, ticket=ticket(side="SELL", **wanted))
    assert resting.status == "OPEN"
    taking = services.place_order(user=bob, ticket=ticket(**wanted))
    services.reconcile(venue_order_id=resting.venue_orders.get().pk)
    resting.refresh_from_db()
    assert (resting.status, resting.reason_code, taking.status) == ("EXPIRED", "EXPIRED_IN_MATCH", "OPEN")
    assert (Fill.objects.count(), balance(alice, "BTC")) == (0, (1, 0))
    assert Order.objects.filter(finished_at__isnull=True).get() == taking
