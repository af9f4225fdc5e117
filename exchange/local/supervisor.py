"""Keeps processes running: a dead one comes back alone, and at the end none is left.

One thread and one loop: children are started from the main thread (their parent-death signal depends on it), and a
terminal that is stopped or slow is never waited for.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from exchange.local.processes import signal_group

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MS = 1_000_000
FIRST_DELAY_MS, LONGEST_DELAY_MS, STEADY_MS = 200, 5_000, 10_000
# All is over within 5 s: processes may take 3.5 s to end, servers the rest.
PROCESSES_END_MS, SERVERS_END_MS = 3_500, 4_600
LOOK_MS = 250
CHUNK = 4096  # a pipe that is ready takes this much at once without waiting
BACKLOG = 2_000


def now_ms() -> int:
    return time.monotonic_ns() // MS


class Stopped(Exception):
    """A stop signal came before the start was through."""


class Terminal:
    """Standard output that is never waited for: what it cannot take in time is dropped."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.pending: deque[bytes] = deque(maxlen=BACKLOG)
        self.poll = selectors.PollSelector()
        self.poll.register(descriptor, selectors.EVENT_WRITE)

    def say(self, who: str, line: str) -> None:
        self.pending.append(f"{who:<10} | {line}\n".encode(errors="replace"))
        self.flush()

    def flush(self) -> None:
        while self.pending and self.poll.select(0):
            piece = self.pending.popleft()
            try:
                written = os.write(self.descriptor, piece[:CHUNK])
            except OSError:  # the terminal is gone; the hang-up signal, if any, arrives by itself
                self.pending.clear()
                return
            if written < len(piece):
                self.pending.appendleft(piece[written:])


