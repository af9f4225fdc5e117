"""Candles of every interval and time zone against a venue that knows them all; its calls are counted at the wire."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from exchange.binance.models import Kline
from exchange.paper.market import Market as PaperMarket
from exchange.paper.marketapi import time_zone
from exchange.paper.venue import Venue as PaperVenue
from markets import queries, rules, services
from markets.errors import UnknownTimeZone
from markets.models import Candle
from markets.rules import LIVE_INTERVALS, next_open, zone_minutes
from tests.exchange.paper.people import KEYS
from tests.factories import make_market, publish_ticker
from tests.venue import Venue

pytestmark = pytest.mark.django_db
KLINES = "/api/v3/klines"
Calls = Callable[[], int]


@pytest.fixture(scope="module")
def paper() -> PaperMarket:
    with travel(0):
        return PaperVenue(None, KEYS, levels=0, deepest=0).live["BTCUSDT"]


@pytest.fixture
def calls(venue: Venue, paper: PaperMarket) -> Iterator[Calls]:
    """How often the venue was asked for candles."""

    def answer(asked: dict[str, str]) -> tuple[int, Any]:
        end = int(asked["endTime"]) if "endTime" in asked else None
        return 200, paper.klines(asked["interval"], None, end, int(asked["limit"]), time_zone(asked))

    make_market()
    venue.on("GET", KLINES, answer)
    with travel(20):
        yield lambda: venue.count("GET", KLINES)
    cache.clear()


def travel(second: int) -> time_machine.travel:
    """To a minute of this hour: two answers would both be right, but different, where the minute turned between."""
    start = datetime.now(UTC).replace(minute=13, second=second, microsecond=0)
    return time_machine.travel(start, tick=True)


def stream(paper: PaperMarket, counts: dict[str, int] | None = None) -> None:
    """What the markets process has stored by a moment later: the streamed candles as they are now."""
    wanted = dict.fromkeys(LIVE_INTERVALS, 40) | (counts or {})
    services.store_candles(
        {
            ("BTCUSDT", interval): [Kline.from_wire(row) for row in paper.klines(interval, None, None, count)]
            for interval, count in wanted.items()
        }
    )


def trade(paper: PaperMarket, price: str) -> None:
    paper.trade(Decimal(price), Decimal("0.00123"), buyer_takes=True, taker=object())


def said(found: list[Candle]) -> list[list[Any]]:
    return [
        [
            int(c.open_at.timestamp() * 1000),
            c.open,
            c.high,
            c.low,
            c.close,
            c.volume,
            c.quote_volume,
            c.trades,
        ]
        for c in found
    ]


def theirs(paper: PaperMarket, interval: str, count: int, zone: int = 0) -> list[list[Any]]:
    rows = paper.klines(interval, None, None, count, zone * 60)
    return [[row[0], *(Decimal(row[n]) for n in (1, 2, 3, 4, 5, 7)), row[8]] for row in rows]


@pytest.mark.parametrize("interval", [name for name in rules.INTERVALS if name != "1s"])
def test_the_newest_candle_goes_on_with_what_is_streamed(
    calls: Calls, paper: PaperMarket, interval: str
) -> None:
    services.candles("BTCUSDT", interval, limit=60)
    assert calls() == 1
    for price in ("90000.01", "70000.02"):
        trade(paper, price)
        stream(paper)
        found = services.candles("BTCUSDT", interval, limit=60)
        assert said(found)[-40:] == theirs(paper, interval, 60)[-40:]
    assert calls() == 1


@pytest.mark.parametrize(
    ("interval", "zone"), [("1d", 480), ("1d", -210), ("3d", 345), ("1w", 60), ("1w", -225), ("1M", 480)]
)
def test_the_days_of_a_time_zone_go_on_too(
    calls: Calls, paper: PaperMarket, interval: str, zone: int
) -> None:
    services.candles("BTCUSDT", interval, limit=5, zone=zone)
    trade(paper, "91000")
    stream(paper, {"15m": 700, "1h": 760})
    found = services.candles("BTCUSDT", interval, limit=5, zone=zone)
    assert said(found) == theirs(paper, interval, 5, zone)
    local = found[-1].open_at + timedelta(minutes=zone)
    assert (local.hour, local.minute) == (0, 0)
    assert calls() == 1


def test_seconds_are_asked_for_again_soon_but_not_at_once(calls: Calls) -> None:
    for _question in range(3):
        assert len(services.candles("BTCUSDT", "1s", limit=30)) == 30
    assert calls() == 1
    cache.clear()
    services.candles("BTCUSDT", "1s", limit=30)
    assert calls() == 2


@pytest.mark.parametrize(("interval", "zone"), [("1m", 0), ("2h", 0), ("1d", 0), ("1d", 480)])
def test_a_page_of_a_thousand_is_kept(calls: Calls, paper: PaperMarket, interval: str, zone: int) -> None:
    first = services.candles("BTCUSDT", interval, limit=1000, zone=zone)
    stream(paper)
    asked = calls()
    again = services.candles("BTCUSDT", interval, limit=1000, zone=zone)
    assert (len(first), len(again), calls() - asked) == (1000, 1000, 0)


def test_history_is_paged_to_its_first_candle_and_then_known(calls: Calls) -> None:
    def pages() -> list[Candle]:
        found = services.candles("BTCUSDT", "1d", before=timezone.now() - timedelta(days=2), limit=1000)
        while older := services.candles("BTCUSDT", "1d", before=found[0].open_at, limit=1000):
            found = [*older, *found]
        return found

    found = pages()
    asked = calls()
    assert all(next_open("1d", older.open_at) == newer.open_at for older, newer in pairwise(found))
    assert (len(found) > 1700, asked <= 5) == (True, True)
    assert (len(pages()), calls()) == (len(found), asked)


def test_what_has_few_candles_is_whole_when_the_venue_has_no_more(calls: Calls, paper: PaperMarket) -> None:
    for _question in range(2):
        found = services.candles("BTCUSDT", "1M", limit=1000)
        stream(paper)
        cache.clear()
    assert (len(found) < 100, calls()) == (True, 1)


@pytest.mark.parametrize("back", [3, 400, 990])
def test_the_hole_of_an_outage_is_filled(calls: Calls, back: int) -> None:
    found = services.candles("BTCUSDT", "1m", limit=1000)
    edge = found[-back].open_at
    queries.series("BTCUSDT", "1m").filter(
        open_at__lte=edge, open_at__gt=edge - timedelta(minutes=7)
    ).delete()
    cache.clear()
    assert said(services.candles("BTCUSDT", "1m", limit=1000)) == said(found)
    assert calls() == 2


def test_a_candle_that_was_not_told_lately_is_asked_for_unless_the_line_speaks(calls: Calls) -> None:
    services.candles("BTCUSDT", "1h", limit=10)
    Candle.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
    cache.clear()
    publish_ticker("BTCUSDT", "1", age_s=3)
    services.candles("BTCUSDT", "1h", limit=10)
    assert calls() == 1
    publish_ticker("BTCUSDT", "1", age_s=40)
    services.candles("BTCUSDT", "1h", limit=10)
    assert calls() == 2


def test_parts_that_stood_still_do_not_count_for_prices() -> None:
    make_market()
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=4)
    start -= timedelta(hours=start.hour % 2)
    opens = [start + timedelta(hours=number) for number in range(-2, 6)]
    prices = {opens[0]: ("5", 1), opens[1]: ("7", 1), opens[2]: ("7", 0), opens[3]: ("6", 2)}
    services.store_candles(
        {("BTCUSDT", "1h"): [kline(at, *prices.get(at, ("6", 0))) for at in opens if at <= timezone.now()]}
    )
    services.store_candles({("BTCUSDT", "2h"): [kline(opens[0], "5", 1, hours=2)]})
    found = services.candles("BTCUSDT", "2h", limit=4)
    after = next(candle for candle in found if candle.open_at == opens[2])
    assert {after.open, after.high, after.low, after.close} == {Decimal(6)}
    assert after.trades == 2


def kline(at: datetime, price: str, trades: int, hours: int = 1) -> Kline:
    opened = int(at.timestamp() * 1000)
    closes = opened + hours * 3_600_000 - 1
    amount = Decimal(price)
    return Kline(opened, amount, amount, amount, amount, Decimal(trades), closes, Decimal(trades), trades)


# ------------------------------------------------------------------ time zones
@pytest.mark.parametrize(
    ("given", "minutes"),
    [("0", 0), ("8", 480), ("+8", 480), ("-1:00", -60), ("05:45", 345), ("-12:00", -720), ("+14:00", 840)],
)
def test_a_zone_is_written_as_the_venue_writes_it(given: str, minutes: int) -> None:
    assert zone_minutes(given) == minutes


@pytest.mark.parametrize("given", ["x", "14:15", "-12:15", "05:07", "8:60", "1.5", "UTC", "٣", "8:"])
def test_any_other_zone_is_refused(client: Client, given: str) -> None:
    make_market()
    with pytest.raises(UnknownTimeZone):
        zone_minutes(given)
    answer = client.get("/api/v1/markets/BTCUSDT/candles/", {"timeZone": given})
    assert (answer.status_code, answer.json()["field"]) == (400, "timeZone")


def test_the_api_gives_the_days_of_a_zone(client: Client, calls: Calls, venue: Venue) -> None:
    asked = {"interval": "1d", "limit": "1000", "timeZone": "-3:30"}
    days = client.get("/api/v1/markets/BTCUSDT/candles/", asked).json()
    assert (len(days), days[0]["open_at"][11:16]) == (1000, "03:30")
    assert [asked["timeZone"] for _method, path, asked in venue.asked if path == KLINES] == ["-3:30"]


def test_hours_of_a_zone_of_whole_hours_are_those_of_everybody(calls: Calls) -> None:
    services.candles("BTCUSDT", "1h", limit=10)
    services.candles("BTCUSDT", "1h", limit=10, zone=480)
    assert (calls(), Candle.objects.exclude(zone=0).count()) == (1, 0)


@pytest.mark.parametrize(
    ("interval", "zone", "parts"),
    [("1s", 0, None), ("3m", 0, "1m"), ("30m", 0, "15m"), ("12h", 0, "1h"), ("3d", 0, "1d"), ("1M", 0, "1d"),
     ("1d", 480, "1h"), ("1w", 60, "1h"), ("1M", 345, "15m")],
)  # fmt: skip
def test_candles_are_made_of_the_longest_that_fit(interval: str, zone: int, parts: str | None) -> None:
    assert rules.finer(interval, zone) == parts


@pytest.mark.parametrize(
    ("opened", "zone", "after"),
    [
        ("2024-01-31T16:00", 480, "2024-02-29T16:00"),
        ("2024-02-01T00:00", 0, "2024-03-01T00:00"),
        ("2023-12-01T05:00", -300, "2024-01-01T05:00"),
    ],
)
def test_a_month_is_as_long_as_it_is(opened: str, zone: int, after: str) -> None:
    assert next_open("1M", at(opened), zone) == at(after)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# ------------------------------------------------------------------ closes by the hour
def test_the_sweep_keeps_the_last_day_of_every_market_that_trades(calls: Calls) -> None:
    make_market("ETH", status="HALT")
    for _sweep in range(2):
        services.keep_hours()
    closes = queries.hourly_closes()
    assert (list(closes), len(closes["BTCUSDT"]), calls()) == (["BTCUSDT"], 24, 1)


def test_closes_of_all_markets_are_one_question(
    client: Client, calls: Calls, paper: PaperMarket, django_assert_num_queries: Any
) -> None:
    for base in ("ETH", "SOL", "OLD"):
        make_market(base, is_listed=base != "OLD")
    rows = [Kline.from_wire(row) for row in paper.klines("1h", None, None, 30)]
    services.store_candles({(f"{base}USDT", "1h"): rows for base in ("BTC", "ETH", "OLD")})
    publish_ticker("BTCUSDT", "1")
    with django_assert_num_queries(2):
        answer = client.get("/api/v1/tickers/")
    (ticker,) = answer.json()["results"]
    assert [Decimal(close) for close in ticker["closes"]] == [row.close for row in rows[-24:]]
    assert (set(queries.hourly_closes()), answer["Cache-Control"]) == (
        {"BTCUSDT", "ETHUSDT"},
        "public, max-age=1",
    )
