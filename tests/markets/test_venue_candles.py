"""What the venue answers about candles is taken for what it was when it was asked, and never for more."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from exchange.binance.models import Kline
from markets import services
from markets.models import Candle
from markets.services import charting
from markets.services.storing import Series
from tests.factories import make_market
from tests.venue import Venue

pytestmark = pytest.mark.django_db
KLINES = "/api/v3/klines"
SECONDS = {"1m": 60, "5m": 300, "1h": 3600}
Now = list[datetime]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[Now]:
    make_market()
    found = [datetime(2026, 11, 26, 12, 4, 59, 800_000, tzinfo=UTC)]
    monkeypatch.setattr(timezone, "now", lambda: found[0])
    yield found
    cache.clear()


def row(opened: float, seconds: int, volume: str = "100") -> list[Any]:
    ms = int(opened) * 1000
    return [ms, "1", "2", "1", "1.5", volume, ms + seconds * 1000 - 1, volume, 5, "0", "0", "0"]


def streamed(opened: datetime, volume: str, *, is_over: bool) -> None:
    ms = int(opened.timestamp() * 1000)
    prices = {"o": "1", "h": "2", "l": "1", "c": "1.5"}
    k = {"t": ms, **prices, "v": volume, "T": ms + 59_999, "q": volume, "n": 5, "x": is_over}
    services.store_candles({("BTCUSDT", "1m"): [Kline.from_event(k)]})


def minute(number: int) -> datetime:
    return datetime(2026, 11, 26, 12, number, tzinfo=UTC)


def rows_at(asked: dict[str, str], now: Now, volume_of_open: str = "90") -> list[list[Any]]:
    """A venue without holes: the running candle lacks what comes in its last moments."""
    seconds, end = SECONDS[asked["interval"]], now[0].timestamp()
    first = int(end) // seconds * seconds - (int(asked["limit"]) - 1) * seconds
    opens = range(first, int(end) + 1, seconds)
    return [row(at, seconds, volume_of_open if at + seconds > end else "100") for at in opens]


@pytest.mark.parametrize("interval", ["1m", "5m"])
def test_a_candle_that_ended_on_the_way_is_asked_for_again(venue: Venue, now: Now, interval: str) -> None:
    def answer(asked: dict[str, str]) -> tuple[int, Any]:
        rows = rows_at(asked, now)
        now[0] += timedelta(milliseconds=400)
        return 200, rows

    venue.on("GET", KLINES, answer)
    first = services.candles("BTCUSDT", interval, limit=10)
    assert (first[-1].volume, first[-1].is_closed) == (Decimal(90), False)
    now[0] = minute(7)
    cache.clear()
    again = services.candles("BTCUSDT", interval, limit=10)
    known = {candle.open_at: (candle.volume, candle.is_closed) for candle in again}
    assert known[first[-1].open_at] == (Decimal(100), True)


def test_the_venues_clock_may_be_a_little_behind(venue: Venue, now: Now) -> None:
    now[0] = minute(5) + timedelta(seconds=1)
    venue.on("GET", KLINES, lambda asked: (200, [row(minute(n).timestamp(), 60) for n in range(5)]))
    services.candles("BTCUSDT", "1m", limit=5)
    assert [c.is_closed for c in Candle.objects.order_by("open_at")] == [True] * 4 + [False]


def test_history_that_ends_just_now_is_not_taken_for_answered(venue: Venue, now: Now) -> None:
    width = SECONDS["1m"] * services.WINDOW
    end = int(now[0].timestamp()) // width * width
    now[0] = datetime.fromtimestamp(end + 1, UTC)
    venue.on("GET", KLINES, lambda asked: (200, rows_at(asked, now)))
    services.candles("BTCUSDT", "1m", before=now[0] - timedelta(seconds=30), limit=5)
    (asked,) = [asked for _method, path, asked in venue.asked if path == KLINES]
    assert "endTime" not in asked


@pytest.mark.parametrize("is_over", [True, False])
def test_a_late_answer_changes_nothing_that_was_streamed_meanwhile(
    venue: Venue, now: Now, is_over: bool
) -> None:
    def answer(asked: dict[str, str]) -> tuple[int, Any]:
        rows = rows_at(asked, now)
        now[0] = minute(5) + timedelta(seconds=7)
        streamed(minute(4), "99", is_over=is_over)
        return 200, rows

    venue.on("GET", KLINES, answer)
    services.candles("BTCUSDT", "1m", limit=10)
    candle = Candle.objects.get(open_at=minute(4))
    assert (candle.volume, candle.is_closed) == (Decimal(99), is_over)


# ------------------------------------------------------------------ what the venue has not
def calls_of_pages(venue: Venue, now: Now, pages: int, *, go_on: Callable[[], None]) -> list[int]:
    found = []
    for _page in range(pages):
        before = venue.count("GET", KLINES)
        assert services.candles("BTCUSDT", "1h", limit=900)
        found.append(venue.count("GET", KLINES) - before)
        now[0] += timedelta(seconds=6)
        cache.delete(charting._asked(Series("BTCUSDT", "1h"), None))  # its five seconds are over
        go_on()
    return found


def hours_without(venue: Venue, now: Now, is_missing: Callable[[float], bool]) -> None:
    def answer(asked: dict[str, str]) -> tuple[int, Any]:
        end = min(now[0].timestamp(), int(asked.get("endTime", 10**15)) / 1000)
        first = int(end) // 3600 * 3600 - 1005 * 3600
        opens = [at for at in range(first, int(end) + 1, 3600) if not is_missing(at)]
        return 200, [row(at, 3600) for at in opens][-1000:]

    venue.on("GET", KLINES, answer)


def running_hour(now: Now) -> None:
    opened = int(now[0].timestamp()) // 3600 * 3600
    services.store_candles({("BTCUSDT", "1h"): [Kline.from_wire(row(opened, 3600))]})


def test_a_hole_of_the_venues_own_is_asked_for_once_a_day(venue: Venue, now: Now) -> None:
    hole = datetime(2026, 10, 27, 3, tzinfo=UTC).timestamp()
    hours_without(venue, now, lambda at: hole <= at < hole + 7200)
    assert calls_of_pages(venue, now, 6, go_on=lambda: running_hour(now)) == [1, 0, 0, 0, 0, 0]
    now[0] += timedelta(days=1)
    running_hour(now)
    assert calls_of_pages(venue, now, 1, go_on=lambda: None) == [1]


def test_a_hole_of_ours_beside_one_of_the_venues_is_filled(venue: Venue, now: Now) -> None:
    hole = datetime(2026, 11, 26, 3, tzinfo=UTC).timestamp()
    hours_without(venue, now, lambda at: hole <= at < hole + 7200)
    services.candles("BTCUSDT", "1h", limit=900)
    Candle.objects.filter(open_at=datetime.fromtimestamp(hole - 3600, UTC)).delete()
    cache.clear()
    assert calls_of_pages(venue, now, 2, go_on=lambda: running_hour(now)) == [1, 0]
    assert Candle.objects.filter(open_at=datetime.fromtimestamp(hole - 3600, UTC)).exists()


def test_a_halted_market_is_asked_for_again_after_a_while_or_when_it_goes_on(venue: Venue, now: Now) -> None:
    halted = datetime(2026, 11, 26, 9, tzinfo=UTC).timestamp()
    hours_without(venue, now, lambda at: at > halted)
    assert calls_of_pages(venue, now, 6, go_on=lambda: None) == [1, 0, 0, 0, 0, 0]
    running_hour(now)
    assert calls_of_pages(venue, now, 1, go_on=lambda: None) == [1]


def test_coarser_candles_of_a_halted_market_are_asked_for_when_finer_ones_come(
    venue: Venue, now: Now
) -> None:
    halted = minute(0)
    venue.on("GET", KLINES, lambda asked: (200, [row(halted.timestamp() - 300 * n, 300) for n in (3, 2, 1)]))
    for expected in (1, 1):
        services.candles("BTCUSDT", "5m", limit=3)
        cache.delete(charting._asked(Series("BTCUSDT", "5m"), None))
        now[0] += timedelta(minutes=1)
        assert venue.count("GET", KLINES) == expected
    streamed(minute(5), "1", is_over=False)
    services.candles("BTCUSDT", "5m", limit=3)
    assert venue.count("GET", KLINES) == 2


def test_a_market_without_candles_is_asked_for_once_in_a_while(venue: Venue, now: Now) -> None:
    venue.on("GET", KLINES, lambda asked: (200, []))
    for _page in range(3):
        assert services.candles("BTCUSDT", "1h", limit=10) == []
        cache.delete(charting._asked(Series("BTCUSDT", "1h"), None))
    assert venue.count("GET", KLINES) == 1


def test_longer_candles_are_made_over_a_hole_of_shorter_ones(venue: Venue, now: Now) -> None:
    opens = [minute(0) - timedelta(minutes=n) for n in (30, 29, 28, 27, 26, 1)]
    rows = [row(at.timestamp(), 60) for at in opens]
    venue.on("GET", KLINES, lambda asked: (200, rows if asked["interval"] == "1m" else []))
    now[0] = minute(0) + timedelta(seconds=5)
    services.candles("BTCUSDT", "1m", limit=6)
    coarse = Kline.from_wire(row((opens[0] - timedelta(minutes=5)).timestamp(), 300))
    services.store_candles({("BTCUSDT", "5m"): [coarse]})
    streamed(opens[-1], "7", is_over=True)
    found = services.candles("BTCUSDT", "5m", limit=3)
    assert [candle.open_at for candle in found][:2] == [opens[0] - timedelta(minutes=5), opens[0]]


# ------------------------------------------------------------------ what cannot be
FINE = [1_795_600_800_000, "1", "1", "1", "1", "1", 1_795_604_399_999, "1", 3]


def bad(**changes: Any) -> list[Any]:
    return [changes.get(f"at{number}", value) for number, value in enumerate(FINE)]


@pytest.mark.parametrize(
    "rows",
    [
        [["a"]],
        {"x": 1},
        None,
        [[1] * 3],
        [5],
        [bad(at1="NaN")],
        [bad(at5="Infinity")],
        [bad(at0=10**20)],
        [bad(at8=-3)],
        [bad(at8=10**30)],
        [bad(at2="9" * 30)],
        [bad(at1="-5", at3="-5")],
        [bad(at2="0.5")],
        [bad(at3="1.5")],
        [bad(), bad()],
        [bad(at6=5)],
    ],
)
def test_an_answer_that_cannot_be_is_counted_and_what_is_kept_is_shown(
    client: Client, venue: Venue, rows: Any, caplog: pytest.LogCaptureFixture
) -> None:
    make_market()
    charting._odd.clear()
    services.store_candles({("BTCUSDT", "1h"): [Kline.from_wire(FINE)]})
    venue.on("GET", KLINES, lambda asked: (200, rows))
    answer = client.get("/api/v1/markets/BTCUSDT/candles/?interval=1h")
    assert (answer.status_code, [candle["close"] for candle in answer.json()]) == (200, ["1"])
    assert Candle.objects.count() == 1
    assert charting._odd[Series("BTCUSDT", "1h")] == 1
