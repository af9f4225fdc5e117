"""Listen keys, as the exchange had them until 2026: an hour's right to an account's events, renewed by asking."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exchange.paper.errors import ApiError

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

LIFE_SECONDS = 3600
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
GONE = ApiError(-1000, "This endpoint is no longer available.", 410)
UNKNOWN = ApiError(-1125, "This listenKey does not exist.")
Listen = Callable[[dict[str, Any]], None]


@dataclass
class ListenKey:
    key: str
    account_id: int
    renewed: float  # on the clock by which it ages
    heard_by: list[Listen] = field(default_factory=list)


@dataclass
class ListenKeys:
    """The keys of a venue; where there are none any more every request about them is answered 410."""

    venue: "Venue"
    are_served: bool = False
    known: dict[str, ListenKey] = field(default_factory=dict)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("POST", "PUT", "DELETE", "expired"), 0)
    )

    def create(self, account_id: int) -> str:
        """The account's key, which lives another hour."""
        self._count("POST")
        found = next((key for key in self.known.values() if key.account_id == account_id), None)
        if found is None:
            found = ListenKey("".join(secrets.choice(LETTERS) for _letter in range(64)), account_id, 0)
            self.known[found.key] = found
        found.renewed = self.venue.clock.age()
        return found.key

    def renew(self, key: str, account_id: int) -> None:
        self._count("PUT")
        self._of(key, account_id).renewed = self.venue.clock.age()

    def close(self, key: str, account_id: int) -> None:
        self._count("DELETE")
        self._end(self._of(key, account_id))

    def require_served(self) -> None:
        if not self.are_served:
            raise GONE

    def _count(self, kind: str) -> None:
        self.require_served()
        self.counts[kind] += 1

    def _of(self, key: str, account_id: int) -> ListenKey:
        found = self.known.get(key)
        if found is None or found.account_id != account_id:
            raise UNKNOWN
        return found

    def hear(self, name: str, listen: Listen) -> Callable[[], None]:
        """What the key's account is told goes there; gives how to end that. A key nobody knows is silence."""
        found = self.known.get(name)
        if found is None:
            return lambda: None
        found.heard_by.append(listen)
        heard = self.venue.listening.setdefault(found.account_id, [])
        heard.append(listen)

        def leave() -> None:
            for where in (found.heard_by, heard):
                if listen in where:
                    where.remove(listen)

        return leave

    def tick(self) -> None:
        """Keys that nobody has renewed for an hour end, and say so."""
        for found in list(self.known.values()):
            if self.venue.clock.age() - found.renewed >= LIFE_SECONDS:
                self.counts["expired"] += 1
                at = self.venue.clock.now_ms()
                for listen in list(found.heard_by):
                    listen({"e": "listenKeyExpired", "E": at, "listenKey": found.key})
                self._end(found)

    def _end(self, found: ListenKey) -> None:
        del self.known[found.key]
        heard = self.venue.listening.get(found.account_id, [])
        for listen in found.heard_by:
            if listen in heard:
                heard.remove(listen)
        found.heard_by.clear()
