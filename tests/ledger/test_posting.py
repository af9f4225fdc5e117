"""Holds, releases and fills: what a customer sees of their money, under races and repeats."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import InsufficientFunds, KeyReused
from ledger.models import Account, Entry, Hold, LedgerException, Transfer
from ledger.services.posting import available, system
from tests.factories import CROWD, balance, fund, held_by_the_house, make_market, make_user, venue_account
from tests.race import at_once

ORDER = Hold.Cause.ORDER


def fill(user: User, **changes: Any) -> ledger.FillPosting:
    """alice buys 0.2 BTC of order 1 for 7980 USDT, our fee 0.1 %, the venue's commission 0.0001 BTC."""
    wanted: dict[str, Any] = {
        "key": "1:BTCUSDT:77",
        "user_id": user.pk,
        "venue_account_id": venue_account().pk,
        "order_id": 1,
        "side": "BUY",
        "base": "BTC",
        "quote": "USDT",
        "quantity": Decimal("0.2"),
        "quote_quantity": Decimal("7980"),
        "fee": Decimal("0.0002"),
        "commission": Decimal("0.0001"),
        "commission_asset": "BTC",
    }
    return ledger.FillPosting(**{**wanted, **changes})


@pytest.fixture
def alice(db: None) -> User:
    make_market()
    user = make_user()
    fund(user, "USDT", "50000")
    return user


def hold(user: User, amount: str, cause_id: int = 1, asset: str = "USDT") -> None:
    ledger.hold(user_id=user.pk, asset=asset, amount=Decimal(amount), cause=ORDER, cause_id=cause_id)


def test_the_table_of_the_house_is_booked_line_by_line(alice: User) -> None:
    hold(alice, "20000")
    assert balance(alice, "USDT") == (30000, 20000)
    ledger.post_fill(fill(alice))
    assert balance(alice, "USDT") == (30000, 12020)
    assert balance(alice, "BTC") == (Decimal("0.1998"), 0)
    assert held_by_the_house(Account.Type.VENUE, "BTC") == Decimal("-0.1999")
    assert held_by_the_house(Account.Type.FEES, "BTC") == Decimal("0.0002")
    assert held_by_the_house(Account.Type.COMMISSION, "BTC") == Decimal("-0.0001")
    ledger.release(cause=ORDER, cause_id=1)
    assert balance(alice, "USDT") == (42020, 0)


def test_a_fill_told_five_times_is_booked_once(alice: User) -> None:
    hold(alice, "20000")
    first = [ledger.post_fill(fill(alice)).is_new for _time in range(5)]
    assert first == [True, False, False, False, False]
    assert balance(alice, "BTC")[0] == Decimal("0.1998")


def test_one_trade_cannot_be_two_different_ones(alice: User) -> None:
    hold(alice, "20000")
    ledger.post_fill(fill(alice))
    with pytest.raises(KeyReused):
        ledger.post_fill(fill(alice, quantity=Decimal("0.3")))


def test_a_hold_is_released_once(alice: User) -> None:
    hold(alice, "20000")
    released = [ledger.release(cause=ORDER, cause_id=1) for _time in range(3)]
    assert released == [20000, 0, 0]
    assert balance(alice, "USDT") == (50000, 0)


def test_a_hold_of_more_than_there_is_changes_nothing(alice: User) -> None:
    with pytest.raises(InsufficientFunds):
        hold(alice, "50000.00000001")
    assert balance(alice, "USDT") == (50000, 0)
    assert not Hold.objects.exists()


def test_a_fill_after_the_release_takes_what_is_available_and_freezes(alice: User) -> None:
    hold(alice, "20000")
    ledger.release(cause=ORDER, cause_id=1)
    ledger.post_fill(fill(alice))
    alice.refresh_from_db()
    assert balance(alice, "USDT") == (42020, 0)
    assert alice.is_frozen
    assert LedgerException.objects.get().source == "uncovered fill"


def test_what_the_venue_rounds_up_at_the_limit_is_paid_and_freezes_nobody(alice: User) -> None:
    hold(alice, "7979.99999999")
    ledger.post_fill(fill(alice))
    alice.refresh_from_db()
    assert balance(alice, "USDT") == (42020, 0)
    assert not alice.is_frozen
    assert not LedgerException.objects.exists()


@pytest.mark.parametrize(
    ("units", "is_rounding"), [((1, 1), True), ((0, 2), True), ((1, 2), False), ((2,), False)]
)
def test_a_unit_for_each_trade_of_the_order_is_rounding_and_more_is_uncovered(
    alice: User, units: tuple[int, ...], is_rounding: bool
) -> None:
    hold(alice, str(7980 * len(units)))
    for number, short in enumerate(units):
        cost = Decimal(7980) + short * Decimal("0.00000001")
        ledger.post_fill(fill(alice, key=f"1:BTCUSDT:{number}", quote_quantity=cost))
    alice.refresh_from_db()
    assert alice.is_frozen is not is_rounding
    assert LedgerException.objects.count() == (0 if is_rounding else 1)


def test_a_trade_told_of_again_is_not_judged_by_those_after_it(alice: User) -> None:
    hold(alice, "7980")
    rounded = fill(alice, quote_quantity=Decimal("7980.00000001"))
    ledger.post_fill(rounded)
    ledger.post_fill(fill(alice, key="1:BTCUSDT:2", quote_quantity=Decimal(100)))
    ledger.post_fill(rounded)
    assert LedgerException.objects.get().key == "uncovered:1:BTCUSDT:2"


def test_a_fill_nobody_can_pay_is_the_houses_loss(alice: User) -> None:
    hold(alice, "20000")
    ledger.release(cause=ORDER, cause_id=1)
    hold(alice, "45000", cause_id=2)
    ledger.post_fill(fill(alice))
    assert balance(alice, "USDT") == (0, 45000)
    assert held_by_the_house(Account.Type.SLIPPAGE, "USDT") == Decimal("-2980")


