"""A list of orders as it was sent: its legs read under their prefixes, and held against each other."""

from dataclasses import dataclass
from decimal import Decimal

from exchange.paper import errors
from exchange.paper.accounts import Order
from exchange.paper.errors import ApiError
from exchange.paper.market import Market
from exchange.paper.ticket import Fields, Params, client_id_of, read_fields

OCO_TYPES = ("LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
WORKING_TYPES = ("LIMIT", "LIMIT_MAKER")
BAD_PRICES = "The relationship of the prices for the orders is not correct."


@dataclass(frozen=True)
class Draft:
    """What was sent: `orders` as `OrderList` has them, none of them placed."""

    contingency: str
    client_id: str
    orders: list[Order]
    pays_other: bool = False

    @property
    def pair(self) -> list[Order]:
        return self.orders[-2:] if self.contingency == "OCO" or len(self.orders) == 3 else []


def read_oco(market: Market, params: Params) -> Draft:
    require_ability(market, "ocoAllowed", "OCO orders are not supported for this symbol")
    return Draft("OCO", _list_id(params), _pair(market, params, "above", "below", "side", "quantity"))


def read_old_oco(market: Market, params: Params) -> Draft:
    """As it was until 2024: a limit and a stop, whose places follow from the side."""
    require_ability(market, "ocoAllowed", "OCO orders are not supported for this symbol")
    shared = {"side": "side", "quantity": "quantity"}
    stop_type = "STOP_LOSS_LIMIT" if params.get("stopLimitPrice") else "STOP_LOSS"
    limit = Fields(
        params, "limit", _leg("limit") | shared | {"price": "price"}, fixed={"type": "LIMIT_MAKER"}
    )
    stop = Fields(
        params,
        "stop",
        _leg("stop") | shared | {
            "price": "stopLimitPrice", "stopPrice": "stopPrice", "timeInForce": "stopLimitTimeInForce",
            "trailingDelta": "trailingDelta",
        },
        fixed={"type": stop_type},
    )  # fmt: skip
    stop.require("stopPrice")
    legs = [read_fields(market, fields) for fields in (limit, stop)]
    return Draft("OCO", _list_id(params), legs[::-1])


def read_oto(market: Market, params: Params, *, pays_other: bool = False) -> Draft:
    require_otos(market, pays_other=pays_other)
    working = _working(market, params, pays_other=pays_other)
    fields = Fields(params, "pending", _leg("pending"), without=_without(pays_other))
    return Draft(
        "OTO", _list_id(params), [working, _pending(market, fields, pays_other=pays_other)], pays_other
    )


def read_otoco(market: Market, params: Params, *, pays_other: bool = False) -> Draft:
    require_otos(market, pays_other=pays_other)
    require_ability(market, "ocoAllowed", "OCO orders are not supported for this symbol")
    working = _working(market, params, pays_other=pays_other)
    without = _without(pays_other)
    names = ("pendingAbove", "pendingBelow", "pendingSide", "pendingQuantity")
    if pays_other:
        _refuse_quantity(Fields(params, "pending"))
    pair = _pair(market, params, *names, without=without)
    _require_ask(pair[0], pays_other=pays_other)
    return Draft("OTO", _list_id(params), [working, *pair], pays_other)


def require_otos(market: Market, *, pays_other: bool) -> None:
    require_ability(market, "otoAllowed", "OTO orders are not supported for this symbol.")
    if pays_other:
        require_ability(market, "opoAllowed", "OPO orders are not supported for this symbol.")


def require_ability(market: Market, name: str, words: str) -> None:
    if not market.info[name]:
        raise errors.rejected(words)


def _leg(prefix: str) -> dict[str, str]:
    return {"newClientOrderId": f"{prefix}ClientOrderId"}


def _without(pays_other: bool) -> tuple[str, ...]:
    return ("quantity",) if pays_other else ()


def _list_id(params: Params) -> str:
    return client_id_of(params, "listClientOrderId")


def _working(market: Market, params: Params, *, pays_other: bool) -> Order:
    order = read_fields(market, Fields(params, "working", _leg("working")))
    if order.type not in WORKING_TYPES:
        raise errors.BAD_ORDER
    if pays_other and order.side != "BUY":
        raise ApiError(-1222, "Working order in an OPO list must be a bid.")
    return order


def _pending(market: Market, fields: Fields, *, pays_other: bool) -> Order:
    fields.refuse("quoteOrderQty")
    if pays_other:
        _refuse_quantity(fields)
    order = read_fields(market, fields)
    _require_ask(order, pays_other=pays_other)
    return order


def _refuse_quantity(fields: Fields) -> None:
    name = fields.name("quantity")
    if fields.params.get(name):
        raise ApiError(-1225, f"Pending orders should not include the '{name}' tag.")


def _require_ask(order: Order, *, pays_other: bool) -> None:
    if pays_other and order.side != "SELL":
        raise ApiError(-1223, "Pending orders in an OPO list must be asks.")


# ---------------------------------------------------------------------- two of which one cancels the other
def _pair(
    market: Market,
    params: Params,
    above: str,
    below: str,
    side: str,
    quantity: str,
    *,
    without: tuple[str, ...] = (),
) -> list[Order]:
    """The stop first, as the exchange lists them."""
    shared = {"side": side, "quantity": quantity}
    fields = [Fields(params, prefix, _leg(prefix) | shared, without=without) for prefix in (above, below)]
    for leg in fields:
        leg.require("type")
        if leg.get("type") not in OCO_TYPES:
            raise ApiError(-1158, "Order type not supported in OCO.")
    legs = [read_fields(market, leg) for leg in fields]
    _require_places(*legs)
    return legs if legs[0].side == "BUY" else legs[::-1]


def _require_places(above: Order, below: Order) -> None:
    """A profit lies above for who sells and below for who buys; a stop on the other side."""
    if above.type == below.type == "LIMIT_MAKER":
        raise ApiError(-1168, "At least one OCO order must be contingent.")
    is_buy = above.side == "BUY"
    profit, stop = (below, above) if is_buy else (above, below)
    for order in (stop, profit):
        is_stop, is_maker = order.type.startswith("STOP_LOSS"), order.type == "LIMIT_MAKER"
        if order is stop and not is_stop:
            raise _misplaced(is_buy, is_maker)
        if order is profit and is_stop:
            raise (
                ApiError(-1196, "A stop loss order in a buy OCO must be above.")
                if is_buy
                else ApiError(-1197, "A stop loss order in a sell OCO must be below.")
            )


def _misplaced(is_buy: bool, is_maker: bool) -> ApiError:
    """A limit or a take-profit stands where the stop belongs."""
    if is_maker:
        words = (
            "A limit order in a buy OCO must be below."
            if is_buy
            else "A limit order in a sell OCO must be above."
        )
        return ApiError(-1165 if is_buy else -1166, words)
    if is_buy:
        return ApiError(-1198, "A take profit order in a buy OCO must be below.")
    return ApiError(-1199, "A take profit order in a sell OCO must be above.")


def require_prices_apart(pair: list[Order], last: Decimal) -> None:
    """The last price lies between what the two of a pair wait for."""
    above, below = pair if pair[0].side == "BUY" else pair[::-1]
    far = [price for price in _prices(above) if price <= last] + [p for p in _prices(below) if p >= last]
    if far:
        raise errors.rejected(BAD_PRICES)


def _prices(order: Order) -> list[Decimal]:
    """What a leg waits for; a take-profit with a limit also has to be beyond the last price with that."""
    found = [order.price] if order.type in ("LIMIT_MAKER", "TAKE_PROFIT_LIMIT") else []
    return found + ([order.stop_price] if order.stop_price else [])
