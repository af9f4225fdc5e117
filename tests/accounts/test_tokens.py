"""API tokens: shown once, kept as a digest, bound to their rights and their life."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.errors import TooManyTokens, UnknownToken
from accounts.models import ApiToken, User
from tests.accounts.conftest import PASSWORD, browser_of, signed_in_by_password


def program_with(secret: str) -> APIClient:
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return program


def test_a_token_is_made_on_the_page_shown_once_and_opens_the_api(alice: User) -> None:
    browser = signed_in_by_password(alice)
    page = browser.post("/security/tokens/new/", {"name": "bot", "days": "30"}).text
    secret = page.split('id="token-secret">')[1].split("<")[0]
    assert secret.startswith("cw_")
    assert program_with(secret).get("/api/v1/me/").json()["email"] == alice.email
    assert secret not in browser.get("/security/").text
    assert ApiToken.objects.get().digest != secret


def test_only_who_just_showed_the_password_makes_a_token(alice: User) -> None:
    answer = browser_of(alice).post("/security/tokens/new/", {"name": "bot", "days": "30"})
    assert "/reauthenticate/" in answer.headers["Location"]
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("ended", ["revoked_at", "expires_at"])
def test_an_ended_token_opens_nothing(alice: User, ended: str) -> None:
    token, secret = services.issue_token(alice, name="bot")
    ApiToken.objects.filter(pk=token.pk).update(**{ended: timezone.now() - timedelta(seconds=1)})
    answer = program_with(secret).get("/api/v1/me/")
    assert answer.status_code == 401
    assert answer.json()["code"] == "authentication_failed"


def test_a_token_of_a_closed_account_opens_nothing(alice: User) -> None:
    _token, secret = services.issue_token(alice, name="bot")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert program_with(secret).get("/api/v1/me/").status_code == 401


def test_the_use_of_a_token_is_noted(alice: User) -> None:
    token, secret = services.issue_token(alice, name="bot")
    program_with(secret).get("/api/v1/me/")
    token.refresh_from_db()
    assert token.last_used_at is not None


def test_a_token_that_may_not_trade_only_reads(alice: User) -> None:
    _token, secret = services.issue_token(alice, name="bot")
    answer = program_with(secret).post("/api/v1/orders/", {"symbol": "BTCUSDT"}, format="json")
    assert answer.status_code == 403
    assert program_with(secret).get("/api/v1/notices/").status_code == 200


def test_a_token_makes_no_other_token_and_changes_no_case(alice: User) -> None:
    _token, secret = services.issue_token(alice, name="bot", can_trade=True)
    program = program_with(secret)
    made = program.post("/api/v1/tokens/", {"name": "more", "password": PASSWORD}, format="json")
    assert made.status_code == 403
    assert program.post("/api/v1/kyc/", {}, format="json").status_code == 403
    assert program.delete("/api/v1/tokens/1/").status_code == 403


def test_by_api_a_token_asks_for_the_password(alice: User) -> None:
    person = APIClient()
    person.force_login(alice)
    wrong = person.post("/api/v1/tokens/", {"name": "bot", "password": "guess"}, format="json")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "password")
    made = person.post("/api/v1/tokens/", {"name": "bot", "password": PASSWORD}, format="json")
    assert made.status_code == 201
    assert program_with(made.json()["token"]).get("/api/v1/me/").status_code == 200
    assert "token" not in person.get("/api/v1/tokens/").json()["results"][0]


def test_nobody_revokes_a_strangers_token(alice: User, bob: User) -> None:
    token, secret = services.issue_token(alice, name="bot")
    with pytest.raises(UnknownToken):
        services.revoke_token(bob, token.pk)
    assert browser_of(bob).post(f"/security/tokens/{token.pk}/revoke/").status_code == 404
    assert program_with(secret).get("/api/v1/me/").status_code == 200


def test_a_revoked_token_is_gone_from_the_page(alice: User) -> None:
    token, _secret = services.issue_token(alice, name="my bot")
    browser = browser_of(alice)
    browser.post(f"/security/tokens/{token.pk}/revoke/")
    assert "my bot" not in browser.get("/security/").text


def test_twenty_tokens_are_enough(alice: User) -> None:
    for number in range(20):
        services.issue_token(alice, name=f"bot {number}")
    with pytest.raises(TooManyTokens):
        services.issue_token(alice, name="one more")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer cw_wrong", "Bearer \xff\xfe", "bearer  cw_x", "Basic YTpi"]
)
def test_an_odd_header_is_refused_and_breaks_nothing(client: Client, db: None, header: str) -> None:
    assert client.get("/api/v1/me/", headers={"Authorization": header}).status_code == 401
