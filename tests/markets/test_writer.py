"""Two markets processes started at once: one works, the other waits and takes over."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from exchange.binance.rest import Rest
from exchange.paper.venue import Venue
from markets import feed, queries
from markets.stream.session import Session, Wanted
from markets.writer import Writer
from tests.exchange.binance.numbered import Numbered
from tests.exchange.binance.sockets import running
from tests.exchange.paper.people import KEYS, serving
from tests.markets.processes import address_in, addresses, process

pytestmark = pytest.mark.xdist_group("markets_processes")
SOON = 60.0


def told() -> tuple[int, bool]:
    """The writer's epoch, and whether a book of it is live."""
    alive = feed.load(feed.client().get(feed.ALIVE))  # type: ignore[arg-type]
    book = queries.published_book("BTCUSDT")
    is_live = book is not None and book.is_fresh(time.time_ns() // 1_000_000, 2)
    return (alive["epoch"] if alive else 0), bool(is_live)


def until(is_so: Callable[[], bool], seconds: float = SOON) -> float:
    """How long it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, "it never came to pass"
        time.sleep(0.02)
    return time.monotonic() - began


def test_the_second_process_waits_and_takes_over_when_the_first_is_killed(
    committed_db: str, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    folder = {"DATA_DIR": str(tmp_path)}
    words = [tmp_path / "first.log", tmp_path / "second.log"]
    venue = tmp_path / "paper.log"
    with process(venue, "paper", "--port", "0", **folder) as paper:
        at = addresses(address_in(venue, paper))
        with (
            process(words[0], "markets", **at, **folder) as first,
            process(words[1], "markets", **at, **folder) as second,
        ):
            until(lambda: told()[1] and any("writer.waits" in log.read_text() for log in words))
            epoch, _is_live = told()
            writer = second if "writer.waits" in words[0].read_text() else first
            time.sleep(2)
            assert told() == (epoch, True), "the one that waits changes nothing"
            writer.kill()
            took = until(lambda: told()[0] > epoch and told()[1])
            figure(f"handed over within {took:.1f} s of the kill")
            assert took < 10
            assert json.dumps(told()[0]) in (words[0].read_text() + words[1].read_text())


def test_a_market_that_does_not_move_has_a_price_soon_after_the_start() -> None:
    """The stream of all markets tells of those that do; this one agrees to all and says nothing."""
    writer = Writer(settings.REDIS_URL)
    assert writer.take()
    with (
        serving(Venue(None, KEYS, levels=20, deepest=20)) as url,
        Numbered(refuse=lambda names: {"result": None}).open() as lines,
    ):
        session = Session(
            writer,
            stream_url=lines,
            wanted=lambda: Wanted(("BTCUSDT", "LTCUSDT")),
            fetch_snapshot=Rest(base_url=url).depth,
            fetch_tickers=Rest(base_url=url).day_tickers,
            store=lambda _series: None,
        )
        with running(session):
            until(lambda: len(queries.tickers()) == 2)
    assert all(Decimal(ticker.last) > 0 for ticker in queries.tickers().values())
