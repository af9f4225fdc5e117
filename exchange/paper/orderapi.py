"""Orders, trades and the account by REST; the WebSocket API answers by the same functions."""

from typing import Any

from exchange.paper import errors, wire
from exchange.paper.accounts import Account, Order
from exchange.paper.errors import ApiError
from exchange.paper.filters import parse
from exchange.paper.market import Listed
from exchange.paper.routes import Params, market_of, newest_or_from, number, route, span
from exchange.paper.ticket import client_id_of
from exchange.paper.venue import Venue

RESPONSE_TYPES = ("ACK", "RESULT", "FULL")


@route("POST", "/api/v3/order", "trade")
def place(venue: Venue, params: Params, account: Account) -> Any:
    market = market_of(venue, params)
    wanted = wanted_shape(params)
    order, fills = venue.trading.place(account, market, params)
    return wire.placed(order, fills, wanted or ("FULL" if order.type in ("LIMIT", "MARKET") else "ACK"))


def wanted_shape(params: Params) -> str:
    """How much of a new order the answer has to tell; nothing when that is left to us."""
    wanted = params.get("newOrderRespType") or ""
    if wanted and wanted not in RESPONSE_TYPES:
        raise errors.BAD_RESPONSE_TYPE
    return wanted


@route("POST", "/api/v3/order/test", "trade")
def place_test(venue: Venue, params: Params, account: Account) -> Any:
    venue.trading.place(account, market_of(venue, params), params, is_test=True)
    return tested(venue, params)


@route("POST", "/api/v3/sor/order", "trade")
def place_routed(venue: Venue, params: Params, account: Account) -> Any:
    wanted = wanted_shape(params)
    order, fills = venue.trading.place(account, market_of(venue, params), params, used_sor=True)
    return wire.placed(order, fills, wanted or "FULL")


@route("POST", "/api/v3/sor/order/test", "trade")
def place_routed_test(venue: Venue, params: Params, account: Account) -> Any:
    venue.trading.place(account, market_of(venue, params), params, is_test=True, used_sor=True)
    return tested(venue, params)


@route("GET", "/api/v3/myPreventedMatches", "read")
def my_prevented_matches(venue: Venue, params: Params, account: Account) -> Any:
    market, match = market_of(venue, params), number(params, "preventedMatchId", 0)
    order_id, first = number(params, "orderId", 0), number(params, "fromPreventedMatchId", 0)
    if not match and not order_id:
        raise errors.neither("preventedMatchId", "orderId")
    rows = [
        row
        for row in account.preventions
        if row["symbol"] == market.symbol
        and (not match or row["preventedMatchId"] == match)
        and (not order_id or order_id in (row["takerOrderId"], row["makerOrderId"]))
        and row["preventedMatchId"] >= first
    ]
    return rows[: max(1, number(params, "limit", 500, 1000))]


@route("GET", "/api/v3/myAllocations", "read")
def my_allocations(venue: Venue, params: Params, account: Account) -> Any:
    market, (start, end) = market_of(venue, params), span(params, hours=24)
    order_id, first = number(params, "orderId", 0), number(params, "fromAllocationId", 0)
    rows = [
        wire.allocated(fill)
        for fill in account.allocations
        if fill["symbol"] == market.symbol
        and (not order_id or fill["orderId"] == order_id)
        and fill["allocationId"] >= first
        and start <= fill["time"] <= end
    ]
    return newest_or_from(rows, params, "fromAllocationId")


def tested(venue: Venue, params: Params) -> Any:
    """The answer to an order that was only tried."""
    wants_rates = params.get("computeCommissionRates") == "true"
    return wire.commission_rates(in_bnb=venue.commission_in == "BNB") if wants_rates else {}


def find_order(venue: Venue, params: Params, account: Account, unknown: ApiError) -> tuple[Listed, Order]:
    """By `orderId` when given, else by the client's id; both have to belong together."""
    market = market_of(venue, params)
    client_id = params.get("origClientOrderId") or ""
    if not params.get("orderId") and not client_id:
        words = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise ApiError(-1102, words)
    known = account.by_client_id.get((market.symbol, client_id), 0)
    order = account.orders.get(number(params, "orderId", known))
    if order is None or order.symbol != market.symbol or venue.faults.is_hidden(order.client_id):
        raise unknown
    if client_id and order.client_id != client_id:
        raise ApiError(-2039, "Client order ID is not correct for this order ID.")
    return market, order


