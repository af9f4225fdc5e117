"""Requests that are too large, and a memory that is away: a sentence, and nothing passes unchecked."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from accounts import services
from accounts.models import User
from exchange.errors import Unavailable
from tests.accounts.conftest import PASSWORD, browser_of

AWAY = "redis://127.0.0.1:1/0"
HUGE = SimpleUploadedFile("passport.jpg", b"\xff\xd8\xff" + b"\0" * (25 * 1024 * 1024))
LARGE = SimpleUploadedFile("passport.jpg", b"\xff\xd8\xff" + b"\0" * (9 * 1024 * 1024))


@pytest.fixture
def away(settings: Settings) -> None:
    """Redis does not answer."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": AWAY}}


def test_a_file_over_the_limit_is_told_beside_its_field_and_not_read(alice: User) -> None:
    services.open_case(alice)
    alice.kyc_cases.update(legal_name="Alice Beispiel")
    LARGE.seek(0)
    answer = browser_of(alice).post("/verify/documents/", {"kind": "IDENTITY", "file": LARGE})
    assert answer.status_code == 400
    assert "larger than 8 MB" in answer.text
    LARGE.seek(0)
    by_api = browser_of(alice).post("/api/v1/kyc/documents/", {"kind": "IDENTITY", "file": LARGE})
    assert (by_api.status_code, by_api.json()["field"]) == (400, "file")


def test_a_request_of_absurd_size_is_refused_before_it_is_read(alice: User) -> None:
    HUGE.seek(0)
    by_api = browser_of(alice).post("/api/v1/kyc/documents/", {"kind": "IDENTITY", "file": HUGE})
    assert (by_api.status_code, by_api.json()["code"]) == (413, "too_large")
    HUGE.seek(0)
    page = Client().post("/accounts/login/", {"login": "x", "file": HUGE})
    assert page.status_code == 400


def test_without_memory_of_tries_nobody_signs_in(alice: User, away: None) -> None:
    client = Client()
    answer = client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert answer.status_code == 503
    assert client.get("/security/").status_code == 302


def test_without_memory_of_used_codes_none_passes(alice: User, away: None) -> None:
    with pytest.raises(Unavailable):
        services.require_second_factor(alice, "000000")


def test_without_memory_the_api_says_so(alice: User, away: None) -> None:
    answer = browser_of(alice).get("/api/v1/me/")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("path", ["/security/", "/verify/personal/", "/notices/", "/settings/"])
def test_without_redis_own_pages_still_read(alice: User, away: None, path: str) -> None:
    assert browser_of(alice).get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/verify/documents/99999999999999999999/", 404),
        ("/admin/search/?q=%00", 400),
        ("/admin/search/?q=99999999999999999999999999", 200),
        ("/admin/search/?q=%F0%9F%92%A9%27%22<script>", 200),
        ("/admin/accounts/kyccase/99999999999999999999/approve/", 404),
        ("/notices/?page=%00", 400),
        ("/admin/accounts/user/?q=%00", 400),
    ],
)
def test_odd_addresses_break_nothing(carol: User, path: str, status: int) -> None:
    answer = browser_of(carol).get(path)
    assert answer.status_code == status
    assert "<script>" not in answer.text.replace("<script src", "")
