"""Markets that are recordings: frames of the real venue sent again as they came, at their pace, faster, or all at once.

A recording is read as it is played, never held whole. What is listed is what the first minute of each of its files
shows: streams, and snapshots; a book without one begins empty just before its first event. Lines are
`{"ts", "t": "connect" | "http" | "recv", "url"?, "data"?}`, `ts` in seconds.
"""

import asyncio
import gzip
import json
import logging
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from exchange.paper.candles import INTERVALS
from exchange.paper.feed import ALL_TICKERS
from exchange.paper.market import now_ms
from exchange.paper.recorded import RecordedMarket, info_of, is_snapshot

LONGEST_PAUSE = 5.0
SETTLE_SECONDS = 0.3
BEGINNING_SECONDS = 60.0
BREATH = 50  # frames sent without letting anybody else act
LONGEST_WAIT = 10.0  # for listeners that do not read, in seconds
DEPTH = "@DEPTH"
Line = dict[str, Any]
log = logging.getLogger(__name__)
_STREAM = re.compile(r'\{ *\\?"stream\\?": *\\?"([^"\\]+)\\?"')
_FIRST_ID = re.compile(r'"U\\?": *(\d+)')
_DATA = re.compile(r'"data": *')
_SYMBOL = {"symbol", "baseAsset", "quoteAsset", "filters"}
_AT = re.compile(r'"ts": ?([0-9]+(?:\.[0-9]+)?)[,}]')
_TIME = re.compile(r'"([ETOC])": ?(\d{13,16})\b')
_CANDLE = re.compile(r'"([tT])": ?(\d{13,16})\b')


class Sink(Protocol):
    """What takes frames: the feed."""

    followed: dict[str, Any]

    @property
    def is_silent(self) -> bool: ...
    @property
    def is_behind(self) -> bool: ...
    def send(self, stream: str, payload: str) -> None: ...


class Replay:
    """A recorded session. It begins when somebody listens to one of its streams, so that nothing is missed."""

    def __init__(self, *files: Path, speed: float = 1.0, is_now: bool = False) -> None:
        """Files in their order, or folders of them; `speed` 0: as fast as it can be sent; `is_now`: with our times."""
        self.files, self.speed, self._is_now = list(_files(files)), speed, is_now
        self.streams: set[str] = set()
        self.skipped = 0
        self.is_over = False
        self._first_ids: dict[str, int] = {}
        first: dict[str, str] = {}
        infos: dict[str, dict[str, Any]] = {}
        for line in self._beginnings():
            door, symbol = _door(line)
            if door == "depth" and is_snapshot(line["data"]):
                first.setdefault(symbol, line["data"])
            elif door == "exchangeInfo":
                infos |= _infos(line["data"])
        for symbol in self._first_ids.keys() - first.keys():
            first[symbol] = _empty_before(self._first_ids[symbol])
        if not self.streams or not first:
            raise ValueError("it holds no frames of a combined stream, or nothing of a book")
        self.markets = {
            symbol: RecordedMarket(info_of(symbol, infos.get(symbol)), raw) for symbol, raw in first.items()
        }

    def _beginnings(self) -> Iterator[Line]:
        """The answers of each file's first minute; the streams of its frames are noted on the way."""
        for file in self.files:
            end: float | None = None
            for raw in _raw_lines([file]):
                at = _AT.search(raw, 0, 64)
                end = float(at[1]) + BEGINNING_SECONDS if at and end is None else end
                if at and end is not None and float(at[1]) > end:
                    break
                if '"recv"' in raw[:64]:
                    self._note(raw)
                elif (line := _read(raw)) is not None:
                    yield line

    def _note(self, raw: str) -> None:
        """The stream of a frame, and the id with which its book begins; escaped names are decoded first."""
        found = _STREAM.search(raw)
        stream = found[1] if found else _parts((_read(raw) or {"data": ""})["data"])[0]
        if not stream:
            return
        self.streams.add(stream)
        symbol, is_depth, _speed = stream.upper().partition(DEPTH)
        if is_depth and symbol not in self._first_ids and (first_id := _FIRST_ID.search(raw)):
            self._first_ids[symbol] = int(first_id[1])

    # ------------------------------------------------------------------ playing it
    async def run(self, sink: Sink) -> None:
        """At its own pace or faster; with speed 0 as fast as they can be sent."""
        while self.streams.isdisjoint(sink.followed):
            await asyncio.sleep(0.02)
        # A client that subscribes stream by stream gets to the end of its list.
        await asyncio.sleep(SETTLE_SECONDS)
        clock, moved = Clock(self.speed), Moved() if self._is_now else None
        for number, raw in enumerate(_raw_lines(self.files)):
            line = _read(raw)
            if line is None:
                self._skip(raw)
                continue
            await clock.reach(line["ts"])
            if number % BREATH == 0:
                await self._breathe(sink)
            door, symbol = _door(line)
            if line["t"] == "recv":
                self._play(sink, line["data"], moved)
            elif door == "depth" and (market := self.markets.get(symbol)):
                market.snapshot(line["data"])
        self.is_over = True

    def _play(self, sink: Sink, frame: str, moved: "Moved | None") -> None:
        """One frame of a combined stream; others, answers to requests say, are not sent."""
        stream, payload = _parts(frame)
        if not stream:
            self._skip(frame)
            return
        if moved is not None:
            payload = moved.to_now(stream, payload)
        if stream == ALL_TICKERS:
            self._hear_tickers(payload)
        elif market := self.markets.get(stream.partition("@")[0].upper()):
            market.hear(payload)
        sink.send(stream, payload)

    def _skip(self, raw: str) -> None:
        """Counted, and said at the first, the second, the fourth and so on."""
        self.skipped += 1
        if self.skipped.bit_count() == 1:
            log.warning("replay: %d lines skipped, the last: %.100s", self.skipped, raw)

    def _hear_tickers(self, payload: str) -> None:
        """Each row is its market's, as an event of its own would be."""
        try:
            rows = json.loads(payload)
        except (ValueError, RecursionError):
            return
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and (market := self.markets.get(str(row.get("s")))):
                market.take(row)

    @staticmethod
    async def _breathe(sink: Sink) -> None:
        """Others act, and whoever is behind catches up, unless they do not read at all."""
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + LONGEST_WAIT
        while sink.is_silent or (sink.is_behind and loop.time() < give_up):
            await asyncio.sleep(0.005)


