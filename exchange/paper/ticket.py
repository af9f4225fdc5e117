"""An order as it was sent: its parameters read, checked for shape and precision."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from exchange.paper import errors
from exchange.paper.accounts import ZERO, Order
from exchange.paper.filters import parse
from exchange.paper.market import Market, now_ms

_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
_WHOLE = re.compile(r"[0-9]{1,19}")
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
LIMITED = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")  # they say how long they stand
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
LEAST_STRATEGY_TYPE = 1_000_000
Params = Mapping[str, str]


@dataclass(frozen=True)
class Fields:
    """The parameters of one order, under the names that a leg of a list has for them."""

    params: Params
    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)  # what is known without being sent
    without: tuple[str, ...] = ()  # what this order gets later

    def name(self, name: str) -> str:
        if name in self.names:
            return self.names[name]
        return f"{self.prefix}{name[0].upper()}{name[1:]}" if self.prefix else name

    def get(self, name: str) -> str:
        if name in self.without:
            return ""
        return self.fixed.get(name) or self.params.get(self.name(name)) or ""

    def number(self, name: str) -> Decimal:
        """Zero when it was not sent."""
        return parse(self.get(name), self.name(name)) if self.get(name) else ZERO

    def whole(self, name: str) -> int | None:
        if not self.get(name):
            return None
        if not _WHOLE.fullmatch(self.get(name)):
            raise errors.illegal(self.name(name), "^[0-9]{1,20}$")
        return int(self.get(name))

    def require(self, *names: str) -> None:
        for name in names:
            if not self.get(name) and name not in self.without:
                raise errors.mandatory(self.name(name))

    def refuse(self, *names: str) -> None:
        for name in names:
            if self.get(name):
                raise errors.not_required(self.name(name))


def client_id_of(params: Params, name: str = "newClientOrderId") -> str:
    """The id the client chose, or one made up for it."""
    found = params.get(name) or secrets.token_urlsafe(16)[:22]
    if not _CLIENT_ID.fullmatch(found):
        raise errors.illegal(name, "^[a-zA-Z0-9-_]{1,36}$")
    return found


def read_ticket(market: Market, params: Params) -> Order:
    """The order that was sent to be placed alone."""
    return read_fields(market, Fields(params))


def read_fields(market: Market, fields: Fields) -> Order:
    side, kind = fields.get("side"), fields.get("type")
    if side not in ("BUY", "SELL"):
        raise errors.BAD_SIDE if side else errors.mandatory(fields.name("side"))
    if kind not in TYPES:
        raise errors.BAD_TYPE if kind else errors.mandatory(fields.name("type"))
    _require_ability(market, kind, fields)
    _require_combination(kind, fields)
    at = now_ms()
    return Order(
        order_id=0,
        account_id=0,
        symbol=market.symbol,
        client_id=client_id_of(fields.params, fields.name("newClientOrderId")),
        side="BUY" if side == "BUY" else "SELL",
        type=kind,
        tif=fields.get("timeInForce") or "GTC",
        price=fields.number("price"),
        quantity=fields.number("quantity"),
        quote_quantity=fields.number("quoteOrderQty"),
        created_ms=at,
        updated_ms=at,
        stp=_prevention(market, fields.params),
        stop_price=fields.number("stopPrice"),
        trailing_delta=fields.whole("trailingDelta") or 0,
        iceberg=fields.number("icebergQty"),
        strategy_id=fields.whole("strategyId"),
        strategy_type=_strategy_type(fields),
    )


def _require_ability(market: Market, kind: str, fields: Fields) -> None:
    """What the symbol does not offer is refused in the engine's words."""
    if kind not in market.info["orderTypes"]:
        raise errors.unsupported(kind.replace("_", " ").capitalize())
    for name, ability, words in (
        ("icebergQty", "icebergAllowed", "Iceberg"),
        ("trailingDelta", "allowTrailingStop", "Trailing stop"),
        ("pegPriceType", "pegInstructionsAllowed", "Pegged"),
    ):
        if fields.get(name) and not market.info[ability]:
            raise errors.unsupported(words)
    if fields.get("quoteOrderQty") and not market.info["quoteOrderQtyMarketAllowed"]:
        raise errors.rejected("Quote order qty market orders are not support for this symbol.")


def _require_combination(kind: str, fields: Fields) -> None:
    """What the type needs was sent, and nothing that it cannot have."""
    if kind == "MARKET":
        _require_market(fields)
    else:
        fields.refuse("quoteOrderQty")
    if kind in LIMITED:
        fields.require("timeInForce")
        if fields.get("timeInForce") not in TIMES_IN_FORCE:
            raise errors.BAD_TIF
    else:
        fields.refuse("timeInForce")
    if kind != "MARKET":
        fields.require("quantity")
    fields.require("price") if kind in LIMITED or kind == "LIMIT_MAKER" else fields.refuse("price")
    if not kind.startswith(("STOP_LOSS", "TAKE_PROFIT")):
        fields.refuse("stopPrice", "trailingDelta")
    elif not fields.get("stopPrice") and not fields.get("trailingDelta"):
        raise errors.neither(fields.name("stopPrice"), fields.name("trailingDelta"))
    _require_iceberg(kind, fields)


def _require_market(fields: Fields) -> None:
    if fields.get("quantity") and fields.get("quoteOrderQty"):
        raise errors.BAD_COMBINATION
    if not fields.get("quoteOrderQty"):
        fields.require("quantity")


def _require_iceberg(kind: str, fields: Fields) -> None:
    """An iceberg has a price and stands until it is canceled."""
    if not fields.get("icebergQty"):
        return
    if kind not in (*LIMITED, "LIMIT_MAKER"):
        raise errors.not_required(fields.name("icebergQty"))
    if fields.get("timeInForce") not in ("", "GTC"):
        raise _not_until_canceled(fields)
    if fields.get("quantity") and fields.number("icebergQty") > fields.number("quantity"):
        raise errors.rejected(errors.ICEBERG_TOO_LARGE)


def _not_until_canceled(fields: Fields) -> errors.ApiError:
    if not fields.prefix:
        return errors.BAD_ORDER
    name, tif = fields.name("icebergQty"), fields.name("timeInForce")
    return errors.ApiError(-1160, f"Parameter '{name}' is not supported if '{tif}' is not GTC.")


def _strategy_type(fields: Fields) -> int | None:
    found = fields.whole("strategyType")
    if found is not None and found < LEAST_STRATEGY_TYPE:
        raise errors.ApiError(-1134, f"strategyType was less than {LEAST_STRATEGY_TYPE}.")
    return found


def _prevention(market: Market, params: Params) -> str:
    mode = params.get("selfTradePreventionMode") or str(market.info["defaultSelfTradePreventionMode"])
    if mode not in market.info["allowedSelfTradePreventionModes"]:
        raise errors.BAD_STP
    return mode
