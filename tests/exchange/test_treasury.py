"""The treasury's pages: who may see, ask and download, what they say, and that nothing there moves money."""

import csv
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from exchange.desk import queries
from exchange.office import services as office
from exchange.office.models import Approval, AuditRecord
from exchange.tables import cell, csv_lines
from ledger import services as ledger
from ledger.models import LedgerException, Reconciliation
from tests.factories import balance, fund, make_user, publish_ticker
from tests.ledger.runs import ACCOUNT, holds, twice
from tests.venue import Venue

D = Decimal
REPORTS = ("trial-balance", "balance-sheet", "income")


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice(db: None) -> User:
    user = make_user()
    fund(user, "USDT", "1000")
    fund(user, "BTC", "0.5")
    publish_ticker("BTCUSDT", "40000")
    return user


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol", is_staff=True, is_superuser=True)


@pytest.fixture
def dave(db: None) -> User:
    return make_user("dave", is_staff=True, is_superuser=True)


@pytest.fixture
def desk(carol: User) -> Client:
    return browser_of(carol)


def clerk(*rights: str) -> Client:
    user = make_user("clerk", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    return browser_of(user)


# ------------------------------------------------------------------ who may
@pytest.mark.parametrize(
    "path",
    ["/admin/treasury/", "/admin/treasury/adjustments/", *(f"/admin/treasury/{name}/" for name in REPORTS)],
)
def test_staff_without_the_right_see_nothing_and_others_not_even_the_door(alice: User, path: str) -> None:
    assert clerk("view_transfer").get(path).status_code == 403
    assert browser_of(alice).get(path).status_code == 302
    assert Client().get(path).status_code == 302


def test_who_sees_the_treasury_may_neither_download_nor_ask(alice: User) -> None:
    reader = clerk("see_treasury")
    assert reader.get("/admin/treasury/income/").status_code == 200
    assert reader.get("/admin/treasury/income/?format=csv").status_code == 403
    assert reader.get("/admin/treasury/adjustments/").status_code == 403
    assert "Adjustments" not in reader.get("/admin/").text


def test_an_unknown_report_is_not_found(desk: Client) -> None:
    assert desk.get("/admin/treasury/secrets/").status_code == 404


# ------------------------------------------------------------------ what the pages say
def test_the_treasury_sets_what_we_own_against_what_we_owe(desk: Client, alice: User) -> None:
    page = desk.get("/admin/treasury/").text
    assert "21,000.00 USDT" in page  # 1,000 and half a bitcoin
    assert "not compared yet" in page


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_a_page_and_the_same_as_csv_on_record(
    desk: Client, carol: User, alice: User, name: str
) -> None:
    ledger.post_fee(key="1", user_id=alice.pk, asset="USDT", amount=D("0.5"), reference="card")
    assert "USDT" in desk.get(f"/admin/treasury/{name}/").text
    answer = desk.get(f"/admin/treasury/{name}/?format=csv")
    rows = list(csv.reader(b"".join(answer).decode().splitlines()))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    assert (len(rows) > 1, {len(row) for row in rows}) == (True, {len(rows[0])})
    assert AuditRecord.objects.filter(action="report.downloaded", subject_id=name, actor=carol).count() == 1


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("start=2026-02-02&end=2026-02-01", "turn them round"),
        ("start=2020-01-01&end=2026-01-01&step=day", "too many steps"),
        ("start=yesterday", "Enter a valid date"),
        ("end=9999-12-31", "less than or equal to 2999-12-31"),
        ("start=0001-01-01", "greater than or equal to 2000-01-01"),
        ("step=hour", "Select a valid choice"),
    ],
)
def test_a_period_that_makes_no_sense_says_so(desk: Client, query: str, sentence: str) -> None:
    assert sentence in desk.get(f"/admin/treasury/income/?{query}").text
    assert "text/html" in desk.get(f"/admin/treasury/income/?{query}&format=csv").headers["Content-Type"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_as_of_the_ends_of_time_is_a_page(desk: Client, alice: User, name: str, at: str) -> None:
    assert desk.get(f"/admin/treasury/{name}/?at={at}").status_code == 200


def test_a_time_that_is_none_says_so(desk: Client, alice: User) -> None:
    assert "Enter a valid date" in desk.get("/admin/treasury/balance-sheet/?at=soon").text
    assert "1,000" not in desk.get("/admin/treasury/balance-sheet/?at=2020-01-01T00:00:00").text


# ------------------------------------------------------------------ cells that could be formulas
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-2+3", "'-2+3"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"),
        ("\rx", "'\rx"), ("\0x", "'\0x"), ("-12.5", "-12.5"), (D("-0.00000001"), "-0.00000001"), (D("1E+3"), "1000"),
        ("BTC", "BTC"), (None, ""), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_a_plain_number_stays_one(value: Any, expected: str) -> None:
    assert cell(value) == expected


def test_lines_are_made_one_by_one_and_quoted(db: None) -> None:
    def endless() -> Any:
        while True:
            yield ["a,b", D("-1.50")]

    lines = csv_lines(["x", "=y"], endless())
    assert [next(lines), next(lines)] == ["x,'=y\r\n", '"a,b",-1.5\r\n']


# ------------------------------------------------------------------ adjustments
def wanted(**changes: str) -> dict[str, str]:
    return {
        "asset": "usdt", "source": "EQUITY", "target": "CUSTOMER", "amount": "5", "category": "goodwill",
        "customer": "alice@example.com", "case": "CASE-7", "reason": "the app was away", **changes,
    }  # fmt: skip


def test_an_adjustment_is_asked_by_one_granted_by_another_and_listed_with_its_outcome(
    desk: Client, carol: User, dave: User, alice: User
) -> None:
    assert desk.post("/admin/treasury/adjustments/", wanted()).status_code == 302
    asked = Approval.objects.get()
    assert asked.payload["lines"] == [
        ["EQUITY::USDT", "S", "-5"],
        [f"USER:{alice.pk}:USDT", "A", "5"],
    ]
    assert asked.payload["detail"] == {"case": "CASE-7", "customer": "alice@example.com"}
    assert balance(alice, "USDT") == (1000, 0)
    assert (
        "Somebody else must decide"
        in desk.post(f"/admin/office/approval/{asked.pk}/grant/", {"reason": "my own"}).text
    )
    office.grant(asked.pk, by=dave)
    ledger.carry_out_approvals()
    assert balance(alice, "USDT") == (1005, 0)
    page = desk.get("/admin/treasury/adjustments/").text
    assert ("CASE-7" in page, "Booked as transfer" in page, "dave@example.com" in page) == (True, True, True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"case": ""}, "needs the number of the case"),
        ({"customer": "nobody@example.com"}, "No customer has this"),
        ({"customer": ""}, "No customer has this"),
        ({"target": "EQUITY"}, "two different accounts"),
        ({"asset": "NOPE"}, "This asset is not known"),
        ({"amount": "0.000000001"}, "must be a multiple of 0.00000001"),
        ({"amount": "-5"}, "Enter a plain number"),
        ({"amount": "0"}, "Enter more than zero"),
        ({"amount": "1e3"}, "Enter a plain number"),
        ({"amount": "NaN"}, "Enter a plain number"),
        ({"amount": "'"}, "Enter a plain number"),
        ({"amount": "\u2019 \u2019"}, "Enter a plain number"),
        ({"category": "because"}, "Select a valid choice"),
        ({"source": "USER"}, "Select a valid choice"),
        ({"reason": " "}, "This field is required"),
    ],
)
def test_what_cannot_be_asked_for_says_why_beside_its_field(
    desk: Client, alice: User, changes: dict[str, str], sentence: str
) -> None:
    assert sentence in desk.post("/admin/treasury/adjustments/", wanted(**changes)).text
    assert not Approval.objects.exists()


