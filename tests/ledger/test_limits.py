"""How much may leave, when, and who has to look: counted under the lock, told before anybody asks."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import connections
from django.test import Client, override_settings
from django.utils import timezone

from accounts import queries as people
from accounts import services as accounts
from accounts.models import User
from exchange.errors import DomainError
from exchange.office.models import AuditRecord
from ledger import queries
from ledger import services as ledger
from ledger.errors import NoPrice, OverDayLimit, OverMonthLimit
from ledger.models import Network, Withdrawal
from markets.models import Asset
from tests.factories import CROWD, balance, fund, publish_ticker
from tests.ledger import contests
from tests.ledger.money import (
    ADDRESS,
    APPLY,
    OWN_WALLET,
    approved,
    confirm,
    confirmed,
    mailed_token,
    request,
    staff,
    status_of,
    unused_code,
)
from tests.race import race
from tests.venue import Venue

LIMITS = {
    "WITHDRAWAL_DAY_LIMITS": [Decimal(0), Decimal(250)],
    "WITHDRAWAL_MONTH_LIMITS": [Decimal(0), Decimal(400)],
}


def earlier(like: Withdrawal, ago: timedelta, **changes: Any) -> None:
    """Another like it, asked for so long ago."""
    values: dict[str, Any] = {**Withdrawal.objects.filter(pk=like.pk).values().get()}
    del values["id"]
    name = uuid4().hex
    row = Withdrawal(
        **{**values, "nonce": name, "client_id": name, "requested_at": timezone.now() - ago, **changes}
    )
    row.save(force_insert=True)


# ------------------------------------------------------------------ what is left
def test_more_than_the_day_leaves_is_refused_with_what_is_left(rich: User) -> None:
    with override_settings(**LIMITS):
        request(rich)
        with pytest.raises(OverDayLimit, match="limit of 250 in 24 hours 150 USDT are left"):
            request(rich, nonce="n2", amount=Decimal("150.1"))
        assert request(rich, nonce="n3", amount=Decimal(150)).pk


def test_yesterdays_count_for_the_month_and_last_months_do_not(rich: User) -> None:
    with override_settings(**LIMITS):
        first = request(rich, amount=Decimal(50))
        earlier(first, timedelta(days=1, minutes=1), value=Decimal(300))
        earlier(first, timedelta(days=31), value=Decimal(300))
        with pytest.raises(OverMonthLimit, match="50 USDT are left"):
            request(rich, nonce="n2", amount=Decimal(51))
        assert request(rich, nonce="n3", amount=Decimal(50)).pk


@pytest.mark.parametrize("status", ["CANCELED", "EXPIRED", "REFUSED", "FAILED"])
def test_what_was_given_back_does_not_count(rich: User, status: str) -> None:
    with override_settings(**LIMITS):
        first = request(rich, amount=Decimal(10))
        earlier(first, timedelta(hours=1), value=Decimal(240), status=status, confirmed_at=timezone.now())
        assert request(rich, nonce="n2", amount=Decimal(240)).pk


def test_who_is_not_verified_may_withdraw_nothing(rich: User) -> None:
    rich.tier = 0
    assert queries.limits(rich).left == 0


def test_another_asset_is_counted_by_what_it_is_worth(rich: User) -> None:
    Asset.objects.create(code="BTC")
    Network.objects.create(
        asset_id="BTC",
        code="BTC",
        withdraw_enabled=True,
        withdraw_fee=Decimal("0.0001"),
        withdraw_min=Decimal("0.001"),
    )
    fund(rich, "BTC", "1")
    asked = {
        "asset": "BTC", "network": "BTC", "address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "amount": Decimal("0.01"), "fee": Decimal("0.0001"),
    }  # fmt: skip
    with pytest.raises(NoPrice):
        request(rich, **asked)
    publish_ticker("BTCUSDT", "4", age_s=61)
    with pytest.raises(NoPrice):
        request(rich, **asked)
    publish_ticker("BTCUSDT", "40000")
    with override_settings(**LIMITS), pytest.raises(OverDayLimit, match="worth 400 USDT"):
        request(rich, **asked)
    assert request(rich, **asked).value == 400


@pytest.mark.parametrize(
    ("asset", "worth"),
    [("USDT", "2"), ("BTC", "80000"), ("TRY", "0.05"), ("XMR", "320"), ("NONE", None), ("ZERO", None)],
)
def test_a_worth_is_found_by_a_market_its_opposite_or_a_bridge(asset: str, worth: str | None) -> None:
    for symbol, last in {"BTCUSDT": "40000", "USDTTRY": "40", "XMRBTC": "0.004", "ZEROUSDT": "0"}.items():
        publish_ticker(symbol, last)
    assert queries.worth(asset, Decimal(2)) == (None if worth is None else Decimal(worth))


@CROWD
def test_of_a_hundred_requests_at_the_edge_from_fifty_processes_as_many_pass_as_fit(
    really_rich: User, figure: Callable[[str], None]
) -> None:
    with override_settings(MFA_RECOVERY_CODE_COUNT=100):
        known = RecoveryCodes(Authenticator.objects.get(user=really_rich, type="recovery_codes"))
        codes = known.get_unused_codes()
    facts = {"user": really_rich.pk, "address": ADDRESS, "codes": codes, "most": "250"}
    told = race(contests.two_requests, 50, **facts)
    answers = Counter(answer for answers in told for answer in answers)
    figure(", ".join(f"{count} {answer}" for answer, count in answers.most_common()))
    assert (answers[contests.TAKEN], answers[contests.OVER]) == (10, 90)
    assert queries.limits(really_rich).day.used == 250
    assert balance(really_rich, "USDT") == (29750, 250)


# ------------------------------------------------------------------ why a person looks
def reasons_of(user: User, **changes: Any) -> set[str]:
    return set(confirmed(user, nonce=uuid4().hex, **changes).reasons)


def test_every_withdrawal_needs_a_person_by_default(rich: User) -> None:
    withdrawal = confirmed(rich)
    assert (withdrawal.status, withdrawal.needs) == ("REQUESTED", 1)
    assert {"NOT_SMALL", "NEW_ADDRESS"} <= set(withdrawal.reasons)
    assert withdrawal.reasons_in_words[0] == "Nothing of theirs was ever sent to this address."


@override_settings(WITHDRAWAL_AUTO_LIMIT=Decimal(700), WITHDRAWAL_MANY_A_DAY=3)
def test_what_nothing_speaks_against_is_sent_without_a_person(rich: User, venue: Venue) -> None:
    earlier(confirmed(rich), timedelta(days=3), status="COMPLETED")
    withdrawal = confirmed(rich, nonce="n2")
    assert (withdrawal.reasons, withdrawal.status) == ([], "APPROVED")
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"
    assert reasons_of(rich, amount=Decimal(401)) == {"NOT_SMALL"}
    assert reasons_of(rich, amount=Decimal(20)) == {"MANY", "NOT_SMALL"}


@override_settings(WITHDRAWAL_TWO_PEOPLE_ABOVE=Decimal(250))
def test_many_small_ones_within_a_day_need_two_people_like_one_large_one(rich: User) -> None:
    several = [confirmed(rich, nonce=f"n{number}") for number in range(4)]
    assert [withdrawal.needs for withdrawal in several] == [1, 1, 2, 2]
    assert several[2].reasons[0] == "LARGE"
    for withdrawal in several[1:]:
        ledger.cancel_withdrawal(withdrawal_id=withdrawal.pk, user=rich)
    earlier(several[0], timedelta(days=2), confirmed_at=timezone.now() - timedelta(days=2))
    request(rich, nonce="never confirmed")
    assert confirmed(rich, nonce="n9").needs == 1


def test_ten_confirmed_at_once_are_counted_one_by_one(really_rich: User) -> None:
    several = [request(really_rich, nonce=f"n{number}") for number in range(10)]
    tokens = {withdrawal.pk: mailed_token(withdrawal) for withdrawal in several}
    told = race(contests.one_confirmation, 10, user=really_rich.pk, tokens=list(tokens.items()), most="250")
    assert sorted(told) == [1] * 2 + [2] * 8


def test_a_new_browser_or_network_is_a_reason_for_a_day(rich: User) -> None:
    def sign_in(agent: str, address: str) -> bool:
        before = timezone.now()
        accounts.note_sign_in(rich, address=address, agent=agent)
        return people.has_new_device(rich, before)

    assert sign_in("Firefox", "192.0.2.1")
    assert not sign_in("Firefox", "192.0.2.1")
    assert sign_in("Firefox", "192.0.2.2")
    assert sign_in("Chrome", "192.0.2.1")
    assert "NEW_DEVICE" in reasons_of(rich)


def test_after_a_change_of_security_nothing_leaves_for_a_day(rich: User, venue: Venue) -> None:
    accounts.note_security_change(rich, kind="password_changed", address="192.0.2.1", session_key=None)
    withdrawal = approved(rich)
    assert withdrawal.not_before is not None
    assert round((withdrawal.not_before - timezone.now()) / timedelta(hours=1)) == 24
    assert "SECURITY_CHANGE" in withdrawal.reasons
    assert not ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("APPROVED", 0)
    User.objects.update(security_changed_at=timezone.now() - timedelta(days=2))
    Withdrawal.objects.update(not_before=timezone.now())
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"


def test_a_change_of_security_after_the_approval_brings_it_back_to_staff(rich: User, venue: Venue) -> None:
    withdrawal = approved(rich)
    accounts.note_security_change(rich, kind="password_reset", address="192.0.2.1", session_key=None)
    ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("REQUESTED", 0)
    assert withdrawal.reasons[0] == "CHANGED_SINCE"
    ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=staff())
    ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("APPROVED", 0)


def test_one_over_the_limits_or_out_of_the_book_when_it_is_sent_is_for_staff(
    rich: User, venue: Venue
) -> None:
    withdrawal = approved(rich)
    ledger.set_book_only(user=rich, is_on=True, code=unused_code(rich))
    with override_settings(WITHDRAWAL_DAY_LIMITS=[Decimal(0), Decimal(99)]):
        ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("REQUESTED", 0)
    assert withdrawal.reasons[:2] == ["OVER_LIMIT", "NOT_IN_BOOK"]
    assert not withdrawal.approvals.exists()


def test_later_requests_do_not_push_an_old_one_over_its_limit(rich: User, venue: Venue) -> None:
    with override_settings(**LIMITS):
        withdrawal = approved(rich, amount=Decimal(150))
        earlier(withdrawal, timedelta(hours=-1), value=Decimal(200))
        venue.on("POST", APPLY, (200, {"id": "w1"}))
        ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"


def test_a_network_that_closed_keeps_it_waiting_and_a_dearer_one_gives_it_back(
    rich: User, venue: Venue
) -> None:
    withdrawal = approved(rich)
    Network.objects.update(withdraw_enabled=False)
    assert not ledger.send_next_withdrawal()
    Network.objects.update(withdraw_enabled=True, withdraw_fee=Decimal(2))
    ledger.send_next_withdrawal()
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("REFUSED", (1000, 0))
    assert venue.count("POST", APPLY) == 0


# ------------------------------------------------------------------ told before anybody asks
def test_the_quote_says_fee_net_worth_and_what_is_left(rich: User, client: Client) -> None:
    client.force_login(rich)
    request(rich)
    asked = {"asset": "USDT", "network": "TRX", "amount": "100"}
    found = client.get("/api/v1/withdrawals/quote/", asked).json()
    figures = {name: found[name] for name in ("fee", "net", "value", "withdrawable")}
    assert figures == {"fee": "1", "net": "99", "value": "100", "withdrawable": "900"}
    assert found["limits"]["day"] == {"total": "20000", "used": "100", "left": "19900"}
    assert client.get("/api/v1/withdrawals/limits/").json() == found["limits"]


@pytest.mark.parametrize(
    ("changes", "field", "status"),
    [
        ({"amount": ""}, "amount", 400), ({"amount": "1e3"}, "amount", 400), ({"amount": "-5"}, "amount", 400),
        ({"amount": "9"}, "amount", 400), ({"amount": "NaN"}, "amount", 400), ({"network": "X"}, "network", 404),
        ({"asset": ""}, "asset", 400),
    ],
)  # fmt: skip
def test_a_quote_of_nonsense_is_refused_beside_its_field(
    rich: User, client: Client, changes: dict[str, str], field: str, status: int
) -> None:
    client.force_login(rich)
    asked = {"asset": "USDT", "network": "TRX", "amount": "100", **changes}
    answer = client.get("/api/v1/withdrawals/quote/", asked)
    assert (answer.json()["field"], answer.status_code) == (field, status)


def test_what_is_bound_is_the_fee_that_was_quoted(rich: User, client: Client) -> None:
    client.force_login(rich)
    Network.objects.update(withdraw_fee=Decimal("1.5"))
    asked = {
        "asset": "USDT", "network": "TRX", "address": ADDRESS, "amount": "100", "fee": "1",
        "code": unused_code(rich), "nonce": "n1",
    }  # fmt: skip
    refused = client.post("/api/v1/withdrawals/", asked, content_type="application/json")
    assert (refused.status_code, refused.json()["field"]) == (409, "fee")
    assert "would get 98.5" in refused.json()["message"]
    taken = client.post("/api/v1/withdrawals/", {**asked, "fee": "1.5"}, content_type="application/json")
    assert (taken.status_code, taken.json()["status"]) == (201, "AWAITING")


def test_the_form_takes_the_new_fee_when_it_is_sent_again(rich: User, client: Client) -> None:
    client.force_login(rich)
    Network.objects.update(withdraw_fee=Decimal("1.5"))
    asked = {"address": ADDRESS, "amount": "100", "fee": "1", "code": unused_code(rich), "nonce": "n1"}
    page = client.post("/wallet/withdraw/?asset=USDT", asked).text
    assert 'name="fee" value="1.5"' in page
    done = client.post("/wallet/withdraw/?asset=USDT", {**asked, "fee": "1.5"}, follow=True)
    assert "Check your mail." in done.text


# ------------------------------------------------------------------ at the same time
def test_of_confirming_canceling_refusing_and_approving_at_once_the_books_see_one_outcome(
    really_rich: User,
) -> None:
    carol = staff()
    for number in range(6):
        withdrawal = request(really_rich, nonce=f"n{number}")
        token = mailed_token(withdrawal)
        steps: list[Callable[[], object]] = [
            lambda w=withdrawal, t=token: ledger.confirm_withdrawal(
                withdrawal_id=w.pk, user=really_rich, token=t
            ),  # type: ignore[misc]
            lambda w=withdrawal: ledger.cancel_withdrawal(withdrawal_id=w.pk, user=really_rich),  # type: ignore[misc]
            lambda w=withdrawal: ledger.refuse_withdrawal(withdrawal_id=w.pk, by=carol, reason="x"),  # type: ignore[misc]
            lambda w=withdrawal: ledger.approve_withdrawal(withdrawal_id=w.pk, by=carol),  # type: ignore[misc]
        ]
        with ThreadPoolExecutor(len(steps) * 2) as pool:
            list(pool.map(attempt, steps * 2))
        assert status_of(withdrawal) in {"CANCELED", "REFUSED"}
    assert balance(really_rich, "USDT") == (30000, 0)


def attempt(step: Callable[[], object]) -> None:
    try:
        step()
    except DomainError:
        pass
    finally:
        connections.close_all()


def test_ten_confirmations_at_once_count_as_one(really_rich: User) -> None:
    withdrawal = request(really_rich, amount=Decimal(1500), beneficiary=OWN_WALLET)

    def step() -> bool:
        try:
            confirm(withdrawal)
        except DomainError:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(10) as pool:
        passed = [done.result() for done in [pool.submit(step) for _number in range(10)]]
    assert (sum(passed), status_of(withdrawal)) == (1, "REQUESTED")
    assert AuditRecord.objects.filter(action="withdrawal.confirmed").count() == 1


def test_two_senders_send_each_withdrawal_once(really_rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, lambda asked: (200, {"id": asked["withdrawOrderId"]}))
    for number in range(4):
        approved(really_rich, nonce=f"n{number}")

    def send(_number: int) -> None:
        ledger.send_next_withdrawal()
        connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(12)))
    sent = [
        asked["withdrawOrderId"] for method, path, asked in venue.asked if (method, path) == ("POST", APPLY)
    ]
    assert sorted(sent) == sorted(Withdrawal.objects.values_list("client_id", flat=True))
    assert set(Withdrawal.objects.values_list("status", flat=True)) == {"SENT"}