class Clock:
    """When each line is due; long pauses of a recording are cut short."""

    def __init__(self, speed: float) -> None:
        self._speed, self._loop = speed, asyncio.get_running_loop()
        self._due = self._loop.time()
        self._before: float | None = None

    async def reach(self, at: float) -> None:
        if not self._speed:
            return
        before = at if self._before is None else self._before
        self._before = max(before, at)
        self._due += min(max(0.0, at - before), LONGEST_PAUSE) / self._speed
        if (left := self._due - self._loop.time()) > 0.001:
            await asyncio.sleep(left)


class Moved:
    """Times of events become those at which they are sent; candles move by whole intervals, so they stay whole."""

    def __init__(self) -> None:
        self._candles: dict[str, int] = {}

    def to_now(self, stream: str, payload: str) -> str:
        told = _TIME.search(payload)
        if told is None:
            return payload
        unit = 1000 if len(told[2]) > 13 else 1
        by = now_ms() * unit - int(told[2])
        interval = stream.partition("@kline_")[2].partition("@")[0]
        if not interval:
            return _TIME.sub(lambda found: f'"{found[1]}":{int(found[2]) + by}', payload)
        length = (INTERVALS.get(interval) or INTERVALS["1w"]) * 1000 * unit
        steps = self._candles.setdefault(interval, round(by / length) * length)
        head, candle, rest = payload.partition('"k":')
        moved = _CANDLE.sub(lambda found: f'"{found[1]}":{int(found[2]) + steps}', rest)
        return _TIME.sub(lambda found: f'"{found[1]}":{int(found[2]) + by}', head) + candle + moved


# ------------------------------------------------------------------ reading it
def _files(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        yield from sorted(path.glob("*.jsonl*")) if path.is_dir() else [path]


def _raw_lines(files: Iterable[Path]) -> Iterator[str]:
    """Line by line; a file that was not closed, because its writer was killed, ends where it ends."""
    for file in files:
        opener = gzip.open if file.suffix == ".gz" else open
        with opener(file, "rt", encoding="utf-8", errors="replace") as source:
            try:
                yield from source
            except (EOFError, zlib.error, gzip.BadGzipFile):
                continue


def _read(raw: str) -> Line | None:
    """The line; None when it is none, such as the half one that a killed writer leaves."""
    try:
        line: Line = json.loads(raw)
        kind, at, urls = line["t"], line["ts"], urlsplit(line.get("url", "") + "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    is_whole = isinstance(line.get("data"), str) or kind not in ("recv", "http")
    return line if is_whole and urls and isinstance(at, (int, float)) and math.isfinite(at) else None


def _infos(raw: str) -> dict[str, dict[str, Any]]:
    """The symbols of a recorded exchangeInfo; none of one that was refused."""
    try:
        return {row["symbol"]: row for row in json.loads(raw)["symbols"] if row.keys() >= _SYMBOL}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _empty_before(first_id: int) -> str:
    return json.dumps({"lastUpdateId": first_id - 1, "bids": [], "asks": []})


def _door(line: Line) -> tuple[str, str]:
    """What was asked, and of which symbol: ("depth", "BTCUSDT")."""
    if line["t"] != "http":
        return "", ""
    parts = urlsplit(line.get("url", ""))
    return parts.path.rpartition("/")[2], parse_qs(parts.query).get("symbol", [""])[0]


def _parts(frame: str) -> tuple[str, str]:
    """The stream's name and the event's text; empty for a frame that is no event of a combined stream."""
    stream, mark = _STREAM.match(frame), _DATA.search(frame)
    if mark is None:
        return "", ""
    return (stream[1] if stream else _escaped_name(frame)), frame[mark.end() : -1]


def _escaped_name(frame: str) -> str:
    """The stream's name where some of it is written `\\u8fd9`."""
    try:
        return str(json.loads(frame)["stream"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
