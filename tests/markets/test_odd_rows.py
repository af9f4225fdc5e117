"""Rows of the venue's list that cannot be read: their own markets keep what is known, and no other waits for them."""

import json
from typing import Any

import pytest

from exchange.binance.models import ExchangeInfo
from exchange.office.models import Notice
from markets import queries, services
from markets.models import Asset, Market
from markets.rules import Act, allows
from tests.factories import make_user
from tests.markets.test_telling import filters, symbol
from tests.venue import Venue

pytestmark = pytest.mark.django_db
STATELESS: list[Any] = [
    {"status": None},
    {"status": "X" * 40},
    {"status": 5},
    {"status": ""},
    {"status": "A\0"},
]
ODD: list[Any] = [
    {"filters": None}, {"filters": ["x"]}, {"filters": 5}, {"filters": filters(minQty="a lot")},
    {"filters": filters(minQty="NaN")}, {"filters": filters(minQty="1e99999")}, {"filters": [{"filterType": None}]},
    {"filters": [{"filterType": "NEW", "x": float("nan")}]}, {"filters": [{"filterType": "NEW", "x": "\0"}]},
    {"orderTypes": None}, {"orderTypes": "LIMIT"}, {"orderTypes": [5]}, {"allowedSelfTradePreventionModes": None},
    {"defaultSelfTradePreventionMode": None}, {"defaultSelfTradePreventionMode": "X" * 40},
    {"baseAssetPrecision": "x"}, {"baseAssetPrecision": 99999}, {"baseAssetPrecision": None},
    {"permissionSets": [None]}, {"baseAsset": None}, {"quoteAsset": "X" * 40},
]  # fmt: skip


def store(*rows: Any) -> int:
    return services.store_catalogue(ExchangeInfo.from_wire({"symbols": list(rows)}))


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in symbol().items() if key != name}


@pytest.mark.parametrize("odd", [*STATELESS, *ODD], ids=str)
def test_a_row_that_cannot_be_read_holds_up_no_other_and_loses_nothing_that_is_known(odd: Any) -> None:
    store(symbol(), symbol("ETH"))
    known = Market.objects.values().get(pk="BTCUSDT")
    assert store(symbol() | odd, symbol("ETH", status="HALT")) == 1
    assert queries.market("ETHUSDT").status == "HALT"
    now = Market.objects.values().get(pk="BTCUSDT")
    expected = "UNREADABLE" if odd in STATELESS else "TRADING"
    assert now == known | {"status": expected, "seen_at": now["seen_at"]}


@pytest.mark.parametrize(
    "row", [without("status"), without("baseAsset"), without("symbol"), None, 5, [], "x"]
)
def test_what_is_hardly_a_row_holds_up_no_other(row: Any) -> None:
    store(symbol(), symbol("ETH"))
    store(row, symbol("ETH", status="HALT"))
    assert queries.market("ETHUSDT").status == "HALT"


def test_a_market_whose_state_cannot_be_read_takes_cancels_and_no_orders_until_it_can() -> None:
    store(symbol(), symbol("ETH"))
    store(symbol(status=None), symbol("ETH"))
    status = queries.market("BTCUSDT").status
    assert [allows(status, act) for act in (Act.PLACE, Act.CANCEL)] == [False, True]
    assert "BTCUSDT" in queries.followed().values_list("symbol", flat=True)
    store(symbol(), symbol("ETH"))
    assert queries.market("BTCUSDT").is_trading


def test_a_halt_is_taken_over_from_a_row_whose_limits_cannot_be_read() -> None:
    store(symbol(), symbol("ETH"))
    store(symbol(status="HALT", filters=None), symbol("ETH"))
    market = queries.market("BTCUSDT")
    assert (market.status, market.filters) == ("HALT", filters())


def test_an_odd_row_of_a_new_market_makes_neither_market_nor_asset() -> None:
    store(symbol(), symbol("ETH", status=None), symbol("ADA", filters=None))
    assert list(Market.objects.values_list("symbol", flat=True)) == ["BTCUSDT"]
    assert set(Asset.objects.values_list("code", flat=True)) == {"BTC", "USDT"}


def test_staff_are_told_of_odd_rows_once(venue: Venue) -> None:
    make_user("carol", is_staff=True)
    rows = [symbol("ETH"), symbol(filters=None), symbol("ADA", defaultSelfTradePreventionMode=None)]
    for _reading in range(2):
        venue.on("GET", "/api/v3/exchangeInfo", (200, json.loads(json.dumps({"symbols": rows}))))
        assert services.synchronise_catalogue() == 1
    found = Notice.objects.get(kind="market.unreadable")
    assert [line.partition(":")[0] for line in found.body.splitlines()] == ["BTCUSDT", "ADAUSDT"]
    assert found.subject.endswith(": 2")


def test_a_list_of_which_nothing_can_be_read_changes_nothing_and_is_told(venue: Venue) -> None:
    make_user("carol", is_staff=True)
    store(symbol())
    venue.on("GET", "/api/v3/exchangeInfo", (200, {"symbols": [symbol(status=None)]}))
    assert services.synchronise_catalogue() == 0
    assert queries.market("BTCUSDT").is_trading
    assert Notice.objects.filter(kind="market.unreadable").count() == 1
