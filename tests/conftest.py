"""Fixtures of every test: a database of the worker's own, an empty cache, and books that balance afterwards."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
import redis
import responses
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.test.utils import override_settings
from psycopg.pq import TransactionStatus
from pytest_django.plugin import DjangoDbBlocker

from exchange.gate import bans, breakers, budgets, choosing, keys, learned, limits, queue, store
from exchange.gate import services as gate
from exchange.local import suite
from exchange.memory import collect_seldom
from markets import interest
from orders.routing import choice
from orders.services import house
from tests.venue import REST, Venue


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """This worker's database: a clone of the migrated template, used as the application's role."""
    name = str(settings.DATABASES["default"]["NAME"])
    suite.clone_database(os.environ, name)
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    suite.drop_database(os.environ, name)


@contextmanager
def fresh_database(blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database of its own in which everything really commits; gives its address, and is gone afterwards."""
    name = suite.clone_database(os.environ)
    url = suite.with_database(os.environ["DATABASE_URL"], name)
    with pytest.MonkeyPatch.context() as patch, blocker.unblock():
        patch.setenv("DATABASE_URL", url)
        connections.close_all()
        patch.setitem(connections.settings["default"], "NAME", name)
        yield url
        connections.close_all()
    suite.drop_database(os.environ, name)


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A fresh database in which tests really commit, from threads and child processes too; gives its address."""
    with fresh_database(django_db_blocker) as url:
        yield url


@pytest.fixture
def owner() -> Iterator[psycopg.Connection]:
    """A session of the database's owner, beside the application's."""
    url = suite.with_database(os.environ[suite.OWNER_URL], str(connection.settings_dict["NAME"]))
    with psycopg.connect(url, autocommit=True) as session:
        yield session


@pytest.fixture(autouse=True)
def books_balance(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a database test did, the trial balance is zero afterwards."""
    committed = "committed_db" in request.fixturenames
    rolled_back = "db" in request.fixturenames or request.node.get_closest_marker("django_db") is not None
    if not (committed or rolled_back):
        yield
        return
    request.getfixturevalue("committed_db" if committed else "db")
    yield
    from ledger import queries as books

    if not _is_broken():
        assert not books.trial_balance()


def _is_broken() -> bool:
    """A transaction the test broke on purpose leaves nothing to ask about."""
    session = connection.connection
    failed = session is not None and session.info.transaction_status == TransactionStatus.INERROR
    return failed or connection.needs_rollback


@pytest.fixture(autouse=True)
def plain_relays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Orders are relayed by the thread that places them; a test in one transaction cannot leave it. What a test changes
    counts at once."""
    inside = "committed_db" not in request.fixturenames
    with override_settings(GATE_INSIDE_TRANSACTIONS=inside, RELAY_THREADS=0, FACTS_SECONDS=0):
        yield


@pytest.fixture(scope="session")
def cleaner() -> Iterator[redis.Redis]:
    """A connection to Redis that no test's settings change."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def empty_redis(cleaner: redis.Redis) -> Iterator[None]:
    """What a test left under this worker's prefix is gone before the next one."""
    yield
    if left := list(cleaner.scan_iter(match=f"*{settings.REDIS_PREFIX}*", count=1000)):
        cleaner.delete(*left)
    interest.forget()
    breakers.forget()
    house.forget()
    forget_the_limits()
    keys.forget()
    choice.forget()
    choosing.forget()


@pytest.fixture(scope="session", autouse=True)
def quick_settings() -> Iterator[None]:
    """Hashing that is slow on purpose, and a look at every static file for each new client, would take minutes."""
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=hashers, WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(autouse=True)
def browser_beside_django(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Playwright keeps an event loop in the test's thread, beside which Django refuses its synchronous calls."""
    if request.node.get_closest_marker("browser") is not None:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")


@pytest.fixture
def most_orders() -> int | None:
    """How many the venue takes in ten seconds; None: as documented."""
    return None


@pytest.fixture
def venue(most_orders: int | None) -> Iterator[Venue]:
    """The venue at its wire; requests nobody prepared an answer for fail like a broken line."""
    keys = {
        "BINANCE_API_KEY": "key",
        "BINANCE_API_SECRET": "secret",
        "BINANCE_REST_URL": REST,
        "BINANCE_SAPI_URL": REST,
    }
    with override_settings(**keys), responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        forget_the_venue()
        begin_with_nothing_used(most_orders)
        yield Venue(mock)
    forget_the_venue()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What all tests are made of is not looked through for garbage again and again while they run."""
    collect_seldom()


FIGURE = "figure"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Says a measured figure that the run prints at its end, whichever worker the test ran on."""
    return lambda sentence: record_property(FIGURE, sentence)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    figures = {
        (report.nodeid, value): None
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == FIGURE
    }
    if figures:
        terminalreporter.section("figures")
    for place, sentence in sorted(figures):
        terminalreporter.line(f"{place.rpartition('/')[2]}: {sentence}")


def forget_the_venue() -> None:
    """The gate of this process knows neither keys nor addresses nor bans of another test."""
    for known in (gate.venue_key, keys.withdraw_key, gate._rest, limits.clock):
        known.cache_clear()
    keys.forget()
    forget_the_limits()
    choosing.forget()
    # A measurement of the time may still hang on the venue before.
    gate._renewal = None
    gate._clock_thread.cache_clear()
    breakers.forget()


def forget_the_limits() -> None:
    """This process knows of no ban and of no limits but the documented ones, and nobody has a seat."""
    bans.forget()
    budgets.forget()
    for seats in (queue.placing, queue.canceling):
        seats.cache_clear()
    learned.forget()
    store.forget()


def begin_with_nothing_used(most_orders: int | None = None) -> None:
    """Redis knows the gate as after a calm minute, so that nobody has to ask PostgreSQL, which not every test has. The
    venue takes so many orders in ten seconds, or what is documented."""
    keys = [store.key(key) for key in (bans.egress_key(bans.DEFAULT_EGRESS), bans.account_key("primary"))]
    told = [
        ",".join(f"{seconds}:{most}" for seconds, most in learned.known(name)) for name in learned.DOCUMENTED
    ]
    if most_orders is not None:
        told[-1] = f"10:{most_orders}"
        cache.redis().delete(*keys)  # type: ignore[attr-defined]
    store.run("begin", keys, "calm", "", 0, *told, 0, 0)
    number = store.connection_number()
    bans._seen.update((b"calm", b"", *range(number, number + 1000)))  # those of other threads too
