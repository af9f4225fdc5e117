"""Balance sheet, trial balance and income: from entries, of any time, to the last digit."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from exchange.money import round_down
from exchange.office import services as office
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Account, Transfer
from ledger.queries.sheets import SheetRow
from ledger.services.posting import available, system
from markets.models import Asset
from tests.factories import fund, make_user, publish_ticker, venue_account

D = Decimal
ORDER = ledger.Cause.ORDER


class Day:
    """A random day of a small exchange, by the same services as a real one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.users = [make_user(name) for name in ("alice", "bob", "erin")]
        self.staff = [make_user(name, is_staff=True) for name in ("carol", "dave")]
        self.account = venue_account()
        for code in ("BTC", "USDT", "BNB"):
            Asset.objects.get_or_create(code=code)
        for user in self.users:
            fund(user, "USDT", "1000000")
            fund(user, "BTC", "25")
        fund(self.users[0], "BNB", "3")
        self.number = 0

    def run(self, steps: int) -> None:
        acts = [self.trade] * 6 + [
            self.deposit,
            self.dust,
            self.fee,
            self.orphan,
            self.cross,
            self.adjust,
            self.hold,
        ]
        for _step in range(steps):
            self.number += 1
            self.random.choice(acts)()

    def amount(self, most: int) -> Decimal:
        return D(self.random.randrange(1, most * 10**8)).scaleb(-8)

    def trade(self) -> None:
        user, side = self.random.choice(self.users), self.random.choice(["BUY", "SELL"])
        quantity, quote = self.amount(1), self.amount(50_000)
        asset, cost = ("USDT", quote) if side == "BUY" else ("BTC", quantity)
        if books.available(user.pk, asset) < cost * 2:
            return
        held = cost + (self.amount(1) if asset == "USDT" else D(0))
        ledger.hold(user_id=user.pk, asset=asset, amount=held, cause=ORDER, cause_id=self.number)
        received = quantity if side == "BUY" else quote
        fee_asset = self.random.choice(["BTC", "USDT", "BNB"])
        ledger.post_fill(
            ledger.FillPosting(
                key=f"day:{self.number}",
                user_id=user.pk,
                venue_account_id=self.account.pk,
                order_id=self.number,
                side=side,
                base="BTC",
                quote="USDT",
                quantity=quantity,
                quote_quantity=quote,
                fee=round_down(received / 1000, 8),
                commission=self.random.choice([D(0), D("0.00000001"), D("0.00075")]),
                commission_asset=fee_asset,
            ),
            is_last=self.random.random() < 0.8,
        )

    def deposit(self) -> None:
        fund(self.random.choice(self.users), "USDT", str(self.amount(1000)))

    def dust(self) -> None:
        ledger.post_dust(key=str(self.number), user_id=self.users[0].pk, asset="BTC", amount=D("0.00000003"))

    def fee(self) -> None:
        user = self.random.choice(self.users)
        ledger.post_fee(
            key=str(self.number), user_id=user.pk, asset="USDT", amount=D("1.5"), reference="card"
        )

    def orphan(self) -> None:
        ledger.post_orphan_fill(
            key=f"orphan:{self.number}", venue_account_id=self.account.pk, side="SELL", base="BTC", quote="USDT",
            quantity=D("0.001"), quote_quantity=D("40.00000001"), commission=D("0.0001"), commission_asset="BNB",
            detail={},
        )  # fmt: skip

    def cross(self) -> None:
        buyer, seller = self.users[0], self.users[1]
        if books.available(seller.pk, "BTC") < 1 or books.available(buyer.pk, "USDT") < 50_000:
            return
        quantity, quote = self.amount(1), self.amount(40_000)
        buy, sell = self.number * 10**6, self.number * 10**6 + 1
        ledger.hold(user_id=buyer.pk, asset="USDT", amount=quote, cause=ORDER, cause_id=buy)
        ledger.hold(user_id=seller.pk, asset="BTC", amount=quantity, cause=ORDER, cause_id=sell)
        ledger.post_cross(
            key=str(self.number), buyer=ledger.CrossSide(buyer.pk, buy, D("0.00000001"), True),
            seller=ledger.CrossSide(seller.pk, sell, D("0.00000002"), True), base="BTC", quote="USDT",
            quantity=quantity, quote_quantity=quote,
        )  # fmt: skip

    def adjust(self) -> None:
        kinds = [kind for kind in ledger.SIDES if kind not in ("CUSTOMER",)]
        source, target = self.random.sample(kinds, 2)
        asked = ledger.ask_adjustment(
            asset="BTC", source=source, target=target, amount=self.amount(1), category="correction", reason="day",
            by=self.staff[0],
        )  # fmt: skip
        office.grant(asked.pk, by=self.staff[1])
        ledger.carry_out_approvals()

    def hold(self) -> None:
        ledger.hold(
            user_id=self.users[2].pk,
            asset="USDT",
            amount=self.amount(10),
            cause=ORDER,
            cause_id=self.number * 7 + 10**9,
        )


