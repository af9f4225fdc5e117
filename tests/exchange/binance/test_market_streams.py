"""Many streams over several sockets: all arrive, each socket lives and dies alone, and the venue's limits are kept."""

import asyncio
import dataclasses
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from exchange.binance.market_streams import MarketStreams, Pace
from tests.exchange.binance.numbered import Numbered, Peer
from tests.exchange.binance.sockets import running, until

QUICK = Pace(
    between_messages=0.02,
    after_refusal=0.02,
    first_wait=0.02,
    longest_wait=0.1,
    settle=0.1,
    overlap=0.5,
)
SIX = [f"{market}@{kind}" for market in ("aaa", "bbb", "ccc") for kind in ("depth@100ms", "trade")]


class Heard:
    """What the streams called back with."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self.frames: list[bytes] = []
        self.up: set[str] = set()
        self.wrong: list[str] = []  # said to be up when they were, or down when they were not
        self.events: list[tuple[Any, ...]] = []
        self.ticks = 0

    def frame(self, raw: bytes) -> None:
        self.frames.append(raw)
        if raw.endswith(b"}}") and b'"data":{"n":' in raw:
            event = json.loads(raw)
            self.numbers[event["stream"]].append(event["data"]["n"])

    def on_up(self, streams: frozenset[str]) -> None:
        self.wrong += sorted(self.up & streams)
        self.up |= streams
        self.events.append(("up", streams))

    def on_down(self, streams: frozenset[str], reason: str) -> None:
        self.wrong += sorted(streams - self.up)
        self.up -= streams
        self.events.append(("down", streams, reason))

    def tick(self) -> None:
        self.ticks += 1

    @property
    def downs(self) -> list[tuple[Any, ...]]:
        return [event for event in self.events if event[0] == "down"]

    def lost(self) -> dict[str, list[int]]:
        """The numbers between a stream's first and last that never came."""
        return {
            name: gaps
            for name, numbers in self.numbers.items()
            if (gaps := sorted(set(range(numbers[0], max(numbers))) - set(numbers)))
        }


def market_streams(url: str, heard: Heard, pace: Pace = QUICK, **changes: Any) -> MarketStreams:
    return MarketStreams(
        base_url=url,
        on_frame=heard.frame,
        on_up=heard.on_up,
        on_down=heard.on_down,
        on_tick=heard.tick,
        pace=dataclasses.replace(pace, **changes),
    )


@contextmanager
def following(
    wanted: list[str], numbered: Numbered | None = None, how: dict[str, Any] | None = None, **changes: Any
) -> Iterator[tuple[MarketStreams, Numbered, Heard]]:
    """A venue, and streams that follow it."""
    heard, numbered = Heard(), numbered or Numbered()
    with numbered.open(**how or {}) as url:
        streams = market_streams(url, heard, **changes)
        streams.want(wanted)
        with running(streams):
            yield streams, numbered, heard
    assert heard.wrong == []


def carried_by(numbered: Numbered, name: str) -> list[Peer]:
    return [peer for peer in numbered.peers_now() if name in peer.streams]


# ------------------------------------------------------------------ subscriptions
def test_the_frames_of_three_sockets_arrive_as_they_were_sent() -> None:
    with following(SIX, streams_a_socket=2) as (_streams, numbered, heard):
        until(lambda: set(heard.numbers) == set(SIX) and min(map(len, heard.numbers.values())) > 5)
    assert [len(peer.streams) for peer in numbered.peers] == [2, 2, 2]
    assert heard.events and not heard.downs and heard.up == set(SIX)
    assert heard.lost() == {}
    assert heard.frames[0].startswith(b'{"stream":"') and heard.frames[0].endswith(b'"data":{"n":1}}')


