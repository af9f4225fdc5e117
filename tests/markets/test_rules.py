"""The venue's filters, in exact arithmetic, with the nearest value it would take."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange.money import decimals, floor_to_step, multiply, plain
from markets import rules
from markets.errors import FilterViolation

DATA = Path(__file__).parent.parent / "data" / "exchangeinfo"
PRICE = {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"}
LOT = {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"}
MARKET_LOT = {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "50", "stepSize": "0"}
MIN_NOTIONAL = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True}
NOTIONAL = {
    "filterType": "NOTIONAL",
    "minNotional": "5",
    "maxNotional": "9000",
    "applyMinToMarket": True,
    "applyMaxToMarket": False,
}
PERCENT = {"filterType": "PERCENT_PRICE", "multiplierUp": "5", "multiplierDown": "0.2", "avgPriceMins": 5}
BY_SIDE = {
    "filterType": "PERCENT_PRICE_BY_SIDE",
    "bidMultiplierUp": "1.1",
    "bidMultiplierDown": "0.5",
    "askMultiplierUp": "2",
    "askMultiplierDown": "0.9",
}


def refusal(filters: list[dict[str, Any]], side: str = "BUY", type: str = "LIMIT", **texts: str) -> Any:
    """(code, field, nearest) of the violation; None when the order passes."""
    try:
        amounts: dict[str, Any] = {name: Decimal(text) for name, text in texts.items()}
        rules.check(filters, side=side, type=type, **amounts)
    except FilterViolation as violation:
        return violation.code, violation.field, violation.nearest
    return None


@pytest.mark.parametrize(
    ("filters", "order", "expected"),
    [
        ([PRICE], {"price": "0.01"}, None),
        ([PRICE], {"price": "1000000"}, None),
        ([PRICE], {"price": "0.001"}, ("price_too_low", "price", "0.01")),
        ([PRICE], {"price": "1000000.01"}, ("price_too_high", "price", "1000000")),
        ([PRICE], {"price": "99999999999999999999.999999999999999999"}, ("price_too_high", "price", "1000000")),
        ([PRICE], {"price": "12.345"}, ("off_tick", "price", "12.34")),
        ([PRICE], {"price": "12.345", "side": "SELL"}, ("off_tick", "price", "12.35")),
        ([PRICE], {"price": "999999.999", "side": "SELL"}, ("off_tick", "price", "1000000")),
        ([{**PRICE, "minPrice": "0", "maxPrice": "0"}], {"price": "0.001"}, ("off_tick", "price", "0")),
        ([{**PRICE, "tickSize": "0"}], {"price": "12.3456789"}, None),
        ([{**PRICE, "maxPrice": "0.00000000"}], {"price": "88888888"}, None),
        ([PRICE], {"quantity": "1"}, None),
        ([LOT], {"quantity": "0.001"}, None),
        ([LOT], {"quantity": "9000"}, None),
        ([LOT], {"quantity": "0.0009"}, ("quantity_too_small", "quantity", "0.001")),
        ([LOT], {"quantity": "9000.001"}, ("quantity_too_large", "quantity", "9000")),
        ([LOT], {"quantity": "1.0005"}, ("off_step", "quantity", "1")),
        ([{**LOT, "minQty": "0.0015"}], {"quantity": "0.0017"}, ("off_step", "quantity", "0.002")),
        ([LOT], {"quote_quantity": "0.0000001"}, None),
        ([LOT, MARKET_LOT], {"quantity": "51"}, None),
        ([LOT, MARKET_LOT], {"quantity": "51", "type": "MARKET"}, ("quantity_too_large", "quantity", "50")),
        ([LOT, MARKET_LOT], {"quantity": "1.0001", "type": "MARKET"}, ("off_step", "quantity", "1")),
        ([LOT, MIN_NOTIONAL], {"price": "3", "quantity": "3.333"}, ("below_min_notional", "quantity", "3.334")),
        ([LOT, MIN_NOTIONAL], {"price": "3", "quantity": "3.334"}, None),
        ([MIN_NOTIONAL], {"price": "3", "quantity": "1"}, ("below_min_notional", "quantity", "3.333333333333333334")),
        (
            [MIN_NOTIONAL],
            {"type": "MARKET", "quote_quantity": "9.99"},
            ("below_min_notional", "quote_quantity", "10"),
        ),
        ([{**MIN_NOTIONAL, "applyToMarket": False}], {"type": "MARKET", "quote_quantity": "1"}, None),
        ([MIN_NOTIONAL], {"type": "MARKET", "quantity": "1"}, None),
        (
            [LOT, MIN_NOTIONAL],
            {"type": "MARKET", "quantity": "1", "reference": "9"},
            ("below_min_notional", "quantity", "1.112"),
        ),
        ([LOT, NOTIONAL], {"price": "100", "quantity": "90"}, None),
        ([LOT, NOTIONAL], {"price": "100", "quantity": "90.001"}, ("above_max_notional", "quantity", "90")),
        ([LOT, NOTIONAL], {"type": "MARKET", "quantity": "90.001", "reference": "100"}, None),
        ([NOTIONAL, MIN_NOTIONAL], {"price": "8", "quantity": "1"}, ("below_min_notional", "quantity", "1.25")),
        ([MIN_NOTIONAL, NOTIONAL], {"price": "10000", "quantity": "1"}, ("above_max_notional", "quantity", "0.9")),
        ([PRICE, PERCENT], {"price": "500", "reference": "100"}, None),
        ([PRICE, PERCENT], {"price": "500.01", "reference": "100"}, ("far_from_market", "price", "500")),
        ([PRICE, PERCENT], {"price": "1.99", "reference": "10.003"}, ("far_from_market", "price", "2.01")),
        ([PRICE, PERCENT], {"price": "1.99"}, None),
        ([PRICE, BY_SIDE], {"price": "111", "reference": "100"}, ("far_from_market", "price", "110")),
        ([PRICE, BY_SIDE], {"price": "111", "reference": "100", "side": "SELL"}, None),
        ([PRICE, BY_SIDE], {"price": "89", "reference": "100"}, None),
        ([PRICE, BY_SIDE], {"price": "89", "reference": "100", "side": "SELL"}, ("far_from_market", "price", "90")),
        ([{**PERCENT, "multiplierUp": "0"}], {"price": "9000", "reference": "1"}, None),
        ([{"filterType": "NEXT_YEARS_RULE", "limit": 1}, {"limit": 2}], {"price": "1", "quantity": "1"}, None),
        ([], {"price": "0.000000000000000001", "quantity": "1"}, None),
    ],
)  # fmt: skip
def test_each_filter_refuses_what_the_venue_would(
    filters: list[dict[str, Any]], order: dict[str, str], expected: object
) -> None:
    assert refusal(filters, **order) == expected


def test_a_refusal_tells_the_bound_and_what_would_be_right() -> None:
    with pytest.raises(FilterViolation) as refused:
        rules.check([PRICE], side="BUY", type="LIMIT", price=Decimal("12.345"))
    assert str(refused.value) == "The price must be a multiple of 0.01; nearest 12.34."


def test_a_value_is_compared_to_the_last_digit() -> None:
    exact = {"filterType": "MIN_NOTIONAL", "minNotional": "99999999999.999999999999999999"}
    order = {"price": "99999999999.999999999999999998", "quantity": "1"}
    assert refusal([exact], **order) is not None
    assert refusal([exact], **{**order, "price": "99999999999.999999999999999999"}) is None


def recorded_symbols() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(DATA.glob("*.json.gz")):
        body = json.loads(gzip.decompress(path.read_bytes()))
        found += [(f"{path.stem}:{row['symbol']}", row) for row in body["symbols"]]
    return found


def test_every_recorded_symbol_takes_its_own_smallest_order_and_refuses_a_finer_one() -> None:
    rows = recorded_symbols()
    assert len(rows) == 3878
    wrong = [name for name, row in rows if not keeps_its_rules(row["filters"])]
    assert wrong == []


def keeps_its_rules(filters: list[dict[str, Any]]) -> bool:
    tick, step = rules.tick_size(filters), rules.step_size(filters)
    bounds = next(item for item in filters if item["filterType"] == "PRICE_FILTER")
    low, high = rules.number(bounds, "minPrice"), rules.number(bounds, "maxPrice")
    price = floor_to_step(min(max(low, tick) * 1000, high), tick)
    order = {"price": str(price), "quantity": str(step), "reference": str(price)}
    for _attempt in range(3):  # each refusal of an amount names the one to try instead
        if (refused := refusal(filters, **order)) is None:
            break
        order[refused[1]] = refused[2]
    finer = {**order, "price": str(price - tick / 10), "reference": str(price)}
    return refusal(filters, **order) is None and refusal(filters, **finer) == (
        "off_tick",
        "price",
        plain(price - tick),
    )


def test_every_recorded_symbols_finest_fill_fits_the_scales_of_its_assets() -> None:
    finer_than_eight = 0
    for name, row in recorded_symbols():
        filters = row["filters"]
        base, quote = rules.scales(filters, row["baseAssetPrecision"], row["quoteAssetPrecision"])
        finest = multiply(rules.tick_size(filters), rules.step_size(filters))
        assert decimals(rules.step_size(filters)) <= base and decimals(finest) <= quote, name
        finer_than_eight += quote > rules.SCALE
    assert finer_than_eight == 341
