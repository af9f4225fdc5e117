"""Pages of orders and fills, and the ticket without script."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from exchange.gate.models import VenueAccount
from markets.models import Asset, Market
from orders.models import Fill, Order, VenueOrder
from tests.venue import Venue

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
TICKET = {
    "side": "BUY",
    "type": "LIMIT",
    "price": "100",
    "quantity": "1",
    "time_in_force": "GTC",
    "nonce": "n1",
}


@pytest.fixture
def market(db: None) -> Market:
    for code in ("BTC", "USDT"):
        Asset.objects.get_or_create(code=code)
    return Market.objects.create(
        symbol="BTCUSDT", base_id="BTC", quote_id="USDT", status="TRADING", filters=FILTERS, is_listed=True
    )


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice@example.com", "a long password", tier=User.Tier.VERIFIED)


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def make_order(user: User, market: Market, nonce: str = "1", **changes: Any) -> Order:
    wanted = {
        "side": "BUY",
        "type": "LIMIT",
        "time_in_force": "GTC",
        "price": Decimal(59000),
        "quantity": Decimal("0.5"),
    }
    return Order.objects.create(
        user=user,
        nonce=nonce,
        market=market,
        fee_bps=10,
        maker_fee_bps=10,
        request_hash="x",
        **{"status": "OPEN", **wanted, **changes},
    )


def make_fill(order: Order, trade_id: int | None = None) -> Fill:
    account, _made = VenueAccount.objects.get_or_create(
        name="primary", defaults={"venue": "paper", "is_primary": True}
    )
    now = timezone.now()
    sent, _made = VenueOrder.objects.get_or_create(
        order=order,
        defaults={
            "venue_account": account,
            "client_order_id": f"c{order.pk}",
            "type": "LIMIT",
            "timestamp_ms": 1,
            "recv_window_ms": 1,
            "send_by": now,
            "sent_at": now,
            "answered_at": now,
        },
    )
    return Fill.objects.create(
        venue_order=sent,
        order=order,
        venue_account=account,
        market=order.market,
        trade_id=trade_id or order.pk,
        price=Decimal(58990),
        quantity=Decimal("0.2"),
        quote_quantity=Decimal(11798),
        fee=Decimal("0.0002"),
        fee_asset_id="BTC",
        transfer_id=1,
        at=now,
    )


@pytest.mark.parametrize("path", ["/orders/", "/orders/1/", "/fills/"])
def test_orders_are_nobody_elses_to_see(client: Client, db: None, path: str) -> None:
    assert client.get(path).headers["Location"].startswith("/accounts/login/")


def test_a_strangers_order_is_not_there(browser: Client, market: Market) -> None:
    bob = User.objects.create_user("bob@example.com", "a long password")
    assert browser.get(f"/orders/{make_order(bob, market).pk}/").status_code == 404


def test_an_order_tells_its_life_and_its_fills(browser: Client, alice: User, market: Market) -> None:
    order = make_order(alice, market, cumulative_quantity=Decimal("0.2"), cumulative_quote=Decimal(11798))
    make_fill(order)
    page = browser.get(f"/orders/{order.pk}/").text
    assert "You asked to buy 0.5 BTC at 59,000 USDT or less." in page
    assert "Filled 0.2 BTC at 58,990" in page
    assert "Answered by the venue" in page
    assert "In the book, waiting" in page
    assert '<data value="58990">58,990</data>' in page


def test_an_order_of_many_fills_shows_them_page_by_page(browser: Client, alice: User, market: Market) -> None:
    order = make_order(alice, market)
    for number in range(1, 31):
        make_fill(order, number)
    first, last = (browser.get(f"/orders/{order.pk}/?page={page}").text for page in (1, 2))
    assert "Page 1 of 2" in first
    assert [page.count('data-label="Price">58,990') for page in (first, last)] == [25, 5]
    assert (first.count("Filled 0.2 BTC"), "And 20 more fills" in first) == (10, True)


def test_filters_stay_in_the_address(browser: Client, alice: User, market: Market) -> None:
    open_order = make_order(alice, market)
    done = make_order(alice, market, nonce="2", status="FILLED", finished_at=timezone.now())
    page = browser.get("/orders/?status=open&side=BUY&market=BTCUSDT").text
    assert f"/orders/{open_order.pk}/" in page
    assert f"/orders/{done.pk}/" not in page


@pytest.mark.parametrize("query", ["?status=zzz", "?page=0", "?page=-1", "?page=9999999", "?side=HOLD"])
def test_odd_filters_are_no_errors(browser: Client, market: Market, query: str) -> None:
    assert browser.get(f"/orders/{query}").status_code == 200


def test_fills_are_listed_with_their_fee(browser: Client, alice: User, market: Market) -> None:
    make_fill(make_order(alice, market))
    assert '<data value="0.0002">0.0002</data>' in browser.get("/fills/").text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"price": ""}, "Enter a number."),
        ({"quantity": "abc"}, "Enter a plain number"),
        ({"price": "100.001"}, "0.01"),
        ({"quantity": "0.000001"}, "0.00001"),
        ({"quantity": "0.01"}, "5"),
        ({}, "There is not enough available for this."),
    ],
)
def test_a_refused_ticket_says_why_and_keeps_what_was_typed(
    browser: Client, market: Market, venue: Venue, changes: dict[str, str], sentence: str
) -> None:
    answer = browser.post("/trade/BTCUSDT/", {**TICKET, **changes})
    assert answer.status_code == 400
    assert sentence in answer.text
    assert not Order.objects.exists()


def test_a_ticket_of_somebody_signed_out_leads_to_the_sign_in(client: Client, market: Market) -> None:
    assert (
        client.post("/trade/BTCUSDT/", TICKET).headers["Location"] == "/accounts/login/?next=/trade/BTCUSDT/"
    )


def test_a_ticket_of_somebody_unverified_is_refused(client: Client, market: Market) -> None:
    client.force_login(User.objects.create_user("bob@example.com", "a long password"))
    assert client.post("/trade/BTCUSDT/", TICKET).status_code == 400
    assert not Order.objects.exists()


def test_a_strangers_order_cannot_be_canceled(browser: Client, market: Market) -> None:
    bob = User.objects.create_user("bob@example.com", "a long password")
    order = make_order(bob, market)
    browser.post(f"/orders/{order.pk}/cancel/")
    order.refresh_from_db()
    assert order.cancel_requested_at is None


def test_cancelling_by_a_link_alone_does_nothing(browser: Client, alice: User, market: Market) -> None:
    assert browser.get(f"/orders/{make_order(alice, market).pk}/cancel/").status_code == 405


@pytest.mark.parametrize(
    "after", ["NaN", "-1", "<script>", "\U0001f600", "orders.views.cancel", "//evil.example/", ""]
)
def test_wherever_cancelling_should_lead_it_leads_to_the_orders(
    browser: Client, alice: User, market: Market, after: str
) -> None:
    order = make_order(alice, market, status="FILLED", finished_at=timezone.now())
    assert browser.post(f"/orders/{order.pk}/cancel/", {"next": after}).headers["Location"] == "/orders/"


def test_cancelling_leads_back_to_where_it_was_asked_for(
    browser: Client, alice: User, market: Market
) -> None:
    order = make_order(alice, market, status="FILLED", finished_at=timezone.now())
    answer = browser.post(f"/orders/{order.pk}/cancel/", {"next": "/trade/BTCUSDT/"})
    assert answer.headers["Location"] == "/trade/BTCUSDT/"
