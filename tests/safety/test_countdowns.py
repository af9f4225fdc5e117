"""The dead-man's switch: it cancels when nothing was heard, once, and whatever happens to us or to the venue."""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.models import User
from exchange.office.models import AuditRecord, Notice
from exchange.safety import queries, services
from exchange.safety.errors import OutOfBounds
from exchange.safety.models import Countdown
from orders import services as orders
from orders.models import Order
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.orders.test_placing import no_hold_is_left, place
from tests.race import at_once
from tests.safety.conftest import CANCEL, canceled
from tests.venue import Venue

PATH = "/api/v1/orders/countdown/"


def arm(user: User, seconds: int = 10, **more: Any) -> Countdown:
    return services.arm_countdown(user=user, seconds=seconds, channel=more.pop("channel", "API"), **more)


def let_it_run_out(**found: Any) -> None:
    queries.armed_countdowns().filter(**found).update(deadline_at=Now() - timedelta(milliseconds=1))


def status_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


# ------------------------------------------------------------------ firing
def test_it_cancels_everything_of_who_is_gone_once_and_tells_them(order: Order, alice: User) -> None:
    arm(alice)
    let_it_run_out()
    assert services.fire_countdowns() == 1
    assert (status_of(order), no_hold_is_left()) == ("CANCELED", True)
    assert services.fire_countdowns() == 0
    told = Notice.objects.filter(user=alice, kind="countdown.fired")
    assert {one.channel for one in told} == {"SITE", "MAIL"}
    assert "Nothing was heard for 10 seconds" in told[0].body
    record = AuditRecord.objects.get(action="countdown.fired")
    assert (record.subject_id, record.after["orders"]) == (str(alice.pk), 1)


def test_before_its_time_nothing_happens(order: Order, alice: User) -> None:
    arm(alice)
    assert services.fire_countdowns() == 0
    assert status_of(order) == "OPEN"


def test_a_renewal_moves_the_deadline(order: Order, alice: User) -> None:
    arm(alice)
    let_it_run_out()
    arm(alice)
    assert services.fire_countdowns() == 0
    assert status_of(order) == "OPEN"
    assert Countdown.objects.count() == 1


def test_who_switched_it_off_keeps_the_orders(order: Order, alice: User) -> None:
    arm(alice)
    assert services.disarm_countdown(user=alice, channel="API") is True
    assert services.disarm_countdown(user=alice, channel="API") is False
    assert services.fire_countdowns() == 0
    assert status_of(order) == "OPEN"


def test_one_of_a_market_leaves_the_orders_of_others(alice: User, venue: Venue) -> None:
    make_market("ETH")
    publish_book("ETHUSDT", bids=[("39000.00", "5")], asks=[("39010.00", "5")])
    venue.places()
    there = place(alice, symbol="ETHUSDT", price=Decimal(39000))
    venue.places(orderId=4712)
    here = place(alice, nonce="n2")
    venue.on(*CANCEL, lambda asked: (200, {**canceled(asked)[1], "orderId": 4712}))
    arm(alice, symbol="BTCUSDT")
    let_it_run_out()
    services.fire_countdowns()
    assert (status_of(here), status_of(there)) == ("CANCELED", "OPEN")


def test_nobody_elses_orders_are_touched(order: Order) -> None:
    bob = make_user("bob")
    arm(bob)
    let_it_run_out()
    assert services.fire_countdowns() == 1
    assert status_of(order) == "OPEN"
    # Without orders there is nothing to mail about.
    assert [one.channel for one in Notice.objects.filter(user=bob)] == ["SITE"]


def test_while_the_venue_is_away_it_is_asked_until_it_is_certain(
    order: Order, alice: User, venue: Venue, settings: Any
) -> None:
    settings.SWEEP_SECONDS = 0
    venue.on(*CANCEL, requests.ConnectionError("away"))
    venue.on("GET", "/api/v3/order", requests.ConnectionError("away"))
    arm(alice)
    let_it_run_out()
    assert services.fire_countdowns() == 1
    orders.resolve_pending()
    assert status_of(order) == "OPEN"
    assert Order.objects.get().cancel_requested_at is not None
    venue.on(*CANCEL, canceled)
    venue.knows(status="NEW")
    orders.resolve_pending()
    assert (status_of(order), balance(alice, "USDT")) == ("CANCELED", (100_000, 0))


def test_one_that_cannot_fire_does_not_keep_the_next_from_it(order: Order, alice: User) -> None:
    arm(make_user("bob"))
    arm(alice)
    let_it_run_out()
    Countdown.objects.filter(user__email="bob@example.com").update(firings=2**31 - 1)
    assert services.fire_countdowns() == 1
    assert status_of(order) == "CANCELED"


# ------------------------------------------------------------------ races
@pytest.fixture
def dan(committed_db: str, venue: Venue) -> User:
    make_market()
    venue_account()
    publish_book()
    user = make_user("dan")
    fund(user, "USDT", "100000")
    venue.places()
    venue.on(*CANCEL, canceled)
    return user


def test_of_many_sweeps_at_once_one_fires(dan: User) -> None:
    place(dan)
    arm(dan)
    let_it_run_out()
    assert sorted(at_once(6, lambda _number: services.fire_countdowns())) == [0, 0, 0, 0, 0, 1]
    assert Countdown.objects.get().firings == 1