def sums(rows: list[SheetRow]) -> dict[str, Decimal]:
    return {row.asset: row.assets - row.liabilities - row.equity for row in rows}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_balance_sheet_balances_to_the_last_digit_after_a_random_day(db: None, seed: int) -> None:
    day = Day(seed)
    day.run(60)
    noon, before = timezone.now(), books.balance_sheet()
    day.run(60)
    after = books.balance_sheet()
    assert set(sums(after).values()) == {D(0)}
    assert all(row.is_balanced for row in after)
    assert before != after
    assert books.balance_sheet(noon) == before
    assert {row.asset for row in after} == {"BTC", "USDT", "BNB"}


def test_debits_and_credits_are_equal_in_every_asset_at_any_time(db: None) -> None:
    day = Day(3)
    moments = []
    for _part in range(4):
        day.run(15)
        moments.append(timezone.now())
    for moment in [*moments, None]:
        found: dict[str, Decimal] = {}
        for row in books.trial_rows(moment):
            assert row.debit >= 0 <= row.credit
            found[row.asset] = found.get(row.asset, D(0)) + row.debit - row.credit
        assert set(found.values()) == {D(0)}


def test_income_of_parts_adds_up_to_the_whole_and_to_the_balance_sheet(db: None) -> None:
    start = timezone.now()
    day = Day(4)
    day.run(40)
    middle = timezone.now()
    day.run(40)
    end = timezone.now()
    parts = books.income([(start, middle), (middle, end)])
    whole = {row.asset: row.margin for row in books.income([(start, end)])}
    added: dict[str, Decimal] = {}
    for row in parts:
        added[row.asset] = added.get(row.asset, D(0)) + row.margin
    assert added == whole
    assert whole == {row.asset: row.earned for row in books.balance_sheet() if row.earned}


@pytest.fixture
def alice(db: None) -> User:
    user = make_user()
    fund(user, "USDT", "2400")
    return user


def test_before_anything_was_booked_there_was_nothing(alice: User) -> None:
    early = datetime(2020, 1, 1, tzinfo=UTC)
    assert {row.assets for row in books.balance_sheet(early)} == {D(0)}
    assert books.trial_rows(early) == []


def test_the_treasury_says_how_long_what_lies_at_the_venue_lasts(alice: User) -> None:
    publish_ticker("BTCUSDT", "40000")
    fund(make_user("bob"), "BTC", "1")
    withdraw(alice, "240")
    found = {row.row.asset: row for row in books.treasury().rows}
    assert (found["USDT"].row.venue, found["USDT"].outflow) == (D(2160), D(-2160))
    assert found["USDT"].hours is None  # more came in than went out today
    assert (found["BTC"].surplus, found["BTC"].assets_worth) == (D(0), D(40000))


def withdraw(user: User, amount: str) -> None:
    """Money leaves the venue."""
    value = D(amount)
    ledger.post(
        scope="test", key=amount, kind=Transfer.Kind.WITHDRAWAL,
        lines=[
            available(user.pk, "USDT", -value),
            system(Account.Type.VENUE, "USDT", value, venue_account().pk),
        ],
    )  # fmt: skip


