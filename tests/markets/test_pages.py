"""The open pages, as a visitor without script gets them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from markets.models import Asset, Candle, Market
from markets.templatetags.figures import spark

FILTERS = [
    {
        "filterType": "PRICE_FILTER",
        "minPrice": "0.01000000",
        "maxPrice": "1000000.00000000",
        "tickSize": "0.01000000",
    },
    {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
    {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
]


@pytest.fixture
def market(db: None) -> Market:
    for code in ("BTC", "USDT"):
        Asset.objects.get_or_create(code=code)
    return Market.objects.create(
        symbol="BTCUSDT", base_id="BTC", quote_id="USDT", status="TRADING", filters=FILTERS, is_listed=True
    )


@pytest.mark.parametrize("path", ["/", "/markets/", "/fees/", "/trade/BTCUSDT/"])
def test_an_open_page_says_what_kind_of_money_this_is(client: Client, market: Market, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "Paper trading: simulated prices, no real money" in answer.text


def test_markets_are_found_by_part_of_their_name(client: Client, market: Market) -> None:
    assert 'data-symbol="BTCUSDT"' in client.get("/markets/?q=btc/u").text
    assert 'data-symbol="BTCUSDT"' not in client.get("/markets/?q=eth").text


def test_a_search_is_shown_again_as_text(client: Client, market: Market) -> None:
    assert "<script>" not in client.get("/markets/?q=<script>").text.replace("<script type", "")


def test_a_market_nobody_lists_is_a_page_with_a_sentence(client: Client, market: Market) -> None:
    answer = client.get("/trade/NOPEUSDT/")
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_the_trade_link_leads_to_the_first_market(client: Client, market: Market) -> None:
    assert client.get("/trade/").headers["Location"] == "/trade/BTCUSDT/"


def test_a_small_letter_symbol_leads_to_its_market(client: Client, market: Market) -> None:
    assert client.get("/trade/btcusdt/").headers["Location"] == "/trade/BTCUSDT/"


def test_the_theme_is_kept_and_the_page_stays(client: Client, market: Market) -> None:
    answer = client.post("/theme/", {"theme": "dark", "next": "/markets/?q=b"})
    assert answer.headers["Location"] == "/markets/?q=b"
    assert 'data-theme="dark"' in client.get("/markets/").text


@pytest.mark.parametrize(
    "after", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"]
)
def test_no_form_sends_anybody_to_another_site(client: Client, db: None, after: str) -> None:
    assert client.post("/theme/", {"theme": "dark", "next": after}).headers["Location"] == "/"


def test_a_theme_nobody_offers_changes_nothing(client: Client, db: None) -> None:
    assert "theme" not in client.post("/theme/", {"theme": "pink"}).cookies


def test_a_language_without_a_catalogue_is_not_offered(client: Client, market: Market) -> None:
    client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/fees/"})
    page = client.get("/fees/").text
    assert '<html lang="en"' in page
    assert "简体中文" not in page


def test_play_money_is_said_to_be_play_money(client: Client, market: Market) -> None:
    page = client.get("/").text
    assert "executed by a simulated venue" in page
    assert "Binance's spot market" not in page
    assert "Not affiliated with Binance" in page


def test_every_page_forbids_inline_script_and_style(client: Client, market: Market) -> None:
    policy = client.get("/trade/BTCUSDT/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_page_that_is_not_there_looks_like_the_site(client: Client, db: None) -> None:
    answer = client.get("/nope/")
    assert answer.status_code == 404
    assert "Back to the start page" in answer.text


def test_the_list_draws_the_last_day_of_each_market(client: Client, market: Market) -> None:
    start = timezone.now().replace(minute=0, second=0, microsecond=0)
    for back, close in ((2, "1"), (1, "3"), (0, "2")):
        amounts = dict.fromkeys(("open", "high", "low", "close", "volume", "quote_volume"), close)
        at = start - timedelta(hours=back)
        Candle.objects.create(market=market, interval="1h", open_at=at, trades=1, is_closed=True, **amounts)
    page = client.get("/markets/").text
    assert '<svg class="spark up"' in page
    assert 'points="0,60 115,0 230,30"' in page
    assert "spark" not in client.get("/").text


@pytest.mark.parametrize(
    ("closes", "kind", "points"),
    [
        (["2", "2"], "muted", "0,30 230,30"),
        (["2", "1"], "down", "0,0 230,60"),
        (["0.1", "0.1", "9"], "up", "0,60 115,60 230,0"),
    ],
)
def test_a_line_goes_from_the_first_price_to_the_last(closes: list[str], kind: str, points: str) -> None:
    line = spark([Decimal(close) for close in closes])
    assert (f'class="spark {kind}"' in line, f'points="{points}"' in line) == (True, True)


def test_a_line_has_the_colour_of_the_change_that_stands_beside_it() -> None:
    assert 'class="spark down"' in spark([Decimal(1), Decimal(2)], "-0.16")


def test_one_price_makes_no_line() -> None:
    assert "svg" not in spark([Decimal(1)])