def test_markets_come_and_go_on_the_running_socket_with_few_messages_a_second() -> None:
    pace = Pace(names_a_message=2)
    names = [f"m{number}@trade" for number in range(8)]
    with following(names, pace=pace) as (streams, numbered, heard):
        until(lambda: heard.up == set(names))
        streams.want([*names[2:], "new@trade"])
        until(lambda: "new@trade" in heard.numbers)
        (peer,) = numbered.peers
        assert peer.streams == {*names[2:], "new@trade"}
    assert heard.downs == []
    times = [at for at, _method, _names in peer.asked]
    assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 4
    assert max(len(asked) for _at, _method, asked in peer.asked) == 2


def test_what_was_left_out_is_told_again_when_it_is_wanted_again() -> None:
    with following(SIX) as (streams, numbered, heard):
        until(lambda: heard.up == set(SIX))
        streams.want(SIX[:5])
        until(lambda: not carried_by(numbered, SIX[5]))
        heard.up.discard(SIX[5])
        streams.want(SIX)
        until(lambda: heard.up == set(SIX))
    assert heard.events[-1] == ("up", frozenset(SIX[5:]))


def test_a_socket_of_which_nothing_is_wanted_any_more_is_closed() -> None:
    with following(SIX, streams_a_socket=2) as (streams, numbered, heard):
        until(lambda: heard.up == set(SIX))
        streams.want([*numbered.peers[0].streams])
        until(lambda: len(numbered.peers_now()) == 1)
        streams.want([])
        until(lambda: not numbered.peers_now())
    assert heard.downs == []


@pytest.mark.parametrize(
    "refusal",
    [{"code": 2, "msg": "Invalid"}, {"error": {"code": 2, "msg": "Invalid"}}, {"code": 3, "id": None}],
)
def test_a_refusal_is_tried_again_and_one_bad_name_keeps_no_other_out(refusal: dict[str, Any]) -> None:
    refusing = threading.Event()
    refusing.set()
    numbered = Numbered(lambda names: refusal if "bad@trade" in names and refusing.is_set() else None)
    wanted = [*SIX[:3], "bad@trade", *SIX[3:]]
    with following(wanted, numbered) as (_streams, _numbered, heard):
        until(lambda: heard.up == set(SIX))
        refusing.clear()
        until(lambda: "bad@trade" in heard.numbers)
    assert len(numbered.peers) == 1


def test_a_question_without_an_answer_is_put_again() -> None:
    answers: list[dict[str, Any] | None] = [{"code": 1, "id": 99}]  # the first is for somebody else
    numbered = Numbered(lambda names: answers.pop() if answers else None)
    with following(SIX, numbered, answer=0.2) as (_streams, _numbered, heard):
        until(lambda: heard.up == set(SIX))
    assert len(numbered.peers) == 1


# ------------------------------------------------------------------ succession
def test_a_successor_speaks_before_the_old_socket_goes_and_no_frame_is_lost() -> None:
    slowly: dict[str, Any] = {"names_a_message": 1, "between_messages": 0.08, "settle": 0.05}
    with following(SIX, streams_a_socket=3, rotation=0.4, **slowly) as (_streams, numbered, heard):
        until(lambda: len(numbered.peers) >= 6)
        assert len(numbered.peers_now()) <= 4
    assert heard.downs == []
    assert heard.lost() == {}
    assert {name for _kind, names in heard.events for name in names} == set(SIX) == heard.up


@pytest.mark.parametrize(
    "notice",
    [
        '{"e":"serverShutdown","E":1}',
        '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
    ],
)
def test_a_shutdown_notice_brings_a_successor_at_once(notice: str) -> None:
    with following(SIX) as (_streams, numbered, heard):
        until(lambda: len(heard.numbers) == 6)
        numbered.say(numbered.peers[0], notice)
        until(lambda: not numbered.peers[0].is_open)
        seen = len(heard.frames)
        until(lambda: len(heard.frames) > seen + 12)
    assert len(numbered.peers) == 2
    assert heard.downs == []
    assert heard.lost() == {}
    assert b"serverShutdown" not in b"".join(heard.frames)


