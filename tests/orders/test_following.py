"""The account is heard by either door; what is lost on the way is noticed, told to staff, and made up for."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client, override_settings

from exchange.gate.models import VenueAccount
from exchange.gate.tasks import renew_listen_keys
from exchange.office.models import Notice
from orders import services
from orders.management import follower
from orders.models import Fill, Order
from tests.exchange.paper.people import wait_for
from tests.factories import balance, make_user
from tests.orders.streaming import Scene, scene

HALF_AN_HOUR = 1800


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "ALIVE_EVERY_SECONDS", 0.2)


@pytest.fixture(params=["ws_api", "listen_key"])
def either(request: pytest.FixtureRequest, committed_db: str) -> Iterator[Scene]:
    with scene(request.param, STREAM_MISSING_SECONDS=1) as found:
        yield found


@pytest.fixture
def keyed(committed_db: str) -> Iterator[Scene]:
    with scene("listen_key") as found:
        yield found


def followed(found: Scene) -> None:
    wait_for(lambda: found.is_followed, 20)


def told_to(name: str) -> list[str]:
    messages = Notice.objects.filter(user__email=f"{name}@example.com", kind="gate.stream")
    return list(messages.order_by("id").values_list("body", flat=True))


def test_an_order_that_rests_is_heard_of_and_waits_for_nobody(keyed: Scene) -> None:
    """The answer says the same: the event is on record with the moment at which it came."""
    with keyed.following():
        followed(keyed)
        order = keyed.place()
        assert order.status == "OPEN"
        told = order.events.filter(source="stream", status="OPEN")
        wait_for(told.exists)
    event, answer = told.get(), order.events.get(source="answer")
    assert event.effect == ""
    assert abs(event.at - answer.at) < timedelta(seconds=1)


def test_an_order_whose_answer_was_lost_rests_by_the_streams_word(keyed: Scene) -> None:
    with keyed.following():
        followed(keyed)
        keyed.fault(on="place", do="504 after")
        order = keyed.place()
        assert order.status == "PENDING"
        wait_for(lambda: Order.objects.get(pk=order.pk).status == "OPEN")


def test_a_fill_is_heard_and_booked_by_either_door(either: Scene) -> None:
    with either.following():
        followed(either)
        bought, sold = either.place(), either.place("SELL", "41000", "0.2")
        either.fill(bought, "0.04")
        either.fill(bought, "0.06")
        either.fill(sold)
        wait_for(lambda: either.is_filled(bought) and either.is_filled(sold))
    assert either.agrees()
    assert balance(either.alice, "USDT")[1] == 0


def test_what_was_filled_while_nobody_listened_is_booked_by_either_door(either: Scene) -> None:
    order = either.place()
    either.fill(order, "0.03")
    assert not Fill.objects.exists()
    with either.following():
        wait_for(lambda: Fill.objects.count() == 1, 20)
        followed(either)
        either.fault(do="disconnect")
        either.fill(order, "0.07")
        wait_for(lambda: either.is_filled(order), 20)
    assert either.agrees()


def test_a_shutdown_that_is_announced_loses_nothing(either: Scene) -> None:
    with either.following():
        followed(either)
        since, order = either.now().stream_changed_at, either.place()
        either.fault(do="shutdown")
        either.fill(order)
        wait_for(lambda: either.now().stream_changed_at != since, 20)
        later = either.place(price="38000")
        either.fill(later)
        wait_for(lambda: either.is_filled(order) and either.is_filled(later))
    assert either.agrees()
    assert either.now().stream_reason == ""


def test_a_successor_hears_what_no_question_would_have_found(either: Scene) -> None:
    """The venue announces its end and answers no question; everything is heard all the same."""
    with either.following():
        followed(either)
        since, orders = either.now().stream_changed_at, [either.place() for _order in range(4)]
        for door in ("query", "open orders", "trades"):
            either.fault(on=door, do="503 before", count=100)
        either.fault(do="shutdown")
        while either.now().stream_changed_at == since:
            if orders:
                either.fill(orders.pop())
        for order in orders:
            either.fill(order)
        wait_for(lambda: not Order.objects.exclude(status="FILLED").exists(), 20)
    assert Fill.objects.count() == 4
    assert either.now().stream_reason == ""


def test_a_stream_that_says_nothing_of_orders_that_moved_is_given_up_and_told_to_staff(
    either: Scene,
) -> None:
    make_user("carol", is_staff=True)
    with either.following():
        followed(either)
        either.fault(do="events", how="drop", count=2, x="TRADE")
        order = either.place()
        either.fill(order)
        services.reconcile(venue_order_id=order.venue_orders.get().pk)  # the sweep asks, and hears of it
        wait_for(lambda: bool(told_to("carol")), 20)
        wait_for(lambda: either.is_filled(order) and either.is_followed, 20)
    assert told_to("carol") == ["primary: no event told of 1 orders that moved"]
    assert either.agrees()


# ------------------------------------------------------------------ listen keys
def half_an_hour_passes(found: Scene) -> None:
    """For the venue, and for the row by which the sweep knows what is due."""
    found.venue.clock._aged += HALF_AN_HOUR
    ago = timedelta(seconds=HALF_AN_HOUR)
    VenueAccount.objects.update(listen_key_renewed_at=F("listen_key_renewed_at") - ago)


def test_a_listen_key_lives_as_long_as_the_sweep_renews_it(keyed: Scene) -> None:
    """Three hours with a fill in each half, none of them in a gap."""
    with keyed.following():
        followed(keyed)
        since = keyed.now().stream_changed_at
        for _half in range(6):
            half_an_hour_passes(keyed)
            renew_listen_keys()
            renew_listen_keys()  # nothing is due: nothing is asked
            keyed.fill(keyed.place())
            wait_for(keyed.agrees)
    assert keyed.venue.listen_keys.counts == {"POST": 1, "PUT": 6, "DELETE": 0, "expired": 0}
    assert keyed.now().stream_changed_at == since
    assert Fill.objects.count() == 6


def test_a_key_that_nobody_renewed_is_noticed_told_and_replaced(keyed: Scene) -> None:
    """The worker is stopped for 61 minutes; what is filled while the account is deaf is booked all the same."""
    make_user("carol", is_staff=True)
    with keyed.following():
        followed(keyed)
        first, order = keyed.now().listen_key, keyed.place()
        keyed.venue.clock._aged += 61 * 60
        keyed.fill(order)
        wait_for(lambda: keyed.now().listen_key != first, 20)
        wait_for(lambda: keyed.is_filled(order) and keyed.is_followed, 20)
    assert keyed.venue.listen_keys.counts["expired"] == 1
    assert told_to("carol") == ["primary: the listen key expired"]
    assert keyed.agrees()


def test_a_key_that_is_gone_without_a_word_is_found_by_the_sweep(keyed: Scene) -> None:
    """The venue forgot it and told nobody."""
    make_user("carol", is_staff=True)
    with keyed.following():
        followed(keyed)
        order, first = keyed.place(), keyed.now().listen_key
        wait_for(lambda: first in keyed.venue.listen_keys.known)
        keyed.venue.listen_keys.close(first, keyed.bench.alice.account_id)
        keyed.fill(order)
        half_an_hour_passes(keyed)
        renew_listen_keys()
        wait_for(lambda: keyed.is_filled(order) and keyed.is_followed, 20)
    assert keyed.now().listen_key not in ("", first)
    assert told_to("carol") == ["primary: the listen key had expired when it was renewed"]
    assert keyed.agrees()


GONE = "the venue no longer offers listen keys (410 Gone); set BINANCE_USER_STREAM=ws_api"


def test_a_venue_without_listen_keys_is_told_in_words(keyed: Scene) -> None:
    make_user("carol", is_staff=True)
    keyed.fault(do="listen keys", served=False)
    with keyed.following():
        wait_for(lambda: keyed.now().stream_reason == GONE, 20)
        wait_for(lambda: bool(told_to("carol")))
    assert told_to("carol") == [f"primary: {GONE}"]
    assert not keyed.is_followed


def test_a_venue_that_gives_listen_keys_up_is_noticed_at_the_next_renewal(keyed: Scene) -> None:
    make_user("carol", is_staff=True)
    with keyed.following():
        followed(keyed)
        keyed.fault(do="listen keys", served=False)
        half_an_hour_passes(keyed)
        renew_listen_keys()
        wait_for(lambda: not keyed.is_followed and keyed.now().stream_reason == GONE, 20)
    assert told_to("carol") == [f"primary: {GONE}"]


def test_a_renewal_that_gets_no_answer_is_made_by_the_next_sweep(keyed: Scene) -> None:
    with keyed.following():
        followed(keyed)
        half_an_hour_passes(keyed)
        keyed.fault(on="keep listen key", do="503 before")
        renew_listen_keys()
        renew_listen_keys()
    assert keyed.venue.listen_keys.counts["PUT"] == 1
    assert keyed.now().stream_reason == ""


def test_whoever_subscribes_on_the_websocket_api_keeps_no_listen_key_alive(keyed: Scene) -> None:
    VenueAccount.objects.update(listen_key="old")
    with override_settings(BINANCE_USER_STREAM="ws_api"), keyed.following():
        followed(keyed)
        renew_listen_keys()
    assert keyed.now().listen_key == ""
    assert keyed.venue.listen_keys.counts["PUT"] == 0


def test_staff_see_how_a_stream_is_and_never_its_key(keyed: Scene, client: Client) -> None:
    VenueAccount.objects.update(listen_key="a key that opens everything", stream_reason=GONE)
    client.force_login(make_user("carol", is_staff=True, is_superuser=True))
    row = client.get(f"/admin/gate/venueaccount/{keyed.account.pk}/change/").content.decode()
    assert "a key that opens everything" not in row
    assert GONE in row
    assert GONE in client.get("/admin/gate/venueaccount/").content.decode()
