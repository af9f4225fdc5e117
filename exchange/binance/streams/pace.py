"""How long the user data stream waits, and for what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds. The venue pings every 20 s and cuts a connection after 24 hours (user-data-stream.md, binance.md 14)."""

    tick: float = 0.25
    connect: float = 10
    first_wait: float = 0.5
    longest_wait: float = 15
    # A line that lived for so long was a good one: its next begins with the first wait.
    stable: float = 30
    # Neither an event nor a ping for so long: the line is dead.
    silence: float = 45
    # Going first chooses the moment.
    rotation: float = 23 * 3600
    # What was sent before the successor had subscribed has come by then, or soon after the old line's last event.
    overlap: float = 2
