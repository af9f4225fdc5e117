"""The venue bounds what lies in each of our accounts by itself: a purchase goes where it fits."""

from decimal import Decimal
from uuid import uuid4

import pytest

from accounts.models import User
from exchange.gate.models import VenueAccount
from ledger import services as ledger
from ledger.models import Account, Transfer
from ledger.services.posting import available, system
from markets.models import Market
from orders.errors import Busy
from orders.models import Order, RouteDecision
from orders.services import Ticket, house, place_order
from tests.exchange.gate.test_choosing import first, second, secret, told
from tests.factories import balance, make_market, make_user, publish_book
from tests.orders.test_placing import place
from tests.orders.test_routes import rule
from tests.orders.test_routes_two_legs import STEP
from tests.venue import Venue

__all__ = ["first", "second", "secret"]
D = Decimal


@pytest.fixture(autouse=True)
def at_most_eleven(alice: User, market: Market, venue: Venue, first: VenueAccount, settings: object) -> None:
    """An account may have eleven bitcoin; the first has two, those of alice."""
    settings.OPEN_ORDERS_SHARE_PERCENT = 100  # type: ignore[attr-defined]
    rule = {"filterType": "MAX_POSITION", "maxPosition": "11"}
    Market.objects.update(filters=[*market.filters, rule])
    house.forget()
    venue.places()


def lies(account: VenueAccount, amount: str) -> None:
    """So much of it lies there, of somebody who does nothing."""
    lines = [
        system(Account.Type.VENUE, "BTC", -D(amount), account.pk),
        available(make_user(f"rich{account.pk}").pk, "BTC", D(amount)),
    ]
    ledger.post(scope="test", key=uuid4().hex, kind=Transfer.Kind.DEPOSIT, lines=lines)


def at(order: Order) -> str:
    return order.venue_orders.get().venue_account.name


def test_a_purchase_for_which_one_account_is_full_goes_to_the_other(
    alice: User, first: VenueAccount, second: VenueAccount
) -> None:
    lies(first, "8.5")
    for account in (first, second):
        told(account, USDT="100000")
    assert at(place(alice)) == "second"
    assert at(place(alice, quantity=D("0.5"), nonce="n2")) == "primary"


def test_a_purchase_that_only_a_full_account_could_pay_finds_the_exchange_busy(
    alice: User, venue: Venue, first: VenueAccount, second: VenueAccount
) -> None:
    lies(second, "10.5")
    told(first, USDT="0")
    told(second, USDT="100000")
    with pytest.raises(Busy):
        place(alice)
    assert venue.count("POST", "/api/v3/order") == 0
    assert balance(alice, "USDT") == (100000, 0)


def test_what_is_being_bought_in_an_account_counts_there(
    alice: User, first: VenueAccount, second: VenueAccount
) -> None:
    lies(second, "9.5")
    told(first, USDT="0")
    told(second, USDT="100000")
    assert at(place(alice)) == "second"
    with pytest.raises(Busy):
        place(alice, nonce="n2")
    told(first, USDT="100000")
    assert at(place(alice, nonce="n3")) == "primary"


def test_two_trades_of_which_the_first_fits_nowhere_become_one_in_the_orders_own_market(
    alice: User, venue: Venue, first: VenueAccount
) -> None:
    lies(first, "9")
    Market.objects.filter(symbol="BTCUSDT").update(allows_quote_quantity=False)
    make_market("ETH", "USDT")
    make_market("ETH", "BTC", filters=STEP)
    publish_book("ETHUSDT", bids=[("3300.00", "50")], asks=[("3301.00", "50")])
    publish_book("ETHBTC", bids=[("0.07100", "50")], asks=[("0.07200", "50")])
    rule(make_user("carol", is_staff=True), bridges=["BTC"])
    venue.places(status="EXPIRED")
    wish = Ticket("ETHUSDT", "BUY", "MARKET", nonce="n1", quote_quantity=D(1000))
    order = place_order(user=alice, ticket=wish)
    ways = {way["kind"]: way for way in RouteDecision.objects.get(order=order).candidates}
    assert "out" not in ways["TWO_LEGS"]
    assert (order.route, [asked["symbol"] for _how, _where, asked in venue.asked if "side" in asked]) == (
        "DIRECT",
        ["ETHUSDT"],
    )
