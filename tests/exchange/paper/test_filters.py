"""Filters as the venue applies them, in exact decimals, to every symbol it lists."""

from decimal import Decimal
from typing import Any

import pytest

from exchange.paper.catalogue import live_symbols, recorded_symbols
from exchange.paper.errors import ApiError
from exchange.paper.filters import Filters, parse

D = Decimal
ROWS: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "900", "stepSize": "0.001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "50", "stepSize": "0.00000000"},
    {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True, "maxNotional": "9000",
     "applyMaxToMarket": False, "avgPriceMins": 5},
    {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "1.2", "bidMultiplierDown": "0.2",
     "askMultiplierUp": "5", "askMultiplierDown": "0.8", "avgPriceMins": 5},
    {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 3},
    {"filterType": "MAX_POSITION", "maxPosition": "10"},
]  # fmt: skip
ALL_SYMBOLS = [*live_symbols(), *recorded_symbols().values()]


def refusal(check: str, *args: Any, **more: Any) -> str:
    try:
        getattr(Filters(ROWS), check)(*args, **more)
    except ApiError as error:
        return error.message.removeprefix("Filter failure: ")
    return ""


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("0.01", ""),
        ("1000", ""),
        ("1000.01", "PRICE_FILTER"),
        ("0.011", "PRICE_FILTER"),
        ("0.009", "PRICE_FILTER"),
    ],
)
def test_a_price_lies_in_its_range_on_a_tick(price: str, said: str) -> None:
    assert refusal("check_price", "BUY", D(price), None) == said


@pytest.mark.parametrize(
    ("side", "price", "said"),
    [
        ("BUY", "120", ""),
        ("BUY", "120.01", "PERCENT_PRICE_BY_SIDE"),
        ("BUY", "19.99", "PERCENT_PRICE_BY_SIDE"),
        ("SELL", "120.01", ""),
        ("SELL", "79.99", "PERCENT_PRICE_BY_SIDE"),
    ],
)
def test_a_price_is_not_too_far_from_the_average_for_its_side(side: str, price: str, said: str) -> None:
    assert refusal("check_price", side, D(price), D(100)) == said


@pytest.mark.parametrize(
    ("quantity", "is_market", "said"),
    [
        ("0.001", False, ""),
        ("0.0005", False, "LOT_SIZE"),
        ("0.0015", False, "LOT_SIZE"),
        ("900.001", False, "LOT_SIZE"),
        ("50", True, ""),
        ("50.001", True, "MARKET_LOT_SIZE"),
    ],
)
def test_a_quantity_is_a_whole_number_of_steps(quantity: str, is_market: bool, said: str) -> None:
    assert refusal("check_quantity", D(quantity), is_market=is_market) == said


@pytest.mark.parametrize(
    ("notional", "is_market", "said"),
    [("5", False, ""), ("4.99", False, "NOTIONAL"), ("4.99", True, "NOTIONAL"), ("9000.01", False, "NOTIONAL"),
     ("9000.01", True, "")],
)  # fmt: skip
def test_a_notional_lies_in_its_range(notional: str, is_market: bool, said: str) -> None:
    assert refusal("check_notional", D(notional), is_market=is_market) == said


def test_there_may_be_so_many_open_orders_and_so_large_a_position() -> None:
    said = [refusal("check_count", 2), refusal("check_count", 3)]
    said += [refusal("check_position", D(10)), refusal("check_position", D("10.001"))]
    assert said == ["", "MAX_NUM_ORDERS", "", "MAX_POSITION"]


@pytest.mark.parametrize("info", ALL_SYMBOLS, ids=lambda info: str(info["symbol"]))
def test_a_tick_and_a_step_of_every_listed_symbol_pass_and_half_of_them_does_not(
    info: dict[str, Any],
) -> None:
    filters = Filters(info["filters"])
    lot = next(row for row in info["filters"] if row["filterType"] == "LOT_SIZE")
    quantity = max(D(lot["minQty"]), filters.step)
    filters.check_price("BUY", filters.tick * 1000, None)
    filters.check_quantity(quantity, is_market=False)
    with pytest.raises(ApiError, match="PRICE_FILTER"):
        filters.check_price("BUY", filters.tick * 1000 + filters.tick / 2, None)
    with pytest.raises(ApiError, match="LOT_SIZE"):
        filters.check_quantity(quantity + filters.step / 2, is_market=False)


@pytest.mark.parametrize("text", ["1e3", "+1", "-1", " 1", "1.", ".5", "١", "NaN", "1,5", "0x1", "1" * 21])
def test_a_number_is_written_plainly(text: str) -> None:
    with pytest.raises(ApiError, match="Illegal characters found in parameter 'price'"):
        parse(text, "price")


def test_at_least_twelve_markets_are_listed_with_their_real_filters() -> None:
    listed = {info["symbol"]: len(info["filters"]) for info in live_symbols()}
    assert len(listed) >= 12
    assert {"BTCUSDT", "ETHUSDT"} <= set(listed)
    assert min(listed.values()) >= 8
