"""The limits as the venue's catalogue tells them (binance.md 6), kept in PostgreSQL and told to everybody by Redis."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import structlog
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from exchange.gate import bans, store
from exchange.gate.models import VenueAccount, VenueLimit
from exchange.office import services as office

log = structlog.get_logger()
NAMES = {"REQUEST_WEIGHT": "weight", "RAW_REQUESTS": "raw", "ORDERS": "orders"}
SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400}
# Until the venue has been asked: as documented.
DOCUMENTED = {"weight": {60: 6000}, "raw": {300: 300_000}, "orders": {10: 50, 86_400: 160_000}}
MOST, MOST_INTERVALS = 10**9, 10_000
UNKNOWN = _("The venue tells of limits that nobody here knows")
UNKNOWN_WORDS = _(
    "%(limits)s. They are not counted; if the venue refuses because of one of them, we wait as it says."
)
_known: dict[str, dict[int, int]] = {name: dict(limits) for name, limits in DOCUMENTED.items()}


def known(name: str) -> list[tuple[int, int]]:
    """Seconds and the most of each window, as this process heard last."""
    return list(_known[name].items())


def learn(rows: Iterable[Mapping[str, object]]) -> None:
    """What the catalogue says of limits holds from now on, in every process; of unknown ones staff hear once.

    A catalogue that tells of no limit that we know changes nothing.
    """
    told = dict(filter(None, map(_row, rows)))
    if not any(limiter in NAMES for limiter, _seconds in told):
        log.warning("gate.no_limits_told")
        return
    before = _kept()
    if told != before:
        _keep(told)
        log.info(
            "gate.limits_learned",
            limits={f"{name} {seconds}": most for (name, seconds), most in told.items()},
        )
    if strangers := sorted(key for key in told.keys() - before.keys() if key[0] not in NAMES):
        words = ", ".join(f"{name} ({told[name, seconds]} in {seconds} s)" for name, seconds in strangers)
        log.warning("gate.unknown_limits", limits=words)
        office.tell_staff("gate.unknown_limits", UNKNOWN, UNKNOWN_WORDS, {"limits": words[:300]})
    _tell_everybody()


def _row(row: Mapping[str, object]) -> tuple[tuple[str, int], int] | None:
    """The limiter with its seconds, and the most; None, and a word in the log, for what cannot be read."""
    limiter, interval = row.get("rateLimitType"), row.get("interval")
    number, most = row.get("intervalNum"), row.get("limit")
    if (
        isinstance(limiter, str)
        and isinstance(interval, str)
        and interval in SECONDS
        and type(number) is int
        and type(most) is int
        and 0 < number <= MOST_INTERVALS
        and 0 < most <= MOST
    ):
        return (limiter[:32], number * SECONDS[interval]), most
    log.warning("gate.odd_limit", limit=str(dict(row))[:200])
    return None


@transaction.atomic
def _keep(told: Mapping[tuple[str, int], int]) -> None:
    VenueLimit.objects.all().delete()
    VenueLimit.objects.bulk_create(
        [VenueLimit(limiter=limiter, seconds=seconds, most=most) for (limiter, seconds), most in told.items()]
    )


def _kept() -> dict[tuple[str, int], int]:
    return {(row.limiter, row.seconds): row.most for row in VenueLimit.objects.all()}


def texts() -> dict[str, str]:
    """The limits that hold, as the scripts read them: "seconds:most" of each window."""
    _read()
    return {
        name: ",".join(f"{seconds}:{most}" for seconds, most in sorted(limits.items()))
        for name, limits in _known.items()
    }


def _read() -> None:
    """A limiter the venue tells nothing of is as documented."""
    kept = _kept()
    for limiter, name in NAMES.items():
        told = {seconds: most for (kind, seconds), most in kept.items() if kind == limiter}
        _known[name] = told or DOCUMENTED[name]


def _tell_everybody() -> None:
    found = texts()
    accounts = list(VenueAccount.objects.all())
    with suppress(store.Away):  # then they read it when Redis is back
        for egress in bans.egresses(accounts):
            store.write(bans.egress_key(egress), {name: found[name] for name in ("weight", "raw")})
        for account in accounts:
            store.write(bans.account_key(account.name), {"orders": found["orders"]})


def forget() -> None:
    """This process goes by what is documented until it asks."""
    _known.update({name: dict(limits) for name, limits in DOCUMENTED.items()})