@dataclass
class Unit:
    """One process that should always run."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    stop_signal: int = signal.SIGTERM
    is_server: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_ms: int = 0
    delay_ms: int = FIRST_DELAY_MS
    due_ms: int | None = None
    partial: bytes = b""
    once: bool = False
    status: int | None = field(default=None)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None


class Supervisor:
    """Runs units until a stop signal arrives."""

    def __init__(self, terminal: Terminal, is_abandoned: Callable[[], bool] = lambda: False) -> None:
        self.terminal = terminal
        self.is_abandoned = is_abandoned
        self.units: list[Unit] = []
        self.is_stopping = False
        self.selector = selectors.DefaultSelector()

    # ---------------------------------------------------------------- signals
    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Stop signals end the loop, and a child's end wakes it."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        before = {number: signal.signal(number, self._on_stop) for number in STOP_SIGNALS}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.selector.register(reader, selectors.EVENT_READ, None)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            self.selector.unregister(reader)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.is_stopping = True

    # ---------------------------------------------------------------- running
    def add(self, unit: Unit) -> Unit:
        """Start the unit and keep it running from now on."""
        self.units.append(unit)
        self._start(unit)
        return unit

    def adopt(self, unit: Unit, process: subprocess.Popen[bytes]) -> None:
        """Keep a unit running that was started already."""
        self.units.append(unit)
        unit.process, unit.started_ms = process, now_ms()

    def run_once(self, unit: Unit) -> int:
        """The exit status of a process that has to end, while all others are kept running."""
        unit.once = True
        self.add(unit)
        while unit.status is None and not self.is_stopping:
            self.step()
        if unit.status is None:
            return 1  # asked to stop meanwhile; it is ended with the rest
        self.units.remove(unit)
        return unit.status

    def step(self, longest_ms: int = LOOK_MS) -> None:
        """Pass output on, notice the dead, start what is due; returns after one event or the time."""
        due = [unit.due_ms - now_ms() for unit in self.units if unit.due_ms is not None]
        wait_ms = max(0, min([longest_ms, LOOK_MS, *due]))
        for key, _ in self.selector.select(wait_ms / 1000):
            self._read(key.fd, key.data)
        self.terminal.flush()
        for unit in self.units:
            self._look_after(unit)
        if self.is_abandoned():
            self.is_stopping = True

    def _start(self, unit: Unit) -> None:
        unit.due_ms, unit.started_ms = None, now_ms()
        unit.process = unit.start()
        if unit.process.stdout is not None:
            os.set_blocking(unit.process.stdout.fileno(), False)
            self.selector.register(unit.process.stdout, selectors.EVENT_READ, unit)

    def _look_after(self, unit: Unit) -> None:
        if unit.is_running and unit.process is not None and unit.process.poll() is not None:
            self._on_end(unit, unit.process)
        elif unit.due_ms is not None and unit.due_ms <= now_ms() and not self.is_stopping:
            self._start(unit)

    def _on_end(self, unit: Unit, process: subprocess.Popen[bytes]) -> None:
        signal_group(process, signal.SIGKILL)  # whatever it started has no parent any more
        self._close_output(unit, process)
        unit.status = process.returncode
        if self.is_stopping or unit.once:
            return
        if now_ms() - unit.started_ms >= STEADY_MS:
            unit.delay_ms = FIRST_DELAY_MS
        unit.due_ms = now_ms() + unit.delay_ms
        self.terminal.say(
            "supervisor", f"{unit.name} {why(unit.status)}; starting it again in {unit.delay_ms} ms"
        )
        unit.delay_ms = min(unit.delay_ms * 2, LONGEST_DELAY_MS)

    # ---------------------------------------------------------------- output
    def _read(self, descriptor: int, unit: Unit | None) -> None:
        with contextlib.suppress(BlockingIOError):
            received = os.read(descriptor, 65536)
            if unit is None:
                return
            if not received and unit.process is not None:  # closed its output; its end is noticed by itself
                self.selector.unregister(descriptor)
                return
            *lines, unit.partial = (unit.partial + received).split(b"\n")
            for line in lines:
                self.terminal.say(unit.name, line.decode(errors="replace").rstrip("\r"))

    def _close_output(self, unit: Unit, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with contextlib.suppress(KeyError):
            self._read(self.selector.get_key(process.stdout).fd, unit)
            self.selector.unregister(process.stdout)
        if unit.partial:
            self.terminal.say(unit.name, unit.partial.decode(errors="replace"))
        unit.partial = b""
        process.stdout.close()

    # ---------------------------------------------------------------- the end
    def stop(self) -> None:
        """End all processes, deaf ones by force, then the servers, the last started first."""
        self.is_stopping = True
        began = now_ms()
        apps = [unit for unit in self.units if not unit.is_server]
        self._end(apps, deadline_ms=began + PROCESSES_END_MS)
        for server in reversed([unit for unit in self.units if unit.is_server]):
            self._end([server], deadline_ms=began + SERVERS_END_MS)
        self.terminal.flush()

    def _end(self, units: list[Unit], *, deadline_ms: int) -> None:
        for unit, process in running(units):
            signal_group(process, signal.SIGCONT)
            # A server's own children must not be told: PostgreSQL's sessions take the same signal for a cancel.
            (process.send_signal if unit.is_server else lambda n, p=process: signal_group(p, n))(
                unit.stop_signal
            )
        while any(running(units)) and now_ms() < deadline_ms:
            self.step(50)
        for _, process in running(units):
            signal_group(process, signal.SIGKILL)
            process.wait()
        for unit in units:
            self._look_after(unit)


def running(units: Iterable[Unit]) -> list[tuple[Unit, subprocess.Popen[bytes]]]:
    return [
        (unit, unit.process) for unit in units if unit.process is not None and unit.process.returncode is None
    ]


def why(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


class MakeWatch:
    """Notices that the make above us was told to stop: it does not pass on SIGHUP, but waits for us to end.

    While it waits it blocks that very signal, which is how this can be seen from outside. It blocks signals for an
    instant at other times too, so only what is seen twice counts.
    """

    def __init__(self) -> None:
        self.parent = os.getppid()
        self.is_make = self._read("comm").strip() in {"make", "gmake"}
        self.looked_ms = 0
        self.was_blocked = False

    def __call__(self) -> bool:
        if not self.is_make or now_ms() - self.looked_ms < LOOK_MS:
            return False
        self.looked_ms = now_ms()
        before, self.was_blocked = self.was_blocked, self._blocks_stop_signals()
        return os.getppid() != self.parent or (before and self.was_blocked)

    def _blocks_stop_signals(self) -> bool:
        masks = [line.split()[1] for line in self._read("status").splitlines() if line.startswith("SigBlk:")]
        return any(int(mask, 16) >> number - 1 & 1 for mask in masks for number in STOP_SIGNALS)

    def _read(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.parent}/{name}").read_text()
        except OSError:
            return ""


def standard_output() -> Terminal:
    sys.stdout.flush()
    return Terminal(sys.stdout.fileno())
