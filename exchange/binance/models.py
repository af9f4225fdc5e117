"""The venue's answers in our words. `from_…` builders are where Binance's words end.

Amounts are Decimal, order-book levels stay the venue's exact text, times are milliseconds UTC. Unknown values of
enumerations survive as text; unknown keys are ignored.
"""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Wire = Mapping[str, Any]
Levels = tuple[tuple[str, str], ...]

STATUS = {
    "NEW": "OPEN",
    "PENDING_NEW": "OPEN",
    "PARTIALLY_FILLED": "PARTIALLY_FILLED",
    "FILLED": "FILLED",
    "CANCELED": "CANCELED",
    "PENDING_CANCEL": "CANCELED",
    "REJECTED": "REJECTED",
    "EXPIRED": "EXPIRED",
    "EXPIRED_IN_MATCH": "EXPIRED",
}
# What a symbol may be able to do, by the venue's flags.
ABILITIES = {
    "icebergAllowed": "ICEBERG",
    "ocoAllowed": "OCO",
    "otoAllowed": "OTO",
    "opoAllowed": "OPO",
    "allowTrailingStop": "TRAILING_STOP",
    "cancelReplaceAllowed": "CANCEL_REPLACE",
    "amendAllowed": "AMEND",
    "pegInstructionsAllowed": "PEG",
}
# Smart order routing is no flag of a symbol: the answer lists its groups apart.
SOR = "SOR"


def dec(value: object) -> Decimal:
    """The venue's text as Decimal; what is absent counts as zero."""
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)


def status_of(word: str) -> str:
    """Our word for the venue's; one we do not know stays as it is."""
    return STATUS.get(word, word)


def levels(rows: list[list[str]]) -> Levels:
    """Prices and quantities as they were written; raises TypeError for what is no text."""
    found = tuple((row[0], row[1]) for row in rows)
    if not all(type(price) is str and type(quantity) is str for price, quantity in found):
        raise TypeError("a level that is not two texts")
    return found


@dataclass(frozen=True)
class SymbolInfo:
    symbol: str
    status: str
    base: str
    quote: str
    base_precision: int
    quote_precision: int
    order_types: tuple[str, ...]
    allows_quote_quantity: bool
    is_spot: bool
    filters: tuple[dict[str, Any], ...]
    abilities: tuple[str, ...] = ()
    permission_sets: tuple[tuple[str, ...], ...] = ()
    stp_modes: tuple[str, ...] = ()
    default_stp_mode: str = ""

    @classmethod
    def from_wire(cls, row: Wire, routed: Container[str] = ()) -> "SymbolInfo":
        """`routed`: the symbols of all groups of smart order routing."""
        abilities = [word for flag, word in ABILITIES.items() if row.get(flag)]
        # An account needs one of each set; before there were sets, one of a single list.
        legacy = [row["permissions"]] if row.get("permissions") else []
        return cls(
            symbol=_word(row["symbol"]),
            status=_word(row["status"]),
            base=_word(row["baseAsset"]),
            quote=_word(row["quoteAsset"]),
            base_precision=int(row.get("baseAssetPrecision", 8)),
            quote_precision=int(row.get("quoteAssetPrecision", row.get("quotePrecision", 8))),
            order_types=_words(row.get("orderTypes", [])),
            allows_quote_quantity=bool(row.get("quoteOrderQtyMarketAllowed", False)),
            is_spot=bool(row.get("isSpotTradingAllowed", True)),
            filters=tuple(_filter(item) for item in row.get("filters", ())),
            abilities=(*abilities, SOR) if row["symbol"] in routed else tuple(abilities),
            permission_sets=tuple(_words(names) for names in row.get("permissionSets") or legacy),
            stp_modes=_words(row.get("allowedSelfTradePreventionModes", [])),
            default_stp_mode=_word(row.get("defaultSelfTradePreventionMode", "")),
        )


def _word(value: object) -> str:
    """Raises ValueError for what is no text, or none that a database keeps."""
    if type(value) is not str or "\0" in value:
        raise ValueError(f"{value!r:.40} is no word")
    return value


