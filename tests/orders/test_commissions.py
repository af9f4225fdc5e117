"""What the venue takes for a trade is the house's expense, in whichever asset it takes it; exact to the last digit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from accounts.models import User
from ledger import queries as books
from ledger.models import Account, Entry
from markets.models import Asset
from orders import services
from orders.models import Fill, Order
from tests.factories import balance, held_by_the_house
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, fill_body, order_body, trade_body

D = Decimal
TAKEN = {
    "base": ("BTC", D("0.00074999")),
    "quote": ("USDT", D("29.25000001")),
    "a third asset": ("BNB", D("0.03421337")),
    "an asset that the catalogue does not know": ("NEWCOIN", D("0.00000001")),
}
# What 1 BTC at 39000 leaves alice with: she pays or gets all of it, and our fee of a thousandth is of what she gets.
LEFT = {"BUY": (D("2.999"), D(61000)), "SELL": (D(1), D(138961))}


@pytest.mark.parametrize("source", ["answer", "stream", "question"])
@pytest.mark.parametrize("taken", list(TAKEN))
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_commission_is_booked_in_the_asset_it_was_taken_in_and_costs_the_customer_nothing(
    alice: User, venue: Venue, side: str, taken: str, source: str
) -> None:
    asset, amount = TAKEN[taken]
    before = held_by_the_house(Account.Type.VENUE, asset)
    filled(alice, venue, side, source, asset, amount)
    assert (balance(alice, "BTC"), balance(alice, "USDT")) == ((LEFT[side][0], 0), (LEFT[side][1], 0))
    own = {"BTC": D(1), "USDT": D(-39000)}.get(asset, D(0)) * (1 if side == "BUY" else -1)
    assert held_by_the_house(Account.Type.COMMISSION, asset) == -amount
    assert held_by_the_house(Account.Type.VENUE, asset) == before - own + amount
    assert Fill.objects.get().commission == amount
    if asset not in ("BTC", "USDT"):
        assert not Entry.objects.filter(account__owner=alice, asset_id=asset).exists()
        assert Asset.objects.filter(code=asset).exists()
    assert books.first_broken_row() == ""


def filled(user: User, venue: Venue, side: str, source: str, asset: str, amount: Decimal) -> Order:
    """1 BTC at 39000 in one trade, told by the answer, by an event, or by myTrades alone."""
    done = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "39000.0"}
    trade = fill_body(7, "39000.00", "1.00000000", f"{amount:f}", asset)
    if source == "answer":
        venue.places(**done, fills=[trade])
        return services.place_order(user=user, ticket=ticket(side=side))
    venue.places()
    order = services.place_order(user=user, ticket=ticket(side=side))
    if source == "stream":
        told = traded(order, 7, "1", "1", "FILLED")
        tell(replace(told, fills=(replace(told.fills[0], commission=amount, commission_asset=asset),)))
    else:
        row = trade_body(
            4711, 7, "39000.00", "1.0", "39000.0", commission=f"{amount:f}", commissionAsset=asset
        )
        venue.on("GET", "/api/v3/order", lambda asked: (200, order_body({**asked, "side": side}, **done)))
        venue.on("GET", "/api/v3/myTrades", (200, [{**row, "isBuyer": side == "BUY"}]))
        services.reconcile(venue_order_id=order.venue_orders.get().pk)
    return order


def test_a_commission_that_one_source_leaves_out_is_booked_by_the_first_that_is_heard(
    alice: User, venue: Venue
) -> None:
    """A trade is booked once; the comparison of the day finds a commission that its first report did not name."""
    order = filled(alice, venue, "BUY", "stream", "BNB", D("0.01"))
    tell(event(order, "TRADE", "FILLED", l="1", z="1", L="39000.00", t=7, Y="39000", Z="39000"))
    assert held_by_the_house(Account.Type.COMMISSION, "BNB") == D("-0.01")
    assert Fill.objects.count() == 1