@route("GET", "/api/v3/order", "read")
def query(venue: Venue, params: Params, account: Account) -> Any:
    return wire.queried(find_order(venue, params, account, errors.NO_SUCH_ORDER)[1])


@route("DELETE", "/api/v3/order", "trade")
def cancel(venue: Venue, params: Params, account: Account) -> Any:
    unknown = ApiError(-2011, errors.UNKNOWN_ORDER)
    market, order = find_order(venue, params, account, unknown)
    restriction = params.get("cancelRestrictions")
    if restriction and restriction not in ("ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
        raise ApiError(-1145, "Invalid cancelRestrictions")
    if not order.is_open:
        raise unknown
    if restriction and order.status != restriction.removeprefix("ONLY_"):
        raise ApiError(-2011, "Order was not canceled due to cancel restrictions.")
    return venue.trading.cancel(account, market, order, params.get("newClientOrderId", ""))


@route("PUT", "/api/v3/order/amend/keepPriority", "trade")
def amend(venue: Venue, params: Params, account: Account) -> Any:
    unknown = ApiError(-2038, errors.UNKNOWN_ORDER)
    market, order = find_order(venue, params, account, unknown)
    quantity = parse(params.get("newQty") or "", "newQty")
    if not order.is_open:
        raise unknown
    return venue.trading.amend(account, market, order, quantity, client_id_of(params))


@route("GET", "/api/v3/order/amendments", "read")
def amendments(venue: Venue, params: Params, account: Account) -> Any:
    if not params.get("orderId"):
        raise errors.mandatory("orderId")
    order = find_order(venue, params, account, errors.NO_SUCH_ORDER)[1]
    first = number(params, "fromExecutionId", 0)
    rows = [row for row in order.amendments if row["executionId"] >= first]
    return rows[: max(1, number(params, "limit", 500, 1000))]


@route("GET", "/api/v3/openOrders", "read")
def open_orders(venue: Venue, params: Params, account: Account) -> Any:
    symbol = market_of(venue, params).symbol if params.get("symbol") else None
    shown = (order for order in account.open_orders(symbol) if not venue.faults.is_hidden(order.client_id))
    return [wire.queried(order) for order in shown]


@route("DELETE", "/api/v3/openOrders", "trade")
def cancel_all(venue: Venue, params: Params, account: Account) -> Any:
    market = market_of(venue, params)
    found = list(account.open_orders(market.symbol))
    if not found:
        raise ApiError(-2011, errors.UNKNOWN_ORDER)
    return [venue.trading.cancel(account, market, order) for order in found if order.is_open]


@route("GET", "/api/v3/allOrders", "read")
def all_orders(venue: Venue, params: Params, account: Account) -> Any:
    market, (start, end) = market_of(venue, params), span(params, hours=24)
    first = number(params, "orderId", 0)
    orders = [
        order
        for order in account.orders.values()
        if order.symbol == market.symbol
        and order.order_id >= first
        and start <= order.created_ms <= end
        and not venue.faults.is_hidden(order.client_id)
    ]
    return [wire.queried(order) for order in newest_or_from(orders, params, "orderId")]


@route("GET", "/api/v3/myTrades", "read")
def my_trades(venue: Venue, params: Params, account: Account) -> Any:
    market, (start, end) = market_of(venue, params), span(params, hours=24)
    order_id, first = number(params, "orderId", 0), number(params, "fromId", 0)
    rows = [
        fill
        for fill in account.trades
        if fill["symbol"] == market.symbol
        and (not order_id or fill["orderId"] == order_id)
        and fill["id"] >= first
        and start <= fill["time"] <= end
    ]
    return newest_or_from(rows, params, "fromId")


@route("GET", "/api/v3/account", "read")
def account_info(venue: Venue, params: Params, account: Account) -> Any:
    return wire.account_answer(account, omit_zero=params.get("omitZeroBalances") == "true")


@route("GET", "/api/v3/account/commission", "read")
def commission(venue: Venue, params: Params, account: Account) -> Any:
    return {"symbol": market_of(venue, params).symbol, **wire.commission(in_bnb=venue.commission_in == "BNB")}


@route("GET", "/api/v3/rateLimit/order", "read")
def order_limits(venue: Venue, params: Params, account: Account) -> Any:
    recent, today = venue.limits.order_counts(account.account_id)
    rows = [row for row in venue.info["rateLimits"] if row["rateLimitType"] == "ORDERS"]
    return [{**row, "count": recent if row["interval"] == "SECOND" else today} for row in rows]
