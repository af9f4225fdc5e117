"""What machines ask: alive, ready, how old everything is."""

import time

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from exchange.desk import queries
from exchange.gate import services as gate
from exchange.office.tasks import heartbeat
from tests.factories import make_market, publish_book

AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def no_memory() -> None:
    queries._status.cache_clear()


def test_alive_asks_nobody(client: Client) -> None:
    assert client.get("/healthz").status_code == 200


def test_ready_when_database_and_redis_answer(client: Client, db: None) -> None:
    assert client.get("/readyz").json() == {"ready": True, "reason": ""}


def test_not_ready_without_redis(client: Client, db: None, settings: Settings) -> None:
    settings.REDIS_URL = AWAY
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "redis cannot be reached")


def test_not_ready_without_the_database(
    client: Client, committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.close_all()
    with monkeypatch.context() as away:
        away.setitem(connections.settings["default"], "NAME", "no_such_database")
        answer = client.get("/readyz")
        connections.close_all()
    assert (answer.status_code, answer.json()["reason"]) == (503, "database cannot be reached")


def test_the_status_says_venue_money_and_version(client: Client, db: None) -> None:
    now = client.get("/status.json").json()
    assert (now["venue"], now["money"]) == ("paper", "Paper trading: simulated prices, no real money")
    assert now["version"].count(".") == 2


def test_a_sweep_that_lives_is_seen_and_one_that_stopped_is_missed(client: Client, db: None) -> None:
    assert client.get("/status.json").json()["sweeps"] == {"age_ms": None, "state": "DOWN"}
    queries._status.cache_clear()
    heartbeat()
    assert client.get("/status.json").json()["sweeps"]["state"] == "OK"
    queries._status.cache_clear()
    cache.set("beat:at", int(time.time() * 1000) - 600_000)
    assert client.get("/status.json").json()["sweeps"]["state"] == "DOWN"


def test_the_user_stream_is_down_until_somebody_subscribes(client: Client, db: None) -> None:
    gate.ensure_primary_account()
    assert client.get("/status.json").json()["user_streams"] == [
        {"account": "primary", "state": "DOWN", "age_ms": None}
    ]


def test_the_status_survives_without_redis(client: Client, db: None, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": AWAY}}
    assert client.get("/status.json").status_code == 200


def test_a_book_is_never_younger_than_nothing(client: Client, db: None) -> None:
    make_market()
    publish_book(age_ms=-500)  # the publisher's clock is ahead, or it published while we counted
    assert client.get("/status.json").json()["books"]["BTCUSDT"]["age_ms"] == 0


def test_people_get_a_page(client: Client, db: None) -> None:
    assert "Order books" in client.get("/status/").text


def test_figures_are_for_this_machine_and_for_staff(client: Client, db: None) -> None:
    here = client.get("/metrics")
    assert here.status_code == 200
    assert "causeway_withdrawals_waiting 0.0" in here.text
    assert "process_resident_memory_bytes" in here.text
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.7").status_code == 403
    client.force_login(User.objects.create_superuser("carol@example.com", "a long password"))
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.7").status_code == 200


def test_who_comes_through_a_proxy_on_this_machine_is_not_this_machine(client: Client, db: None) -> None:
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 403


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/status.json", "/metrics"])
def test_nothing_is_changed_by_asking(client: Client, db: None, path: str) -> None:
    assert client.post(path).status_code == 405
