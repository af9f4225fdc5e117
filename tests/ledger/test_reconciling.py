"""The books against the venue: what is under way is explained, one unit more is a difference with an owner."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from accounts.models import User
from exchange.office.models import Notice
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import AssetStopped
from ledger.models import Deposit, LedgerException, ReconciledAsset, Reconciliation, Withdrawal
from markets import feed
from markets.models import Asset
from tests.factories import fund, make_user, publish_ticker, venue_account
from tests.ledger.money import (
    HISTORY,
    SENT,
    TRANSFER,
    approved,
    brought_to,
    page_of,
    poll,
    record,
    request,
    sent_record,
    with_address,
)
from tests.ledger.runs import (
    ACCOUNT,
    NOW,
    differences,
    holds,
    lies_in_sub_accounts,
    run,
    twice,
    wait_for_waiting,
)
from tests.venue import Venue

UNIT = Decimal("0.00000001")
D = Decimal


def test_books_and_venue_agree_free_and_locked_together(funded: User, venue: Venue) -> None:
    holds(venue, USDT="900", locked="100", BTC="1")
    found = run()
    assert (found.is_ok, found.assets, found.differing) == (True, 2, 0)
    assert books.agreement().state == "LATE"  # by the wall clock that was long ago


def test_one_unit_is_a_difference_once_two_runs_found_it_and_has_an_owner(
    funded: User, carol: User, venue: Venue
) -> None:
    holds(venue, USDT="1000", BTC="1.00000001")
    assert differences(run()) == {"BTC": UNIT}
    assert not LedgerException.objects.exists()
    assert differences(run(5)) == {"BTC": UNIT}
    found = LedgerException.objects.get()
    assert (found.asset_id, found.amount, found.owner, found.stops_asset) == ("BTC", UNIT, carol, False)
    assert Notice.objects.filter(user=carol, kind="ledger.difference").count() == 1
    assert found.suggestion == [
        [f"VENUE:{venue_account().pk}:BTC", "S", "-0.00000001"],
        ["SUSPENSE::BTC", "S", "0.00000001"],
    ]


def test_two_runs_of_the_same_moment_prove_nothing(funded: User, venue: Venue) -> None:
    holds(venue, USDT="1000", BTC="2")
    run()
    ledger.reconcile(now=NOW + timedelta(seconds=1))
    assert not LedgerException.objects.exists()


def test_a_difference_that_changes_its_sign_was_a_trade_passing_by(funded: User, venue: Venue) -> None:
    holds(venue, USDT="1000", BTC="1.5")
    run()
    holds(venue, USDT="1000", BTC="0.5")
    run(5)
    assert not LedgerException.objects.exists()


def test_only_what_lasted_is_a_difference(funded: User, venue: Venue) -> None:
    holds(venue, USDT="1000", BTC="1.5")
    run()
    holds(venue, USDT="1000", BTC="1.2")
    run(5)
    assert LedgerException.objects.get().amount == D("0.2")


def test_the_load_is_shared_among_those_who_may_close(
    funded: User, carol: User, dave: User, venue: Venue
) -> None:
    make_user("erin", is_staff=True)  # staff, but not for the books
    holds(venue, USDT="1001", BTC="2")
    twice()
    assert set(LedgerException.objects.values_list("owner__email", flat=True)) == {carol.email, dave.email}


def test_a_difference_nobody_could_own_gets_an_owner_as_soon_as_there_is_one(
    funded: User, venue: Venue
) -> None:
    holds(venue, USDT="1000", BTC="2")
    twice()
    assert LedgerException.objects.get().owner is None
    carol = make_user("carol", is_staff=True, is_superuser=True)
    run(10)
    assert LedgerException.objects.get().owner == carol


# ------------------------------------------------------------------ what is under way
def test_a_withdrawal_the_venue_has_debited_is_under_way(funded: User, venue: Venue) -> None:
    withdrawal = approved(funded)
    brought_to(withdrawal, "SENT", NOW)
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 4)]))
    holds(venue, USDT="900", BTC="1")
    found = twice()
    assert found.is_ok
    row = found.rows.get(asset="USDT", place="VENUE")
    assert (row.explained, row.explanations[0][1]) == (D(-100), f"WITHDRAWAL:{withdrawal.pk}")


@pytest.mark.parametrize(("left", "agrees"), [("900", True), ("1000", True), ("899", False)])
def test_a_withdrawal_the_venue_is_silent_about_may_have_left_or_not(
    funded: User, venue: Venue, left: str, agrees: bool
) -> None:
    brought_to(approved(funded), "SENDING", NOW)
    venue.on("GET", SENT, (200, []))
    holds(venue, USDT=left, BTC="1")
    assert run().is_ok is agrees


def test_a_failed_withdrawal_that_is_not_settled_here_explains_nothing(funded: User, venue: Venue) -> None:
    withdrawal = approved(funded)
    brought_to(withdrawal, "SENT", NOW)
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 5)]))
    holds(venue, USDT="900", BTC="1")
    assert differences(run()) == {"USDT": D(-100)}


def test_a_withdrawal_on_a_later_page_that_bears_the_venues_id_alone_is_under_way(
    funded: User, venue: Venue
) -> None:
    withdrawal = approved(funded)
    brought_to(withdrawal, "SENT", NOW)
    Withdrawal.objects.update(venue_id="w1")
    ours = sent_record(withdrawal, 4, withdrawOrderId="", transactionFee="1.5")
    others = [sent_record(withdrawal, 4, id=f"o{number}", withdrawOrderId="") for number in range(1000)]
    venue.on("GET", SENT, lambda asked: (200, page_of([*others, ours], asked)))
    holds(venue, USDT="899.5", BTC="1")
    assert run().is_ok


def test_a_deposit_on_a_later_page_is_under_way_once(funded: User, venue: Venue) -> None:
    others = [record(number, status=0) for number in range(100, 1099)]
    venue.on("GET", HISTORY, lambda asked: (200, page_of([*others, record(7), record(8)], asked)))
    holds(venue, USDT="1200", BTC="1")
    assert run().is_ok


@pytest.mark.parametrize("status", [1, 6])
def test_a_deposit_the_venue_has_credited_and_nobody_booked_is_under_way(
    funded: User, venue: Venue, status: int
) -> None:
    venue.on("GET", HISTORY, (200, [record(7, status=status)]))
    holds(venue, USDT="1100", BTC="1")
    assert run().is_ok


def test_a_deposit_that_is_not_credited_yet_explains_nothing(funded: User, venue: Venue) -> None:
    venue.on("GET", HISTORY, (200, [record(7, status=0)]))
    holds(venue, USDT="1100", BTC="1")
    assert differences(run()) == {"USDT": D(100)}


@pytest.fixture
def unswept(funded: User, venue: Venue) -> Deposit:
    """100 USDT that the venue would not move out of alice's sub-account."""
    with_address(funded)
    venue.on("POST", TRANSFER, (400, {"code": -9000, "msg": "not now"}))
    poll(venue, record(1))
    return Deposit.objects.get()


