"""Two customers of ours trade with each other: taken back from the venue first, at a price no worse than there."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from exchange.desk import evidence
from ledger import queries as books
from ledger.models import Account, Hold, Transfer
from ledger.services import Cause
from markets.models import Market
from orders import queries, services
from orders.errors import ChangeUnderWay
from orders.models import Cross, Fill, Order, RouteDecision, VenueOrder
from tests.factories import balance, fund, held_by_the_house, make_user, publish_book
from tests.orders.test_placing import market_ticket, ticket
from tests.orders.test_reports import event, tell
from tests.orders.test_routes import rule
from tests.orders.test_routes_two_legs import Stop, stop_at
from tests.venue import Body, Venue, error, fill_body, order_body

PLACE, AMEND = "/api/v3/order", "/api/v3/order/amend/keepPriority"
BEST = Decimal("40005")


@pytest.fixture
def bob(alice: User, venue: Venue) -> User:
    """bob sells 1 bitcoin at 40005, best of the book, where staff let customers trade with each other."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=["AMEND", "CANCEL_REPLACE"])
    bob = make_user("bob")
    fund(bob, "BTC", "2")
    rule(make_user("carol", is_staff=True), allows_crossing=True)
    tell_book()
    venue.places()
    services.place_order(user=bob, ticket=rests())
    return bob


def rests(price: str = "40005", quantity: str = "1", nonce: str = "b1", **more: Any) -> services.Ticket:
    return ticket(side="SELL", price=Decimal(price), quantity=Decimal(quantity), nonce=nonce, **more)


def tell_book(best: str = "40005.00") -> None:
    publish_book(asks=[(best, "1"), ("40010.00", "5")])


def of(user: User) -> Order:
    return Order.objects.filter(user=user).latest("id")


def amended(asked: Body, executed: str = "0.00000000") -> tuple[int, Body]:
    order = {
        "symbol": asked["symbol"], "orderId": 4711, "orderListId": -1, "origClientOrderId": asked["origClientOrderId"],
        "clientOrderId": asked["origClientOrderId"], "price": "40005.00", "qty": asked["newQty"],
        "executedQty": executed, "preventedQty": "0", "cumulativeQuoteQty": "0", "status": "NEW",
        "timeInForce": "GTC", "type": "LIMIT", "side": "SELL",
    }  # fmt: skip
    return 200, {"transactTime": 1_700_000_000_000, "executionId": 1, "amendedOrder": order}


def canceled(asked: Body, **more: Any) -> tuple[int, Body]:
    found = {"status": "CANCELED", "side": "SELL", "price": "40005.00", "origQty": "1.0", **more}
    return 200, order_body(asked, origClientOrderId=asked["origClientOrderId"], **found)


def gives_back(venue: Venue) -> None:
    venue.on("PUT", AMEND, amended)
    venue.on("DELETE", PLACE, canceled)


def fills_buyers(venue: Venue, quantity: str, quote: str, price: str = "40010.00") -> None:
    """Purchases are filled by the venue, sales rest."""
    filled = {"status": "FILLED", "executedQty": quantity, "cummulativeQuoteQty": quote, "orderId": 4712}
    bought = {**filled, "fills": [fill_body(8, price, quantity)]}
    venue.on(
        "POST",
        PLACE,
        lambda asked: (200, order_body(asked, **(bought if asked["side"] == "BUY" else {"orderId": 4713}))),
    )


def buy(user: User, quantity: str = "0.4", **more: Any) -> Order:
    return services.place_order(user=user, ticket=market_ticket(**{"quantity": Decimal(quantity), **more}))


def sent(venue: Venue, method: str, path: str = PLACE) -> list[Body]:
    return [asked for how, where, asked in venue.asked if (how, where) == (method, path)]


def only_wanted_is_held() -> bool:
    found = evidence.stray_holds("x", books.held_for(Cause.ORDER), queries.holding_orders())
    return not list(found)


