"""What an order would cost: the walk of a book, by hand and against the paper venue's executions."""

from decimal import Decimal
from typing import Any

import pytest

from markets import queries
from markets.walks import walk
from tests.markets.walking import walk_and_execute

D = Decimal
BIDS, ASKS = [("89", "2"), ("80", "1")], [("100", "2"), ("110", "1")]


def levels(side: str) -> list[tuple[str, str]]:
    return ASKS if side == "BUY" else BIDS


@pytest.mark.parametrize(
    ("side", "wanted", "quantity", "quote", "worst", "is_complete"),
    [
        ("BUY", {"quantity": "1"}, "1", "100", "100", True),
        ("BUY", {"quantity": "2.5"}, "2.5", "255.0", "110", True),
        ("BUY", {"quantity": "9"}, "3", "310", "110", False),
        ("SELL", {"quantity": "1.5"}, "1.5", "133.5", "89", True),
        ("BUY", {"quote": "50"}, "0.5", "50", "100", True),
        ("BUY", {"quote": "255"}, "2.5", "255", "110", True),
        ("BUY", {"quote": "1000"}, "3", "310", "110", False),
        ("SELL", {"quote": "89"}, "1", "89", "89", True),
        ("BUY", {"quantity": "0"}, "0", "0", None, True),
    ],
)
def test_a_walk_takes_level_after_level_and_says_when_the_book_ends(
    side: str, wanted: dict[str, str], quantity: str, quote: str, worst: str | None, is_complete: bool
) -> None:
    amounts: dict[str, Any] = {name: D(text) for name, text in wanted.items()}
    found = walk(levels(side), side, **amounts)
    assert (found.quantity, found.quote, found.worst, found.is_complete, found.is_beyond) == (
        D(quantity),
        D(quote),
        None if worst is None else D(worst),
        is_complete,
        not is_complete,
    )


def test_a_walk_for_a_total_spends_exactly_that() -> None:
    found = walk([("3", "10")], "BUY", quote=D(10))
    assert (found.quote, found.is_complete) == (D(10), True)
    assert found.quantity.quantize(D("1e-20")) == D("3.33333333333333333333")


def test_a_total_buys_whole_steps() -> None:
    """As the venue does it: what is left pays for no further step."""
    found = walk([("3", "1"), ("4", "10")], "BUY", quote=D(10), step=D("0.1"))
    assert (found.quantity, found.quote, found.is_complete) == (D("2.7"), D("9.8"), True)


@pytest.mark.parametrize(("side", "limit", "quantity"), [("BUY", "100", "2"), ("SELL", "88", "2")])
def test_no_level_beyond_the_limit_is_taken(side: str, limit: str, quantity: str) -> None:
    found = walk(levels(side), side, quantity=D(4), limit=D(limit))
    assert (found.quantity, found.share) == (D(quantity), D("0.5"))
    assert (found.is_complete, found.is_beyond) == (False, False)


def test_slippage_is_told_in_basis_points_of_the_best_price() -> None:
    found = walk([("100", "1"), ("102", "1")], "BUY", quantity=D(2))
    assert (found.average, found.slippage_bps) == (D(101), D(100))


def test_a_walk_never_jumps_over_what_is_not_known() -> None:
    """Of a hundred levels a snapshot told, of one far away an event: what lies between nobody here knows."""
    asks = [*((str(1000 + number), "1") for number in range(100)), ("5000", "1000")]
    shown = queries.PublishedBook("BTCUSDT", 1, 1, 1, 1, "LIVE", 100, BIDS, asks)
    found = walk(shown.facing("BUY"), "BUY", quantity=D(150))
    assert (found.quantity, found.worst, found.is_complete, found.is_beyond) == (D(100), D(1099), False, True)


def test_an_empty_side_gives_nothing() -> None:
    found = walk([], "SELL", quantity=D(1))
    assert (found.quantity, found.average, found.share, found.is_beyond) == (D(0), None, D(0), True)


def test_walks_equal_the_paper_venues_executions_to_the_last_digit() -> None:
    """A thousand random orders over all its markets; `make prove` does ten thousand."""
    tally = walk_and_execute(1_000, seed=20261126)
    assert tally.differences == []
    assert {kind for kind, number in tally.kinds.items() if number >= 40} >= {
        "quantity in full",
        "total in full",
        "limit in full",
        "limit in part",
        "published, quantity in full",
        "published, total in full",
        "published, limit in full",
        "beyond what is known",
    }
