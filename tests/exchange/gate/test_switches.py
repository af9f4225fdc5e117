"""Kill switches: one of staff flips them, two release them, and everybody sees what is stopped."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from exchange.desk import queries as desk
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.gate.errors import AlreadyReleased, AlreadyStopped, ReleaseAsked, ReleaseNotAsked
from exchange.gate.models import Switch
from exchange.office import services as office
from exchange.office.errors import AlreadyDecided, OwnMoney, OwnRequest
from exchange.office.models import AuditRecord, Notice
from markets.models import Market
from tests.factories import make_market, make_user


@pytest.fixture
def market(db: None) -> Market:
    return make_market()


@pytest.fixture
def carol(db: None) -> User:
    return User.objects.create_superuser("carol@example.com", "a long password", name="Carol")


@pytest.fixture
def dave(db: None) -> User:
    return User.objects.create_superuser("dave@example.com", "a long password", name="Dave")


@pytest.fixture(autouse=True)
def no_memory() -> None:
    desk._status.cache_clear()


def flip(by: User, scope: str = "EVERYTHING", **more: Any) -> Switch:
    return gate.flip_switch(scope=scope, by=by, reason="the venue misbehaves", **more)


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


# ------------------------------------------------------------------ flipping
def test_a_switch_says_who_flipped_it_why_and_when(carol: User) -> None:
    switch = flip(carol)
    assert (switch.flipped_by, switch.reason) == (carol, "the venue misbehaves")
    record = AuditRecord.objects.get(action="switch.flipped")
    assert (record.actor, record.subject_id, record.reason) == (carol, str(switch.pk), "the venue misbehaves")


def test_all_of_staff_hear_of_it(carol: User, dave: User) -> None:
    flip(carol)
    assert {notice.user for notice in Notice.objects.filter(kind="gate.switch")} == {carol, dave}


@pytest.mark.parametrize(
    "named",
    [
        {"scope": "MARKET"},
        {"scope": "SIDE"},
        {"scope": "SIDE", "side": "UP"},
        {"scope": "CUSTOMER"},
        {"scope": "CUSTOMER", "customer_id": 999_999},
        {"scope": "EVERYTHING", "market": "BTCUSDT"},
        {"scope": "EVERYTHING", "side": "BUY"},
        {"scope": "MARKET", "market": "NOSUCH"},
        {"scope": "HALF"},
    ],
)
def test_a_switch_that_does_not_say_what_it_stops_is_refused(
    market: Market, carol: User, named: dict[str, Any]
) -> None:
    with pytest.raises(DomainError):
        flip(carol, **named)
    assert not Switch.objects.exists()


def test_a_switch_without_a_reason_is_refused(carol: User) -> None:
    with pytest.raises(DomainError) as refusal:
        gate.flip_switch(scope="EVERYTHING", by=carol, reason="  ")
    assert refusal.value.field == "reason"


def test_the_same_stop_stands_once(market: Market, carol: User, dave: User) -> None:
    flip(carol, "SIDE", side="BUY")
    flip(carol, "SIDE", side="BUY", market="BTCUSDT")
    with pytest.raises(AlreadyStopped):
        flip(dave, "SIDE", side="BUY")


# ------------------------------------------------------------------ releasing
def test_one_asks_and_another_confirms(carol: User, dave: User) -> None:
    switch = flip(carol)
    gate.ask_release(switch.pk, by=carol, reason="all is well")
    switch.refresh_from_db()
    assert switch.released_at is None
    gate.confirm_release(switch.pk, by=dave, reason="seen")
    switch.refresh_from_db()
    assert switch.released_at is not None
    acts = AuditRecord.objects.filter(subject_type="switch").order_by("id").values_list("action", "actor")
    assert list(acts) == [
        ("switch.flipped", carol.pk),
        ("switch.release_asked", carol.pk),
        ("switch.released", dave.pk),
    ]


def test_who_asked_for_the_release_cannot_confirm_it(carol: User) -> None:
    switch = flip(carol)
    gate.ask_release(switch.pk, by=carol, reason="all is well")
    with pytest.raises(OwnRequest):
        gate.confirm_release(switch.pk, by=carol, reason="seen")
    switch.refresh_from_db()
    assert switch.released_at is None


def test_nobody_confirms_what_nobody_asked_for(carol: User, dave: User) -> None:
    switch = flip(carol)
    with pytest.raises(ReleaseNotAsked):
        gate.confirm_release(switch.pk, by=dave, reason="seen")


def test_a_release_is_asked_for_once_and_again_after_it_was_refused(carol: User, dave: User) -> None:
    switch = flip(carol)
    asked = gate.ask_release(switch.pk, by=carol, reason="all is well")
    with pytest.raises(ReleaseAsked):
        gate.ask_release(switch.pk, by=dave, reason="I think so too")
    assert asked.release is not None
    office.refuse(asked.release.pk, by=dave)
    gate.ask_release(switch.pk, by=dave, reason="now it is")
    gate.confirm_release(switch.pk, by=carol, reason="yes")
    with pytest.raises(AlreadyReleased):
        gate.ask_release(switch.pk, by=dave, reason="once more")


def test_a_release_granted_among_the_approvals_is_carried_out_by_the_sweep(carol: User, dave: User) -> None:
    switch = flip(carol)
    asked = gate.ask_release(switch.pk, by=carol, reason="all is well").release
    assert asked is not None
    office.grant(asked.pk, by=dave)
    assert gate.carry_out_releases() == 1
    switch.refresh_from_db()
    asked.refresh_from_db()
    assert switch.released_at is not None
    assert asked.status == "USED"
    assert gate.carry_out_releases() == 0
    with pytest.raises(AlreadyDecided):
        office.grant(asked.pk, by=dave)


def test_whom_a_switch_stops_neither_asks_nor_confirms(carol: User, dave: User) -> None:
    switch = flip(carol, "CUSTOMER", customer_id=dave.pk)
    with pytest.raises(OwnMoney):
        gate.ask_release(switch.pk, by=dave, reason="it is only me")
    gate.ask_release(switch.pk, by=carol, reason="all is well")
    with pytest.raises(OwnMoney):
        gate.confirm_release(switch.pk, by=dave, reason="seen")


def test_the_database_releases_nothing_without_a_request(carol: User) -> None:
    switch = flip(carol)
    with pytest.raises(IntegrityError, match="switch_is_released_by_request"), transaction.atomic():
        Switch.objects.filter(pk=switch.pk).update(released_at=timezone.now())


# ------------------------------------------------------------------ what is seen of it
def test_the_status_tells_everybody_what_is_stopped_and_nothing_of_a_customer(
    market: Market, carol: User, client: Client
) -> None:
    flip(carol, "SIDE", side="BUY", market="BTCUSDT", public_reason="The venue halts deposits.")
    flip(carol, "CUSTOMER", customer_id=make_user().pk)
    (told,) = client.get("/status.json").json()["switches"]
    assert (told["scope"], told["market"], told["side"]) == ("SIDE", "BTCUSDT", "BUY")
    assert "purchases in BTCUSDT" in told["message"] and "The venue halts deposits." in told["message"]
    page = client.get("/status/").text
    assert "purchases in BTCUSDT" in page
    assert "misbehaves" not in page and "alice" not in page


def test_the_figures_count_switches_by_scope(market: Market, carol: User, dave: User, client: Client) -> None:
    flip(carol, "MARKET", market="BTCUSDT")
    other = flip(carol, "API")
    gate.ask_release(other.pk, by=carol, reason="all is well")
    gate.confirm_release(other.pk, by=dave, reason="yes")
    figures = client.get("/metrics").text
    assert 'causeway_switches{scope="MARKET"} 1.0' in figures
    assert 'causeway_switches{scope="API"} 0.0' in figures


def test_staff_flip_and_release_in_the_admin(market: Market, carol: User, dave: User) -> None:
    alice = make_user()
    desk_of_carol, desk_of_dave = browser_of(carol), browser_of(dave)
    form = {
        "scope": "CUSTOMER",
        "customer": "ALICE@example.com",
        "market": "",
        "side": "",
        "reason": "hacked?",
    }
    desk_of_carol.post("/admin/gate/switch/add/", form)
    switch = Switch.objects.get()
    assert (switch.customer, switch.flipped_by) == (alice, carol)
    page = f"/admin/gate/switch/{switch.pk}"
    assert "hacked?" in desk_of_dave.get(f"{page}/change/").text
    assert f"{page}/change/" in desk_of_dave.get("/admin/").text
    desk_of_carol.post(f"{page}/ask/", {"reason": "it was not"})
    assert "Somebody else must decide" in desk_of_carol.post(f"{page}/confirm/", {"reason": "yes"}).text
    assert "it was not" in desk_of_dave.get(f"{page}/change/").text
    desk_of_dave.post(f"{page}/confirm/", {"reason": "seen"})
    switch.refresh_from_db()
    assert switch.released_at is not None


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"scope": "MARKET", "market": "NOSUCH"}, "There is nothing of this name."),
        ({"scope": "CUSTOMER", "customer": "nobody@example.com"}, "There is nothing of this name."),
        ({"scope": "MARKET"}, "Name the market"),
        ({"scope": "EVERYTHING", "market": "btcusdt"}, "Name the market"),
        ({"scope": "API"}, "stands already"),
    ],
)
def test_what_cannot_be_flipped_is_said_in_the_form(
    market: Market, carol: User, form: dict[str, str], complaint: str
) -> None:
    flip(carol, "API")
    empty = {"market": "", "side": "", "customer": "", "public_reason": "", "reason": "why not"}
    answer = browser_of(carol).post("/admin/gate/switch/add/", {**empty, **form})
    assert complaint in answer.text
    assert Switch.objects.count() == 1


def test_staff_without_the_right_flip_nothing(db: None) -> None:
    clerk = make_user("clerk", is_staff=True)
    assert browser_of(clerk).get("/admin/gate/switch/add/").status_code == 403
