"""Every recording of the real venue: after each message our book is the one worked out by the rule alone."""

import gzip
import json
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange.binance.errors import NotSent
from exchange.binance.models import DepthSnapshot
from exchange.paper.replay import Replay
from exchange.paper.venue import Venue
from markets.book import MOST_LEVELS, LocalBook, State
from markets.stream import Following, Snapshots, streams_of
from markets.stream.following import ONE_SIDED_BELIEVED
from tests.exchange.paper.people import KEYS, serving, wait_for
from tests.markets.followed import followed
from tests.markets.recording import SESSION, SNAPSHOT, RuledBook, first_ids, lines_of, recordings, session
from tests.markets.test_following import Clock

WHOLE_BOOK = Path(__file__).parents[2] / "exchange" / "paper" / "data" / "btcusdt-depth.json.gz"
NO_LIMIT = 10**9


class Recorded:
    """Answers with the recording's latest snapshots, as deep as they were recorded."""

    def __init__(self) -> None:
        self.bodies: dict[str, Any] = {}

    def depth(self, symbol: str, limit: int) -> DepthSnapshot:
        if symbol not in self.bodies:
            raise NotSent("not recorded yet")
        return DepthSnapshot.from_wire(symbol, self.bodies[symbol])


class Player:
    """A recording heard by us, as text, and by the books of the rule, as decoded by somebody else."""

    def __init__(self, firsts: dict[str, int]) -> None:
        self.clock, self.venue = Clock(), Recorded()
        snapshots = Snapshots(weight_a_minute=NO_LIMIT, weight_at_once=NO_LIMIT, clock=self.clock)
        self.following = Following(fetch_snapshot=self.venue.depth, snapshots=snapshots, clock=self.clock)
        self.following.follow(list(firsts))
        self.following.on_up(streams_of(list(firsts)))
        self.ruled = {symbol: RuledBook() for symbol in firsts}
        self.messages, self.least_known = 0, MOST_LEVELS

    def hear_snapshot(self, symbol: str, body: Any) -> None:
        self.venue.bodies[symbol] = body
        self.ruled[symbol].snapshot(body)
        for _time in range(ONE_SIDED_BELIEVED):
            self.clock.now += 10
            while self.following.fetch_one():
                self.following.take_fetched()

    def hear_frame(self, kind: str, symbol: str, body: Any, raw: str) -> None:
        self.following.on_frame(raw.encode())
        if "@depth" in kind:
            self.messages += 1
            self.ruled[symbol].event(body)

    def require_equal(self, symbol: str) -> None:
        """State, update id and every level that is known, to the last digit; and it is not crossed."""
        book, ruled = self.following.books[symbol], self.ruled[symbol]
        assert (book.state == State.LIVE) == ruled.is_live
        if not ruled.is_live:
            return
        assert book.last_update_id == ruled.last
        require_levels(book, ruled)
        self.least_known = min(self.least_known, book.known or MOST_LEVELS)


def require_levels(book: LocalBook, ruled: RuledBook) -> None:
    assert not book.is_crossed and not ruled.is_crossed
    for side, levels in ((book.bids, ruled.bids), (book.asks, ruled.asks)):
        count = MOST_LEVELS if side.known is None else min(side.known, MOST_LEVELS)
        assert side.top(count) == levels(count)
        assert side.known is not None or len(side.top()) == len(levels(MOST_LEVELS))


@pytest.mark.parametrize("file", recordings(), ids=lambda file: file.name)
def test_after_every_message_of_a_recording_each_book_is_the_one_of_the_rule_and_never_crossed(
    file: Path, figure: Callable[[str], None]
) -> None:
    """Where no snapshot was recorded the book begins empty just before the first event."""
    said = session(file)
    firsts = first_ids(said)
    player = Player(firsts)
    for symbol in firsts.keys() - {symbol for kind, symbol, _body in said if kind == SNAPSHOT}:
        player.hear_snapshot(symbol, {"lastUpdateId": firsts[symbol] - 1, "bids": [], "asks": []})
    for _at, kind, symbol, body, raw in lines_of(file):
        if symbol not in firsts:
            continue
        if kind == SNAPSHOT:
            player.hear_snapshot(symbol, body)
        else:
            player.hear_frame(kind, symbol, body, raw)
        player.require_equal(symbol)
    for symbol in firsts:
        player.require_equal(symbol)
        assert player.ruled[symbol].is_live, f"{symbol} never began"
        assert player.following.books[symbol].resyncs == 0
    levels = f"at least {player.least_known} levels a side known"
    figure(f"{file.name}: {len(firsts)} books equal after each of {player.messages} messages, {levels}")


