"""With which key an account is asked, and by which way: from its sealed row, or the settings for the primary account.

Each account's row has the version of its keys, and whoever calls has read the row: a change counts at once, in every
process, without a statement of its own.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import timedelta
from functools import cache as once
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.binance.errors import NotSent
from exchange.binance.signing import Ed25519Key, HmacKey, Key
from exchange.errors import DomainError
from exchange.gate import vault
from exchange.gate.errors import CannotOpen, NoKeysSecret, OddKey
from exchange.gate.models import SealedKey, VenueAccount
from exchange.office import queries as notices
from exchange.office import services as office

if TYPE_CHECKING:
    from accounts.models import User

log = structlog.get_logger()
State = VenueAccount.KeyState
# Of one account staff hear once in so long; each change is in the log.
QUIET = timedelta(minutes=10)
NOT_USED = gettext_lazy("The key of a venue account is not used")
NOT_USED_WORDS = gettext_lazy(
    "%(account)s: %(reason)s. No order goes there until that is mended; what is open there is asked for again."
)


class KeyNotUsed(NotSent):
    """Nothing is placed with the key of the account, because it is not fit or the venue does not take it."""

    def __init__(self) -> None:
        super().__init__("the key of the account is not used")


@dataclass(frozen=True)
class Access:
    """What a call of an account needs."""

    version: int
    own: Key | None = None
    of_settings: bool = False
    proxy: str = ""

    @property
    def key(self) -> Key | None:
        """None when there is none, or none that can be opened."""
        return venue_key() if self.of_settings else self.own


_known: dict[int, Access] = {}
_reading = threading.Lock()


def access_of(account: VenueAccount) -> Access:
    """As it is now: a later version than the one that is known here is read."""
    found = _known.get(account.pk)
    if found is None or found.version < account.keys_version:
        with _reading:
            found = _known[account.pk] = _read(account.pk)
    return found


def key_of(account: VenueAccount) -> Key | None:
    return access_of(account).key


def forget() -> None:
    """This process knows no key any more, and reads what it needs."""
    _known.clear()


def _read(account_id: int) -> Access:
    row = VenueAccount.objects.select_related("sealed_key").get(pk=account_id)
    sealed: SealedKey | None = getattr(row, "sealed_key", None)
    if sealed is None:
        return Access(row.keys_version, None, row.is_primary, row.proxy)
    try:
        return Access(row.keys_version, _opened(sealed), proxy=row.proxy)
    except (CannotOpen, NoKeysSecret) as error:
        log.error("gate.key_not_opened", account=row.name, sealed_under=sealed.sealed_under, why=error.code)
        # Looked at again with the next call: the secret may be there by then.
        return Access(row.keys_version - 1, proxy=row.proxy)


def _opened(row: SealedKey) -> Key:
    told = vault.unseal(row.venue_account_id, row.sealed)
    if row.kind == SealedKey.Kind.ED25519:
        return Ed25519Key.from_text(told["api_key"], told["private_key"])
    return HmacKey(told["api_key"], told["secret"])


# ------------------------------------------------------------------ what the venue thinks of them
def note_refused(account: VenueAccount, reason: str) -> str:
    """The venue does not take the key: no order goes there until it does again."""
    note_state(account, State.REFUSED, reason)
    return State.REFUSED


@transaction.atomic
def note_state(account: VenueAccount, state: str, reason: str = "") -> None:
    """Staff hear of a key that is not used from now on; of one that was changed meanwhile nothing was learned."""
    row = VenueAccount.objects.filter(pk=account.pk, keys_version=account.keys_version)
    told: dict[str, Any] = {"key_state": state, "key_reason": reason[:200], "key_checked_at": timezone.now()}
    is_new = row.exclude(key_state=state).update(**told) == 1
    if not is_new:
        row.update(**told)
        return
    log.warning("gate.key_state", account=account.name, state=str(state), reason=reason[:120])
    kind = f"gate.key {account.name}"
    latest = notices.latest_notice(kind) if state in (State.UNFIT, State.REFUSED) else None
    if state in (State.UNFIT, State.REFUSED) and (
        latest is None or timezone.now() - latest.created_at > QUIET
    ):
        words = {"account": account.name, "reason": reason[:200]}
        office.tell_staff(kind, NOT_USED, NOT_USED_WORDS, words)


# ------------------------------------------------------------------ of the settings
@once
def venue_key() -> Key | None:
    """The trading key of the settings, None without one."""
    return _key(settings.BINANCE_API_KEY, settings.BINANCE_API_SECRET, settings.BINANCE_PRIVATE_KEY_FILE)


@once
def withdraw_key() -> Key | None:
    return _key(
        settings.BINANCE_WITHDRAW_API_KEY,
        settings.BINANCE_WITHDRAW_API_SECRET,
        settings.BINANCE_WITHDRAW_PRIVATE_KEY_FILE,
    )


def _key(api_key: str, secret: str, file: str) -> Key | None:
    if not api_key:
        return None
    return Ed25519Key.from_file(api_key, file) if file else HmacKey(api_key, secret)


# ------------------------------------------------------------------ changing them
def fingerprint_of(api_key: str) -> str:
    """By which people recognise a key: its last letters, which the venue's page shows too, and a part of its digest."""
    return f"…{api_key[-4:]} {hashlib.sha256(api_key.encode()).hexdigest()[:12]}"