def test_hours_until_empty_are_those_of_the_net_outflow(committed_db: str, owner: Any) -> None:
    user = make_user()
    fund(user, "USDT", "2400")
    owner.execute("ALTER TABLE ledger_transfer DISABLE TRIGGER USER")
    owner.execute("UPDATE ledger_transfer SET created_at = created_at - interval '2 days'")
    withdraw(user, "240")
    found = books.treasury().rows[0]
    # 2,160 are left, and 240 went in 24 hours: 10 an hour
    assert (found.outflow, found.hours) == (D(240), D("216.0"))


def test_an_empty_account_that_money_leaves_lasts_no_hour_and_stands_out(
    committed_db: str, owner: Any
) -> None:
    user = make_user()
    fund(user, "USDT", "240")
    fund(user, "BTC", "1")
    owner.execute("ALTER TABLE ledger_transfer DISABLE TRIGGER USER")
    owner.execute("UPDATE ledger_transfer SET created_at = created_at - interval '2 days'")
    withdraw(user, "240")
    found = {row.row.asset: row for row in books.treasury().rows}
    assert (found["USDT"].hours, found["USDT"].is_running_dry) == (D(0), True)
    assert (found["BTC"].hours, found["BTC"].is_running_dry) == (None, False)


def test_what_has_no_price_is_named_and_counts_for_nothing(alice: User) -> None:
    fund(alice, "WEIRD", "5")
    found = books.treasury()
    assert (found.without_price, found.assets_worth) == (["WEIRD"], D(2400))


# ------------------------------------------------------------------ prices
@pytest.mark.parametrize(
    ("asset", "expected"),
    [("USDT", "1"), ("BTC", "40000"), ("EUR", "1.25"), ("DOGE", "0.04"), ("NONE", None)],
)
def test_a_price_is_direct_or_turned_round_or_over_another_asset(
    db: None, asset: str, expected: str | None
) -> None:
    publish_ticker("BTCUSDT", "40000")
    publish_ticker("USDTEUR", "0.8")
    publish_ticker("DOGEBTC", "0.000001")
    found = books.Prices().of(asset)
    assert found == (None if expected is None else D(expected))


# ------------------------------------------------------------------ periods
def test_a_period_is_cut_into_its_steps_and_ends_where_it_ends() -> None:
    def cut(step: str) -> list[str]:
        start, end = datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
        found = books.reports.stretches(books.Period(start=start, end=end, step=step))
        return [f"{a:%m%d}-{b:%m%d}" for a, b in found]

    assert cut("total") == ["0130-0302"]
    assert cut("month") == ["0130-0201", "0201-0301", "0301-0302"]
    assert cut("week") == ["0130-0206", "0206-0213", "0213-0220", "0220-0227", "0227-0302"]
    assert len(cut("day")) == 31
    assert books.count_of(date(2026, 1, 30), date(2026, 3, 1), "day") == 31


# ------------------------------------------------------------------ a customer's statement
def test_a_statement_has_what_was_before_every_entry_and_what_is_after(alice: User) -> None:
    start = timezone.now()
    ledger.hold(user_id=alice.pk, asset="USDT", amount=D(400), cause=ORDER, cause_id=1)
    ledger.release(cause=ORDER, cause_id=1)
    ledger.hold(user_id=alice.pk, asset="USDT", amount=D(100), cause=ORDER, cause_id=2)
    end = timezone.now()
    fund(alice, "BTC", "1")
    found = books.statement_of(alice.pk, "USDT", books.Wanted(since=start, until=end))
    assert [(row.transfer.kind, row.bucket, row.amount, row.balance_after) for row in found.entries.reverse()] == [
        ("HOLD", "A", D(-400), D(2000)), ("HOLD", "H", D(400), D(400)),
        ("RELEASE", "H", D(-400), D(0)), ("RELEASE", "A", D(400), D(2400)),
        ("HOLD", "A", D(-100), D(2300)), ("HOLD", "H", D(100), D(100)),
    ]  # fmt: skip
    assert found.opening == books.BalanceRow("USDT", D(2400), D(0))
    assert found.closing == books.BalanceRow("USDT", D(2300), D(100))
    assert books.balances_at(alice.pk, start) == [found.opening]
    assert books.balances_at(alice.pk, end) == [found.closing]
    whole = books.Wanted(since=start, until=end + timedelta(days=1))
    assert not books.statement_of(make_user("bob").pk, "USDT", whole).entries.exists()