def _words(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{values!r:.40} is no list")
    return tuple(_word(value) for value in values)


def _filter(item: Any) -> dict[str, Any]:
    """Raises what an odd one leads to: KeyError, TypeError, ValueError."""
    _word(item["filterType"])
    if "\\u0000" in json.dumps(item, allow_nan=False):
        raise ValueError("a text that no database keeps")
    return dict(item)


@dataclass(frozen=True)
class Unreadable:
    """A row of the list that says odd things: its symbol and status, empty where it says none, and what is odd."""

    symbol: str
    status: str
    reason: str

    @classmethod
    def from_wire(cls, row: Any, error: Exception) -> "Unreadable":
        said = row if isinstance(row, dict) else {}
        symbol, status = (
            word if isinstance(word := said.get(name), str) and "\0" not in word else ""
            for name in ("symbol", "status")
        )
        return cls(symbol, status, f"{type(error).__name__} {error}"[:120])


@dataclass(frozen=True)
class ExchangeInfo:
    symbols: tuple[SymbolInfo, ...]
    rate_limits: tuple[dict[str, Any], ...]
    filters: tuple[dict[str, Any], ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def from_wire(cls, body: Wire) -> "ExchangeInfo":
        routed = {symbol for group in body.get("sors", ()) for symbol in group["symbols"]}
        symbols, unreadable = [], []
        for row in body["symbols"]:
            try:
                symbols.append(SymbolInfo.from_wire(row, routed))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                unreadable.append(Unreadable.from_wire(row, error))
        limits, filters = (_limits(body.get(name)) for name in ("rateLimits", "exchangeFilters"))
        return cls(tuple(symbols), rate_limits=limits, filters=filters, unreadable=tuple(unreadable))


def _limits(rows: object) -> tuple[dict[str, Any], ...]:
    """Those of a list that are names with words and whole numbers: what the venue says of itself stops no catalogue."""
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return tuple(dict(row) for row in found if all(type(value) in (str, int) for value in row.values()))


@dataclass(frozen=True)
class DepthSnapshot:
    symbol: str
    last_update_id: int
    bids: Levels
    asks: Levels

    @classmethod
    def from_wire(cls, symbol: str, body: Wire) -> "DepthSnapshot":
        """Raises what a missing or odd part leads to: KeyError, ValueError, TypeError."""
        if (last := int(body["lastUpdateId"])) < 0:
            raise ValueError("an id below zero")
        return cls(symbol, last, levels(body["bids"]), levels(body["asks"]))


@dataclass(frozen=True)
class Kline:
    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_ms: int
    quote_volume: Decimal
    trades: int
    is_closed: bool = True

    @classmethod
    def from_wire(cls, row: list[Any]) -> "Kline":
        opened, high, low, close, volume = (dec(row[i]) for i in range(1, 6))
        return cls(int(row[0]), opened, high, low, close, volume, int(row[6]), dec(row[7]), int(row[8]))

    @classmethod
    def from_event(cls, k: Wire) -> "Kline":
        return cls(
            int(k["t"]), dec(k["o"]), dec(k["h"]), dec(k["l"]), dec(k["c"]), dec(k["v"]), int(k["T"]), dec(k["q"]),
            int(k["n"]), bool(k["x"]),
        )  # fmt: skip


@dataclass(frozen=True)
class DayTicker:
    """A market's last 24 hours, the numbers as they were written."""

    symbol: str
    open: str
    high: str
    low: str
    last: str
    volume: str
    quote_volume: str

    @classmethod
    def from_wire(cls, row: Wire) -> "DayTicker":
        names = ("symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume")
        return cls(*(str(row[name]) for name in names))


@dataclass(frozen=True)
class TradeFill:
    """One trade of one order of ours."""

    trade_id: int
    allocation_id: int | None
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool | None
    time_ms: int

    @classmethod
    def from_place(cls, row: Wire, time_ms: int) -> "TradeFill":
        """An item of a FULL answer's `fills`; it carries no quote amount, price × quantity is exact there."""
        price, quantity = dec(row["price"]), dec(row["qty"])
        return cls(
            trade_id=int(row.get("tradeId", -1)),
            allocation_id=_allocation(row.get("allocId")),
            price=price,
            quantity=quantity,
            quote_quantity=dec(row["quoteQty"]) if "quoteQty" in row else price * quantity,
            commission=dec(row.get("commission")),
            commission_asset=row.get("commissionAsset") or "",
            is_maker=None,
            time_ms=time_ms,
        )

    @classmethod
    def from_my_trades(cls, row: Wire) -> "TradeFill":
        """Also a row of myAllocations, which is no trade of its own but a part of what smart order routing traded."""
        return cls(
            trade_id=int(row.get("id", -1)),
            allocation_id=_allocation(row.get("allocationId")),
            price=dec(row["price"]),
            quantity=dec(row["qty"]),
            quote_quantity=dec(row["quoteQty"]),
            commission=dec(row["commission"]),
            commission_asset=row.get("commissionAsset") or "",
            is_maker=bool(row["isMaker"]),
            time_ms=int(row["time"]),
        )

    @classmethod
    def from_event(cls, event: Wire) -> "TradeFill":
        return cls(
            trade_id=int(event["t"]),
            allocation_id=_allocation(event.get("a")),
            price=dec(event["L"]),
            quantity=dec(event["l"]),
            quote_quantity=dec(event["Y"]),
            commission=dec(event.get("n")),
            commission_asset=event.get("N") or "",
            is_maker=bool(event.get("m", False)),
            time_ms=int(event["T"]),
        )


def _allocation(value: object) -> int | None:
    return int(str(value)) if value not in (None, "", -1) else None


@dataclass(frozen=True)
class MyTrade:
    symbol: str
    venue_order_id: int
    side: str
    fill: TradeFill

    @classmethod
    def from_wire(cls, row: Wire) -> "MyTrade":
        side = "BUY" if row["isBuyer"] else "SELL"
        return cls(row["symbol"], int(row["orderId"]), side, TradeFill.from_my_trades(row))


@dataclass(frozen=True)
class Report:
    """A statement of one order's state, whatever brought it."""

    symbol: str
    venue_order_id: int | None
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    status: str
    price: Decimal
    quantity: Decimal
    cumulative_quantity: Decimal
    cumulative_quote: Decimal
    transact_time_ms: int
    reason: str = ""
    fills: tuple[TradeFill, ...] = ()

    @classmethod
    def from_answer(cls, body: Wire) -> "Report":
        """The answer to placing, asking for or canceling an order; a cancel's own id is not the order's."""
        time_ms = int(body.get("transactTime") or body.get("updateTime") or body.get("time") or 0)
        return cls(
            symbol=body["symbol"],
            venue_order_id=int(body["orderId"]),
            client_order_id=body.get("origClientOrderId") or body["clientOrderId"],
            side=body["side"],
            type=body["type"],
            time_in_force=body.get("timeInForce", ""),
            status=status_of(body["status"]),
            price=dec(body.get("price")),
            quantity=dec(body.get("origQty")),
            cumulative_quantity=dec(body.get("executedQty")),
            # "cummulativeQuoteQty" (sic) is negative on some old orders, which means unknown.
            cumulative_quote=max(dec(body.get("cummulativeQuoteQty")), Decimal(0)),
            transact_time_ms=time_ms,
            reason=_reason(body.get("expiryReason")) or _match_reason(body["status"]),
            fills=tuple(TradeFill.from_place(row, time_ms) for row in body.get("fills", ())),
        )

    @classmethod
    def each_of(cls, body: Wire) -> "tuple[Report, ...]":
        """Of every order in an answer about a list; of the one order that any other answer is about."""
        rows = body["orderReports"] if "orderListId" in body and "orderReports" in body else [body]
        return tuple(cls.from_answer(row) for row in rows)

    @classmethod
    def from_amend(cls, body: Wire) -> "Report":
        """The answer to amending an order, which has names of its own for amounts; the order's id stays the same."""
        found = body["amendedOrder"]
        return cls.from_answer(
            {
                **found,
                "transactTime": body["transactTime"],
                "origQty": found["qty"],
                "cummulativeQuoteQty": found["cumulativeQuoteQty"],
            }
        )

    @classmethod
    def from_event(cls, event: Wire) -> "Report":
        """An executionReport; on cancels the order's own id is in `C`."""
        fills = (TradeFill.from_event(event),) if event["x"] == "TRADE" else ()
        return cls(
            symbol=event["s"],
            venue_order_id=int(event["i"]),
            client_order_id=event.get("C") or event["c"],
            side=event["S"],
            type=event["o"],
            time_in_force=event.get("f", ""),
            status=status_of(event["X"]),
            price=dec(event.get("p")),
            quantity=dec(event.get("q")),
            cumulative_quantity=dec(event.get("z")),
            cumulative_quote=dec(event.get("Z")),
            transact_time_ms=int(event["T"]),
            reason=_reason(event.get("eR")) or _reason(event.get("r")) or _match_reason(event["X"]),
            fills=fills,
        )


def _reason(value: object) -> str:
    return "" if value in (None, "", "NONE") else str(value)


def _match_reason(status: str) -> str:
    return status if status == "EXPIRED_IN_MATCH" else ""


@dataclass(frozen=True)
class VenueBalance:
    asset: str
    free: Decimal
    locked: Decimal

    @classmethod
    def from_wire(cls, row: Wire) -> "VenueBalance":
        return cls(row["asset"], dec(row["free"]), dec(row["locked"]))

    @classmethod
    def from_sub_account(cls, row: Wire) -> "VenueBalance":
        """A row of a sub-account's assets: what is frozen or being withdrawn lies there too."""
        bound = (dec(row.get(name)) for name in ("locked", "freeze", "withdrawing"))
        return cls(row["asset"], dec(row["free"]), sum(bound, Decimal(0)))


@dataclass(frozen=True)
class BalanceUpdate:
    """A deposit, withdrawal or transfer changed the account outside trading."""

    asset: str
    delta: Decimal
    time_ms: int

    @classmethod
    def from_event(cls, event: Wire) -> "BalanceUpdate":
        return cls(event["a"], dec(event["d"]), int(event["T"]))
