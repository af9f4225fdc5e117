"""What the gate knows, for eyes."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Exists, Q, QuerySet
from django.utils.translation import gettext as _

from exchange.gate import bans, breakers, keys, limits
from exchange.gate.breakers import Breaker, Operation
from exchange.gate.errors import Stopped
from exchange.gate.limits import Window
from exchange.gate.models import Inventory, Runway, RunwayBar, Switch, VenueAccount
from exchange.money import plain
from exchange.prepared import Prepared


def status() -> dict[str, object]:
    """Weight used in this minute, seconds of a ban, the last answer's time, the clock's offset in milliseconds."""
    seen = limits.state(bans.egress_key(bans.DEFAULT_EGRESS)).get("seen")
    return {
        "used_weight_1m": limits.used_weight(),
        "blocked_for_s": round(limits.blocked_for(), 1),
        "answered_at_ms": None if seen is None else int(seen),
        "clock_offset_ms": limits.clock().offset_ms,
    }


# ------------------------------------------------------------------ what the limits leave
@dataclass(frozen=True)
class Budget:
    """What is used of one address or account, whether the venue bans it, and what its calls came to since the last
    time Redis forgot: by kind how many were made and refused, and how many waited for so many milliseconds."""

    key: str
    windows: list[Window]
    banned_until: datetime | None
    calls: dict[str, int]
    refused: dict[tuple[str, str], int]
    waits: int
    waited_ms: int


def budgets_now() -> list[Budget]:
    """Of every address by which we call the venue, and of every account there."""
    accounts, standing = user_streams(), bans.standing()
    known = [bans.egress_key(egress) for egress in bans.egresses(accounts)]
    known += [bans.account_key(account.name) for account in accounts]
    return [_budget(key, standing.get(key)) for key in known]


def _budget(key: str, banned_until: datetime | None) -> Budget:
    found = limits.state(key)
    figures = {tuple(field.split(".")): int(value) for field, value in found.items() if _is_figure(field)}
    return Budget(
        key,
        [window for name in ("weight", "raw", "orders") for window in limits.windows(found, name)],
        banned_until,
        {parts[1]: count for parts, count in figures.items() if parts[0] == "calls"},
        {(parts[1], parts[2]): count for parts, count in figures.items() if parts[0] == "refused"},
        figures.get(("waits", "count"), 0),
        figures.get(("waits", "ms"), 0),
    )


def _is_figure(field: str) -> bool:
    return field.partition(".")[0] in ("calls", "refused", "waits")


def primary_account() -> VenueAccount:
    """The venue account customers' orders go to."""
    return _PRIMARY.get()


_PRIMARY = Prepared(lambda: VenueAccount.objects.filter(is_primary=True))


def accounts_with_key() -> list[VenueAccount]:
    """The accounts that can be asked, the primary one first."""
    rows = VenueAccount.objects.order_by("-is_primary", "id")
    return [account for account in rows if keys.key_of(account) is not None]


def accounts_out() -> QuerySet[VenueAccount]:
    """Those whose key is not used although they are to take orders."""
    bad = (VenueAccount.KeyState.UNFIT, VenueAccount.KeyState.REFUSED)
    return VenueAccount.objects.filter(is_enabled=True, key_state__in=bad).order_by("id")


def other_accounts() -> list[str]:
    """The names of all but the primary account."""
    return list(VenueAccount.objects.filter(is_primary=False).order_by("id").values_list("name", flat=True))


def account_named(name: str) -> VenueAccount:
    """The primary account without a name."""
    return VenueAccount.objects.get(name=name) if name else primary_account()


def inventory_of(account: VenueAccount) -> list[tuple[Inventory, Runway | None]]:
    """What lies there, each asset with how long it lasts, if that was judged."""
    judged = {row.asset: row for row in Runway.objects.filter(venue_account=account)}
    rows = Inventory.objects.filter(Q(free__gt=0) | Q(locked__gt=0), venue_account=account).order_by("asset")
    return [(row, judged.get(row.asset)) for row in rows]


def runway_rows() -> QuerySet[Runway]:
    """What lies in every account that takes orders, as it was judged last."""
    return Runway.objects.select_related("venue_account")


def bar_of(asset: str) -> str:
    """When staff are told of the asset."""
    bar = RunwayBar.objects.filter(asset=asset).first()
    if bar is None:
        return f"{settings.RUNWAY_HOURS} h"
    return f"{bar.hours} h, {plain(bar.least)}" if bar.least else f"{bar.hours} h"


def fingerprint(account: VenueAccount) -> str:
    """By which staff recognise the account's key; empty when it has none."""
    if (sealed := getattr(account, "sealed_key", None)) is not None:
        return str(sealed.fingerprint)
    found = keys.key_of(account)
    return str(_("%(key)s, of the settings")) % {"key": keys.fingerprint_of(found.api_key)} if found else ""


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


# ------------------------------------------------------------------ what staff have stopped
def standing_switches() -> QuerySet[Switch]:
    """Switches that nobody has released, oldest first."""
    found = Switch.objects.filter(released_at__isnull=True).order_by("id")
    return found.select_related("market", "customer", "flipped_by", "release__asked_by")


def is_anything_stopped() -> Exists:
    """For statements that are made anyway: whether any switch stands, and who wants to know more has to ask for it."""
    return Exists(Switch.objects.filter(released_at__isnull=True))


# The same for a statement that is written by hand.
IS_ANYTHING_STOPPED = "EXISTS (SELECT FROM gate_switch WHERE released_at IS NULL)"


def stop_against(*, market: str, side: str, customer: int, channel: str) -> Stopped | None:
    """What such an order is told when a switch stands against it."""
    found = _on_either_side(market=market, customer=customer, channel=channel)
    switch = found.filter(side__in=["", side]).first()
    return None if switch is None else switch.refusal


def _on_either_side(*, market: str, customer: int, channel: str) -> QuerySet[Switch]:
    found = Switch.objects.filter(
        Q(market=None) | Q(market=market), Q(customer=None) | Q(customer=customer), released_at__isnull=True
    )
    # The scope and the channel of the API have one word.
    others = [scope for scope in Switch.Scope.values if scope != Switch.Scope.API]
    return found.filter(scope__in=[*others, channel]).order_by("id")


def cancel_only_stop(market: str) -> Stopped | None:
    """What is told to whoever wants more than to cancel, where staff allow no more."""
    switch = _on_either_side(market=market, customer=0, channel="").filter(scope="CANCEL_ONLY").first()
    return None if switch is None else switch.refusal


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
