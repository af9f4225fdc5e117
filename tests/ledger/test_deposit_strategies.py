"""How deposits are told apart: as the venue account is set to, and never by something weaker."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from exchange.errors import DomainError, Unavailable
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.office.models import AuditRecord
from ledger import services as ledger
from ledger.errors import NoOwnAddress
from ledger.models import DepositAddress, Network, SubAccount
from tests.factories import make_user
from tests.ledger.custodian import make_staff
from tests.venue import Venue, error

SUB_ACCOUNTS = "/sapi/v1/sub-account/virtualSubAccount"
POOLED, OWN = "/sapi/v1/capital/deposit/address", "/sapi/v1/capital/deposit/subAddress"


def address(text: str, tag: str = "") -> tuple[int, dict[str, str]]:
    return 200, {"coin": "USDT", "address": text, "tag": tag, "url": ""}


def set_to(strategy: str, fallback: str = "") -> None:
    VenueAccount.objects.update(deposit_strategy=strategy, deposit_fallback=fallback)


def asked(user: User) -> DepositAddress:
    return ledger.deposit_address(user=user, asset="USDT", network="TRX")


def test_each_customer_has_a_sub_account_unless_it_is_set_otherwise(depositor: User, venue: Venue) -> None:
    found = asked(depositor)
    assert (found.address, found.user, found.is_shared) == ("T-alice", depositor, False)
    assert venue.count("GET", POOLED) == 0


@pytest.mark.parametrize("answer", [(404, ""), error(-1, "Not Found", 404), error(-9000, "No.")], ids=str)
def test_where_no_sub_accounts_are_offered_nobody_is_given_something_weaker(
    depositor: User, venue: Venue, answer: Any
) -> None:
    venue.on("POST", SUB_ACCOUNTS, answer)
    venue.on("GET", POOLED, address("T-pooled"))
    with pytest.raises(NoOwnAddress):
        asked(depositor)
    assert (DepositAddress.objects.count(), venue.count("GET", POOLED)) == (0, 0)


@pytest.mark.parametrize("answer", [(404, ""), error(-9000, "No.")], ids=str)
def test_what_it_falls_back_to_is_what_is_configured(depositor: User, venue: Venue, answer: Any) -> None:
    set_to("SUB_ACCOUNT", "ANNOUNCED")
    venue.on("POST", SUB_ACCOUNTS, answer)
    venue.on("GET", POOLED, address("T-pooled"))
    assert (asked(depositor).is_shared, asked(make_user("bob")).address) == (True, "T-pooled")
    assert (DepositAddress.objects.count(), venue.count("GET", POOLED)) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        (504, ""),
        error(-1021, "Timestamp."),
        error(-1003, "Wait.", 429),
        error(-2015, "Invalid API-key, IP, or permissions for action.", 401),
        error(-1102, "Mandatory parameter was not sent."),
    ],
    ids=str,
)
def test_a_venue_that_does_not_answer_is_no_reason_to_fall_back(
    depositor: User, venue: Venue, answer: Any
) -> None:
    set_to("SUB_ACCOUNT", "ANNOUNCED")
    venue.on("POST", SUB_ACCOUNTS, answer)
    venue.on("GET", POOLED, address("T-pooled"))
    with pytest.raises(Unavailable):
        asked(depositor)
    assert DepositAddress.objects.count() == 0


def test_two_who_ask_at_once_do_not_make_two_sub_accounts(depositor: User, venue: Venue) -> None:
    """The second one asks while the venue is still making the first."""
    refused = []

    def make(asked_for: dict[str, str]) -> Any:
        with pytest.raises(Unavailable) as refusal:
            asked(depositor)
        refused.append(refusal.value)
        return 200, {"email": "alice@sub.example"}

    venue.on("POST", SUB_ACCOUNTS, make)
    assert asked(depositor).address == "T-alice"
    assert (len(refused), venue.count("POST", SUB_ACCOUNTS)) == (1, 1)


def test_who_asked_for_a_sub_account_and_died_is_asked_after_later(depositor: User, venue: Venue) -> None:
    venue.on("POST", SUB_ACCOUNTS, (504, ""))
    for _time in range(2):
        with pytest.raises(Unavailable):
            asked(depositor)
    assert venue.count("POST", SUB_ACCOUNTS) == 1
    SubAccount.objects.update(asked_at=timezone.now() - timedelta(minutes=3))
    venue.on("POST", SUB_ACCOUNTS, (200, {"email": "alice@sub.example"}))
    assert asked(depositor).address == "T-alice"


def test_memos_are_used_where_a_network_has_them_and_nowhere_else(depositor: User, venue: Venue) -> None:
    set_to("MEMO")
    with pytest.raises(NoOwnAddress):
        asked(depositor)
    Network.objects.update(needs_tag=True)
    venue.on("GET", OWN, address("T-shared", "4711"))
    found = asked(depositor)
    assert (found.address, found.tag, found.user) == ("T-shared", "4711", depositor)


def test_an_address_without_the_memo_it_needs_is_never_shown(depositor: User, venue: Venue) -> None:
    Network.objects.update(needs_tag=True)
    with pytest.raises(NoOwnAddress):
        asked(depositor)
    assert DepositAddress.objects.count() == 0


def test_the_pooled_address_is_shown_to_all_and_stays_the_same(depositor: User, venue: Venue) -> None:
    set_to("ANNOUNCED")
    venue.on("GET", POOLED, address("T-pooled"))
    bob = make_user("bob")
    assert {asked(user).pk for user in (depositor, bob, depositor)} == {DepositAddress.objects.get().pk}


def test_an_address_that_is_one_customers_is_never_shown_to_all(depositor: User, venue: Venue) -> None:
    route = Network.objects.get()
    DepositAddress.objects.create(user=make_user("bob"), network=route, address="T-pooled")
    set_to("ANNOUNCED")
    venue.on("GET", POOLED, address("T-pooled"))
    with pytest.raises(NoOwnAddress):
        asked(depositor)


def test_who_has_an_address_keeps_it_when_the_strategy_changes(depositor: User, venue: Venue) -> None:
    before = asked(depositor)
    set_to("ANNOUNCED")
    assert asked(depositor) == before


# ------------------------------------------------------------------ set by staff
def test_staff_set_it_with_a_reason_on_record(network: Network, client: Client) -> None:
    carol, account = make_staff("carol"), gate.primary_account()
    client.force_login(carol)
    said = {"strategy": "ANNOUNCED", "fallback": "", "reason": "no sub-accounts yet"}
    answer = client.post(f"/admin/gate/venueaccount/{account.pk}/deposits/", said)
    account.refresh_from_db()
    assert (answer.status_code, account.deposit_strategies) == (302, ["ANNOUNCED"])
    record = AuditRecord.objects.get(action="gate.deposit_strategy")
    assert (record.actor, record.before, record.after, record.reason) == (
        carol,
        {"strategies": ["SUB_ACCOUNT"]},
        {"strategies": ["ANNOUNCED"]},
        "no sub-accounts yet",
    )


@pytest.mark.parametrize(
    ("strategy", "fallback", "reason", "field"),
    [
        ("GUESS", "", "why", "strategy"),
        ("MEMO", "GUESS", "why", "strategy"),
        ("MEMO", "MEMO", "why", "fallback"),
        ("MEMO", "", " ", "reason"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    network: Network, strategy: str, fallback: str, reason: str, field: str
) -> None:
    carol = make_user("carol", is_staff=True)
    with pytest.raises(DomainError) as refused:
        gate.set_deposit_strategy(
            gate.primary_account().pk, strategy=strategy, fallback=fallback, by=carol, reason=reason
        )
    assert refused.value.field == field
    assert gate.primary_account().deposit_strategies == ["SUB_ACCOUNT"]


@pytest.mark.parametrize(("strategy", "fallback"), [("GUESS", ""), ("MEMO", "GUESS"), ("MEMO", "MEMO")])
def test_the_database_knows_the_strategies_too(network: Network, strategy: str, fallback: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        set_to(strategy, fallback)
