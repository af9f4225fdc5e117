"""Which venue account an order goes to: the first that takes orders, is heard, and has what the order needs.

The accounts are in one order, the primary first, so that orders stay where they were as long as there is enough. What
lies there the venue told a moment ago; what orders under way need besides steers, and refuses nothing: whether there is
enough after all the venue decides.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange.errors import OUTAGES
from exchange.facts import for_a_moment
from exchange.gate import breakers
from exchange.gate.breakers import Operation, Paused
from exchange.gate.errors import NoAccount
from exchange.gate.models import Inventory, VenueAccount
from exchange.gate.queries import is_anything_stopped, stop_against
from exchange.money import plain
from exchange.office import queries as notices
from exchange.office import services as office
from exchange.prepared import Given, Prepared

log = structlog.get_logger()
ZERO = Decimal(0)
# Seconds for which a process goes by what it read of what orders under way need.
NEEDS_GLANCE = 0.25
# What was asked for longer ago than this is not counted as known.
STALE = timedelta(minutes=1)
QUIET = timedelta(hours=1)
SHORT = _("No venue account has enough %(asset)s")
SHORT_WORDS = _(
    "An order that needs %(amount)s %(asset)s was refused. Customers are told that it is not their fault."
)
NeedsOf = Callable[[str], dict[int, Decimal]]
MovedIn = Callable[[str], set[int]]

_COUNTING: list[NeedsOf] = []
_MOVING: list[MovedIn] = []


def counts_needs(found: NeedsOf) -> NeedsOf:
    """The function is asked what orders under way need of an asset, by account."""
    _COUNTING.append(found)
    return found


def tells_moves(found: MovedIn) -> MovedIn:
    """The function is asked in which accounts orders brought or freed some of an asset just now."""
    _MOVING.append(found)
    return found


# ------------------------------------------------------------------ the choice
def accounts_for_order(
    *, asset: str, amount: Decimal, market: str, side: str, customer: int, channel: str
) -> list[VenueAccount]:
    """The venue accounts the order can go to, which will need so much of the asset there, the best first; raises
    Stopped while a switch stands against it, and NoAccount. One statement while none stands."""
    found: list[Any] = _FOR_ORDER.all(asset=asset)
    if found and found[0].is_anything_stopped:
        stop = stop_against(market=market, side=side, customer=customer, channel=channel)
        if stop is not None:
            raise stop
    open_ones = [account for account in found if _is_open(account)]
    able = _able(open_ones, asset, amount)
    if not able:
        raise NoAccount(asset=asset, amount=amount, is_short=bool(open_ones))
    if len(open_ones) > 1:
        _needs.add(able[0].pk, asset, amount)
    return able


_FOR_ORDER: Prepared[Any] = Prepared(
    lambda: (
        VenueAccount.objects.filter(is_enabled=True)
        .order_by("-is_primary", "id")
        .annotate(
            is_anything_stopped=is_anything_stopped(),
            free=Subquery(
                Inventory.objects.filter(venue_account=OuterRef("pk"), asset=Given("asset")).values("free")
            ),
        )
    )
)


def _is_open(account: VenueAccount) -> bool:
    """Its key is trusted, and its breaker, as this process saw it last, lets orders through."""
    return account.is_trusted and _is_heard(account) and breakers.of(account.name, Operation.PLACE).is_passing


def _is_heard(account: VenueAccount) -> bool:
    """Whoever was heard a moment ago will be again; the primary account may be used before it is heard at all."""
    if account.is_primary or account.stream_state == VenueAccount.StreamState.SUBSCRIBED:
        return True
    lately = timezone.now() - timedelta(seconds=settings.BREAKER_STREAM_SECONDS)
    return account.stream_seen_at is not None and account.stream_seen_at > lately


def _able(accounts: list[Any], asset: str, amount: Decimal) -> list[Any]:
    """First those that have enough besides what is under way, then those of which nobody knows; else those that have
    enough at all, or may have it since a moment of which the venue has not told yet."""
    if len(accounts) == 1 and (not _is_known(accounts[0]) or _free(accounts[0]) >= amount):
        return accounts
    needed = _needs.of(asset) if accounts else {}
    left = {account.pk: _free(account) - needed.get(account.pk, ZERO) for account in accounts}
    able = [account for account in accounts if _is_known(account) and left[account.pk] >= amount]
    able += [account for account in accounts if not _is_known(account)]
    if able:
        return able
    # What is under way may have been told already.
    enough = [account for account in accounts if _free(account) >= amount] or _moved(accounts, asset)
    return sorted(enough, key=lambda account: left[account.pk], reverse=True)


def _moved(accounts: list[Any], asset: str) -> list[Any]:
    if not accounts:
        return []
    moved = {number for moved_in in _MOVING for number in moved_in(asset)}
    return [account for account in accounts if account.pk in moved]


def _free(account: Any) -> Decimal:
    return account.free or ZERO


def _is_known(account: VenueAccount) -> bool:
    return account.inventory_at is not None and timezone.now() - account.inventory_at < STALE


class _Needs:
    """What orders that were recorded lately need: those of all processes that the database
    had a moment ago, and this one's since."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._read: dict[str, tuple[float, dict[int, Decimal]]] = {}
        self._own: deque[tuple[float, int, str, Decimal]] = deque(maxlen=10_000)

    def of(self, asset: str) -> dict[int, Decimal]:
        read_at, found = self._read.get(asset, (0.0, {}))
        if time.monotonic() - read_at > NEEDS_GLANCE:
            read_at = time.monotonic()
            found = {}
            for counted in (count(asset) for count in _COUNTING):
                found |= {account: found.get(account, ZERO) + need for account, need in counted.items()}
            self._read[asset] = (read_at, found)
        with self._guard:
            own = [one for one in self._own if one[2] == asset and one[0] > read_at - NEEDS_GLANCE / 2]
        total = dict(found)
        for _at, account, _asset, amount in own:
            total[account] = total.get(account, ZERO) + amount
        return total

    def add(self, account: int, asset: str, amount: Decimal) -> None:
        with self._guard:
            self._own.append((time.monotonic(), account, asset, amount))


