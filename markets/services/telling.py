"""What staff hear of the venue's catalogue: once for each change, all of one kind in one message."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from exchange.binance.models import Unreadable
from exchange.errors import Text
from exchange.money import plain
from exchange.office import services as office
from markets.limits import Narrower, Word, narrowed

MOST_LINES = 100
TOLD_SECONDS = 86_400


@dataclass(frozen=True)
class Change:
    """The fields of a market that changed, as they were and as they are."""

    symbol: str
    before: dict[str, Any]
    after: dict[str, Any]


def tell_staff(
    changes: Collection[Change],
    new_words: Iterable[Word],
    *,
    added: Iterable[str] = (),
    of_the_venue: Iterable[Narrower] = (),
) -> None:
    """Staff find a message about each kind of thing that happened to markets, listed or not.

    `added`: markets that the venue has now; `of_the_venue`: limits of no single market.
    """
    _tell("market.new", _("Markets that the venue has added: %(count)s"), sorted(added))
    _tell("market.status", _("Markets that stopped or came back: %(count)s"), _status_lines(changes))
    lines = [*(_line("*", limit) for limit in of_the_venue), *_limit_lines(changes)]
    _tell("market.limits", _("Limits of the venue that became narrower: %(count)s"), lines)
    words = [f"{kind}: {word}" for kind, word in sorted(new_words)]
    _tell("market.unknown", _("Words of the venue that nobody here knows: %(count)s"), words)


def tell_of_unreadable(rows: Iterable[Unreadable]) -> None:
    """Staff find a message about rows of the venue's list that cannot be read, once a day as long as that lasts."""
    lines = [f"{row.symbol or '?'}: {row.reason}" for row in rows if _is_news(row)]
    _tell("market.unreadable", _("Markets that the venue says odd things of: %(count)s"), lines)


def _is_news(row: Unreadable) -> bool:
    digest = hashlib.sha256(f"{row.symbol} {row.reason}".encode()).hexdigest()
    try:
        return bool(cache.add(f"markets:unreadable:{digest}", 1, timeout=TOLD_SECONDS))
    except (OSError, RedisError):  # told when it can be remembered that it was
        return False


def _tell(kind: str, subject: Text, lines: list[str]) -> None:
    if lines:
        more = [f"… +{len(lines) - MOST_LINES}"] if len(lines) > MOST_LINES else []
        body = "\n".join([*lines[:MOST_LINES], *more])
        office.tell_staff(kind, subject, body, {"count": len(lines)})


def _status_lines(changes: Iterable[Change]) -> list[str]:
    """Every step from one state to another: what stops, comes back or vanishes."""
    pairs = [(c.symbol, c.before["status"], c.after["status"]) for c in changes if "status" in c.after]
    return [f"{symbol}: {before} → {after}" for symbol, before, after in pairs]


def _limit_lines(changes: Iterable[Change]) -> list[str]:
    return [
        _line(change.symbol, limit)
        for change in changes
        if "filters" in change.after
        for limit in narrowed(change.before["filters"], change.after["filters"])
    ]


def _line(whose: str, limit: Narrower) -> str:
    return f"{whose}: {limit.filter_type} {limit.name} {_shown(limit.before)} → {_shown(limit.after)}"


def _shown(limit: Decimal) -> str:
    return plain(limit) if limit else "–"
