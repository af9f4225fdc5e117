"""What comes of a change is told in any order, or by nobody for a while: what is held covers it all the time."""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from exchange.gate import breakers
from ledger.models import Hold
from orders import services
from orders.models import Order
from tests.factories import balance, fund, make_user
from tests.orders.test_placing import made_long_ago, place
from tests.orders.test_replacing import (
    CHANGE,
    D,
    all_is_well,
    change,
    order,
    spend_the_rest,
    states,
    unanswered,
)
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue

__all__ = ["order"]


def ended(order: Order) -> Any:
    own = order.venue_orders.get().client_order_id
    return event(order, "CANCELED", "CANCELED", c="x", C=own)


LIVES: list[Callable[[Order, Order], list[Any]]] = [
    lambda old, new: [ended(old), event(new, "NEW", "NEW"), traded(new, 9, "0.4", "0.4")],
    lambda old, new: [event(new, "NEW", "NEW"), traded(new, 9, "0.4", "0.4"), ended(old)],
    lambda old, new: [traded(new, 9, "0.4", "0.4"), ended(old), event(new, "NEW", "NEW")],
    lambda old, new: [traded(new, 9, "0.4", "0.4"), traded(new, 9, "0.4", "0.4")],
]


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("funds", ["0", "61000"])
def test_the_stream_may_tell_the_new_order_before_the_old_ones_end(
    alice: User, venue: Venue, order: Order, life: Any, funds: str
) -> None:
    """All that alice has may be in the one order: its place is taken without another cent."""
    assert alice.pk
    if funds == "0":
        spend_the_rest(alice, venue)
    new = unanswered(venue, order, quantity=D(1), price=D("38999.99"))
    for report in life(order, new):
        tell(report)
    assert states(order, new) == ["CANCELED", "PARTIALLY_FILLED"]
    hold = Hold.objects.get(cause="ORDER", cause_id=new.pk)
    assert hold.remaining == D("38999.99") - D("0.4") * 39000
    assert all_is_well()


def chain(dice: random.Random, order: Order, price: Decimal) -> list[Any]:
    """Trades of an order of 1 in up to three parts, until it is filled, ends or goes on."""
    total, told = D(0), []
    for number in range(dice.randint(0, 3)):
        total += D("0.25")
        told.append(traded_at(order, price, order.pk * 10 + number, D("0.25"), total, "PARTIALLY_FILLED"))
    if dice.random() < 0.5:
        told.append(traded_at(order, price, order.pk * 10 + 9, 1 - total, D(1), "FILLED"))
    return told


def traded_at(order: Order, price: Decimal, number: int, part: Decimal, total: Decimal, status: str) -> Any:
    return event(
        order, "TRADE", status, l=f"{part}", z=f"{total}", L=f"{price}", t=number, Y=f"{part * price}",
        Z=f"{total * price}",
    )  # fmt: skip


def covers(order: Order) -> bool:
    """What stands at the venue is covered by its hold, at every moment."""
    order.refresh_from_db()
    if order.status not in ("OPEN", "PARTIALLY_FILLED") or order.cumulative_quantity == order.quantity:
        return True
    hold = Hold.objects.get(cause="ORDER", cause_id=order.pk)
    return hold.remaining >= order.price * order.left


@pytest.mark.parametrize("block", range(2))
def test_whatever_comes_of_a_change_and_in_whatever_order_it_is_told_the_books_are_right(
    alice: User, venue: Venue, order: Order, block: int
) -> None:
    """15 seeds a block; with no more money than the dearer of the two orders costs."""
    venue.on(*CHANGE, (504, "timeout"))
    venue.on("GET", "/api/v3/myTrades", (200, []))
    venue.knows_none()
    for seed in range(block * 15, block * 15 + 15):
        dice = random.Random(seed)
        breakers.forget()  # each change fails, and each seed has a venue of its own
        bob = make_user(f"bob{seed}")
        prices = [D(39000), D(dice.choice(["38000", "39900"]))]
        fund(bob, "USDT", str(max(prices)))
        venue.places(orderId=seed * 10 + 1)
        old = place(bob, nonce="old")
        new = change(old, price=prices[1])
        is_taken = dice.random() < 0.6
        told = chain(dice, old if not is_taken else new, prices[is_taken])
        told += [ended(old), event(new, "NEW", "NEW")] if is_taken else [event(old, "NEW", "NEW")]
        told += dice.choices(told, k=dice.randint(0, 3))
        dice.shuffle(told)
        for report in told:
            tell(report)
            assert covers(old) and covers(new), f"seed {seed}"
        if not is_taken:
            services.reconcile(venue_order_id=made_long_ago(new, 60).pk)
        expected = (old, "CANCELED") if is_taken else (new, "REJECTED")
        assert states(expected[0]) == [expected[1]], f"seed {seed}"
        spent = sum((each.cumulative_quote for each in (old, new)), D(0))
        held = sum((hold.remaining for hold in Hold.objects.filter(account__owner=bob)), D(0))
        assert balance(bob, "USDT") == ((max(prices) - spent - held).normalize(), held.normalize()), (
            f"seed {seed}"
        )
    assert all_is_well()
