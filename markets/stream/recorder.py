"""Records what the venue's market streams send, in files that the paper venue can replay.

A file is gzip of JSON lines `{"ts", "t": "connect" | "http" | "recv", "url", "data"}`, `ts` in seconds, `data` the
exact text. Each begins with the connections and every live book as a snapshot of that very moment, so that it can be
replayed alone. Recording never holds the stream up: a thread of its own writes; what it cannot keep up with, or the
disk does not take, is left out, counted and said, and after such a hole a new file begins.
"""

import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog

from markets.book import Level

log = structlog.get_logger()

MOST_BYTES = 64 * 2**20  # waiting to be written
WRITE_SECONDS = 0.2
SAY_SECONDS = 10.0
RETRY_SECONDS = 30.0
PIECE = 2**18
OVERHEAD = 100  # of a waiting line besides its text, in bytes
MOST_LEVELS = 1000
GZIP, FASTEST = 31, 1
DEPTH = "/api/v3/depth?symbol={}&limit={}"
NAME, NAMES = "streams-%Y%m%dT%H%M%S.%fZ.jsonl.gz", "streams-*.jsonl.gz"
_encode = msgspec.json.encode


class Shown(msgspec.Struct):
    """A live book at one moment: copies of its levels, best first.

    `known` of them on both sides without a hole, None when all there are; only those are written.
    """

    symbol: str
    last_update_id: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    known: int | None = None


class Line(msgspec.Struct, omit_defaults=True):
    ts: float
    t: str
    url: str = ""
    data: str = ""


class Begin(msgspec.Struct):
    """Here a new file begins, with these connections, answers and books."""

    ts: float
    urls: list[str]
    answers: list[tuple[str, bytes]]
    books: list[Shown]


class File:
    """One file; what was written is readable at once, also when the process is killed."""

    def __init__(self, path: Path) -> None:
        self._file, self.opened = path.open("xb"), time.monotonic()
        self._zip = zlib.compressobj(FASTEST, zlib.DEFLATED, GZIP)
        self.size = 0

    def write(self, lines: Iterable[Line]) -> None:
        """In large pieces: while one is packed the stream's thread goes on."""
        text = bytearray()
        for line in lines:
            text += _encode(line) + b"\n"
            if len(text) >= PIECE:
                self._add(self._zip.compress(text))
                text.clear()
        self._add(self._zip.compress(text) + self._zip.flush(zlib.Z_SYNC_FLUSH))

    def _add(self, packed: bytes) -> None:
        self._file.write(packed)
        self._file.flush()
        self.size += len(packed)

    def close(self) -> None:
        try:
            self._add(self._zip.flush())
        finally:
            self._file.close()


