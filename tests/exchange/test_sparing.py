"""What saves a question per request asks all the same when something has changed."""

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.core.cache import cache
from django.db import DatabaseError, close_old_connections, connection
from django.test import Client, RequestFactory, override_settings
from rest_framework.request import Request
from rest_framework.views import APIView

from exchange.api import AnonThrottle
from exchange.facts import for_a_moment
from tests.factories import make_market


# ------------------------------------------------------------------ the database's line
def test_a_session_that_the_server_ended_is_made_anew_and_no_visitor_sees_it(
    committed_db: str, owner: psycopg.Connection, client: Client
) -> None:
    make_market()
    assert client.get("/api/v1/markets/").status_code == 200
    ended = connection.connection.info.backend_pid
    owner.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])
    close_old_connections()  # as each request begins
    assert client.get("/api/v1/markets/").status_code == 200
    assert connection.connection.info.backend_pid != ended


def test_a_line_on_which_nothing_was_heard_costs_no_statement(
    committed_db: str, owner: psycopg.Connection
) -> None:
    make_market()
    last = "SELECT query FROM pg_stat_activity WHERE pid = %s"
    session = connection.connection.info.backend_pid
    before = owner.execute(last, [session]).fetchone()
    assert connection.is_usable()
    assert owner.execute(last, [session]).fetchone() == before
    connection.connection.close()
    assert not connection.is_usable()
    connection.close()


def test_a_session_in_a_transaction_that_failed_is_not_usable(db: None) -> None:
    with pytest.raises(DatabaseError):
        connection.cursor().execute("SELECT 1 / 0")
    assert not connection.is_usable()


# ------------------------------------------------------------------ facts
@pytest.fixture
def asked() -> Callable[[str], object]:
    count = 0

    @for_a_moment
    def ask(name: str) -> object:
        nonlocal count
        count += 1
        return None if name == "nothing" else (name, count)

    return ask


def test_a_fact_is_asked_for_once_a_moment(asked: Callable[[str], object]) -> None:
    with override_settings(FACTS_SECONDS=60):
        assert [asked("a"), asked("a"), asked("b"), asked("a")] == [("a", 1), ("a", 1), ("b", 2), ("a", 1)]


def test_a_fact_is_asked_for_each_time_when_nothing_is_believed(asked: Callable[[str], object]) -> None:
    assert [asked("a"), asked("a")] == [("a", 1), ("a", 2)]


def test_that_there_is_nothing_is_not_believed(asked: Callable[[str], object]) -> None:
    with override_settings(FACTS_SECONDS=60):
        assert [asked("nothing"), asked("nothing"), asked("a")] == [None, None, ("a", 3)]


# ------------------------------------------------------------------ the cache's connections
def test_requests_share_the_connections_to_redis() -> None:
    clients = [contextvars.Context().run(lambda: cache.redis()) for _request in range(3)]  # type: ignore[attr-defined]
    assert len({id(client.connection_pool) for client in clients}) == 1


# ------------------------------------------------------------------ how often somebody may ask
class Few(AnonThrottle):
    rate = "5/min"


def passes(rf: RequestFactory, address: str = "203.0.113.9") -> bool:
    return bool(Few().allow_request(request(rf, address), None))


def request(rf: RequestFactory, address: str) -> Request:
    return APIView().initialize_request(rf.get("/", REMOTE_ADDR=address))


def test_so_many_pass_and_the_next_does_not(rf: RequestFactory) -> None:
    assert [passes(rf) for _request in range(7)] == [True] * 5 + [False] * 2
    assert passes(rf, "203.0.113.10")


def test_of_many_at_once_no_more_pass(rf: RequestFactory) -> None:
    with ThreadPoolExecutor(8) as crowd:
        assert sum(crowd.map(lambda _number: passes(rf), range(40))) == 5


def test_who_is_refused_hears_when_to_come_back(rf: RequestFactory) -> None:
    throttle = Few()
    asked = request(rf, "203.0.113.11")
    while throttle.allow_request(asked, None):
        pass
    assert 0 < throttle.wait() <= 60
