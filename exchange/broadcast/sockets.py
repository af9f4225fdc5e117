"""What one open page is to the hub, and all of them together."""

from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from exchange.broadcast.frames import Frame
from exchange.broadcast.names import book_key, candle_channel, group_channel, trades_key

# So many numbered frames, or so many bytes before the last of them, may be unacknowledged before a page is passed
# over. The bytes are fewer than what any server holds for a socket (uvicorn: 64 KiB) before a write has to wait.
WINDOW, WINDOW_BYTES = 60, 48 * 2**10
Send = Callable[[Frame], Awaitable[None]]


def book_channel(symbol: str, step: str) -> str:
    """Where the market's book is told, summed by `step` or as the venue has it for ""."""
    return group_channel(symbol, step) if step else book_key(symbol)


@dataclass(eq=False)
class Socket:
    """One open page: what it follows, which book frame it has, how much it has not acknowledged.

    `sent` and `read` are bytes; `unread` has the numbers of frames with what was sent up to and with each.
    """

    send: Send
    close: Callable[[int], Coroutine[Any, Any, None]]
    symbol: str = ""
    interval: str = "1m"
    # How much of the quote is one row of the book; "" is the venue's own levels.
    step: str = ""
    seq: int | None = None
    unread: deque[tuple[int, int]] = field(default_factory=deque)
    sent: int = 0
    read: int = 0
    full_since: float | None = None
    # A numbered frame went out since the last status.
    is_told: bool = False

    @property
    def is_open(self) -> bool:
        unread = self.unread
        return not unread or (len(unread) < WINDOW and unread[-1][1] - self.read < WINDOW_BYTES)

    def note(self, size: int, seq: int | None) -> None:
        """A frame of so many bytes is on its way; only numbered ones can be acknowledged."""
        self.sent += size
        if seq is not None:
            self.unread.append((seq, self.sent))
            self.is_told = True

    def acknowledge(self, seq: int) -> None:
        """The page has read every frame up to this number; one it was never sent is no proof of reading."""
        if any(number == seq for number, _sent in self.unread):
            number = None
            while number != seq:
                number, self.read = self.unread.popleft()

    @property
    def channels(self) -> set[str]:
        """Where what this page shows is told."""
        if not self.symbol:
            return set()
        book, candles = book_channel(self.symbol, self.step), candle_channel(self.symbol, self.interval)
        return {book, trades_key(self.symbol), candles}

    @property
    def names(self) -> set[str]:
        """What the markets process is told that somebody looks at."""
        if not self.symbol:
            return set()
        found = {self.symbol, f"{self.symbol}@kline_{self.interval}"}
        return found | {f"{self.symbol}#{self.step}"} if self.step else found


class Followers:
    """All open pages by market ("" is the table of all markets), and what they follow together.

    Counted as they come, go and turn elsewhere: a thousand pages of one market cost no more to ask than one.
    """

    def __init__(self) -> None:
        self._by_symbol: defaultdict[str, set[Socket]] = defaultdict(set)
        self._channels: Counter[str] = Counter()
        self._names: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Socket]:
        return iter([socket for sockets in self._by_symbol.values() for socket in sockets])

    def __len__(self) -> int:
        return sum(len(sockets) for sockets in self._by_symbol.values())

    def of(self, symbol: str) -> list[Socket]:
        return list(self._by_symbol.get(symbol, ()))

    @property
    def symbols(self) -> set[str]:
        return set(self._by_symbol)

    @property
    def channels(self) -> set[str]:
        return set(self._channels)

    @property
    def names(self) -> set[str]:
        return set(self._names)

    def add(self, socket: Socket) -> None:
        self._by_symbol[socket.symbol].add(socket)
        self._channels.update(socket.channels)
        self._names.update(socket.names)

    def remove(self, socket: Socket) -> None:
        """Also of one that has left already."""
        sockets = self._by_symbol.get(socket.symbol, set())
        if socket not in sockets:
            return
        sockets.remove(socket)
        if not sockets:
            del self._by_symbol[socket.symbol]
        take_off(self._channels, socket.channels)
        take_off(self._names, socket.names)

    def turn(self, socket: Socket, *, interval: str, step: str) -> None:
        """The page shows other candles, or the book by another step."""
        is_here = socket in self._by_symbol.get(socket.symbol, ())
        self.remove(socket)
        socket.interval, socket.step = interval, step
        if is_here:
            self.add(socket)


def take_off(counts: Counter[str], words: Iterable[str]) -> None:
    for word in words:
        counts[word] -= 1
        if not counts[word]:
            del counts[word]
