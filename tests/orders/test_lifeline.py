"""What a customer reads of an order's life: every word of it, and nothing that is the house's or the venue's jargon."""

import re
from contextlib import suppress
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
import requests
from django.test import Client

from accounts.models import User
from exchange.errors import DomainError
from markets.models import Market
from orders import services
from orders.models import Order, VenueOrder
from tests.factories import make_user, publish_ticker
from tests.orders import lists
from tests.orders.test_amending import answers as answers_amends
from tests.orders.test_placing import made_long_ago, place
from tests.orders.test_replacing import answers, change
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, error, fill_body, order_body

D = Decimal
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})? UTC")
SECONDS = re.compile(r"\d+\.\d\d s")
FILLED = [fill_body(7, "38900.00", "0.4"), fill_body(8, "39000.00", "0.6")]
HOUSE = error(-2010, "Account has insufficient balance for requested action.")


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def told(browser: Client, order: Order) -> list[str]:
    """The page's sentences, with moments and seconds left out."""
    page = browser.get(f"/orders/{order.pk}/").text
    lines = re.findall(r"<li data-step[^>]*>(.*?)(?:<time|</li>)", page)
    return [SECONDS.sub("… s", MOMENT.sub("…", unescape(line))) for line in lines]


def filled_at_once(venue: Venue, user: User) -> Order:
    venue.places(status="FILLED", executedQty="1.0", cummulativeQuoteQty="38960.00", fills=FILLED)
    return place(user)


def test_an_order_that_fills_at_once_is_told_from_the_wish_to_the_last_trade(
    browser: Client, alice: User, venue: Venue
) -> None:
    assert told(browser, filled_at_once(venue, alice)) == [
        "You asked to buy 1 BTC at 39,000 USDT or less.",
        "Best offer 40,010.00 USDT, as the venue had it … s before",
        "39,000 USDT were set aside for it",
        "Sent to the venue",
        "The venue answered after … s: filled completely",
        "Filled 0.4 BTC at 38,900",
        "Filled 0.6 BTC at 39,000",
        "40 USDT that it did not need are available again",
        "Filled completely",
    ]


def test_moments_are_told_to_the_millisecond(browser: Client, alice: User, venue: Venue) -> None:
    page = browser.get(f"/orders/{filled_at_once(venue, alice).pk}/").text
    assert len(re.findall(r" data-precise>[^<]*\d\d:\d\d:\d\d\.\d{3} UTC</time>", page)) == 9


def test_the_stream_that_was_faster_is_told_and_nothing_twice(
    browser: Client, alice: User, venue: Venue
) -> None:
    def answer(asked: dict[str, Any]) -> Any:
        tell(traded(Order.objects.get(), 7, "1", "1", "FILLED"))
        fills = [fill_body(7, "39000.00", "1.0")]
        return 200, order_body(
            asked, status="FILLED", executedQty="1.0", cummulativeQuoteQty="39000", fills=fills
        )

    venue.on("POST", "/api/v3/order", answer)
    assert told(browser, place(alice))[3:] == [
        "Sent to the venue",
        "The venue reported after … s: filled completely",
        "Filled 1 BTC at 39,000",
        "Filled completely",
    ]


def test_what_the_stream_told_before_the_answer_was_lost_is_no_silence(
    browser: Client, alice: User, venue: Venue
) -> None:
    def answer(asked: dict[str, Any]) -> Any:
        tell(event(Order.objects.get(), "NEW", "NEW"))
        return 504, "timeout"

    venue.on("POST", "/api/v3/order", answer)
    assert told(browser, place(alice))[3:] == [
        "Sent to the venue",
        "The venue reported after … s: it has the order",
        "In the book, waiting",
    ]


def silent(venue: Venue, user: User) -> Order:
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.on("GET", "/api/v3/order", (503, ""))
    order = place(user)
    for _time in range(3):
        services.resolve_pending()
    VenueOrder.objects.update(checked_at=None)
    return order


@pytest.fixture
def impatient(settings: Any) -> None:
    """The sweep looks at everything each time."""
    settings.SWEEP_SECONDS = 0


def test_silence_is_told_as_what_it_is_and_how_often_the_venue_was_asked(
    browser: Client, alice: User, venue: Venue, impatient: None
) -> None:
    assert told(browser, silent(venue, alice))[3:] == [
        "Sent to the venue",
        "No answer came; it is not sent again, and the venue is asked what became of it",
        "The question what became of it was not answered, asked 3 times, last at …",
        "No answer has come: the order is being checked since …, and nothing is sent again",
    ]


def test_what_the_sweep_finds_is_told_after_the_silence(
    browser: Client, alice: User, venue: Venue, impatient: None
) -> None:
    order = silent(venue, alice)
    venue.knows()
    services.resolve_pending()
    assert told(browser, order)[4:] == [
        "No answer came; it is not sent again, and the venue is asked what became of it",
        "The question what became of it was not answered, asked 3 times, last at …",
        "The venue was asked what became of it: it has the order",
        "In the book, waiting",
    ]