def test_what_lies_in_sub_accounts_is_compared_too(unswept: Deposit, venue: Venue) -> None:
    holds(venue, USDT="1000", BTC="1")
    lies_in_sub_accounts(venue, USDT="100")
    assert run().is_ok
    lies_in_sub_accounts(venue, USDT="99.99999999")
    assert differences(run(5)) == {"USDT": -UNIT}


def test_what_is_finer_than_the_books_keep_is_explained_where_it_lies(funded: User, venue: Venue) -> None:
    Asset.objects.filter(code="USDT").update(scale=2)
    with_address(funded)
    poll(venue, record(1, amount="100.005"), record(2, amount="0.009"))
    holds(venue, USDT="1100", BTC="1")
    lies_in_sub_accounts(venue, USDT="0.014")
    assert run().is_ok
    lies_in_sub_accounts(venue, USDT="0.015")
    assert differences(run(5)) == {"USDT": D("0.001")}


def test_a_sweep_the_venue_has_made_and_nobody_booked_is_under_way(unswept: Deposit, venue: Venue) -> None:
    holds(venue, USDT="1100", BTC="1")
    lies_in_sub_accounts(venue)
    venue.on("GET", TRANSFER, (200, {"result": [{"status": "SUCCESS"}], "totalCount": 1}))
    found = run()
    assert found.is_ok
    assert {row.place: row.explained for row in found.rows.filter(asset="USDT")} == {
        "VENUE": D(100),
        "CUSTODY": D(-100),
    }


