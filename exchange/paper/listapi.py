"""Lists of orders by REST; the WebSocket API answers by the same functions."""

from collections.abc import Callable
from functools import partial
from typing import Any

from exchange.paper import errors, listwire
from exchange.paper.accounts import Account
from exchange.paper.errors import ApiError
from exchange.paper.listticket import Draft, read_oco, read_old_oco, read_oto, read_otoco
from exchange.paper.market import Market
from exchange.paper.orderapi import wanted_shape
from exchange.paper.orderlist import OrderList
from exchange.paper.routes import Params, market_of, newest_or_from, number, route, span
from exchange.paper.trading.desk import require_open
from exchange.paper.venue import Venue

READERS: dict[str, Callable[[Market, Params], Draft]] = {
    "/api/v3/orderList/oco": read_oco,
    "/api/v3/order/oco": read_old_oco,
    "/api/v3/orderList/oto": read_oto,
    "/api/v3/orderList/otoco": read_otoco,
    "/api/v3/orderList/opo": partial(read_oto, pays_other=True),
    "/api/v3/orderList/opoco": partial(read_otoco, pays_other=True),
}


def _place(path: str, venue: Venue, params: Params, account: Account) -> Any:
    market = market_of(venue, params)
    draft = READERS[path](require_open(market), params)
    return venue.trading.place_list(account, market, draft, wanted_shape(params) or "RESULT")


for _path in READERS:
    route("POST", _path, "trade")(partial(_place, _path))


def find_list(params: Params, account: Account, name: str, unknown: ApiError) -> OrderList:
    """By `orderListId` when given, else by the client's id under that name; both have to belong together."""
    client_id = params.get(name) or ""
    if not params.get("orderListId") and not client_id:
        raise errors.neither(name, "orderListId")
    ids = {found.client_id: found.list_id for found in account.lists.values()}
    found = account.lists.get(number(params, "orderListId", ids.get(client_id, 0)))
    if found is None or (client_id and found.client_id != client_id):
        raise unknown
    return found


def _told(account: Account, found: OrderList) -> Any:
    return listwire.listed(found, [account.orders[number] for number in found.order_ids])


@route("DELETE", "/api/v3/orderList", "trade")
def cancel_list(venue: Venue, params: Params, account: Account) -> Any:
    unknown = ApiError(-2011, errors.UNKNOWN_ORDER)
    market = market_of(venue, params)
    found = find_list(params, account, "listClientOrderId", unknown)
    if not found.is_open or found.symbol != market.symbol:
        raise unknown
    return venue.trading.cancel_list(account, market, found, params.get("newClientOrderId", ""))


@route("GET", "/api/v3/orderList", "read")
def query_list(venue: Venue, params: Params, account: Account) -> Any:
    return _told(account, find_list(params, account, "origClientOrderId", errors.NO_SUCH_LIST))


@route("GET", "/api/v3/allOrderList", "read")
def all_lists(venue: Venue, params: Params, account: Account) -> Any:
    if params.get("fromId") and (params.get("startTime") or params.get("endTime")):
        raise errors.BAD_COMBINATION
    first, (start, end) = number(params, "fromId", 0), span(params, hours=24)
    lists = [
        found
        for found in account.lists.values()
        if found.list_id >= first and start <= found.created_ms <= end
    ]
    return [_told(account, found) for found in newest_or_from(lists, params, "fromId")]


@route("GET", "/api/v3/openOrderList", "read")
def open_lists(venue: Venue, params: Params, account: Account) -> Any:
    return [_told(account, found) for found in account.lists.values() if found.is_open]