def test_an_order_that_never_arrived_is_told_with_the_questions_and_the_money(
    browser: Client, alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.knows_none()
    order = place(alice)
    services.reconcile(venue_order_id=made_long_ago(order, 60).pk)
    assert told(browser, order)[5:] == [
        "The venue did not know the order, asked once, at …",
        "Not accepted. The order did not reach the market; nothing was executed.",
        "39,000 USDT that it did not need are available again",
    ]


def test_what_the_house_lacks_is_told_as_the_houses_problem(
    browser: Client, alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", HOUSE)
    order = place(alice)
    assert told(browser, order)[4:] == [
        "The venue did not take it because of a problem of ours, not of yours",
        "Not accepted. Trading is temporarily unavailable; nothing was placed. Please try again later.",
        "39,000 USDT that it did not need are available again",
    ]
    page = browser.get(f"/orders/{order.pk}/").text
    assert "insufficient" not in page and "-2010" not in page


def test_what_the_market_refuses_is_told_with_its_reason(browser: Client, alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", error(-2010, "Market is closed."))
    assert told(browser, place(alice))[4:6] == [
        "The venue did not take it",
        "Not accepted. This market takes no new orders at the moment.",
    ]


def test_what_could_not_be_sent_is_told_so(browser: Client, alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", error(-1015, "Too many new orders.", 429))
    steps = told(browser, place(alice))
    assert steps[3] == "It could not be sent" and steps[4].startswith("Not accepted.")
    assert "Sent to the venue" not in steps


def test_what_never_left_the_house_is_not_told_as_sent(browser: Client, alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", requests.exceptions.ConnectTimeout())
    order = place(alice)
    assert order.status == "REJECTED"
    assert "Sent to the venue" not in told(browser, order)


def test_a_fill_after_the_end_is_told_as_late(browser: Client, alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    tell(event(order, "CANCELED", "CANCELED", c="x", C=order.venue_orders.get().client_order_id))
    tell(traded(order, 7, "0.5", "0.5"))
    assert told(browser, order)[5:] == [
        "Canceled",
        "39,000 USDT that it did not need are available again",
        "Filled 0.5 BTC at 39,000: the venue told of it only after the order had ended here, and it is in the books"
        " all the same",
    ]


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (
            {"status": "EXPIRED_IN_MATCH"},
            "Ended. It met another order of this platform; the rest was not traded.",
        ),
        ({"status": "EXPIRED", "expiryReason": "EXCHANGE_CANCELED"}, "Ended. The venue canceled it."),
        ({"status": "EXPIRED"}, "Ended"),
    ],
)
def test_an_order_that_is_good_till_canceled_does_not_end_by_its_time(
    browser: Client, alice: User, venue: Venue, ended: dict[str, str], words: str
) -> None:
    venue.places(**ended)
    assert words in told(browser, place(alice))


def test_an_order_that_was_to_trade_at_once_ends_by_its_time(
    browser: Client, alice: User, venue: Venue
) -> None:
    venue.places(status="EXPIRED")
    assert "Ended by its time in force" in told(browser, place(alice, time_in_force="IOC"))


def test_a_cancel_is_told_with_the_wish_and_the_end(browser: Client, alice: User, venue: Venue) -> None:
    venue.places()
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED")))
    order = place(alice)
    services.cancel_order(user=alice, order_id=order.pk)
    assert told(browser, order)[4:] == [
        "The venue answered after … s: it has the order",
        "Cancelling was asked for",
        "Canceled",
        "39,000 USDT that it did not need are available again",
    ]


def test_a_cancel_that_does_not_get_through_is_told_with_how_often_it_was_tried(
    browser: Client, alice: User, venue: Venue, impatient: None
) -> None:
    venue.places()
    venue.on("DELETE", "/api/v3/order", (503, ""))
    order = place(alice)
    services.cancel_order(user=alice, order_id=order.pk)
    venue.knows()
    services.resolve_pending()
    assert told(browser, order)[5:] == [
        "Cancelling was asked for",
        "Cancelling was not answered by the venue, tried 2 times, last at …",
        "Waiting for the venue to cancel it",
    ]


def test_a_smaller_size_is_told_from_the_wish_to_the_money(
    browser: Client, alice: User, venue: Venue
) -> None:
    Market.objects.update(abilities=["AMEND"])
    venue.places()
    order = place(alice)
    answers_amends(venue)
    services.amend_order(user=alice, order_id=order.pk, quantity=D("0.4"))
    assert told(browser, order)[5:] == [
        "You asked to make it 0.4 BTC",
        "Its size is 0.4 BTC now",
        "23,400 USDT that it did not need are available again",
        "In the book, waiting",
    ]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (error(-2038, "Order amend rejected."), "The market did not change this order."),
        (error(-2015, "Invalid API-key, IP, or permissions for action.", 401), "Trading is temporarily unavailable"),
        ((503, ""), "No answer to the change came; the venue is asked what the order is now"),
    ],
)  # fmt: skip
def test_a_size_that_did_not_come_about_is_told_with_its_reason(
    browser: Client, alice: User, venue: Venue, answer: Any, sentence: str
) -> None:
    Market.objects.update(abilities=["AMEND"])
    venue.places()
    order = place(alice)
    venue.on("PUT", "/api/v3/order/amend/keepPriority", answer)
    venue.knows()
    with suppress(DomainError):
        services.amend_order(user=alice, order_id=order.pk, quantity=D("0.4"))
    asked, refused, *_rest = told(browser, order)[5:]
    assert (asked, refused.startswith(sentence)) == ("You asked to make it 0.4 BTC", True)


def test_an_order_and_the_one_that_takes_its_place_tell_of_each_other(
    browser: Client, alice: User, market: Market, venue: Venue
) -> None:
    Market.objects.update(abilities=["CANCEL_REPLACE"])
    venue.places()
    order = place(alice)
    answers(venue, order)
    new = change(order, price=D(39500))
    assert told(browser, order)[5:] == [
        f"You asked for order {new.pk} in its place",
        f"Canceled; order {new.pk} has its place",
        "39,000 USDT that it did not need are available again",
    ]
    assert told(browser, new) == [
        f"You asked to buy 1 BTC at 39,500 USDT or less. It is to take the place of order {order.pk}.",
        f"500 USDT were set aside besides what order {order.pk} holds",
        "Best offer 40,010.00 USDT, as the venue had it … s before",
        "Sent to the venue",
        "39,500 USDT were set aside for it",
        "The venue answered after … s: it has the order",
        "In the book, waiting",
    ]


def test_a_change_that_is_refused_tells_what_comes_back(
    browser: Client, alice: User, market: Market, venue: Venue
) -> None:
    Market.objects.update(abilities=["CANCEL_REPLACE"])
    venue.places()
    order = place(alice)
    venue.on("POST", "/api/v3/order/cancelReplace", error(-1015, "Too many new orders.", 429))
    assert told(browser, change(order, price=D(39500)))[3:] == [
        "It could not be sent",
        "Not accepted. The exchange is busy right now; nothing was placed. Please try again.",
        "500 USDT that it did not need are available again",
    ]


def test_both_orders_of_a_pair_tell_of_the_hold_they_share(
    browser: Client, alice: User, market: Market, venue: Venue
) -> None:
    Market.objects.update(abilities=["OCO"])
    publish_ticker("BTCUSDT", "40000")
    venue.places_pairs()
    pair = lists.place_oco(alice)
    above, below = lists.leg(pair, "ABOVE"), lists.leg(pair, "BELOW")
    lists.tell(lists.traded(above, 7, "1", "42000"))
    lists.tell(lists.event(below, "EXPIRED", "EXPIRED", r="OCO_TRIGGER"))
    assert told(browser, above) == [
        "You asked to sell 1 BTC at 42,000 USDT or more. It ends when the other order of its list begins to trade.",
        "Best bid 40,000.00 USDT, as the venue had it … s before",
        "1 BTC were set aside, once for both orders of the list",
        "Sent to the venue",
        "The venue answered after … s: it has the order",
        "Filled 1 BTC at 42,000",
        "Filled completely",
    ]
    assert told(browser, below)[0] == (
        "You asked to sell 1 BTC at the market's price. Not before the market reaches 38,000 USDT. It ends when the"
        " other order of its list begins to trade."
    )
    assert told(browser, below)[-1] == "Ended, because the other order of its list began to trade"


def test_an_order_that_waits_for_another_says_so(
    browser: Client, alice: User, market: Market, venue: Venue
) -> None:
    venue.places()
    ticket = lists.ticket("OTO", working=lists.BUY, pending=lists.SELL_ALL)
    found = services.place_order_list(user=alice, ticket=ticket)
    assert told(browser, lists.leg(found, "PENDING")) == [
        "You asked to sell 1 BTC at 41,000 USDT or more. Not before the first order of its list is filled.",
        "Waiting until the first order of its list is filled",
    ]


# ------------------------------------------------------------------ by API
def test_the_api_tells_the_same_page_by_page(browser: Client, alice: User, venue: Venue) -> None:
    order = filled_at_once(venue, alice)
    found = browser.get(f"/api/v1/orders/{order.pk}/events/?limit=2&offset=1").json()
    assert (found["count"], len(found["results"])) == (9, 2)
    assert found["results"][1]["kind"] == "held"
    assert found["results"][1]["text"] == "39,000 USDT were set aside for it"
    assert set(found["results"][1]) == {"kind", "text", "at", "is_open"}


def test_a_strangers_order_is_not_told_by_api(client: Client, alice: User, venue: Venue) -> None:
    order = filled_at_once(venue, alice)
    client.force_login(make_user("bob"))
    assert client.get(f"/api/v1/orders/{order.pk}/events/").status_code == 404
