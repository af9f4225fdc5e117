"""What the venue's limits leave: taken before a request, corrected by the venue's word, and shared out fairly."""

import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest
import requests
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from exchange.binance.errors import NoConnection
from exchange.gate import bans, limits, queries, store
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount, VenueLimit
from exchange.office.models import Notice
from markets import services as markets
from orders.models import Order
from tests.exchange.binance.test_outcomes import ORDER as TICKET
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.venue import Venue, error, has_counted, order_body

TIME, ORDER = ("GET", "/api/v3/time"), "/api/v3/order"
WEIGHT = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
ORDERS = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 20}
DAY = {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 1000}


@pytest.fixture(autouse=True)
def account(db: None, venue: Venue) -> VenueAccount:
    found = venue_account()
    calm()
    venue.on(*TIME, lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000}))
    venue.places()
    venue.on("DELETE", ORDER, lambda asked: (200, order_body(asked, status="CANCELED")))
    gate.learn_limits([WEIGHT, ORDERS, DAY])
    return found


def calm(seconds: int = 10, needed: float = 3.0) -> None:
    """The window that begins next, when this one is nearly over."""
    left = seconds - time.time() % seconds
    if left < needed:
        time.sleep(left + 0.3)


def place(account: VenueAccount, customer: int = 7) -> None:
    gate.call(account, gate.Kind.PLACE, customer, lambda rest: rest.place(TICKET))


def cancel(account: VenueAccount) -> None:
    gate.call(account, gate.Kind.CANCEL, 7, lambda rest: rest.cancel("BTCUSDT", "x"))


def many(work: Callable[[], object], most: int = 100) -> int:
    """How often it was done until there was no room."""
    for done in range(most):
        try:
            work()
        except gate.Full:
            return done
    return most


# ------------------------------------------------------------------ weight
@pytest.mark.parametrize(
    ("used", "passing"),
    [
        (2990, {"market data", "history", "place", "cancel", "query"}),
        (3000, {"market data", "place", "cancel", "query"}),
        (3600, {"place", "cancel", "query"}),
        (5400, {"cancel", "query"}),
        (5880, set()),
    ],
)
def test_what_matters_more_may_use_more_of_the_weight(
    account: VenueAccount, venue: Venue, used: int, passing: set[str]
) -> None:
    gate.measure_clock()
    found, waits = set(), []
    for kind in ("market data", "history", "place", "cancel", "query"):
        has_counted(used)
        try:
            gate.call(account, gate.Kind(kind), 7, lambda rest: rest.time())
            found.add(kind)
        except gate.Full as full:
            waits.append(full.retry_after or 0)
    assert found == passing
    assert all(0 < wait <= 60 for wait in waits)
    assert venue.count(*TIME) - 3 == len(passing), "besides the three that measure the clock"


def test_weight_is_taken_before_the_answer_and_corrected_by_it(venue: Venue) -> None:
    seen = []

    def answer(asked: Any) -> Any:
        seen.append(gate.used_weight())
        return 200, {}, {"X-MBX-USED-WEIGHT-1M": "1234"}

    venue.on("GET", "/api/v3/exchangeInfo", answer)
    gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info_as_told())
    assert (seen, gate.used_weight()) == ([20], 1234)


def test_a_request_that_found_nobody_has_used_nothing(venue: Venue) -> None:
    venue.on("GET", "/api/v3/exchangeInfo", requests.exceptions.ConnectTimeout())
    with pytest.raises(NoConnection):
        gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info_as_told())
    assert gate.used_weight() == 0


def test_after_a_flush_much_of_everything_counts_as_used_until_the_venue_says_otherwise(
    account: VenueAccount, venue: Venue
) -> None:
    cache.clear()
    gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.time())
    assert 2400 <= gate.used_weight() < 2410
    assert gate.has_spare_weight(), "or the sweeps, which would learn more, stood still"
    venue.on(*TIME, (200, {"serverTime": 1}, {"X-MBX-USED-WEIGHT-1M": "17"}))
    gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.time())
    assert gate.used_weight() == 17
    assert orders_used(account) == 0
    assert 0 < many(lambda: place(account)) <= 11, "of 19, with eight that may have been placed before"


