"""What staff have stopped takes no new order, whichever way it would come; what is open can be canceled."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.models import User
from exchange.gate import services as gate
from exchange.gate.errors import Stopped
from exchange.gate.models import Switch
from ledger.models import Hold
from markets.models import Market
from orders import services
from orders.models import Order
from tests.factories import balance, fund, make_market, make_user, publish_ticker
from tests.orders import stopped
from tests.orders.lists import BUY as BUY_FIRST
from tests.orders.lists import (
    PROFIT,
    SELL_ALL,
    STOP,
    D,
    everything_holds,
    leg,
    statuses,
    tell,
    ticket,
    traded,
)
from tests.orders.quiet import Quiet, quiet
from tests.orders.streaming import Scene, scene
from tests.orders.test_amending import amended
from tests.orders.test_late_senders import QUICK, frozen, woken
from tests.orders.test_placing import no_hold_is_left, place
from tests.orders.test_triggering import pass_time
from tests.race import race
from tests.venue import Venue, error, order_body

SECOND = 1.0
BODY = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": "39000", "quantity": "1",
}  # fmt: skip


@pytest.fixture
def carol(db: None) -> User:
    return User.objects.create_superuser("carol@example.com", "a long password")


@pytest.fixture
def dave(db: None) -> User:
    return User.objects.create_superuser("dave@example.com", "a long password")


def flip(by: User, scope: str = "EVERYTHING", **more: Any) -> Switch:
    return gate.flip_switch(scope=scope, by=by, reason="the venue misbehaves", **more)


def release(switch: Switch, asks: User, confirms: User) -> None:
    gate.ask_release(switch.pk, by=asks, reason="all is well")
    gate.confirm_release(switch.pk, by=confirms, reason="seen")


def sent(venue: Venue) -> int:
    return sum(method == "POST" for method, _path, _asked in venue.asked)


# ------------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    ("scope", "more"),
    [
        ("EVERYTHING", {}),
        ("CANCEL_ONLY", {}),
        ("CANCEL_ONLY", {"market": "BTCUSDT"}),
        ("MARKET", {"market": "BTCUSDT"}),
        ("SIDE", {"side": "BUY"}),
        ("SIDE", {"side": "BUY", "market": "BTCUSDT"}),
    ],
)
def test_an_order_that_a_switch_names_is_refused_with_nothing_held(
    alice: User, carol: User, venue: Venue, scope: str, more: dict[str, str]
) -> None:
    flip(carol, scope, **more)
    with pytest.raises(Stopped):
        place(alice)
    assert (sent(venue), Order.objects.count(), balance(alice, "USDT")) == (0, 0, (100_000, 0))


@pytest.mark.parametrize(
    ("scope", "more"),
    [
        ("MARKET", {"market": "ETHUSDT"}),
        ("CANCEL_ONLY", {"market": "ETHUSDT"}),
        ("SIDE", {"side": "SELL"}),
        ("SIDE", {"side": "BUY", "market": "ETHUSDT"}),
        ("API", {}),
    ],
)
def test_what_no_switch_names_is_placed(
    alice: User, carol: User, venue: Venue, scope: str, more: dict[str, str]
) -> None:
    make_market("ETH")
    venue.places()
    flip(carol, scope, **more)
    assert place(alice).status == "OPEN"


def test_a_customer_who_is_stopped_is_stopped_alone(alice: User, carol: User, venue: Venue) -> None:
    venue.places()
    bob = make_user("bob")
    fund(bob, "USDT", "100000")
    flip(carol, "CUSTOMER", customer_id=bob.pk)
    assert place(alice).status == "OPEN"
    with pytest.raises(Stopped) as refusal:
        place(bob)
    assert "this account" in str(refusal.value)


def test_after_two_have_released_it_orders_are_taken_again(
    alice: User, carol: User, dave: User, venue: Venue
) -> None:
    venue.places()
    switch = flip(carol)
    with pytest.raises(Stopped):
        place(alice)
    release(switch, carol, dave)
    assert place(alice).status == "OPEN"


def test_the_refusal_names_what_is_stopped_and_the_reason_that_was_given(
    alice: User, carol: User, client: Client
) -> None:
    flip(carol, "MARKET", market="BTCUSDT", public_reason="The venue upgrades its engine.")
    client.force_login(alice)
    answer = client.post("/api/v1/orders/", BODY, content_type="application/json")
    assert answer.status_code == 503
    told = answer.json()
    assert told["code"] == "trading_stopped"
    assert told["message"] == (
        "We have stopped new orders in BTCUSDT for the moment; open orders can be canceled."
        " The venue upgrades its engine."
    )
    assert "misbehaves" not in answer.text


def test_a_repeat_of_an_order_from_before_gives_its_answer(alice: User, carol: User, venue: Venue) -> None:
    venue.places()
    first = place(alice)
    flip(carol)
    assert place(alice).pk == first.pk


# ------------------------------------------------------------------ by the API
def test_without_the_api_the_website_trades_on(
    alice: User, carol: User, venue: Venue, client: Client
) -> None:
    venue.places()
    flip(carol, "API")
    _token, secret = accounts.issue_token(alice, name="bot", can_trade=True)
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    refused = program.post("/api/v1/orders/", BODY, format="json")
    assert (refused.status_code, refused.json()["code"]) == (503, "trading_stopped")
    assert "the website takes them" in refused.json()["message"]
    client.force_login(alice)
    assert client.post("/api/v1/orders/", BODY, content_type="application/json").status_code == 201
    order = Order.objects.get()
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, canceled(order)))
    assert program.delete(f"/api/v1/orders/{order.pk}/").json()["status"] == "CANCELED"


def canceled(order: Order) -> dict[str, Any]:
    own = order.venue_orders.latest("id").client_order_id
    asked = {"symbol": order.market_id, "side": order.side, "origClientOrderId": own}
    return order_body(asked, status="CANCELED") | {"origClientOrderId": own, "clientOrderId": "c1"}


# ------------------------------------------------------------------ lists
def test_a_list_is_refused_with_nothing_held(alice: User, carol: User, venue: Venue) -> None:
    Market.objects.update(abilities=["OCO"])
    publish_ticker("BTCUSDT", "40000")
    flip(carol, "SIDE", side="SELL")
    with pytest.raises(Stopped):
        services.place_order_list(user=alice, ticket=ticket(above=PROFIT, below=STOP))
    assert (sent(venue), no_hold_is_left()) == (0, True)


def test_what_waits_for_a_first_order_waits_on_until_it_is_released(
    alice: User, carol: User, dave: User, venue: Venue
) -> None:
    venue.places(orderId=4713)
    oto = services.place_order_list(user=alice, ticket=ticket("OTO", working=BUY_FIRST, pending=SELL_ALL))
    switch = flip(carol)
    tell(traded(leg(oto, "WORKING"), 7, "1", "39000"))
    services.follow_lists()
    assert statuses(oto) == ["FILLED", "WAITING"]
    assert no_hold_is_left()
    release(switch, carol, dave)
    services.follow_lists()
    assert statuses(oto) == ["FILLED", "OPEN"]


def test_what_never_left_is_not_sent_anew_until_it_is_released(
    alice: User, carol: User, dave: User, venue: Venue, later_away: Callable[[], Any]
) -> None:
    oto = later_away()
    switch = flip(carol)
    before = sent(venue)
    services.follow_lists()
    assert (statuses(oto), sent(venue)) == (["FILLED", "PENDING"], before)
    release(switch, carol, dave)
    services.follow_lists()
    assert statuses(oto) == ["FILLED", "OPEN"]
    assert everything_holds()


@pytest.fixture
def later_away(alice: User, venue: Venue) -> Callable[[], Any]:
    """A list whose second order was kept from leaving, and is due again."""

    def make() -> Any:
        venue.places(orderId=4713)
        oto = services.place_order_list(user=alice, ticket=ticket("OTO", working=BUY_FIRST, pending=SELL_ALL))
        venue.on("POST", "/api/v3/order", error(-1021, "Timestamp for this request is outside."))
        tell(traded(leg(oto, "WORKING"), 7, "1", "39000"))
        assert statuses(oto) == ["FILLED", "PENDING"]
        pass_time()
        venue.places(orderId=4714)
        return oto

    return make


# ------------------------------------------------------------------ changing and canceling
def test_no_order_takes_the_place_of_another_and_the_other_stays(
    alice: User, carol: User, venue: Venue
) -> None:
    Market.objects.update(abilities=["CANCEL_REPLACE"])
    venue.places()
    order = place(alice)
    flip(carol)
    with pytest.raises(Stopped):
        services.replace_order(user=alice, order_id=order.pk, nonce="n2", price=D(38000))
    order.refresh_from_db()
    assert (order.status, Order.objects.count()) == ("OPEN", 1)
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, canceled(order)))
    assert services.cancel_order(user=alice, order_id=order.pk).status == "CANCELED"
    assert balance(alice, "USDT") == (100_000, 0)


def test_an_order_is_made_smaller_unless_orders_may_only_be_canceled(
    alice: User, carol: User, venue: Venue
) -> None:
    Market.objects.update(abilities=["AMEND"])
    venue.places()
    order = place(alice)
    venue.on("PUT", "/api/v3/order/amend/keepPriority", amended)
    flip(carol)
    assert services.amend_order(user=alice, order_id=order.pk, quantity=D("0.9")).quantity == D("0.9")
    flip(carol, "CANCEL_ONLY", market="BTCUSDT")
    with pytest.raises(Stopped, match="only be canceled"):
        services.amend_order(user=alice, order_id=order.pk, quantity=D("0.8"))
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, canceled(order)))
    assert services.cancel_order(user=alice, order_id=order.pk).status == "CANCELED"


# ------------------------------------------------------------------ the pages
def trade_page(user: User | None = None) -> str:
    browser = Client()
    if user:
        browser.force_login(user)
    return browser.get("/trade/BTCUSDT/").text


def test_the_ticket_says_what_is_stopped_in_place_of_its_button(alice: User, carol: User) -> None:
    assert "data-submit" in trade_page(alice) and "data-stopped" not in trade_page(alice)
    flip(carol, public_reason="Back at noon.")
    page = trade_page(alice)
    assert "data-submit" not in page
    assert "We have stopped all new orders for the moment" in page and "Back at noon." in page


def test_one_side_that_is_stopped_leaves_the_other_its_button(alice: User, carol: User) -> None:
    flip(carol, "SIDE", side="BUY")
    page = trade_page(alice)
    assert "We have stopped new purchases" in page
    assert 'submit for-sell" data-submit' in page


def test_the_ticket_of_others_says_nothing_of_a_customer(alice: User, carol: User) -> None:
    flip(carol, "CUSTOMER", customer_id=alice.pk)
    assert "data-stopped" in trade_page(alice)
    assert "data-stopped" not in trade_page(make_user("bob")) and "data-stopped" not in trade_page()


def test_the_form_without_script_is_refused_with_the_sentence(alice: User, carol: User, venue: Venue) -> None:
    flip(carol)
    browser = Client()
    browser.force_login(alice)
    form = {
        "side": "BUY",
        "type": "LIMIT",
        "price": "39000",
        "quantity": "1",
        "time_in_force": "GTC",
        "nonce": "n",
    }
    answer = browser.post("/trade/BTCUSDT/", form)
    assert answer.status_code == 400
    assert "We have stopped all new orders for the moment" in answer.text


# ------------------------------------------------------------------ the cost, and the last moment
def test_looking_for_switches_costs_an_order_no_statement(alice: User, venue: Venue) -> None:
    venue.places()
    with CaptureQueriesContext(connection) as asked:
        place(alice)
    about = [query["sql"] for query in asked if "gate_switch" in query["sql"]]
    chosen, recorded, claimed = (
        about  # before the queue, in the hold's transaction, and again before it is sent
    )
    assert chosen.startswith('SELECT "gate_venueaccount"')
    assert recorded.startswith("WITH") and recorded.count('INSERT INTO "orders_venueorder"') == 1
    assert claimed.startswith("UPDATE orders_venueorder SET sent_at")


@pytest.fixture
def paper(committed_db: str) -> Iterator[Scene]:
    with scene("ws_api", **QUICK) as found:
        yield found


@pytest.mark.parametrize("threads", [0, 1])
def test_what_has_not_left_when_the_switch_is_flipped_never_leaves(
    paper: Scene, tmp_path: Path, threads: int
) -> None:
    carol = make_user("carol", is_staff=True)
    with frozen(paper, tmp_path, "order.held", threads, ORDER_SEND_BY_MS="60000") as child:
        assert balance(paper.alice, "USDT") == (61_000, 39_000)
        flip(carol, "MARKET", market="BTCUSDT")
        woken(child)
    order = Order.objects.get()
    assert (order.status, order.reason_code) == ("REJECTED", "trading_stopped")
    assert "new orders in BTCUSDT" in order.reason
    browser = Client()
    browser.force_login(paper.alice)
    page = browser.get(f"/orders/{order.pk}/").text
    assert "new orders in BTCUSDT" in page and "Sent to the venue" not in page
    assert balance(paper.alice, "USDT") == (100_000, 0)
    state = paper.house.door_get("state")
    assert next(row for row in state["accounts"] if row["id"] == state["main"])["orders"] == 0


@pytest.fixture
def market_of_paper(committed_db: str) -> Iterator[Quiet]:
    with quiet() as found:
        yield found


def test_a_second_after_the_flip_no_process_takes_an_order(
    market_of_paper: Quiet, figure: Callable[[str], None]
) -> None:
    market_of_paper.trader.door("fault", do="order limit", tenSeconds=100_000, day=1_000_000)
    carol = make_user("carol", is_staff=True)
    customers = [make_user(f"customer{number}") for number in range(4)]
    for user in customers:
        fund(user, "USDT", "1000000")
    facts = stopped.facts_of(market_of_paper)
    told = race(
        stopped.orders_until_stopped, 4, carol=carol.pk, users=[user.pk for user in customers], **facts
    )
    flipped_at = next(one["flipped_at"] for one in told if one["flipped_at"])
    taken = [at for one in told for at in one["taken"]]
    before, after = [at for at in taken if at < flipped_at], [at for at in taken if at >= flipped_at]
    refused = sum(len(one["refused"]) for one in told)
    last = max(after, default=flipped_at) - flipped_at
    figure(f"{len(before)} orders before the flip in four processes, {len(after)} after it, the last"
           f" {last * 1000:.0f} ms later; {refused} refused")  # fmt: skip
    assert all(one["taken"] and one["refused"] for one in told), told
    assert last < SECOND
    open_at_venue = set(market_of_paper.open_orders())
    ours = Order.objects.filter(status="OPEN").values_list("venue_orders__client_order_id", flat=True)
    assert open_at_venue == set(ours)
    assert Hold.objects.filter(is_open=True).count() == len(open_at_venue)
