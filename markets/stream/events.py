"""The venue's market events as they come in, and what we say of them."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from exchange.money import plain
from markets.rules import LIVE_INTERVALS

KINDS = ("depth@100ms", "trade", "miniTicker", *(f"kline_{interval}" for interval in LIVE_INTERVALS))
STREAMS_A_MARKET = len(KINDS)


class DepthEvent(msgspec.Struct):
    s: str
    E: int
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class TradeEvent(msgspec.Struct):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class TickerEvent(msgspec.Struct):
    s: str
    c: str
    o: str
    h: str
    l: str  # noqa: E741  the venue's name
    v: str
    q: str


class KlineEvent(msgspec.Struct):
    k: dict[str, str | int | bool]


depth_event = msgspec.json.Decoder(DepthEvent).decode
trade_event = msgspec.json.Decoder(TradeEvent).decode
ticker_event = msgspec.json.Decoder(TickerEvent).decode
kline_event = msgspec.json.Decoder(KlineEvent).decode


def streams_of(symbols: Sequence[str]) -> list[str]:
    """The combined stream's names for these markets."""
    return [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in KINDS]


def trade_of(event: TradeEvent) -> dict[str, object]:
    """A public trade as pages and the API know it."""
    maker = "BUY" if event.m else "SELL"
    return {"id": event.t, "price": event.p, "quantity": event.q, "at": event.T, "maker_side": maker}


def ticker_of(event: TickerEvent, as_of_ms: int) -> dict[str, str | int]:
    """The last 24 hours as they stood at this time; the change in percent of the opening price."""
    opened = Decimal(event.o)
    change = (Decimal(event.c) - opened) * 100 / opened if opened else Decimal(0)
    return {
        "symbol": event.s,
        "last": event.c,
        "open": event.o,
        "high": event.h,
        "low": event.l,
        "volume": event.v,
        "quote_volume": event.q,
        "change_percent": plain(round(change, 2)),
        "as_of_ms": as_of_ms,
    }


def candle_of(k: dict[str, str | int | bool]) -> dict[str, object]:
    """A candle as pages know it."""
    return {
        "type": "candle",
        "symbol": k["s"],
        "interval": k["i"],
        "open_at": int(k["t"]) // 1000,
        "open": k["o"],
        "high": k["h"],
        "low": k["l"],
        "close": k["c"],
        "volume": k["v"],
        "closed": k["x"],
    }
