"""The three wrong ways in which the venue answers.

VenueError
 ├─ Rejected   it said no, with a definite code: nothing was executed; `is_gone`: what was asked for exists no more
 ├─ NotSent    it never left, or was refused before it was read: rate limit, ban
 │   └─ NoConnection   nobody was there who could have read it
 └─ Unknown    it may or may not have been executed: 5xx, -1006, -1007, time-out, broken connection, unreadable answer
"""

from typing import Any

# binance.md 12: the matching engine's answer was lost or never came.
UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007})
# Refused at the door, before anything was read: too much weight, overload, too many orders, shutting down.
NOT_SENT_CODES = frozenset({-1003, -1008, -1015, -1016, -1034})
NO_SUCH_ORDER = -2013
CANCEL_REJECTED = -2011
BAD_TIMESTAMP = -1021
NO_LISTEN_KEY = -1125
BAD_SIGNATURE = -1022
# The venue knows no such key, or takes it not from here or not for this (binance.md 5).
KEY_REFUSED = frozenset({-2014, -2015})
GONE = 410  # the status in which retired endpoints answer (binance.md 14)
# Of a cancel-replace one half failed, or both; the answer tells which, whatever its status (binance.md 10).
HALVES_CODES = frozenset({-2021, -2022})


class VenueError(Exception):
    """Any answer of the venue that is not the one asked for."""


class Rejected(VenueError):
    """`halves` is what the answer tells of each half of a cancel-replace."""

    def __init__(
        self, code: int, message: str, http_status: int = 400, halves: dict[str, Any] | None = None
    ) -> None:
        self.code, self.message, self.http_status, self.halves = code, message, http_status, halves
        super().__init__(f"{code} {message}")

    @property
    def is_gone(self) -> bool:
        return self.http_status == GONE


class NotSent(VenueError):
    """`retry_after` is in seconds, None when the venue named no time."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.reason, self.retry_after = reason, retry_after
        super().__init__(reason)


class NoConnection(NotSent):
    """The connection itself could not be made, or was closed at the door."""


class Unknown(VenueError):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Unreadable(Unknown):
    """The venue answered, and nobody can read what."""


def of_code(code: int, message: str, *, status: int = 400, retry_after: float | None = None) -> VenueError:
    """Which of the three ways a code is."""
    if code in UNKNOWN_CODES:
        return Unknown(f"{code} {message}")
    if code in NOT_SENT_CODES:
        return NotSent(f"{code} {message}", retry_after)
    return Rejected(code, message, status)
