"""The recorder: whatever happens to it the stream goes on, and what it wrote can be replayed to the same books."""

import gzip
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import requests
import structlog
import websocket
from django.conf import settings

from exchange.binance.rest import Rest
from exchange.paper.replay import Replay
from exchange.paper.venue import Venue
from markets.book import Diff, LocalBook, State
from markets.stream.recorder import Recorder, Shown
from markets.stream.session import Session, Wanted
from markets.writer import Writer
from tests.exchange.paper.people import KEYS, serving, wait_for

SYMBOLS = ("P001USDT", "P002USDT", "P003USDT")
KINDS = ("depth@100ms", "trade", "miniTicker", "kline_1m")


def no_books() -> list[Shown]:
    return []


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that may still be written."""
    found: list[dict[str, Any]] = []
    with gzip.open(path, "rt") as source:
        try:
            for line in source:
                found.append(json.loads(line))
        except EOFError:
            pass
    return found


class Follower:
    """A client that keeps books by the rule, and tells a recorder what it hears, if there is one."""

    def __init__(self, url: str, tell: Callable[["Follower"], Recorder] | None = None) -> None:
        self.url = url
        self.books = {symbol: LocalBook(symbol) for symbol in SYMBOLS}
        self.recorder = tell(self) if tell else None
        names = "/".join(f"{symbol.lower()}@{kind}" for symbol in SYMBOLS for kind in KINDS)
        address = f"{url.replace('http', 'ws')}/stream?streams={names}"
        self._socket = websocket.create_connection(address, timeout=10)
        if self.recorder:
            self.recorder.connected(address)
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self.heard: list[str] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        try:
            while (frame := self._socket.recv_data())[0] == websocket.ABNF.OPCODE_TEXT:
                raw = frame[1]
                if self.recorder:
                    self.recorder.received(raw)
                self._frame(raw)
        except (websocket.WebSocketException, OSError, ValueError):
            return

    def _frame(self, raw: bytes) -> None:
        self.heard.append(raw.decode())
        event = json.loads(raw)["data"]
        if event["e"] != "depthUpdate":
            return
        symbol = event["s"]
        with self._lock:
            diff = Diff(event["U"], event["u"], event["E"], rows(event["b"]), rows(event["a"]))
            is_wanting = self.books[symbol].on_diff(diff) or symbol not in self._asked
            self._asked.add(symbol)
        if is_wanting:
            threading.Thread(target=self._ask, args=(symbol,), daemon=True).start()

    def _ask(self, symbol: str) -> None:
        answer = requests.get(
            f"{self.url}/api/v3/depth", params={"symbol": symbol, "limit": "1000"}, timeout=5
        )
        if self.recorder:
            self.recorder.answered(answer.url, answer.content)
        body = answer.json()
        with self._lock:
            if not self.books[symbol].on_snapshot(
                body["lastUpdateId"], rows(body["bids"]), rows(body["asks"])
            ):
                self._asked.discard(symbol)

    def shown(self) -> Iterable[Shown]:
        with self._lock:
            live = [book for book in self.books.values() if book.state == State.LIVE]
            return [Shown(b.symbol, b.last_update_id, b.bids.top(), b.asks.top()) for b in live]

    @property
    def is_live(self) -> bool:
        return all(book.state == State.LIVE for book in self.books.values())

    def close(self) -> None:
        self._socket.close()
        self.thread.join(5)
        if self.recorder:
            self.recorder.stop()

    def state(self, levels: int = 900) -> dict[str, tuple[int, Any, Any]]:
        return {
            symbol: (book.last_update_id, book.bids.top(levels), book.asks.top(levels))
            for symbol, book in self.books.items()
        }


def rows(levels: list[list[str]]) -> list[tuple[str, str]]:
    return [(price, quantity) for price, quantity in levels]


def recorded(folder: Path, parts: int = 1, **limits: Any) -> Follower:
    """A session with the paper venue's crowd of so many files on record."""
    with serving(Venue(None, KEYS, crowd=3, levels=20, deepest=20)) as url:
        found = Follower(url, lambda it: Recorder(folder, books=lambda: it.shown(), **limits))
        wait_for(lambda: found.is_live)
        wait_for(lambda: len(files(folder)) >= parts)
        time.sleep(0.4)
        found.close()
    return found


@contextmanager
def replaying(*paths: Path, **how: Any) -> Any:
    replay = Replay(*paths, **how)
    with serving(Venue(None, KEYS, replay=replay, levels=20, deepest=20)) as url:
        follower = Follower(url)
        wait_for(lambda: replay.is_over)
        yield follower, replay, url
        follower.close()


