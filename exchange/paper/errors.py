"""Answers that are not what was asked for, in Binance's own codes and words."""

from typing import Any


class ApiError(Exception):
    """`data` is what the answer carries besides; `retry_after` in seconds."""

    def __init__(
        self,
        code: int,
        message: str,
        status: int = 400,
        retry_after: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        self.code, self.message, self.status, self.retry_after = code, message, status, retry_after
        self.data = data
        super().__init__(f"{code} {message}")


def illegal(name: str, legal: str) -> ApiError:
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def filter_failure(name: str) -> ApiError:
    return ApiError(-1013, f"Filter failure: {name}")


def rejected(message: str) -> ApiError:
    return ApiError(-2010, message)


def mandatory(name: str) -> ApiError:
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def neither(one: str, other: str) -> ApiError:
    return ApiError(-1102, f"Param '{one}' or '{other}' must be sent, but both were empty/null!")


def unsupported(what: str) -> ApiError:
    return rejected(f"{what} orders are not supported for this symbol.")


def not_required(name: str) -> ApiError:
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


UNKNOWN_ORDER = "Unknown order sent."
INSUFFICIENT = "Account has insufficient balance for requested action."
WOULD_TRIGGER = "Stop price would trigger immediately."
ICEBERG_TOO_LARGE = "IcebergQty exceeds QTY."
WOULD_TAKE = "Order would immediately match and take."
DUPLICATE = "Duplicate order sent."
NO_SUCH_ORDER = ApiError(-2013, "Order does not exist.")
NO_SUCH_LIST = ApiError(-2013, "Order list does not exist.")
BAD_SIGNATURE = ApiError(-1022, "Signature for this request is not valid.")
BAD_KEY_FORMAT = ApiError(-2014, "API-key format invalid.", 401)
BAD_KEY = ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
LATE = ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")
EARLY = ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
BAD_SYMBOL = ApiError(-1121, "Invalid symbol.")
BAD_INTERVAL = ApiError(-1120, "Invalid interval.")
BAD_SIDE = ApiError(-1117, "Invalid side.")
BAD_TYPE = ApiError(-1116, "Invalid orderType.")
BAD_TIF = ApiError(-1115, "Invalid timeInForce.")
BAD_RESPONSE_TYPE = ApiError(-1136, "Invalid newOrderRespType.")
BAD_COMBINATION = ApiError(-1128, "Combination of optional parameters invalid.")
BAD_STP = ApiError(-1013, "This symbol does not allow the specified self-trade prevention mode.")
BAD_ORDER = ApiError(-1014, "Unsupported order combination.")
CLOSED = ApiError(-1013, "Market is closed.")
OVERLOADED = ApiError(
    -1008, "Server is currently overloaded with other requests. Please try again in a few minutes.", 503
)
NO_ORDERS = ApiError(-1112, "No orders on book for symbol.")
