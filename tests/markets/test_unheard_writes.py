"""A write whose answer was lost may have been carried out: trades are told once all the same."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from markets import feed, queries
from markets.stream import Following, Publisher
from markets.writer import Writer
from tests.markets.test_following import Clock, say
from tests.markets.test_publishing import clock, following

__all__ = ["clock", "following"]
TRADE = {"e": "trade", "s": "BTCUSDT", "p": "1.50", "q": "2", "T": 5, "m": True}


class Road:
    """A road to Redis on which questions or answers can be lost."""

    def __init__(self) -> None:
        self.loses_questions = self.loses_answers = False
        self._door = socket.create_server(("127.0.0.1", 0))
        database = feed.client().connection_pool.connection_kwargs.get("db", 0)
        self.url = f"redis://127.0.0.1:{self._door.getsockname()[1]}/{database}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._door.accept()
            except OSError:
                return
            server = to_redis()
            for source, sink, is_question in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._carry, args=(source, sink, is_question), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_question: bool) -> None:
        try:
            while data := source.recv(65536):
                if not (self.loses_questions if is_question else self.loses_answers):
                    sink.sendall(data)
        except OSError:
            pass
        sink.close()

    def close(self) -> None:
        self._door.close()


def to_redis() -> socket.socket:
    parts = urlsplit(settings.REDIS_URL)
    if parts.scheme == "unix":
        found = socket.socket(socket.AF_UNIX)
        found.connect(parts.path)
        return found
    return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379))


@pytest.fixture
def road() -> Iterator[Road]:
    found = Road()
    yield found
    found.close()


@pytest.fixture
def publisher(following: Following, road: Road, clock: Clock) -> Publisher:
    writer = Writer(road.url)
    assert writer.take()
    publisher = Publisher(following, writer, clock=clock)
    publisher.publish()
    return publisher


def trade(following: Following, *numbers: int) -> None:
    for number in numbers:
        say(following, "btcusdt@trade", {**TRADE, "t": number})


def told() -> list[int]:
    return [trade.id for trade in queries.recent_trades("BTCUSDT")]


def test_what_was_carried_out_unheard_is_not_told_again(
    following: Following, publisher: Publisher, road: Road, clock: Clock
) -> None:
    trade(following, 100, 101, 102)
    road.loses_answers = True
    publisher.publish()
    road.loses_answers = False
    assert told() == [102, 101, 100]
    trade(following, 103)
    clock.now += 2
    publisher.publish()
    publisher.publish()
    assert told() == [103, 102, 101, 100]


def test_what_never_arrived_is_told_later_in_its_order(
    following: Following, publisher: Publisher, road: Road, clock: Clock
) -> None:
    for number in (100, 101):
        trade(following, number)
        road.loses_questions = True
        publisher.publish()
        road.loses_questions = False
        assert told() == []
        clock.now += 2
    publisher.publish()
    assert told() == [101, 100]


def test_a_write_that_comes_after_a_later_one_changes_nothing() -> None:
    writer = Writer(settings.REDIS_URL)
    assert writer.take()
    for number, value in ((5, b"new"), (4, b"old")):
        writer.number = number - 1
        assert writer.write([(b"SET", b"test:order", value)])
    assert writer._client.get("test:order") == b"new"
    writer._client.delete("test:order")
