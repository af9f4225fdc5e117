"""Balances at any moment, statements of a period, and explanations that end in the stored number."""

import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import NotYet, UnknownTransfer
from ledger.models import Account, Entry, Hold, Seal, Transfer
from ledger.services.posting import available, post, system
from markets.models import Asset
from tests.factories import fund, make_market, make_user, venue_account
from tests.ledger.chain import seal_everything

ORDER = Hold.Cause.ORDER
MOMENT = timedelta(microseconds=1)


def fill(user: User, **changes: Any) -> None:
    """alice buys 0.2 BTC of order 1 for 7980 USDT, our fee 0.1 %."""
    wanted: dict[str, Any] = {
        "key": "1:BTCUSDT:77", "user_id": user.pk, "venue_account_id": venue_account().pk, "order_id": 1,
        "side": "BUY", "base": "BTC", "quote": "USDT", "quantity": Decimal("0.2"), "quote_quantity": Decimal(7980),
        "fee": Decimal("0.0002"), "commission": Decimal(0), "commission_asset": "",
    }  # fmt: skip
    ledger.post_fill(ledger.FillPosting(**{**wanted, **changes}))


def hold(user: User, amount: str, cause_id: int = 1, asset: str = "USDT", cause: Hold.Cause = ORDER) -> None:
    ledger.hold(user_id=user.pk, asset=asset, amount=Decimal(amount), cause=cause, cause_id=cause_id)


@pytest.fixture
def alice(db: None) -> User:
    """50,000 USDT, of them 20,000 held for an order that bought 0.2 BTC so far, 0.05 of which were sold again."""
    make_market()
    user = make_user()
    fund(user, "USDT", "50000")
    hold(user, "20000")
    fill(user)
    hold(user, "0.05", 2, "BTC")
    fill(user, key="1:BTCUSDT:78", order_id=2, side="SELL", quantity=Decimal("0.05"),
         quote_quantity=Decimal(2000), fee=Decimal(2))  # fmt: skip
    return user


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def numbers(row: books.BalanceRow) -> tuple[Any, Any]:
    """Available and held as Decimals, to be compared with plain numbers."""
    return row.available.normalize(), row.held.normalize()


def times(user: User, asset: str) -> list[datetime]:
    """When the transfers of the account's entries began, in the order of the entries."""
    return [entry.transfer.created_at for entry in books.statement(user.pk, asset).order_by("seq")]


# ------------------------------------------------------------------ at a moment
def balance_at(user_id: int, asset: str, at: datetime) -> books.BalanceRow:
    found = (row for row in books.balances_at(user_id, at) if row.asset == asset)
    return next(found, books.BalanceRow(asset, Decimal(0), Decimal(0)))


def test_a_balance_at_a_moment_is_what_it_was_after_the_last_entry_until_then(alice: User) -> None:
    deposited, held_at, *_more = dict.fromkeys(times(alice, "USDT"))
    assert numbers(balance_at(alice.pk, "USDT", deposited - MOMENT)) == (0, 0)
    assert numbers(balance_at(alice.pk, "USDT", deposited)) == (50000, 0)
    assert numbers(balance_at(alice.pk, "USDT", held_at - MOMENT)) == (50000, 0)
    assert numbers(balance_at(alice.pk, "USDT", held_at)) == (30000, 20000)


def test_a_moment_before_an_asset_was_ever_had_does_not_list_it(alice: User) -> None:
    first = times(alice, "USDT")[0]
    assert [row.asset for row in books.balances_at(alice.pk, first)] == ["USDT"]
    assert books.balances_at(alice.pk, first - MOMENT) == []


def test_now_is_what_is_stored(alice: User) -> None:
    assert books.balances_at(alice.pk, datetime.now(UTC)) == books.balances(alice.pk)


def test_a_moment_that_has_not_come_is_refused(alice: User) -> None:
    with pytest.raises(NotYet):
        books.balances_at(alice.pk, datetime.now(UTC) + timedelta(minutes=1))


