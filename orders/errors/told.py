"""What customers hear of what the venue says, by its codes and words."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.errors.refusals import AmendedTooOften, Busy, NothingChanges, OnlyLess, OrderMoved

Text = str | Promise


@dataclass(frozen=True)
class Told:
    """A stable code and a sentence; `is_ours`: a problem of the house, for staff to hear of."""

    code: str
    sentence: Text
    is_ours: bool = False


BUSY = Told("busy", Busy.message)
UNAVAILABLE = Told(
    "unavailable", _("Trading is temporarily unavailable; nothing was placed. Please try again later."), True
)
MISTAKE = Told(
    "our_mistake",
    _("A mistake of ours kept this from being done; nothing was placed, and we have been told of it."),
    True,
)
CHECKING = Told("checking", _("What became of the order is being checked; nothing is sent again."))
TOO_LATE = Told("too_late", _("The order could not be sent in time; nothing was placed. Please try again."))
FIRST_ENDED = Told("first_ended", _("The first order ended without being filled completely."))
NEVER_ARRIVED = Told("never_arrived", _("The order did not reach the market; nothing was executed."))
MISSING = Told(
    "checking",
    _(
        "The market does not show this order at the moment. It is being checked, and nothing is given back yet."
    ),
)
LOST = Told(
    "lost_at_venue",
    _("The market has this order no more. What it traded is booked, and the rest was given back."),
)
# How an order that was given up here is told.
GIVEN_UP = (NEVER_ARRIVED.code, LOST.code)
STANDS = Told(
    "stands_after_all",
    _(
        "The market has this order after all, though it had been given up here. It is being canceled there, and what"
        " it trades until then is booked."
    ),
)
STOOD = Told(
    "stood_after_all",
    _(
        "The market had this order after all, though it had been given up here. It has ended there, and what it traded"
        " is booked."
    ),
)
_CLOSED = Told("market_closed", _("This market takes no new orders at the moment."))
ENDED = Told("order_is_closed", _("The order was filled or ended meanwhile; nothing was changed."))
_EMPTY = Told("no_liquidity", _("There is nobody on the other side of the book right now."))
_NO_MARKET = Told("unknown_market", _("This market is not known at the venue."))
_NOT_OFFERED = Told("not_offered", _("This market does not offer that kind of order."))
_ODD = Told("bad_combination", _("These settings of an order do not go together; nothing was placed."))
_WRONG_SIDES = Told(
    "prices_cross",
    _("The prices of the pair must stand on both sides of the last price; nothing was placed."),
)
_TRIGGERS = Told("would_trigger", _("The last price has passed the stop price already; nothing was placed."))
_GENERIC = Told("refused_by_venue", _("The market refused this order; nothing was placed."))

# Word for word as the matching engine says it, but for its quotation marks and its last full stop.
_BY_TEXT = {
    "Order would immediately match and take": Told(
        "would_take", _("A post-only order may not trade at once; nothing was placed.")
    ),
    "Order would trigger immediately": _TRIGGERS,
    "Stop price would trigger immediately": _TRIGGERS,
    "IcebergQty exceeds QTY": Told("bad_amount", _("The visible part is more than the whole.")),
    "Price * QTY is zero or less": Told("bad_amount", _("Price times amount is too small.")),
    "Market is closed": _CLOSED,
    "Market orders are not supported for this symbol": Told(
        "not_supported", _("This market takes no market orders.")
    ),
    "Quote order qty market orders are not support for this symbol": Told(
        "not_offered", _("This market takes market orders by amount only, not by total.")
    ),
    "Order amend is not supported for this symbol": Told(
        "not_offered", _("The amount of an order cannot be reduced in this market.")
    ),
    "Order amend (quantity increase) is not supported": Told(
        OnlyLess.code, _("The amount of an order can only become smaller.")
    ),
    "The requested action would change no state; rejecting": Told(
        NothingChanges.code, NothingChanges.message
    ),
    "Order cancel-replace is not supported for this symbol": Told(
        "not_offered", _("An order cannot be changed in this market; cancel it and place another.")
    ),
    "Order was not canceled due to cancel restrictions": Told(OrderMoved.code, OrderMoved.message),
    "The relationship of the prices for the orders is not correct": _WRONG_SIDES,
    "Unsupported order combination": _ODD,
    "Unknown order sent": ENDED,
    # The order with this id is open there: it is ours, for an id is used once.
    "Duplicate order sent": CHECKING,
    **dict.fromkeys(
        (
            "Iceberg orders are not supported for this symbol",
            "Stop loss orders are not supported for this symbol",
            "Stop loss limit orders are not supported for this symbol",
            "Take profit orders are not supported for this symbol",
            "Take profit limit orders are not supported for this symbol",
            "Trailing stop orders are not supported for this symbol",
            "OCO orders are not supported for this symbol",
            "OTO orders are not supported for this symbol",
            "OPO orders are not supported for this symbol",
            "Pegged orders are not supported for this symbol",
            "Order amend (pending OPO order) is not supported",
        ),
        _NOT_OFFERED,
    ),
    **dict.fromkeys(
        (
            "Order book liquidity is less than LOT_SIZE filter minimum quantity",
            "Order book liquidity is less than MARKET_LOT_SIZE filter minimum quantity",
            "Order book liquidity is less than symbol minimum quantity",
        ),
        _EMPTY,
    ),
    # The house's account at the venue, not the customer's.
    **dict.fromkeys(
        (
            "Account has insufficient balance for requested action",
            "This action is disabled on this account",
            "This account may not place or cancel orders",
            "This symbol is not permitted for this account",
            "This symbol is restricted for this account",
            "Rest API trading is not enabled",
            "WebSocket API trading is not enabled",
            "FIX API trading is not enabled",
        ),
        UNAVAILABLE,
    ),
    "Cancel order is invalid. Check origClOrdId and orderId": MISTAKE,
    "This symbol does not allow the specified self-trade prevention mode": MISTAKE,
}
_FAR = Told("percent_price", _("The price is too far from the market."))
_BY_FILTER = {
    "PRICE_FILTER": Told("price_filter", _("The price is outside the market's limits or off its tick size.")),
    "PERCENT_PRICE": _FAR,
    "PERCENT_PRICE_BY_SIDE": _FAR,
    "LOT_SIZE": Told("lot_size", _("The amount is outside the market's limits or off its step size.")),
    "MARKET_LOT_SIZE": Told("lot_size", _("The amount is outside the market's limits for market orders.")),
    "MIN_NOTIONAL": Told("min_notional", _("The order's value is too small for this market.")),
    "NOTIONAL": Told("notional", _("The order's value is outside this market's limits.")),
    "ICEBERG_PARTS": Told("iceberg_parts", _("The visible part is too small for so large an order.")),
    "TRAILING_DELTA": Told("trailing_delta", _("The trailing distance is outside this market's limits.")),
    "MAX_NUM_ORDER_AMENDS": Told(AmendedTooOften.code, AmendedTooOften.message),
}
# What the whole account of the house has open or owns; no customer can know.
_HOUSE_FILTERS = ("MAX_NUM_", "EXCHANGE_MAX_", "MAX_POSITION", "MAX_ASSET")
KEY_CODES = frozenset({-1002, -1022, -2014, -2015})
_BY_CODE = {
    **dict.fromkeys((-1000, -1001, -1006, -1007), CHECKING),
    **dict.fromkeys((-1003, -1008, -1015, -1016, -1034), BUSY),
    # A key, or a right of one.
    **dict.fromkeys(KEY_CODES, UNAVAILABLE),
    # A request, a reading or a subscription that we made wrongly.
    **dict.fromkeys((*range(-1108, -1099), *range(-1119, -1113), -1120, -1125, -1127, -1128, -1130), MISTAKE),
    **dict.fromkeys((-1134, -1135, -1136, -1139, -1145, -1151, -2035, -2036, -2039, -2042), MISTAKE),
    -1014: _ODD,
    -1020: _NOT_OFFERED,
    -1021: TOO_LATE,
    -1111: Told("too_precise", _("Too many decimal places.")),
    -1112: _EMPTY,
    **dict.fromkeys((-1121, -1122), _NO_MARKET),
    **dict.fromkeys((-1220, -2016), _CLOSED),
    **dict.fromkeys((-1158, -1222, -1223), _NOT_OFFERED),
    -1160: Told("bad_combination", _("Only an order that is good till canceled can hide a part of itself.")),
    **dict.fromkeys((-1165, -1166, -1168, -1196, -1197, -1198, -1199), _WRONG_SIDES),
    **dict.fromkeys((-2011, -2013, -2022, -2026), ENDED),
    -2021: Told("replaced_in_part", _("The old order is canceled, and the new one could not be placed.")),
    -2038: Told("cannot_amend", _("The market did not change this order.")),
    -2043: Told("prices_delayed", _("The market has no reference price at the moment.")),
}
_FILTER_TEXT = "Filter failure: "


def told(code: int, message: str) -> Told:
    """What a customer hears of a refusal by the venue."""
    said = message.replace("`", "").strip().removesuffix(".")
    if said.startswith(_FILTER_TEXT):
        return _of_filter(said.removeprefix(_FILTER_TEXT))
    return _BY_TEXT.get(said) or _BY_CODE.get(code, _GENERIC)


def is_of_house_filter(message: str) -> bool:
    """A filter of the whole account, which all customers share, refused it."""
    return message.strip().removeprefix(_FILTER_TEXT).startswith(_HOUSE_FILTERS)


def _of_filter(name: str) -> Told:
    if name in _BY_FILTER:
        return _BY_FILTER[name]
    return UNAVAILABLE if name.startswith(_HOUSE_FILTERS) else _GENERIC


# How the venue's own reasons for ending an order are told.
REASONS: dict[str, Text] = {
    "EXPIRED_IN_MATCH": _("It met another order of this platform; the rest was not traded."),
    "INSUFFICIENT_LIQUIDITY": _("There was not enough on the other side of the book."),
    "UNFILLED_IOC_QUANTITY_EXPIRED": _("The rest could not trade at once."),
    "UNFILLED_FOK_ORDER_EXPIRED": _("It could not trade in full at once."),
    "EXECUTION_RULE_PRICE_RANGE_EXCEEDED": _("The market moved outside its price range."),
    "EXCHANGE_CANCELED": _("The venue canceled it."),
    "OCO_TRIGGER": _("The other order of its list began to trade, so this one ended."),
    "REJECTED": _("The market did not take it."),
    "OTO_PHASE_ONE_EXPIRED": _("The order it waited for ended without being filled."),
    "INSUFFICIENT_BALANCES": UNAVAILABLE.sentence,
    "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY": _TRIGGERS.sentence,
    "WOULD_MATCH_IMMEDIATELY": _BY_TEXT["Order would immediately match and take"].sentence,
    "OCO_BAD_PRICES": _WRONG_SIDES.sentence,
    LOST.code: LOST.sentence,
}
