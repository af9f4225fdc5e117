"""What the venue lists: recorded symbols with their real filters, in today's shape; and the recorded book."""

import gzip
import json
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
# What a market's price is when an installation first starts: near the day of the recorded BTCUSDT book.
FIRST_PRICES = {
    "BTCUSDT": "83760", "ETHUSDT": "1602.50", "BNBUSDT": "584.8", "SOLUSDT": "131.20", "XRPUSDT": "2.1410",
    "ADAUSDT": "0.6420", "DOGEUSDT": "0.16480", "TRXUSDT": "0.25310", "LTCUSDT": "78.60", "LINKUSDT": "12.850",
    "AVAXUSDT": "19.75", "DOTUSDT": "3.720", "ETHBTC": "0.019130", "BNBBTC": "0.006980", "SOLBTC": "0.0015660",
    "LTCBTC": "0.000938", "BTCUSDC": "83755",
}  # fmt: skip
# What is plausibly traded on a day, in the quote asset.
DAILY_QUOTE = {"USDT": 20_000_000, "USDC": 20_000_000, "BTC": 250}
USUAL_QUOTE = 1_000_000  # in any other
# What this venue cannot do is not offered.
ABILITIES = {
    "orderTypes": [
        "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
    ],
    "icebergAllowed": True,
    "ocoAllowed": True,
    "otoAllowed": True,
    "opoAllowed": True,
    "quoteOrderQtyMarketAllowed": True,
    "allowTrailingStop": True,
    "cancelReplaceAllowed": True,
    "amendAllowed": True,
    "pegInstructionsAllowed": False,
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False,
    "permissions": [],
    "permissionSets": [["SPOT"]],
    "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
    "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
}  # fmt: skip
# Filters that every symbol has today and none had when they were recorded.
TODAY = [
    {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": 5},
    {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
    {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
]
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000},
]
Levels = list[tuple[Decimal, Decimal]]


def live_symbols() -> list[dict[str, Any]]:
    return [row | {"filters": row["filters"] + TODAY} for row in _symbols("exchangeinfo.json")]


def routed_symbol() -> dict[str, Any]:
    """BTCUSDC with the rules of BTCUSDT, for smart order routing over both."""
    row = next(row for row in live_symbols() if row["symbol"] == "BTCUSDT")
    return row | {"symbol": "BTCUSDC", "quoteAsset": "USDC"}


def recorded_symbols() -> dict[str, dict[str, Any]]:
    """The symbols of recordings, as exchangeInfo showed them in the year of the recording."""
    return {row["symbol"]: row | {"status": "TRADING"} for row in _symbols("recorded-symbols.json")}


def _symbols(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((DATA / name).read_text())["symbols"]
    return [row | ABILITIES for row in rows]


@lru_cache(maxsize=1)
def recorded_book() -> dict[str, Levels]:
    """BTCUSDT's book of 2025-04-14, 5,000 levels a side, best first."""
    with gzip.open(DATA / "btcusdt-depth.json.gz", "rt") as file:
        book = json.load(file)
    return {
        side: [(Decimal(price), Decimal(quantity)) for price, quantity in book[side]]
        for side in ("bids", "asks")
    }


@lru_cache(maxsize=1)
def recorded_shape() -> dict[str, Levels]:
    """Each level's distance from the middle as a part of it, and its value in quote."""
    return shape_of(recorded_book())


def shape_of(book: dict[str, Levels]) -> dict[str, Levels]:
    middle = (book["bids"][0][0] + book["asks"][0][0]) / 2
    return {
        side: [(price / middle - 1, price * quantity) for price, quantity in book[side]]
        for side in ("bids", "asks")
    }
