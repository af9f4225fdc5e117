"""What is on record stays; what needs two people gets two."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client

from accounts.models import User
from exchange.office import services
from exchange.office.errors import AlreadyDecided, OwnRequest
from exchange.office.models import Approval, AuditRecord


@pytest.fixture
def carol(db: None) -> User:
    return User.objects.create_superuser("carol@example.com", "a long password")


@pytest.fixture
def dave(db: None) -> User:
    return User.objects.create_superuser("dave@example.com", "a long password")


@pytest.fixture
def approval(carol: User) -> Approval:
    return services.ask_approval("adjustment", {"asset": "BTC", "amount": "0.1"}, "lost on the way", carol)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_who_asks_does_not_decide(approval: Approval, carol: User) -> None:
    with pytest.raises(OwnRequest):
        services.grant(approval.pk, by=carol)
    answer = browser_of(carol).post(f"/admin/office/approval/{approval.pk}/grant/", {"reason": "because"})
    approval.refresh_from_db()
    assert "Somebody else" in answer.text
    assert approval.status == Approval.Status.ASKED


def test_a_second_person_decides_once_and_it_is_on_record(approval: Approval, dave: User) -> None:
    browser_of(dave).post(f"/admin/office/approval/{approval.pk}/grant/", {"reason": "checked"})
    approval.refresh_from_db()
    assert (approval.status, approval.decided_by) == (Approval.Status.GRANTED, dave)
    assert AuditRecord.objects.get(action="approval.granted").reason == "checked"
    with pytest.raises(AlreadyDecided):
        services.refuse(approval.pk, by=dave)


def test_the_database_refuses_one_person_in_both_seats(approval: Approval, carol: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(status="GRANTED", decided_by=carol)


def test_the_database_refuses_a_decision_without_a_decider(approval: Approval) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(status="GRANTED")


def test_the_hash_binds_a_decision_to_what_was_asked(approval: Approval) -> None:
    assert approval.payload_hash == services.hash_of({"amount": "0.1", "asset": "BTC"})
    assert approval.payload_hash != services.hash_of({"amount": "0.2", "asset": "BTC"})


@pytest.mark.parametrize("act", ["update", "delete"])
def test_the_application_cannot_change_what_is_on_record(carol: User, act: str) -> None:
    record = services.record(carol, "test.act", "test", 1)
    rows = AuditRecord.objects.filter(pk=record.pk)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        rows.update(reason="nothing happened") if act == "update" else rows.delete()


@pytest.mark.parametrize(
    "table", ["office/auditrecord", "office/notice", "accounts/user", "accounts/apitoken"]
)
def test_nobody_edits_rows_by_hand(carol: User, table: str) -> None:
    browser = browser_of(carol)
    assert browser.get(f"/admin/{table}/").status_code == 200
    assert browser.get(f"/admin/{table}/add/").status_code == 403
    assert browser.post(f"/admin/accounts/user/{carol.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_customer_cannot_reach_a_decision(approval: Approval) -> None:
    bob = User.objects.create_user("bob@example.com", "a long password")
    assert (
        browser_of(bob).post(f"/admin/office/approval/{approval.pk}/grant/", {"reason": "x"}).status_code
        != 200
    )
    approval.refresh_from_db()
    assert approval.status == Approval.Status.ASKED


def test_staff_without_the_right_see_no_button_and_no_page(approval: Approval) -> None:
    clerk = User.objects.create_user("clerk@example.com", "a long password", is_staff=True)
    answer = browser_of(clerk).post(f"/admin/office/approval/{approval.pk}/grant/", {"reason": "x"})
    assert answer.status_code == 403