_needs = _Needs()

# ------------------------------------------------------------------ before anything is recorded
_names: tuple[str, ...] = ()


def _open_names() -> tuple[str, ...]:
    """The accounts that take orders, as they were a moment ago."""
    global _names
    with suppress(*OUTAGES):  # pages are readable while the database is away
        _names = _names_now()
    return _names


@for_a_moment
def _names_now() -> tuple[str, ...]:
    rows = VenueAccount.objects.filter(is_enabled=True).order_by("-is_primary", "id")
    return tuple(rows.values_list("name", flat=True))


def require_open_way() -> None:
    """New orders may go to the venue as far as is known; raises Paused while the breakers of all accounts are open."""
    names, paused = _open_names(), []
    for name in names:  # all of them: the choice goes by what was read here
        try:
            breakers.of(name, Operation.PLACE).require_closed()
        except Paused as error:
            paused.append(error)
    if paused and len(paused) == len(names):
        raise paused[0]


def is_placing_paused() -> bool:
    """True while new orders are refused at once; not while one of them may be the probe."""
    names = _open_names()
    open_ones = [breakers.of(name, Operation.PLACE).seen().state == breakers.State.OPEN for name in names]
    return bool(names) and all(open_ones)


def forget() -> None:
    """This process has read and noted nothing."""
    global _needs, _names
    _needs, _names = _Needs(), ()


# ------------------------------------------------------------------ told
@contextmanager
def shortage_told() -> Iterator[None]:
    """Of an order for which no account has enough staff hear once its transaction is undone, and not of each."""
    try:
        yield
    except NoAccount as error:
        log.error("gate.no_account", asset=error.asset, amount=plain(error.amount), short=error.is_short)
        if error.is_short:
            _tell_short(error)
        raise


def _tell_short(error: NoAccount) -> None:
    kind = f"gate.short {error.asset}"[:64]
    latest = notices.latest_notice(kind)
    if latest is None or timezone.now() - latest.created_at > QUIET:
        words = {"asset": error.asset, "amount": plain(error.amount)}
        office.tell_staff(kind, SHORT, SHORT_WORDS, words)