# ------------------------------------------------------------------ through the venue and over sockets
SHOWN = 20


def ruled_states(file: Path) -> dict[str, tuple[RuledBook, dict[int, Any]]]:
    """Each book as it ends, and its best levels at every update id on the way."""
    said, states = session(file), {}
    for symbol, first_id in first_ids(said).items():
        empty = {"lastUpdateId": first_id - 1, "bids": [], "asks": []}
        snapshots = [body for kind, of, body in said if (kind, of) == (SNAPSHOT, symbol)]
        book, known = RuledBook(), dict[int, Any]()
        book.snapshot(snapshots[0] if snapshots else empty)
        for kind, of, body in said:
            assert book.last is not None, "a recording with a hole has more books than one"
            known[book.last] = ([*book.bids(SHOWN)], [*book.asks(SHOWN)])
            if of == symbol and "@depth" in kind:
                book.event(body)
        assert book.last is not None
        known[book.last] = (book.bids(SHOWN), book.asks(SHOWN))
        states[symbol] = book, known
    return states


def seconds_of(file: Path) -> float:
    times = [at for at, *_said in lines_of(file)]
    return max(times) - min(times)


@pytest.mark.parametrize(
    ("file", "is_now"),
    [*((file, False) for file in recordings()), (SESSION, True)],
    ids=lambda given: given.name if isinstance(given, Path) else "now" if given else "then",
)
def test_a_recording_played_by_the_venue_is_followed_to_the_same_books(
    file: Path, is_now: bool, figure: Callable[[str], None]
) -> None:
    """Every state told on the way is the one that the rule gives for its update id."""
    states = ruled_states(file)
    replay = Replay(file, speed=seconds_of(file) / 2, is_now=is_now)
    venue = Venue(None, KEYS, replay=replay, levels=20, deepest=20)
    with serving(venue) as url, followed(url, list(states)) as heard:
        for symbol, (ruled, _known) in states.items():
            wait_for(lambda s=symbol, last=ruled.last: heard.now(s)["u"] == last, seconds=20)
    for told in heard.live:
        known = states[told["symbol"]][1]
        shown = tuple([tuple(level) for level in told[side]] for side in ("bids", "asks"))
        assert shown == tuple(known[told["u"]]), (told["symbol"], told["u"])
    for symbol, (ruled, _known) in states.items():
        book = heard.session.following.books[symbol]
        assert (book.state, book.last_update_id) == (State.LIVE, ruled.last)
        require_levels(book, ruled)
    figure(f"{file.name} over sockets: {len(heard.live)} states told, each the one of its update id")


def test_the_recorded_sessions_are_all_here() -> None:
    assert len(recordings()) >= 4


def test_the_deepest_recorded_book_is_kept_to_the_last_digit_while_it_moves() -> None:
    """5,000 levels a side, moved at random near the best price and far from it."""
    body = json.loads(gzip.decompress(WHOLE_BOOK.read_bytes()))
    player, dice = Player({"BTCUSDT": body["lastUpdateId"] + 1}), random.Random(5)
    player.hear_snapshot("BTCUSDT", body)
    player.require_equal("BTCUSDT")
    assert (len(body["bids"]), len(body["asks"])) == (5000, 5000)
    for last in range(body["lastUpdateId"] + 1, body["lastUpdateId"] + 1001):
        bids, asks = ([move(body[side], dice) for _level in range(3)] for side in ("bids", "asks"))
        event = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": last, "u": last, "b": bids, "a": asks}
        stream = "btcusdt@depth@100ms"
        player.hear_frame(stream, "BTCUSDT", event, json.dumps({"stream": stream, "data": event}))
        player.require_equal("BTCUSDT")


def move(levels: list[list[str]], dice: random.Random) -> list[str]:
    """One recorded level is removed or set again, or one comes a little behind it; nine in ten near the best."""
    rank = dice.randrange(30) if dice.random() < 0.9 else dice.randrange(len(levels))
    price = Decimal(levels[rank][0])
    away = Decimal("0.01") if price > Decimal(levels[-1][0]) else Decimal("-0.01")
    quantity = dice.choice(("0", "0.00000000", f"{dice.randrange(1, 10**9) / 10**5:.8f}"))
    return [f"{price - away * dice.randrange(3):.8f}", quantity]
