"""Keys of venue accounts: sealed in the database, changed and rotated while orders go on, refused when too mighty."""

import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils import timezone

from accounts.models import User
from exchange.binance.errors import NotSent, Rejected
from exchange.errors import DomainError
from exchange.gate import accounts, keys, rights, vault
from exchange.gate import services as gate
from exchange.gate.errors import CannotOpen, NoKeysSecret, OddKey, OddName, OddProxy
from exchange.gate.models import SealedKey, VenueAccount
from exchange.office.models import AuditRecord, Notice
from tests.factories import venue_account
from tests.venue import Venue, error, order_body

API_KEY, SECRET = "CanaryKey" + "k" * 40, "CanarySecret" + "s" * 40
REVOKED = error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
State = VenueAccount.KeyState


def rights_body(**changes: Any) -> tuple[int, dict[str, Any]]:
    good = {"ipRestrict": True, "enableWithdrawals": False, "enableSpotAndMarginTrading": True}
    return 200, {**good, **changes}


@pytest.fixture(autouse=True)
def secret(tmp_path: Path, db: None, venue: Venue) -> Iterator[Path]:
    """The secrets under which keys are sealed, in a file."""
    file = tmp_path / "secrets"
    file.write_text(secrets.token_urlsafe(48))
    with override_settings(VENUE_KEYS_SECRET_FILE=str(file)):
        yield file


@pytest.fixture
def second() -> VenueAccount:
    """Another account that takes orders, with a key of its own."""
    account = accounts.add_account("second", reason="more room")
    accounts.enable_account(account.pk, reason="it is funded")
    keys.set_key(account.pk, api_key=API_KEY, secret=SECRET, reason="new")
    return VenueAccount.objects.get(pk=account.pk)


def now(account: VenueAccount) -> VenueAccount:
    return VenueAccount.objects.get(pk=account.pk)


def key_used(venue: Venue, account: VenueAccount) -> str:
    """The key that the venue was shown."""
    venue.on("GET", "/api/v3/openOrders", (200, []))
    gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.open_orders("BTCUSDT"))
    return str(venue._mock.calls[-1].request.headers["X-MBX-APIKEY"])


def place(account: VenueAccount) -> Any:
    return gate.call(account, gate.Kind.PLACE, None, lambda rest: rest.cancel("BTCUSDT", "mine"))


# ------------------------------------------------------------------ whose key is used
def test_each_account_is_asked_with_its_own_key(venue: Venue, second: VenueAccount) -> None:
    assert key_used(venue, second) == API_KEY
    assert key_used(venue, venue_account()) == "key"  # of the settings


def test_another_key_counts_from_the_next_call_on(venue: Venue, second: VenueAccount) -> None:
    assert key_used(venue, second) == API_KEY
    keys.set_key(second.pk, api_key="another" * 5, secret=SECRET, reason="the old one leaked")
    assert key_used(venue, now(second)) == "another" * 5


def test_the_primary_account_may_have_a_sealed_key_instead_of_the_settings(venue: Venue) -> None:
    primary = venue_account()
    keys.set_key(primary.pk, api_key=API_KEY, secret=SECRET, reason="out of the environment")
    assert key_used(venue, now(primary)) == API_KEY


def test_an_account_without_a_key_asks_nothing(venue: Venue) -> None:
    with pytest.raises(NotSent, match="no key"):
        key_used(venue, accounts.add_account("empty", reason="for later"))
    assert venue.asked == []


def test_an_ed25519_key_signs_too(venue: Venue, second: VenueAccount) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    row = keys.set_key(second.pk, api_key="ed" * 20, secret=pem.decode(), reason="the better kind")
    assert key_used(venue, now(second)) == "ed" * 20 and row.kind == "ED25519"


# ------------------------------------------------------------------ at rest
def test_neither_key_nor_secret_is_in_the_row_or_on_record(second: VenueAccount) -> None:
    rows = [*SealedKey.objects.values(), *AuditRecord.objects.values(), *VenueAccount.objects.values()]
    assert SECRET not in str(rows) and API_KEY not in str(rows)
    assert SealedKey.objects.get().fingerprint.startswith("…kkkk ")


def test_rotating_seals_every_key_under_the_newest_secret(
    venue: Venue, second: VenueAccount, secret: Path
) -> None:
    before = SealedKey.objects.get()
    secret.write_text(f"{secrets.token_urlsafe(48)}\n{secret.read_text()}")
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    after = SealedKey.objects.get()
    assert after.sealed_under == vault.newest() != before.sealed_under and "1 sealed anew" in out.getvalue()
    secret.write_text(secret.read_text().splitlines()[0])  # the old one is taken out
    keys.forget()
    assert key_used(venue, second) == API_KEY


