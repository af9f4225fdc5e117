"""Proving who one is: the wizard, what may be uploaded, who may look at it, who decides."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import services
from accounts.errors import (
    AccountFrozen,
    CaseIsDecided,
    DocumentRefused,
    OwnCase,
    TierTooLow,
    TooManyDocuments,
)
from accounts.models import KycCase, KycDocument, User
from exchange.office.models import AuditRecord, Notice
from tests.accounts import files
from tests.accounts.conftest import browser_of

PERSONAL = {
    "legal_name": "Alice Beispiel",
    "birth_date": "1990-04-05",
    "country": "DE",
    "address": "Weg 1\n10115 Berlin",
}


def filled(user: User) -> KycCase:
    """A draft with personal data."""
    return services.fill_case(
        user,
        legal_name="Alice Beispiel",
        birth_date=date(1990, 4, 5),
        country="DE",
        address="Weg 1, 10115 Berlin",
    )


def submitted_case(user: User) -> KycCase:
    filled(user)
    for kind in KycDocument.Kind:
        services.add_document(user, kind=kind, content=files.picture())
    return services.submit_case(user)


def test_the_wizard_leads_from_personal_data_to_approval_and_the_customer_can_trade(
    alice: User, carol: User
) -> None:
    browser = browser_of(alice)
    assert browser.get("/verify/").headers["Location"] == "/verify/personal/"
    assert browser.post("/verify/personal/", PERSONAL).headers["Location"] == "/verify/documents/"
    for kind in ("IDENTITY", "ADDRESS"):
        browser.post("/verify/documents/", {"kind": kind, "file": files.upload(files.picture())})
    assert browser.get("/verify/").headers["Location"] == "/verify/submit/"
    page = browser.post("/verify/submit/", follow=True)
    assert "in review" in page.text
    case = KycCase.objects.get(user=alice)
    browser_of(carol).post(f"/admin/accounts/kyccase/{case.pk}/approve/", {"reason": "documents match"})
    alice.refresh_from_db()
    services.require_can_trade(alice)
    assert "identity is verified" in browser.get("/verify/").text


def test_who_has_not_proved_who_they_are_cannot_trade(alice: User) -> None:
    with pytest.raises(TierTooLow):
        services.require_can_trade(alice)


def test_a_child_is_refused_beside_the_field(alice: User) -> None:
    born = timezone.localdate() - timedelta(days=17 * 365)
    answer = browser_of(alice).post("/verify/personal/", {**PERSONAL, "birth_date": born.isoformat()})
    assert answer.status_code == 400
    assert "at least 18" in answer.text


def test_markup_in_a_name_is_refused(alice: User) -> None:
    answer = browser_of(alice).post(
        "/verify/personal/", {**PERSONAL, "legal_name": "<script>alert(1)</script>"}
    )
    assert answer.status_code == 400
    assert "<script>alert(1)" not in answer.text


@pytest.mark.parametrize(
    "content",
    [
        files.SVG,
        files.HTML,
        b"",
        b"GIF89a" + b"\0" * 100,
        b"\xff\xd8\xff" + b"\0" * 500,
        files.picture()[:300],
        files.bomb(),
        b"%PDF-1.7 and no end",
        files.PDF + b"\0" * (8 * 1024 * 1024),
        b"\x89PNG\r\n\x1a\n" + files.HTML,
    ],
    ids=["svg", "html", "empty", "gif", "broken", "cut", "bomb", "half-pdf", "large", "disguised"],
)
def test_what_is_no_readable_document_is_refused_and_leaves_nothing(
    alice: User, private_folder: Path, content: bytes
) -> None:
    filled(alice)
    with pytest.raises(DocumentRefused):
        services.add_document(alice, kind=KycDocument.Kind.IDENTITY, content=content)
    assert not KycDocument.objects.exists()
    assert not [path for path in private_folder.rglob("*") if path.is_file()]


def test_a_refused_file_is_told_beside_its_field(alice: User) -> None:
    browser = browser_of(alice)
    browser.post("/verify/personal/", PERSONAL)
    answer = browser.post(
        "/verify/documents/", {"kind": "IDENTITY", "file": files.upload(files.HTML, "passport.pdf")}
    )
    assert answer.status_code == 400
    assert 'id="id_file_error"' in answer.text


def test_a_file_lies_encrypted_and_comes_back_without_what_hid_in_it(
    alice: User, private_folder: Path
) -> None:
    hidden = b"Camera of Alice, 52.5200 N 13.4050 E"
    document = services.add_document(
        alice, kind=KycDocument.Kind.IDENTITY, content=files.picture(comment=hidden) + b"<script>"
    )
    kept = (private_folder / "documents" / document.file_name).read_bytes()
    _row, shown = services.read_document(document.pk, by=alice, address=None)
    assert b"\xff\xd8\xff" not in kept
    assert shown.startswith(b"\xff\xd8\xff")
    assert hidden not in shown and b"<script>" not in shown


def test_a_document_is_a_download_that_nothing_runs_or_keeps(alice: User) -> None:
    document = services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)
    answer = browser_of(alice).get(f"/verify/documents/{document.pk}/")
    assert answer.content == files.PDF
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_stranger_and_a_visitor_see_no_document(alice: User, bob: User, client: Client) -> None:
    document = services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)
    assert browser_of(bob).get(f"/verify/documents/{document.pk}/").status_code == 404
    assert client.get(f"/verify/documents/{document.pk}/").status_code == 302
    assert browser_of(bob).post(f"/verify/documents/{document.pk}/remove/").status_code == 404


def test_each_look_of_staff_is_on_record(alice: User, carol: User) -> None:
    document = services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)
    browser_of(carol).get(f"/verify/documents/{document.pk}/")
    seen = AuditRecord.objects.get(action="kyc.document_read")
    assert (seen.actor, seen.subject_id, seen.address) == (carol, str(document.pk), "127.0.0.1")


def test_staff_without_the_right_see_no_document(alice: User, bob: User) -> None:
    document = services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    assert browser_of(bob).get(f"/verify/documents/{document.pk}/").status_code == 404


def test_no_more_than_eight_files_are_taken(alice: User) -> None:
    for _number in range(8):
        services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)
    with pytest.raises(TooManyDocuments):
        services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)


def test_a_removed_file_is_gone_from_the_disk(
    alice: User, private_folder: Path, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    document = services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)
    with django_capture_on_commit_callbacks(execute=True):
        services.remove_document(alice, document.pk)
    assert not [path for path in private_folder.rglob("*") if path.is_file()]


def test_a_case_in_review_cannot_be_changed(alice: User) -> None:
    submitted_case(alice)
    with pytest.raises(CaseIsDecided):
        services.add_document(alice, kind=KycDocument.Kind.ADDRESS, content=files.PDF)
    assert browser_of(alice).get("/verify/personal/").headers["Location"] == "/verify/"


def test_a_refusal_tells_the_customer_why_and_lets_them_try_again(alice: User, carol: User) -> None:
    case = submitted_case(alice)
    services.refuse_case(case.pk, by=carol, reason="The bill is older than three months.")
    page = browser_of(alice).get("/verify/")
    assert "older than three months" in page.text
    assert Notice.objects.filter(user=alice, kind="kyc.refused").count() == 2
    assert filled(alice).pk != case.pk


def test_a_case_is_decided_once(alice: User, carol: User, dave: User) -> None:
    case = submitted_case(alice)
    services.approve_case(case.pk, by=carol, reason="fine")
    with pytest.raises(CaseIsDecided):
        services.refuse_case(case.pk, by=dave, reason="not fine")
    alice.refresh_from_db()
    assert alice.is_verified


def test_nobody_decides_their_own_case(carol: User) -> None:
    case = submitted_case(carol)
    with pytest.raises(OwnCase):
        services.approve_case(case.pk, by=carol, reason="I know myself")
    answer = browser_of(carol).post(
        f"/admin/accounts/kyccase/{case.pk}/approve/", {"reason": "I know myself"}
    )
    assert "Somebody else" in answer.text


def test_the_database_refuses_a_case_decided_by_its_owner(carol: User) -> None:
    case = submitted_case(carol)
    with pytest.raises(IntegrityError), transaction.atomic():
        KycCase.objects.filter(pk=case.pk).update(
            decided_by=carol, decided_at=timezone.now(), status="APPROVED"
        )


def test_a_decision_needs_a_reason(alice: User, carol: User) -> None:
    case = submitted_case(alice)
    answer = browser_of(carol).post(f"/admin/accounts/kyccase/{case.pk}/approve/", {"reason": " "})
    case.refresh_from_db()
    assert answer.status_code == 200
    assert case.status == KycCase.Status.SUBMITTED


def test_the_page_of_a_case_shows_papers_and_both_decisions(alice: User, carol: User) -> None:
    case = submitted_case(alice)
    page = browser_of(carol).get(f"/admin/accounts/kyccase/{case.pk}/change/").text
    assert page.count('href="/verify/documents/') == 2
    assert "../approve/" in page and "../refuse/" in page


def test_the_desk_shows_who_waits(alice: User, carol: User) -> None:
    case = submitted_case(alice)
    page = browser_of(carol).get("/admin/").text
    assert f"/admin/accounts/kyccase/{case.pk}/change/" in page


def test_a_frozen_customer_can_neither_trade_nor_stay_signed_in(alice: User, carol: User) -> None:
    services.approve_case(submitted_case(alice).pk, by=carol, reason="fine")
    browser = browser_of(alice)
    assert browser.get("/security/").status_code == 200
    browser_of(carol).post(f"/admin/accounts/user/{alice.pk}/freeze/", {"reason": "stolen papers"})
    alice.refresh_from_db()
    with pytest.raises(AccountFrozen):
        services.require_can_trade(alice)
    assert browser.get("/security/").status_code == 302


def test_an_unfrozen_customer_trades_again(alice: User, carol: User) -> None:
    services.approve_case(submitted_case(alice).pk, by=carol, reason="fine")
    services.freeze(alice.pk, "by mistake", carol)
    browser_of(carol).post(f"/admin/accounts/user/{alice.pk}/unfreeze/", {"reason": "cleared up"})
    alice.refresh_from_db()
    services.require_can_trade(alice)