class Recorder:
    """`connected`, `closed`, `received` and `answered` may be called in any thread, and return at once.

    `books` gives the LIVE books. It is called inside `received`, in the thread that calls that, when a file begins.
    """

    def __init__(
        self,
        folder: Path,
        *,
        books: Callable[[], Iterable[Shown]],
        rotate_bytes: int = 256 * 2**20,
        rotate_seconds: float = 3600,
        keep: int = 48,
        most_bytes: int = MOST_BYTES,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`rotate_bytes` as a file lies on the disk; `keep` files, with the one being written."""
        self._folder, self._books, self._keep = folder, books, keep
        self._rotate_bytes, self._rotate_seconds = rotate_bytes, rotate_seconds
        self._most_bytes, self._retry_seconds = most_bytes, retry_seconds
        self.dropped = 0
        self._said, self._said_at = 0, 0.0
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._urls: dict[str, None] = {}
        self._catalogue: list[tuple[str, bytes]] = []
        self._waiting: deque[Line | Begin] = deque([Begin(time.time(), [], [], [])])
        self._bytes = 0
        self._is_recording, self._wants_file, self._not_before = True, False, 0.0
        self._file: File | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------ what happens
    def connected(self, url: str) -> None:
        """A socket is open, at this address."""
        with self._lock:
            self._urls[url] = None
            self._put("connect", url, b"")

    def closed(self, url: str) -> None:
        """It is no more: files to come do not name it."""
        with self._lock:
            self._urls.pop(url, None)

    def received(self, raw: bytes) -> None:
        """A frame as it came, told before it changes a book."""
        with self._lock:
            if (
                self._wants_file
                and self._bytes <= self._most_bytes // 2
                and time.monotonic() >= self._not_before
            ):
                self._begin()
            self._put("recv", "", raw)

    def answered(self, url: str, body: bytes) -> None:
        """A REST answer: a depth snapshot, or the catalogue, with which each later file begins too."""
        with self._lock:
            if urlsplit(url).path.endswith("/exchangeInfo"):
                self._catalogue = [(url, body)]
            self._put("http", url, body)

    def stop(self) -> None:
        """What was told is written and the file is closed."""
        self._stopped.set()
        self._thread.join(5)

    def _begin(self) -> None:
        try:
            books = list(self._books())
        except Exception as error:  # somebody else's: without books the file is still better than none
            log.warning("recorder.no_books", error=type(error).__name__)
            books = []
        self._wants_file, self._is_recording = False, True
        self._waiting.append(Begin(time.time(), list(self._urls), list(self._catalogue), books))

    def _put(self, kind: str, url: str, body: bytes) -> None:
        size = len(body) + OVERHEAD
        if not self._is_recording or self._bytes + size > self._most_bytes:
            self.dropped += 1
            self._is_recording, self._wants_file = False, True
            return
        self._bytes += size
        self._waiting.append(Line(time.time(), kind, url, body.decode("utf-8", "backslashreplace")))

    # ------------------------------------------------------------------ the writing thread
    def _run(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._stopped.wait(WRITE_SECONDS)
            try:
                self._write_waiting()
                self._rotate()
                if is_over:
                    self._close()
            except Exception as error:  # the outermost loop: the disk is full or away, the stream goes on
                log.warning("recorder.not_written", reason=str(error)[:120])
                self._give_up()
            self._say_dropped()

    def _write_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting, self._bytes = self._waiting, deque(), 0
        lines: list[Line] = []
        try:
            for entry in waiting:
                if isinstance(entry, Line):
                    lines.append(entry)
                else:
                    self._write(lines)
                    lines = []
                    self._open().write(_beginning(entry))
            self._write(lines)
        except Exception:
            self._lose(len(waiting))
            raise

    def _write(self, lines: list[Line]) -> None:
        if self._file is None:
            self._lose(len(lines))
        elif lines:
            self._file.write(lines)

    def _lose(self, lines: int) -> None:
        with self._lock:
            self.dropped += lines

    def _open(self) -> File:
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = File(self._folder / datetime.now(UTC).strftime(NAME))
        for old in sorted(self._folder.glob(NAMES))[: -self._keep]:
            old.unlink(missing_ok=True)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _rotate(self) -> None:
        """The next frame begins a new file when this one is large or old enough."""
        file = self._file
        if file is not None and (
            file.size >= self._rotate_bytes or time.monotonic() - file.opened >= self._rotate_seconds
        ):
            with self._lock:
                self._wants_file = True

    def _give_up(self) -> None:
        """This file is at an end; after a while another one is tried."""
        with self._lock:
            self._is_recording, self._wants_file = False, True
            self._not_before = time.monotonic() + self._retry_seconds
        try:
            self._close()
        except OSError:
            return  # the reason was said

    def _say_dropped(self) -> None:
        now = time.monotonic()
        if self.dropped > self._said and now - self._said_at >= SAY_SECONDS:
            log.warning("recorder.dropped", lines=self.dropped - self._said, in_all=self.dropped)
            self._said, self._said_at = self.dropped, now


def _beginning(begin: Begin) -> Iterator[Line]:
    """What a replay needs to know before the first frame."""
    for url in begin.urls:
        yield Line(begin.ts, "connect", url)
    for url, body in begin.answers:
        yield Line(begin.ts, "http", url, body.decode("utf-8", "backslashreplace"))
    for book in begin.books:
        bids, asks = book.bids[: book.known], book.asks[: book.known]
        shown = {"lastUpdateId": book.last_update_id, "bids": bids, "asks": asks}
        limit = max(MOST_LEVELS, len(bids), len(asks)) if book.known is None else book.known
        yield Line(begin.ts, "http", DEPTH.format(book.symbol, limit), _encode(shown).decode())