# ------------------------------------------------------------------ orders
def orders_used(account: VenueAccount, seconds: int = 10) -> int:
    found = limits.windows(limits.state(bans.account_key(account.name)), "orders")
    return next((window.used for window in found if window.seconds == seconds), 0)


def test_orders_stop_short_of_the_accounts_limit_and_cancels_do_not(
    account: VenueAccount, venue: Venue
) -> None:
    placed = sum(many(partial(place, account, customer)) for customer in range(10))
    assert placed == venue.count("POST", ORDER) == 19
    cancel(account)
    assert orders_used(account) == 19


def test_the_venues_count_is_the_one_that_counts(account: VenueAccount, venue: Venue) -> None:
    """A fill gives its place back, and an order that was refused has none."""
    venue.on("POST", ORDER, lambda asked: (200, order_body(asked), {"X-MBX-ORDER-COUNT-10S": "1"}))
    assert many(lambda: place(account), 40) == 40
    venue.on("POST", ORDER, error(-2010, "Market is closed."))
    for _time in range(5):
        with pytest.raises(Exception, match="closed"):
            place(account)
    assert orders_used(account) == 1


def test_what_a_window_has_just_begun_with_may_count_in_the_one_before(
    account: VenueAccount, venue: Venue
) -> None:
    """Nobody knows the venue's time to the millisecond, and many wait for the moment at which a window begins."""
    customers, begin = count(100), time.time_ns() // 1_000_000 // 10_000 * 10_000

    def is_at(second: float) -> None:
        shift = begin + int(second * 1000) - time.time_ns() // 1_000_000
        venue.on(*TIME, lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000 + shift}))
        gate.clock().forget()
        gate.measure_clock()

    is_at(7)
    assert many(lambda: place(account, next(customers))) == 19
    is_at(10.02)
    with pytest.raises(gate.Full) as refusal:
        place(account, next(customers))
    assert 0 < (refusal.value.retry_after or 0) <= 0.25
    time.sleep(refusal.value.retry_after or 0)
    assert many(lambda: place(account, next(customers))) == 19


def test_one_customer_leaves_room_for_whoever_comes_next(account: VenueAccount) -> None:
    """Alone three quarters of nineteen; the next one has what is left, which is less than an equal part."""
    assert [many(partial(place, account, customer)) for customer in (1, 2)] == [15, 4]


