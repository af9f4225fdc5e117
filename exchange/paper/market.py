"""One symbol at the venue: its rules, its book, its candles, its tape."""

import gzip
import json
import time
from collections import deque
from decimal import Decimal
from pathlib import Path as File
from typing import Any

from exchange.paper.accounts import down, text
from exchange.paper.book import Book
from exchange.paper.candles import Candles, Path
from exchange.paper.filters import Filters
from exchange.paper.store import Store

DATA = File(__file__).parent / "data"
TAPE = 1000
# What a market's price is when an installation first starts: near the day of the recorded BTCUSDT book.
FIRST_PRICES = {
    "BTCUSDT": "83760", "ETHUSDT": "1602.50", "BNBUSDT": "584.8", "SOLUSDT": "131.20", "XRPUSDT": "2.1410",
    "ADAUSDT": "0.6420", "DOGEUSDT": "0.16480", "TRXUSDT": "0.25310", "LTCUSDT": "78.60", "LINKUSDT": "12.850",
    "AVAXUSDT": "19.75", "DOTUSDT": "3.720", "ETHBTC": "0.019130", "BNBBTC": "0.006980", "SOLBTC": "0.0015660",
    "LTCBTC": "0.000938",
}  # fmt: skip
DAILY_QUOTE = {"USDT": 20_000_000.0, "BTC": 250.0}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def exchange_info() -> dict[str, Any]:
    """The recorded symbols with their real filters, in today's shape."""
    body: dict[str, Any] = json.loads((DATA / "exchangeinfo.json").read_text())
    for symbol in body["symbols"]:
        symbol |= {
            "otoAllowed": False,
            "ocoAllowed": False,
            "opoAllowed": False,
            "amendAllowed": False,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": False,
            "pegInstructionsAllowed": False,
            "icebergAllowed": False,
            "isMarginTradingAllowed": False,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        }
    body["rateLimits"] = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000},
    ]
    return body


def recorded_shape() -> dict[str, list[tuple[Decimal, Decimal]]]:
    """The recorded BTCUSDT book: each level's distance from the middle as a part of it, and its value in quote."""
    with gzip.open(DATA / "btcusdt-depth.json.gz", "rt") as file:
        book = json.load(file)
    middle = (Decimal(book["bids"][0][0]) + Decimal(book["asks"][0][0])) / 2
    return {
        side: [(Decimal(p) / middle - 1, Decimal(p) * Decimal(q)) for p, q in book[side]]
        for side in ("bids", "asks")
    }


class Market:
    def __init__(self, info: dict[str, Any], store: Store) -> None:
        self.info = info
        self.symbol: str = info["symbol"]
        self.base: str = info["baseAsset"]
        self.quote: str = info["quoteAsset"]
        self.filters = Filters(info["filters"])
        self.tape: deque[dict[str, Any]] = deque(maxlen=TAPE)
        known = store.fact(f"market:{self.symbol}")
        if known is None:
            first = FIRST_PRICES[self.symbol]
            known = {
                "anchor": int(time.time()),
                "first": first,
                "last": first,
                "trade_id": 1000,
                "update_id": 1000,
            }
            store.put_fact(f"market:{self.symbol}", known)
        self._known = known
        self.trade_id: int = known["trade_id"]
        self.first_price = Decimal(known["first"])
        self.last = Decimal(known["last"])
        # Ids only grow: a restart begins well above what the last run can have reached since it was noted.
        self.book = Book(known["update_id"] + 1_000_000)
        self.sent_update_id = self.book.update_id
        path = Path(self.symbol, known["anchor"], self.first_price, daily_quote=DAILY_QUOTE[self.quote])
        self.candles = Candles(self.symbol, path, self.filters.tick, store, self.last)

    @property
    def is_open(self) -> bool:
        return self.info["status"] == "TRADING"

    def note(self, store: Store) -> None:
        """What the next start has to know."""
        fresh = {"last": str(self.last), "trade_id": self.trade_id, "update_id": self.book.update_id}
        self._known |= fresh
        store.put_fact(f"market:{self.symbol}", self._known)

    def trade(self, price: Decimal, quantity: Decimal, *, buyer_takes: bool) -> dict[str, Any]:
        """One trade on the tape; gives its row as REST trades show it."""
        self.trade_id += 1
        self.last = price
        at = now_ms()
        self.candles.trade(price, quantity, self.trade_id, at, buyer_takes=buyer_takes)
        row = {
            "id": self.trade_id,
            "price": text(price),
            "qty": text(quantity),
            "quoteQty": text(down(price * quantity)),
            "time": at,
            "isBuyerMaker": not buyer_takes,
            "isBestMatch": True,
        }
        self.tape.append(row)
        return row

    def depth(self, limit: int) -> dict[str, Any]:
        sides = {name: self.book.depth(side, limit) for name, side in (("bids", "BUY"), ("asks", "SELL"))}  # type: ignore[arg-type]
        return {
            "lastUpdateId": self.book.update_id,
            **{name: [[text(price), text(total)] for price, total in rows] for name, rows in sides.items()},
        }

    def average(self) -> Decimal:
        """The volume-weighted price of the last five minutes, as the filters use it."""
        rows = self.candles.rows("1m", None, None, 5)
        volume = sum((Decimal(row[5]) for row in rows), Decimal(0))
        quote = sum((Decimal(row[7]) for row in rows), Decimal(0))
        return down(quote / volume) if volume else self.last

    def ticker(self) -> dict[str, Any]:
        at = now_ms()
        opening, high, low, volume, quote, count = self.candles.day(at)
        bid, ask = self.book.depth("BUY", 1), self.book.depth("SELL", 1)
        last = self.tape[-1] if self.tape else {"qty": "0.00000000", "id": self.trade_id}
        change = self.last - opening
        return {
            "symbol": self.symbol,
            "priceChange": text(change),
            "priceChangePercent": f"{change * 100 / opening:.3f}",
            "weightedAvgPrice": text(down(quote / volume)) if volume else text(self.last),
            "prevClosePrice": text(opening),
            "lastPrice": text(self.last),
            "lastQty": last["qty"],
            "bidPrice": text(bid[0][0]) if bid else "0.00000000",
            "bidQty": text(bid[0][1]) if bid else "0.00000000",
            "askPrice": text(ask[0][0]) if ask else "0.00000000",
            "askQty": text(ask[0][1]) if ask else "0.00000000",
            "openPrice": text(opening),
            "highPrice": text(high),
            "lowPrice": text(low),
            "volume": text(volume),
            "quoteVolume": text(down(quote)),
            "openTime": at - 86_400_000,
            "closeTime": at,
            "firstId": max(0, self.trade_id - count),
            "lastId": self.trade_id,
            "count": count,
        }
