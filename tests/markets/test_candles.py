"""Candles: from the database, the rest from the venue, asked for once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import responses
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone
from responses import matchers

from exchange.binance.models import Kline
from markets import rules, services
from markets.errors import UnknownInterval
from markets.models import Candle
from markets.services import charting
from tests.factories import make_market

pytestmark = pytest.mark.django_db
URL = f"{settings.BINANCE_REST_URL}/api/v3/klines"
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def market() -> Iterator[None]:
    make_market()
    with override_settings(GATE_INSIDE_TRANSACTIONS=True):
        yield


@pytest.fixture
def venue() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def now_ms() -> int:
    return int(timezone.now().timestamp() * 1000)


def hour(back: int) -> int:
    """The start of the hour so many hours ago; 0 is the running one."""
    return (now_ms() // HOUR - back) * HOUR


def row(open_ms: int, close: str = "2", step: int = HOUR) -> list[Any]:
    return [open_ms, "1.00", "3.00", "0.50", close, "10", open_ms + step - 1, "20.5", 7, "0", "0", "0"]


def hours(first: int, last: int = 0) -> list[list[Any]]:
    return [row(hour(back)) for back in range(first, last - 1, -1)]


def klines(rows: list[list[Any]]) -> list[Kline]:
    return [Kline.from_wire(one) for one in rows]


def test_what_is_missing_is_fetched_once_and_kept(venue: responses.RequestsMock) -> None:
    venue.get(URL, json=hours(9))
    first = services.candles("BTCUSDT", "1h", limit=10)
    again = services.candles("BTCUSDT", "1h", limit=10)
    assert [candle.open_at for candle in first] == [candle.open_at for candle in again]
    assert (len(first), len(venue.calls)) == (10, 1)
    assert [candle.is_closed for candle in first] == [True] * 9 + [False]


def test_a_whole_series_is_answered_without_the_venue(venue: responses.RequestsMock) -> None:
    services.store_candles({("BTCUSDT", "1h"): klines(hours(9))})
    assert len(services.candles("BTCUSDT", "1h", limit=10)) == 10
    assert len(venue.calls) == 0


def test_a_hole_is_filled(venue: responses.RequestsMock) -> None:
    services.store_candles({("BTCUSDT", "1h"): klines([r for r in hours(12) if r[0] != hour(4)])})
    venue.get(URL, json=hours(12))
    found = services.candles("BTCUSDT", "1h", limit=10)
    assert {b.open_at - a.open_at for a, b in pairwise(found)} == {timedelta(hours=1)}


def test_a_candle_left_open_by_an_outage_is_read_again(venue: responses.RequestsMock) -> None:
    services.store_candles({("BTCUSDT", "1h"): klines(hours(12))})
    Candle.objects.filter(open_at=datetime.fromtimestamp(hour(3) / 1000, UTC)).update(
        is_closed=False, close=9
    )
    venue.get(URL, json=hours(12))
    found = services.candles("BTCUSDT", "1h", limit=10)
    assert all(candle.is_closed and candle.close == 2 for candle in found[:-1])


def test_the_newest_candle_of_an_interval_nobody_streams_is_asked_for(venue: responses.RequestsMock) -> None:
    venue.get(URL, json=hours(9))
    services.store_candles(
        {("BTCUSDT", "2h"): klines([row(hour(2 * n), step=2 * HOUR) for n in range(9, -1, -1)])}
    )
    services.candles("BTCUSDT", "2h", limit=5)
    assert len(venue.calls) == 1


def test_history_is_asked_for_by_windows_that_do_not_move_with_the_question(
    venue: responses.RequestsMock,
) -> None:
    venue.get(URL, json=hours(2000, 1001))
    base = timezone.now() - timedelta(hours=1500)
    width = rules.INTERVALS["1h"] * services.WINDOW
    start = datetime.fromtimestamp(int(base.timestamp()) // width * width, UTC)
    for minutes in (1, 61, 60 * 400):
        services.candles("BTCUSDT", "1h", before=start + timedelta(minutes=minutes), limit=500)
    assert len(venue.calls) == 1
    end = (int(start.timestamp()) + width) * 1000 - 1
    assert f"endTime={end}" in str(venue.calls[0].request.url)


def test_anybody_together_makes_us_ask_only_so_often(
    venue: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charting, "FETCHES_A_MINUTE", 3)
    venue.get(URL, json=[])
    for interval in list(rules.INTERVALS)[:8]:
        services.candles("BTCUSDT", interval, limit=10)
    assert 3 <= len(venue.calls) <= 6, "six when the minute turns meanwhile"


def test_while_the_venue_is_away_what_is_stored_is_the_answer(venue: responses.RequestsMock) -> None:
    venue.get(URL, status=503, json={"code": -1000, "msg": "An unknown error occurred."})
    services.store_candles({("BTCUSDT", "1h"): klines(hours(3))})
    assert len(services.candles("BTCUSDT", "1h", limit=10)) == 4


def test_an_interval_the_venue_does_not_have_is_refused() -> None:
    with pytest.raises(UnknownInterval):
        services.candles("BTCUSDT", "7m")


def test_a_later_state_of_a_candle_replaces_the_earlier(venue: responses.RequestsMock) -> None:
    services.store_candles({("BTCUSDT", "1h"): klines([row(hour(1), "2")])})
    services.store_candles({("BTCUSDT", "1h"): klines([row(hour(1), "2.50000001")])})
    assert Candle.objects.get().close == Decimal("2.50000001")


def test_the_api_gives_candles_as_text_and_by_limit_and_end(
    client: Client, venue: responses.RequestsMock
) -> None:
    venue.get(
        URL, json=hours(9), match=[matchers.query_param_matcher({"interval": "1h"}, strict_match=False)]
    )
    body = client.get("/api/v1/markets/BTCUSDT/candles/", {"interval": "1h", "limit": "4"}).json()
    assert len(body) == 4
    assert (body[-1]["close"], body[-1]["closed"], body[0]["closed"]) == ("2", False, True)
    before = datetime.fromtimestamp(hour(5) / 1000, UTC).isoformat()
    older = client.get(
        "/api/v1/markets/BTCUSDT/candles/", {"interval": "1h", "limit": "2", "before": before}
    ).json()
    assert older[-1]["open_at"] < before.replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "7m"}, "interval"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "٣"}, None),
        ({"before": "yesterday"}, "before"),
        ({"before": "9999-12-31T23:59:59Z"}, None),
        ({"before": "0001-01-01T00:00:00Z"}, None),
        ({"before": "0001-01-01T00:00:00+14:00"}, "before"),
    ],
)
def test_odd_questions_are_answered_or_refused_in_a_sentence(
    client: Client, venue: responses.RequestsMock, query: dict[str, str], field: str | None
) -> None:
    venue.get(URL, json=[])
    answer = client.get("/api/v1/markets/BTCUSDT/candles/", query)
    assert answer.status_code == (200 if field is None else 400)
    assert field is None or answer.json()["field"] == field
