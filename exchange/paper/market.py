"""One symbol at the venue: its rules, its book, its candles, its tape."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from exchange.paper.accounts import down, text
from exchange.paper.book import Book, Side
from exchange.paper.candles import Candles
from exchange.paper.catalogue import DAILY_QUOTE, FIRST_PRICES, USUAL_QUOTE
from exchange.paper.filters import Filters
from exchange.paper.history import Past
from exchange.paper.store import Store

TAPE = 1000
BLOCK = 10_000
FIRST_ID = 1000
NOTHING = "0.00000000"
DEEPEST = 5000
Frozen = Callable[[int], dict[str, Any]]  # a book as it was, to so many levels a side


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Aggregate:
    """Trades of one taker at one price, one after the other."""

    number: int
    taker: object
    price: Decimal
    quantity: Decimal
    first_id: int
    last_id: int
    at_ms: int
    buyer_is_maker: bool
    is_told: bool = False

    def row(self) -> dict[str, Any]:
        return {
            "a": self.number,
            "p": text(self.price),
            "q": text(self.quantity),
            "f": self.first_id,
            "l": self.last_id,
            "T": self.at_ms,
            "m": self.buyer_is_maker,
            "M": True,
        }


class Listed(Protocol):
    """What the venue shows of each of its markets; some are shown and cannot be traded on."""

    info: dict[str, Any]
    symbol: str
    base: str
    quote: str
    filters: Filters

    @property
    def is_open(self) -> bool: ...
    @property
    def last(self) -> Decimal: ...
    @property
    def tape(self) -> Iterable[dict[str, Any]]: ...
    @property
    def aggregates(self) -> Iterable[Aggregate]: ...
    def depth(self, limit: int) -> dict[str, Any]: ...
    def frozen(self) -> Frozen: ...
    def best(self) -> dict[str, str]: ...
    def klines(
        self, interval: str, start_ms: int | None, end_ms: int | None, limit: int, east: int = 0
    ) -> list[list[Any]]: ...
    def average(self) -> Decimal: ...
    def ticker(self) -> dict[str, Any]: ...


class Ids:
    """Numbers that only grow, also across restarts: blocks are reserved on the disk before they are used."""

    def __init__(self, store: Store, name: str, first: int = FIRST_ID) -> None:
        self._store, self._name = store, name
        self.last = self._reserved = int(store.fact(name) or first)

    def next(self) -> int:
        self.last += 1
        if self.last > self._reserved:
            self._reserved = self.last + BLOCK
            self._store.put_fact(self._name, self._reserved)
        return self.last


class Market:
    def __init__(self, info: dict[str, Any], store: Store) -> None:
        self.info = info
        self.symbol: str = info["symbol"]
        self.base: str = info["baseAsset"]
        self.quote: str = info["quoteAsset"]
        self.filters = Filters(info["filters"])
        self.tape: deque[dict[str, Any]] = deque(maxlen=TAPE)
        self.aggregates: deque[Aggregate] = deque(maxlen=TAPE)
        self.passed: list[Decimal] = []  # prices of trades that nobody has looked at yet who waits for one
        self._known = self._begin(store)
        self.first_price, self.last = Decimal(self._known["first"]), Decimal(self._known["last"])
        self.trade_ids = Ids(store, f"trades:{self.symbol}")
        self._aggregate_ids = Ids(store, f"aggregates:{self.symbol}")
        # Update ids only grow too: a start begins well above what the last one can have reached since it was noted.
        self.book = Book(self._known["update_id"] + 1_000_000)
        past = Past(
            self.symbol, self._known["anchor"], self.first_price, tick=self.filters.tick, step=self.filters.step,
            daily_quote=DAILY_QUOTE.get(self.quote, USUAL_QUOTE),
        )  # fmt: skip
        self.candles = Candles(self.symbol, past, store, self.last)

    def _begin(self, store: Store) -> dict[str, Any]:
        known: dict[str, Any] | None = store.fact(f"market:{self.symbol}")
        self.is_new = known is None
        if known is None:
            first = FIRST_PRICES[self.symbol]
            known = {"anchor": int(time.time()), "first": first, "last": first, "update_id": FIRST_ID}
            store.put_fact(f"market:{self.symbol}", known)
        return known

    @property
    def is_open(self) -> bool:
        return self.info["status"] == "TRADING"

    def known(self) -> dict[str, Any]:
        """What the next start has to know."""
        return self._known | {"last": str(self.last), "update_id": self.book.update_id}

    def trade(self, price: Decimal, quantity: Decimal, *, buyer_takes: bool, taker: object) -> dict[str, Any]:
        """One trade on the tape; gives its row as REST trades show it."""
        trade_id, at = self.trade_ids.next(), now_ms()
        self.last = price
        self.passed.append(price)
        self.candles.trade(price, quantity, trade_id, at, buyer_takes=buyer_takes)
        row = {
            "id": trade_id,
            "price": text(price),
            "qty": text(quantity),
            "quoteQty": text(down(price * quantity)),
            "time": at,
            "isBuyerMaker": not buyer_takes,
            "isBestMatch": True,
        }
        self.tape.append(row)
        self._aggregate(row, price, quantity, taker)
        return row

    def _aggregate(self, row: dict[str, Any], price: Decimal, quantity: Decimal, taker: object) -> None:
        last = self.aggregates[-1] if self.aggregates else None
        if last is not None and last.taker is taker and last.price == price and not last.is_told:
            last.quantity += quantity
            last.last_id = row["id"]
            return
        number = self._aggregate_ids.next()
        self.aggregates.append(
            Aggregate(number, taker, price, quantity, row["id"], row["id"], row["time"], row["isBuyerMaker"])
        )

    # ------------------------------------------------------------------ what everybody may know
    def depth(self, limit: int) -> dict[str, Any]:
        sides: tuple[tuple[str, Side], ...] = (("bids", "BUY"), ("asks", "SELL"))
        rows = {name: self.book.depth(side, limit) for name, side in sides}
        levels = {
            name: [[text(price), text(total)] for price, total in found] for name, found in rows.items()
        }
        return {"lastUpdateId": self.book.update_id, **levels}

    def frozen(self) -> Frozen:
        """The book as it is now, for later."""
        body = self.depth(DEEPEST)
        return lambda limit: body | {side: body[side][:limit] for side in ("bids", "asks")}

    def best(self) -> dict[str, str]:
        (bid, bid_quantity), (ask, ask_quantity) = (
            (self.book.depth(side, 1) or [(Decimal(0), Decimal(0))])[0] for side in ("BUY", "SELL")
        )
        return {
            "bidPrice": text(bid),
            "bidQty": text(bid_quantity),
            "askPrice": text(ask),
            "askQty": text(ask_quantity),
        }

    def klines(
        self, interval: str, start_ms: int | None, end_ms: int | None, limit: int, east: int = 0
    ) -> list[list[Any]]:
        return self.candles.rows(interval, start_ms, end_ms, limit, east)

    def average(self) -> Decimal:
        """The volume-weighted price of the last five minutes, as the filters use it."""
        rows = self.candles.rows("1m", None, None, 5)
        volume = sum((Decimal(row[5]) for row in rows), Decimal(0))
        quote = sum((Decimal(row[7]) for row in rows), Decimal(0))
        return down(quote / volume) if volume else self.last

    def ticker(self) -> dict[str, Any]:
        at = now_ms()
        opening, high, low, volume, quote, count = self.candles.day(at)
        change, last_id = self.last - opening, self.trade_ids.last
        return {
            "symbol": self.symbol,
            "priceChange": text(change),
            "priceChangePercent": f"{change * 100 / opening:.3f}",
            "weightedAvgPrice": text(down(quote / volume)) if volume else text(self.last),
            "prevClosePrice": text(opening),
            "lastPrice": text(self.last),
            "lastQty": self.tape[-1]["qty"] if self.tape else NOTHING,
            **self.best(),
            "openPrice": text(opening),
            "highPrice": text(high),
            "lowPrice": text(low),
            "volume": text(volume),
            "quoteVolume": text(down(quote)),
            "openTime": at - 86_400_000,
            "closeTime": at,
            "firstId": max(0, last_id - count + 1),
            "lastId": last_id,
            "count": count,
        }