def test_every_moment_of_a_long_account_is_the_entry_that_was_last_then(alice: User) -> None:
    for number in range(10, 75):
        hold(alice, "1", number)
    rows = list(books.statement(alice.pk, "USDT").order_by("seq"))
    expected, seen = {}, {"A": Decimal(0), "H": Decimal(0)}
    for row in rows:
        seen[row.bucket] = row.balance_after or Decimal(0)
        expected[row.transfer.created_at] = (seen["A"].normalize(), seen["H"].normalize())
    assert {at: numbers(balance_at(alice.pk, "USDT", at)) for at in expected} == expected


def seq_before(user: User, moment: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_seq_before(id, %s) FROM ledger_account WHERE code = %s",
            [moment, f"USER:{user.pk}:USDT"],
        )
        return int(cursor.fetchone()[0])


def wait_until_somebody_waits_for(session: psycopg.Connection) -> None:
    """Until another session asks for what this one has locked; of other databases nobody can."""
    waiting = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    until = time.monotonic() + 5
    while session.execute(waiting).fetchone() is None:
        assert time.monotonic() < until, "nobody came to wait"
        time.sleep(0.005)


def test_postings_that_overlap_never_turn_a_balance_back(committed_db: str) -> None:
    """A trade's posting begins, waits for its hold, and is numbered after a deposit that began later."""
    make_market()
    user = make_user()
    fund(user, "USDT", "20000")
    hold(user, "10000")

    def buy() -> None:
        fill(user)
        connection.close()

    late = threading.Thread(target=buy)
    with psycopg.connect(committed_db) as other:
        other.execute("SELECT * FROM ledger_lock_hold('ORDER', 1)")
        late.start()
        wait_until_somebody_waits_for(other)
        fund(user, "USDT", "1")
        other.rollback()
    late.join(10)
    assert not late.is_alive()
    began = times(user, "USDT")
    assert began != sorted(began)
    moments = sorted(moment + step for moment in began for step in (-MOMENT, timedelta(0), MOMENT))
    answers = [seq_before(user, moment) for moment in moments]
    assert answers == sorted(answers)
    assert (answers[0], answers[-1]) == (0, len(began))
    for _ in range(20):
        fund(user, "USDT", "1")
    assert [seq_before(user, moment) for moment in moments] == answers


# ------------------------------------------------------------------ a period
def test_the_entries_of_a_period_lie_between_its_two_balances(alice: User) -> None:
    _deposited, held_at, filled_at, *_more = dict.fromkeys(times(alice, "USDT"))
    found = books.statement_of(alice.pk, "USDT", books.Wanted(since=held_at, until=filled_at))
    assert (numbers(found.opening), numbers(found.closing)) == ((50000, 0), (30000, 20000))
    assert [entry.amount for entry in found.entries] == [20000, -20000]


def test_periods_that_follow_each_other_lose_no_entry_and_show_none_twice(alice: User) -> None:
    cuts = [None, *dict.fromkeys(times(alice, "USDT")), None]
    wanted = [books.Wanted(since=since, until=until) for since, until in pairwise(cuts)]
    periods = [books.statement_of(alice.pk, "USDT", each) for each in wanted]
    seqs = [entry.seq for each in periods for entry in each.entries.order_by("seq")]
    assert seqs == list(range(1, len(times(alice, "USDT")) + 1))
    assert [each.closing for each in periods[:-1]] == [each.opening for each in periods[1:]]


def test_a_statement_of_days_shows_what_was_before_and_after(browser: Client, alice: User) -> None:
    today = times(alice, "USDT")[0].date()
    page = browser.get(f"/wallet/USDT/?since={today}&until={today}").text
    assert "30,000" in page and "Before" in page
    before = today - timedelta(days=1)
    page = browser.get(f"/wallet/USDT/?since={before}&until={before}").text
    assert "No entries" in page and "30,000" not in page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("since=2026-02-30", "Enter a valid date."),
        ("since=2026-02-02&until=2026-02-01", "The last day is before the first."),
        ("until=9999-12-31", "less than or equal to"),
        ("kind=NOTHING", "Select a valid choice."),
    ],
)
def test_a_period_that_makes_no_sense_is_said_beside_its_field(
    browser: Client, query: str, sentence: str
) -> None:
    answer = browser.get(f"/wallet/USDT/?{query}")
    assert answer.status_code == 200
    assert sentence in answer.text
    assert "50,000" in answer.text