def test_a_recorded_session_is_replayed_to_the_same_books(tmp_path: Path) -> None:
    session = recorded(tmp_path)
    (file,) = files(tmp_path)
    assert [line["data"] for line in lines(file) if line["t"] == "recv"] == session.heard
    with replaying(file, speed=0) as (follower, _replay, _url):
        wait_for(lambda: len(follower.heard) == len(session.heard))
        wait_for(lambda: follower.is_live)
        assert follower.heard == session.heard
    assert follower.state() == session.state()


def test_files_follow_one_another_and_a_later_one_can_be_the_first(tmp_path: Path) -> None:
    session = recorded(tmp_path, parts=3, rotate_seconds=0.2)
    parts = files(tmp_path)
    frames = [line["data"] for part in parts for line in lines(part) if line["t"] == "recv"]
    assert frames == session.heard
    for chosen in ([tmp_path], parts[1:]):
        with replaying(*chosen, speed=0) as (follower, replay, _url):
            wait_for(lambda: follower.is_live)
            wait_for(lambda: follower.state(800) == session.state(800))
            assert set(replay.markets) == set(SYMBOLS)


def test_a_file_begins_with_its_connections_and_the_books_of_that_moment(tmp_path: Path) -> None:
    recorded(tmp_path, parts=3, rotate_seconds=0.2)
    begun = lines(files(tmp_path)[1])
    kinds = [kind for kind, _group in itertools.groupby(line["t"] for line in begun)]
    snapshots = {line["url"]: json.loads(line["data"]) for line in begun if line["t"] == "http"}
    assert kinds[:3] == ["connect", "http", "recv"]
    assert set(snapshots) == {f"/api/v3/depth?symbol={symbol}&limit=1000" for symbol in SYMBOLS}
    for url, body in snapshots.items():
        diffs = [json.loads(line["data"])["data"] for line in begun if line["t"] == "recv"]
        first = next(event for event in diffs if event.get("U") and f"={event['s']}&" in url)
        assert first["U"] == body["lastUpdateId"] + 1


def last_line(folder: Path) -> str:
    told = lines(files(folder)[-1])
    return str(told[-1].get("data")) if told else ""


def test_old_files_go(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, books=no_books, rotate_bytes=1, keep=2)
    for number in range(4):
        recorder.received(b"%d" % number)
        wait_for(lambda number=number: files(tmp_path) and last_line(tmp_path) == str(number))
        time.sleep(0.05)
    recorder.stop()
    assert len(files(tmp_path)) == 2
    assert [[line["data"] for line in lines(file)] for file in files(tmp_path)] == [["2"], ["3"]]


def test_what_it_cannot_keep_up_with_is_counted_and_a_new_file_begins_after_the_hole(tmp_path: Path) -> None:
    said = structlog.testing.capture_logs()
    asked = []

    def books() -> list[Shown]:
        asked.append(threading.current_thread())
        return [Shown("P001USDT", 7, [("1.0", "2.0")], [])]

    with said as words:
        recorder = Recorder(tmp_path, books=books, most_bytes=5000)
        for _number in range(100):
            recorder.received(b"x" * 100)
        wait_for(lambda: words)
        recorder.received(b"after the hole")
        recorder.stop()
    assert (recorder.dropped, words[0]["event"], words[0]["lines"]) == (75, "recorder.dropped", 75)
    assert asked == [threading.current_thread()]
    first, second = map(lines, files(tmp_path))
    assert len(first) == 25
    assert json.loads(second[0]["data"]) == {"lastUpdateId": 7, "bids": [["1.0", "2.0"]], "asks": []}
    assert second[1]["data"] == "after the hole"


def test_a_disk_that_takes_nothing_is_said_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    folder.write_text("no folder")
    with structlog.testing.capture_logs() as words:
        recorder = Recorder(folder, books=no_books, retry_seconds=0.2)
        recorder.received(b"lost")
        wait_for(lambda: words)
        folder.unlink()

        def is_back() -> bool:
            recorder.received(b"frame")
            return folder.exists() and bool(files(folder))

        wait_for(is_back)
        recorder.stop()
    assert words[0]["event"] == "recorder.not_written"
    assert {line["data"] for line in lines(files(folder)[0])} == {"frame"}
    assert recorder.dropped > 0


FULL = """
import json, os, resource, sys, time
from pathlib import Path
from markets.stream.recorder import Recorder
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
recorder = Recorder(Path(sys.argv[1]), books=list, retry_seconds=0.1)
for number in range(9):
    recorder.received(os.urandom(7000).hex().encode())
    time.sleep(0.1)
recorder.stop()
print(json.dumps(recorder.dropped))
"""


