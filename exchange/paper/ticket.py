"""An order as it was sent: its parameters read, checked for shape and precision."""

import re
import secrets
from collections.abc import Mapping
from decimal import Decimal

from exchange.paper import errors
from exchange.paper.accounts import ZERO, Order
from exchange.paper.errors import ApiError
from exchange.paper.filters import parse
from exchange.paper.market import Market, now_ms

_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
ELSEWHERE = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
Params = Mapping[str, str]


def client_id_of(params: Params) -> str:
    """The id the client chose, or one made up for it."""
    found = params.get("newClientOrderId") or secrets.token_urlsafe(16)[:22]
    if not _CLIENT_ID.fullmatch(found):
        raise errors.illegal("newClientOrderId", "^[a-zA-Z0-9-_]{1,36}$")
    return found


def read_ticket(market: Market, params: Params) -> Order:
    side, kind = params.get("side", ""), params.get("type", "")
    if side not in ("BUY", "SELL"):
        raise errors.BAD_SIDE if side else errors.mandatory("side")
    if kind not in TYPES:
        raise (
            _unsupported(kind) if kind in ELSEWHERE else errors.BAD_TYPE if kind else errors.mandatory("type")
        )
    _require_plain(params)
    tif = params.get("timeInForce", "")
    price, quantity, total = _amounts(kind, tif, params)
    at = now_ms()
    return Order(
        order_id=0,
        account_id=0,
        symbol=market.symbol,
        client_id=client_id_of(params),
        side="BUY" if side == "BUY" else "SELL",
        type=kind,
        tif=tif or "GTC",
        price=price,
        quantity=quantity,
        quote_quantity=total,
        created_ms=at,
        updated_ms=at,
        stp=_prevention(market, params),
    )


def _require_plain(params: Params) -> None:
    """What belongs to types that are not offered here is refused, never left unread."""
    for name in ("stopPrice", "trailingDelta", "pegPriceType"):
        if params.get(name):
            raise errors.not_required(name)
    if params.get("icebergQty"):
        raise _unsupported("ICEBERG")


def _prevention(market: Market, params: Params) -> str:
    mode = params.get("selfTradePreventionMode") or str(market.info["defaultSelfTradePreventionMode"])
    if mode not in market.info["allowedSelfTradePreventionModes"]:
        raise errors.BAD_STP
    return mode


def _unsupported(kind: str) -> ApiError:
    words = kind.replace("_", " ").capitalize()
    return errors.rejected(f"{words} orders are not supported for this symbol.")


def _amounts(kind: str, tif: str, params: Params) -> tuple[Decimal, Decimal, Decimal]:
    values = {
        name: parse(params[name], name) for name in ("price", "quantity", "quoteOrderQty") if params.get(name)
    }
    if kind == "MARKET":
        return _market_amounts(tif, values)
    if "quoteOrderQty" in values:
        raise errors.not_required("quoteOrderQty")
    if kind == "LIMIT" and tif not in ("GTC", "IOC", "FOK"):
        raise errors.BAD_TIF if tif else errors.mandatory("timeInForce")
    if kind == "LIMIT_MAKER" and tif:
        raise errors.not_required("timeInForce")
    for name in ("quantity", "price"):
        if name not in values:
            raise errors.mandatory(name)
    return values["price"], values["quantity"], ZERO


def _market_amounts(tif: str, values: dict[str, Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    if tif:
        raise errors.not_required("timeInForce")
    if "price" in values:
        raise errors.not_required("price")
    if "quantity" in values and "quoteOrderQty" in values:
        raise errors.BAD_COMBINATION
    if not values:
        raise errors.mandatory("quantity")
    return ZERO, values.get("quantity", ZERO), values.get("quoteOrderQty", ZERO)
