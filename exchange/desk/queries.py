"""What staff and machines ask about the whole house."""

import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache as once
from functools import lru_cache

import structlog
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from accounts import queries as accounts
from accounts.models import User
from exchange.context import money_label
from exchange.conversions import queries as conversions
from exchange.conversions.models import Cover
from exchange.gate import queries as gate
from exchange.gate.models import Switch, VenueAccount
from exchange.office import queries as office
from ledger import queries as books
from markets import queries as markets
from orders import queries as orders

log = structlog.get_logger()
Person = User | AnonymousUser
SHOWN = 5
SEARCH_LIMIT = 20
# A sweep that has not shown itself for this many of its own intervals is late.
LATE_SWEEPS = 10


@dataclass(frozen=True)
class Row:
    label: str
    since: datetime | None
    address: str


@dataclass(frozen=True)
class Queue:
    """Things of one kind that wait for staff: how many, the first few, where all of them are."""

    title: str | Promise
    waiting: int
    address: str
    rows: list[Row] = field(default_factory=list)


def admin_page(model: type[Model], row: Model | None = None) -> str:
    """The address of a table, or of one of its rows, in the admin."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    return reverse(f"{name}_change", args=[row.pk]) if row else reverse(f"{name}_changelist")


def queues(staff: Person) -> list[Queue]:
    """What waits for a person, as far as this one may see it."""
    found = [
        _queue(staff, _("Identity"), accounts.cases_in_review(), "submitted_at", "?status__exact=SUBMITTED"),
        _queue(
            staff, _("Withdrawals"), books.waiting_withdrawals(), "requested_at", "?status__exact=REQUESTED"
        ),
        _queue(
            staff,
            _("Deposits"),
            books.deposits_for_staff(),
            "seen_at",
            "?status__in=" + ",".join(books.WAITS_FOR_STAFF),
        ),
        _queue(staff, _("Announced deposits"), books.open_claims(), "created_at", "?status__exact=OPEN"),
        _queue(
            staff,
            _("Differences in the books"),
            books.open_exceptions(),
            "created_at",
            "?resolved_at__isnull=True",
        ),
        _queue(staff, _("Approvals"), office.open_approvals(), "asked_at", "?status__exact=ASKED"),
        _queue(staff, _("Mails that failed"), office.failed_notices(), "created_at", "?status__exact=FAILED"),
    ]
    return [queue for queue in found if queue]


def stops(staff: Person) -> list[Row]:
    """Kill switches that stand and breakers that are not closed, as far as this one may see them."""
    found = []
    if staff.has_perm("gate.view_switch"):
        rows = gate.standing_switches()
        found += [Row(f"{row} · {row.flipped_by}", row.flipped_at, admin_page(Switch, row)) for row in rows]
    if staff.has_perm("gate.view_venueaccount"):
        seen = [(breaker, breaker.seen()) for breaker in gate.all_breakers()]
        found += [
            Row(f"{breaker} · {now.state} · {now.reason}", now.since_at, admin_page(VenueAccount))
            for breaker, now in seen
            if now.state != "CLOSED"
        ]
    if staff.has_perm("conversions.view_cover"):
        found += [
            Row(f"{_('not covered')}: {row} · {row.trouble}", row.created_at, admin_page(Cover, row))
            for row in conversions.alarming_covers()
        ]
    return found


def _queue(staff: Person, title: str | Promise, rows: QuerySet, since: str, filters: str) -> Queue | None:
    options = rows.model._meta
    if not staff.has_perm(f"{options.app_label}.view_{options.model_name}"):
        return None
    shown = [Row(_label(row), getattr(row, since), admin_page(rows.model, row)) for row in rows[:SHOWN]]
    return Queue(title, rows.count(), admin_page(rows.model) + filters, shown)


def _label(row: Model) -> str:
    person = getattr(row, "user", None) or getattr(row, "asked_by", None)
    return f"{row} · {person}" if person else str(row)


def search(text: str, *, by: Person) -> list[Row]:
    """Customers, cases, orders, deposits, withdrawals and notices that the text names."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None
    sources: Iterable[QuerySet] = (
        accounts.find(text),
        accounts.find_cases(text),
        orders.find(text, number),
        books.find_withdrawals(text, number),
        books.find_deposits(text, number),
        office.find_notices(text),
    )
    found = []
    for rows in sources:
        options = rows.model._meta
        if by.has_perm(f"{options.app_label}.view_{options.model_name}"):
            found += [_found(row) for row in rows[:SEARCH_LIMIT]]
    return found


