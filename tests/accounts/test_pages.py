"""Every page of an account reads, in every language, and carries nothing a strict content policy would stop."""

import re

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.test import Client

from accounts import services
from accounts.models import User
from exchange.office import services as office
from tests.accounts.conftest import browser_of, signed_in_by_password

OPEN = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/accounts/inactive/"]
OWN = [
    "/verify/personal/",
    "/security/",
    "/security/tokens/new/",
    "/notices/",
    "/settings/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/reauthenticate/",
    "/accounts/sessions/",
    "/accounts/logout/",
]
WITH_FACTOR = [
    "/accounts/2fa/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/security/",
]
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|\sstyle=|\son[a-z]+=\"|<style|javascript:"
)


@pytest.mark.parametrize("path", OPEN)
def test_an_open_page_reads_in_the_houses_frame(client: Client, db: None, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert "Paper trading: simulated prices, no real money" in page.text
    assert not INLINE.search(page.text)


@pytest.mark.parametrize("path", OWN)
def test_an_own_page_reads_in_the_houses_frame(alice: User, path: str) -> None:
    page = signed_in_by_password(alice).get(path)
    assert page.status_code == 200
    assert 'class="site-header"' in page.text
    assert not INLINE.search(page.text)


@pytest.mark.parametrize("path", WITH_FACTOR)
def test_a_page_about_the_factor_reads(alice: User, path: str) -> None:
    browser = signed_in_by_password(alice)
    TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(alice)
    page = browser.get(path)
    assert page.status_code == 200
    assert not INLINE.search(page.text)


@pytest.mark.parametrize("path", [path for path in OWN if not path.startswith("/accounts/")])
def test_an_own_page_is_nobody_elses(client: Client, db: None, path: str) -> None:
    assert client.get(path).headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("language", ["en", "zh-hans", "xx"])
def test_a_page_says_which_language_it_is_in(client: Client, db: None, language: str) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": language})
    assert '<html lang="en"' in page.text


def test_the_chosen_language_and_theme_stay(alice: User) -> None:
    browser = browser_of(alice)
    browser.post("/settings/", {"language": "en", "theme": "dark"})
    page = browser.get("/settings/").text
    assert '<html lang="en" data-theme="dark">' in page
    alice.refresh_from_db()
    assert (alice.language, alice.theme) == ("en", "dark")


def test_an_odd_theme_is_refused(alice: User) -> None:
    assert browser_of(alice).post("/settings/", {"language": "en", "theme": "<b>"}).status_code == 400


def test_notices_are_new_until_they_are_read(alice: User) -> None:
    office.notify(alice, "test", "Your deposit is here", "100 <USDT>")
    browser = browser_of(alice)
    assert "data-new" in browser.get("/notices/").text
    browser.post("/notices/")
    page = browser.get("/notices/").text
    assert "data-new" not in page
    assert "100 &lt;USDT&gt;" in page


def test_a_name_from_an_agent_cannot_run_in_a_page(alice: User) -> None:
    services.note_sign_in(alice, address="10.0.0.1", agent="<script>alert(1)</script>")
    assert "<script>alert" not in browser_of(alice).get("/security/").text


def test_the_other_sessions_end_by_one_button(alice: User) -> None:
    here, there = signed_in_by_password(alice), browser_of(alice)
    there.get("/security/")
    here.post("/accounts/sessions/")
    assert here.get("/security/").status_code == 200
    assert there.get("/security/").status_code == 302


def test_a_closed_account_does_not_sign_in(alice: User, client: Client) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    client.post("/accounts/login/", {"login": alice.email, "password": "correct horse battery staple"})
    assert client.get("/security/").status_code == 302


def test_a_link_to_elsewhere_is_not_followed_after_sign_in(alice: User, client: Client) -> None:
    fields = {
        "login": alice.email,
        "password": "correct horse battery staple",
        "next": "https://evil.example/",
    }
    assert client.post("/accounts/login/", fields).headers["Location"] == "/wallet/"