def test_a_successor_that_is_quiet_takes_over_in_the_end() -> None:
    with following(SIX, overlap=0.3) as (_streams, numbered, heard):
        until(lambda: heard.up == set(SIX))
        numbered.say(numbered.peers[0], '{"e":"serverShutdown","E":1}')
        until(lambda: len(numbered.peers) == 2)
        numbered.peers[1].is_mute = True
        until(lambda: not numbered.peers[0].is_open)
    assert heard.downs == []


def test_an_old_socket_that_dies_first_leaves_its_streams_to_the_successor() -> None:
    with following(SIX, settle=60, overlap=60) as (_streams, numbered, heard):
        until(lambda: heard.up == set(SIX))
        numbered.say(numbered.peers[0], '{"e":"serverShutdown","E":1}')
        until(lambda: len(numbered.peers) == 2 and numbered.peers[1].streams == set(SIX))
        seen = len(heard.frames)
        until(lambda: len(heard.frames) > seen + 24)
        numbered.do(numbered.peers[0].transport.abort)
        until(lambda: not numbered.peers[0].is_open)
        seen = len(heard.frames)
        until(lambda: len(heard.frames) > seen + 12)
    assert heard.downs == []
    assert len(numbered.peers) == 2


# ------------------------------------------------------------------ ends of sockets
def test_a_socket_that_is_open_but_silent_is_made_anew() -> None:
    with following(SIX, silence=0.3) as (_streams, numbered, heard):
        until(lambda: len(heard.numbers) == 6)
        numbered.peers[0].is_mute = True
        until(lambda: len(numbered.peers) == 2 and heard.up == set(SIX))
    assert heard.downs == [("down", frozenset(SIX), "silence")]


def test_a_socket_that_never_answers_nor_speaks_is_made_anew() -> None:
    numbered = Numbered()
    numbered.is_deaf = True
    with following(SIX, numbered, silence=0.2) as (_streams, _numbered, heard):
        until(lambda: len(numbered.peers) == 2)
        numbered.is_deaf = False
        until(lambda: heard.up == set(SIX))


def test_a_cut_socket_comes_back_while_the_others_go_on() -> None:
    with following(SIX, streams_a_socket=2) as (_streams, numbered, heard):
        until(lambda: heard.up == set(SIX))
        cut = numbered.peers[1]
        names = frozenset(cut.streams)
        numbered.do(cut.transport.abort)
        until(lambda: len(heard.downs) == 1 and heard.up == set(SIX))
    assert heard.downs[0][1] == names
    assert len(numbered.peers) == 4
    assert {name: lost for name, lost in heard.lost().items() if name not in names} == {}


def test_a_venue_that_closes_says_so_in_the_reason() -> None:
    with following(SIX) as (_streams, numbered, heard):
        until(lambda: heard.up == set(SIX))
        socket = numbered.peers[0].socket
        numbered.do(lambda: asyncio.ensure_future(socket.close(code=1008)))
        until(lambda: len(heard.downs) == 1)
    assert heard.downs[0][2] == "the venue closed the connection 1008"


def times_of_connections(seconds: float, **changes: Any) -> list[float]:
    """When a venue that closes every connection at once was asked for one."""
    times: list[float] = []

    async def refuse(request: web.Request) -> None:
        times.append(time.monotonic())
        raise web.HTTPServiceUnavailable

    with following(SIX, how={"before": refuse}, streams_a_socket=2, **changes):
        time.sleep(seconds)
    return times


def test_each_socket_waits_longer_after_every_failure() -> None:
    times = times_of_connections(1, first_wait=0.05, longest_wait=0.2)
    # Alone each needs at least .025, .05 and then .1 every time.
    assert 6 <= len(times) <= 3 * 12


def test_attempts_of_all_sockets_together_stay_within_the_limit() -> None:
    assert len(times_of_connections(0.6, attempts=5)) == 5
    assert 5 < len(times_of_connections(0.9, attempts=5, attempts_within=0.6)) <= 10


