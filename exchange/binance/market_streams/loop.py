"""All sockets of the market streams, served by one loop: reads, ticks, and what keeps the sockets alive."""

import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import ParamSpec

import structlog
import websocket

from exchange.binance.market_streams.connecting import Attempts
from exchange.binance.market_streams.line import Line
from exchange.binance.market_streams.pace import Pace
from exchange.binance.market_streams.shard import Shard
from exchange.binance.market_streams.sharding import spread

log = structlog.get_logger()
P = ParamSpec("P")


class MarketStreams:
    """The wanted streams, however many, from the venue's combined streams.

    Everything is called in the thread of `run`. `on_frame(raw)`: a frame as it came, `{"stream":…,"data":…}`; while a
    socket is being replaced both deliver, so that an event may come twice. `on_up(streams)`: the venue says that these
    are carried from now on. `on_down(streams, reason)`: these are wanted, and no socket carries them any more. What is
    no longer wanted is forgotten without a word. `on_quiet(streams)`: these and no others are carried by sockets alone
    that used to speak and have stopped to. `on_tick()`: every `pace.tick` seconds, after all that had come.
    """

    def __init__(
        self,
        *,
        base_url: str,
        on_frame: Callable[[bytes], None],
        on_up: Callable[[frozenset[str]], None],
        on_down: Callable[[frozenset[str], str], None],
        on_tick: Callable[[], None],
        on_quiet: Callable[[frozenset[str]], None] = lambda streams: None,
        pace: Pace | None = None,
    ) -> None:
        self._url, self._pace = f"{base_url}/stream", pace or Pace()
        self._on_frame, self._on_up = guarded(on_frame), guarded(on_up)
        self._on_down, self._on_tick = guarded(on_down), guarded(on_tick)
        self._on_quiet = guarded(on_quiet)
        self._stopped = threading.Event()
        # Before `run` those of others may be added: the venue counts an address's.
        self.attempts = Attempts(self._pace.attempts, self._pace.attempts_within)
        self._selector = selectors.DefaultSelector()
        self._shards: list[Shard] = []
        self._wanted: tuple[str, ...] = ()
        self._spread: tuple[str, ...] = ()
        self._carried: set[str] = set()
        self._quiet: frozenset[str] = frozenset()
        self._unfinished: set[Line] = set()
        self._tick_at = 0.0
        self.unreadable = 0  # frames that were neither an event nor an answer

    # ------------------------------------------------------------------ from any thread
    def want(self, streams: Sequence[str]) -> None:
        """These streams and no others, from the next tick on; in the order in which they are to be asked for."""
        self._wanted = tuple(streams)

    def stop(self) -> None:
        """`run` ends with the turn that it is in."""
        self._stopped.set()

    # ------------------------------------------------------------------ from the loop's own thread
    def renew(self, streams: Sequence[str]) -> None:
        """The venue tells nothing of these although it said so: they are down, and are asked for again."""
        for line in [line for shard in self._shards for line in shard.lines]:
            line.subscriptions.renew(streams)

    # ------------------------------------------------------------------ the loop
    def run(self) -> None:
        """Until `stop`, once; its end is not told as a down."""
        try:
            while not self._stopped.is_set():
                self._read()
                now = time.monotonic()
                if now >= self._tick_at:
                    self._tick_at = now + self._pace.tick
                    self._tend(now)
                    self._on_tick()
        finally:
            for shard in self._shards:
                shard.give_up()
                for line in shard.lines:
                    line.close()
            self._selector.close()

    def _read(self) -> None:
        """What has come, until the next tick; frames that come while nothing is read are read together."""
        if self._unfinished:
            ready = {key.data for key, _events in self._selector.select(0)} | self._unfinished
        else:
            time.sleep(min(self._pace.gather, self._until_tick()))
            ready = {key.data for key, _events in self._selector.select(self._until_tick())}
        self._unfinished = set()
        now = time.monotonic()
        for line in sorted(ready, key=lambda line: line.opened_at):  # a successor is not to run ahead
            if self._with(line, lambda line: line.receive(now)):
                self._unfinished.add(line)

    def _until_tick(self) -> float:
        return max(0.0, self._tick_at - time.monotonic())

    def _tend(self, now: float) -> None:
        if self._wanted is not self._spread:
            self._share_out()
        for shard in self._shards:
            for line in list(shard.lines):
                self._with(line, Line.flush)
                if line in shard.lines and line.is_silent(now):
                    self._end(line, "silence")
            shard.connect(self._url, self.attempts, now)
            if shard.lines:
                self._with(shard.lines[-1], lambda line: line.control(now))
            older = shard.replaced(now)
            if older and self._with(older, lambda line: line.receive(now)) is False:
                log.info("stream.replaced", streams=len(older.subscriptions.carried))
                self._close(older)
        self._look_for_quiet(now)

    def _look_for_quiet(self, now: float) -> None:
        lines = [line for shard in self._shards for line in shard.lines]
        stopped = [line for line in lines if line.has_stopped(now)]
        quiet = frozenset[str]().union(*(line.subscriptions.carried for line in stopped))
        if quiet:
            quiet -= set().union(*(line.subscriptions.carried for line in lines if line not in stopped))
        if quiet != self._quiet:
            self._quiet = quiet
            log.warning("stream.quiet" if quiet else "stream.speaks", streams=len(quiet))
            self._on_quiet(quiet)

    def _with(self, line: Line, act: Callable[[Line], bool | None]) -> bool | None:
        """One socket's turn; whatever goes wrong ends this socket and no other."""
        try:
            return act(line)
        except Exception as error:  # the outermost of a socket
            self._end(line, str(error) or type(error).__name__)
            return None

    # ------------------------------------------------------------------ shards and lines
    def _share_out(self) -> None:
        """Each wanted stream has its shard; a shard that is left without any ends."""
        self._spread = self._wanted
        held = [shard.names for shard in self._shards]
        shares = spread(self._spread, held, self._pace.streams_a_socket)
        self._shards += [Shard(self._pace, self._open_line) for _ in shares[len(held) :]]
        for shard, names in zip(self._shards, shares, strict=True):
            shard.want(names)
        for shard in [shard for shard in self._shards if not shard.names]:
            shard.give_up()
            for line in list(shard.lines):
                self._close(line)
            self._shards.remove(shard)
        self._tell()

    def _open_line(self, socket: websocket.WebSocket, now: float) -> Line:
        line = Line(
            socket,
            pace=self._pace,
            now=now,
            on_frame=self._on_frame,
            on_change=self._tell,
            on_unreadable=self._count,
        )
        self._selector.register(line, selectors.EVENT_READ, line)
        return line

    def _count(self, opcode: int, raw: bytes) -> None:
        self.unreadable += 1
        if is_told(self.unreadable):
            log.warning(
                "stream.unreadable",
                count=self.unreadable,
                opcode=opcode,
                size=len(raw),
                begins=repr(raw[:60]),
            )

    def _end(self, line: Line, reason: str) -> None:
        log.warning("stream.down", reason=reason[:200], streams=len(line.subscriptions.carried))
        self._close(line, reason)

    def _close(self, line: Line, reason: str = "not wanted") -> None:
        shard = next(shard for shard in self._shards if line in shard.lines)
        self._selector.unregister(line)
        self._unfinished.discard(line)
        line.close()
        shard.drop(line, time.monotonic())
        self._tell(reason)

    def _tell(self, reason: str = "no longer carried") -> None:
        """Says what is carried now and was not before, and the other way round."""
        wanted = set(self._spread)
        lines = [line for shard in self._shards for line in shard.lines]
        carried = wanted & set[str]().union(*(line.subscriptions.carried for line in lines))
        lost, found = (self._carried & wanted) - carried, carried - self._carried
        self._carried = carried
        if lost:
            self._on_down(frozenset(lost), reason)
        if found:
            self._on_up(frozenset(found))


def is_told(count: int) -> bool:
    """The first, second, fourth, eighth …: however many come, few are logged."""
    return count.bit_count() == 1


def guarded(callback: Callable[P, None]) -> Callable[P, None]:
    """The callback, of which an exception is logged and ends nothing."""
    failures = 0

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        nonlocal failures
        try:
            callback(*args, **kwargs)
        except Exception:  # the loop outlives whatever its user does
            failures += 1
            if is_told(failures):
                log.exception("stream.callback_failed", callback=repr(callback), failures=failures)

    return call
