"""The wallet paths (`/sapi/v1`), and what the control door shows."""

from decimal import Decimal
from typing import Any

from exchange.paper.accounts import MAIN, Account, ApiKey, Balance, text
from exchange.paper.errors import mandatory
from exchange.paper.routes import Params, market_of, route
from exchange.paper.venue import Venue


def _coin(params: Params) -> str:
    if not params.get("coin"):
        raise mandatory("coin")
    return params["coin"]


@route("GET", "/sapi/v1/system/status")
def system_status(venue: Venue, params: Params) -> Any:
    return {"status": 0, "msg": "normal"}


@route("GET", "/sapi/v1/margin/allPairs", "key")
@route("GET", "/sapi/v1/margin/isolated/allPairs", "key")
def margin_pairs(venue: Venue, params: Params) -> Any:
    """Nothing is lent here; clients ask when they load the markets."""
    return []


@route("GET", "/sapi/v1/capital/config/getall", "read")
def capital_config(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.config(account)


@route("GET", "/sapi/v1/capital/deposit/address", "read")
def deposit_address(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.address(account, _coin(params), params.get("network", ""))


@route("GET", "/sapi/v1/capital/deposit/hisrec", "read")
def deposit_history(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.history(account, params)


@route("POST", "/sapi/v1/capital/withdraw/apply", "withdraw")
def withdraw(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.withdraw(account, params)


@route("GET", "/sapi/v1/capital/withdraw/history", "read")
def withdraw_history(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.withdraw_history(account, params)


@route("GET", "/sapi/v1/capital/deposit/subAddress", "read")
def sub_address(venue: Venue, params: Params, account: Account) -> Any:
    sub = venue.transfers.sub_account(params.get("email", ""))
    return venue.wallet.address(sub, _coin(params), params.get("network", ""))


@route("GET", "/sapi/v1/capital/deposit/subHisrec", "read")
def sub_history(venue: Venue, params: Params, account: Account) -> Any:
    return venue.wallet.history(venue.transfers.sub_account(params.get("email", "")), params)


@route("POST", "/sapi/v1/sub-account/virtualSubAccount", "trade")
def create_sub_account(venue: Venue, params: Params, account: Account) -> Any:
    return venue.transfers.create_sub_account(params.get("subAccountString", ""))


@route("GET", "/sapi/v4/sub-account/assets", "read")
def sub_account_assets(venue: Venue, params: Params, account: Account) -> Any:
    sub = venue.transfers.sub_account(params.get("email", ""))
    return {"balances": [_asset(code, row) for code, row in sorted(sub.balances.items())]}


def _asset(code: str, row: Balance) -> dict[str, str]:
    return {
        "freeze": "0",
        "withdrawing": "0",
        "asset": code,
        "free": text(row.free),
        "locked": text(row.locked),
    }


@route("POST", "/sapi/v1/sub-account/universalTransfer", "trade")
def universal_transfer(venue: Venue, params: Params, account: Account) -> Any:
    return venue.transfers.transfer(params)


@route("GET", "/sapi/v1/sub-account/universalTransfer", "read")
def universal_transfers(venue: Venue, params: Params, account: Account) -> Any:
    return venue.transfers.history(params)


@route("GET", "/sapi/v1/asset/tradeFee", "read")
def trade_fee(venue: Venue, params: Params, account: Account) -> Any:
    symbols = [market_of(venue, params).symbol] if params.get("symbol") else list(venue.markets)
    return [{"symbol": symbol, "makerCommission": "0.001", "takerCommission": "0.001"} for symbol in symbols]


def restrictions(key: ApiKey) -> dict[str, Any]:
    """GET /sapi/v1/account/apiRestrictions: what the asking key may do."""
    return {
        "ipRestrict": key.is_bound,
        "createTime": 1698645219000,
        "enableReading": True,
        "enableWithdrawals": key.can_withdraw,
        "enableInternalTransfer": key.can_trade,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": key.can_trade,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": key.can_trade,
        "enablePortfolioMarginTrading": False,
    }


def true_state(venue: Venue) -> dict[str, Any]:
    """The control door's view: every balance and open order as it really is, what is to go wrong, what was spent."""
    return {
        "accounts": [_account(account) for account in venue.accounts.values()],
        "main": MAIN,
        "listen_keys": venue.listen_keys.counts,
        "total": {asset: text(total) for asset, total in totals(venue).items()},
        "deposits": len(venue.wallet.deposits),
        "withdrawals": len(venue.wallet.withdrawals),
        "faults": [fault.told() for fault in venue.faults.waiting],
        "events": [{"how": bend.how, "x": bend.x, "count": bend.count} for bend in venue.telling.bends],
        "disturbances": venue.feed.disturbances.left,
        "weight": venue.limits.spent,
        "unwelcome": venue.limits.unwelcome,
        "inside_ban_ms": list(venue.limits.inside_ms),
        "banned_at": venue.limits.banned_at,
        "placed": venue.limits.placed,
    }


def _account(account: Account) -> dict[str, Any]:
    held = {asset: row for asset, row in account.balances.items() if row.free or row.locked}
    return {
        "id": account.account_id,
        "email": account.email,
        "balances": {asset: [text(row.free), text(row.locked)] for asset, row in held.items()},
        "open_orders": [order.client_id for order in account.open_orders()],
        "orders": len(account.orders),
        "trades": len(account.trades),
    }


def totals(venue: Venue) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for account in venue.accounts.values():
        for asset, balance in account.balances.items():
            found[asset] = found.get(asset, Decimal(0)) + balance.free + balance.locked
    return found
