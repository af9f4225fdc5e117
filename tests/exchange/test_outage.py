"""The database is away: nothing is an error of ours, machines get JSON and people a page."""

import pytest
from django.db import connections
from django.test import Client

from exchange.desk import queries
from tests.factories import make_market, make_user, publish_book

NOWHERE = "no_such_database"
PAGES = ["/wallet/", "/orders/", "/proof/", "/fees/", "/admin/", "/accounts/login/"]
OPEN = [
    "/",
    "/markets/",
    "/trade/BTCUSDT/",
    "/api/v1/markets/",
    "/api/v1/markets/BTCUSDT/",
    "/api/v1/markets/BTCUSDT/book/",
]
API = ["account/", "balances/", "orders/", "networks/", "withdrawals/", "deposits/"]


@pytest.fixture
def away(committed_db: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A visitor of a house whose database cannot be reached; alice was signed in before."""
    queries._status.cache_clear()
    make_market()
    publish_book()
    visitor = Client(raise_request_exception=False)
    visitor.force_login(make_user())
    for path in ("/", "/markets/"):
        assert visitor.get(path).status_code == 200
    take_away(monkeypatch)
    return visitor


def take_away(monkeypatch: pytest.MonkeyPatch) -> None:
    connections.close_all()
    monkeypatch.setitem(connections.settings["default"], "NAME", NOWHERE)


@pytest.fixture(autouse=True)
def comes_back(committed_db: str, monkeypatch: pytest.MonkeyPatch, away: Client) -> object:
    yield
    connections.close_all()
    monkeypatch.undo()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_that_it_is_not_available(away: Client, path: str) -> None:
    answer = away.get(path)
    assert answer.status_code == 503
    assert "not available at the moment" in answer.text
    assert "Paper trading" in answer.text


def test_a_strangers_page_is_not_available_either(away: Client) -> None:
    assert Client(raise_request_exception=False).get("/fees/").status_code == 503


@pytest.mark.parametrize("path", API)
def test_the_api_says_so_in_its_own_way(away: Client, path: str) -> None:
    answer = away.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (503, "unavailable", None)


@pytest.mark.parametrize("path", OPEN)
def test_markets_stay_readable_by_strangers_and_by_who_was_signed_in(away: Client, path: str) -> None:
    known = away.cookies["sessionid"].value
    answers = [away.get(path), Client().get(path)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "BTC" in answers[0].content.decode()
    assert away.cookies["sessionid"].value == known


def test_a_token_is_neither_right_nor_wrong(away: Client) -> None:
    answer = Client().get("/api/v1/orders/", headers={"Authorization": "Bearer cw_x_y"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_an_order_is_not_taken(away: Client) -> None:
    ticket = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    answer = away.post("/api/v1/orders/", ticket, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_the_status_says_what_is_down_and_what_is_not(away: Client) -> None:
    answer = away.get("/status.json")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")
    assert answer.json()["venue"] == "paper"
    page = away.get("/status/")
    assert page.status_code == 503
    assert "Database and cache" in page.text


def test_figures_are_given_without_those_of_the_database(away: Client) -> None:
    figures = away.get("/metrics").text
    assert "causeway_database_up 0.0" in figures
    assert "process_resident_memory_bytes" in figures
    assert "causeway_withdrawals_waiting" not in figures