def set_key(
    account_id: int, *, api_key: str, secret: str, reason: str, by: "User | None" = None
) -> SealedKey:
    """The account is asked with this key from the next call on. `secret`: of an HMAC key, or an Ed25519 private key
    (PEM). On record. Refuses what nothing could be signed with."""
    told, kind = _told(api_key.strip(), secret.strip())
    _require_reason(reason)
    with transaction.atomic():
        account = VenueAccount.objects.select_for_update().get(pk=account_id)
        sealed, under = vault.seal(account.pk, told)
        before = SealedKey.objects.filter(venue_account=account).first()
        row, _new = SealedKey.objects.update_or_create(
            venue_account=account,
            defaults={
                "sealed": sealed,
                "sealed_under": under,
                "kind": kind,
                "fingerprint": fingerprint_of(told["api_key"]),
            },
        )
        _renew(account.pk)
        office.record(
            by,
            "gate.key_set",
            "venue_account",
            account.pk,
            before={"key": before.fingerprint if before else ""},
            after={"key": row.fingerprint, "kind": kind},
            reason=reason,
        )
    return row


def _told(api_key: str, secret: str) -> tuple[dict[str, str], SealedKey.Kind]:
    if not (api_key.isascii() and api_key.isalnum() and 8 <= len(api_key) <= 128):
        raise OddKey(field="api_key")
    if not secret.startswith("-----BEGIN"):
        if not (secret.isascii() and secret.isprintable() and 8 <= len(secret) <= 256 and " " not in secret):
            raise OddKey(_("The secret has to be one line of letters and digits."), field="secret")
        return {"api_key": api_key, "secret": secret}, SealedKey.Kind.HMAC
    try:
        Ed25519Key.from_text(api_key, secret)
    except (
        Exception
    ) as error:  # whatever the library thinks of a broken file; its words may hold a part of it
        raise OddKey(
            _("That is no Ed25519 private key (PEM, PKCS#8) without a password."), field="secret"
        ) from error
    return {"api_key": api_key, "private_key": secret}, SealedKey.Kind.ED25519


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise DomainError(_("Say why; it is kept on record."), field="reason")


def _renew(account_id: int, **more: object) -> None:
    """What was known of its key counts no more."""
    VenueAccount.objects.filter(pk=account_id).update(
        keys_version=F("keys_version") + 1,
        key_state=VenueAccount.KeyState.UNCHECKED,
        key_reason="",
        key_checked_at=None,
        **more,
    )


def set_proxy(account_id: int, *, proxy: str, reason: str, by: "User | None" = None) -> None:
    """The account's calls and its stream leave by this address from now on; empty: directly. On record."""
    _require_reason(reason)
    with transaction.atomic():
        account = VenueAccount.objects.select_for_update().get(pk=account_id)
        _renew(account.pk, proxy=proxy)
        office.record(
            by,
            "gate.proxy_set",
            "venue_account",
            account.pk,
            before={"proxy": account.proxy},
            after={"proxy": proxy},
            reason=reason,
        )


def reseal(row_id: int) -> bool:
    """The same key is kept under the newest secret; False when it is already. Raises CannotOpen."""
    with transaction.atomic():
        row = SealedKey.objects.select_for_update().get(pk=row_id)
        if row.sealed_under == vault.newest():
            return False
        row.sealed, row.sealed_under = vault.seal(
            row.venue_account_id, vault.unseal(row.venue_account_id, row.sealed)
        )
        row.save(update_fields=["sealed", "sealed_under"])
        office.record(None, "gate.key_resealed", "venue_account", row.venue_account_id)
    return True