def test_a_file_that_can_grow_no_further_is_left_and_another_one_begun(tmp_path: Path) -> None:
    """The limit of a process stands for a full disk: a write in the middle of a file fails."""
    child = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        cwd=settings.BASE_DIR,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "recorder.not_written" in child.stdout + child.stderr
    assert int(child.stdout.splitlines()[-1]) > 0
    assert len(files(tmp_path)) >= 2
    assert all(lines(file) for file in files(tmp_path))


def test_frames_that_are_no_text_are_kept_as_far_as_they_are(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, books=no_books)
    recorder.received(b'{"stream":\xff')
    recorder.stop()
    assert lines(files(tmp_path)[0])[0]["data"] == '{"stream":\\xff'


def test_a_catalogue_is_in_every_file_and_gives_the_replay_its_filters(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, books=lambda: [Shown("NEWUSDT", 1, [("1", "1")], [("2", "1")])])
    with serving(Venue(None, KEYS, levels=20, deepest=20)) as url:
        info = requests.get(f"{url}/api/v3/exchangeInfo", params={"symbol": "LTCUSDT"}, timeout=5)
    renamed = info.content.replace(b"LTCUSDT", b"NEWUSDT").replace(b'"LTC"', b'"NEW"')
    recorder.answered(info.url, renamed)
    recorder._wants_file = True
    recorder.received(b'{"stream":"newusdt@trade","data":{"e":"trade"}}')
    recorder.stop()
    market = Replay(files(tmp_path)[-1]).markets["NEWUSDT"]
    assert (market.base, str(market.filters.tick)) == ("NEW", "0.01000000")


def test_a_recording_has_the_filters_of_the_markets_that_are_followed(tmp_path: Path) -> None:
    """Those that the venue lists, as it shows them, and of one that is followed later too."""
    followed = ["LTCUSDT"]
    writer = Writer(settings.REDIS_URL)
    assert writer.take()
    with serving(Venue(None, KEYS, levels=20, deepest=20)) as url:
        rest = Rest(base_url=url)
        session = Session(
            writer,
            stream_url=url.replace("http", "ws"),
            wanted=lambda: Wanted(tuple(followed)),
            fetch_snapshot=rest.depth,
            fetch_catalogue=rest.exchange_info_as_told,
            store=lambda _series: None,
            recorder=lambda books: Recorder(tmp_path, books=books),
        )
        thread = threading.Thread(target=session.run, daemon=True)
        thread.start()
        try:
            wait_for(lambda: len(catalogues(tmp_path)) == 1)
            followed.append("BTCUSDT")
            wait_for(lambda: len(catalogues(tmp_path)) == 2)
        finally:
            session.stop()
            thread.join(5)
        told = {row["symbol"]: row for row in rest.exchange_info_as_told()["symbols"]}
    both = [told["BTCUSDT"], told["LTCUSDT"]]
    assert [sorted(rows, key=itemgetter("symbol")) for rows in catalogues(tmp_path)] == [both[1:], both]


def catalogues(folder: Path) -> list[list[dict[str, Any]]]:
    """The symbols of every exchangeInfo that is recorded."""
    told = [line for file in files(folder) for line in lines(file)]
    return [json.loads(line["data"])["symbols"] for line in told if line.get("url") == "/api/v3/exchangeInfo"]


def test_telling_it_of_a_burst_loses_nothing(tmp_path: Path, figure: Callable[[str], None]) -> None:
    recorder, count = Recorder(tmp_path, books=no_books), 20_000
    raw = json.dumps({"stream": "p001usdt@depth@100ms", "data": "x" * 150}).encode()
    began = time.thread_time()
    for _number in range(count):
        recorder.received(raw)
    spent = (time.thread_time() - began) / count * 1e6
    recorder.stop()
    figure(f"telling the recorder of a frame: {spent:.1f} µs of the stream's thread")
    assert (recorder.dropped, len(lines(files(tmp_path)[0]))) == (0, count)


def test_of_a_book_only_what_is_known_without_a_hole_is_written(tmp_path: Path) -> None:
    rows = [(str(100 - number), "1") for number in range(9)]
    books = [Shown("DEEPUSDT", 1, rows, rows, known=4), Shown("ALLUSDT", 1, rows, rows)]
    recorder = Recorder(tmp_path, books=lambda: books)
    recorder._wants_file = True
    recorder.received(b"{}")
    recorder.stop()
    found = [line for file in files(tmp_path) for line in lines(file) if line["t"] == "http"]
    assert [(line["url"], len(json.loads(line["data"])["bids"])) for line in found] == [
        ("/api/v3/depth?symbol=DEEPUSDT&limit=4", 4),
        ("/api/v3/depth?symbol=ALLUSDT&limit=1000", 9),
    ]
