"""How fast, how often and how long: the venue's limits with room to spare, and our own waits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds, and numbers of things. The venue's limits are in web-socket-streams.md, "General WSS information"."""

    tick: float = 0.025
    # Frames gather for this long, so that one read serves several; never past the next tick, which takes all.
    gather: float = 0.01

    # Of the 1,024 streams that a connection may carry.
    streams_a_socket: int = 900
    names_a_message: int = 200
    # Five messages a second are allowed, and pongs count.
    between_messages: float = 0.3
    answer: float = 10
    # After a refusal of several names; one that is refused alone waits `longest_wait`.
    after_refusal: float = 0.5

    # Half of what the venue allows an address: others connect from here too.
    attempts: int = 150
    attempts_within: float = 300
    connect: float = 10
    first_wait: float = 0.5
    longest_wait: float = 15
    # A socket that lived for so long was a good one: its next begins with the first wait.
    stable: float = 30

    # A socket that usually speaks more often and is silent for so long is told of, long before it is given up.
    quiet: float = 2.5
    # Nothing heard on a socket that carries streams: it is open and dead.
    silence: float = 8
    # The venue cuts a connection after 24 hours; going first, at about 23, chooses the moment.
    rotation: float = 23 * 3600
    # A successor that carries everything and speaks lets the old one go after `settle`, a quiet one after `overlap`.
    settle: float = 1
    overlap: float = 10
