"""The mobile app's door: allauth's headless client, then `/api/v1/` with its session token."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts import services
from accounts.models import KycCase, User
from exchange.office.models import Notice
from tests.accounts import files
from tests.accounts.conftest import PASSWORD, browser_of

PERSONAL = {
    "legal_name": "Erin Exempel",
    "birth_date": "1990-04-05",
    "country": "de",
    "address": "Weg 1, 10115 Berlin",
}


class App:
    """A phone without cookies."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def door(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        answer = Client().generic(
            method,
            f"/_allauth/app/v1/{path}",
            json.dumps(body or {}),
            content_type="application/json",
            headers=self.headers,
        )
        content = answer.json()
        if token := content.get("meta", {}).get("session_token"):
            self.headers["X-Session-Token"] = token
        return content

    def api(self, method: str, path: str, body: dict[str, Any] | None = None, format: str = "json") -> Any:
        client = APIClient(headers=self.headers)
        return getattr(client, method)(f"/api/v1/{path}", body, format=format)


@pytest.fixture
def erin(db: None) -> App:
    app = App()
    app.door("POST", "auth/signup", {"email": "erin@example.com", "password": PASSWORD})
    return app


@pytest.fixture
def verified(erin: App) -> App:
    body = Notice.objects.filter(to="erin@example.com").get().body
    found = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", body, re.M)
    assert found
    assert erin.door("POST", "auth/email/verify", {"key": found.group(1)})["status"] == 200
    return erin


def test_before_the_mail_is_verified_the_api_knows_nobody(erin: App) -> None:
    answer = erin.api("get", "me/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_newcomer_is_in_after_the_code(verified: App) -> None:
    me = verified.api("get", "me/").json()
    assert (me["email"], me["tier"], me["has_second_factor"]) == ("erin@example.com", 0, False)
    assert me["money"] == "Paper trading: simulated prices, no real money"


def test_identity_is_proved_by_api_alone(verified: App, carol: User) -> None:
    filled = verified.api("post", "kyc/", PERSONAL).json()
    assert (filled["country"], filled["missing"]) == ("DE", ["IDENTITY", "ADDRESS"])
    for kind in ("IDENTITY", "ADDRESS"):
        sent = {"kind": kind, "file": files.upload(files.picture())}
        assert verified.api("post", "kyc/documents/", sent, format="multipart").status_code == 201
    case = verified.api("post", "kyc/submit/").json()
    assert case["status"] == "SUBMITTED"
    services.approve_case(case["id"], by=carol, reason="fine")
    assert verified.api("get", "me/").json()["tier"] == 1


def test_an_incomplete_case_cannot_be_submitted(verified: App) -> None:
    answer = verified.api("post", "kyc/submit/")
    assert (answer.status_code, answer.json()["code"]) == (400, "case_incomplete")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birth_date", "2024-01-01"),
        ("birth_date", "tomorrow"),
        ("country", "XX"),
        ("country", 49),
        ("legal_name", ""),
        ("legal_name", "x" * 161),
        ("address", "<b>"),
        ("address", None),
    ],
)
def test_odd_personal_data_are_refused_by_field(verified: App, field: str, value: object) -> None:
    answer = verified.api("post", "kyc/", {**PERSONAL, field: value})
    assert answer.status_code == 400
    assert answer.json()["field"] == field


def test_nobody_writes_what_the_house_decides(verified: App) -> None:
    decided = {"status": "APPROVED", "decision_reason": "me", "user": 1}
    for field, value in decided.items():
        answer = verified.api("post", "kyc/", {**PERSONAL, field: value})
        assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not KycCase.objects.exists()
    verified.api("post", "kyc/", PERSONAL)
    assert KycCase.objects.get().status == "DRAFT"


def test_a_refused_file_is_a_sentence_with_its_field(verified: App) -> None:
    sent = {"kind": "IDENTITY", "file": files.upload(files.SVG, "me.jpg")}
    answer = verified.api("post", "kyc/documents/", sent, format="multipart")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        400,
        "document_refused",
        "file",
    )


def test_messages_are_listed_and_counted_as_read(verified: App, carol: User) -> None:
    erin = User.objects.get(email="erin@example.com")
    services.note_security_change(
        erin, kind="password_changed", address="10.0.0.1", session_key=verified.headers["X-Session-Token"]
    )
    assert verified.api("get", "me/").json()["unread_notices"] == 1
    assert verified.api("get", "notices/").json()["results"][0]["subject"] == "Your password was changed"
    assert verified.api("post", "notices/read/").json() == {"read": 1}


def test_a_signed_out_app_is_out(verified: App) -> None:
    verified.door("DELETE", "auth/session")
    assert verified.api("get", "me/").status_code == 401


def test_a_frozen_customer_is_out_of_the_app(verified: App) -> None:
    verified.api("get", "me/")
    erin = User.objects.get(email="erin@example.com")
    services.freeze(erin.pk, "stolen phone")
    assert verified.api("get", "me/").status_code == 401


def test_a_new_password_ends_the_apps_session(verified: App) -> None:
    erin = User.objects.get(email="erin@example.com")
    erin.set_password("another long pass phrase")
    erin.save()
    assert verified.api("get", "me/").status_code == 401


def test_a_page_of_another_site_cannot_use_the_cookie(alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    answer = browser.post("/api/v1/kyc/", PERSONAL, content_type="application/json")
    assert answer.status_code == 403


def test_a_stranger_sees_only_their_own_case(alice: User, bob: User) -> None:
    services.open_case(alice)
    seen = browser_of(bob).get("/api/v1/kyc/").json()
    assert seen["id"] != alice.kyc_cases.get().pk
