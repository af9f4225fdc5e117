"""Corrections by four eyes: asked by one, granted by another, booked once and exactly as asked."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from exchange.errors import Conflict, DomainError
from exchange.office import services as office
from exchange.office.errors import OwnMoney, OwnRequest
from exchange.office.models import Approval
from ledger import services as ledger
from ledger.errors import AlreadyReversed, Unbalanced
from ledger.models import Account, Entry, Transfer
from ledger.services.posting import Line, available, system
from tests.factories import balance, fund, held_by_the_house, make_user


@pytest.fixture
def alice(db: None) -> User:
    user = make_user()
    fund(user, "USDT", "100")
    return user


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol", is_staff=True)


@pytest.fixture
def dave(db: None) -> User:
    return make_user("dave", is_staff=True)


def goodwill(alice: User, amount: str = "5") -> list[Line]:
    value = Decimal(amount)
    return [available(alice.pk, "USDT", value), system(Account.Type.EQUITY, "USDT", -value)]


def ask(alice: User, carol: User, amount: str = "5") -> int:
    return ledger.ask_posting(category="goodwill", lines=goodwill(alice, amount), reason="late", by=carol).pk


def test_nothing_is_booked_before_a_second_person_grants_it(alice: User, carol: User) -> None:
    ask(alice, carol)
    ledger.carry_out_approvals()
    assert balance(alice, "USDT") == (100, 0)


def test_who_asked_cannot_grant(alice: User, carol: User) -> None:
    asked = ask(alice, carol)
    with pytest.raises(OwnRequest):
        office.grant(asked, by=carol)


def test_nobody_asks_for_lines_of_an_account_of_their_own(carol: User) -> None:
    with pytest.raises(OwnMoney):
        ask(carol, carol)


@pytest.mark.parametrize("decide", [office.grant, office.refuse])
def test_nobody_decides_about_lines_of_an_account_of_their_own(
    carol: User, dave: User, decide: Callable[..., object]
) -> None:
    asked = ask(dave, carol)
    with pytest.raises(OwnMoney):
        decide(asked, by=dave)


@pytest.mark.parametrize("owner", ["carol", "dave"])
def test_what_their_owner_asked_or_granted_all_the_same_is_not_booked(
    alice: User, carol: User, dave: User, owner: str
) -> None:
    asked = ask(alice, carol)
    office.grant(asked, by=dave)
    customer = Approval.objects.filter(pk=asked)
    customer.update(**{"decided_by" if owner == "dave" else "asked_by": alice})
    ledger.carry_out_approvals()
    assert (customer.get().status, balance(alice, "USDT")) == ("FAILED", (100, 0))


def test_nobody_asks_or_grants_the_reversal_of_their_own_transfer(alice: User, carol: User) -> None:
    transfer = Transfer.objects.get(kind="DEPOSIT")
    with pytest.raises(OwnMoney):
        ledger.ask_reversal(transfer_id=transfer.pk, reason="wrong", by=alice)
    asked = ledger.ask_reversal(transfer_id=transfer.pk, reason="wrong", by=carol)
    with pytest.raises(OwnMoney):
        office.grant(asked.pk, by=alice)


def test_what_was_granted_is_booked_once(alice: User, carol: User, dave: User) -> None:
    asked = ask(alice, carol)
    office.grant(asked, by=dave)
    for _time in range(3):
        ledger.carry_out_approvals()
    assert balance(alice, "USDT") == (105, 0)
    assert held_by_the_house(Account.Type.EQUITY, "USDT") == -5
    assert Transfer.objects.get(kind="ADJUSTMENT").approval_id == asked


def test_a_request_changed_after_it_was_granted_is_not_booked(alice: User, carol: User, dave: User) -> None:
    asked = ask(alice, carol)
    office.grant(asked, by=dave)
    payload = Approval.objects.get(pk=asked).payload
    payload["lines"][0][2], payload["lines"][1][2] = "500", "-500"
    Approval.objects.filter(pk=asked).update(payload=payload)
    ledger.carry_out_approvals()
    assert balance(alice, "USDT") == (100, 0)
    assert Approval.objects.get(pk=asked).status == "FAILED"


def test_one_that_cannot_be_booked_says_why(alice: User, carol: User, dave: User) -> None:
    asked = ask(alice, carol, "-500")
    office.grant(asked, by=dave)
    ledger.carry_out_approvals()
    approval = Approval.objects.get(pk=asked)
    assert (approval.status, "available" in approval.outcome) == ("FAILED", True)


@pytest.mark.parametrize("amounts", [("5", "-4"), ("5",), ()])
def test_lines_that_do_not_balance_cannot_even_be_asked(
    alice: User, carol: User, amounts: tuple[str, ...]
) -> None:
    lines = [available(alice.pk, "USDT", Decimal(amount)) for amount in amounts]
    with pytest.raises(Unbalanced):
        ledger.ask_posting(category="goodwill", lines=lines, reason="late", by=carol)


def test_a_request_without_a_reason_is_refused(alice: User, carol: User) -> None:
    with pytest.raises(DomainError, match="why"):
        ledger.ask_posting(category="goodwill", lines=goodwill(alice), reason=" ", by=carol)


def test_a_reversal_takes_back_exactly_what_was_booked_and_only_once(
    alice: User, carol: User, dave: User
) -> None:
    transfer = Transfer.objects.get(kind="DEPOSIT")
    asked = ledger.ask_reversal(transfer_id=transfer.pk, reason="wrong", by=carol)
    office.grant(asked.pk, by=dave)
    ledger.carry_out_approvals()
    assert balance(alice, "USDT") == (0, 0)
    assert Transfer.objects.get(kind="REVERSAL").reverses_id == transfer.pk
    with pytest.raises(AlreadyReversed):
        ledger.ask_reversal(transfer_id=transfer.pk, reason="again", by=carol)


def test_staff_ask_on_the_transfers_page_and_another_grants(
    alice: User, client: Client, carol: User, dave: User
) -> None:
    transfer = Transfer.objects.get(kind="DEPOSIT")
    page = f"/admin/ledger/transfer/{transfer.pk}/"
    sign_in(client, carol, "view_transfer", "ask_adjustment")
    assert "../reverse/" in client.get(f"{page}change/").text
    assert client.post(f"{page}reverse/", {"reason": "wrong"}).status_code == 302
    asked = Approval.objects.get()
    assert (asked.kind, asked.asked_by, asked.reason) == ("ledger.reversal", carol, "wrong")
    sign_in(client, dave, "view_transfer", "view_approval", "change_approval")
    assert "../reverse/" not in client.get(f"{page}change/").text
    assert client.post(f"{page}reverse/", {"reason": "wrong"}).status_code == 403
    client.post(f"/admin/office/approval/{asked.pk}/grant/", {"reason": "seen"})
    ledger.carry_out_approvals()
    assert balance(alice, "USDT") == (0, 0)
    sign_in(client, carol)
    assert "../reverse/" not in client.get(f"{page}change/").text
    assert "taken back already" in client.post(f"{page}reverse/", {"reason": "again"}).text


def sign_in(client: Client, user: User, *rights: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client.force_login(user)


def test_a_reversal_of_something_else_is_refused_by_the_database(
    alice: User, carol: User, dave: User
) -> None:
    transfer = Transfer.objects.get(kind="DEPOSIT")
    asked = ledger.ask_posting(
        category="reversal",
        lines=goodwill(alice, "-5"),
        reason="wrong",
        by=carol,
        kind=Transfer.Kind.REVERSAL,
        reverses_id=transfer.pk,
    )
    office.grant(asked.pk, by=dave)
    ledger.carry_out_approvals()
    assert balance(alice, "USDT") == (100, 0)
    assert not Entry.objects.filter(transfer__kind="REVERSAL").exists()


def test_a_decision_without_money_is_carried_out_once(alice: User, carol: User, dave: User) -> None:
    asked = ledger.ask_decision(category="nothing", subject="withdrawal 7", reason="seen", by=carol)
    office.grant(asked.pk, by=dave)
    ledger.carry_out_approvals()
    assert Approval.objects.get(pk=asked.pk).status == "USED"


def test_of_two_granted_reversals_of_one_transfer_one_is_booked_and_the_other_says_why(
    alice: User, carol: User, dave: User
) -> None:
    transfer = Transfer.objects.get(kind="DEPOSIT")
    both = [ledger.ask_reversal(transfer_id=transfer.pk, reason="wrong", by=carol) for _time in range(2)]
    for asked in both:
        office.grant(asked.pk, by=dave)
    ledger.carry_out_approvals()
    assert sorted(Approval.objects.values_list("status", flat=True)) == ["FAILED", "USED"]
    assert balance(alice, "USDT") == (0, 0)


def test_what_a_hold_did_is_not_taken_back_alone(alice: User, carol: User) -> None:
    ledger.hold(user_id=alice.pk, asset="USDT", amount=Decimal(5), cause=ledger.Cause.ORDER, cause_id=1)
    with pytest.raises(Conflict, match="take it back there"):
        ledger.ask_reversal(transfer_id=Transfer.objects.get(kind="HOLD").pk, reason="wrong", by=carol)