def test_staff_cannot_ask_for_an_adjustment_of_their_own_balance(
    desk: Client, alice: User, carol: User
) -> None:
    answer = desk.post("/admin/treasury/adjustments/", wanted(customer=carol.email))
    assert "money of their own" in answer.text
    assert not Approval.objects.exists()


# ------------------------------------------------------------------ reconciliation in the admin
def test_the_button_compares_now_and_only_for_who_may(
    desk: Client, alice: User, venue: Venue, carol: User
) -> None:
    holds(venue, USDT="1000", BTC="0.5")
    page = "/admin/ledger/reconciliation/"
    assert "Compare now" in desk.get(page).text
    answer = desk.post(f"{page}now/", follow=True)
    assert Reconciliation.objects.get().by == carol
    assert "0.5" in answer.text
    looker = clerk("view_reconciliation")
    assert "Compare now" not in looker.get(page).text
    assert (looker.post(f"{page}now/").status_code, desk.get(f"{page}now/").status_code) == (403, 403)


def test_a_venue_that_cannot_be_asked_is_said_so(desk: Client, alice: User, venue: Venue) -> None:
    venue.on("GET", ACCOUNT, (503, {}))
    assert "could not be asked" in desk.post("/admin/ledger/reconciliation/now/", follow=True).text