def test_a_key_is_in_use_while_its_secret_is_missing_and_opens_when_it_is_back(
    venue: Venue, second: VenueAccount, secret: Path
) -> None:
    kept = secret.read_text()
    assert key_used(venue, second) == API_KEY
    secret.write_text(secrets.token_urlsafe(48))
    assert key_used(venue, second) == API_KEY  # this process has opened it before
    keys.forget()
    with pytest.raises(NotSent, match="no key"):
        key_used(venue, second)
    with pytest.raises(CommandError, match="second: The key of this account cannot be opened"):
        call_command("rotate_keys", stdout=io.StringIO())
    secret.write_text(kept)
    assert key_used(venue, second) == API_KEY


def test_a_key_that_was_moved_to_another_account_opens_nothing(second: VenueAccount) -> None:
    sealed = SealedKey.objects.get().sealed
    with pytest.raises(CannotOpen):
        vault.unseal(venue_account().pk, sealed)


def test_without_a_secret_nothing_is_kept(second: VenueAccount) -> None:
    with override_settings(VENUE_KEYS_SECRET_FILE=""), pytest.raises(NoKeysSecret):
        keys.set_key(second.pk, api_key=API_KEY, secret=SECRET, reason="again")


# ------------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    ("api_key", "secret_text", "field"),
    [
        ("", SECRET, "api_key"),
        ("short", SECRET, "api_key"),
        ("with space" * 5, SECRET, "api_key"),
        ("käse" * 10, SECRET, "api_key"),
        ("k" * 129, SECRET, "api_key"),
        (API_KEY, "", "secret"),
        (API_KEY, "two lines\nof it", "secret"),
        (API_KEY, "-----BEGIN PRIVATE KEY-----\nbroken\n-----END PRIVATE KEY-----", "secret"),
    ],
)
def test_what_is_no_key_is_refused_and_the_old_one_stays(
    venue: Venue, second: VenueAccount, api_key: str, secret_text: str, field: str
) -> None:
    with pytest.raises(OddKey) as refusal:
        keys.set_key(second.pk, api_key=api_key, secret=secret_text, reason="new")
    assert refusal.value.field == field and (secret_text or "?") not in str(refusal.value)
    assert key_used(venue, now(second)) == API_KEY


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.example",
        "socks5://p:1080",
        "http://user:word@p:8080",
        "http://p",
        "http://p:8080/x",
        "http://p:0",
    ],
)
def test_a_proxy_is_an_address_and_no_more(second: VenueAccount, proxy: str) -> None:
    with pytest.raises(OddProxy):
        accounts.set_proxy(second.pk, proxy=proxy, reason="another way")


@pytest.mark.parametrize("name", ["", "Second", "second", "a" * 33, "a b", "-a"])
def test_an_odd_or_taken_name_is_refused(second: VenueAccount, name: str) -> None:
    with pytest.raises(OddName):
        accounts.add_account(name, reason="another")


def test_nothing_is_changed_without_a_reason(second: VenueAccount) -> None:
    for change in (
        lambda: accounts.add_account("third", reason=" "),
        lambda: accounts.disable_account(second.pk, reason=""),
        lambda: accounts.set_proxy(second.pk, proxy="", reason=""),
        lambda: keys.set_key(second.pk, api_key=API_KEY, secret=SECRET, reason=""),
    ):
        with pytest.raises(DomainError):
            change()
    assert now(second).is_enabled and VenueAccount.objects.count() == 2


# ------------------------------------------------------------------ what a key may do
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"enableWithdrawals": True}, "it may withdraw"),
        ({"ipRestrict": False}, "it is not bound to addresses"),
        ({"enableSpotAndMarginTrading": False}, "it may not trade"),
        ({"enableWithdrawals": None}, "it may withdraw"),
    ],
)
def test_only_a_key_that_may_trade_and_no_more_is_fit(
    venue: Venue, second: VenueAccount, changes: dict[str, Any], reason: str
) -> None:
    venue.on("GET", "/sapi/v1/account/apiRestrictions", rights_body(**changes))
    assert rights.check_key(second) == (State.UNFIT if reason else State.GOOD)
    assert now(second).key_reason == reason


def test_no_order_is_sent_with_a_key_that_is_not_fit_and_staff_hear_of_it_once(
    venue: Venue, second: VenueAccount, client: Client
) -> None:
    carol = User.objects.create_superuser("carol@example.com", "a long password")
    venue.on("GET", "/sapi/v1/account/apiRestrictions", rights_body(enableWithdrawals=True))
    for _time in range(2):
        rights.check_key(now(second))
    with pytest.raises(NotSent, match="not used"):
        place(now(second))
    assert "second: it may withdraw" in Notice.objects.get(user=carol, kind="gate.key second").body
    client.force_login(carol)
    assert "second · not fit · it may withdraw" in client.get("/admin/").text
    assert 'causeway_venue_account_open{account="second"} 0.0' in client.get("/metrics").text
    assert key_used(venue, now(second)) == API_KEY  # questions and cancels go on


