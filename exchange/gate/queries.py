"""What the gate knows, for eyes."""

from typing import Any

from django.core.cache import cache
from django.db.models import Count, Expression, F, Q, QuerySet, Subquery
from redis.exceptions import RedisError

from exchange.gate import breakers, limits
from exchange.gate.breakers import Breaker, Operation, State
from exchange.gate.errors import Stopped
from exchange.gate.models import Switch, VenueAccount
from exchange.prepared import Given, Prepared

Named = str | int | Expression | F


def status() -> dict[str, object]:
    """Weight used in this minute, seconds of a ban, the last answer's time, the clock's offset in milliseconds."""
    try:
        seen = cache.get_many([limits.WEIGHT_KEY, limits.SEEN_KEY])
    except (OSError, RedisError):
        seen = {}
    return {
        "used_weight_1m": seen.get(limits.WEIGHT_KEY, 0),
        "blocked_for_s": round(limits.blocked_for(), 1),
        "answered_at_ms": seen.get(limits.SEEN_KEY),
        "clock_offset_ms": limits.clock().offset_ms,
    }


def primary_account() -> VenueAccount:
    """The venue account customers' orders go to."""
    return _PRIMARY.get()


_PRIMARY = Prepared(lambda: VenueAccount.objects.filter(is_primary=True))


def user_streams() -> list[VenueAccount]:
    """Every venue account with the state of its user data stream."""
    return list(VenueAccount.objects.order_by("name"))


# ------------------------------------------------------------------ breakers
def all_breakers() -> list[Breaker]:
    """Of every venue account those of what is asked with its key, and the one of what everybody may ask."""
    with_key = [operation for operation in Operation if operation != Operation.MARKET_DATA]
    own = [breakers.of(account.name, operation) for account in user_streams() for operation in with_key]
    return [*own, breakers.of(breakers.NOBODYS, Operation.MARKET_DATA)]


def told_breakers() -> list[dict[str, str]]:
    """What everybody may know: how each stands, and nothing of why."""
    return [
        {
            "account": one.account,
            "operation": str(one.operation),
            "what": str(one.operation.label),
            "state": str(one.seen().state),
        }
        for one in all_breakers()
    ]


def is_placing_paused(account: str) -> bool:
    """True while new orders are refused at once; not while one of them may be the probe."""
    return breakers.of(account, Operation.PLACE).seen().state == State.OPEN


# ------------------------------------------------------------------ what staff have stopped
def standing_switches() -> QuerySet[Switch]:
    """Switches that nobody has released, oldest first."""
    found = Switch.objects.filter(released_at__isnull=True).order_by("id")
    return found.select_related("market", "customer", "flipped_by", "release__asked_by")


def switches_against(*, market: Named, side: Named, customer: Named, channel: Named) -> QuerySet[Switch]:
    """Standing switches that stop such an order; each of the four is a value, or a column of an outer query."""
    found = _on_either_side(market=market, customer=customer, channel=channel)
    return found.filter(Q(side="") | Q(side=side))


def _on_either_side(*, market: Named, customer: Named, channel: Named) -> QuerySet[Switch]:
    return Switch.objects.filter(
        ~Q(scope=Switch.Scope.API) | Q(scope=channel),
        Q(market=None) | Q(market=market),
        Q(customer=None) | Q(customer=customer),
        released_at__isnull=True,
    ).order_by("id")


def account_for_order(*, market: str, side: str, customer: int, channel: str) -> VenueAccount:
    """The venue account the order goes to; raises Stopped while a switch stands against it. One statement."""
    account = _FOR_ORDER.get(market=market, side=side, customer=customer, channel=channel)
    if account.stopped_by is not None:
        raise refusal_of(account.stopped_by)
    return account


def _account_and_switch() -> QuerySet[Any]:
    order = {name: Given(name) for name in ("market", "side", "customer", "channel")}
    first = Subquery(switches_against(**order).values("pk")[:1])
    return VenueAccount.objects.filter(is_primary=True).annotate(stopped_by=first)


_FOR_ORDER = Prepared(_account_and_switch)


def refusal_of(switch_id: int) -> Stopped:
    """What an order that the switch stops is told."""
    return Switch.objects.get(pk=switch_id).refusal


def stopped_sides(*, market: str, customer: int, channel: str) -> dict[str, str]:
    """The sides in which such new orders are stopped, each with what is said of it."""
    against = list(_on_either_side(market=market, customer=customer, channel=channel))
    first = {
        side: next((switch for switch in against if switch.side in ("", side)), None)
        for side, _name in Switch.SIDES
    }
    return {side: str(switch.refusal) for side, switch in first.items() if switch is not None}


def told_switches() -> list[dict[str, str]]:
    """What everybody may know of what is stopped; nothing of single customers."""
    found = standing_switches().exclude(scope=Switch.Scope.CUSTOMER)
    return [
        {
            "scope": switch.scope,
            "market": switch.market_id or "",
            "side": switch.side,
            "since": switch.flipped_at.isoformat(),
            "message": str(switch.refusal),
        }
        for switch in found
    ]


def switch_counts() -> dict[str, int]:
    """How many switches of each scope stand."""
    found = Switch.objects.filter(released_at__isnull=True).order_by().values_list("scope")
    return dict.fromkeys(Switch.Scope.values, 0) | dict(found.annotate(count=Count("id")))
