"""A quote is used once, in time, by its owner; what is booked is what it said."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.models import User
from exchange.conversions import queries, services
from exchange.conversions.errors import QuoteExpired, UnknownQuote
from exchange.conversions.models import Conversion, Cover, Quote
from exchange.gate import services as gate
from ledger import queries as books
from ledger.errors import InsufficientFunds
from ledger.models import Account, LedgerException, Transfer
from tests.conversions.conftest import equip
from tests.conversions.desk import (
    D,
    Desk,
    accept,
    at_venue,
    books_agree,
    convert,
    house_orders,
    is_covered,
    quote,
    refused,
    run_out,
)
from tests.factories import balance, fund, held_by_the_house, make_user, publish_book
from tests.ledger.runs import holds
from tests.race import at_once
from tests.venue import Venue


def test_what_is_booked_is_what_the_quote_said_to_the_last_digit(alice: User, desk: Desk) -> None:
    found = quote(alice)
    done = accept(alice, found)
    assert balance(alice, "USDT") == (99_000, 0)
    assert balance(alice, "BTC")[0] == 2 + found.to_amount
    assert held_by_the_house(Account.Type.FEES, "BTC") == found.fee
    transfer = Transfer.objects.get(kind="CONVERT")
    assert (done.transfer_id, transfer.reference) == (transfer.pk, f"CONVERT:{done.pk}")


def test_the_house_covers_it_at_the_venue_and_keeps_the_margin(alice: User, desk: Desk) -> None:
    before = at_venue("BTC")
    found = quote(alice)
    desk.fills(price="40010")
    done = accept(alice, found)
    desk.sweep(2)
    (order,) = house_orders()
    assert (order.side, order.type, order.time_in_force, order.status) == ("BUY", "LIMIT", "IOC", "FILLED")
    # No dearer than 100 basis points above the best offer, and in whole steps.
    assert (order.price, order.quantity) == (D("40410.1"), D("0.02494"))
    assert (order.fee_bps, order.user.is_active, order.user.is_staff) == (0, False, False)
    assert is_covered() and books_agree()
    assert at_venue("BTC") - before == D("0.02494")
    # 1,000 came in, the cover cost 997.8494: the rest is the margin, but for what is too small to be traded.
    earned = queries.earned(done)
    assert earned == {
        "USDT": D("1000") - D("0.02494") * 40010,
        "BTC": D("0.02494") - found.to_amount - found.fee,
    }
    assert queries.position() == earned
    assert books.first_broken_row() == ""


def test_a_second_use_gives_the_first_conversion(alice: User, desk: Desk) -> None:
    found = quote(alice)
    assert accept(alice, found).pk == accept(alice, found).pk
    run_out(found)
    assert accept(alice, found).pk
    assert (Conversion.objects.count(), balance(alice, "USDT")) == (1, (99_000, 0))


def test_late_means_not_at_all(alice: User, desk: Desk) -> None:
    found = quote(alice)
    run_out(found)
    with pytest.raises(QuoteExpired):
        accept(alice, found)
    assert (balance(alice, "USDT"), Cover.objects.count(), house_orders()) == ((100_000, 0), 0, [])


def test_another_customer_finds_no_such_quote(alice: User, desk: Desk) -> None:
    bob = make_user("bob")
    fund(bob, "USDT", "5000")
    found = quote(alice)
    with pytest.raises(UnknownQuote):
        accept(bob, found)
    assert (balance(bob, "USDT"), balance(alice, "USDT")) == ((5000, 0), (100_000, 0))
    assert accept(alice, found)


@pytest.mark.parametrize(("bid", "ask"), [("44000.00", "44011.00"), ("36000.00", "36009.00")])
def test_after_a_move_of_a_tenth_it_is_the_quoted_price_or_none(
    alice: User, desk: Desk, bid: str, ask: str
) -> None:
    """The house bears it: in time at what was said, a moment later not at all."""
    first, second = quote(alice), quote(alice)
    publish_book("BTCUSDT", bids=[(bid, "5")], asks=[(ask, "5")])
    desk.fills(price=ask)
    done = accept(alice, first)
    assert balance(alice, "BTC")[0] == 2 + first.to_amount
    run_out(second)
    assert refused(lambda: accept(alice, second)) == "quote_expired"
    desk.sweep(2)
    assert is_covered() and books_agree()
    cost = sum((cover.done_quote for cover in done.covers.all()), Decimal(0))
    assert (cost > 1000) == (D(ask) > 40010)
    assert balance(alice, "USDT") == (99_000, 0)


def test_what_the_customer_does_not_have_is_not_converted(alice: User, desk: Desk) -> None:
    found = quote(alice, from_amount=D(90_000) // 2)
    fund_away(alice)
    with pytest.raises(InsufficientFunds):
        accept(alice, found)
    assert not Conversion.objects.exists() and not Cover.objects.exists()
    assert books.first_broken_row() == ""


def fund_away(user: User) -> None:
    """All but 10,000 of it is needed elsewhere."""
    from ledger import services as ledger

    ledger.hold(user_id=user.pk, asset="USDT", amount=D(90_000), cause=ledger.Cause.ORDER, cause_id=10**9)


def test_it_is_not_used_up_by_a_refusal(alice: User, desk: Desk) -> None:
    from ledger import services as ledger

    found = quote(alice, from_amount=D(20_000))
    fund_away(alice)
    assert refused(lambda: accept(alice, found)) == "insufficient_funds"
    ledger.release(cause=ledger.Cause.ORDER, cause_id=10**9)
    assert accept(alice, found)


# ------------------------------------------------------------------ what stops it between quote and use
def test_whatever_stops_orders_stops_it_too(alice: User, desk: Desk, settings: Any) -> None:
    carol = make_user("carol", is_staff=True, is_superuser=True)
    dave = make_user("dave", is_staff=True, is_superuser=True)
    found = quote(alice)
    for scope, more in (
        ("EVERYTHING", {}), ("MARKET", {"market": "BTCUSDT"}), ("SIDE", {"side": "BUY"}),
        ("CUSTOMER", {"customer_id": alice.pk}), ("CANCEL_ONLY", {}),
    ):  # fmt: skip
        switch = gate.flip_switch(scope=scope, by=carol, reason="odd", **more)
        assert refused(lambda: accept(alice, found)) == "trading_stopped", scope
        gate.ask_release(switch.pk, by=carol, reason="fine")
        gate.confirm_release(switch.pk, by=dave, reason="seen")
    gate.flip_switch(scope="API", by=carol, reason="odd")
    by_api = lambda: services.accept_quote(user=alice, quote_id=found.pk, channel="API")  # noqa: E731
    assert refused(by_api) == "trading_stopped"
    settings.CONVERT_UNCOVERED_LIMIT = D(10)
    assert refused(lambda: accept(alice, found)) == "house_is_full"
    settings.CONVERT_UNCOVERED_LIMIT = D(50_000)
    accounts.freeze(alice.pk, "looked at")
    assert refused(lambda: accept(alice, found)) == "account_frozen"  # also by who was read before
    accounts.unfreeze(alice.pk, "fine", carol)
    accounts.lock(alice)
    assert refused(lambda: accept(alice, found)) == "account_locked"
    assert not Conversion.objects.exists()
    assert balance(alice, "USDT") == (100_000, 0)


def test_an_asset_in_which_the_books_differ_is_not_converted(alice: User, desk: Desk) -> None:
    found = quote(alice)
    LedgerException.objects.create(
        source="balance", key="k", asset_id="BTC", amount=1, detail={}, stops_asset=True
    )
    assert refused(lambda: accept(alice, found)) == "asset_stopped"
    assert refused(lambda: quote(alice)) == "asset_stopped"


# ------------------------------------------------------------------ at once
def test_of_eight_who_use_one_quote_at_once_one_has_an_effect(committed_db: str, venue: Venue) -> None:
    alice = equip()
    Desk(venue)
    found = quote(alice)
    told = at_once(8, lambda _number: accept(alice, found).pk)
    assert len(set(told)) == 1 and isinstance(told[0], int)
    assert Conversion.objects.count() == Transfer.objects.filter(kind="CONVERT").count() == 1
    assert Cover.objects.count() == 1
    assert balance(alice, "USDT") == (99_000, 0)
    assert balance(alice, "BTC")[0] == 2 + found.to_amount
    assert books.first_broken_row() == ""


def test_two_quotes_for_the_same_money_at_once_are_one_conversion(committed_db: str, venue: Venue) -> None:
    alice = equip()
    Desk(venue)
    fund_away(alice)
    found = [quote(alice, from_amount=D(8000)) for _time in range(4)]
    told = at_once(4, lambda number: accept(alice, found[number]).pk)
    assert [one for one in told if not isinstance(one, int)] == [InsufficientFunds] * 3
    assert (balance(alice, "USDT"), books.first_broken_row()) == ((2000, 90_000), "")


def test_the_rooms_limit_holds_for_many_at_once(committed_db: str, venue: Venue, settings: Any) -> None:
    settings.CONVERT_UNCOVERED_LIMIT = D(2500)
    alice = equip()
    Desk(venue).is_away()
    found = [quote(alice) for _time in range(4)]
    told = at_once(4, lambda number: refused(lambda: accept(alice, found[number])))
    assert sorted(told) == ["", "", "house_is_full", "house_is_full"]


def test_a_quote_that_runs_out_while_its_row_is_waited_for_is_late(committed_db: str, venue: Venue) -> None:
    alice = equip()
    Desk(venue)
    found = quote(alice)

    def act(number: int) -> Any:
        import time

        from django.db import transaction

        if number == 0:
            with transaction.atomic():
                Quote.objects.select_for_update().get(pk=found.pk)
                time.sleep(0.4)
                run_out(found)
            return ""
        time.sleep(0.1)
        return refused(lambda: accept(alice, found))

    assert at_once(2, act) == ["", "quote_expired"]
    assert balance(alice, "USDT") == (100_000, 0)


def test_after_a_lost_answer_of_the_database_it_is_looked_up(committed_db: str, venue: Venue) -> None:
    alice = equip()
    Desk(venue)
    found = quote(alice)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
    done = accept(alice, found)
    connection.close()
    assert accept(alice, found) == done


# ------------------------------------------------------------------ the venue's side of the books
def test_the_books_agree_with_the_venue_before_and_after_the_cover(
    alice: User, desk: Desk, venue: Venue
) -> None:
    from ledger import services as ledger

    desk.is_away()
    convert(alice)
    holds(venue, USDT="100000", BTC="2")
    assert ledger.reconcile() is not None and ledger.reconcile().is_ok  # type: ignore[union-attr]
    desk.fills(price="40010")
    desk.sweep(3)
    spent = D("0.02494") * 40010
    holds(venue, USDT=f"{D(100_000) - spent}", BTC="2.02494")
    assert ledger.reconcile().is_ok  # type: ignore[union-attr]


# ------------------------------------------------------------------ by API
def test_a_program_asks_and_accepts(alice: User, desk: Desk) -> None:
    _token, secret = accounts.issue_token(alice, name="bot", can_trade=True)
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    body = {"from_asset": "USDT", "to_asset": "BTC", "from_amount": "1000"}
    answer = program.post("/api/v1/convert/quotes/", body, format="json")
    told = answer.json()
    assert answer.status_code == 201, told
    assert (told["to_amount"], told["fee_bps"], told["margin_bps"]) == ("0.02491878", 10, 20)
    assert told["seconds_left"] in (7, 8) and told["legs"][0]["u"] == 1
    assert told["who_bears_a_move"] == "the house, until the quote ends"
    address = f"/api/v1/convert/quotes/{told['id']}/"
    first = program.post(f"{address}accept/")
    assert (first.status_code, program.post(f"{address}accept/").json()) == (201, first.json())
    assert program.get(address).json()["conversion"] == first.json()["id"]
    assert program.get("/api/v1/convert/conversions/").json()["results"] == [first.json()]
    bob = APIClient()
    bob.force_authenticate(make_user("bob"))
    for path in (address, f"/api/v1/convert/conversions/{first.json()['id']}/"):
        assert bob.get(path).status_code == 404
    assert bob.post(f"{address}accept/").status_code == 404


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"from_amount": "1e3"}, "from_amount", "invalid"),
        ({"from_amount": 1000}, "from_amount", "invalid"),
        ({"from_amount": "0"}, "from_amount", "invalid"),
        ({"from_amount": "-1"}, "from_amount", "invalid"),
        ({"from_amount": "1000.123456789"}, "from_amount", "too_precise"),
        ({"to_amount": "1"}, "from_amount", "one_amount"),
        ({"to_asset": "USDT"}, "to_asset", "same_asset"),
        ({"to_asset": "BTC\0"}, "to_asset", "invalid"),
        ({"to_asset": "x" * 33}, "to_asset", "invalid"),
        ({"fast": True}, "fast", "invalid"),
    ],
)
def test_a_bad_wish_is_refused_with_its_field(
    alice: User, changes: dict[str, Any], field: str, code: str
) -> None:
    browser = APIClient()
    browser.force_authenticate(alice)
    body = {"from_asset": "USDT", "to_asset": "BTC", "from_amount": "1000", **changes}
    answer = browser.post("/api/v1/convert/quotes/", body, format="json")
    told = answer.json()
    assert (answer.status_code, told["field"], told["code"]) == (400, field, code)
    assert not Quote.objects.exists()
