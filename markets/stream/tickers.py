"""The last 24 hours of the followed markets: the stream tells of those that move, REST once of all others."""

from collections.abc import Callable, Collection, Iterable, Iterator
from queue import Empty, SimpleQueue

from exchange.binance.models import DayTicker
from exchange.errors import BadNumber
from markets.stream.events import UNREADABLE, TickerEvent, require_amounts, ticker_rows

Doubt = Callable[[str, Exception], None]


class Tickers:
    """Believed tickers, in whatever thread they were fetched; `doubt` hears of the others."""

    def __init__(self, doubt: Doubt) -> None:
        # Prices that stand still are known to, while their stream has a line.
        self.has_line = False
        self._doubt = doubt
        self._known: frozenset[str] = frozenset()
        self._fetched: SimpleQueue[list[DayTicker]] = SimpleQueue()

    def on_line(self, is_up: bool) -> None:
        """What moved while there was no line is asked for again."""
        self.has_line = is_up
        self._known = frozenset()

    def missing(self, symbols: Collection[str]) -> frozenset[str]:
        """Of these nothing is known since the line is there."""
        return frozenset(symbols) - self._known if self.has_line else frozenset()

    def put(self, days: list[DayTicker]) -> None:
        """What REST said; for any thread."""
        self._fetched.put(days)

    def fetched(self) -> Iterator[TickerEvent]:
        """What was put since the last call, of markets that the stream has not told of meanwhile."""
        while True:
            try:
                days = self._fetched.get_nowait()
            except Empty:
                return
            yield from self.believed([_event(day) for day in days if day.symbol not in self._known])

    def rows(self, raw: bytes) -> list[TickerEvent] | None:
        """The rows of a frame that can be read, when not all can; None when it is no list."""
        try:
            read = list(ticker_rows(raw))
        except UNREADABLE:
            return None
        for symbol, found in read:
            if isinstance(found, Exception):
                self._doubt(symbol, found)
        return [found for _symbol, found in read if isinstance(found, TickerEvent)]

    def believed(self, events: Iterable[TickerEvent]) -> list[TickerEvent]:
        """Those whose numbers are numbers."""
        found = []
        for event in events:
            try:
                require_amounts(event.c, event.o, event.h, event.l, event.v, event.q)
            except BadNumber as error:
                self._doubt(event.s, error)
            else:
                found.append(event)
        self._known |= {event.s for event in found}
        return found


def _event(day: DayTicker) -> TickerEvent:
    return TickerEvent(
        s=day.symbol, c=day.last, o=day.open, h=day.high, l=day.low, v=day.volume, q=day.quote_volume
    )
