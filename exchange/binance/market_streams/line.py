"""One open combined stream: its frames, its subscriptions, its age."""

import contextlib
import random
from collections.abc import Callable, Sequence

import msgspec
import websocket

from exchange.binance.market_streams.buffered import Buffered
from exchange.binance.market_streams.pace import Pace
from exchange.binance.market_streams.rhythm import Rhythm
from exchange.binance.market_streams.subscriptions import Subscriptions
from exchange.binance.streams import Down

# How many frames are read before the other sockets have their turn.
FRAMES_A_TURN = 500
# How events begin; the venue's own streams, such as `!serverShutdown`, have a name with an exclamation mark.
EVENT, OF_THE_VENUE = b'{"stream":"', b"!"
SHUTDOWN, SHUTDOWN_STREAM = "serverShutdown", "!serverShutdown"
TEXT, CLOSE = websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_CLOSE


class Refusal(msgspec.Struct):
    code: int = 0
    msg: str = ""


class Word(msgspec.Struct):
    """Whatever is not plainly an event: an answer, a refusal (in either of two forms), a notice."""

    stream: str = ""
    e: str = ""
    id: int | str | None = None
    error: Refusal | None = None
    code: int | None = None
    msg: str = ""

    @property
    def refusal(self) -> str:
        if self.error is not None:
            return f"{self.error.code} {self.error.msg}"
        return "" if self.code is None else f"{self.code} {self.msg}"


_decode_word = msgspec.json.Decoder(Word).decode


class Line:
    """A socket that has just been connected, until it is closed."""

    def __init__(
        self,
        socket: websocket.WebSocket,
        *,
        pace: Pace,
        now: float,
        on_frame: Callable[[bytes], None],
        on_change: Callable[[], None],
        on_unreadable: Callable[[int, bytes], None],
    ) -> None:
        assert socket.sock is not None, "a line begins with a connected socket"
        self._buffered = Buffered(socket.sock)
        socket.sock = self._buffered  # type: ignore[assignment]
        self._socket, self._pace, self._on_frame = socket, pace, on_frame
        self._on_unreadable = on_unreadable
        self.subscriptions = Subscriptions(pace, on_change)
        self.opened_at = self.heard_at = now
        # Staggered: sockets that were opened together do not all move in the same minute.
        self._rotate_at = now + pace.rotation * random.uniform(0.96, 1)
        self._was_told_to_leave = False
        self._rhythm = Rhythm(pace)
        self._complete_at: float | None = None
        # True when the library is not in the middle of a message.
        self._is_between = True

    def fileno(self) -> int:
        return self._buffered.fileno()

    def want(self, names: Sequence[str]) -> None:
        self.subscriptions.want(names)

    def is_leaving(self, now: float) -> bool:
        """It needs a successor."""
        return self._was_told_to_leave or now >= self._rotate_at

    def is_silent(self, now: float) -> bool:
        """It is open, should speak and does not."""
        is_expected = self.subscriptions.carried or self.subscriptions.is_asking
        return bool(is_expected) and now - self.heard_at > self._pace.silence

    def has_stopped(self, now: float) -> bool:
        """It used to speak more often; asked on every tick, after what had come was read."""
        self._rhythm.note(self.heard_at)
        return self._rhythm.has_stopped(now)

    def may_replace(self, older: "Line", wanted: Sequence[str], now: float) -> bool:
        """It carries all that the older one is needed for, and has shown it for a while."""
        missing = older.subscriptions.carried - self.subscriptions.carried
        if not missing.isdisjoint(wanted):
            self._complete_at = None
            return False
        if self._complete_at is None:
            self._complete_at = now
        since = now - self._complete_at
        has_spoken = self.heard_at > self._complete_at
        return since >= (self._pace.settle if has_spoken else self._pace.overlap)

    # ------------------------------------------------------------------ out
    def control(self, now: float) -> None:
        """Asks for what is missing and gives back what is superfluous, when it is time to."""
        if message := self.subscriptions.message(now):
            self._heard_while_empty(now)
            self._socket.send(message)

    def flush(self) -> None:
        self._buffered.flush()

    def close(self) -> None:
        """Says goodbye if that goes at once; nothing is waited for."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.send_close()
        self._buffered.close()

    # ------------------------------------------------------------------ in
    def receive(self, now: float) -> bool:
        """Hands on what has come, raises Down at the end of the line; True when there is more to read at once."""
        recv, on_frame, buffered = self._socket.recv_data, self._on_frame, self._buffered
        for _ in range(FRAMES_A_TURN):
            if self._is_between and (text := buffered.plain_text()) is not None:
                opcode, raw = TEXT, text
            else:
                self._is_between = False
                try:
                    opcode, raw = recv()
                except BlockingIOError:
                    return False
                self._is_between = True
            if opcode == TEXT and raw.startswith(EVENT) and not raw.startswith(OF_THE_VENUE, len(EVENT)):
                self.heard_at = now
                on_frame(raw)
            else:
                self._not_plainly_an_event(opcode, raw, now)
            if buffered.is_drained:
                return False
        return True

    def _heard_while_empty(self, now: float) -> None:
        """Where no events are to come yet, silence is counted from the last question or answer."""
        if not self.subscriptions.carried:
            self.heard_at = now

    def _not_plainly_an_event(self, opcode: int, raw: bytes, now: float) -> None:
        if opcode == CLOSE:
            raise Down(f"the venue closed the connection {int.from_bytes(raw[:2], 'big') or ''}".rstrip())
        try:
            word = _decode_word(raw) if opcode == TEXT else Word()
        except (msgspec.MsgspecError, UnicodeDecodeError):
            word = Word()
        if word.stream == SHUTDOWN_STREAM or word.e == SHUTDOWN:
            self._was_told_to_leave = True
        elif word.stream:
            self.heard_at = now
            self._on_frame(raw)
        elif word.id is not None or word.refusal:
            self._heard_while_empty(now)
            self.subscriptions.answer(word.id, word.refusal, now)
        else:
            self._on_unreadable(opcode, raw)