def test_a_commission_in_a_third_asset_is_the_houses_and_not_the_customers(alice: User) -> None:
    hold(alice, "20000")
    from markets.models import Asset

    Asset.objects.create(code="BNB")
    ledger.post_fill(fill(alice, commission=Decimal("0.01"), commission_asset="BNB"))
    assert held_by_the_house(Account.Type.COMMISSION, "BNB") == Decimal("-0.01")
    assert balance(alice, "BNB") == (0, 0)


def test_a_trade_of_an_unknown_order_goes_to_suspense(alice: User) -> None:
    ledger.post_orphan_fill(
        key="1:BTCUSDT:99",
        venue_account_id=venue_account().pk,
        side="SELL",
        base="BTC",
        quote="USDT",
        quantity=Decimal("0.5"),
        quote_quantity=Decimal("20000"),
        commission=Decimal("20"),
        commission_asset="USDT",
        detail={},
    )
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 20000
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == Decimal("-0.5")
    assert LedgerException.objects.count() == 1


def test_the_statement_shows_a_running_balance_without_gaps(alice: User) -> None:
    hold(alice, "20000")
    ledger.post_fill(fill(alice))
    ledger.release(cause=ORDER, cause_id=1)
    rows = list(books.statement(alice.pk, "USDT").order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1].balance_after == 42020
    assert books.first_broken_row() == ""


def test_verify_names_a_stored_balance_that_was_tampered_with(committed_db: str, owner: Any) -> None:
    fund(make_user(), "USDT", "5")
    assert books.first_broken_row() == ""
    owner.execute("UPDATE ledger_balance SET available = 6")
    assert books.first_broken_row().startswith("balance of account")


def test_verify_names_a_hold_that_does_not_add_up(committed_db: str, owner: Any) -> None:
    user = make_user()
    fund(user, "USDT", "5")
    hold(user, "3")
    owner.execute("UPDATE ledger_hold SET remaining = 2")
    assert books.first_broken_row().startswith("holds of account")


# ------------------------------------------------------------------ races
@CROWD
def test_of_64_simultaneous_holds_with_funds_for_ten_exactly_ten_succeed(committed_db: str) -> None:
    user = make_user()
    fund(user, "USDT", "10")
    results = at_once(64, lambda number: hold(user, "1", cause_id=number + 1))
    assert results.count(None) == 10
    assert results.count(InsufficientFunds) == 54
    assert balance(user, "USDT") == (0, 10)


def test_one_key_used_32_times_at_once_is_one_transfer(committed_db: str) -> None:
    user = make_user()
    fund(user, "USDT", "10")
    account_id = venue_account().pk

    def pay(_number: int) -> int:
        lines = [
            available(user.pk, "USDT", Decimal(-1)),
            system(Account.Type.VENUE, "USDT", Decimal(1), account_id),
        ]
        return ledger.post(scope="race", key="one", kind=Transfer.Kind.WITHDRAWAL, lines=lines).transfer_id

    assert len(set(at_once(32, pay))) == 1
    assert balance(user, "USDT") == (9, 0)


def test_transfers_in_opposite_order_do_not_lock_each_other(committed_db: str) -> None:
    users = [make_user("alice"), make_user("bob")]
    for user in users:
        fund(user, "USDT", "100")

    def pay(number: int) -> None:
        payer, payee = users if number % 2 else users[::-1]
        lines = [available(payer.pk, "USDT", Decimal(-1)), available(payee.pk, "USDT", Decimal(1))]
        for time in range(5):
            ledger.post(scope="race", key=f"{number}:{time}", kind=Transfer.Kind.FILL, lines=lines)

    assert at_once(8, pay) == [None] * 8
    assert balance(users[0], "USDT") == balance(users[1], "USDT") == (100, 0)


# ------------------------------------------------------------------ a model as the auditor
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "fill", "release"]),
        st.integers(min_value=1, max_value=4),
        st.integers(min_value=1, max_value=3_000_000_000),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_life_of_holds_and_fills_agrees_with_a_model(
    alice: User, steps: list[tuple[str, int, int]]
) -> None:
    """Amounts in units of 1e-8; the model knows only what a customer would write on paper."""
    run = Transfer.objects.count() * 100
    free, held, unit = balance(alice, "USDT")[0], dict[int, Decimal](), Decimal("0.00000001")
    bought, used = balance(alice, "BTC")[0], set[int]()
    for number, (step, order, units) in enumerate(steps):
        amount, cause = units * unit, run + order
        if step == "hold" and cause not in used and amount <= free:
            used.add(cause)
            hold(alice, str(f"{amount:f}"), cause_id=cause)
            held[cause], free = amount, free - amount
        elif step == "fill" and held.get(cause, 0) >= amount:
            posting = fill(alice, key=f"m:{run}:{number}", order_id=cause, quantity=unit, fee=Decimal(0))
            ledger.post_fill(
                ledger.FillPosting(**{**posting.__dict__, "quote_quantity": amount, "commission": Decimal(0)})
            )
            held[cause], bought = held[cause] - amount, bought + unit
        elif step == "release" and cause in held:
            free += ledger.release(cause=ORDER, cause_id=cause)
            del held[cause]
        if step == "release":
            assert not books.trial_balance()
    assert balance(alice, "USDT") == (free.normalize(), sum(held.values(), Decimal(0)).normalize())
    assert balance(alice, "BTC")[0] == bought.normalize()
    for cause in held:  # the next life begins without this one's holds
        ledger.release(cause=ORDER, cause_id=cause)
    assert books.first_broken_row() == ""
    assert not Entry.objects.filter(amount=0).exists()
