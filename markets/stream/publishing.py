"""Writes to Redis what changed, forty times a second and in one step each; never slower than the venue speaks."""

import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec
import structlog
from redis.exceptions import RedisError

from markets import feed
from markets.book import LIVE, LocalBook, Side, State
from markets.stream.events import TickerEvent, TradeEvent, candle_of, ticker_of, trade_of
from markets.stream.following import Changes, Following
from markets.stream.grouping import Groups
from markets.writer import Command, Writer

log = structlog.get_logger()

AWAY_SECONDS = 1.0
# Everybody may read the best levels at any time; the whole book is written less often, for markets that are looked at.
TOP_LEVELS = 20
WHOLE_SECONDS, WHOLE_KEPT_SECONDS = 0.25, 10
# A quiet market's is written again before it is forgotten.
WHOLE_AGAIN_SECONDS = 5
KNOWN_SECONDS = 0.5
# A book's age is that of the last sign of life: a quiet book is not said again.
ALIVE_SECONDS = 0.1
TICKERS_SECONDS = 1.0
# Kept while Redis is away.
MOST_TRADES = 5000
# Limits and stops are counted with prices: one that stands still is said to stand as of now, so often.
PRICES_SECONDS = 10.0
_encode = msgspec.json.Encoder().encode


class Publisher:
    """The one who tells others what the followed markets do."""

    def __init__(
        self, following: Following, writer: Writer, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._following, self._writer, self._clock = following, writer, clock
        self._epoch = 0
        self._watched: frozenset[str] = frozenset()
        self._groups = Groups()
        self._due: set[str] = set()
        self._gone: dict[str, LocalBook] = {}
        self._is_late = False
        self._known: dict[str, tuple[Side, int | None]] = {}
        self._keys: dict[str, bytes] = {}
        self._not_whole: set[str] = set()
        self._wrote_whole: dict[str, float] = {}
        self._whole_at = self._known_at = self._alive_at = self._away_until = clock() - 60
        # What is not known to be written, by the number of the write in which it was first.
        self._trades: list[tuple[int, list[TradeEvent]]] = []
        self._tickers: dict[str, TickerEvent] = {}
        self._prices: dict[str, TickerEvent] = {}
        self._tickers_at = clock() - TICKERS_SECONDS
        self._prices_at = clock()

    def serve(self, watched: Collection[str]) -> None:
        """These names are looked at: their markets' whole books, trades and groups are told as well."""
        names = frozenset(watched)
        fresh = {name.partition("#")[0] for name in names - self._watched}
        self._watched = names
        self._not_whole |= fresh
        self._groups.serve(names)
        for symbol in fresh:
            self._groups.move(symbol)

    def publish(self) -> None:
        """Everything that changed since the last time; while Redis is away it is kept and said later."""
        now = self._clock()
        changes = self._following.changes()
        self._due |= changes.books
        self._gone |= changes.gone
        self._look_for_lateness()
        self._tickers |= changes.tickers
        self._keep_trades(changes.trades)
        if now < self._away_until:
            return
        try:
            self._writer.keep()
            if self._epoch != self._writer.epoch:
                self._begin()
            once = [(number, self._told(trades)) for number, trades in self._trades]
            if self._writer.write(self._commands(changes, now), once=once):
                self._trades, self._gone = [], {}
            else:
                self._begin()
        except (OSError, RedisError) as error:
            log.warning("feed.not_published", error=type(error).__name__)
            self._away_until = now + AWAY_SECONDS
            self._epoch = 0
        except Exception:  # what this tick had taken is told to nobody: the next one says everything
            self._epoch = 0
            raise

    def _look_for_lateness(self) -> None:
        """While events come late, live books are told to be stale: they were right a while ago."""
        if self._following.is_late != self._is_late:
            self._is_late = self._following.is_late
            self._due |= set(self._following.books)
            log.warning("feed.late" if self._is_late else "feed.in_time")

    def _begin(self) -> None:
        """Under a new epoch everything is said again."""
        self._epoch = self._writer.epoch
        self._due |= set(self._following.books)
        self._not_whole |= set(self._following.books)
        self._alive_at -= ALIVE_SECONDS

    def _commands(self, changes: Changes, now: float) -> list[Command]:
        commands: list[Command] = []
        now_ms = time.time_ns() // 1_000_000
        self._add_gone(commands, now_ms)
        self._add_books(commands, now, now_ms)
        self._add_wholes(commands, now, now_ms)
        self._add_groups(commands, now, now_ms)
        self._add_tickers(commands, now, now_ms)
        for k in changes.candles.values():
            self._tell(commands, feed.candle_channel(str(k["s"]), str(k["i"])), candle_of(k))
        if now - self._alive_at >= ALIVE_SECONDS:
            self._alive_at = now
            alive = _encode({"type": "alive", "epoch": self._epoch, "at": now_ms})
            commands.append((b"SET", feed.ALIVE.encode(), alive))
            commands.append((b"PUBLISH", feed.ALIVE.encode(), alive))
        return commands

    def _tell(self, commands: list[Command], channel: str, body: dict[str, Any]) -> None:
        commands.append((b"PUBLISH", channel.encode(), _encode(body)))

    # ------------------------------------------------------------------ books
    def _add_gone(self, commands: list[Command], now_ms: int) -> None:
        """Nobody hears of these any more: what is known of them is told to be stale, once, also to who looks."""
        for symbol, book in self._gone.items():
            self._known.pop(symbol, None)
            if symbol in self._following.books:
                continue
            body = self._body(book, None, now_ms, book.known)
            top = {**body, **{side: body[side][:TOP_LEVELS] for side in ("bids", "asks")}}
            told = {feed.book_key(symbol): top}
            for step, grouping in self._groups.of(symbol).items():
                told[feed.group_channel(symbol, step)] = grouping.of(body)
            for name, one in told.items():
                key, value = name.encode(), _encode(one)
                commands += [(b"SET", key, value), (b"PUBLISH", key, value)]
            commands.append((b"DEL", feed.whole_key(symbol).encode()))

    def _add_books(self, commands: list[Command], now: float, now_ms: int) -> None:
        due, self._due = self._due, set()
        if now - self._known_at >= KNOWN_SECONDS:
            self._known_at = now
            self._known.clear()
        books, watched = self._following.books, self._watched
        for symbol in due:
            book = books.get(symbol)
            if book is None:
                continue
            body = self._body(book, TOP_LEVELS, now_ms, self._known_of(book))
            key, value = self._key_of(symbol), _encode(body)
            commands.append((b"SET", key, value))
            if symbol in watched:
                commands.append((b"PUBLISH", key, value))
                self._not_whole.add(symbol)
                self._groups.move(symbol)

    def _add_wholes(self, commands: list[Command], now: float, now_ms: int) -> None:
        if now - self._whole_at < WHOLE_SECONDS:
            return
        self._whole_at = now
        again, wrote = now - WHOLE_AGAIN_SECONDS, self._wrote_whole
        self._not_whole |= {symbol for symbol, at in wrote.items() if at <= again}
        symbols, self._not_whole = self._not_whole & self._watched, set()
        self._wrote_whole = {symbol: at for symbol, at in wrote.items() if symbol in self._watched}
        if lapsed := [feed.whole_key(symbol).encode() for symbol in wrote if symbol not in self._watched]:
            commands.append((b"DEL", *lapsed))
        seconds = b"%d" % WHOLE_KEPT_SECONDS
        for symbol in symbols:
            book = self._following.books.get(symbol)
            if book is not None:
                self._wrote_whole[symbol] = now
                key = feed.whole_key(symbol).encode()
                commands.append(
                    (b"SET", key, _encode(self._body(book, None, now_ms, book.known)), b"EX", seconds)
                )

    def _add_groups(self, commands: list[Command], now: float, now_ms: int) -> None:
        for symbol, step, grouping in self._groups.turns(now):
            book = self._following.books.get(symbol)
            if book is not None:
                body = grouping.of(self._body(book, None, now_ms, book.known))
                key, value = feed.group_channel(symbol, step).encode(), _encode(body)
                commands += [(b"SET", key, value), (b"PUBLISH", key, value)]

    def _key_of(self, symbol: str) -> bytes:
        key = self._keys.get(symbol)
        if key is None:
            key = self._keys[symbol] = feed.book_key(symbol).encode()
        return key

    def _known_of(self, book: LocalBook) -> int | None:
        """Counted twice a second, when the book is another one, and always when less is known than is told."""
        counted = self._known.get(book.symbol)
        if counted is None or counted[0] is not book.bids or book.is_shallower_than(TOP_LEVELS):
            counted = self._known[book.symbol] = (book.bids, book.known)
        return counted[1]

    def _body(self, book: LocalBook, count: int | None, now_ms: int, known: int | None) -> dict[str, Any]:
        """What is said of the book: its best levels, or without a count all; none below the first that may lack."""
        return {
            "type": "book",
            "symbol": book.symbol,
            "epoch": self._epoch,
            "u": book.last_update_id,
            "event_ms": book.event_ms,
            "published_ms": now_ms,
            "state": State.STALE if book.state is LIVE and self._is_old(book) else book.state,
            "known": known,
            "bids": book.bids.top(count)[:known],
            "asks": book.asks.top(count)[:known],
        }

    def _is_old(self, book: LocalBook) -> bool:
        """It was right a while ago."""
        return self._is_late or book.symbol in self._following.quiet

    # ------------------------------------------------------------------ trades, tickers
    def _keep_trades(self, fresh: list[TradeEvent]) -> None:
        """They go with the next write; those of one that failed keep its number, for it may have been carried out."""
        number = self._writer.number + 1
        if fresh and self._trades and self._trades[-1][0] == number:
            self._trades[-1][1].extend(fresh)
        elif fresh:
            self._trades.append((number, list(fresh)))
        more = sum(len(trades) for _number, trades in self._trades) - MOST_TRADES
        while more > 0:
            oldest = self._trades[0][1]
            more -= len(oldest)
            del oldest[: len(oldest) + min(more, 0)]
            if not oldest:
                del self._trades[0]

    def _told(self, trades: Iterable[TradeEvent]) -> list[Command]:
        commands: list[Command] = []
        by_symbol: dict[str, list[TradeEvent]] = {}
        for event in trades:
            by_symbol.setdefault(event.s, []).append(event)
        for symbol, events in by_symbol.items():
            rows = [trade_of(event) for event in events]
            key = feed.trades_key(symbol).encode()
            commands.append((b"LPUSH", key, *(_encode(row) for row in rows[-feed.TRADES_KEPT :])))
            commands.append((b"LTRIM", key, b"0", b"%d" % (feed.TRADES_KEPT - 1)))
            if symbol in self._watched:
                self._tell(
                    commands,
                    feed.trades_key(symbol),
                    {"type": "trades", "symbol": symbol, "trades": rows},
                )
        return commands

    def _add_tickers(self, commands: list[Command], now: float, now_ms: int) -> None:
        """The newest of every market that moved, once a second; those that stand still, now and then."""
        if now - self._tickers_at < TICKERS_SECONDS:
            return
        self._tickers_at = now
        books, moved = self._following.books, self._tickers
        self._tickers = {}
        told = {symbol: ticker_of(event, now_ms) for symbol, event in moved.items() if symbol in books}
        self._prices |= {symbol: moved[symbol] for symbol in told}
        known = dict(told)
        if self._following.tickers.has_line and now - self._prices_at >= PRICES_SECONDS:
            self._prices_at = now
            self._prices = {symbol: event for symbol, event in self._prices.items() if symbol in books}
            known = {symbol: ticker_of(event, now_ms) for symbol, event in self._prices.items()} | told
        if known:
            pairs = (word for symbol, ticker in known.items() for word in (symbol.encode(), _encode(ticker)))
            commands.append((b"HSET", feed.TICKERS.encode(), *pairs))
        if told:
            self._tell(commands, feed.TICKERS, {"type": "tickers", "tickers": told})
