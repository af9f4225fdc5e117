"""The venue's list becomes ours: assets fine enough, markets listed once, changes on record."""

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.admin import site as admin_site
from django.test import Client, override_settings

from exchange.binance.models import ExchangeInfo, SymbolInfo
from exchange.office.models import AuditRecord
from markets import queries, services
from markets.errors import UnknownMarket
from markets.models import Asset, Market
from markets.services import cataloguing
from tests.factories import FILTERS, make_market, make_user
from tests.markets.test_rules import DATA

pytestmark = pytest.mark.django_db


def symbol(base: str, quote: str = "USDT", **fields: Any) -> SymbolInfo:
    known = SymbolInfo(
        symbol=base + quote,
        status="TRADING",
        base=base,
        quote=quote,
        base_precision=8,
        quote_precision=8,
        order_types=("LIMIT", "MARKET"),
        allows_quote_quantity=True,
        is_spot=True,
        filters=tuple(FILTERS),
    )
    return replace(known, **fields)


def store(*symbols: SymbolInfo) -> None:
    services.store_catalogue(ExchangeInfo(symbols, ()))


def listed() -> list[str]:
    return [market.symbol for market in queries.listed()]


def test_a_small_venue_is_listed_whole_and_what_it_adds_later_by_staff() -> None:
    store(symbol("ETH"), symbol("BTC"), symbol("ZZZ"))
    assert listed() == ["BTCUSDT", "ETHUSDT", "ZZZUSDT"]
    store(symbol("ETH"), symbol("BTC"), symbol("ZZZ"), symbol("ADA"))
    assert listed() == ["BTCUSDT", "ETHUSDT", "ZZZUSDT"]
    store(symbol("ADA"))
    store(symbol("ADA"), symbol("NEO"))
    assert "NEOUSDT" not in listed()


def test_what_staff_took_off_the_list_stays_off() -> None:
    store(symbol("ETH"), symbol("BTC"))
    services.decide_listing("ETHUSDT", is_listed=False, rank=9, own_fee_bps=None, by=make_user("carol"))
    store(symbol("ETH"), symbol("BTC"))
    assert listed() == ["BTCUSDT"]


def test_of_a_large_venue_only_the_named_markets_are_listed_at_first() -> None:
    many = [symbol(f"COIN{number}") for number in range(60)]
    store(*many, symbol("ETH"), symbol("BTC"))
    assert listed() == ["BTCUSDT", "ETHUSDT"]
    store(*many, symbol("ETH"), symbol("BTC"), symbol("SOL"))
    assert listed() == ["BTCUSDT", "ETHUSDT"]


@override_settings(FIRST_MARKETS=["AUSDT", "BUSDT"])
def test_a_large_venue_without_the_named_markets_is_not_an_empty_page() -> None:
    store(*(symbol(f"COIN{number:02}") for number in range(60)))
    assert listed() == ["COIN00USDT", "COIN01USDT"]


def test_a_market_that_is_gone_is_closed_and_not_followed_but_kept() -> None:
    store(symbol("ETH"), symbol("BTC"))
    store(symbol("BTC"))
    gone = queries.market("ETHUSDT")
    assert (gone.status, gone.is_trading) == ("GONE", False)
    assert [market.symbol for market in queries.followed()] == ["BTCUSDT"]
    store(symbol("ETH"), symbol("BTC"))
    assert queries.market("ETHUSDT").is_trading


def test_a_venue_that_lists_nothing_closes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store(symbol("BTC"))
    monkeypatch.setattr(cataloguing.gate, "call", lambda *given: ExchangeInfo((), ()))  # type: ignore[attr-defined]
    assert services.synchronise_catalogue() == 0
    assert queries.market("BTCUSDT").is_trading


def test_a_change_that_customers_see_is_on_record() -> None:
    store(symbol("BTC"))
    store(symbol("BTC", status="HALT"))
    (record,) = AuditRecord.objects.filter(action="market.changed")
    assert (record.before, record.after) == ({"status": "TRADING"}, {"status": "HALT"})
    store(symbol("BTC", status="HALT"))
    assert AuditRecord.objects.filter(action="market.changed").count() == 1


def test_an_assets_scale_holds_the_finest_fill_and_never_shrinks() -> None:
    fine = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.00001"},
        {"filterType": "LOT_SIZE", "stepSize": "0.0001"},
    ]
    store(symbol("ETH", "BTC", filters=tuple(fine)))
    assert scales() == {"ETH": 8, "BTC": 9}
    store(symbol("ETH", "BTC"), symbol("BTC", base_precision=12))
    assert scales() == {"ETH": 8, "BTC": 12, "USDT": 8}
    store(symbol("ETH", "BTC"))
    assert scales()["BTC"] == 12


def scales() -> dict[str, int]:
    return dict(Asset.objects.values_list("code", "scale"))


def test_every_recorded_symbol_finds_its_place() -> None:
    body = json.loads(gzip.decompress((DATA / "binance-cloud-2023-04-10.json.gz").read_bytes()))
    count = services.store_catalogue(ExchangeInfo.from_wire(body))
    assert count == Market.objects.count() == 2143, "the other 40 are not traded on the spot market"
    assert services.store_catalogue(ExchangeInfo.from_wire(body)) == 2143
    assert AuditRecord.objects.count() == 0


@pytest.mark.parametrize("name", ["NOPE", "btcusdt", "", "BTCUSDT\x00"])
def test_a_market_that_is_not_listed_is_unknown(name: str) -> None:
    make_market()
    with pytest.raises(UnknownMarket):
        queries.market(name)


def test_staff_decide_what_is_listed_and_it_is_on_record(client: Client) -> None:
    carol = make_user("carol", is_staff=True, is_superuser=True)
    client.force_login(carol)
    market = make_market()
    form = client.get(f"/admin/markets/market/{market.pk}/change/")
    assert form.status_code == 200
    answer = client.post(f"/admin/markets/market/{market.pk}/change/", {"rank": "7"})
    assert answer.status_code == 302
    market.refresh_from_db()
    assert (market.is_listed, market.rank) == (False, 7)
    record = AuditRecord.objects.get(action="market.listed")
    assert (record.actor_id, record.subject_id) == (carol.pk, "BTCUSDT")


def test_assets_are_only_looked_at(client: Client) -> None:
    client.force_login(make_user("carol", is_staff=True, is_superuser=True))
    make_market()
    assert client.get("/admin/markets/asset/BTC/change/").status_code == 200
    assert client.post("/admin/markets/asset/BTC/change/", {"scale": "2"}).status_code == 403
    assert admin_site.is_registered(Asset)
