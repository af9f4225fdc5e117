"""The second factor: set up by oneself, kept encrypted, each code good for one use."""

import re
import threading
import time

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connection
from django.test import Client

from accounts import services
from accounts.errors import SecondFactorMissing, TooManyCodes, WrongCode
from accounts.models import User
from exchange.office.models import Notice
from tests.accounts.conftest import PASSWORD, browser_of, make_user, signed_in_by_password
from tests.race import at_once

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(secret: str) -> str:
    """What the app shows now; waits out a step that is about to end."""
    if time.time() % 30 > 28:
        time.sleep(2)
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


@pytest.fixture
def factor(alice: User) -> Authenticator:
    RecoveryCodes.activate(alice)
    return TOTP.activate(alice, SECRET).instance


def test_the_secret_is_not_readable_in_the_database(factor: Authenticator) -> None:
    factor.refresh_from_db()
    assert SECRET not in str(factor.data)
    assert factor.data["secret"].startswith("gAAAA")


def test_a_code_works_once(alice: User, factor: Authenticator) -> None:
    code = code_of(SECRET)
    services.require_second_factor(alice, code)
    with pytest.raises(WrongCode):
        services.require_second_factor(alice, code)


def test_a_code_used_to_sign_in_does_not_send_money(alice: User, factor: Authenticator) -> None:
    code = code_of(SECRET)
    browser = Client()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert browser.get("/security/").status_code == 302
    browser.post("/accounts/2fa/authenticate/", {"code": code})
    assert browser.get("/security/").status_code == 200
    with pytest.raises(WrongCode):
        services.require_second_factor(alice, code)


def test_a_recovery_code_works_once(alice: User, factor: Authenticator) -> None:
    codes = Authenticator.objects.get(user=alice, type=Authenticator.Type.RECOVERY_CODES)
    code = RecoveryCodes(codes).get_unused_codes()[0]
    services.require_second_factor(alice, code)
    with pytest.raises(WrongCode):
        services.require_second_factor(alice, code)


def test_somebody_elses_code_is_wrong(alice: User, bob: User, factor: Authenticator) -> None:
    with pytest.raises(WrongCode):
        services.require_second_factor(bob, code_of(SECRET))


@pytest.mark.parametrize("code", ["", "000000", "١٢٣٤٥٦", "' OR 1=1", "0" * 500])
def test_what_is_no_code_is_wrong(alice: User, factor: Authenticator, code: str) -> None:
    with pytest.raises(WrongCode) as refusal:
        services.require_second_factor(alice, code)
    assert refusal.value.field == "code"


def test_after_six_wrong_codes_even_the_right_one_has_to_wait(alice: User, factor: Authenticator) -> None:
    for _number in range(6):
        with pytest.raises(WrongCode):
            services.require_second_factor(alice, "000000")
    with pytest.raises(TooManyCodes):
        services.require_second_factor(alice, code_of(SECRET))
    cache.delete(f"second-factor:{alice.pk}")
    services.require_second_factor(alice, code_of(SECRET))


def test_without_an_authenticator_nothing_can_be_withdrawn(alice: User) -> None:
    alice.tier = User.Tier.VERIFIED
    with pytest.raises(SecondFactorMissing):
        services.require_can_withdraw(alice)


def test_recovery_codes_alone_are_no_authenticator(alice: User) -> None:
    alice.tier = User.Tier.VERIFIED
    RecoveryCodes.activate(alice)
    with pytest.raises(SecondFactorMissing):
        services.require_can_withdraw(alice)


def test_setting_up_shows_a_drawing_ends_in_recovery_codes_and_signs_out_elsewhere(
    committed_db: str,
) -> None:
    alice = make_user("alice")
    browser = signed_in_by_password(alice)
    elsewhere = browser_of(alice)
    elsewhere.get("/security/")
    page = browser.get("/accounts/2fa/totp/activate/").text
    assert "<svg" in page and "data:image" not in page
    secret = re.search(r'id="authenticator-secret">([A-Z2-7]+)<', page)
    assert secret
    done = browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret.group(1))}, follow=True)
    assert done.request["PATH_INFO"] == "/accounts/2fa/recovery-codes/"
    assert len(re.findall(r"<li><code>\d+</code>", done.text)) == 10
    assert Notice.objects.filter(user=alice, kind="totp_activated", channel="SITE").exists()
    assert browser.get("/security/").status_code == 200
    assert elsewhere.get("/security/").status_code == 302


def test_an_old_session_must_show_the_password_again_before_the_factor_changes(
    alice: User, factor: Authenticator
) -> None:
    browser = browser_of(alice)
    answer = browser.post("/accounts/2fa/totp/deactivate/")
    assert "/reauthenticate/" in answer.headers["Location"]
    assert Authenticator.objects.filter(pk=factor.pk).exists()


def test_a_new_password_leaves_the_second_factor_on(
    alice: User, factor: Authenticator, client: Client
) -> None:
    client.post("/accounts/password/reset/", {"email": alice.email})
    notice = Notice.objects.get(kind="password_reset_code")
    code = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", notice.body, re.M)
    assert code
    new = "another long pass phrase"
    client.post("/accounts/password/reset/confirm/", {"code": code.group(1)})
    client.post("/accounts/password/reset/complete/", {"password1": new, "password2": new})
    client.post("/accounts/login/", {"login": alice.email, "password": new})
    assert client.get("/security/").status_code == 302
    assert Authenticator.objects.filter(pk=factor.pk).exists()


@pytest.mark.parametrize("kind", ["totp", "recovery"])
def test_a_code_sent_by_many_at_once_passes_for_one(committed_db: str, kind: str) -> None:
    alice = make_user("alice")
    TOTP.activate(alice, SECRET)
    code = code_of(SECRET) if kind == "totp" else RecoveryCodes.activate(alice).get_unused_codes()[0]

    def use(_number: int) -> bool:
        try:
            services.require_second_factor(alice, code)
        except (WrongCode, TooManyCodes):
            return False
        return True

    assert sum(at_once(12, use)) == 1


def test_a_code_waits_for_others_of_the_same_customer(committed_db: str) -> None:
    alice = make_user("alice")
    RecoveryCodes.activate(alice)
    code = RecoveryCodes(Authenticator.objects.get(user=alice)).get_unused_codes()[0]
    with psycopg.connect(committed_db) as other, connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
        other.execute("SELECT FROM mfa_authenticator FOR UPDATE")
        end = threading.Timer(0.2, other.rollback)
        end.start()
        services.require_second_factor(alice, code)
        end.join()
    with pytest.raises(WrongCode):
        services.require_second_factor(alice, code)
