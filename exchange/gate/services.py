"""The one road to the venue: every call counts against the limits, and a ban stops every process."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache as once
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from exchange.binance.errors import (
    BAD_TIMESTAMP,
    KEY_REFUSED,
    NO_LISTEN_KEY,
    NotSent,
    Rejected,
    Unknown,
    VenueError,
)
from exchange.binance.rest import Rest
from exchange.gate import bans, breakers, budgets, keys, limits, metering, queue
from exchange.gate.bans import Banned
from exchange.gate.breakers import Operation, Paused
from exchange.gate.budgets import NOBODY, Full
from exchange.gate.choosing import (
    accounts_for_order,
    counts_needs,
    is_placing_paused,
    require_open_way,
    shortage_told,
    tells_moves,
)
from exchange.gate.errors import ListenKeysGone, MightyRole, NoAccount, Stopped, WrongVenue
from exchange.gate.installing import (
    ensure_primary_account,
    refuse_unfit_database,
    remember_venue,
    set_deposit_strategy,
    wait_without_key,
)
from exchange.gate.keys import KeyNotUsed, key_of, venue_key
from exchange.gate.learned import learn as learn_limits
from exchange.gate.limits import blocked_for, clock, has_spare_weight, used_weight, weight_for_books
from exchange.gate.metering import count_socket, note_limit, require_no_ban
from exchange.gate.models import VenueAccount
from exchange.gate.queries import (
    IS_ANYTHING_STOPPED,
    account_named,
    accounts_with_key,
    other_accounts,
    primary_account,
    stop_against,
)
from exchange.gate.queue import Busy, Slot
from exchange.gate.relays import addresses, answer_within_a_moment, cancels, candles, history
from exchange.gate.switches import (
    ask_release,
    carry_out_releases,
    confirm_release,
    flip_switch,
    require_not_cancel_only,
    require_not_stopped,
)
from exchange.office import services as office

log = structlog.get_logger()
Answer = TypeVar("Answer")

__all__ = [
    "IS_ANYTHING_STOPPED",
    "Banned",
    "Busy",
    "Full",
    "KeyNotUsed",
    "Kind",
    "ListenKeysGone",
    "MightyRole",
    "NoAccount",
    "Operation",
    "Paused",
    "Rest",
    "Slot",
    "Stopped",
    "WrongVenue",
    "account_named",
    "accounts_for_order",
    "accounts_with_key",
    "addresses",
    "alarm_about_stream",
    "answer_within_a_moment",
    "ask_release",
    "blocked_for",
    "call",
    "cancels",
    "candles",
    "carry_out_releases",
    "clock",
    "confirm_release",
    "count_socket",
    "counts_needs",
    "ensure_primary_account",
    "flip_switch",
    "forget_listen_key",
    "has_listen_key",
    "has_spare_weight",
    "history",
    "is_placing_paused",
    "key_of",
    "learn_limits",
    "measure_clock",
    "note_limit",
    "note_stream",
    "note_stream_alive",
    "open_listen_key",
    "other_accounts",
    "primary_account",
    "refuse_unfit_database",
    "remember_venue",
    "renew_clock",
    "renew_listen_keys",
    "renew_order_counts",
    "require_no_ban",
    "require_not_cancel_only",
    "require_not_stopped",
    "require_open_way",
    "set_deposit_strategy",
    "shortage_told",
    "stop_against",
    "take_slot",
    "tells_moves",
    "used_weight",
    "venue_key",
    "wait_without_key",
    "weight_for_books",
]


class Kind(StrEnum):
    """What a call is for; the limits treat kinds differently as the gate grows."""

    PLACE = "place"
    CANCEL = "cancel"
    TAKE_BACK = "take back"  # to trade it here: no customer's cancel, and a part of placing
    QUERY = "query"
    WALLET = "wallet"
    WITHDRAW = "withdraw"
    MARKET_DATA = "market data"
    HISTORY = "history"  # comparing the past: waits while the others need the weight
    CLOCK = "clock"  # the venue's time, which everything else needs: no breaker keeps it back


OPERATIONS = {
    Kind.PLACE: Operation.PLACE,
    Kind.TAKE_BACK: Operation.PLACE,
    Kind.CANCEL: Operation.CANCEL,
    Kind.QUERY: Operation.QUERY,
    Kind.HISTORY: Operation.QUERY,
    Kind.WALLET: Operation.WALLET,
    Kind.WITHDRAW: Operation.WALLET,
    Kind.MARKET_DATA: Operation.MARKET_DATA,
}

WITH_THE_TRADING_KEY = (Kind.PLACE, Kind.TAKE_BACK, Kind.CANCEL, Kind.QUERY, Kind.HISTORY)

ALARM = gettext_lazy("Reports of our orders do not come as they should")
ALARM_AGAIN = timedelta(hours=1)
RELAY_WAIT = 0.5
# Windows of a minute and less are over before asking about them would help.
LONG_WINDOW, SCARCE_PERCENT = 3600, 80


def call(
    account: VenueAccount | None, kind: Kind, customer_id: int | None, fn: Callable[[Rest], Answer]
) -> Answer:
    """What `fn` gets from the venue; NotSent while a ban lasts, a budget is used up or too many relays are under way,
    and Paused, which is one, while a breaker is open."""
    assert settings.GATE_INSIDE_TRANSACTIONS or not connection.in_atomic_block, (
        "no venue call inside a transaction"
    )
    egress = bans.egress_of(account)
    bans.require_none(bans.egress_key(egress))
    if kind == Kind.HISTORY and not has_spare_weight():
        raise Full("weight", 60)
    rest = _rest_of(account, kind)
    # What may come only once carries the time at which it was begun.
    if kind not in (Kind.MARKET_DATA, Kind.CLOCK, Kind.PLACE, Kind.WITHDRAW):
        measure_clock()
    try:
        name = account.name if account else None
        slot = queue.slot_for(name, customer_id) if kind == Kind.PLACE else None
        calling = metering.Calling(kind, egress, name, customer_id, slot)
        with _guarded(account, kind), _a_relay(kind, customer_id), metering.called(calling):
            return metering.read(fn, rest)
    except Rejected as error:
        if error.code == BAD_TIMESTAMP:
            clock().forget()
        if account is not None and error.code in KEY_REFUSED and kind in WITH_THE_TRADING_KEY:
            keys.note_refused(account, str(error))
        raise


def _a_relay(kind: Kind, customer_id: int | None) -> AbstractContextManager[None]:
    """One of so many that may be under way at once; Busy when none is free for a moment.

    A seat is for a thread that waits for the venue, and serves for all that it places one after the other; each
    request has a place of its own in the budgets.
    """
    if kind == Kind.CANCEL:
        return queue.canceling().taken(str(customer_id or NOBODY), RELAY_WAIT)
    if kind not in (Kind.PLACE, Kind.TAKE_BACK) or queue.has_seat():
        return nullcontext()
    return queue.placing().taken(str(customer_id or NOBODY), RELAY_WAIT)


def _guarded(account: VenueAccount | None, kind: Kind) -> AbstractContextManager[None]:
    operation = OPERATIONS.get(kind)
    if operation is None:
        return nullcontext()
    breaker = breakers.of(account.name if account else breakers.NOBODYS, operation)
    return breaker.guarded(proves=kind != Kind.TAKE_BACK)


def take_slot(
    customer_id: int, *, accounts: Sequence[VenueAccount], orders: int = 1, request: str = ""
) -> Slot:
    """Room for new orders in one request, in the first of the accounts that has it, before anything is held for them;
    raises Busy after a moment, and Banned."""
    places = {account.name: bans.egress_of(account) for account in accounts}
    return queue.take_slot(places, customer_id, orders=orders, request=request)


def _rest_of(account: VenueAccount | None, kind: Kind) -> Rest:
    """By the account's own key and way; what everybody may ask goes without either."""
    if kind in (Kind.MARKET_DATA, Kind.CLOCK):
        return _rest(None, "")
    access = keys.access_of(account) if account else keys.Access(0, of_settings=True)
    if kind == Kind.PLACE and account is not None and not account.is_trusted:
        raise KeyNotUsed()
    key = keys.withdraw_key() if kind == Kind.WITHDRAW else access.key
    if key is None:
        raise NotSent("no key for this is set")
    return _rest(key, access.proxy)  # type: ignore[arg-type]