# ------------------------------------------------------------------ explanations
def sums(user: User, asset: str) -> dict[tuple[str, str, str], str]:
    return {
        (row.kind, row.against, row.way): f"{row.amount.normalize():f}"
        for row in books.explanation(user.pk, asset).sums
    }


def test_what_came_in_and_went_out_is_named_and_ends_in_the_stored_numbers(alice: User) -> None:
    assert sums(alice, "USDT") == {
        ("DEPOSIT", "", ""): "50000",
        ("FILL", "BTC", "in"): "1998",
        ("FILL", "BTC", "out"): "-7980",
    }
    found = books.explanation(alice.pk, "USDT")
    assert [found.total, found.held, found.available] == [44018, 12020, 31998]
    assert found.is_exact


def test_fees_of_trades_are_named_beside_what_they_brought(alice: User) -> None:
    assert [row.fees for row in books.explanation(alice.pk, "BTC").sums] == [Decimal("0.0002"), 0]
    assert [row.fees for row in books.explanation(alice.pk, "USDT").sums] == [0, 2, 0]


def test_every_kind_of_transfer_is_explained_to_the_last_digit(alice: User) -> None:
    bob = make_user("bob")
    fund(bob, "BTC", "1.00000001")
    hold(alice, "400", 3)
    hold(bob, "0.01", 4, "BTC")
    ledger.post_cross(
        key="x1", base="BTC", quote="USDT", quantity=Decimal("0.01"), quote_quantity=Decimal(400),
        buyer=ledger.CrossSide(alice.pk, 3, Decimal("0.00001"), is_last=True),
        seller=ledger.CrossSide(bob.pk, 4, Decimal("0.4"), is_last=True),
    )  # fmt: skip
    ledger.post_fee(
        key="f1", user_id=alice.pk, asset="USDT", amount=Decimal("0.00000003"), reference="listing"
    )
    ledger.post_dust(key="d1", user_id=alice.pk, asset="USDT", amount=Decimal("0.00000001"))
    hold(alice, "100.5", 7, cause=Hold.Cause.WITHDRAWAL)
    ledger.release(cause=ORDER, cause_id=1)
    for user in (alice, bob):
        for row in books.balances(user.pk):
            assert books.explanation(user.pk, row.asset).is_exact
    assert sums(alice, "USDT")["FILL", "BTC", "out"] == "-8380"
    assert sums(alice, "USDT")["FEE", "", ""] == "-0.00000003"
    assert sums(bob, "BTC") == {("DEPOSIT", "", ""): "1.00000001", ("FILL", "USDT", "out"): "-0.01"}


@pytest.mark.parametrize(
    ("most", "opening"), [(1, 42020), (2, 50000), (3, 50000), (4, 50000), (5, 0), (6, 0)]
)
def test_a_very_long_account_is_explained_from_a_balance_on(alice: User, most: int, opening: int) -> None:
    """The two entries of a hold stay together, however few are summed."""
    found = books.explanation(alice.pk, "USDT", most)
    assert found.opening == opening
    assert found.is_exact


@pytest.mark.parametrize("asset", ["USDT", "BTC"])
def test_the_entries_behind_a_sum_add_up_to_it(browser: Client, alice: User, asset: str) -> None:
    for row in books.explanation(alice.pk, asset).sums:
        wanted = books.Wanted(kind=row.kind, against=row.against, way=row.way)
        found = books.statement_of(alice.pk, asset, wanted)
        assert (found.total, found.entries.count()) == (row.amount, row.entries)
        query = f"kind={row.kind}&against={row.against}&way={row.way}"
        answer = browser.get(f"/api/v1/entries/?asset={asset}&{query}").json()
        assert sum(Decimal(entry["amount"]) for entry in answer["results"]) == row.amount


