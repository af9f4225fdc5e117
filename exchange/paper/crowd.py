"""A crowd of cheap markets: as many events as the real venue sends, at a fraction of the cost, and no trading.

Books are whole numbers (ticks and steps) and become text once, when somebody listens. Nothing of them is kept: a start
makes them anew, with ids that go on growing because they begin with the time.
"""

import asyncio
import json
import math
import random
import time
from array import array
from bisect import bisect_left
from collections import deque
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from exchange.paper.accounts import down, text
from exchange.paper.candles import INTERVALS, Candles
from exchange.paper.catalogue import live_symbols
from exchange.paper.feed import Feed, book_ticker, full_ticker, mini_ticker, trade_event
from exchange.paper.filters import Filters
from exchange.paper.history import Past
from exchange.paper.market import Aggregate, Frozen, now_ms
from exchange.paper.store import Store

LEVELS, FEWEST, MOST = 1100, 1020, 1250
NEAR, NEARLY = 20, 0.92  # so many of the changes lie within the best twenty
REMOVED, NEW = 0.3, 0.6
TRADES = 0.05  # a tenth of a second: one in two seconds
TAPE = 500
MOST_MARKETS = 999
TURN_SECONDS, TURNS = 0.01, 10
DAILY_QUOTE = 2_000_000
ONE = 10**8  # texts have eight decimals
Changes = dict[tuple[bool, int], int]
encode = json.JSONEncoder(separators=(",", ":")).encode


def decimals(units: int) -> str:
    return f"{units // ONE}.{units % ONE:08d}"


class Half:
    """One side of a book: prices in ticks, negative for asks, so that the best is the last; quantities in steps."""

    def __init__(self, best: int, dice: random.Random) -> None:
        self.keys, self.sizes = array("q"), array("q")
        for _level in range(LEVELS):
            self.keys.append(best)
            self.sizes.append(dice.randrange(1, 5000))
            best -= dice.randrange(1, 4)
        self.keys.reverse()

    def put(self, key: int, size: int) -> None:
        at = bisect_left(self.keys, key)
        if at < len(self.keys) and self.keys[at] == key:
            self.sizes[at] = size
        else:
            self.keys.insert(at, key)
            self.sizes.insert(at, size)

    def remove(self, at: int) -> None:
        del self.keys[at], self.sizes[at]

    def free(self, key: int, limit: int) -> int:
        """The next price without a level: better ones first, below the other side's best; else worse ones."""
        keys = self.keys
        at, wanted = bisect_left(keys, key), key
        while at < len(keys) and keys[at] == wanted:
            at, wanted = at + 1, wanted + 1
        if wanted < limit:
            return wanted
        at = bisect_left(keys, key)
        while at >= 0 and keys[at] == key:
            at, key = at - 1, key - 1
        return key


