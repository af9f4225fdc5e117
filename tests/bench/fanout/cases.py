"""What is done to a site with a crowd of pages, and what is seen of it."""

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.fanout.children import Child, cpu_seconds, memory_mb
from tests.bench.fanout.sites import HOST, Site

PATH = "/ws/market/BTCUSDT/"
SETTLE_SECONDS, PAUSE_SECONDS = 2.0, 5.0
MANY, SILENT = 1500, 50
VISITORS = 4
# A silent page's window is full after some seconds, and twenty more pass before it is closed.
FULL_SECONDS, LONGEST_SILENCE, LOOK_SECONDS = 8.0, 60.0, 3.0
FRAME, FRAMES = b"x" * 512, 5000


@dataclass(frozen=True, slots=True)
class Window:
    """What pages saw and what the server spent: frames a second of the slowest page, milliseconds, share of a core."""

    slowest: float
    p50_ms: float
    p99_ms: float
    cpu: float
    us_a_frame: float


def measure(crowd: Child, site: Site, seconds: float) -> Window:
    used, began = cpu_seconds(site.pid), time.monotonic()
    found = crowd.ask("measure", seconds=seconds)
    used, took = cpu_seconds(site.pid) - used, time.monotonic() - began
    us_a_frame = used * 1e6 / max(1, found["frames"])
    return Window(found["least_a_second"], found["p50_ms"], found["p99_ms"], used / took, us_a_frame)


@contextlib.contextmanager
def audience(
    busy: Child, crowd: Child, site: Site, count: int, *, silent: int = 0
) -> Iterator[dict[str, Any]]:
    """So many pages of the site, all at once, while the book is busy; what became of them is in the dictionary."""
    busy.ask("tell", audience=site.audience)
    found = crowd.ask("open", port=site.port, count=count, at_once=count, path=PATH, silent=silent)
    time.sleep(SETTLE_SECONDS)
    yield found
    found |= crowd.ask("state")
    found["healthy_closed"] -= found["refused"]
    busy.ask("tell", audience="")
    crowd.ask("close")
    time.sleep(SETTLE_SECONDS)


# ------------------------------------------------------------------ a server with other work
@contextlib.contextmanager
def work_beside(site: Site) -> Iterator[None]:
    """Visitors of its pages, and a process that wants all of a core."""
    over = threading.Event()

    def visit() -> None:
        wanted = urllib.request.Request(
            f"http://127.0.0.1:{site.port}/api/v1/tickers/", headers={"Host": HOST}
        )
        while not over.is_set():
            with contextlib.suppress(OSError):
                urllib.request.urlopen(wanted, timeout=30).read()

    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    visitors = [threading.Thread(target=visit) for _visitor in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    try:
        yield
    finally:
        over.set()
        spinner.kill()
        spinner.wait()
        for visitor in visitors:
            visitor.join()


def pause(site: Site) -> None:
    """The server does nothing for some seconds, and has as long to come back."""
    os.kill(site.pid, signal.SIGSTOP)
    time.sleep(PAUSE_SECONDS)
    os.kill(site.pid, signal.SIGCONT)
    time.sleep(PAUSE_SECONDS)


# ------------------------------------------------------------------ pages that never read
def silence(crowd: Child, site: Site, *, memory_before: float) -> dict[str, float]:
    """Until the server has closed the silent ones: how the others fared and what it took; then they read again.

    `memory_before`: the server's before any of these pages was open.
    """
    open_files = count_files(site.pid)
    began = time.monotonic()
    time.sleep(FULL_SECONDS)
    late = []
    while count_files(site.pid) > open_files - SILENT and time.monotonic() - began < LONGEST_SILENCE:
        late.append(measure(crowd, site, LOOK_SECONDS).p99_ms)
    took, growth = time.monotonic() - began, memory_mb(site.pid) - memory_before
    crowd.ask("wake")
    return {
        "beside_silent_p99_ms": statistics.median(late),
        "silent_growth_mb": growth,
        "silent_seconds": took,
    }


def count_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


# ------------------------------------------------------------------ the yardstick
def loopback_us() -> float:
    """What sending a frame's worth of bytes over loopback and reading it costs, in microseconds."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as sender,
        server.accept()[0] as receiver,
    ):
        began = time.process_time()
        for _frame in range(FRAMES):
            sender.sendall(FRAME)
            receiver.recv(len(FRAME))
        return (time.process_time() - began) / FRAMES * 1e6