def test_a_connect_that_hangs_stops_nobody_and_is_given_up() -> None:
    asked: list[web.Request] = []

    async def hang_once(request: web.Request) -> None:
        """The second answer comes letter by letter and never ends."""
        asked.append(request)
        is_second = len(asked) == 2
        while is_second and request.transport is not None:
            request.transport.write(b"H")
            await asyncio.sleep(0.05)

    with following(SIX, how={"before": hang_once}, streams_a_socket=2, connect=0.5) as (_s, _n, heard):
        until(lambda: len(heard.numbers) == 4 and min(map(len, heard.numbers.values())) > 10)
        assert len(asked) == 3
        until(lambda: heard.up == set(SIX))
    assert heard.downs == []


# ------------------------------------------------------------------ bad input
def test_frames_nobody_can_read_are_counted_and_end_nothing() -> None:
    bad = [
        "no JSON",
        "[1]",
        "7",
        "null",
        '"text"',
        "{}",
        '{"stream":',
        '{"stream":5}',
        '{"id":[1]}',
        '{"code":"x"}',
        "",
    ]
    big = f'{{"stream":"big@trade","data":["{"x" * 1_000_000}"]}}'
    with following(SIX) as (streams, numbered, heard):
        until(lambda: len(heard.numbers) == 6)
        (peer,) = numbered.peers
        for text in bad:
            numbered.say(peer, text)
        numbered.do(
            lambda: asyncio.ensure_future(peer.socket.send_bytes(b'{"stream":"aaa@trade","data":{}}'))
        )
        numbered.say(peer, big)
        until(lambda: big.encode() in heard.frames)
        seen = len(heard.frames)
        until(lambda: len(heard.frames) > seen + 12)
    assert streams.unreadable == len(bad) + 1
    assert numbered.peers == [peer]
    assert heard.downs == [] and heard.lost() == {}


def test_an_event_is_known_however_it_is_written() -> None:
    said = [
        '{"data":{"a":1},"stream":"x@trade"}',
        '{"stream": "x@t" }',
        '{"stream":"!miniTicker@arr","data":[]}',
    ]
    with following(SIX) as (streams, numbered, heard):
        until(lambda: len(numbered.peers) == 1)
        for text in said:
            numbered.say(numbered.peers[0], text)
        until(lambda: {text.encode() for text in said} <= set(heard.frames))
    assert streams.unreadable == 0


def test_a_callback_that_fails_costs_its_frame_alone() -> None:
    heard, numbered = Heard(), Numbered()

    def fail(raw: bytes) -> None:
        heard.frames.append(raw)
        raise ValueError("not this one")

    with numbered.open() as url:
        streams = MarketStreams(
            base_url=url,
            on_frame=fail,
            on_up=heard.on_up,
            on_down=heard.on_down,
            on_tick=heard.tick,
            pace=QUICK,
        )
        streams.want(SIX)
        with running(streams):
            until(lambda: len(heard.frames) > 20)
    assert len(numbered.peers) == 1


# ------------------------------------------------------------------ time
def test_ticks_come_every_25_ms_with_frames_and_without() -> None:
    heard = Heard()
    streams = market_streams("ws://127.0.0.1:9", heard)
    began = time.monotonic()
    with running(streams):
        time.sleep(0.5)
    assert 10 <= heard.ticks <= (time.monotonic() - began) / 0.025 + 1


def test_stopping_takes_less_than_a_second_whatever_is_under_way() -> None:
    async def hang(request: web.Request) -> None:
        await asyncio.sleep(30)

    with Numbered().open(before=hang) as url:
        streams = market_streams(url, Heard())
        streams.want(SIX)
        thread = threading.Thread(target=streams.run, daemon=True)
        thread.start()
        time.sleep(0.1)
        began = time.monotonic()
        streams.stop()
        thread.join(2)
    assert not thread.is_alive()
    assert time.monotonic() - began < 1
