"""Two orders that cancel each other before a venue that executes and is silent, is silent and does not, or lags."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from accounts.models import User
from ledger.models import Hold
from markets.models import Market
from orders import services
from orders.models import OrderList
from tests.factories import balance, fund, make_user
from tests.orders.lists import everything_holds, leg, place_oco, statuses, ticket
from tests.orders.quiet import SYMBOL, Quiet, quiet
from tests.venue import forget_bans

D = Decimal
PATIENCE = 30
# What strikes the placing of a list, and whether the venue carried it out all the same.
FAULTS = {
    "504 after": True, "-1007 after": True, "-1000 after": True, "reset after": True, "garbage after": True,
    "hang after": True, "hide": True, "slow": True,
    "503 before": False, "-1007 before": False, "reset before": False, "429": False, "-1008": False,
    "refuse": False,
}  # fmt: skip


@pytest.fixture
def place(db: None) -> Iterator[Quiet]:
    with quiet() as found:
        yield found


@pytest.fixture
def alice(place: Quiet) -> User:
    user = make_user()
    fund(user, "BTC", "1")
    return user


def sell(user: User, place: Quiet, nonce: str = "n1") -> OrderList:
    above = {"side": "SELL", "type": "LIMIT_MAKER", "price": f"{place.last + 100:f}", "quantity": "0.01"}
    below = {"side": "SELL", "type": "STOP_LOSS", "stop_price": f"{place.last - 100:f}", "quantity": "0.01"}
    return place_oco(user, above, below, nonce=nonce)


def until(place: Quiet, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        place.sweep()
        time.sleep(0.05)


def nothing_is_left(place: Quiet) -> bool:
    return not Hold.objects.filter(is_open=True).exists() and place.open_orders() == []


@pytest.mark.parametrize("do", FAULTS)
def test_a_list_has_one_outcome_whatever_the_answer_says(alice: User, place: Quiet, do: str) -> None:
    place.trader.door("fault", on="list", do=do, ms=2000 if do in ("hang after", "slow") else 300)
    found = sell(alice, place)
    place.sweep()
    if FAULTS[do]:
        until(place, lambda: statuses(found) == ["OPEN", "OPEN"])
        place.trade("BUY", place.last + 100, "0.01")
        until(place, lambda: statuses(found) == ["FILLED", "EXPIRED"])
    else:
        place.let_time_pass()
        until(place, lambda: statuses(found) == ["REJECTED", "REJECTED"])
    assert len(place.executed()) == (1 if FAULTS[do] else 0)
    assert balance(alice, "BTC") == ((D("0.99"), 0) if FAULTS[do] else (1, 0))
    assert nothing_is_left(place)
    assert not (place.difference("BTC") or place.difference("USDT"))


def test_a_triggered_stop_sells_and_ends_the_limit(alice: User, place: Quiet) -> None:
    found = sell(alice, place)
    place.trade("BUY", place.last - 110, "0.01", tif="GTC")
    place.trade("BUY", place.last - 100, "0.005", tif="GTC")
    place.trade("SELL", place.last - 100, "0.005")
    until(place, lambda: statuses(found) == ["EXPIRED", "FILLED"])
    assert leg(found, "ABOVE").reason_code == "OCO_TRIGGER"
    assert nothing_is_left(place) and balance(alice, "BTC") == (D("0.99"), 0)


@pytest.mark.parametrize("do", ["504 after", "reset after", "503 before"])
def test_a_cancel_that_is_not_answered_ends_both_once(alice: User, place: Quiet, do: str) -> None:
    found = sell(alice, place)
    place.trade("BUY", place.last + 100, "0.004")
    place.trader.door("fault", on="cancel", do=do)
    services.cancel_order(user=alice, order_id=leg(found, "ABOVE").pk)
    until(place, lambda: statuses(found) == ["CANCELED", "EXPIRED"])
    assert nothing_is_left(place) and balance(alice, "BTC") == (D("0.996"), 0)
    assert not (place.difference("BTC") or place.difference("USDT"))


def test_canceling_a_limit_nobody_touched_ends_both_with_one_call(alice: User, place: Quiet) -> None:
    found = sell(alice, place)
    services.cancel_order(user=alice, order_id=leg(found, "BELOW").pk)
    assert statuses(found) == ["CANCELED", "CANCELED"]
    assert nothing_is_left(place)


def test_a_purchase_holds_the_dearer_and_gives_back_what_the_cheaper_did_not_need(
    alice: User, place: Quiet
) -> None:
    fund(alice, "USDT", "10000")
    stop, limit = f"{place.last + 100:f}", f"{place.last - 100:f}"
    above = {
        "side": "BUY", "type": "STOP_LOSS_LIMIT", "time_in_force": "GTC", "stop_price": stop, "quantity": "0.01",
        "price": f"{place.last + 150:f}",
    }  # fmt: skip
    found = place_oco(
        alice, above, {"side": "BUY", "type": "LIMIT_MAKER", "price": limit, "quantity": "0.01"}
    )
    assert balance(alice, "USDT")[1] == (place.last + 150) * D("0.01")
    place.trade("SELL", place.last - 100, "0.01")
    until(place, lambda: statuses(found) == ["EXPIRED", "FILLED"])
    assert nothing_is_left(place)
    assert balance(alice, "USDT") == (10000 - (place.last - 100) * D("0.01"), 0)


@pytest.mark.parametrize("do", ["504 after", "reset after", "hide", "-1007 before", "429"])
def test_a_pair_that_waited_has_one_outcome_too(alice: User, place: Quiet, do: str) -> None:
    """What the venue did not carry out is given up when it is certain; what never left is sent anew."""
    fund(alice, "USDT", "10000")
    price = f"{place.last:f}"
    buy = {"side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": price, "quantity": "0.01"}
    above = {"side": "SELL", "type": "LIMIT_MAKER", "price": f"{place.last + 100:f}", "quantity": "0.01"}
    below = {"side": "SELL", "type": "STOP_LOSS", "stop_price": f"{place.last - 100:f}", "quantity": "0.01"}
    wanted = ticket("OTOCO", working=buy, above=above, below=below)
    found = services.place_order_list(user=alice, ticket=wanted)
    place.trade("SELL", place.last, "0.01")
    place.trader.door("fault", on="list", do=do, ms=300)
    place.sweep()
    if do == "-1007 before":
        place.let_time_pass()
        until(place, lambda: statuses(found) == ["FILLED", "REJECTED", "REJECTED"])
    else:
        forget_bans()
        until(place, lambda: statuses(found) == ["FILLED", "OPEN", "OPEN"])
        place.trade("BUY", place.last + 100, "0.01")
        until(place, lambda: statuses(found) == ["FILLED", "FILLED", "EXPIRED"])
    assert len(place.executed()) == (1 if do == "-1007 before" else 2)
    assert nothing_is_left(place) and everything_holds()
    assert not (place.difference("BTC") or place.difference("USDT"))


def test_markets_say_whether_they_offer_pairs(place: Quiet) -> None:
    assert "OCO" in Market.objects.get(symbol=SYMBOL).abilities
