"""A paper venue whose crowd remembers its books, and whether what is told of them is what they were."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from exchange.binance.market_streams import Pace
from exchange.paper.crowd import Changes, CrowdMarket
from exchange.paper.feed import Feed
from exchange.paper.market import Frozen
from exchange.paper.store import Store
from exchange.paper.venue import Venue
from markets.stream.auditing import Audit
from tests.exchange.paper.people import KEYS, Caller, serving, wait_for
from tests.markets.damage import damaged
from tests.markets.followed import Followed, Told, followed

SHOWN = 20
SECONDS_BACK = 5.0  # in which one book is LIVE again, from a fault's end


class Remembered(CrowdMarket):
    """Knows its book as it was at every update id."""

    def __init__(self, number: int, store: Store) -> None:
        super().__init__(number, store)
        self.past: dict[int, Frozen] = {self.update_id: self.frozen()}

    def act(self) -> tuple[Changes, bool]:
        found = super().act()
        self.past[self.update_id] = self.frozen()
        return found


class Damaging(Feed):
    """Damages so large a `share` of the depth frames that it sends: none, until somebody wants it."""

    def __init__(self, venue: Venue, dice: random.Random) -> None:
        super().__init__(venue.live, venue.crowd.tickers)
        self._dice, self.share, self.sent = dice, 0.0, 0

    def send(self, stream: str, payload: str) -> None:
        frame = None
        if stream in self.followed and "@depth" in stream and self._dice.random() < self.share:
            frame = damaged(f'{{"stream":"{stream}","data":{payload}}}'.encode(), self._dice)
        if frame is None:
            super().send(stream, payload)
            return
        self.sent += 1
        for listener in self.followed[stream]:
            listener.send(frame.decode(errors="replace"))


class Scene:
    """A venue, its markets, and a session that follows them."""

    def __init__(self, venue: Venue, markets: dict[str, Remembered], url: str, heard: Followed) -> None:
        self.venue, self.markets, self.heard = venue, markets, heard
        self.caller = Caller(url)

    def fault(self, **asked: Any) -> None:
        answer = self.caller.door("fault", **asked)
        assert "set" in answer, answer

    def books(self) -> dict[str, Any]:
        return self.heard.session.following.books

    def is_back(self, symbol: str, since: int) -> bool:
        """LIVE is what was told last, at this update id or a later one."""
        told = self.heard.now(symbol)
        return bool(told["state"] == "LIVE" and told["u"] >= since)

    def seconds_until_back(self, began: float | None = None) -> dict[str, float]:
        """For each market how long it takes, from then or from now, until it is told LIVE as it is now, or later."""
        began = time.monotonic() if began is None else began
        since = {symbol: market.update_id for symbol, market in self.markets.items()}
        wait_for(lambda: all(self.is_back(*market) for market in since.items()), seconds=20)
        return {symbol: self._first_back(symbol, u) - began for symbol, u in since.items()}

    def _first_back(self, symbol: str, since: int) -> float:
        """When it was told so for the first time of those that nothing else has come after."""
        back = takewhile(
            lambda told: told["state"] == "LIVE" and told["u"] >= since, reversed(self.heard.of(symbol))
        )
        return float(list(back)[-1]["heard_at"])

    def wrong(self) -> list[Told]:
        """What was told as LIVE and is not what the venue's own book was at that update id."""
        return [told for told in self.heard.live if not self._is_right(told)]

    def _is_right(self, told: Told) -> bool:
        frozen = self.markets[told["symbol"]].past.get(told["u"])
        if frozen is None:
            return False
        book = frozen(SHOWN)
        return all(told[side] == book[side] for side in ("bids", "asks"))


@contextmanager
def scene(
    count: int,
    pace: Pace | None = None,
    dice: random.Random | None = None,
    audit: Audit | None = None,
) -> Iterator[Scene]:
    """So many markets are followed and LIVE; with dice the venue can damage what it sends."""
    venue = Venue(None, KEYS, levels=20, deepest=20)
    if dice is not None:
        venue.feed = Damaging(venue, dice)
    markets = {market.symbol: market for market in (Remembered(n, Store(None)) for n in range(1, count + 1))}
    venue.crowd.markets |= markets
    venue.markets |= markets
    with serving(venue) as url, followed(url, list(markets), pace, audit) as heard:
        found = Scene(venue, markets, url, heard)
        found.seconds_until_back()
        yield found
