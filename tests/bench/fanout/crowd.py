"""Open pages by the thousand in one process: raw sockets that read every frame and acknowledge as the page does.

The server is what is measured, so this side only finds where frames end; a frame's text is read once for all sockets
that get it. Frames carry the time at which they were published, by the clock of this machine.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import uvloop

ACK_SECONDS = 3.0
TURNS = 100
TEXT, CLOSE, PING = 0x81, 0x88, 0x89
HEADERS = b"Host: testserver\r\nOrigin: http://testserver\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
REQUEST = b"GET %b HTTP/1.1\r\n" + HEADERS + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
# Texts that were read are remembered for the other sockets; all sockets get the same few.
MOST_TEXTS = 4000


@dataclass(frozen=True)
class Text:
    """What matters of a frame: where it stands in the book's row, and when it was published (ms)."""

    kind: str
    seq: int | None = None
    previous: int | None = None
    at: int | None = None


class Crowd:
    """All pages of this process, and what they have seen in the current window."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.late: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()
        self._texts: dict[bytes, Text] = {}
        self._turn = 0

    def text(self, payload: bytes) -> Text:
        found = self._texts.get(payload)
        if found is None:
            if len(self._texts) > MOST_TEXTS:
                self._texts.clear()
            found = self._texts[payload] = read(payload)
        return found

    async def acknowledge_for_ever(self) -> None:
        """Each page every three seconds, a hundredth of them at a time."""
        while True:
            await asyncio.sleep(ACK_SECONDS / TURNS)
            self._turn = (self._turn + 1) % TURNS
            for page in self.pages[self._turn :: TURNS]:
                page.acknowledge()

    # ------------------------------------------------------------------ what it is asked
    async def open(
        self, *, port: int, count: int, at_once: int, path: str, silent: int = 0
    ) -> dict[str, Any]:
        """So many more pages, the last of them silent; the answer comes when all are open or were refused."""
        began, loop = time.monotonic(), asyncio.get_running_loop()
        room = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            page = Page(self, path.encode(), reads=number < count - silent)
            async with room:
                address = f"127.0.0.{2 + number % 250}"
                await loop.create_connection(lambda: page, "127.0.0.1", port, local_addr=(address, 0))
                await page.opened
            self.pages.append(page)

        await asyncio.gather(*(one(number) for number in range(count)))
        refused = [page for page in self.pages if not page.is_open]
        return {"seconds": round(time.monotonic() - began, 2), "refused": len(refused)}

    async def measure(self, *, seconds: float) -> dict[str, Any]:
        """What the reading pages got within the window."""
        pages = [page for page in self.pages if page.reads]
        before = [page.frames for page in pages]
        self.late.clear()
        began = time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        got = [page.frames - had for page, had in zip(pages, before, strict=True)]
        late = self.late.copy()
        return {
            "frames": sum(got),
            "least_a_second": min(got) / took,
            "p50_ms": percentile(late, 0.50),
            "p99_ms": percentile(late, 0.99),
            "most_ms": max(late, default=0),
        }

    async def state(self) -> dict[str, int]:
        """Since they were opened: how many of either kind were closed, and what was not as it should be."""
        closed = Counter(page.reads for page in self.pages if not page.is_open)
        return {
            "healthy_closed": closed[True],
            "silent_closed": closed[False],
            "gaps": self.counts["gap"],
            "snapshots": self.counts["snapshot"],
        }

    async def wake(self) -> dict[str, int]:
        """Silent pages read what is there for them, and so whether they were closed."""
        for page in self.pages:
            if not page.reads and not page.transport.is_closing():
                page.transport.resume_reading()
        await asyncio.sleep(ACK_SECONDS)
        return {}

    async def close(self) -> dict[str, int]:
        for page in self.pages:
            page.transport.abort()
        self.pages.clear()
        self.counts.clear()
        await asyncio.sleep(0)
        return {}


class Page(asyncio.Protocol):
    """One socket; a silent page opens it and never reads again."""

    transport: asyncio.Transport

    def __init__(self, crowd: Crowd, path: bytes, *, reads: bool) -> None:
        self._crowd, self._path, self.reads = crowd, path, reads
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_open = False
        self.frames = 0
        self._seq: int | None = None
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(REQUEST % (self._path, base64.b64encode(os.urandom(16))))

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_open = False
        self._finish_opening()

    def _finish_opening(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at = 0
        if not self.opened.done():
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._rest = data
                return
            self._answered(data[:at])
        while (end := self._frame(data, at)) is not None:
            at = end
        self._rest = data[at:]

    def _answered(self, head: bytes) -> None:
        self.is_open = head.startswith(b"HTTP/1.1 101")
        if not self.is_open:
            self.transport.abort()
        elif not self.reads:
            self.transport.pause_reading()
        self._finish_opening()

    def _frame(self, data: bytes, at: int) -> int | None:
        """Takes the frame that begins here; where it ends, None while it is not whole."""
        have = len(data) - at
        if have < 2:
            return None
        start, length = at + 2, data[at + 1]
        if length == 126:
            start, length = at + 4, int.from_bytes(data[at + 2 : at + 4])
        elif length == 127:
            start, length = at + 10, int.from_bytes(data[at + 2 : at + 10])
        end = start + length
        if end > len(data) or have < start - at:
            return None
        if data[at] == TEXT:
            self._heard(self._crowd.text(data[start:end]))
        elif data[at] == PING:
            self.transport.write(bytes([0x8A, 0x80 | length]) + b"\0\0\0\0" + data[start:end])
        elif data[at] == CLOSE:
            self._crowd.counts[f"closed {int.from_bytes(data[start : start + 2])}"] += 1
            self.transport.close()
        return end

    def _heard(self, text: Text) -> None:
        if text.seq is None:
            return
        if text.kind == "diff":
            if text.previous != self._seq and self._seq is not None:
                self._crowd.counts["gap"] += 1
            self.frames += 1
            if text.at is not None:
                self._crowd.late[max(0, time.time_ns() // 1_000_000 - text.at)] += 1
        else:
            self._crowd.counts[text.kind] += 1
        self._seq = text.seq

    def acknowledge(self) -> None:
        if self._seq is not None and self.is_open and self.reads:
            self.transport.write(masked(b'{"type":"ack","seq":%d}' % self._seq))


def read(payload: bytes) -> Text:
    """A text frame of either site; only frames of the book have a number."""
    body = json.loads(payload)
    if body.get("type") != "book":
        return Text(str(body.get("type")))
    return Text(body["kind"], body["seq"], body.get("prev"), body["at"])


def masked(payload: bytes) -> bytes:
    """A short text frame of a client, with a mask that changes nothing."""
    return bytes([TEXT, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


def percentile(counts: Counter[int], share: float) -> int:
    """The value below which that share of all counted values lies."""
    left = sum(counts.values()) * share
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return 0


async def main() -> None:
    crowd, loop = Crowd(), asyncio.get_running_loop()
    acknowledging = loop.create_task(crowd.acknowledge_for_ever())
    acts = {
        "open": crowd.open,
        "measure": crowd.measure,
        "state": crowd.state,
        "wake": crowd.wake,
        "close": crowd.close,
    }
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        found = await acts[asked.pop("act")](**asked)  # type: ignore[operator]
        print(json.dumps(found), flush=True)
    acknowledging.cancel()


if __name__ == "__main__":
    uvloop.run(main())