@once
def _rest(key: Any, proxy: str) -> Rest:
    return Rest(
        base_url=settings.BINANCE_REST_URL,
        sapi_url=settings.BINANCE_SAPI_URL,
        key=key,
        clock=clock(),
        meter=metering.GateMeter(),
        timeout=settings.VENUE_TIMEOUT_SECONDS,
        recv_window_ms=settings.RECV_WINDOW_MS,
        proxy=proxy,
    )


# ------------------------------------------------------------------ the venue's time
_renewing = threading.Lock()
_renewal: Future[None] | None = None


def measure_clock() -> None:
    """The venue's time is known before a signed call needs it; an old measurement serves while it is renewed.

    A VenueError when it is not known within a moment: nobody waits for the measurement itself.
    """
    if not clock().is_due():
        return
    renewal = renew_clock()
    if clock().is_known:
        return
    try:
        answer_within_a_moment(renewal)
    except Unknown as error:
        raise NotSent("the venue's time is not known") from error


def renew_clock() -> Future[None]:
    """The measurement that is under way, or one that begins now, in a thread of its own."""
    global _renewal
    with _renewing:
        if _renewal is None or _renewal.done():
            _renewal = _clock_thread().submit(_measure)
        return _renewal


@once
def _clock_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="clock")


def _measure() -> None:
    call(None, Kind.CLOCK, None, lambda rest: clock().measure(rest.time))


