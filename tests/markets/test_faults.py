"""Whatever goes wrong on the way: no book is told as LIVE that is wrong, and each is soon LIVE again."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from exchange.binance.market_streams import Pace
from exchange.paper.limits import MINUTE_LIMIT
from markets.stream.auditing import Audit
from tests.exchange.paper.people import wait_for
from tests.markets.remembering import SECONDS_BACK, Scene, scene

Fault = dict[str, Any]
# What a book survives without a word, and what it starts over for.
HARMLESS: list[Fault] = [
    {"do": "duplicate", "count": 3},
    *({"do": "zero", "text": text, "count": 3} for text in ("0", "0.", "0.000", "0.0000000000")),
    {"do": "unknown removal", "count": 3},
]
HARMFUL: list[Fault] = [
    {"do": "drop", "count": 2},
    {"do": "swap"},
    {"do": "crossed"},
    {"do": "broken"},
    *({"do": "missing field", "field": field} for field in ("U", "u", "b", "a")),
    *({"do": "no number", "text": text} for text in ("a lot", "NaN", "-5", "")),
]
# Whose it is, or when it was, cannot be told.
DOUBTFUL: list[Fault] = [
    {"do": "foreign symbol"},
    {"do": "foreign symbol", "text": "P001USDT"},
    {"do": "unknown kind"},
    {"do": "backwards"},
]
# Each event for itself is as it should be.
BELIEVABLE = ("drop", "swap", "crossed")
SNAPSHOTS: list[Fault] = [
    *({"do": f"{how} {side}", "count": 2} for how in ("without", "empty") for side in ("bids", "asks")),
    {"do": "older", "count": 2},
    {"on": "depth", "do": "slow", "ms": 1500},
    {"on": "depth", "do": "429", "ms": 1000},
    {"on": "depth", "do": "503 before", "count": 2},
    {"on": "depth", "do": "garbage after"},
    {"on": "depth", "do": "reset before", "count": 2},
]
QUICK = Pace(first_wait=0.1, longest_wait=1, silence=1.5, settle=0.2, overlap=2)


def is_spent(found: Scene) -> bool:
    return not found.caller.door_get("state")["disturbances"]


@pytest.mark.parametrize("faults", [[*HARMLESS, *DOUBTFUL], HARMFUL], ids=["odd", "harmful"])
def test_what_goes_wrong_on_one_stream_harms_its_own_market_alone_and_not_for_long(
    faults: list[Fault], figure: Callable[[str], None]
) -> None:
    """Every fault at the same time, each on a market of its own."""
    with structlog.testing.capture_logs() as words, scene(len(faults) + 1) as found:
        struck = dict(zip(list(found.markets)[1:], faults, strict=True))
        for symbol, fault in struck.items():
            found.fault(symbol=symbol, **fault)
        wait_for(lambda: not any("100ms" in name for name in found.caller.door_get("state")["disturbances"]))
        seconds = found.seconds_until_back()
        resyncs = {symbol: book.resyncs for symbol, book in found.books().items()}
        told = len(found.heard.live)
        assert found.wrong() == []
    assert max(seconds.values()) < SECONDS_BACK, seconds
    for symbol, fault in struck.items():
        assert (resyncs[symbol] > 0) == (fault not in HARMLESS), fault
        named = {word["event"] for word in words if word.get("symbol") == symbol}
        assert (named >= {"book.gap"}) == (fault not in HARMLESS), fault
        assert ("feed.unreadable" in named) == (fault not in HARMLESS and fault["do"] not in BELIEVABLE), (
            fault
        )
    assert resyncs["P001USDT"] == 0
    slowest = max(seconds.values())
    figure(
        f"{len(faults)} faults: LIVE again after {slowest:.1f} s at most, {told} LIVE states told, none wrong"
    )


def test_wrong_snapshots_are_not_believed(figure: Callable[[str], None]) -> None:
    """Each market loses an event and is then answered with a wrong snapshot, or with none."""
    with structlog.testing.capture_logs() as words, scene(len(SNAPSHOTS)) as found:
        for symbol, fault in zip(found.markets, SNAPSHOTS, strict=True):
            found.fault(symbol=symbol, **fault)
        time.sleep(0.5)  # what is older has to be old
        found.fault(do="drop")
        wait_for(lambda: not found.caller.door_get("state")["faults"])
        seconds = found.seconds_until_back()
        told = len(found.heard.live)
        assert found.wrong() == []
    assert max(seconds.values()) < SECONDS_BACK, seconds
    for symbol, fault in zip(found.markets, SNAPSHOTS, strict=True):
        if fault["do"].endswith(("bids", "asks")):
            assert any(word.get("symbol") == symbol and "snapshot" in word["event"] for word in words), fault
    slowest = max(seconds.values())
    figure(f"wrong snapshots: LIVE after {slowest:.1f} s at most, {told} LIVE states told, none wrong")


# ------------------------------------------------------------------ sockets
def states(found: Scene, since: int = 0) -> set[str]:
    """All states that were told, from so many on."""
    return {told["state"] for told in found.heard.told[since:]}


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ({"do": "cut"}, 0.0),
        ({"do": "disconnect"}, 0.0),
        ({"do": "mute", "ms": 1000}, 1.0),  # shorter than it takes us to notice: it goes on with a hole
        ({"do": "mute", "ms": 60_000}, QUICK.silence),
    ],
    ids=["cut", "closed", "silent for a while", "silent for good"],
)
def test_a_socket_that_is_lost_costs_seconds(
    fault: Fault, seconds: float, figure: Callable[[str], None]
) -> None:
    """The end of a silence is when the venue speaks again, or when the socket has been given up."""
    with scene(3, QUICK) as found:
        began = time.monotonic() + seconds
        found.fault(**fault)
        wait_for(lambda: "LIVE" not in {found.heard.now(symbol)["state"] for symbol in found.markets})
        time.sleep(max(0.0, began - time.monotonic()))
        took = found.seconds_until_back(began)
        assert found.wrong() == []
    assert max(took.values()) < SECONDS_BACK
    figure(f"{fault['do']}: LIVE again after {max(took.values()):.1f} s")


@pytest.mark.parametrize("fault", [{"do": "shutdown"}, {"do": "silence", "ms": 1000}])
def test_a_venue_that_goes_or_rests_costs_nothing(fault: Fault) -> None:
    """Told to leave, we have the next socket before we let go of the last; a still venue is only still."""
    with scene(3, QUICK) as found:
        before, line = len(found.heard.told), next(iter(found.venue.feed.listeners))
        found.fault(**fault)
        wait_for(lambda: fault["do"] == "silence" or line not in found.venue.feed.listeners)
        time.sleep(fault.get("ms", 0) / 1000 + 0.3)
        assert max(found.seconds_until_back().values()) < SECONDS_BACK
        assert found.wrong() == []
        assert states(found, before) == {"LIVE"}


def test_sockets_are_replaced_before_their_day_is_over_and_nobody_notices() -> None:
    with scene(3, Pace(rotation=1.5, settle=0.2, overlap=1, stable=0.5)) as found:
        before, lines = len(found.heard.told), set(found.venue.feed.listeners)
        wait_for(lambda: lines.isdisjoint(found.venue.feed.listeners))
        lines = set(found.venue.feed.listeners)
        wait_for(lambda: lines.isdisjoint(found.venue.feed.listeners))
        found.seconds_until_back()
        assert found.wrong() == []
        assert states(found, before) == {"LIVE"}


def test_a_day_that_ends_all_the_same_costs_seconds() -> None:
    """Sockets of a day of two seconds, then of whole ones."""
    with scene(3, QUICK) as found:
        found.fault(do="lifetime", ms=2000)
        found.fault(do="disconnect")
        found.seconds_until_back()
        before = len(found.heard.told)
        found.fault(do="lifetime", ms=86_400_000)
        wait_for(lambda: "STALE" in states(found, before))
        assert max(found.seconds_until_back().values()) < SECONDS_BACK
        assert found.wrong() == []


def test_books_of_a_line_that_falls_silent_are_stale_long_before_it_is_given_up(
    figure: Callable[[str], None],
) -> None:
    """At the pace of the product: their age would be counted from our own signs of life."""
    with scene(3, Pace()) as found:
        us = {symbol: found.heard.now(symbol)["u"] for symbol in found.markets}
        wait_for(lambda: all(found.heard.now(symbol)["u"] > u + 50 for symbol, u in us.items()))
        began = time.monotonic()
        found.fault(do="mute", ms=3500)
        wait_for(lambda: {found.heard.now(symbol)["state"] for symbol in found.markets} == {"STALE"})
        took = time.monotonic() - began
        found.seconds_until_back()
        assert found.wrong() == []
    assert took < Pace().quiet + 1
    figure(f"a line that falls silent: STALE after {took:.1f} s")


def test_a_stream_that_the_venue_forgets_while_its_line_lives_is_asked_for_again() -> None:
    """Its book would stay LIVE as it was: nothing is missed between two events that never come."""
    audit = Audit(quiet_seconds=0.5, every_seconds=0.1, way_seconds=0.3)
    with structlog.testing.capture_logs() as words, scene(2, audit=audit) as found:
        deaf, well = found.markets
        found.fault(do="drop", count=10**6, symbol=deaf)
        before, told = found.heard.now(deaf)["u"], len(found.heard.told)
        wait_for(lambda: found.is_back(deaf, before + 1))
        heard = [book["state"] for book in found.heard.told[told:] if book["symbol"] == deaf]
        assert "STALE" in heard, "meanwhile nobody is told that it is right"
        found.fault(do="clear")
        found.seconds_until_back()
        assert found.wrong() == []
    assert {word["symbol"] for word in words if word["event"] == "book.deaf"} == {deaf}
    assert {book["state"] for book in found.heard.told[told:] if book["symbol"] == well} == {"LIVE"}


# ------------------------------------------------------------------ many, and all of it
def test_thirty_books_lost_at_once_are_live_again_in_seconds_and_deepened_by_and_by(
    figure: Callable[[str], None],
) -> None:
    """First on a hundred levels each, which they say, and within the weight that is meant for it."""
    with scene(30) as found:
        first = {symbol: found.heard.first_live(symbol)["known"] for symbol in found.markets}
        wait_for(lambda: sum(found.heard.now(symbol)["known"] > 900 for symbol in found.markets) > 10)
        took = []
        for fault in ({"do": "drop"}, {"do": "cut"}):
            found.fault(**fault)
            time.sleep(0.5)
            took.append(max(found.seconds_until_back().values()) + 0.5)
        assert found.wrong() == []
        weight = sum(found.venue.limits.spent["127.0.0.1"].values())
    assert max(took) < 10
    assert {known for known in first.values() if not 50 < known < 150} == set()
    assert weight < 0.6 * MINUTE_LIMIT
    figure(f"30 books lost at once: LIVE after {took[0]:.1f} and {took[1]:.1f} s, weight {weight} in all")


@pytest.mark.parametrize("seed", [1, 2])
def test_at_random_moments_of_random_faults_no_live_book_is_wrong(
    seed: int, figure: Callable[[str], None]
) -> None:
    dice = random.Random(seed)
    sockets: list[Fault] = [
        {"do": "cut"},
        {"do": "disconnect"},
        {"do": "shutdown"},
        {"do": "mute", "ms": 300},
    ]
    with scene(6, QUICK) as found:
        for _fault in range(30):
            fault = dict(dice.choice([*HARMLESS, *HARMFUL, *DOUBTFUL, *SNAPSHOTS, dice.choice(sockets)]))
            if fault not in sockets:
                fault["symbol"] = dice.choice(list(found.markets))
            found.fault(**fault)
            time.sleep(dice.random() * 0.2)
        found.fault(do="clear")
        took = found.seconds_until_back()
        told = len(found.heard.live)
        assert found.wrong() == []
        assert max(took.values()) < SECONDS_BACK
    figure(
        f"seed {seed}: 30 faults, {told} LIVE states told, none wrong, all LIVE after {max(took.values()):.1f} s"
    )