def test_the_page_explains_in_words_with_a_link_to_every_cause(browser: Client, alice: User) -> None:
    page = browser.get("/wallet/USDT/explain/").text
    for words in (
        "Deposits",
        "Purchases of BTC",
        "Sales of BTC",
        "after our fees of 2 USDT",
        "order 1",
        "12,020",
    ):
        assert words in page
    assert "/orders/1/" in page
    assert "to the last digit" in page
    page = browser.get("/wallet/BTC/explain/").text
    assert "Bought with USDT" in page and "Sold for USDT" in page


def test_the_page_says_when_a_stored_number_is_not_what_its_entries_say(
    committed_db: str, owner: psycopg.Connection, client: Client
) -> None:
    user = make_user()
    fund(user, "USDT", "5")
    owner.execute("UPDATE ledger_balance SET available = 6")
    client.force_login(user)
    assert "This is wrong" in client.get("/wallet/USDT/explain/").text
    assert not books.explanation(user.pk, "USDT").is_exact


def test_an_asset_that_was_never_had_needs_no_explanation(browser: Client) -> None:
    Asset.objects.create(code="DOGE")
    assert "You never had this asset here." in browser.get("/wallet/DOGE/explain/").text


@pytest.mark.parametrize("path", ["/wallet/FEES/", "/wallet/FEES/explain/", "/api/v1/entries/?asset=FEES"])
def test_an_asset_that_does_not_exist_has_no_page(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "This asset is not known here." in answer.text


# ------------------------------------------------------------------ one transfer
def crossed(alice: User) -> Transfer:
    """alice's order 3 buys from bob's order 4, within one transfer."""
    bob = make_user("bob")
    fund(bob, "BTC", "1")
    hold(alice, "400", 3)
    hold(bob, "0.01", 4, "BTC")
    posted = ledger.post_cross(
        key="x1", base="BTC", quote="USDT", quantity=Decimal("0.01"), quote_quantity=Decimal(400),
        buyer=ledger.CrossSide(alice.pk, 3, Decimal("0.00001")),
        seller=ledger.CrossSide(bob.pk, 4, Decimal("0.4")),
    )  # fmt: skip
    return Transfer.objects.get(pk=posted.transfer_id)


def test_a_transfer_shows_a_customer_their_own_lines_alone(browser: Client, alice: User) -> None:
    transfer = crossed(alice)
    page = browser.get(f"/wallet/transfers/{transfer.pk}/").text
    assert "−400" in page and "+0.00999" in page
    assert "399.6" not in page
    assert "order 3" in page and "order 4" not in page
    assert len(books.own_lines(alice.pk, transfer.pk)) == 2


def test_a_transfer_names_the_block_it_is_sealed_in(committed_db: str, client: Client) -> None:
    user = make_user()
    fund(user, "USDT", "5")
    client.force_login(user)
    address = f"/wallet/transfers/{Transfer.objects.get().pk}/"
    assert "not yet" in client.get(address).text
    seal_everything()
    page = client.get(address).text
    assert "in block 1" in page and Seal.objects.get().hash in page


def test_the_reference_of_a_crossed_trade_names_nobody_elses_order(browser: Client, alice: User) -> None:
    transfer = crossed(alice)
    rows = browser.get("/api/v1/entries/?asset=BTC").json()["results"]
    assert [row["reference"] for row in rows if row["transfer"] == transfer.pk] == ["ORDER:3"]
    assert {entry.transfer_id for entry in books.entries_of_cause(ORDER, 3, alice.pk)} == {
        transfer.pk,
        Transfer.objects.get(scope="hold", key="ORDER:3").pk,
    }


@pytest.mark.parametrize("number", ["0", "4711", "99999999999999999999999"])
def test_a_transfer_that_does_not_exist_is_not_found(browser: Client, number: str) -> None:
    assert browser.get(f"/wallet/transfers/{number}/").status_code == 404


def test_other_customers_rows_are_not_found(client: Client, alice: User) -> None:
    client.force_login(make_user("mallory"))
    theirs = Entry.objects.filter(account__owner=alice).values_list("transfer_id", flat=True)
    assert {client.get(f"/wallet/transfers/{number}/").status_code for number in theirs} == {404}
    assert "50,000" not in client.get("/wallet/USDT/").text + client.get("/wallet/USDT/explain/").text
    assert client.get("/api/v1/balances/USDT/explanation/").json()["sums"] == []
    with pytest.raises(UnknownTransfer):
        books.own_lines(make_user("eve").pk, theirs[0])


def test_a_statement_leads_to_the_causes(browser: Client, alice: User) -> None:
    one = Decimal(1)
    lines = [system(Account.Type.VENUE, "USDT", -one, venue_account().pk), available(alice.pk, "USDT", one)]
    post(scope="deposit", key="1:1", kind=Transfer.Kind.DEPOSIT, reference="DEPOSIT:17", lines=lines)
    page = browser.get("/wallet/USDT/").text
    assert "order 1" in page and "/orders/1/" in page
    assert "deposit 17" in page and "/wallet/deposits/17/" in page
    assert f"/wallet/transfers/{Transfer.objects.latest('id').pk}/" in page


# ------------------------------------------------------------------ by API
def test_the_api_tells_balances_at_a_moment(browser: Client, alice: User) -> None:
    at = times(alice, "USDT")[0]
    stamp = at.isoformat().replace("+00:00", "Z")
    assert browser.get(f"/api/v1/balances/?at={stamp}").json()["results"] == [
        {"asset": "USDT", "available": "50000", "held": "0"}
    ]


@pytest.mark.parametrize(
    ("path", "field", "sentence"),
    [
        ("balances/?at=yesterday", "at", "YYYY-MM-DD"),
        ("balances/?at=2999-01-01T00:00:00Z", "at", "has not come yet"),
        ("balances/?at=0001-01-01T00:00:00%2B14:00", "at", "out of range"),
        ("entries/", "asset", "Say which asset."),
        ("entries/?asset=USDT&from=1", "from", "YYYY-MM-DD"),
        ("entries/?asset=USDT&from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z", "to", "before"),
        ("entries/?asset=USDT&kind=BRIBE", "kind", "not a valid choice"),
        ("entries/?asset=USDT&way=sideways", "way", "not a valid choice"),
    ],
)
def test_the_api_says_what_is_wrong_with_a_question(
    browser: Client, path: str, field: str, sentence: str
) -> None:
    answer = browser.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert sentence in answer.json()["message"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-07-20T20:17:40Z"])
def test_a_moment_before_everything_shows_nothing(browser: Client, at: str) -> None:
    assert browser.get(f"/api/v1/balances/?at={at}").json()["results"] == []
    assert browser.get(f"/api/v1/entries/?asset=USDT&to={at}").json()["results"] == []


def test_the_api_tells_the_entries_of_a_period(browser: Client, alice: User) -> None:
    first = times(alice, "USDT")[0].isoformat().replace("+00:00", "Z")
    rows = browser.get(f"/api/v1/entries/?asset=USDT&to={first}").json()["results"]
    assert rows == []
    rows = browser.get(f"/api/v1/entries/?asset=USDT&from={first}").json()["results"]
    assert [row["seq"] for row in rows][-1] == 1


def test_the_api_explains_a_balance(browser: Client, alice: User) -> None:
    found = browser.get("/api/v1/balances/USDT/explanation/").json()
    assert found["is_exact"] is True
    assert found["stored"] == {"asset": "USDT", "available": "31998", "held": "12020"}
    assert (found["total"], found["available"], found["held"]) == ("44018", "31998", "12020")
    assert [hold["cause_id"] for hold in found["holds"]] == [1]
    assert {row["amount"] for row in found["sums"]} == {"50000", "-7980", "1998"}