def _found(row: Model) -> Row:
    return Row(f"{row._meta.verbose_name}: {_label(row)}", None, admin_page(type(row), row))


# ------------------------------------------------------------------ health
@once
def version() -> str:
    """The product's version, as pyproject.toml says."""
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def status() -> dict[str, object]:
    """Ages and states of everything that moves, at most a second old."""
    return _status(int(time.time()))


@lru_cache(maxsize=1)
def _status(_second: int) -> dict[str, object]:
    now_ms = time.time_ns() // 1_000_000
    return {
        "version": version(),
        "venue": settings.VENUE,
        "money": money_label(),
        "at_ms": now_ms,
        "sweeps": _sweeps(now_ms),
        "gate": gate.status(),
        **_stored(),
    }


def _stored() -> dict[str, object]:
    """What only the database knows; while it is away, that it is."""
    try:
        return {
            "database": "ok",
            "books": markets.status(),
            "user_streams": [_stream(account) for account in gate.user_streams()],
            "reconciliation": _reconciliation(),
            "seals": _seals(),
            "switches": gate.told_switches(),
            "breakers": gate.told_breakers(),
        }
    except (OperationalError, InterfaceError) as error:
        log.error("status.no_database", error=type(error).__name__)
        nothing: dict[str, object] = {"reconciliation": None, "seals": None}
        lists: dict[str, object] = {"user_streams": [], "switches": [], "breakers": []}
        return {"database": "down", "books": {}, **lists, **nothing}


def _reconciliation() -> dict[str, object]:
    found = books.agreement()
    return {
        "state": found.state,
        "age_ms": _age_ms(found.checked_at),
        "differing": found.differing,
        "stopped": found.stopped,
    }


def _stream(account: object) -> dict[str, object]:
    return {
        "account": str(account),
        "state": getattr(account, "stream_state", ""),
        "age_ms": _age_ms(getattr(account, "stream_seen_at", None)),
    }


def _sweeps(now_ms: int) -> dict[str, object]:
    try:
        beat = cache.get("beat:at")
    except (OSError, RedisError):
        beat = None
    age = None if beat is None else max(0, now_ms - beat)
    late = LATE_SWEEPS * settings.SWEEP_SECONDS * 1000
    return {"age_ms": age, "state": "DOWN" if age is None or age > late else "OK"}


def _seals() -> dict[str, object]:
    """The end of the chain of seals and how long a transfer waits to be in it; late when it waits too long."""
    end, waiting = books.latest_seal(), books.waiting_for_seal()
    waiting_ms = _age_ms(waiting.since if waiting else None)
    late = settings.SEAL_LATE_SECONDS * 1000
    return {
        "block": end.number if end else 0,
        "age_ms": _age_ms(end.created_at if end else None),
        "waiting_ms": waiting_ms,
        "state": "LATE" if waiting_ms is not None and waiting_ms > late else "OK",
    }


def _age_ms(since: datetime | None) -> int | None:
    return None if since is None else max(0, int((timezone.now() - since).total_seconds() * 1000))


def waiting_counts() -> dict[str, int]:
    """How many things wait, by kind; no names."""
    return {
        "kyc_cases_in_review": accounts.cases_in_review().count(),
        "withdrawals_waiting": books.waiting_withdrawals().count(),
        "deposits_waiting": books.deposits_for_staff().count(),
        "deposit_claims_open": books.open_claims().count(),
        "ledger_exceptions_open": books.open_exceptions().count(),
        "approvals_open": office.open_approvals().count(),
        "mails_failed": office.failed_notices().count(),
        "mails_overdue": office.overdue_notices().count(),
        "venue_orders_unfinished": orders.unfinished_venue_orders().count(),
    }
