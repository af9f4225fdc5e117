"""The judge of `make prove-routes` says no when somebody was worse off, untold, or met another of ours at the venue."""

import copy
from typing import Any

import pytest

from tests.prove_routes import is_proven

KINDS = {
    name: {"orders": 50, "better": better, "saved_bps": saved}
    for name, better, saved in (
        ("DIRECT", 0, "0.000"),
        ("SOR", 50, "8.1"),
        ("TWO_LEGS", 9, "40"),
        ("CROSS", 9, "2"),
    )
}
COMPARED = {"orders": 200, "refused": 3, "kinds": KINDS, "worst_ticks": "0.2", "worse_by_more": []}
FIGURES: dict[str, Any] = {
    "in_memory": COMPARED,
    "real": {**COMPARED, "differences": {}, "unfinished": [], "untold": [], "met_at_the_venue": 0},
    "second_trade": {
        "struck": {"refuse": {"EXPIRED": 8}, "504 after": {"FILLED": 8}},
        "untold": [],
        "unfinished": [],
        "differences": {},
    },
    "crossed": {"settled": 5, "fills": 10, "with_improvement_said": 5, "improved": 1},
    "unbalanced": 0,
}


def test_what_was_asked_is_proven() -> None:
    assert is_proven(FIGURES)


@pytest.mark.parametrize(
    ("path", "spoiled"),
    [
        (("in_memory", "worst_ticks"), "1.01"),
        (("real", "worse_by_more"), ["one"]),
        (("in_memory", "kinds", "SOR", "saved_bps"), "-0.1"),
        (("real", "kinds", "TWO_LEGS", "better"), 0),
        (("real", "differences"), {"BTC": "1"}),
        (("real", "unfinished"), ["one"]),
        (("real", "untold"), ["one"]),
        (("real", "met_at_the_venue"), 1),
        (("second_trade", "untold"), ["one"]),
        (("second_trade", "unfinished"), ["one"]),
        (("second_trade", "differences"), {"BTC": "1"}),
        (("second_trade", "struck", "refuse"), {}),
        (("crossed", "settled"), 0),
        (("crossed", "fills"), 9),
        (("crossed", "with_improvement_said"), 4),
        (("unbalanced",), 1),
    ],
)
def test_anything_less_is_not(path: tuple[str, ...], spoiled: Any) -> None:
    figures = copy.deepcopy(FIGURES)
    place = figures
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = spoiled
    assert not is_proven(figures)


def test_a_kind_of_route_that_was_never_taken_proves_nothing() -> None:
    figures = copy.deepcopy(FIGURES)
    del figures["in_memory"]["kinds"]["CROSS"]
    assert not is_proven(figures)
