"""Amounts keep every digit, and nothing but plain text is a number."""

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import money
from exchange.errors import BadNumber

NOT_NUMBERS: list[object] = [
    "", " ", "-1", "+1", "-0", "1e3", "1E400", "NaN", "Infinity", ".5", "5.", "1,5", "1 000", "0x10", "１２", "٣",
    "1.0000000000000000001", "123456789012345678901", "1\n", " 1", "1_000", None, 1, 1.5, True, Decimal(1), b"1", [],
]  # fmt: skip
AMOUNTS = st.decimals(min_value=0, max_value=10**12, places=8, allow_nan=False, allow_infinity=False)
STEPS = st.sampled_from([Decimal(step) for step in ("0.00000001", "0.001", "0.5", "1", "10", "0.07")])


@pytest.mark.parametrize("text", NOT_NUMBERS, ids=repr)
def test_what_is_not_plain_text_is_refused(text: object) -> None:
    with pytest.raises(BadNumber) as refusal:
        money.parse(text, field="quantity")
    assert refusal.value.field == "quantity"


@pytest.mark.parametrize("text", ["0", "1", "0.1", "007", "12345678901234567890.123456789012345678"])
def test_plain_text_is_taken_to_the_last_digit(text: str) -> None:
    assert money.parse(text) == Decimal(text)


@given(AMOUNTS)
def test_plain_and_parse_are_inverse(amount: Decimal) -> None:
    text = money.plain(amount)
    assert "E" not in text.upper() and money.parse(text) == amount


@given(AMOUNTS, STEPS)
def test_the_steps_around_an_amount_are_the_nearest(amount: Decimal, step: Decimal) -> None:
    low, high = money.floor_to_step(amount, step), money.ceil_to_step(amount, step)
    assert low <= amount <= high and high - low in {0, step}
    assert money.is_multiple(low, step) and money.is_multiple(high, step)


@given(AMOUNTS, st.integers(min_value=0, max_value=8))
def test_a_hold_is_rounded_up_and_never_by_a_whole_unit(amount: Decimal, scale: int) -> None:
    assert 0 <= money.round_up(amount, scale) - amount < Decimal(1).scaleb(-scale)


def test_a_step_of_zero_is_no_rule() -> None:
    assert money.is_multiple(Decimal("0.123"), Decimal(0))
    assert money.floor_to_step(Decimal("0.123"), Decimal(0)) == Decimal("0.123")


def test_a_product_that_would_lose_a_digit_is_an_error() -> None:
    wide = Decimal("1." + "1" * 50)
    with pytest.raises(Inexact):
        money.multiply(wide, wide)


@pytest.mark.parametrize(("amount", "count"), [("1", 0), ("1.10", 1), ("0.00000001", 8), ("100", 0)])
def test_decimals_counts_what_the_amount_needs(amount: str, count: int) -> None:
    assert money.decimals(Decimal(amount)) == count