def test_others_are_kept_what_they_had_in_the_window_before(account: VenueAccount) -> None:
    """Bob and carol have placed four each; alice may flood what is left, and they place as many as before."""
    windows = bans.account_key(account.name), int(time.time() // 10)
    store.write(f"{windows[0]}:10:{windows[1] - 1}", {"2": 4, "3": 4})
    flooded = many(lambda: place(account, 1))
    assert flooded == 10
    assert [many(partial(place, account, customer), 4) for customer in (2, 3)] == [4, 4]


def test_a_long_window_that_is_nearly_used_up_is_asked_for(account: VenueAccount, venue: Venue) -> None:
    day = f"orders.{86_400}"
    store.write(
        bans.account_key(account.name), {f"{day}.number": int(time.time() // 86_400), f"{day}.base": 950}
    )
    assert many(lambda: place(account)) == 0
    row = {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 1000, "count": 300}
    venue.on("GET", "/api/v3/rateLimit/order", (200, [row]))
    assert gate.renew_order_counts() == 1
    assert orders_used(account, 86_400) == 300
    assert gate.renew_order_counts() == 0
    place(account)


def test_after_a_flush_few_orders_are_under_way_until_the_venue_has_said_what_it_counted(
    account: VenueAccount, venue: Venue
) -> None:
    """19 of 20 are used, which nobody knows any more; while one is under way others want to be placed as well."""
    assert sum(many(partial(place, account, customer)) for customer in range(10)) == 19
    cache.clear()
    refused, counted = list[float](), count(20)

    def answer(asked: Any) -> Any:
        number = next(counted)
        try:
            place(account, number)
        except (gate.Full, gate.Busy) as full:
            refused.append(full.retry_after or 0)
        return 200, order_body(asked), {"X-MBX-ORDER-COUNT-10S": str(number)}

    venue.on("POST", ORDER, answer)
    place(account, 50)
    assert venue.count("POST", ORDER) == 20
    assert len(refused) == 1 and 0 < refused[0] <= 0.25, "a moment later it is known"
    assert many(lambda: place(account, 51)) == 0


# ------------------------------------------------------------------ learned
def test_limits_are_those_of_the_catalogue_and_strange_ones_are_told_once(
    account: VenueAccount, venue: Venue
) -> None:
    carol = make_user("carol", is_staff=True)
    strange = {"rateLimitType": "CONNECTIONS", "interval": "MINUTE", "intervalNum": 5, "limit": 300}
    odd = [
        {"rateLimitType": "ORDERS", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 0, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": -5},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": "10", "limit": 5},
        {},
    ]
    rows = [WEIGHT | {"limit": 1200}, ORDERS | {"limit": 10}, strange, *odd]
    told = {"symbols": [], "rateLimits": rows, "exchangeFilters": []}
    venue.on("GET", "/api/v3/exchangeInfo", (200, told))
    for _time in range(2):
        markets.synchronise_catalogue()
    assert Notice.objects.filter(user=carol, kind="gate.unknown_limits").count() == 1
    assert VenueLimit.objects.count() == 3
    assert gate.weight_for_books() == 720
    has_counted(0)
    assert many(lambda: place(account)) == 7, "of nine, alone"
    markets_that_tell_nothing: dict[str, Any] = {"symbols": [], "rateLimits": []}
    venue.on("GET", "/api/v3/exchangeInfo", (200, markets_that_tell_nothing))
    markets.synchronise_catalogue()
    assert VenueLimit.objects.count() == 3


def test_windows_are_the_venues_whatever_our_clock_says(account: VenueAccount, venue: Venue) -> None:
    venue.on(*TIME, lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000 + 5000}))
    gate.clock().forget()
    for _time in range(3):
        cancel(account)
    assert venue.count(*TIME) == 3
    found = limits.state(bans.egress_key(bans.DEFAULT_EGRESS))
    assert abs(int(found["offset"]) - 5000) < 1000
    minute = next(window for window in limits.windows(found, "weight") if window.seconds == 60)
    assert abs((minute.left + time.time() + 5) % 60) % 60 < 1.5 or (minute.left + time.time() + 5) % 60 > 58.5


# ------------------------------------------------------------------ busy
@pytest.fixture
def alice(account: VenueAccount) -> User:
    make_market()
    publish_book()
    user = make_user()
    fund(user, "USDT", "1000000")
    return user


def test_without_room_an_order_is_refused_and_nothing_is_held(
    alice: User, account: VenueAccount, venue: Venue, client: Client
) -> None:
    many(lambda: place(account, alice.pk))
    calm(needed=1.5)
    sent = venue.count("POST", ORDER)
    client.force_login(alice)
    ticket = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": "39000"}
    began = time.monotonic()
    answer = client.post(
        "/api/v1/orders/",
        {**ticket, "quantity": "0.5", "client_order_id": "n1"},
        content_type="application/json",
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert 1 <= int(answer.headers["Retry-After"]) <= 11
    assert time.monotonic() - began < 8, "less than the window lasts"
    assert balance(alice, "USDT") == (1000000, 0)
    assert not Order.objects.exists() and venue.count("POST", ORDER) == sent
    (address, _account) = queries.budgets_now()
    assert address.refused["place", "share"] >= 2


def test_a_place_in_the_queue_is_given_back_by_who_has_not_the_money(
    alice: User, account: VenueAccount, client: Client
) -> None:
    client.force_login(make_user("bob"))
    ticket = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": "39000"}
    for number in range(25):
        body = {**ticket, "quantity": "0.5", "client_order_id": f"n{number}"}
        answer = client.post("/api/v1/orders/", body, content_type="application/json")
        assert answer.json()["code"] == "insufficient_funds"
    assert orders_used(account) == 0


def test_the_gate_is_told_in_figures(account: VenueAccount, client: Client) -> None:
    place(account)
    text = client.get("/metrics").content.decode()
    assert 'causeway_gate_limit_used{limit="orders",of="account:primary",seconds="10"} 1.0' in text
    assert 'causeway_gate_limit_most{limit="weight",of="egress:default",seconds="60"} 6000.0' in text
    assert 'causeway_gate_calls_total{kind="place",of="egress:default"} 1.0' in text
