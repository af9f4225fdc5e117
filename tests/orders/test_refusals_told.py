"""Every word by which the venue refuses, as the customer hears it; what is the house's own problem staff hear of."""

from typing import Any

import pytest

from accounts.models import User
from exchange.gate.errors import NoAccount
from exchange.office.models import Notice
from orders import services
from orders.errors import REASONS, told
from orders.models import Order
from tests.factories import balance, make_user
from tests.orders.test_placing import no_hold_is_left, ticket
from tests.venue import Venue, error

OURS, THEIRS = True, False
NO_ORDERS = "{} orders are not supported for this symbol."
# binance.md 12: each code with the words the venue says it in.
CODES: list[tuple[int, str, str, bool]] = [
    (-1000, "An unknown error occurred while processing the request.", "checking", THEIRS),
    (-1001, "Internal error; unable to process your request. Please try again.", "checking", THEIRS),
    (-1002, "You are not authorized to execute this request.", "unavailable", OURS),
    (-1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.", "busy", THEIRS),
    (-1006, "An unexpected response was received from the message bus.", "checking", THEIRS),
    (-1007, "Timeout waiting for response from backend server.", "checking", THEIRS),
    (-1008, "Server is currently overloaded with other requests.", "busy", THEIRS),
    (-1014, "Unsupported order combination.", "bad_combination", THEIRS),
    (-1015, "Too many new orders; current limit is 50 orders per 10 SECOND.", "busy", THEIRS),
    (-1016, "This service is no longer available.", "busy", THEIRS),
    (-1020, "This operation is not supported.", "not_offered", THEIRS),
    (-1021, "Timestamp for this request is outside of the recvWindow.", "too_late", THEIRS),
    (-1022, "Signature for this request is not valid.", "unavailable", OURS),
    (-1034, "Too many connections.", "busy", THEIRS),
    (-1100, "Illegal characters found in parameter 'price'.", "our_mistake", OURS),
    (-1101, "Too many parameters sent for this endpoint.", "our_mistake", OURS),
    (-1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.", "our_mistake", OURS),
    (-1103, "An unknown parameter was sent.", "our_mistake", OURS),
    (-1104, "Not all sent parameters were read.", "our_mistake", OURS),
    (-1105, "Parameter 'price' was empty.", "our_mistake", OURS),
    (-1106, "Parameter 'timeInForce' sent when not required.", "our_mistake", OURS),
    (-1108, "Parameter 'quantity' overflowed.", "our_mistake", OURS),
    (-1111, "Parameter 'quantity' has too much precision.", "too_precise", THEIRS),
    (-1112, "No orders on book for symbol.", "no_liquidity", THEIRS),
    (-1114, "TimeInForce parameter sent when not required.", "our_mistake", OURS),
    (-1115, "Invalid timeInForce.", "our_mistake", OURS),
    (-1116, "Invalid orderType.", "our_mistake", OURS),
    (-1117, "Invalid side.", "our_mistake", OURS),
    (-1118, "New client order ID was empty.", "our_mistake", OURS),
    (-1119, "Original client order ID was empty.", "our_mistake", OURS),
    (-1120, "Invalid interval.", "our_mistake", OURS),
    (-1121, "Invalid symbol.", "unknown_market", THEIRS),
    (-1122, "Invalid symbolStatus.", "unknown_market", THEIRS),
    (-1125, "This listenKey does not exist.", "our_mistake", OURS),
    (-1127, "Lookup interval is too big.", "our_mistake", OURS),
    (-1128, "Combination of optional parameters invalid.", "our_mistake", OURS),
    (-1130, "Invalid data sent for a parameter.", "our_mistake", OURS),
    (-1134, "`strategyType` was less than 1000000.", "our_mistake", OURS),
    (-1135, "Invalid JSON Request", "our_mistake", OURS),
    (-1136, "Invalid newOrderRespType.", "our_mistake", OURS),
    (-1145, "Invalid cancelRestrictions", "our_mistake", OURS),
    (-1151, "Symbol is present multiple times in the list.", "our_mistake", OURS),
    (-1158, "Order type not supported in OCO.", "not_offered", THEIRS),
    (-1160, "Parameter 'icebergQty' is not supported if 'timeInForce' is not GTC.", "bad_combination", THEIRS),
    (-1165, "A limit order in a buy OCO must be below.", "prices_cross", THEIRS),
    (-1166, "A limit order in a sell OCO must be above.", "prices_cross", THEIRS),
    (-1168, "At least one OCO order must be contingent.", "prices_cross", THEIRS),
    (-1196, "A stop loss order in a buy OCO must be above.", "prices_cross", THEIRS),
    (-1197, "A stop loss order in a sell OCO must be below.", "prices_cross", THEIRS),
    (-1198, "A take profit order in a buy OCO must be below.", "prices_cross", THEIRS),
    (-1199, "A take profit order in a sell OCO must be above.", "prices_cross", THEIRS),
    (-1220, "The symbol does not match the status.", "market_closed", THEIRS),
    (-1222, "OPO working order must be a buy.", "not_offered", THEIRS),
    (-1223, "OPO pending orders must be sells.", "not_offered", THEIRS),
    (-2013, "Order does not exist.", "order_is_closed", THEIRS),
    (-2014, "API-key format invalid.", "unavailable", OURS),
    (-2015, "Invalid API-key, IP, or permissions for action.", "unavailable", OURS),
    (-2016, "No trading window could be found for the symbol.", "market_closed", THEIRS),
    (-2021, "Order cancel-replace partially failed.", "replaced_in_part", THEIRS),
    (-2022, "Order cancel-replace failed.", "order_is_closed", THEIRS),
    (-2026, "Order was canceled or expired with no executed qty over 90 days ago.", "order_is_closed", THEIRS),
    (-2035, "Subscription is already active.", "our_mistake", OURS),
    (-2036, "Subscription is not active.", "our_mistake", OURS),
    (-2038, "Order amend rejected.", "cannot_amend", THEIRS),
    (-2039, "Client order ID is not correct for this order ID.", "our_mistake", OURS),
    (-2042, "No more subscription ids.", "our_mistake", OURS),
    (-2043, "There is no reference price.", "prices_delayed", THEIRS),
]  # fmt: skip
# Of -1010, -1013, -2010, -2011 and -2038 the words decide; the list of binance.md 12.
TEXTS: list[tuple[str, str, bool]] = [
    ("Unknown order sent.", "order_is_closed", THEIRS),
    ("Duplicate order sent.", "checking", THEIRS),
    ("Market is closed.", "market_closed", THEIRS),
    ("Account has insufficient balance for requested action.", "unavailable", OURS),
    ("Market orders are not supported for this symbol.", "not_supported", THEIRS),
    (NO_ORDERS.format("Iceberg"), "not_offered", THEIRS),
    (NO_ORDERS.format("Stop loss"), "not_offered", THEIRS),
    (NO_ORDERS.format("Stop loss limit"), "not_offered", THEIRS),
    (NO_ORDERS.format("Take profit"), "not_offered", THEIRS),
    (NO_ORDERS.format("Take profit limit"), "not_offered", THEIRS),
    (NO_ORDERS.format("Trailing stop"), "not_offered", THEIRS),
    ("OCO orders are not supported for this symbol", "not_offered", THEIRS),
    (NO_ORDERS.format("OPO"), "not_offered", THEIRS),
    (NO_ORDERS.format("Pegged"), "not_offered", THEIRS),
    ("Quote order qty market orders are not support for this symbol.", "not_offered", THEIRS),
    ("Order amend is not supported for this symbol.", "not_offered", THEIRS),
    ("Order amend (pending OPO order) is not supported.", "not_offered", THEIRS),
    ("Order cancel-replace is not supported for this symbol.", "not_offered", THEIRS),
    ("Price * QTY is zero or less.", "bad_amount", THEIRS),
    ("IcebergQty exceeds QTY.", "bad_amount", THEIRS),
    ("This action is disabled on this account.", "unavailable", OURS),
    ("This account may not place or cancel orders.", "unavailable", OURS),
    ("This symbol is not permitted for this account.", "unavailable", OURS),
    ("This symbol is restricted for this account.", "unavailable", OURS),
    ("Rest API trading is not enabled.", "unavailable", OURS),
    ("WebSocket API trading is not enabled.", "unavailable", OURS),
    ("FIX API trading is not enabled.", "unavailable", OURS),
    ("Unsupported order combination", "bad_combination", THEIRS),
    ("Order would trigger immediately.", "would_trigger", THEIRS),
    ("Stop price would trigger immediately.", "would_trigger", THEIRS),
    ("Cancel order is invalid. Check origClOrdId and orderId.", "our_mistake", OURS),
    ("Order would immediately match and take.", "would_take", THEIRS),
    ("The relationship of the prices for the orders is not correct.", "prices_cross", THEIRS),
    ("Order was not canceled due to cancel restrictions.", "order_moved", THEIRS),
    ("Order book liquidity is less than `LOT_SIZE` filter minimum quantity.", "no_liquidity", THEIRS),
    ("Order book liquidity is less than `MARKET_LOT_SIZE` filter minimum quantity.", "no_liquidity", THEIRS),
    ("Order book liquidity is less than symbol minimum quantity.", "no_liquidity", THEIRS),
    ("Order amend (quantity increase) is not supported.", "only_less", THEIRS),
    ("The requested action would change no state; rejecting.", "no_change", THEIRS),
    ("This symbol does not allow the specified self-trade prevention mode.", "our_mistake", OURS),
]
FILTERS: list[tuple[str, str, bool]] = [
    ("PRICE_FILTER", "price_filter", THEIRS),
    ("PERCENT_PRICE", "percent_price", THEIRS),
    ("PERCENT_PRICE_BY_SIDE", "percent_price", THEIRS),
    ("LOT_SIZE", "lot_size", THEIRS),
    ("MARKET_LOT_SIZE", "lot_size", THEIRS),
    ("MIN_NOTIONAL", "min_notional", THEIRS),
    ("NOTIONAL", "notional", THEIRS),
    ("ICEBERG_PARTS", "iceberg_parts", THEIRS),
    ("TRAILING_DELTA", "trailing_delta", THEIRS),
    ("MAX_NUM_ORDER_AMENDS", "amended_too_often", THEIRS),
    ("MAX_NUM_ORDERS", "unavailable", OURS),
    ("MAX_NUM_ALGO_ORDERS", "unavailable", OURS),
    ("MAX_NUM_ICEBERG_ORDERS", "unavailable", OURS),
    ("MAX_NUM_ORDER_LISTS", "unavailable", OURS),
    ("MAX_POSITION", "unavailable", OURS),
    ("MAX_ASSET", "unavailable", OURS),
    ("EXCHANGE_MAX_NUM_ORDERS", "unavailable", OURS),
    ("EXCHANGE_MAX_NUM_ALGO_ORDERS", "unavailable", OURS),
    ("EXCHANGE_MAX_NUM_ICEBERG_ORDERS", "unavailable", OURS),
    ("EXCHANGE_MAX_NUM_ORDER_LISTS", "unavailable", OURS),
]
TABLE = [
    *CODES,
    *((code, text, *rest) for text, *rest in TEXTS for code in (-1010, -2010, -2011)),
    *((-1013, f"Filter failure: {name}", *rest) for name, *rest in FILTERS),
    (-9999, "Something new.", "refused_by_venue", THEIRS),
]


@pytest.mark.parametrize(("code", "text", "word", "is_ours"), TABLE)
def test_each_refusal_has_a_word_and_a_sentence_of_our_own(
    code: int, text: str, word: str, is_ours: bool
) -> None:
    found = told(code, text)
    sentence = str(found.sentence).lower()
    assert (found.code, found.is_ours) == (word, is_ours)
    assert sentence.endswith(".") and "unknown error" not in sentence
    assert text.lower().strip(".") not in sentence and "balance" not in sentence


@pytest.mark.parametrize("reason", [
    "EXPIRED_IN_MATCH", "REJECTED", "EXCHANGE_CANCELED", "OCO_TRIGGER", "OTO_PHASE_ONE_EXPIRED",
    "UNFILLED_IOC_QUANTITY_EXPIRED", "UNFILLED_FOK_ORDER_EXPIRED", "INSUFFICIENT_LIQUIDITY",
    "EXECUTION_RULE_PRICE_RANGE_EXCEEDED", "INSUFFICIENT_BALANCES", "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
    "WOULD_MATCH_IMMEDIATELY", "OCO_BAD_PRICES",
])  # fmt: skip
def test_each_reason_for_which_the_venue_ends_an_order_is_told(reason: str) -> None:
    assert str(REASONS[reason]).endswith(".")
    assert "balance" not in str(REASONS[reason]).lower()


def place(user: User, nonce: str = "n1") -> Order:
    return services.place_order(user=user, ticket=ticket(nonce=nonce))


@pytest.mark.parametrize(
    "answer",
    [
        error(-2010, "Account has insufficient balance for requested action."),
        error(-1013, "Filter failure: MAX_NUM_ORDERS"),
        error(-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
    ],
)
def test_what_is_the_houses_problem_staff_hear_of_once_in_the_venues_words_and_customers_in_ours(
    alice: User, venue: Venue, answer: Any
) -> None:
    carol = make_user("carol", is_staff=True)
    venue.on("POST", "/api/v3/order", answer)
    orders = [place(alice, nonce) for nonce in ("a", "b")]
    words = answer[1]["msg"]
    assert words in Notice.objects.get(user=carol).body
    assert {order.status for order in orders} == {"REJECTED"}
    assert not any(words in order.reason for order in orders)
    assert no_hold_is_left()
    assert balance(alice, "USDT") == (100000, 0)


def test_of_a_refused_key_staff_hear_once_and_the_next_order_is_not_even_recorded(
    alice: User, venue: Venue
) -> None:
    make_user("carol", is_staff=True)
    venue.on("POST", "/api/v3/order", error(-2015, "Invalid API-key, IP, or permissions for action.", 401))
    order = place(alice, "a")
    with pytest.raises(NoAccount) as refusal:
        place(alice, "b")
    assert (order.status, order.reason_code, refusal.value.status) == ("REJECTED", "unavailable", 503)
    assert "Invalid API-key" in Notice.objects.get().body and Order.objects.count() == 1
    assert "balance" not in str(refusal.value) and no_hold_is_left()


@pytest.mark.parametrize("status", [429, 418])
def test_a_limit_of_ours_is_told_to_staff_and_passes_for_customers(
    alice: User, venue: Venue, status: int
) -> None:
    make_user("carol", is_staff=True)
    venue.on("POST", "/api/v3/order", error(-1003, "Way too much request weight used.", status))
    assert place(alice).reason_code == "busy"
    assert Notice.objects.count() == 1
    assert no_hold_is_left()


def test_a_cancel_refused_because_of_us_is_told_to_staff(alice: User, venue: Venue) -> None:
    make_user("carol", is_staff=True)
    venue.places()
    order = place(alice)
    venue.on("DELETE", "/api/v3/order", error(-2015, "Invalid API-key, IP, or permissions for action.", 401))
    venue.on("GET", "/api/v3/order", error(-2015, "Invalid API-key, IP, or permissions for action.", 401))
    assert services.cancel_order(user=alice, order_id=order.pk).status == "OPEN"
    assert "Invalid API-key" in Notice.objects.get().body


def test_a_customers_own_mistake_is_no_alarm(alice: User, venue: Venue) -> None:
    make_user("carol", is_staff=True)
    venue.on("POST", "/api/v3/order", error(-1013, "Filter failure: NOTIONAL"))
    assert place(alice).reason_code == "notional"
    assert not Notice.objects.exists()


def test_a_duplicate_is_the_first_one_which_is_asked_for(alice: User, venue: Venue) -> None:
    """The id is used once, so whatever has it at the venue is this order."""
    venue.on("POST", "/api/v3/order", error(-2010, "Duplicate order sent."))
    order = place(alice)
    assert order.status == "PENDING"
    assert balance(alice, "USDT") == (61000, 39000)
    venue.knows()
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    assert order.status == "OPEN"
