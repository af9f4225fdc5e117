"""The venue's answers and events, key by key."""

from decimal import Decimal
from typing import Any

from exchange.paper.accounts import ZERO, Account, Order, text

Body = dict[str, Any]
ONE_PARTY = "ONE_PARTY_TRADE_REPORT"
MAKER_TAKER = "0.00100000"
DISCOUNT = {
    "discountAsset": "BNB",
    "discount": "0.75000000",
}


def placed(order: Order, fills: list[Body], kind: str) -> Body:
    """The answer to a new order, as ACK, RESULT or FULL."""
    body: Body = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.updated_ms,
    }
    if kind == "ACK":
        return body
    body |= _state(order)
    body |= {"workingTime": order.working_ms}
    if kind == "FULL":
        body["fills"] = [_part(fill) for fill in fills]
    return body | {"selfTradePreventionMode": order.stp} | _expiry(order)


def _part(fill: Body) -> Body:
    """A fill in the answer to a new order; an allocation has no trade, and is told apart by its own id."""
    body = {
        "price": fill["price"],
        "qty": fill["qty"],
        "commission": fill["commission"],
        "commissionAsset": fill["commissionAsset"],
        "tradeId": fill["id"],
    }
    if "allocationId" not in fill:
        return body
    return {"matchType": ONE_PARTY, **body, "allocId": fill["allocationId"]}


def allocated(fill: Body) -> Body:
    """A row of the account's allocations."""
    names = ("symbol", "allocationId", "orderId", "orderListId", "price", "qty", "quoteQty", "commission",
             "commissionAsset", "time", "isBuyer", "isMaker")  # fmt: skip
    return {"allocationType": "SOR", **{name: fill[name] for name in names}, "isAllocator": False}


def queried(order: Order) -> Body:
    """The answer to asking for an order."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        **_state(order),
        "stopPrice": text(order.stop_price),
        "icebergQty": text(order.iceberg),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.is_working,
        "workingTime": order.working_ms,
        "origQuoteOrderQty": text(order.quote_quantity),
        "selfTradePreventionMode": order.stp,
    } | _expiry(order)


def canceled(order: Order, cancel_id: str) -> Body:
    """The answer to canceling: its own id, the order's is the original one."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_state(order),
        "selfTradePreventionMode": order.stp,
    }


def amended(order: Order, original_id: str) -> Body:
    """The order in an answer to amending it, which has names of its own for amounts."""
    body: Body = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "origClientOrderId": original_id,
        "clientOrderId": order.client_id,
        "price": text(order.price),
        "qty": text(order.quantity),
        "executedQty": text(order.executed),
        "preventedQty": text(order.prevented),
        "quoteOrderQty": text(order.quote_quantity),
        "cumulativeQuoteQty": text(order.quote),
        "status": order.status,
        "timeInForce": order.tif,
        "type": order.type,
        "side": order.side,
        **_conditions(order),
    }
    if order.is_working:
        body["workingTime"] = order.working_ms
    return body | {"selfTradePreventionMode": order.stp}


def _state(order: Order) -> Body:
    return {
        "price": text(order.price),
        **({"origQty": text(order.quantity)} if order.quantity else {}),
        "executedQty": text(order.executed),
        "origQuoteOrderQty": text(order.quote_quantity),
        "cummulativeQuoteQty": text(order.quote),
        "status": order.status,
        "timeInForce": order.tif,
        "type": order.type,
        "side": order.side,
        **_conditions(order),
    }


def received(fill: Body, asset: str) -> Decimal:
    """What a buyer has of a fill of that asset, the commission apart."""
    paid = Decimal(fill["commission"]) if fill["commissionAsset"] == asset else ZERO
    return Decimal(fill["qty"]) - paid