# ------------------------------------------------------------------ both trade
def test_a_part_of_a_resting_order_is_traded_and_the_rest_keeps_its_place(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    order = buy(alice)
    assert (order.status, order.route, order.cumulative_quote) == ("FILLED", "CROSS", 16002)
    assert balance(alice, "USDT") == (83998, 0)
    assert balance(alice, "BTC") == (Decimal("2.3996"), 0)  # less the fee of a taker
    assert balance(bob, "BTC") == (1, Decimal("0.6"))
    assert balance(bob, "USDT") == (Decimal("15985.998"), 0)  # less the fee of a maker
    maker = of(bob)
    assert (maker.status, maker.quantity, maker.cumulative_quantity) == (
        "PARTIALLY_FILLED",
        1,
        Decimal("0.4"),
    )
    assert [asked["newQty"] for asked in sent(venue, "PUT", AMEND)] == ["0.6"]
    assert len(sent(venue, "POST")) == 1, "nothing of the buyer's goes to the venue"
    assert only_wanted_is_held()


def test_both_sides_are_one_transfer_and_the_venue_moves_nothing(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    buy(alice)
    one, other = Fill.objects.order_by("id")
    assert one.transfer_id == other.transfer_id
    assert Transfer.objects.get(pk=one.transfer_id).kind == "CROSS"
    assert held_by_the_house(Account.Type.COMMISSION, "BTC") == 0
    assert one.improvement == 0, "as much again rests at the venue at this price"
    assert {(fill.order.user_id, fill.is_maker) for fill in (one, other)} == {
        (alice.pk, False),
        (bob.pk, True),
    }


def test_a_resting_order_that_is_traded_whole_is_canceled_at_the_venue_and_filled_here(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    order = buy(alice, "1")
    assert order.status == "FILLED"
    assert of(bob).status == "FILLED" and of(bob).finished_at is not None
    assert balance(bob, "BTC") == (1, 0)
    assert len(sent(venue, "DELETE")) == 1
    # Without it the venue's best price is 40010: five dollars more.
    assert [fill.improvement for fill in Fill.objects.order_by("id")] == [5, None]
    assert not Hold.objects.filter(is_open=True).exists()


def test_where_orders_cannot_be_made_smaller_the_rest_goes_back_as_a_new_one(
    alice: User, bob: User, venue: Venue
) -> None:
    Market.objects.filter(symbol="BTCUSDT").update(abilities=[])
    gives_back(venue)
    assert buy(alice).status == "FILLED"
    first, second = sent(venue, "POST")
    assert (second["side"], second["type"], second["price"], second["quantity"]) == (
        "SELL",
        "LIMIT",
        "40005",
        "0.6",
    )
    assert (of(bob).status, balance(bob, "BTC")) == ("PARTIALLY_FILLED", (1, Decimal("0.6")))
    # What is still told of the first one ends nothing.
    old = of(bob).venue_orders.earliest("id")
    body = order_body({**first, "origClientOrderId": old.client_order_id}, status="CANCELED", origQty="1.0")
    venue.on("GET", PLACE, (200, body))
    services.reconcile(venue_order_id=old.pk)
    assert of(bob).status == "PARTIALLY_FILLED"
    assert only_wanted_is_held()


def test_what_the_other_does_not_have_is_bought_at_the_venue(alice: User, bob: User, venue: Venue) -> None:
    gives_back(venue)
    fills_buyers(venue, "0.5", "20005.0")
    order = buy(alice, "1.5")
    assert (order.status, order.cumulative_quantity) == ("FILLED", Decimal("1.5"))
    assert order.cumulative_quote == 40005 + 20005
    assert [asked["quantity"] for asked in sent(venue, "POST")] == ["1", "0.5"]
    assert {str(fill.route) for fill in order.fills.all()} == {"CROSS", "DIRECT"}
    assert not Hold.objects.filter(is_open=True).exists()


def test_an_order_by_total_trades_whole_steps_and_its_rest_goes_on(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    order = services.place_order(user=alice, ticket=market_ticket(quote_quantity=Decimal(20000)))
    assert (order.status, order.cumulative_quantity) == ("FILLED", Decimal("0.49993"))
    assert balance(alice, "USDT") == (Decimal(100000) - BEST * Decimal("0.49993"), 0)
    assert len(sent(venue, "POST")) == 1


def test_a_limit_order_that_takes_trades_and_its_rest_stands_at_the_venue(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    wanted = ticket(price=Decimal(40006), quantity=Decimal("1.5"), nonce="a1")
    order = services.place_order(user=alice, ticket=wanted)
    assert (order.status, order.cumulative_quantity) == ("PARTIALLY_FILLED", 1)
    last = sent(venue, "POST")[-1]
    assert (last["type"], last["timeInForce"], last["price"], last["quantity"]) == (
        "LIMIT",
        "GTC",
        "40006",
        "0.5",
    )
    # What the rest can cost, and what the trade did not need of its hold.
    assert balance(alice, "USDT")[1] == 20004
    assert only_wanted_is_held()


# ------------------------------------------------------------------ with whom not
def test_nobody_trades_with_himself_nor_beyond_the_venues_best_price(
    alice: User, bob: User, venue: Venue
) -> None:
    fund(bob, "USDT", "1000")
    venue.places(status="EXPIRED")
    assert services.place_order(user=bob, ticket=market_ticket(quantity=Decimal("0.01"))).route == "DIRECT"
    tell_book("40004.00")
    order = buy(alice)
    assert order.route == "DIRECT"
    out = {way["kind"]: way.get("out") for way in RouteDecision.objects.get(order=order).candidates}
    assert out["CROSS"] == "nobody"


def test_without_a_word_of_staff_customers_do_not_trade_with_each_other(
    alice: User, bob: User, venue: Venue
) -> None:
    rule(User.objects.get(email="carol@example.com"))
    venue.places(status="EXPIRED")
    order = buy(alice)
    assert order.route == "DIRECT"
    assert RouteDecision.objects.get(order=order).candidates[1]["out"] == "crossing_off"


def test_a_rest_that_no_market_takes_keeps_two_orders_apart(alice: User, bob: User, venue: Venue) -> None:
    venue.places(status="EXPIRED")
    assert buy(alice, "0.99999").route == "DIRECT"


# ------------------------------------------------------------------ the venue says something else
def test_a_price_that_the_venue_has_bettered_meanwhile_is_not_traded_at(
    alice: User, bob: User, venue: Venue
) -> None:
    """What was taken back goes to the venue again, and the buyer gets the better price there."""

    def amends_late(asked: Body) -> Any:
        tell_book("40001.00")
        return amended(asked)

    gives_back(venue)
    venue.on("PUT", AMEND, amends_late)
    fills_buyers(venue, "0.4", "16000.4", "40001.00")
    order = buy(alice)
    assert (order.status, order.cumulative_quote) == ("FILLED", Decimal("16000.4"))
    assert Cross.objects.get().reason == "venue_is_better"
    again = sent(venue, "POST")[1]
    assert (again["side"], again["quantity"], again["price"]) == ("SELL", "1", "40005")
    assert (of(bob).status, balance(bob, "BTC")) == ("OPEN", (1, 1))
    assert only_wanted_is_held()


def test_a_resting_order_that_filled_meanwhile_is_missed(alice: User, bob: User, venue: Venue) -> None:
    venue.on("PUT", AMEND, error(-2038, "Unknown order sent."))
    venue.knows(status="FILLED", executedQty="1.0", cummulativeQuoteQty="40005.0", side="SELL")
    row = {"symbol": "BTCUSDT", "id": 7, "orderId": 4711, "price": "40005", "qty": "1", "quoteQty": "40005",
           "commission": "0", "commissionAsset": "USDT", "time": 1_700_000_000_000, "isBuyer": False,
           "isMaker": True}  # fmt: skip
    venue.on("GET", "/api/v3/myTrades", (200, [row]))
    fills_buyers(venue, "0.4", "16004.0")
    order = buy(alice)
    assert (order.status, order.cumulative_quote) == ("FILLED", 16004)
    assert (of(bob).status, balance(bob, "BTC")) == ("FILLED", (1, 0))
    assert Cross.objects.get().state == "MISSED"
    assert not Hold.objects.filter(is_open=True).exists()


def test_a_silent_venue_leaves_both_as_they_are_until_it_is_certain(
    alice: User, bob: User, venue: Venue
) -> None:
    venue.on("PUT", AMEND, (504, "timeout"))
    order = buy(alice)
    assert (order.status, balance(bob, "BTC")) == ("PENDING", (1, 1))
    with pytest.raises(ChangeUnderWay):
        services.amend_order(user=bob, order_id=of(bob).pk, quantity=Decimal("0.5"))
    venue.knows(status="NEW", origQty="1.0", side="SELL", price="40005.00")
    long_ago(5)
    services.follow_crosses()
    assert Cross.objects.get().state == "ASKED"
    venue.knows(status="NEW", origQty="0.6", side="SELL", price="40005.00")
    services.follow_crosses()
    order.refresh_from_db()
    assert (order.status, Cross.objects.get().state) == ("FILLED", "SETTLED")
    assert len(sent(venue, "PUT", AMEND)) == 1


def test_what_the_venue_certainly_did_not_do_sends_the_buyer_there(
    alice: User, bob: User, venue: Venue
) -> None:
    venue.on("PUT", AMEND, (504, "timeout"))
    order = buy(alice)
    venue.knows(status="NEW", origQty="1.0", side="SELL", price="40005.00")
    fills_buyers(venue, "0.4", "16004.0")
    long_ago(60)
    for _time in range(3):
        services.follow_crosses()
    order.refresh_from_db()
    assert (order.status, Cross.objects.get().reason) == ("FILLED", "unanswered")
    assert (of(bob).status, of(bob).crossing) == ("OPEN", 2)
    assert len(sent(venue, "POST")) == 2


def long_ago(seconds: int) -> None:
    Cross.objects.update(asked_at=timezone.now() - timedelta(seconds=seconds))


# ------------------------------------------------------------------ somebody does something else meanwhile
def test_a_seller_who_cancels_meanwhile_does_not_trade(alice: User, bob: User, venue: Venue) -> None:
    def amends_and_bob_cancels(asked: Body) -> Any:
        Order.objects.filter(user=bob).update(cancel_requested_at=timezone.now())
        return amended(asked)

    gives_back(venue)
    venue.on("PUT", AMEND, amends_and_bob_cancels)
    venue.on("POST", PLACE, lambda asked: (200, order_body(asked, status="EXPIRED", orderId=4712)))
    order = buy(alice)
    assert (order.status, order.cumulative_quantity) == ("EXPIRED", 0)
    services.follow_crosses()
    assert (of(bob).status, balance(bob, "BTC")) == ("CANCELED", (2, 0))
    assert only_wanted_is_held()


@pytest.mark.parametrize("point", ["order.held", "cross.asking", "cross.answered", "cross.settling"])
def test_a_process_that_stops_on_the_way_leaves_nothing_undone(
    alice: User, bob: User, venue: Venue, point: str
) -> None:
    gives_back(venue)
    size = "1.0" if point in ("order.held", "cross.asking") else "0.6"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exchange.failpoints.hit", stop_at(point))
        with pytest.raises(Stop):
            buy(alice)
    venue.knows(origQty=size, side="SELL", price="40005.00")
    fills_buyers(venue, "0.4", "16004.0")
    long_ago(60)
    for _time in range(3):
        services.follow_crosses()
    order = of(alice)
    assert (order.status, order.cumulative_quantity) == ("FILLED", Decimal("0.4"))
    assert of(bob).left == Decimal(size)
    assert only_wanted_is_held() and not books.trial_balance()


def test_a_rest_that_never_left_is_sent_once_under_another_name(alice: User, bob: User, venue: Venue) -> None:
    gives_back(venue)
    fills_buyers(venue, "0.5", "20005.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orders.services.crossing.relay", stopped)
        with pytest.raises(Stop):
            buy(alice, "1.5")
    VenueOrder.objects.filter(order__user=alice).update(send_by=timezone.now() - timedelta(seconds=1))
    for _time in range(2):
        services.follow_crosses()
    assert of(alice).status == "FILLED"
    assert len(sent(venue, "POST")) == 2


def stopped(_sent: object) -> None:
    raise Stop


# ------------------------------------------------------------------ afterwards
def test_what_is_left_of_a_resting_order_can_be_made_smaller_and_filled(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    buy(alice)
    maker = services.amend_order(user=bob, order_id=of(bob).pk, quantity=Decimal("0.9"))
    assert (maker.quantity, balance(bob, "BTC")) == (Decimal("0.9"), (Decimal("1.1"), Decimal("0.5")))
    assert [asked["newQty"] for asked in sent(venue, "PUT", AMEND)] == ["0.6", "0.5"]
    parts = {
        "q": "0.5",
        "l": "0.5",
        "z": "0.5",
        "L": "40005.00",
        "Y": "20002.5",
        "Z": "20002.5",
        "t": 9,
        "m": True,
    }
    tell(event(maker, "TRADE", "FILLED", **parts))
    maker.refresh_from_db()
    assert (maker.status, maker.cumulative_quantity) == ("FILLED", Decimal("0.9"))
    assert not Hold.objects.filter(is_open=True).exists()


def test_it_is_disclosed_on_each_fill_with_what_was_better(
    alice: User, bob: User, venue: Venue, client: Client
) -> None:
    def amends_and_the_book_moves(asked: Body) -> Any:
        publish_book(asks=[("40010.00", "5")])
        return amended(asked)

    gives_back(venue)
    venue.on("PUT", AMEND, amends_and_the_book_moves)
    order = buy(alice)
    client.force_login(alice)
    (fill,) = client.get("/api/v1/fills/").json()["results"]
    assert (fill["route"], fill["price_improvement"], fill["is_maker"]) == ("CROSS", "2", False)
    page = client.get(f"/orders/{order.pk}/").content.decode()
    assert "with another customer of ours, 2 USDT better than the venue's best price" in page
    client.force_login(bob)
    assert client.get("/api/v1/fills/").json()["results"][0]["route"] == "CROSS"
    assert "with another customer of ours" in client.get("/fills/").content.decode()
    services.realise_routes()
    assert RouteDecision.objects.get(order=order).realised_at is not None


def test_the_terms_say_how_orders_are_executed_and_where_customers_may_meet(
    client: Client, bob: User
) -> None:
    page = client.get("/terms/").content.decode()
    assert "at the resting price" in page and "in all markets" in page
    assert 'href="/terms/"' in client.get("/fees/").content.decode()
