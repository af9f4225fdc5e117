"""What orders refuse, and how the venue's refusals are told to a customer (binance.md 12)."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotFound, Unavailable
from exchange.money import plain

Text = str | Promise


class BadTicket(DomainError):
    code = "bad_ticket"
    message = _("This order cannot be understood.")


class MarketClosed(Unavailable):
    code = "market_closed"
    status = 409
    message = _("This market takes no new orders at the moment.")


class MarketGone(Conflict):
    code = "market_gone"
    message = _(
        "The venue does not have this market any more; what became of the order is being looked into."
    )


class PricesDelayed(Unavailable):
    code = "prices_delayed"
    message = _("Prices are delayed at the moment; orders wait until they are live again.")


class NoLiquidity(DomainError):
    code = "no_liquidity"
    message = _("There is nobody on the other side of the book right now.")


class NotOffered(DomainError):
    code = "not_offered"
    message = _("This market does not offer that.")


class WouldTrigger(DomainError):
    code = "would_trigger"
    above = _("The stop price must be above the last price, %(last)s: it would trigger at once.")
    below = _("The stop price must be below the last price, %(last)s: it would trigger at once.")

    def __init__(self, *, is_above: bool, last: Decimal) -> None:
        super().__init__(self.above if is_above else self.below, field="stop_price", last=plain(last))


class PricesCross(DomainError):
    code = "prices_cross"
    above = _("The prices of the upper order must be above the last price, %(last)s.")
    below = _("The prices of the lower order must be below the last price, %(last)s.")

    def __init__(self, *, is_above: bool, last: Decimal, field: str) -> None:
        super().__init__(self.above if is_above else self.below, field=field, last=plain(last))


class UnknownOrderList(NotFound):
    code = "unknown_order_list"
    message = _("There is no such list of orders.")


class NonceReused(Conflict):
    code = "nonce_reused"
    message = _("This order id was already used for a different order.")


class UnknownOrder(NotFound):
    code = "unknown_order"
    message = _("There is no such order.")


class OrderIsClosed(Conflict):
    code = "order_is_closed"
    message = _("This order is already closed.")


class VenueUnreachable(Unavailable):
    code = "venue_unreachable"
    message = _("The market cannot be reached at the moment; nothing was placed. Please try again.")


class TryCancelAgain(Unavailable):
    code = "try_again"
    message = _("The order could not be canceled just now. Please try again.")


@dataclass(frozen=True)
class Told:
    """A stable code and a sentence; `is_ours`: a problem of the house, for staff to hear of."""

    code: str
    sentence: Text
    is_ours: bool = False


BUSY = Told("busy", _("The exchange is busy right now; nothing was placed. Please try again."))
UNAVAILABLE = Told(
    "unavailable", _("Trading is temporarily unavailable; nothing was placed. Please try again later."), True
)
TOO_LATE = Told("too_late", _("The order could not be sent in time; nothing was placed. Please try again."))
FIRST_ENDED = Told("first_ended", _("The first order ended without being filled completely."))
NEVER_ARRIVED = Told("never_arrived", _("The order did not reach the market; nothing was executed."))

_BY_TEXT = {
    "Order would immediately match and take.": Told(
        "would_take", _("A post-only order may not trade at once; nothing was placed.")
    ),
    "Order would trigger immediately.": Told(
        "would_trigger", _("The last price has passed the stop price already; nothing was placed.")
    ),
    "Stop price would trigger immediately.": Told(
        "would_trigger", _("The last price has passed the stop price already; nothing was placed.")
    ),
    "The relationship of the prices for the orders is not correct.": Told(
        "prices_cross", _("The last price has passed one of the two orders already; nothing was placed.")
    ),
    **dict.fromkeys(
        ("OCO orders are not supported for this symbol", "OTO orders are not supported for this symbol."),
        Told("not_offered", _("This market does not offer lists of orders.")),
    ),
    "IcebergQty exceeds QTY.": Told("bad_amount", _("The visible part is more than the whole.")),
    "Market is closed.": Told("market_closed", _("This market takes no new orders at the moment.")),
    "Account has insufficient balance for requested action.": UNAVAILABLE,
    "This action is disabled on this account.": UNAVAILABLE,
    "This account may not place or cancel orders.": UNAVAILABLE,
    "Rest API trading is not enabled.": UNAVAILABLE,
    "Market orders are not supported for this symbol.": Told(
        "not_supported", _("This market takes no market orders.")
    ),
    **dict.fromkeys(
        (
            "Iceberg orders are not supported for this symbol.",
            "Stop loss orders are not supported for this symbol.",
            "Stop loss limit orders are not supported for this symbol.",
            "Take profit orders are not supported for this symbol.",
            "Take profit limit orders are not supported for this symbol.",
            "Trailing stop orders are not supported for this symbol.",
        ),
        Told("not_offered", _("This market does not offer that kind of order.")),
    ),
    "Price * QTY is zero or less.": Told("bad_amount", _("Price times amount is too small.")),
    "Order book liquidity is less than LOT_SIZE filter minimum quantity.": Told(
        "no_liquidity", _("There is nobody on the other side of the book right now.")
    ),
}
_BY_FILTER = {
    "PRICE_FILTER": Told("price_filter", _("The price is outside the market's limits or off its tick size.")),
    "PERCENT_PRICE": Told("percent_price", _("The price is too far from the market.")),
    "PERCENT_PRICE_BY_SIDE": Told("percent_price", _("The price is too far from the market.")),
    "LOT_SIZE": Told("lot_size", _("The amount is outside the market's limits or off its step size.")),
    "MARKET_LOT_SIZE": Told("lot_size", _("The amount is outside the market's limits for market orders.")),
    "MIN_NOTIONAL": Told("min_notional", _("The order's value is too small for this market.")),
    "NOTIONAL": Told("notional", _("The order's value is outside this market's limits.")),
    "ICEBERG_PARTS": Told("iceberg_parts", _("The visible part is too small for so large an order.")),
    "TRAILING_DELTA": Told("trailing_delta", _("The trailing distance is outside this market's limits.")),
}
_HOUSE_FILTERS = ("MAX_NUM_", "EXCHANGE_MAX_", "MAX_POSITION", "MAX_ASSET")
_BY_CODE = {
    -1021: TOO_LATE,
    -1111: Told("too_precise", _("Too many decimal places.")),
    -1112: Told("no_liquidity", _("There is nobody on the other side of the book right now.")),
    -1121: Told("unknown_market", _("This market is not known at the venue.")),
    -1220: Told("market_closed", _("This market takes no new orders at the moment.")),
    -2016: Told("market_closed", _("This market takes no new orders at the moment.")),
    -1002: UNAVAILABLE,
    -1022: UNAVAILABLE,
    -2014: UNAVAILABLE,
    -2015: UNAVAILABLE,
}
_GENERIC = Told("refused_by_venue", _("The market refused this order; nothing was placed."))
_FILTER_TEXT = "Filter failure: "


def told(code: int, message: str) -> Told:
    """What a customer hears of a refusal by the venue."""
    if message.startswith(_FILTER_TEXT):
        name = message.removeprefix(_FILTER_TEXT)
        if name.startswith(_HOUSE_FILTERS):
            return UNAVAILABLE
        return _BY_FILTER.get(name, _GENERIC)
    return _BY_TEXT.get(message) or _BY_CODE.get(code, _GENERIC)


# How the venue's own reasons for ending an order are told.
REASONS: dict[str, Text] = {
    "EXPIRED_IN_MATCH": _("It met another order of this platform; the rest was not traded."),
    "INSUFFICIENT_LIQUIDITY": _("There was not enough on the other side of the book."),
    "UNFILLED_IOC_QUANTITY_EXPIRED": _("The rest could not trade at once."),
    "UNFILLED_FOK_ORDER_EXPIRED": _("It could not trade in full at once."),
    "EXECUTION_RULE_PRICE_RANGE_EXCEEDED": _("The market moved outside its price range."),
    "EXCHANGE_CANCELED": _("The venue canceled it."),
    "OCO_TRIGGER": _("The other order of its list began to trade, so this one ended."),
}