def test_a_start_with_no_fit_key_ends_with_a_sentence(
    venue: Venue, second: VenueAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    venue.on("GET", "/sapi/v1/account/apiRestrictions", rights_body(ipRestrict=False))
    venue_account()
    with pytest.raises(SystemExit) as end:
        rights.require_fit_keys()
    assert end.value.code == 2
    assert "the key of second is not used: it is not bound to addresses." in capsys.readouterr().err


def test_a_start_while_the_venue_says_nothing_goes_on(venue: Venue, second: VenueAccount) -> None:
    rights.require_fit_keys()
    assert now(second).key_state == State.UNCHECKED


def test_real_money_waits_until_the_venue_has_said_what_the_key_may_do(
    venue: Venue, second: VenueAccount
) -> None:
    venue.on("DELETE", "/api/v3/order", (200, order_body({"symbol": "BTCUSDT", "newClientOrderId": "mine"})))
    with override_settings(VENUE="live"):
        with pytest.raises(NotSent, match="not used"):
            place(now(second))
        venue.on("GET", "/sapi/v1/account/apiRestrictions", rights_body())
        rights.check_key(now(second))
        assert place(now(second))


def test_a_venue_that_cannot_say_what_a_key_may_do_is_asked_whether_it_takes_it(
    venue: Venue, second: VenueAccount
) -> None:
    venue.on("GET", "/api/v3/account", (200, {"balances": []}))
    with override_settings(BINANCE_SAPI_URL=""):
        assert rights.check_key(second) == State.GOOD


# ------------------------------------------------------------------ revoked
def test_a_key_that_is_refused_places_nothing_until_it_is_taken_again(
    venue: Venue, second: VenueAccount
) -> None:
    venue.on("DELETE", "/api/v3/order", REVOKED)
    with pytest.raises(Rejected):
        place(second)
    assert now(second).key_state == State.REFUSED
    with pytest.raises(NotSent, match="not used"):
        place(now(second))
    venue.on("GET", "/sapi/v1/account/apiRestrictions", rights_body())
    rights.check_due_keys()
    assert now(second).key_state == State.GOOD


def test_a_key_that_was_changed_meanwhile_is_not_blamed_for_the_old_one(second: VenueAccount) -> None:
    keys.set_key(second.pk, api_key="another" * 5, secret=SECRET, reason="mended")
    keys.note_refused(second, "-2015 of the old one")
    assert now(second).key_state == State.UNCHECKED


def test_good_keys_are_looked_at_now_and_then(venue: Venue, second: VenueAccount) -> None:
    doors, accounts_there = ("GET", "/sapi/v1/account/apiRestrictions"), VenueAccount.objects.count()
    venue.on(*doors, rights_body())
    for _time in range(2):
        rights.check_due_keys()
    assert venue.count(*doors) == accounts_there
    VenueAccount.objects.update(key_checked_at=timezone.now() - rights.LOOK_AGAIN)
    rights.check_due_keys()
    assert venue.count(*doors) == 2 * accounts_there


# ------------------------------------------------------------------ people
def test_a_key_is_typed_or_piped_in_and_said_by_nobody(
    second: VenueAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{API_KEY[::-1]}\n{SECRET}\n"))
    out = io.StringIO()
    call_command("venue_account", "second", "--key", "--reason", "new", stdout=out)
    assert "second: takes orders; key …anaC" in out.getvalue()
    assert SECRET not in out.getvalue() and API_KEY[::-1] not in out.getvalue()
    file = tmp_path / "key"
    file.write_text(f"{API_KEY}\n{SECRET}")
    call_command("venue_account", "third", "--add", "--key-file", str(file), "--reason", "new", stdout=out)
    assert "third: takes no orders; key …kkkk" in out.getvalue()


def test_a_command_that_cannot_do_it_says_why_with_status_2(second: VenueAccount) -> None:
    for words in (
        ["third", "--enable", "--reason", "x"],
        ["second", "--key-file", os.devnull, "--reason", "x"],
    ):
        with pytest.raises(CommandError) as refusal:
            call_command("venue_account", *words, stdout=io.StringIO())
        assert refusal.value.returncode == 2


def test_staff_see_a_fingerprint_and_never_a_key(client: Client, second: VenueAccount) -> None:
    venue_account()
    client.force_login(User.objects.create_superuser("carol@example.com", "a long password"))
    pages = [client.get("/admin/gate/venueaccount/").text]
    pages += [
        client.get(f"/admin/gate/venueaccount/{row.pk}/change/").text for row in VenueAccount.objects.all()
    ]
    assert (
        "…kkkk" in pages[0]
        and "of the settings" in pages[0]
        and all("sealed_key" not in page for page in pages)
    )
    assert not any(
        text in page for page in pages for text in (API_KEY, SECRET, SealedKey.objects.get().sealed)
    )


def test_staff_let_an_account_take_no_orders_with_a_reason_on_record(
    client: Client, second: VenueAccount
) -> None:
    carol = User.objects.create_superuser("carol@example.com", "a long password")
    client.force_login(carol)
    client.post(f"/admin/gate/venueaccount/{second.pk}/disable/", {"reason": "it is being moved"})
    assert not now(second).is_enabled
    record = AuditRecord.objects.latest("id")
    assert (record.actor, record.action, record.reason) == (
        carol,
        "gate.account_disabled",
        "it is being moved",
    )
