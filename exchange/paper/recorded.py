"""One market of a recording: its book, tape, candles and day as far as they have been played."""

import json
from collections import deque
from decimal import Decimal, InvalidOperation
from heapq import nlargest, nsmallest
from typing import Any

from exchange.paper.accounts import down, text
from exchange.paper.catalogue import ABILITIES, recorded_symbols
from exchange.paper.filters import Filters
from exchange.paper.market import DEEPEST, NOTHING, TAPE, Aggregate, Frozen, now_ms

QUOTES = ("BUSD", "USDT", "USDC", "TRY", "BTC", "ETH", "BNB", "RUB", "EUR", "USD")
DAY_MS = 86_400_000
ENDLESS = Decimal("Infinity")
Rows = dict[Decimal, list[str]]


class RecordedMarket:
    """A market of a recording: its book is what was recorded, and nobody can trade on it."""

    is_open = False

    def __init__(self, info: dict[str, Any], first_snapshot: str) -> None:
        self.info = info
        self.symbol: str = info["symbol"]
        self.base: str = info["baseAsset"]
        self.quote: str = info["quoteAsset"]
        self.filters = Filters(info["filters"])
        self.tape: deque[dict[str, Any]] = deque(maxlen=TAPE)
        self.aggregates: deque[Aggregate] = deque(maxlen=TAPE)
        self._candles: dict[str, dict[int, list[Any]]] = {}
        self.day: dict[str, Any] = {}
        self._heard = {
            "depthUpdate": self._diff,
            "trade": self._trade,
            "aggTrade": self._aggregate,
            "kline": self._candle,
            "24hrMiniTicker": self._day_so_far,
            "24hrTicker": self._day_so_far,
        }
        self._load(json.loads(first_snapshot))

    # ------------------------------------------------------------------ the book
    def _load(self, body: dict[str, Any]) -> None:
        self._update_id: int = body["lastUpdateId"]
        self._sides: dict[str, Rows] = {
            side: {price: row for price, row, size in levels_of(body[side]) if size}
            for side in ("bids", "asks")
        }
        self._has_gap = False

    def snapshot(self, raw: str) -> None:
        """A snapshot of the recording: taken when it closes a gap, or knows more than is known."""
        if not is_snapshot(raw):
            return
        body = json.loads(raw)
        known = sum(map(len, self._sides.values()))
        is_deeper = len(body["bids"]) + len(body["asks"]) >= known
        if body["lastUpdateId"] > self._update_id and (self._has_gap or is_deeper):
            self._load(body)

    def _diff(self, event: dict[str, Any]) -> None:
        """By the rule: what lies before the snapshot is in it, and after a hole nothing is known until the next one."""
        if event["u"] <= self._update_id or self._has_gap:
            return
        if event["U"] > self._update_id + 1:
            self._has_gap = True
            return
        changes = {"bids": levels_of(event["b"]), "asks": levels_of(event["a"])}
        for side, levels in changes.items():
            for price, row, size in levels:
                if size:
                    self._sides[side][price] = row
                else:
                    self._sides[side].pop(price, None)
        self._update_id = event["u"]

    def depth(self, limit: int) -> dict[str, Any]:
        """The best so many of what is known now."""
        bids, asks = self._sides["bids"], self._sides["asks"]
        return {
            "lastUpdateId": self._update_id,
            "bids": [bids[price] for price in nlargest(limit, bids)],
            "asks": [asks[price] for price in nsmallest(limit, asks)],
        }

    def frozen(self) -> Frozen:
        body = self.depth(DEEPEST)
        return lambda limit: body | {side: body[side][:limit] for side in ("bids", "asks")}

    def best(self) -> dict[str, str]:
        rows = self._sides
        bid = rows["bids"][max(rows["bids"])] if rows["bids"] else [NOTHING, NOTHING]
        ask = rows["asks"][min(rows["asks"])] if rows["asks"] else [NOTHING, NOTHING]
        return {"bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0], "askQty": ask[1]}

    # ------------------------------------------------------------------ what was played
    def hear(self, payload: str) -> None:
        """An event as it is sent; one that cannot be read is sent all the same, and changes nothing here."""
        try:
            event = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if isinstance(event, dict):
            self.take(event)

    def take(self, event: dict[str, Any]) -> None:
        """What an event says; one that is not whole says nothing."""
        try:
            if hear := self._heard.get(event.get("e", "")):
                hear(event)
        except (ValueError, KeyError, TypeError, IndexError, InvalidOperation):
            return

    def _trade(self, event: dict[str, Any]) -> None:
        quote = text(down(Decimal(event["p"]) * Decimal(event["q"])))
        self.tape.append(
            {
                "id": event["t"], "price": event["p"], "qty": event["q"], "quoteQty": quote, "time": event["T"],
                "isBuyerMaker": event["m"], "isBestMatch": True,
            }
        )  # fmt: skip

    def _aggregate(self, event: dict[str, Any]) -> None:
        price, size = Decimal(event["p"]), Decimal(event["q"])
        ids = event["f"], event["l"]
        self.aggregates.append(Aggregate(event["a"], None, price, size, *ids, event["T"], event["m"]))

    def _candle(self, event: dict[str, Any]) -> None:
        k = event["k"]
        if type(k["t"]) is not int:
            raise TypeError("a candle without a time")
        rows = self._candles.setdefault(k["i"], {})
        values = [k[name] for name in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")]
        rows[k["t"]] = [*values, "0"]
        if len(rows) > TAPE:
            del rows[min(rows)]

    def _day_so_far(self, event: dict[str, Any]) -> None:
        self.day = event

    # ------------------------------------------------------------------ what everybody may know
    @property
    def last(self) -> Decimal:
        known = self.tape[-1]["price"] if self.tape else self.day.get("c") or self.best()["bidPrice"]
        return Decimal(known)

    def average(self) -> Decimal:
        return self.last

    def klines(
        self, interval: str, start_ms: int | None, end_ms: int | None, limit: int, east: int = 0
    ) -> list[list[Any]]:
        """Those that were played, whatever the zone; oldest first, from the start when given, else the newest."""
        low, high = start_ms or 0, end_ms if end_ms is not None else 2**62
        rows = [row for at, row in sorted(self._candles.get(interval, {}).items()) if low <= at <= high]
        return rows[:limit] if start_ms is not None else rows[-limit:]

    def ticker(self) -> dict[str, Any]:
        """The day as it was told last; before that prices of the book, and no volume."""
        at, last, day = now_ms(), text(self.last), self.day
        opening, volume, quote = day.get("o", last), day.get("v", NOTHING), day.get("q", NOTHING)
        change = Decimal(last) - Decimal(opening)
        percent = change * 100 / Decimal(opening) if Decimal(opening) else Decimal(0)
        return {
            "symbol": self.symbol, "priceChange": text(change), "priceChangePercent": f"{percent:.3f}",
            "weightedAvgPrice": text(down(Decimal(quote) / Decimal(volume))) if Decimal(volume) else last,
            "prevClosePrice": opening, "lastPrice": last,
            "lastQty": self.tape[-1]["qty"] if self.tape else NOTHING, **self.best(), "openPrice": opening,
            "highPrice": day.get("h", last), "lowPrice": day.get("l", last), "volume": volume, "quoteVolume": quote,
            "openTime": at - DAY_MS, "closeTime": at, "firstId": day.get("F", -1), "lastId": day.get("L", -1),
            "count": day.get("n", 0),
        }  # fmt: skip


def levels_of(rows: list[list[str]]) -> list[tuple[Decimal, list[str], Decimal]]:
    """Each level's price, its row and its size; raises what Decimal does, or ValueError, at one that cannot be."""
    found = [(Decimal(row[0]), row[:2], Decimal(row[1])) for row in rows]
    if not all(
        0 < price < ENDLESS and 0 <= size < ENDLESS and type(row) is list for price, row, size in found
    ):
        raise ValueError("a price or a size that cannot be")
    return found


def is_snapshot(raw: str) -> bool:
    """True for a whole one; a recording also holds what was refused, and what was wrong."""
    try:
        body = json.loads(raw)
        levels_of(body["bids"] + body["asks"])
        return type(body["lastUpdateId"]) is int
    except (ValueError, LookupError, TypeError, InvalidOperation, RecursionError):
        return False


def info_of(symbol: str, recorded: dict[str, Any] | None) -> dict[str, Any]:
    """The symbol as the recording's own exchangeInfo shows it, else as we know it; else it has no filters."""
    known = recorded or recorded_symbols().get(symbol)
    if known:
        return known | ABILITIES
    quote = next((name for name in QUOTES if symbol.endswith(name)), symbol[-3:])
    names = {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix(quote),
        "quoteAsset": quote,
    }
    kinds = ("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision")
    more = ("baseCommissionPrecision", "quoteCommissionPrecision")
    return names | dict.fromkeys((*kinds, *more), 8) | {"filters": []} | ABILITIES