# ------------------------------------------------------------------ how much is left
def renew_order_counts() -> int:
    """Of accounts whose limit of a long window is nearly used up the venue is asked: fills give room back, and nobody
    hears of it while no order can be sent. Gives how many were asked for."""
    asked = 0
    for account in VenueAccount.objects.order_by("id"):
        if not any(map(_is_scarce, limits.windows(limits.state(bans.account_key(account.name)), "orders"))):
            continue
        asked_at = time.time()
        try:
            counts = call(account, Kind.QUERY, None, lambda rest: rest.order_counts())
        except VenueError as error:
            log.warning("gate.counts_not_renewed", account=account.name, reason=str(error)[:120])
        else:
            budgets.tell_counts(bans.egress_of(account), account.name, counts, asked_at=asked_at)
            asked += 1
    return asked


def _is_scarce(window: limits.Window) -> bool:
    return window.seconds >= LONG_WINDOW and 100 * window.used >= SCARCE_PERCENT * window.most


# ------------------------------------------------------------------ how the account is heard
def note_stream(account: VenueAccount, state: VenueAccount.StreamState, reason: str = "") -> None:
    """Everybody can see whether the account's user data stream is followed, and if not, why."""
    now = timezone.now()
    told: dict[str, object] = {
        "stream_state": state,
        "stream_changed_at": now,
        "stream_reason": reason[:200],
    }
    if state == VenueAccount.StreamState.SUBSCRIBED:  # a stream that is down gave no sign of life
        told["stream_seen_at"] = now
    VenueAccount.objects.filter(pk=account.pk).update(**told)


def note_stream_alive(account: VenueAccount, heard_at: datetime | None) -> None:
    """When the stream gave its last sign of life: an event or a ping."""
    if heard_at is not None:
        VenueAccount.objects.filter(pk=account.pk).update(stream_seen_at=heard_at)


def alarm_about_stream(account: VenueAccount, reason: str) -> None:
    """Staff hear what is wrong with the stream, once an hour at most; the log has every time."""
    log.error("stream.alarm", account=account.name, reason=reason)
    now = timezone.now()
    quiet = Q(stream_alarmed_at__isnull=True) | Q(stream_alarmed_at__lt=now - ALARM_AGAIN)
    if VenueAccount.objects.filter(quiet, pk=account.pk).update(stream_alarmed_at=now):
        words = {"account": account.name, "reason": reason}
        office.tell_staff("gate.stream", ALARM, gettext_lazy("%(account)s: %(reason)s"), words)


def open_listen_key(account: VenueAccount) -> str:
    """The account is heard by the key that this gives, and the sweep keeps it alive from now on.

    Raises ListenKeysGone where there are none any more, and what else the venue answers.
    """
    try:
        key = call(account, Kind.QUERY, None, lambda rest: rest.open_listen_key())
    except Rejected as error:
        if error.is_gone:
            raise ListenKeysGone() from None
        raise
    now = timezone.now()
    VenueAccount.objects.filter(pk=account.pk).update(listen_key=key, listen_key_renewed_at=now)
    return key


def has_listen_key(account: VenueAccount, key: str) -> bool:
    """True while nobody found that the venue does not know the key any more; an empty one is as good as none."""
    return VenueAccount.objects.filter(pk=account.pk, listen_key=key).exists()


def forget_listen_key(account: VenueAccount) -> None:
    """The account is heard in another way, and no key is kept alive for it."""
    VenueAccount.objects.filter(pk=account.pk).exclude(listen_key="").update(listen_key="")


def renew_listen_keys() -> int:
    """Every listen key that is due lives for another hour; gives how many were asked for."""
    due = timezone.now() - timedelta(seconds=settings.LISTEN_KEY_RENEW_SECONDS)
    found = VenueAccount.objects.exclude(listen_key="").filter(listen_key_renewed_at__lte=due)
    for account in (accounts := list(found.order_by("id"))):
        try:
            _renew(account)
        except VenueError as error:  # the next sweep asks again; its words hold no key
            log.warning("gate.listen_key_not_renewed", account=account.name, reason=str(error)[:120])
    return len(accounts)


def _renew(account: VenueAccount) -> None:
    key, now = account.listen_key, timezone.now()
    try:
        call(account, Kind.QUERY, None, lambda rest: rest.renew_listen_key(key))
    except Rejected as error:
        if error.code != NO_LISTEN_KEY and not error.is_gone:
            raise
        _lose(
            account,
            str(ListenKeysGone()) if error.is_gone else "the listen key had expired when it was renewed",
        )
    else:
        VenueAccount.objects.filter(pk=account.pk, listen_key=key).update(listen_key_renewed_at=now)


def _lose(account: VenueAccount, reason: str) -> None:
    """Nobody is heard by the key any more: whoever follows finds it gone, and asks for another."""
    lost = VenueAccount.objects.filter(pk=account.pk, listen_key=account.listen_key)
    if lost.update(listen_key=""):
        note_stream(account, VenueAccount.StreamState.DOWN, reason)
        alarm_about_stream(account, reason)