class CrowdMarket:
    is_open = False

    def __init__(self, number: int, store: Store) -> None:
        self.symbol = f"P{number:03}USDT"
        self.base, self.quote = f"P{number:03}", "USDT"
        self._dice = dice = random.Random(self.symbol)
        price = math.exp(dice.uniform(math.log(0.02), math.log(300)))
        finest = math.floor(math.log10(price)) - 4
        self._tick, self._step = 10 ** (8 + finest), 10 ** min(8, 8 - math.floor(math.log10(price)) - 1)
        middle = round(price / 10**finest)
        self.info = _info(self.symbol, self.base, tick=self._tick, step=self._step)
        self.filters = Filters(self.info["filters"])
        self._bids, self._asks = Half(middle, dice), Half(-middle - 2, dice)
        self.update_id = self.trade_id = now_ms()
        self._last = self._opening = self._high = self._low = middle
        self._volume, self._value, self._count = 0, 0, 0
        self._trades: deque[tuple[int, int, int, int, bool]] = deque(maxlen=TAPE)
        self._store, self._slow, self._slow_from = store, Changes(), self.update_id
        self._has_traded = False

    @cached_property
    def candles(self) -> Candles:
        """Made when somebody first wants them: a past is dear."""
        tick, step = self.filters.tick, self.filters.step
        past = Past(self.symbol, int(time.time()), self.last, tick=tick, step=step, daily_quote=DAILY_QUOTE)
        return Candles(self.symbol, past, self._store, self.last)

    # ------------------------------------------------------------------ what happens
    def act(self) -> tuple[Changes, bool]:
        """A tenth of a second: about three levels change, and sometimes somebody trades; True when so."""
        changes, chance = Changes(), self._dice.random
        is_trade = chance() < TRADES
        if is_trade:
            self._take(changes)
        for _level in range(1 + int(chance() * 5)):
            is_bid = chance() < 0.5
            mine, other = (self._bids, self._asks) if is_bid else (self._asks, self._bids)
            key, size = self._change(mine, other)
            changes[is_bid, key] = size
        self.update_id += len(changes)
        return changes, is_trade

    def _change(self, mine: Half, other: Half) -> tuple[int, int]:
        """One level goes, comes or changes; its price and what it holds now."""
        chance, keys = self._dice.random, mine.keys
        rank = int(chance() * NEAR) if chance() < NEARLY else NEAR + int(chance() * (len(keys) - NEAR))
        at, choice, size = len(keys) - 1 - rank, chance(), 1 + int(chance() * 5000)
        if choice < REMOVED and len(keys) > FEWEST:
            key, size = keys[at], 0
            mine.remove(at)
        elif choice < NEW and len(keys) < MOST:
            key = mine.free(keys[at], -other.keys[-1])
            mine.put(key, size)
        else:
            key = keys[at]
            mine.sizes[at] = size
        return key, size

    def _take(self, changes: Changes) -> None:
        """Somebody takes of the best level, at times all of it."""
        buyer_takes = self._dice.random() < 0.5
        half = self._asks if buyer_takes else self._bids
        key, rests = half.keys[-1], half.sizes[-1]
        size = min(rests, 1 + int(self._dice.random() * 1000))
        if size < rests:
            half.sizes[-1] = rests - size
        else:
            half.remove(-1)
        changes[not buyer_takes, key] = rests - size
        self._traded(abs(key), size, buyer_takes=buyer_takes)

    def _traded(self, price: int, size: int, *, buyer_takes: bool) -> None:
        at, self.trade_id, self._has_traded = now_ms(), self.trade_id + 1, True
        self._trades.append((self.trade_id, price, size, at, not buyer_takes))
        self._last, self._high, self._low = price, max(self._high, price), min(self._low, price)
        self._volume, self._value, self._count = (
            self._volume + size,
            self._value + price * size,
            self._count + 1,
        )
        if "candles" in self.__dict__:
            self.candles.trade(
                self._price(price), self._size(size), self.trade_id, at, buyer_takes=buyer_takes
            )

    # ------------------------------------------------------------------ what is told
    def tell(self, feed: Feed, changes: Changes, *, is_trade: bool, turn: int) -> None:
        """What happened in this turn of a tenth of a second; once a second and once in two also what is slower."""
        name, at, followed = self.symbol.lower(), now_ms(), feed.followed
        if (stream := f"{name}@depth@100ms") in followed:
            feed.send(stream, self._diff(changes, self.update_id - len(changes) + 1, at))
        if is_trade:
            self._tell_trade(feed, name)
        if f"{name}@bookTicker" in followed:
            feed.publish(f"{name}@bookTicker", book_ticker(self.symbol, self.update_id, self.best()))
        self._slow |= changes
        for count in (5, 10, 20):
            if f"{name}@depth{count}@100ms" in followed:
                feed.publish(f"{name}@depth{count}@100ms", self.depth(count))
        if turn % 10 == 0:
            self._tell_slowly(feed, name, at)
        if turn % 20 == 0:
            self._tell_candles(feed, name, at)

    def _diff(self, changes: Changes, first: int, at: int) -> str:
        """A depthUpdate as text."""
        tick, step = self._tick, self._step
        sides = [
            ",".join(
                f'["{decimals(abs(key) * tick)}","{decimals(size * step)}"]'
                for (is_bid, key), size in changes.items()
                if is_bid is side
            )
            for side in (True, False)
        ]
        head = f'{{"e":"depthUpdate","E":{at},"s":"{self.symbol}","U":{first},"u":{self.update_id}'
        return f'{head},"b":[{sides[0]}],"a":[{sides[1]}]}}'

    def _tell_slowly(self, feed: Feed, name: str, at: int) -> None:
        """Each second: the slow diff, small books and tickers."""
        if f"{name}@depth" in feed.followed:
            feed.send(f"{name}@depth", self._diff(self._slow, self._slow_from + 1, at))
        self._slow, self._slow_from = {}, self.update_id
        for count in (5, 10, 20):
            if f"{name}@depth{count}" in feed.followed:
                feed.publish(f"{name}@depth{count}", self.depth(count))
        if f"{name}@miniTicker" in feed.followed:
            feed.publish(f"{name}@miniTicker", mini_ticker(self.ticker()))
        if f"{name}@ticker" in feed.followed:
            feed.publish(f"{name}@ticker", full_ticker(self.ticker()))

    def _tell_trade(self, feed: Feed, name: str) -> None:
        if f"{name}@trade" in feed.followed:
            feed.publish(f"{name}@trade", trade_event(self.symbol, self._row(self._trades[-1])))
        if f"{name}@aggTrade" in feed.followed:
            row = self._aggregate(self._trades[-1]).row()
            feed.publish(f"{name}@aggTrade", {"e": "aggTrade", "E": now_ms(), "s": self.symbol, **row})

    def _tell_candles(self, feed: Feed, name: str, at: int) -> None:
        """Candles that closed, and the open ones when somebody traded."""
        wanted = {interval for interval in INTERVALS if f"{name}@kline_{interval}" in feed.followed}
        if not wanted and "candles" not in self.__dict__:
            return
        self.candles.roll(at)
        closed = self.candles.take_closed()
        if any(interval != "1s" for interval, _candle in closed):
            self._store.note({}, self.candles.rows_to_store())
        has_traded, self._has_traded = self._has_traded, False
        for interval, candle in [*closed, *(self.candles.open.items() if has_traded else ())]:
            if interval in wanted:
                feed.publish(f"{name}@kline_{interval}", candle.event(self.symbol, interval, at))

    # ------------------------------------------------------------------ what everybody may know
    def _price(self, ticks: int) -> Decimal:
        return ticks * self.filters.tick

    def _size(self, steps: int) -> Decimal:
        return steps * self.filters.step

    @property
    def last(self) -> Decimal:
        return self._price(self._last)

    def depth(self, limit: int) -> dict[str, Any]:
        return self.frozen()(limit)

    def frozen(self) -> Frozen:
        """The book as it is now; small, for it stays numbers until somebody asks."""
        update_id, tick, step = self.update_id, self._tick, self._step
        halves = {
            name: (half.keys[:], half.sizes[:]) for name, half in (("bids", self._bids), ("asks", self._asks))
        }

        def depth(limit: int) -> dict[str, Any]:
            return {"lastUpdateId": update_id} | {
                name: [
                    [decimals(abs(key) * tick), decimals(size * step)]
                    for key, size in zip(keys[: -limit - 1 : -1], sizes[: -limit - 1 : -1], strict=True)
                ]
                for name, (keys, sizes) in halves.items()
            }

        return depth

    def best(self) -> dict[str, str]:
        book = self.depth(1)
        (bid, bid_size), (ask, ask_size) = book["bids"][0], book["asks"][0]
        return {"bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}

    def _row(self, trade: tuple[int, int, int, int, bool]) -> dict[str, Any]:
        """A trade as REST shows it."""
        trade_id, price, size, at, buyer_is_maker = trade
        quote = text(down(self._price(price) * self._size(size)))
        return {
            "id": trade_id, "price": decimals(price * self._tick), "qty": decimals(size * self._step),
            "quoteQty": quote, "time": at, "isBuyerMaker": buyer_is_maker, "isBestMatch": True,
        }  # fmt: skip

    def _aggregate(self, trade: tuple[int, int, int, int, bool]) -> Aggregate:
        """Each trade is its own: nobody takes twice at one time."""
        trade_id, price, size, at, buyer_is_maker = trade
        return Aggregate(
            trade_id, None, self._price(price), self._size(size), trade_id, trade_id, at, buyer_is_maker
        )

    @property
    def tape(self) -> list[dict[str, Any]]:
        return [self._row(trade) for trade in self._trades]

    @property
    def aggregates(self) -> list[Aggregate]:
        return [self._aggregate(trade) for trade in self._trades]

    def klines(
        self, interval: str, start_ms: int | None, end_ms: int | None, limit: int, east: int = 0
    ) -> list[list[Any]]:
        self.candles.roll(now_ms())
        return self.candles.rows(interval, start_ms, end_ms, limit, east)

    def average(self) -> Decimal:
        return self.last

    def ticker(self) -> dict[str, Any]:
        """The day so far: what was traded since the start."""
        at, last = now_ms(), self.last
        opening, volume = self._price(self._opening), self._size(self._volume)
        quote = down(Decimal(self._value) * self.filters.tick * self.filters.step)
        return {
            "symbol": self.symbol, "priceChange": text(last - opening),
            "priceChangePercent": f"{(last - opening) * 100 / opening:.3f}",
            "weightedAvgPrice": text(down(quote / volume)) if volume else text(last),
            "prevClosePrice": text(opening), "lastPrice": text(last),
            "lastQty": self._row(self._trades[-1])["qty"] if self._trades else text(Decimal(0)), **self.best(),
            "openPrice": text(opening), "highPrice": text(self._price(self._high)),
            "lowPrice": text(self._price(self._low)), "volume": text(volume), "quoteVolume": text(quote),
            "openTime": at - 86_400_000, "closeTime": at,
            "firstId": self.trade_id - self._count + 1 if self._count else -1,
            "lastId": self.trade_id if self._count else -1, "count": self._count,
        }  # fmt: skip


class Crowd:
    """All of them, a tenth in each hundredth of a second."""

    def __init__(self, count: int) -> None:
        store = Store(None)
        self.markets = {
            market.symbol: market for market in (CrowdMarket(number, store) for number in range(1, count + 1))
        }
        self._told: dict[str, int] = {}

    async def run(self, feed: Feed) -> None:
        """Ten diffs a second of each market, for ever; who was held up begins anew instead of hurrying after."""
        shares = [list(self.markets.values())[share::TURNS] for share in range(TURNS)]
        loop, turn = asyncio.get_running_loop(), 0
        due = loop.time()
        while True:
            due = max(due + TURN_SECONDS, loop.time() - 1)
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not feed.is_silent:
                for market in shares[turn % TURNS]:
                    changes, is_trade = market.act()
                    market.tell(feed, changes, is_trade=is_trade, turn=turn // TURNS)
                turn += 1

    def tickers(self) -> list[str]:
        """Mini tickers of who traded since the last call, encoded."""
        changed = [m for symbol, m in self.markets.items() if self._told.get(symbol) != m.trade_id]
        self._told |= {market.symbol: market.trade_id for market in changed}
        return [encode(mini_ticker(market.ticker())) for market in changed]


@lru_cache(maxsize=1)
def _pattern() -> dict[str, Any]:
    return next(row for row in live_symbols() if row["symbol"] == "ADAUSDT")


def _info(symbol: str, base: str, *, tick: int, step: int) -> dict[str, Any]:
    """The symbol in the shape of the others, with its own tick and step."""
    row = _pattern()
    own = {
        "PRICE_FILTER": {
            "minPrice": decimals(tick),
            "tickSize": decimals(tick),
            "maxPrice": "100000.00000000",
        },
        "LOT_SIZE": {"minQty": decimals(step), "stepSize": decimals(step)},
    }
    filters = [rule | own.get(rule["filterType"], {}) for rule in row["filters"]]
    return row | {"symbol": symbol, "baseAsset": base, "filters": filters}