def test_who_renews_while_it_fires_waits_and_is_armed_anew(dan: User) -> None:
    place(dan)
    arm(dan)
    let_it_run_out()

    def act(number: int) -> object:
        if number == 0:
            with transaction.atomic():
                Countdown.objects.select_for_update().get()
                time.sleep(0.3)
                # What was held up decides by the row as it finds it.
                Countdown.objects.update(deadline_at=Now() + timedelta(seconds=60))
            return None
        time.sleep(0.1)
        return services.fire_countdowns()

    assert at_once(2, act) == [None, 0]
    assert Order.objects.get().status == "OPEN"


def test_it_fires_after_a_restart(dan: User) -> None:
    """Nothing of it is in a process: the row alone says when."""
    place(dan)
    arm(dan, seconds=5)
    Countdown.objects.update(deadline_at=Now() - timedelta(hours=3))
    assert services.fire_countdowns() == 1
    assert Order.objects.get().status == "CANCELED"


# ------------------------------------------------------------------ by API
@pytest.fixture
def program(alice: User) -> APIClient:
    _token, secret = accounts.issue_token(alice, name="bot", can_trade=True)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_program_arms_renews_and_reads_it(order: Order, program: APIClient) -> None:
    answer = program.put(PATH, {"seconds": 30, "symbol": "BTCUSDT"}, format="json")
    assert answer.status_code == 200, answer.json()
    told = answer.json()
    assert (told["symbol"], told["seconds"], told["is_armed"], told["channel"]) == (
        "BTCUSDT",
        30,
        True,
        "API",
    )
    left = datetime.fromisoformat(told["deadline_at"]) - datetime.fromisoformat(told["now"])
    assert timedelta(seconds=28) < left <= timedelta(seconds=30)
    program.put(PATH, {"seconds": 60}, format="json")
    assert [(one["symbol"], one["seconds"]) for one in program.get(PATH).json()] == [
        ("BTCUSDT", 30),
        (None, 60),
    ]
    assert program.delete(f"{PATH}?symbol=BTCUSDT").json() == {"disarmed": True}
    assert [one["symbol"] for one in program.get(PATH).json()] == [None]
    let_it_run_out()
    services.fire_countdowns()
    (last,) = program.get(PATH).json()
    assert (last["is_armed"], last["fired_orders"]) == (False, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "seconds"),
        ({"seconds": 4}, "seconds"),
        ({"seconds": 86401}, "seconds"),
        ({"seconds": -5}, "seconds"),
        ({"seconds": "1e3"}, "seconds"),
        ({"seconds": 30.5}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": 10**17}, "seconds"),
        ({"seconds": 30, "symbol": "NOPE"}, "symbol"),
        ({"seconds": 30, "symbol": "BTC\0USDT"}, "symbol"),
        ({"seconds": 30, "symbols": "BTCUSDT"}, "symbols"),
    ],
)
def test_a_bad_wish_is_refused_with_its_field(
    order: Order, program: APIClient, body: dict[str, Any], field: str
) -> None:
    answer = program.put(PATH, body, format="json")
    assert (answer.status_code, answer.json()["field"]) in [(400, field), (404, field)]
    assert not Countdown.objects.exists()


def test_bounds_are_refused_in_words(alice: User) -> None:
    with pytest.raises(OutOfBounds, match="5 to 86400"):
        arm(alice, seconds=3)


def test_a_token_that_only_reads_arms_nothing(alice: User) -> None:
    _token, secret = accounts.issue_token(alice, name="reader")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.put(PATH, {"seconds": 30}, format="json").status_code == 403


# ------------------------------------------------------------------ on the page
def test_the_page_arms_shows_and_switches_off(order: Order, alice: User, client: Client) -> None:
    client.force_login(alice)
    assert "data-countdown " not in client.get("/orders/").content.decode()
    client.post("/orders/countdown/arm/", {"seconds": "300", "market": ""})
    page = client.get("/orders/").content.decode()
    assert 'data-channel="SITE"' in page and 'data-seconds="300"' in page
    assert "All your open orders are canceled" in page
    client.post("/orders/countdown/disarm/", {"market": "", "channel": "SITE"})
    assert 'data-channel="SITE"' not in client.get("/orders/").content.decode()
    for bad in ({"seconds": "7"}, {"seconds": "300", "market": "NOPE"}):
        assert client.post("/orders/countdown/arm/", bad).status_code == 302
    assert not Countdown.objects.filter(deadline_at__isnull=False).exists()


def test_a_page_does_not_keep_a_programs_switch_alive(
    order: Order, alice: User, program: APIClient, client: Client
) -> None:
    program.put(PATH, {"seconds": 30}, format="json")
    client.force_login(alice)
    client.put(PATH, {"seconds": 300}, content_type="application/json")
    assert Countdown.objects.filter(deadline_at__isnull=False).count() == 2
    let_it_run_out(channel="API")
    assert services.fire_countdowns() == 1
    assert status_of(order) == "CANCELED"
    page = client.get("/orders/").content.decode()
    assert "1 order was told to end." in page
