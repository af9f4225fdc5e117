"""Signing up, signing in, and what strangers can learn from the doors: nothing."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import User
from exchange.office.models import AuditRecord, Notice
from tests.accounts.conftest import PASSWORD

ERIN = {"email": "Erin@Example.com", "password1": PASSWORD, "password2": PASSWORD}


def code_mailed_to(address: str) -> str:
    notice = Notice.objects.filter(to=address).first()
    assert notice is not None
    found = re.search(r"^([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})$", notice.body, re.M)
    assert found, notice.body
    return found.group(1)


def test_a_newcomer_signs_up_types_the_mailed_code_and_is_in(client: Client, db: None) -> None:
    asked = client.post("/accounts/signup/", ERIN, follow=True)
    assert asked.request["PATH_INFO"] == "/accounts/confirm-email/"
    done = client.post("/accounts/confirm-email/", {"code": code_mailed_to("erin@example.com")})
    assert done.status_code == 302
    assert client.get("/security/").status_code == 200
    assert EmailAddress.objects.get(user__email="erin@example.com").verified


def test_the_mail_says_what_kind_of_money_this_is(client: Client, db: None) -> None:
    client.post("/accounts/signup/", ERIN)
    notice = Notice.objects.get(to="erin@example.com")
    assert "no real money" in notice.body
    assert notice.status == Notice.Status.WAITING


def test_a_wrong_code_opens_nothing(client: Client, db: None) -> None:
    client.post("/accounts/signup/", ERIN)
    answer = client.post("/accounts/confirm-email/", {"code": "AAA-AAA"})
    assert answer.status_code == 200
    assert client.get("/security/").status_code == 302


def test_a_code_can_be_guessed_only_a_few_times(client: Client, db: None) -> None:
    client.post("/accounts/signup/", ERIN)
    right = code_mailed_to("erin@example.com")
    for _try in range(4):
        client.post("/accounts/confirm-email/", {"code": "AAA-AAA"})
    client.post("/accounts/confirm-email/", {"code": right})
    assert client.get("/security/").status_code == 302


def test_signing_up_with_a_known_address_looks_the_same_and_tells_its_owner(
    client: Client, alice: User
) -> None:
    known = client.post("/accounts/signup/", {**ERIN, "email": alice.email})
    unknown = Client().post("/accounts/signup/", ERIN)
    assert (known.status_code, known.headers["Location"]) == (
        unknown.status_code,
        unknown.headers["Location"],
    )
    assert Notice.objects.get(to=alice.email).kind == "account_already_exists"
    assert User.objects.filter(email__iexact=alice.email).count() == 1


def test_asking_for_a_new_password_looks_the_same_for_known_and_unknown_addresses(alice: User) -> None:
    answers = [
        Client().post("/accounts/password/reset/", {"email": address})
        for address in (alice.email, "nobody@example.com")
    ]
    assert {answer.status_code for answer in answers} == {302}
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_a_forgotten_password_is_replaced_by_the_mailed_code_and_ends_old_sessions(
    client: Client, alice: User
) -> None:
    old = Client()
    old.force_login(alice)
    client.post("/accounts/password/reset/", {"email": alice.email})
    client.post("/accounts/password/reset/confirm/", {"code": code_mailed_to(alice.email)})
    new = "another long pass phrase"
    client.post("/accounts/password/reset/complete/", {"password1": new, "password2": new})
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert alice.security_changed_at is not None
    assert old.get("/security/").status_code == 302


@pytest.mark.parametrize("password", ["short", "password1234", "alice@example.com"])
def test_a_weak_password_is_refused_beside_its_field(client: Client, db: None, password: str) -> None:
    fields = {"email": "alice@example.com", "password1": password, "password2": password}
    answer = client.post("/accounts/signup/", fields)
    assert answer.status_code == 200
    assert 'id="id_password1_error"' in answer.text or 'id="id_password2_error"' in answer.text


def test_an_address_signs_in_in_any_case_and_the_sign_in_is_on_record(client: Client, alice: User) -> None:
    client.post("/accounts/login/", {"login": "ALICE@example.com", "password": PASSWORD})
    assert client.get("/security/").status_code == 200
    assert AuditRecord.objects.get(action="user.signed_in").actor == alice


def test_guessing_a_password_is_stopped_for_the_address_from_wherever_it_comes(
    client: Client, alice: User
) -> None:
    for number in range(6):
        client.post(
            "/accounts/login/",
            {"login": alice.email, "password": f"wrong {number}"},
            REMOTE_ADDR=f"10.0.0.{number}",
        )
    answer = client.post(
        "/accounts/login/", {"login": alice.email, "password": PASSWORD}, REMOTE_ADDR="10.0.0.99"
    )
    assert answer.status_code == 200
    assert "Too many" in answer.text


def test_signing_in_changes_the_name_of_the_session(client: Client, alice: User) -> None:
    client.get("/accounts/login/")
    session = client.session
    session["planted"] = "yes"
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before or ""
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert client.session.session_key != before


def test_staff_sign_in_for_the_desk_where_everybody_does(client: Client, carol: User) -> None:
    answer = client.get("/admin/")
    assert answer.status_code == 302
    step = client.get(answer.headers["Location"])
    assert step.status_code == 302
    assert step.headers["Location"].startswith("/accounts/login/?next=")


def test_a_customer_is_not_let_into_the_desk(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get("/admin/", follow=True).status_code == 403
