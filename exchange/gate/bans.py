"""What the venue wants to hear nothing from: an address of ours, or of one account no new orders, until a certain time.

A ban is known in three places: in the process that was told (at once), in Redis (every other process, at its next
call), and in PostgreSQL, which is read again after each new connection to Redis and whenever that has forgotten.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from django.db import DatabaseError, connection
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange.binance.errors import NotSent
from exchange.binance.usage import LONGEST_BAN, NOT_TOLD, Usage
from exchange.gate import store
from exchange.gate.models import Ban, VenueAccount
from exchange.office import queries as notices
from exchange.office import services as office

log = structlog.get_logger()
Given = TypeVar("Given")
DEFAULT_EGRESS = "default"
TOO_MANY_ORDERS = -1015
# Without a word of how long: as long as such limits last at the venue, and twice as long each time it happens again
# within the hour (binance.md 5: a ban lasts two minutes at least).
FIRST_WAITS = {"orders": 10, "429": 60, "418": 120}
GROWS_WITHIN = timedelta(hours=1)
MOST_DOUBLINGS = 12
QUIET = timedelta(hours=1)
ODD = _("The venue's answer about a limit was odd")
ODD_WORDS = _(
    "It answered %(status)s and said of the time to wait: %(said)s. Nothing is asked of it by %(who)s for"
    " %(seconds)s seconds."
)
_until: dict[str, float] = {}
_guard = threading.Lock()
_seen: set[object] = set()
_read_at = -math.inf


class Banned(NotSent):
    """The venue asked us to wait: nothing was sent."""

    def __init__(self, wait: float) -> None:
        super().__init__("the venue asked us to wait", wait)


def egress_of(account: VenueAccount | None) -> str:
    """The name of the address by which the account's calls leave; a proxy's is no secret, its password may be."""
    if account is None or not account.proxy:
        return DEFAULT_EGRESS
    return hashlib.sha256(account.proxy.encode()).hexdigest()[:12]


def egresses(accounts: Iterable[VenueAccount]) -> list[str]:
    """All addresses by which we call the venue."""
    return list(dict.fromkeys([DEFAULT_EGRESS, *map(egress_of, accounts)]))


def egress_key(egress: str) -> str:
    return f"egress:{egress}"


def account_key(account: str) -> str:
    return f"account:{account}"


def seconds_left(*keys: str) -> float:
    """For so long nothing may be asked, as far as this process knows."""
    return max(0.0, *(_until.get(key, 0.0) - time.time() for key in keys))


def require_none(*keys: str) -> None:
    """Raises Banned while this process knows of a ban."""
    if _until and (wait := seconds_left(*keys)) > 0:
        raise Banned(wait)


def remember(key: str, seconds: float) -> None:
    """This process knows of the ban, whoever was told."""
    with _guard:
        _until[key] = max(_until.get(key, 0.0), time.time() + seconds)


def forget() -> None:
    """This process knows of no ban, and has not looked."""
    global _read_at
    _until.clear()
    _seen.clear()
    _read_at = -math.inf


# ------------------------------------------------------------------ told by the venue
def note(egress: str, account: str | None, usage: Usage) -> None:
    """An answer was 429 or 418: nobody asks until its time is over. One about orders concerns the account alone."""
    is_of_orders = usage.http_status == 429 and usage.code == TOO_MANY_ORDERS and account is not None
    key = account_key(account) if is_of_orders and account else egress_key(egress)
    first = FIRST_WAITS["orders" if is_of_orders else str(usage.http_status)]
    known = seconds_left(key)
    # Before anything else: whoever asks meanwhile would ask inside it.
    wait = _share(key, usage.retry_after or first)
    if usage.retry_after is None:
        wait = _share(key, _guess(key, first))
    log.warning("gate.banned", key=key, status=usage.http_status, seconds=wait, odd=usage.odd)
    if wait > known + 1:
        _keep(key, usage, wait)


def _share(key: str, seconds: float) -> float:
    """Everybody obeys it from now on, for so long at least."""
    remember(key, seconds)
    tell_others(key, seconds)
    return seconds


def _guess(key: str, first: float) -> float:
    """Longer each time; several answers of one moment are one time."""
    try:
        now = timezone.now()
        found = _own(
            lambda: Ban.objects.filter(key=key, until__lte=now, until__gt=now - GROWS_WITHIN).count()
        )
    except DatabaseError:
        found = 0
    return float(min(first * 2 ** min(found, MOST_DOUBLINGS), LONGEST_BAN))


def tell_others(key: str, seconds: float) -> None:
    try:
        store.run("ban", [store.key(key)], int(seconds * 1000) + 1)
    except store.Away:  # then they read the row
        log.warning("gate.ban_not_shared", key=key)


def _keep(key: str, usage: Usage, seconds: float) -> None:
    try:
        _own(lambda: _write(key, usage, seconds))
    except DatabaseError as error:  # this process and Redis know it all the same
        log.error("gate.ban_not_kept", key=key, error=type(error).__name__)


def _write(key: str, usage: Usage, seconds: float) -> None:
    until = timezone.now() + timedelta(seconds=seconds)
    Ban.objects.create(key=key, http_status=usage.http_status, until=until, odd=usage.odd)
    if usage.odd not in ("", NOT_TOLD):  # of every ban staff hear otherwise
        kind = f"gate.odd_limit {key}"[:64]
        latest = notices.latest_notice(kind)
        if latest is None or timezone.now() - latest.created_at > QUIET:
            words = {"status": usage.http_status, "said": usage.odd, "who": key, "seconds": int(seconds)}
            office.tell_staff(kind, ODD, ODD_WORDS, words)


# ------------------------------------------------------------------ read again
def read_again(*marks: object) -> None:
    """What PostgreSQL knows is known here, once for each mark; raises NotSent when nobody can say."""
    if not _seen.issuperset(marks):
        read_now()
        _seen.update(marks)


def read_now(no_older: float = 0) -> None:
    """The same as of now, or so many seconds ago at most."""
    global _read_at
    if no_older and time.monotonic() - _read_at < no_older:
        return
    began = time.monotonic()
    try:
        for key, until in _own(standing).items():
            remember(key, (until - timezone.now()).total_seconds())
    except DatabaseError as error:
        log.error("gate.bans_not_read", error=type(error).__name__)
        raise NotSent("nobody knows whether the venue wants to hear from us") from error
    _read_at = began


def standing() -> dict[str, datetime]:
    """Until when whom the venue wants to hear nothing from."""
    found = Ban.objects.filter(until__gt=timezone.now()).order_by().values_list("key")
    return dict(found.annotate(latest=Max("until")))


def _own(question: Callable[[], Given]) -> Given:
    """Asked in this thread, which keeps no connection it did not have: the threads of streams are many."""
    was_open = connection.connection is not None
    try:
        return question()
    finally:
        if not was_open:
            connection.close()
