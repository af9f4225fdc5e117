"""The processes that `wide` measures: `python -m tests.bench.wide_streams depth|everything|plain MARKETS LEVELS`."""

import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import requests
from requests.adapters import HTTPAdapter

NUMBERS = itertools.count(2)
ADDRESSES, SHARE = 40, 100
FLUSH_SECONDS = 0.025


def symbols(markets: int) -> list[str]:
    return [f"P{number:03}USDT" for number in range(1, markets + 1)]


class FromAnotherAddress(HTTPAdapter):
    """The venue counts weight by address, and a bench does not wait for what a day of running has long fetched."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        source = (f"127.0.0.{next(NUMBERS)}", 0)
        super().init_poolmanager(*args, **options, source_address=source)


def snapshots_from(base: str) -> Callable[[str, int], dict[str, Any]]:
    """Fetches depth snapshots from addresses in turn."""
    sessions = []
    for _number in range(ADDRESSES):
        session = requests.Session()
        session.mount("http://", FromAnotherAddress())
        sessions.append(session)
    turn, lock = itertools.cycle(sessions), threading.Lock()

    def fetch(symbol: str, limit: int) -> dict[str, Any]:
        with lock:
            session = next(turn)
        answer = session.get(f"{base}/api/v3/depth?symbol={symbol}&limit={limit}", timeout=20)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    return fetch


# ------------------------------------------------------------------ ours
def run_ours(kind: str, markets: int) -> None:
    """The session of `manage.py markets`, with its snapshots from many addresses."""
    import django

    django.setup()
    from django.conf import settings

    from exchange.binance.models import DepthSnapshot
    from markets import interest, services
    from markets.management.commands.markets import Command
    from markets.models import Market
    from markets.stream.events import streams_of
    from markets.stream.session import Session, Wanted
    from markets.stream.snapshots import Snapshots
    from markets.writer import Writer

    names, fetch = tuple(symbols(markets)), snapshots_from(settings.BINANCE_REST_URL)
    if kind == "everything":
        services.synchronise_catalogue()
        assert Market.objects.filter(symbol__in=names).count() == markets

    def snapshot(symbol: str, limit: int) -> DepthSnapshot:
        body = fetch(symbol, limit)
        return DepthSnapshot.from_wire(symbol, body)

    def depth_of(found: Any, watched: Any) -> list[str]:
        return [name for name in streams_of(found, watched) if "@depth" in name]

    writer = Writer(settings.REDIS_URL)
    while not writer.take():
        time.sleep(0.5)
    session = Session(
        writer,
        stream_url=settings.BINANCE_STREAM_URL,
        wanted=lambda: Wanted(names, interest.watched()),
        fetch_snapshot=snapshot,
        store=Command.store,
        snapshots=Snapshots(weight_a_minute=10**6, weight_at_once=10**6),
        streams=streams_of if kind == "everything" else depth_of,
    )
    signal.signal(signal.SIGTERM, lambda number, frame: session.stop())
    session.run()
    writer.release()


# ------------------------------------------------------------------ the plain design
class PlainBook:
    """The documented rule over `SortedDict[Decimal]`."""

    def __init__(self) -> None:
        from sortedcontainers import SortedDict

        self.bids, self.asks = SortedDict(), SortedDict()
        self.u, self.event_ms = 0, 0
        self.buffer: list[dict[str, Any]] = []

    def start(self, snapshot: dict[str, Any]) -> None:
        for side, rows in ((self.bids, snapshot["bids"]), (self.asks, snapshot["asks"])):
            side.update((Decimal(price), Decimal(quantity)) for price, quantity in rows)
        for event in (event for event in self.buffer if event["u"] > snapshot["lastUpdateId"]):
            self.put(event)
        self.buffer = []

    def on_event(self, event: dict[str, Any]) -> None:
        if not self.u and not self.bids:
            self.buffer.append(event)
        elif self.u and event["U"] > self.u + 1:
            raise SystemExit("the plain book lost an event")
        elif event["u"] > self.u:
            self.put(event)

    def put(self, event: dict[str, Any]) -> None:
        for side, rows in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price_text, quantity_text in rows:
                price, quantity = Decimal(price_text), Decimal(quantity_text)
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
        self.u, self.event_ms = event["u"], event["E"]

    def top(self) -> dict[str, Any]:
        bids = [[str(p), str(q)] for p, q in itertools.islice(reversed(self.bids.items()), 20)]
        asks = [[str(p), str(q)] for p, q in itertools.islice(self.asks.items(), 20)]
        return {
            "u": self.u,
            "event_ms": self.event_ms,
            "state": "LIVE",
            "known": None,
            "bids": bids,
            "asks": asks,
        }


class Plain:
    """A thread and a socket for a hundred markets each; one more publishes what changed, forty times a second."""

    def __init__(self, markets: int, levels: int) -> None:
        import redis

        self.books = {symbol: PlainBook() for symbol in symbols(markets)}
        self.levels, self.changed = levels, set[str]()
        self.lock = threading.Lock()
        self.client = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.fetch = snapshots_from(os.environ["BINANCE_REST_URL"])
        self.over = threading.Event()

    def run(self) -> None:
        names = list(self.books)
        for start in range(0, len(names), SHARE):
            threading.Thread(target=self.follow, args=(names[start : start + SHARE],), daemon=True).start()
        time.sleep(1)
        for name, book in self.books.items():
            snapshot = self.fetch(name, self.levels)
            with self.lock:
                book.start(snapshot)
        while not self.over.wait(FLUSH_SECONDS):
            self.publish()

    def follow(self, names: list[str]) -> None:
        import websocket

        streams = "/".join(f"{name.lower()}@depth@100ms" for name in names)
        address = f"{os.environ['BINANCE_STREAM_URL']}/stream?streams={streams}"
        app = websocket.WebSocketApp(address, on_message=self.on_message)
        app.run_forever(skip_utf8_validation=True)

    def on_message(self, app: Any, raw: bytes) -> None:
        event = json.loads(raw)["data"]
        with self.lock:
            self.books[event["s"]].on_event(event)
            self.changed.add(event["s"])

    def publish(self) -> None:
        from markets import feed

        with self.lock:
            changed, self.changed = self.changed, set()
            tops = {name: self.books[name].top() for name in changed}
        pipe = self.client.pipeline(transaction=False)
        for name, top in tops.items():
            pipe.set(feed.book_key(name), json.dumps({"symbol": name, **top}, separators=(",", ":")))
        pipe.execute()


def main(kind: str, markets: int, levels: int) -> None:
    if kind != "plain":
        run_ours(kind, markets)
        return
    import django

    django.setup()
    plain = Plain(markets, levels)
    signal.signal(signal.SIGTERM, lambda number, frame: plain.over.set())
    plain.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