def test_what_is_booked_while_the_venue_is_asked_is_no_difference(funded: User, venue: Venue) -> None:
    venue.on("GET", ACCOUNT, lambda asked: _with_more(funded, "1.2"))
    assert run().is_ok


def _with_more(funded: User, theirs: str) -> object:
    """While the venue answers, half a bitcoin is booked; its figure is of a moment in between."""
    fund(funded, "BTC", "0.5")
    rows = [{"asset": "BTC", "free": theirs, "locked": "0"}, {"asset": "USDT", "free": "1000", "locked": "0"}]
    return 200, {"balances": rows}


def test_a_venue_that_does_not_tell_explains_nothing_and_hides_nothing(funded: User, venue: Venue) -> None:
    venue.on("GET", HISTORY, (503, {}))
    holds(venue, USDT="1100", BTC="1")
    assert differences(run()) == {"USDT": D(100)}


# ------------------------------------------------------------------ causes
def test_the_probable_cause_names_the_row_of_the_same_amount(funded: User, carol: User, venue: Venue) -> None:
    withdrawal = approved(funded)
    brought_to(withdrawal, "COMPLETED", NOW)
    holds(venue, USDT="900", BTC="1.3", DOGE="12")
    twice()
    causes = dict(LedgerException.objects.values_list("asset_id", "cause"))
    assert f"WITHDRAWAL:{withdrawal.pk}" in causes["USDT"]
    assert causes["DOGE"].startswith("The books never had this asset")
    assert causes["BTC"] == "Nothing on record has this amount."


def test_a_difference_that_is_before_staff_already_is_not_to_be_booked_twice(
    funded: User, carol: User, venue: Venue
) -> None:
    known = ledger.note_exception(source="test", key="1", asset="BTC", amount=D("-0.02"), detail={})
    holds(venue, USDT="1000", BTC="0.98")
    twice()
    found = LedgerException.objects.get(place="VENUE")
    assert f"difference #{known.pk}" in found.cause
    assert "book only one" in found.cause


# ------------------------------------------------------------------ stops
def test_an_unexplained_one_above_the_limit_stops_its_asset_and_no_other(
    big_difference: LedgerException,
) -> None:
    assert books.stopped_assets() == {"BTC"}
    ledger.require_asset_open("USDT")
    with pytest.raises(AssetStopped, match="BTC are paused"):
        ledger.require_asset_open("USDT", "BTC")


def test_what_nobody_can_value_stops_too(funded: User, venue: Venue) -> None:
    feed.client().delete(feed.TICKERS)
    holds(venue, USDT="1000", BTC="1.00000001")
    twice()
    assert books.stopped_assets() == {"BTC"}


def test_a_price_that_is_old_values_nothing(funded: User, venue: Venue) -> None:
    publish_ticker("BTCUSDT", "0.01", age_s=61)
    holds(venue, USDT="1000", BTC="1.5")
    twice()
    assert books.stopped_assets() == {"BTC"}


def test_withdrawals_of_a_stopped_asset_wait(funded: User, carol: User, venue: Venue) -> None:
    waiting = approved(funded)
    holds(venue, USDT="100", BTC="1")
    twice()
    with pytest.raises(AssetStopped):
        request(funded, nonce="n2")
    assert ledger.send_next_withdrawal() is False
    assert Withdrawal.objects.get(pk=waiting.pk).status == "APPROVED"


