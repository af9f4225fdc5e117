"""Candle history: seeded before the first start, the same each time, and of one piece over all intervals."""

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.paper.candles import INTERVALS, open_second
from exchange.paper.errors import ApiError
from exchange.paper.history import BEGINS, Past
from exchange.paper.market import Market, now_ms
from exchange.paper.marketapi import time_zone
from exchange.paper.venue import Venue
from tests.exchange.paper.people import KEYS

D = Decimal
ANCHOR = 1_795_523_314


def past(anchor: int = ANCHOR) -> Past:
    return Past("BTCUSDT", anchor, D("83760"), tick=D("0.01"), step=D("0.00001"), daily_quote=20_000_000)


def joined(rows: list[list[Any]]) -> list[Any]:
    """What the candles of these add up to."""
    sums = [sum(D(row[i]) for row in rows) for i in (5, 7, 9, 10)]
    high, low = max(D(row[2]) for row in rows), min(D(row[3]) for row in rows)
    return [D(rows[0][1]), high, low, D(rows[-1][4]), *sums, sum(row[8] for row in rows)]


@pytest.fixture
def market() -> Market:
    return Venue(None, KEYS, levels=0, deepest=0).live["BTCUSDT"]


@pytest.mark.parametrize(
    ("short", "long"),
    [("1s", "1m"), ("1m", "3m"), ("1m", "5m"), ("5m", "15m"), ("15m", "30m"), ("30m", "1h"), ("1h", "2h"), ("1h", "4h"),
     ("2h", "6h"), ("4h", "8h"), ("1m", "12h"), ("12h", "1d"), ("1d", "3d"), ("1d", "1w"), ("1d", "1M")],
)  # fmt: skip
def test_the_candles_of_an_interval_are_made_of_those_of_a_shorter_one(
    market: Market, short: str, long: str
) -> None:
    whole = market.klines(long, None, now_ms() - 40 * 86_400_000, 1)[0]
    parts: list[list[Any]] = []
    while not parts or parts[-1][6] < whole[6]:
        parts += market.klines(short, parts[-1][6] + 1 if parts else whole[0], whole[6], 1000)
    assert (parts[0][0], parts[-1][6]) == (whole[0], whole[6])
    assert joined(parts) == joined([whole])


def test_the_past_joins_the_price_at_the_first_start(market: Market) -> None:
    seconds = market.klines("1s", None, None, 3)
    assert D(seconds[-1][1]) == market.first_price == D("83760")


def test_candles_follow_each_other_without_a_hole_and_open_where_the_last_one_closed(market: Market) -> None:
    rows = market.klines("1m", None, None, 1000)
    assert all(later[0] == earlier[6] + 1 for earlier, later in itertools.pairwise(rows))
    assert all(later[1] == earlier[4] for earlier, later in itertools.pairwise(rows))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 60, 300, 900, 3600, 14_400, 86_400]),
    st.integers(min_value=1, max_value=80_000_000),
)
def test_every_seeded_candle_is_possible(length: int, ago: int) -> None:
    start = (ANCHOR - ago) // length * length
    bar = past().bar(start, start + length)
    assert bar is not None
    assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    assert 0 <= bar.taker <= bar.volume
    assert all(price % D("0.01") == 0 for price in (bar.open, bar.high, bar.low, bar.close))


def test_the_past_is_the_same_each_time_it_is_asked_for() -> None:
    start = ANCHOR - 3_000_000
    assert past().bar(start, start + 7200) == past().bar(start, start + 7200)


def test_there_is_nothing_after_the_first_start_and_nothing_before_the_listing() -> None:
    assert past().bar(ANCHOR, ANCHOR + 60) is None
    assert past().bar(BEGINS - 86_400, BEGINS) is None


def test_weeks_open_on_monday_and_months_on_their_first() -> None:
    monday, november = 1_795_392_000, 1_793_491_200
    opened = {name: open_second(name, 1_795_523_314) for name in ("1w", "1M", "3d")}
    assert opened == {"1w": monday, "1M": november, "3d": monday + 86_400}


def test_a_start_later_goes_on_with_the_same_candles(tmp_path: Path) -> None:
    first = Venue(tmp_path, KEYS, levels=0, deepest=0)
    market = first.live["BTCUSDT"]
    market.trade(D("83770"), D("0.5"), buyer_takes=True, taker=object())
    first.note()
    first.settle()
    again = Venue(tmp_path, KEYS, levels=0, deepest=0).live["BTCUSDT"]
    for interval in set(INTERVALS) - {"1s"}:
        assert (
            again.klines(interval, None, now_ms(), 3)[:-1] == market.klines(interval, None, now_ms(), 3)[:-1]
        )
    assert again.klines("1d", None, None, 1)[0][4] == "83770.00000000"


@pytest.mark.parametrize("interval", ["1d", "3d", "1w", "1M"])
@pytest.mark.parametrize("east", [8 * 3600, -9 * 1800, 20_700])
def test_candles_of_another_time_zone_are_made_of_the_same_trades(
    market: Market, interval: str, east: int
) -> None:
    market.trade(D("83770"), D("0.5"), buyer_takes=True, taker=object())
    rows = market.klines(interval, None, None, 2, east)
    assert all(open_second(interval, row[0] // 1000 + east) == row[0] // 1000 + east for row in rows)
    assert rows[0][6] + 1 == rows[1][0]
    for row in rows:
        assert joined(market.klines("15m", row[0], row[6], 3000)) == joined([row])


@pytest.mark.parametrize(
    ("given", "east"),
    [("0", 0), ("8", 28_800), ("-1:00", -3600), ("05:45", 20_700), ("-12:00", -43_200), ("14", 50_400)],
)
def test_a_time_zone_is_hours_and_minutes(given: str, east: int) -> None:
    assert time_zone({"timeZone": given}) == east


@pytest.mark.parametrize("given", ["14:15", "-13", "x", "8:60", "٣"])
def test_a_time_zone_nobody_lives_in_is_refused(given: str) -> None:
    with pytest.raises(ApiError):
        time_zone({"timeZone": given})