@pytest.fixture
def difference(alice: User, carol: User, venue: Venue) -> LedgerException:
    venue.on("GET", "/sapi/v1/capital/deposit/hisrec", (200, []))
    holds(venue, USDT="1000", BTC="0.25")
    twice()
    return LedgerException.objects.get()


def test_a_differences_page_says_amount_age_cause_owner_and_posting(
    desk: Client, difference: LedgerException
) -> None:
    page = desk.get(f"/admin/ledger/ledgerexception/{difference.pk}/change/").text
    for words in (
        "−0.25 BTC",
        "carol@example.com",
        "Nothing on record has this amount.",
        "SUSPENSE::BTC",
        "no new orders",
    ):
        assert words in page
    assert "stands" in desk.get("/admin/ledger/ledgerexception/?resolved_at__isempty=1").text


def test_a_difference_is_taken_and_closed_from_its_page(
    desk: Client, dave: User, difference: LedgerException
) -> None:
    page = f"/admin/ledger/ledgerexception/{difference.pk}/"
    browser_of(dave).post(f"{page}take/", {"reason": "my shift"})
    difference.refresh_from_db()
    assert difference.owner == dave
    desk.post(f"{page}close/", {"category": "suspense", "books": "on", "reason": "asked the venue"})
    office.grant(Approval.objects.get().pk, by=dave)
    ledger.carry_out_approvals()
    answer = desk.get(f"{page}change/").text
    assert "suspense: asked the venue" in answer
    assert "../close/" not in answer


def test_closing_what_has_no_posting_with_one_is_refused_beside_the_field(desk: Client, alice: User) -> None:
    found = ledger.note_exception(source="test", key="1", asset="BTC", amount=D(1), detail={})
    form = {"category": "dust", "books": "on", "reason": "small"}
    answer = desk.post(f"/admin/ledger/ledgerexception/{found.pk}/close/", form)
    assert "No posting is suggested" in answer.text


# ------------------------------------------------------------------ what everybody may know
def test_the_tile_of_the_status_page_and_the_wallet_tells_without_figures(
    difference: LedgerException, alice: User
) -> None:
    page = Client().get("/status/").text
    assert "Our books and the venue differ" in page
    assert "Differs, paused" in page
    assert "0.25" not in page
    wallet = browser_of(alice).get("/wallet/").text
    assert ("Our books and the venue differ" in wallet, "Paused" in wallet) == (True, True)
    queries._status.cache_clear()
    assert Client().get("/status.json").json()["reconciliation"]["stopped"] == ["BTC"]
