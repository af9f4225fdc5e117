"""The judge of `make prove-market` says no when a fault did nothing, and when the weight was too much."""

from typing import Any

import pytest

from markets import feed
from tests.markets.watching import Watching
from tests.prove_market import MARKETS, is_proven

BACK = {
    "noticed": 0.3,
    "down": MARKETS,
    "struck": MARKETS,
    "watched": 1.2,
    "all": 20.0,
    "live": MARKETS,
    "knew_at_least": 100,
}
FIGURES: dict[str, Any] = {
    "line_lost": BACK | {"down": 1},
    "books_lost": BACK,
    "most_weight_of_a_minute": 0.4,
    "most_weight_of_60_seconds": 0.5,
    "watched_known_at_least": 900,
    "compared": 900,
    "all_compared": MARKETS,
    "wrong": 0,
}


def test_what_was_asked_is_proven() -> None:
    assert is_proven(FIGURES)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"books_lost": BACK | {"noticed": 60.0, "down": 0, "watched": -900.0, "all": -900.0}},
        {"line_lost": BACK | {"noticed": 60.0, "down": 0, "watched": -900.0, "all": -900.0}},
        {"line_lost": BACK | {"noticed": 5.1}},
        {"books_lost": BACK | {"struck": MARKETS - 1}},
        {"books_lost": BACK | {"live": MARKETS - 1}},
        {"line_lost": BACK | {"watched": 10.1}},
        {"most_weight_of_a_minute": 0.6},
        {"most_weight_of_60_seconds": 0.6},
        {"wrong": 1},
    ],
)
def test_what_was_not_is_not(spoiled: dict[str, Any]) -> None:
    assert not is_proven(FIGURES | spoiled)


def test_every_market_that_was_not_live_for_a_moment_is_counted_once() -> None:
    symbols = ["AUSDT", "BUSDT", "CUSDT"]
    watching = Watching("", symbols, [])
    redis = feed.client()
    for states in (("LIVE", "LIVE", "LIVE"), ("LIVE", "STALE", None), ("LIVE", "SYNCING", "LIVE")):
        for symbol, state in zip(symbols, states, strict=True):
            redis.set(feed.book_key(symbol), f'{{"state":"{state}"}}' if state else "")
        watching.look(at=5.0 if states[1] == "LIVE" else 7.0)
    assert (watching.live(symbols), watching.down_since(6.0), watching.last_down(symbols)) == (2, 2, 7.0)
