"""The venue's market events as they come in, and what we say of them."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache

import msgspec

from exchange.money import divide, parse, plain, round_half_even
from markets.book import Diff, require_numbers
from markets.rules import INTERVALS, LIVE_INTERVALS

DEPTH_KIND = "depth@100ms"
KINDS = (DEPTH_KIND, "trade", *(f"kline_{interval}" for interval in LIVE_INTERVALS))
# The last 24 hours of all markets come in one stream.
TICKERS_STREAM = "!miniTicker@arr"
# The end of the year 9999 in milliseconds; what a page reads as a whole number.
LAST_MS, GREATEST = 253_402_300_799_999, 2**53
# Two lines that overlap are never so far apart.
FAR_BACK = 10_000
Candle = dict[str, str | int | bool]


class TradeEvent(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class TickerEvent(msgspec.Struct, tag_field="e", tag="24hrMiniTicker", gc=False):
    s: str
    c: str
    o: str
    h: str
    l: str  # noqa: E741  the venue's name
    v: str
    q: str


class KlineEvent(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    k: Candle


class Frame(msgspec.Struct, gc=False):
    """A frame of a combined stream; one of a kind that is not in the list does not decode."""

    stream: str
    data: Diff | TradeEvent | KlineEvent | list[TickerEvent]


class Rows(msgspec.Struct, gc=False):
    """A frame of a list, whose rows can be read each for itself."""

    data: list[msgspec.Raw]


frame_of = msgspec.json.Decoder(Frame).decode
_rows_of = msgspec.json.Decoder(Rows).decode
_ticker_of = msgspec.json.Decoder(TickerEvent).decode
# What reading a frame may lead to; the last is said of one that is nested without end.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
_named = re.compile(rb'"stream" *: *("(?:[^"\\]|\\.)*")').search
_symbol_named = re.compile(rb'"s" *: *("(?:[^"\\]|\\.)*")').search


def stream_of(raw: bytes) -> str:
    """The stream that a frame says it is of, also when the rest cannot be read; empty when it says none."""
    return _text_of(_named(raw))


def _text_of(found: re.Match[bytes] | None) -> str:
    """The first group as the JSON text that it is; empty when there is none."""
    try:
        return str(msgspec.json.decode(found[1])) if found else ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def ticker_rows(raw: bytes) -> Iterator[tuple[str, TickerEvent | Exception]]:
    """Each row of a frame of tickers: the market that it says it is of, and what it says or why nobody can read it."""
    for row in _rows_of(raw).data:
        try:
            event = _ticker_of(row)
        except UNREADABLE as error:
            yield _text_of(_symbol_named(row)), error
        else:
            yield event.s, event


def require_plain(raw: bytes, diff: Diff) -> None:
    """Raises ValueError unless every price and quantity of the frame is digits with at most one point between.

    A frame as the venue writes it shows by what is left at its end without the digits, at a tenth of the cost.
    """
    written = _sides_without_digits(len(diff.bids), len(diff.asks))
    if not raw.translate(None, b"0123456789").endswith(written):
        require_numbers(diff.bids)
        require_numbers(diff.asks)


# Of the usual lengths; what is asked for more rarely is made again.
@lru_cache(maxsize=2048)
def _sides_without_digits(bids: int, asks: int) -> bytes:
    """The end of a frame with so many levels a side. A side told twice counts the last time, which is this one."""
    level = b'[".","."]'
    return b'"b":[%s],"a":[%s]}}' % (b",".join([level] * bids), b",".join([level] * asks))


def require_amounts(*texts: str) -> None:
    """Raises BadNumber unless each is a plain number of at most 20 digits and 18 decimals."""
    for text in texts:
        parse(text)


def require_trade(event: TradeEvent, symbol: str) -> None:
    """Raises ValueError or BadNumber for what is no trade of this market."""
    if event.s != symbol:
        raise ValueError(f"a trade of {event.s!r:.20}")
    if not (0 <= event.t <= GREATEST and 0 <= event.T <= GREATEST):
        raise ValueError("a trade's id or time that cannot be")
    require_amounts(event.p, event.q)


def begins_again(event: TradeEvent, latest: TradeEvent) -> bool:
    """True when a trade with an older id is no repetition: the venue counts anew."""
    return event.t <= latest.t and (event.T > latest.T or latest.t - event.t > FAR_BACK)


def require_candle(k: Candle, symbol: str, kind: str) -> None:
    """Raises ValueError, BadNumber or KeyError for what is no candle of this market and kind of stream."""
    if k["s"] != symbol or f"kline_{k['i']}" != kind:
        raise ValueError(f"a candle of {k['s']!r:.20} and {k['i']!r:.20}")
    for name, most in (("t", LAST_MS), ("T", LAST_MS), ("n", GREATEST)):
        number = k[name]
        if type(number) is not int or not 0 <= number <= most:
            raise ValueError(f"{name} of a candle: {number!r:.40}")
    if type(k["x"]) is not bool:
        raise ValueError("a candle neither open nor closed")
    for name in "ohlcvq":
        parse(k[name])


def depth_stream(symbol: str) -> str:
    return f"{symbol.lower()}@{DEPTH_KIND}"


def streams_of(symbols: Iterable[str], watched: Iterable[str] = ()) -> list[str]:
    """The combined streams' names for these markets, and for the watched candle series of them."""
    found = [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in KINDS]
    listed = set(symbols)
    for name in watched:
        symbol, _at, kind = name.partition("@")
        if symbol in listed and kind.removeprefix("kline_") in INTERVALS and kind not in KINDS:
            found.append(f"{symbol.lower()}@{kind}")
    return [TICKERS_STREAM, *found] if found else []


def trade_of(event: TradeEvent) -> dict[str, object]:
    """A public trade as pages and the API know it."""
    maker = "BUY" if event.m else "SELL"
    return {"id": event.t, "price": event.p, "quantity": event.q, "at": event.T, "maker_side": maker}


def ticker_of(event: TickerEvent, as_of_ms: int) -> dict[str, str | int]:
    """The last 24 hours as they stood at this time; the change in percent of the opening price."""
    opened = Decimal(event.o)
    change = divide((Decimal(event.c) - opened) * 100, opened) if opened else Decimal(0)
    return {
        "symbol": event.s,
        "last": event.c,
        "open": event.o,
        "high": event.h,
        "low": event.l,
        "volume": event.v,
        "quote_volume": event.q,
        "change_percent": plain(round_half_even(change, 2)),
        "as_of_ms": as_of_ms,
    }


def candle_of(k: Candle) -> dict[str, object]:
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