def _conditions(order: Order) -> Body:
    """What is said only of an order that was sent with it."""
    found: Body = {}
    if order.is_algo:
        found["stopPrice"] = text(order.stop_price)
    if order.trailing_delta:
        found |= {"trailingDelta": order.trailing_delta, "trailingTime": order.trailing_ms}
    if order.iceberg:
        found["icebergQty"] = text(order.iceberg)
    if order.strategy_id is not None:
        found["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        found["strategyType"] = order.strategy_type
    if order.used_sor:
        found |= {"usedSor": True, "workingFloor": order.working_floor}
    return found


def _expiry(order: Order) -> Body:
    """What is said of an order only when there is something to say."""
    found: Body = {} if order.expiry_reason == "NONE" else {"expiryReason": order.expiry_reason}
    if order.prevented:
        found |= {"preventedMatchId": order.prevented_id, "preventedQuantity": text(order.prevented)}
    return found


def prevention(counter: Order, price: Decimal, quantity: Decimal) -> Body:
    """What a report of a prevented trade says of the order that was not traded with."""
    return {
        "u": -1,
        "U": counter.order_id,
        "Cs": counter.symbol,
        "pl": text(quantity),
        "pL": text(price),
        "pY": text(price * quantity),
    }


def execution_report(
    order: Order, kind: str, *, at_ms: int, execution_id: int, fill: Body | None = None, cancel_id: str = ""
) -> Body:
    """An executionReport; on a cancel `c` is the cancel's id and `C` the order's own."""
    traded = fill or {}
    event: Body = {
        "e": "executionReport",
        "E": at_ms,
        "s": order.symbol,
        "c": cancel_id or order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.tif,
        "q": text(order.quantity),
        "p": text(order.price),
        "P": text(order.stop_price),
        "F": text(order.iceberg),
        "g": order.list_id,
        "C": order.client_id if cancel_id else "",
        "x": kind,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": traded.get("qty", "0.00000000"),
        "z": text(order.executed),
        "L": traded.get("price", "0.00000000"),
        "n": traded.get("commission", "0"),
        "N": traded.get("commissionAsset"),
        "T": order.updated_ms,
        "t": traded.get("id", -1),
        "I": execution_id,
        "w": order.is_open and order.is_working,
        "m": bool(traded.get("isMaker", False)),
        "M": bool(traded),
        "O": order.created_ms,
        "Z": text(order.quote),
        "Y": traded.get("quoteQty", "0.00000000"),
        "Q": text(order.quote_quantity),
        "V": order.stp,
    }
    if order.is_working:
        event["W"] = order.working_ms
    if order.trailing_delta:
        event |= {"d": order.trailing_delta, "D": order.trailing_ms}
    if order.strategy_id is not None:
        event["j"] = order.strategy_id
    if order.strategy_type is not None:
        event["J"] = order.strategy_type
    if order.used_sor:
        event |= {"uS": True, "k": order.working_floor}
    if "allocationId" in traded:
        event |= {"b": ONE_PARTY, "a": traded["allocationId"]}
    if order.expiry_reason != "NONE":
        event["eR"] = order.expiry_reason
    if order.prevented:
        event |= {"v": order.prevented_id, "A": text(order.prevented), "B": text(order.prevented)}
    return event


def account_position(account: Account, assets: list[str], at_ms: int) -> Body:
    rows = [(asset, account.balance(asset)) for asset in assets]
    balances = [{"a": asset, "f": text(found.free), "l": text(found.locked)} for asset, found in rows]
    return {"e": "outboundAccountPosition", "E": at_ms, "u": account.updated_ms, "B": balances}


def balance_update(asset: str, delta: Decimal, at_ms: int) -> Body:
    return {"e": "balanceUpdate", "E": at_ms, "a": asset, "d": text(delta), "T": at_ms}


def commission_rates(*, in_bnb: bool) -> Body:
    """The answer to a test order that asks for its commission."""
    rates = {"maker": MAKER_TAKER, "taker": MAKER_TAKER}
    none = {"maker": text(ZERO), "taker": text(ZERO)}
    return {
        "standardCommissionForOrder": rates,
        "specialCommissionForOrder": none,
        "taxCommissionForOrder": none,
        "discount": _discount(in_bnb),
    }


def _discount(in_bnb: bool) -> Body:
    return DISCOUNT | {"enabledForAccount": in_bnb, "enabledForSymbol": in_bnb}


def commission(*, in_bnb: bool) -> Body:
    """The account's rates."""
    sides = {"buyer": text(ZERO), "seller": text(ZERO)}
    none = {"maker": text(ZERO), "taker": text(ZERO), **sides}
    return {
        "standardCommission": {"maker": MAKER_TAKER, "taker": MAKER_TAKER, **sides},
        "specialCommission": none,
        "taxCommission": none,
        "discount": _discount(in_bnb),
    }


def account_answer(account: Account, *, omit_zero: bool) -> Body:
    rows = [
        {"asset": asset, "free": text(found.free), "locked": text(found.locked)}
        for asset, found in sorted(account.balances.items())
        if not omit_zero or found.free or found.locked
    ]
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": MAKER_TAKER,
            "taker": MAKER_TAKER,
            "buyer": text(ZERO),
            "seller": text(ZERO),
        },
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.updated_ms,
        "accountType": "SPOT",
        "balances": rows,
        "permissions": ["SPOT"],
        "uid": 354937868 + account.account_id,
    }
