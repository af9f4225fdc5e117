"""Every REST path of the venue: what it takes, what it answers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange.paper import errors, wire
from exchange.paper.accounts import MAIN, Account, ApiKey, Order, text
from exchange.paper.candles import INTERVALS
from exchange.paper.errors import ApiError, mandatory
from exchange.paper.market import Market, now_ms
from exchange.paper.venue import Venue

Params = dict[str, str]
Public = Callable[[Venue, Params], Any]
Signed = Callable[[Venue, Params, Account], Any]


@dataclass(frozen=True)
class Route:
    handle: Callable[..., Any]
    needs: str = ""  # "", "read", "trade" or "withdraw"


ROUTES: dict[tuple[str, str], Route] = {}


def route(method: str, path: str, needs: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(handle: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES[(method, path)] = Route(handle, needs)
        return handle

    return register


def allowed(key: ApiKey, needs: str) -> bool:
    return (
        needs == "read" or (needs == "trade" and key.can_trade) or (needs == "withdraw" and key.can_withdraw)
    )


def market_of(venue: Venue, params: Params) -> Market:
    symbol = params.get("symbol")
    if not symbol:
        raise mandatory("symbol")
    if symbol not in venue.markets:
        raise errors.BAD_SYMBOL
    return venue.markets[symbol]


def number(params: Params, name: str, default: int, most: int) -> int:
    raw = params.get(name) or str(default)
    if not raw.isdecimal():
        raise ApiError(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
    return min(int(raw), most)


def moment(params: Params, name: str) -> int | None:
    raw = params.get(name)
    if not raw:
        return None
    value = number(params, name, 0, 10**20)
    return value // 1000 if value > 10**14 else value


# ---------------------------------------------------------------------- public
@route("GET", "/api/v3/ping")
def ping(venue: Venue, params: Params) -> Any:
    return {}


@route("GET", "/api/v3/time")
def server_time(venue: Venue, params: Params) -> Any:
    return {"serverTime": now_ms()}


@route("GET", "/api/v3/exchangeInfo")
def exchange_info(venue: Venue, params: Params) -> Any:
    rows = [market.info for market in venue.markets.values()]
    wanted = [params["symbol"]] if params.get("symbol") else json.loads(params.get("symbols") or "[]")
    if any(symbol not in venue.markets for symbol in wanted):
        raise errors.BAD_SYMBOL
    rows = [row for row in rows if not wanted or row["symbol"] in wanted]
    limits = venue.info["rateLimits"]
    return {
        "timezone": "UTC",
        "serverTime": now_ms(),
        "rateLimits": limits,
        "exchangeFilters": [],
        "symbols": rows,
    }


@route("GET", "/api/v3/depth")
def depth(venue: Venue, params: Params) -> Any:
    market = market_of(venue, params)
    return market.depth(max(1, number(params, "limit", 100, 5000)))


@route("GET", "/api/v3/trades")
@route("GET", "/api/v3/historicalTrades")
def trades(venue: Venue, params: Params) -> Any:
    market = market_of(venue, params)
    return list(market.tape)[-number(params, "limit", 500, 1000) :]


@route("GET", "/api/v3/aggTrades")
def agg_trades(venue: Venue, params: Params) -> Any:
    market = market_of(venue, params)
    start, end = moment(params, "startTime") or 0, moment(params, "endTime") or 2**62
    first = number(params, "fromId", 0, 2**62)
    rows = [row for row in market.tape if start <= row["time"] <= end and row["id"] >= first]
    limit = number(params, "limit", 500, 1000)
    rows = rows[:limit] if start or first else rows[-limit:]
    return [
        {
            "a": row["id"], "p": row["price"], "q": row["qty"], "f": row["id"], "l": row["id"], "T": row["time"],
            "m": row["isBuyerMaker"], "M": True,
        }
        for row in rows
    ]  # fmt: skip


@route("GET", "/api/v3/klines")
@route("GET", "/api/v3/uiKlines")
def klines(venue: Venue, params: Params) -> Any:
    market = market_of(venue, params)
    interval = params.get("interval")
    if not interval:
        raise mandatory("interval")
    if interval not in INTERVALS:
        raise errors.BAD_INTERVAL
    limit = max(1, number(params, "limit", 500, 1000))
    return market.candles.rows(interval, moment(params, "startTime"), moment(params, "endTime"), limit)


@route("GET", "/api/v3/avgPrice")
def avg_price(venue: Venue, params: Params) -> Any:
    return {"mins": 5, "price": text(market_of(venue, params).average()), "closeTime": now_ms()}


def _one_or_all(venue: Venue, params: Params, row: Callable[[Market], Any]) -> Any:
    if params.get("symbol"):
        return row(market_of(venue, params))
    wanted = json.loads(params.get("symbols") or "[]") or list(venue.markets)
    if any(symbol not in venue.markets for symbol in wanted):
        raise errors.BAD_SYMBOL
    return [row(venue.markets[symbol]) for symbol in wanted]


@route("GET", "/api/v3/ticker/24hr")
def ticker_day(venue: Venue, params: Params) -> Any:
    return _one_or_all(venue, params, lambda market: market.ticker())


@route("GET", "/api/v3/ticker/price")
def ticker_price(venue: Venue, params: Params) -> Any:
    return _one_or_all(venue, params, lambda market: {"symbol": market.symbol, "price": text(market.last)})


@route("GET", "/api/v3/ticker/bookTicker")
def book_ticker(venue: Venue, params: Params) -> Any:
    names = ("symbol", "bidPrice", "bidQty", "askPrice", "askQty")
    return _one_or_all(venue, params, lambda market: {name: market.ticker()[name] for name in names})


# ---------------------------------------------------------------------- orders
@route("POST", "/api/v3/order", "trade")
def place(venue: Venue, params: Params, account: Account) -> Any:
    market = market_of(venue, params)
    order, fills = venue.trading.place(account, market, params)
    venue.hidden_until[order.client_id] = venue.hidden_until.pop("next", 0)
    kind = params.get("newOrderRespType") or ("ACK" if order.type == "LIMIT_MAKER" else "FULL")
    if kind not in ("ACK", "RESULT", "FULL"):
        raise ApiError(-1100, "Illegal characters found in parameter 'newOrderRespType'.")
    return wire.placed(order, fills, kind)


@route("POST", "/api/v3/order/test", "trade")
def place_test(venue: Venue, params: Params, account: Account) -> Any:
    venue.trading.place(account, market_of(venue, params), params, is_test=True)
    return {}


def find_order(venue: Venue, params: Params, account: Account, unknown: ApiError) -> tuple[Market, Order]:
    market = market_of(venue, params)
    raw, client_id = params.get("orderId"), params.get("origClientOrderId")
    if not raw and not client_id:
        raise ApiError(
            -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    number_ = (
        int(raw) if raw and raw.isdecimal() else account.by_client_id.get((market.symbol, client_id or ""))
    )
    order = account.orders.get(number_ or -1)
    if (
        order is None
        or order.symbol != market.symbol
        or venue.hidden_until.get(order.client_id, 0) > now_ms()
    ):
        raise unknown
    return market, order


@route("GET", "/api/v3/order", "read")
def query(venue: Venue, params: Params, account: Account) -> Any:
    return wire.queried(find_order(venue, params, account, errors.NO_SUCH_ORDER)[1])


@route("DELETE", "/api/v3/order", "trade")
def cancel(venue: Venue, params: Params, account: Account) -> Any:
    unknown = ApiError(-2011, errors.UNKNOWN_ORDER)
    market, order = find_order(venue, params, account, unknown)
    if not order.is_open:
        raise unknown
    restriction = params.get("cancelRestrictions")
    if restriction and restriction not in ("ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
        raise ApiError(-1145, "Invalid cancelRestrictions")
    if restriction and order.status != restriction.removeprefix("ONLY_"):
        raise ApiError(-2011, "Order was not canceled due to cancel restrictions.")
    return venue.trading.cancel(account, market, order, params.get("newClientOrderId", ""))


@route("GET", "/api/v3/openOrders", "read")
def open_orders(venue: Venue, params: Params, account: Account) -> Any:
    symbol = market_of(venue, params).symbol if params.get("symbol") else None
    return [wire.queried(order) for order in account.open_orders(symbol)]


@route("DELETE", "/api/v3/openOrders", "trade")
def cancel_all(venue: Venue, params: Params, account: Account) -> Any:
    market = market_of(venue, params)
    found = list(account.open_orders(market.symbol))
    if not found:
        raise ApiError(-2011, errors.UNKNOWN_ORDER)
    return [venue.trading.cancel(account, market, order) for order in found]


@route("GET", "/api/v3/allOrders", "read")
def all_orders(venue: Venue, params: Params, account: Account) -> Any:
    market = market_of(venue, params)
    first = number(params, "orderId", 0, 2**62)
    rows = [o for o in account.orders.values() if o.symbol == market.symbol and o.order_id >= first]
    limit = number(params, "limit", 500, 1000)
    return [wire.queried(order) for order in (rows[:limit] if first else rows[-limit:])]


@route("GET", "/api/v3/myTrades", "read")
def my_trades(venue: Venue, params: Params, account: Account) -> Any:
    market = market_of(venue, params)
    order_id, first = number(params, "orderId", 0, 2**62), number(params, "fromId", 0, 2**62)
    start, end = moment(params, "startTime") or 0, moment(params, "endTime") or 2**62
    rows = [
        fill
        for fill in account.trades
        if fill["symbol"] == market.symbol
        and (not order_id or fill["orderId"] == order_id)
        and fill["id"] >= first
        and start <= fill["time"] <= end
    ]
    limit = number(params, "limit", 500, 1000)
    return rows[:limit] if start or first else rows[-limit:]


@route("GET", "/api/v3/account", "read")
def account_info(venue: Venue, params: Params, account: Account) -> Any:
    return wire.account_answer(account, omit_zero=params.get("omitZeroBalances") == "true", can_withdraw=True)


@route("GET", "/api/v3/rateLimit/order", "read")
def order_limits(venue: Venue, params: Params, account: Account) -> Any:
    recent, today = venue.limits.order_counts(account.account_id)
    rows = [row for row in venue.info["rateLimits"] if row["rateLimitType"] == "ORDERS"]
    return [{**row, "count": recent if row["interval"] == "SECOND" else today} for row in rows]


# ---------------------------------------------------------------------- wallet
@route("GET", "/sapi/v1/system/status")
def system_status(venue: Venue, params: Params) -> Any:
    return {"status": 0, "msg": "normal"}


@route("GET", "/sapi/v1/capital/config/getall", "read")
def capital_config(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.config(account)


@route("GET", "/sapi/v1/capital/deposit/address", "read")
def deposit_address(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.address(account, params.get("coin", ""), params.get("network", ""))


@route("GET", "/sapi/v1/capital/deposit/hisrec", "read")
def deposit_history(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.history(account, params)


@route("GET", "/sapi/v1/capital/deposit/subAddress", "read")
def sub_address(venue: Venue, params: Params, account: Account) -> Any:
    sub = venue.wallet.sub_account(params.get("email", ""))
    return venue.wallet.address(sub, params.get("coin", ""), params.get("network", ""))


@route("GET", "/sapi/v1/capital/deposit/subHisrec", "read")
def sub_history(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.history(venue.wallet.sub_account(params.get("email", "")), params)


@route("POST", "/sapi/v1/capital/withdraw/apply", "withdraw")
def withdraw(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.withdraw(account, params)


@route("GET", "/sapi/v1/capital/withdraw/history", "read")
def withdraw_history(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.withdraw_history(account, params)


@route("POST", "/sapi/v1/sub-account/virtualSubAccount", "trade")
def create_sub_account(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.create_sub_account(params.get("subAccountString", ""))


@route("POST", "/sapi/v1/sub-account/universalTransfer", "trade")
def universal_transfer(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.transfer(params)


@route("GET", "/sapi/v1/sub-account/universalTransfer", "read")
def universal_transfers(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.transfer_history(params)


@route("GET", "/sapi/v1/asset/tradeFee", "read")
def trade_fee(venue: Venue, params: Params, account: Account) -> Any:
    symbols = [params["symbol"]] if params.get("symbol") else list(venue.markets)
    return [{"symbol": symbol, "makerCommission": "0.001", "takerCommission": "0.001"} for symbol in symbols]


def restrictions(key: ApiKey) -> dict[str, Any]:
    """GET /sapi/v1/account/apiRestrictions: what the asking key may do."""
    return {
        "ipRestrict": True,
        "createTime": 1698645219000,
        "enableInternalTransfer": key.can_trade,
        "enableFutures": False,
        "enablePortfolioMarginTrading": False,
        "enableVanillaOptions": False,
        "permitsUniversalTransfer": key.can_trade,
        "enableReading": True,
        "enableSpotAndMarginTrading": key.can_trade,
        "enableWithdrawals": key.can_withdraw,
        "enableMargin": False,
    }


def true_state(venue: Venue) -> dict[str, Any]:
    """The control door's view: every balance and open order as they really are."""
    return {
        "accounts": [
            {
                "id": account.account_id,
                "email": account.email,
                "balances": {
                    a: [text(b.free), text(b.locked)]
                    for a, b in account.balances.items()
                    if b.free or b.locked
                },
                "open_orders": [order.client_id for order in account.open_orders()],
                "orders": len(account.orders),
                "trades": len(account.trades),
            }
            for account in venue.accounts.values()
        ],
        "main": MAIN,
        "total": {asset: text(total) for asset, total in totals(venue).items()},
    }


def totals(venue: Venue) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for account in venue.accounts.values():
        for asset, balance in account.balances.items():
            found[asset] = found.get(asset, Decimal(0)) + balance.free + balance.locked
    return found