def test_a_stop_is_lifted_when_the_difference_is_gone_and_staff_still_close_it(
    big_difference: LedgerException, venue: Venue
) -> None:
    holds(venue, USDT="1000", BTC="1")
    run(10)
    big_difference.refresh_from_db()
    assert (books.stopped_assets(), big_difference.is_open) == (set(), True)
    assert big_difference.gone_at == NOW + timedelta(minutes=10)


def test_one_that_comes_back_before_it_is_closed_is_the_same_difference(
    big_difference: LedgerException, venue: Venue
) -> None:
    holds(venue, USDT="1000", BTC="1")
    run(10)
    holds(venue, USDT="1000", BTC="0.4")
    run(15)
    assert books.stopped_assets() == set()  # once is a passing trade
    run(20)
    big_difference.refresh_from_db()
    assert (LedgerException.objects.count(), big_difference.amount) == (1, D("-0.6"))
    assert (big_difference.gone_at, books.stopped_assets()) == (None, {"BTC"})


# ------------------------------------------------------------------ runs
def test_old_runs_go_and_those_a_difference_refers_to_stay(
    big_difference: LedgerException, venue: Venue
) -> None:
    Reconciliation.objects.update(at=NOW - timedelta(days=31))
    with override_settings(RECONCILE_KEEP_DAYS=30):
        ledger.prune_reconciliations()
    assert list(Reconciliation.objects.values_list("pk", flat=True)) == [big_difference.reconciliation_id]


def test_the_command_tells_by_its_exit_status(funded: User, venue: Venue) -> None:
    holds(venue, USDT="1000", BTC="1")
    call_command("ledger_compare")
    holds(venue, USDT="1000", BTC="2")
    with pytest.raises(CommandError) as differs:
        call_command("ledger_compare")
    venue.on("GET", ACCOUNT, (503, {}))
    with pytest.raises(CommandError) as silent:
        call_command("ledger_compare")
    assert (differs.value.returncode, silent.value.returncode) == (1, 2)


def test_two_runs_at_once_put_a_difference_before_staff_once(
    really_rich: User, owner: psycopg.Connection, venue: Venue
) -> None:
    publish_ticker("BTCUSDT", "40000")
    holds(venue, USDT="29999")
    run()
    with ThreadPoolExecutor(2) as threads:
        with owner.transaction():
            owner.execute("LOCK ledger_ledgerexception IN SHARE MODE")  # both stand before the difference
            runs = [threads.submit(_run_of_its_own, minutes) for minutes in (5, 6)]
            wait_for_waiting(owner, 2)
        assert [found.result().differing for found in runs] == [1, 1]
    assert LedgerException.objects.count() == 1


def _run_of_its_own(minutes: int) -> Reconciliation:
    try:
        return run(minutes)
    finally:
        connection.close()


def test_a_run_that_does_not_add_up_cannot_be_recorded(funded: User, venue: Venue) -> None:
    holds(venue, USDT="1000", BTC="1")
    run()
    with pytest.raises(DatabaseError, match="difference_is_what_is_not_explained"), transaction.atomic():
        ReconciledAsset.objects.update(difference=1)


# ------------------------------------------------------------------ what everybody may know
def test_the_tile_is_green_red_or_old(funded: User, venue: Venue) -> None:
    since = timezone.now() - timedelta(minutes=10)
    assert books.agreement().state == "NONE"
    holds(venue, USDT="1000", BTC="1")
    run(since=since)
    assert books.agreement().state == "OK"
    holds(venue, USDT="1000", BTC="1.00000001")
    run(5, since=since)
    run(10, since=since)
    found = books.agreement()
    assert (found.state, found.differing, found.of("BTC"), found.of("USDT")) == (
        "DIFFERS",
        ["BTC"],
        "DIFFERS",
        "OK",
    )
