"""What the gate knows, for eyes."""

from django.core.cache import cache
from redis.exceptions import RedisError

from exchange.gate import limits
from exchange.gate.models import VenueAccount
from exchange.prepared import Prepared


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
