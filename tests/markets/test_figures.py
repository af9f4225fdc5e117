"""Figures on pages: grouped, signed, and never rounded where they are somebody's money."""

from decimal import Decimal

import pytest

from markets.templatetags import figures


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("1234567.89000"), "1,234,567.89"),
        (Decimal("0.000000000000000001"), "0.000000000000000001"),
        (Decimal("1E+3"), "1,000"),
        (Decimal("-1234.5"), "-1,234.5"),
        (Decimal("-0.5"), "-0.5"),
        ("50123.4512", "50,123.4512"),
        (None, "–"),
        ("", "–"),
        ("NaN", "–"),
    ],
)
def test_an_amount_shows_all_its_digits_and_no_more(value: object, shown: str) -> None:
    assert figures.amount(value) == shown


def test_a_price_has_the_decimals_of_its_tick() -> None:
    assert figures.at_step("59695.8", Decimal("0.01000000")) == "59,695.80"


def test_a_price_finer_than_its_tick_is_not_cut() -> None:
    assert figures.at_step("59695.845", Decimal("0.01")) == "59,695.845"


@pytest.mark.parametrize(("value", "shown"), [("1.25", "+1.25%"), ("-0.8", "−0.80%"), ("0", "+0.00%")])
def test_a_change_says_its_direction_by_sign(value: str, shown: str) -> None:
    assert shown in figures.change(value)


def test_an_entry_says_its_direction_by_sign() -> None:
    assert [figures.signed(Decimal(5)), figures.signed(Decimal(-5))] == ["+5", "−5"]


def test_a_volume_is_told_in_few_figures() -> None:
    assert [figures.compact(Decimal(text)) for text in ("12.3", "1234", "1088517000")] == [
        "12.30",
        "1.23K",
        "1.09B",
    ]


def test_basis_points_read_as_per_cent() -> None:
    assert figures.bps(10) == "0.1%"


def test_markup_in_a_figure_is_escaped() -> None:
    assert "<" not in figures.amount("<b>")
