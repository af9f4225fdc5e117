"""The judge of `make prove-streams` says no when a trade is missing, and when nobody noticed anything."""

from typing import Any

import pytest

from tests.prove_streams import is_proven

FIGURES: dict[str, Any] = {
    "renewals": 5,
    "expired_meanwhile": 0,
    "new_keys_meanwhile": 0,
    "expired_without_worker": 1,
    "recovered_in": 1.2,
    "staff_told": 2,
    "trades": 90,
    "reports_of_trades_by_stream": 90,
    "missing": 0,
    "doubled": 0,
    "key_is_told": False,
    "unbalanced": 0,
}


def test_what_was_asked_is_proven() -> None:
    assert is_proven(FIGURES)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"renewals": 4},
        {"renewals": 8},
        {"expired_meanwhile": 1},
        {"new_keys_meanwhile": 1},
        {"expired_without_worker": 0},
        {"recovered_in": None},
        {"recovered_in": 20.1},
        {"staff_told": 0},
        {"trades": 19},
        {"reports_of_trades_by_stream": 19},
        {"missing": 1},
        {"doubled": 1},
        {"key_is_told": True},
        {"unbalanced": 1},
    ],
)
def test_anything_less_is_not(spoiled: dict[str, Any]) -> None:
    assert not is_proven({**FIGURES, **spoiled})
