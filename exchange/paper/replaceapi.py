"""An order takes the place of another: two requests in one, each of which may fail by itself."""

from collections.abc import Callable
from typing import Any

from exchange.paper import errors
from exchange.paper.accounts import Account
from exchange.paper.errors import ApiError
from exchange.paper.orderapi import cancel, place
from exchange.paper.routes import Params, market_of, route
from exchange.paper.venue import Venue

STOP, ALLOW = "STOP_ON_FAILURE", "ALLOW_FAILURE"
DO_NOTHING, CANCEL_ONLY = "DO_NOTHING", "CANCEL_ONLY"
OF_CANCEL = {
    "cancelOrderId": "orderId",
    "cancelOrigClientOrderId": "origClientOrderId",
    "cancelNewClientOrderId": "newClientOrderId",
}
Half = tuple[str, Any]  # its result, and the answer or the error


@route("POST", "/api/v3/order/cancelReplace", "trade")
def cancel_replace(venue: Venue, params: Params, account: Account) -> Any:
    """Filters and the count of orders are looked at before anything is canceled."""
    market, mode = market_of(venue, params), _choice(params, "cancelReplaceMode", (STOP, ALLOW))
    at_limit = _choice(params, "orderRateLimitExceededMode", (DO_NOTHING, CANCEL_ONLY), DO_NOTHING)
    _require_id(params)
    if not market.info["cancelReplaceAllowed"]:
        raise errors.rejected("Order cancel-replace is not supported for this symbol.")
    venue.trading.require_acceptable(account, market, params)
    limit = _limit(venue, account)
    if limit and at_limit == DO_NOTHING:
        raise limit
    gone = _try(venue, "cancel", lambda: cancel(venue, _of_cancel(params), account))
    if limit:
        new: Half = ("FAILURE", limit)
    elif gone[0] == "SUCCESS" or mode == ALLOW:
        new = _try(venue, "new", lambda: place(venue, params, account))
    else:
        venue.limits.count_order(account.account_id)
        new = ("NOT_ATTEMPTED", None)
    if gone[0] == "FAILURE" and mode == STOP:
        new = ("NOT_ATTEMPTED", None)
    return _answer(gone, new, status_at_limit=429 if limit and mode == STOP else None)


def _choice(params: Params, name: str, known: tuple[str, ...], usual: str = "") -> str:
    found = params.get(name) or usual
    if not found:
        raise errors.mandatory(name)
    if found not in known:
        raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
    return found


def _require_id(params: Params) -> None:
    if not params.get("cancelOrderId") and not params.get("cancelOrigClientOrderId"):
        raise errors.neither("cancelOrigClientOrderId", "cancelOrderId")


def _of_cancel(params: Params) -> Params:
    """The parameters of the cancel, under the names they have in a cancel alone."""
    found = {"symbol": params["symbol"], "cancelRestrictions": params.get("cancelRestrictions", "")}
    return found | {usual: params.get(name, "") for name, usual in OF_CANCEL.items()}


def _limit(venue: Venue, account: Account) -> ApiError | None:
    try:
        venue.limits.require_room_for_order(account.account_id)
    except ApiError as error:
        return error
    return None


def _try(venue: Venue, half: str, act: Callable[[], Any]) -> Half:
    try:
        venue.faults.refuse_half(half)
        return "SUCCESS", act()
    except ApiError as error:
        return "FAILURE", error


def _answer(gone: Half, new: Half, *, status_at_limit: int | None) -> Any:
    """Both halves; anything but two successes is an error that carries them."""
    halves = {"cancelResult": gone[0], "newOrderResult": new[0]}
    bodies = {"cancelResponse": _told(gone[1]), "newOrderResponse": _told(new[1])}
    data = halves | bodies
    if gone[0] == new[0] == "SUCCESS":
        return data
    if "SUCCESS" in (gone[0], new[0]):
        status = status_at_limit or 409
        raise ApiError(-2021, "Order cancel-replace partially failed.", status, _wait(new), data=data)
    raise ApiError(-2022, "Order cancel-replace failed.", status_at_limit or 400, _wait(new), data=data)


def _told(found: Any) -> Any:
    return {"code": found.code, "msg": found.message} if isinstance(found, ApiError) else found


def _wait(half: Half) -> int | None:
    return half[1].retry_after if isinstance(half[1], ApiError) else None
