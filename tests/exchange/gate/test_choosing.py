"""Orders go to the account that takes orders, is heard, and has what they need; a shortage is the house's problem."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from exchange.binance.models import VenueBalance
from exchange.binance.positions import AccountPosition
from exchange.gate import accounts, bans, breakers, choosing, inventory, keys
from exchange.gate import services as gate
from exchange.gate.breakers import Cause, Operation
from exchange.gate.errors import NoAccount
from exchange.gate.models import Inventory, VenueAccount
from exchange.office.models import Notice
from ledger.models import Hold
from orders import funds, services
from orders.models import Order, VenueOrder
from tests.factories import fund, make_market, make_user, publish_book, venue_account
from tests.venue import Venue, fill_body

D = Decimal
Asked = dict[str, Any]


@pytest.fixture(autouse=True)
def secret(db: None, venue: Venue, settings: Any) -> None:
    settings.VENUE_KEYS_SECRET = "0123456789-a-secret-of-the-tests-0123456789"


@pytest.fixture
def first() -> VenueAccount:
    return venue_account()


@pytest.fixture
def second(first: VenueAccount) -> VenueAccount:
    """Another account, with a key, that takes orders and is heard."""
    account = accounts.add_account("second", reason="more room")
    keys.set_key(account.pk, api_key="second" * 8, secret="secret-of-the-second", reason="new")
    accounts.enable_account(account.pk, reason="it is funded")
    gate.note_stream(account, VenueAccount.StreamState.SUBSCRIBED)
    return account


def told(account: VenueAccount, asked_ago: float = 0, **amounts: str) -> None:
    """So much lies there free, as the venue said it just now."""
    rows = tuple(VenueBalance(asset, D(amount), D(0)) for asset, amount in amounts.items())
    inventory.note_position(account, AccountPosition(rows, gate.clock().now_ms()))
    at = timezone.now() - timedelta(seconds=asked_ago)
    VenueAccount.objects.filter(pk=account.pk).update(inventory_at=at)


def chosen(amount: str, asset: str = "USDT") -> str:
    words: Asked = {"market": "BTCUSDT", "side": "BUY", "customer": 1, "channel": "SITE"}
    return gate.accounts_for_order(asset=asset, amount=D(amount), **words)[0].name


# ------------------------------------------------------------------ by what lies where
def test_orders_go_where_the_funds_are(first: VenueAccount, second: VenueAccount) -> None:
    told(first, USDT="100", BTC="0")
    told(second, USDT="5000", BTC="2")
    assert [chosen("100"), chosen("101"), chosen("1", "BTC")] == ["primary", "second", "second"]


def test_they_stay_where_they_were_while_there_is_enough(first: VenueAccount, second: VenueAccount) -> None:
    told(first, USDT="10000")
    told(second, USDT="1000000")
    assert {chosen("10") for _order in range(20)} == {"primary"}


def test_what_this_process_just_sent_counts_before_the_venue_tells_of_it(
    first: VenueAccount, second: VenueAccount
) -> None:
    told(first, USDT="100")
    told(second, USDT="100")
    assert [chosen("60"), chosen("60")] == ["primary", "second"]


def test_what_other_processes_just_sent_counts_too(
    first: VenueAccount, second: VenueAccount, venue: Venue
) -> None:
    venue.places()
    told(first, USDT="50000")
    told(second, USDT="50000")
    placed = place(with_funds())
    choosing.forget()  # another process knows only what is recorded
    assert placed.venue_orders.get().venue_account == first
    assert funds.needs_under_way("USDT") == {first.pk: D("39000")}
    assert [chosen("11000"), chosen("11001")] == ["primary", "second"]
    VenueOrder.objects.update(created_at=timezone.now() - timedelta(seconds=3), status="OPEN")
    choosing.forget()
    assert chosen("11001") == "primary"  # the venue has told of it by now


def test_what_is_under_way_refuses_nothing(first: VenueAccount, second: VenueAccount) -> None:
    told(first, USDT="100")
    told(second, USDT="90")
    assert [chosen("60"), chosen("60"), chosen("60")] == ["primary", "second", "primary"]


@pytest.mark.parametrize("asked_ago", [None, 120])
def test_of_an_account_nobody_asked_lately_anything_may_be_true(
    first: VenueAccount, second: VenueAccount, asked_ago: float | None
) -> None:
    if asked_ago is not None:
        told(first, asked_ago=asked_ago, USDT="1")
    told(second, USDT="1000")
    assert [chosen("1000"), chosen("2000")] == ["second", "primary"]


# ------------------------------------------------------------------ by whether it takes orders
def disabled(account: VenueAccount) -> None:
    accounts.disable_account(account.pk, reason="it is being moved")


def unfit(account: VenueAccount) -> None:
    keys.note_state(account, VenueAccount.KeyState.UNFIT, "it may withdraw")


def refused(account: VenueAccount) -> None:
    keys.note_refused(account, "-2015")


def paused(account: VenueAccount) -> None:
    breakers.of(account.name, Operation.PLACE).hold(Cause.STREAM, "nothing heard")
    gate.require_open_way()


@pytest.mark.parametrize("happens", [disabled, unfit, refused, paused])
def test_one_that_takes_no_orders_is_passed_over(
    first: VenueAccount, second: VenueAccount, happens: Any
) -> None:
    told(first, USDT="1000")
    told(second, USDT="1000")
    happens(first)
    assert chosen("10") == "second"


def test_one_that_was_never_heard_is_passed_over(first: VenueAccount, second: VenueAccount) -> None:
    VenueAccount.objects.filter(pk=second.pk).update(stream_state="DOWN", stream_seen_at=None)
    told(first, USDT="1")
    told(second, USDT="1000")
    with pytest.raises(NoAccount):
        chosen("10")


def test_one_that_is_connected_anew_is_still_good(first: VenueAccount, second: VenueAccount) -> None:
    gate.note_stream(second, VenueAccount.StreamState.DOWN, "daily rotation")
    told(first, USDT="1")
    told(second, USDT="1000")
    assert chosen("10") == "second"


def test_an_order_takes_its_slot_in_the_next_account_when_the_first_has_no_room(
    first: VenueAccount, second: VenueAccount
) -> None:
    found = [VenueAccount.objects.get(pk=account.pk) for account in (first, second)]
    assert gate.take_slot(1, accounts=found).account == "primary"
    bans.remember(bans.account_key("primary"), 60)  # too many orders of it, says the venue
    assert gate.take_slot(2, accounts=found).account == "second"
    bans.remember(bans.account_key("second"), 30)
    with pytest.raises(gate.Banned) as refusal:
        gate.take_slot(3, accounts=found)
    assert 0 < (refusal.value.retry_after or 0) <= 30


def test_new_orders_are_refused_at_once_only_while_all_accounts_are_paused(
    first: VenueAccount, second: VenueAccount
) -> None:
    paused(first)
    assert not choosing.is_placing_paused()
    breakers.of("second", Operation.PLACE).hold(Cause.STREAM, "nothing heard")
    with pytest.raises(gate.Paused):
        gate.require_open_way()
    assert choosing.is_placing_paused()


# ------------------------------------------------------------------ nobody has it
def with_funds() -> User:
    make_market()
    publish_book()
    alice = make_user()
    fund(alice, "USDT", "100000")
    return alice


def place(alice: User) -> Order:
    ticket = services.Ticket(
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        time_in_force="GTC",
        price=D(39000),
        quantity=D(1),
        nonce="n",
    )
    return services.place_order(user=alice, ticket=ticket)


def test_a_shortage_is_the_houses_problem_and_staff_hear_of_it_once(
    first: VenueAccount, second: VenueAccount, venue: Venue
) -> None:
    carol = make_user("carol", is_staff=True)
    told(first, USDT="20000")
    told(second, USDT="38999")
    alice = with_funds()
    for _time in range(2):
        with pytest.raises(NoAccount) as refusal:
            place(alice)
    assert "cannot be executed at the moment" in str(refusal.value) and "balance" not in str(refusal.value)
    assert (refusal.value.code, refusal.value.status) == ("cannot_be_executed", 503)
    assert (
        not Order.objects.exists() and not Hold.objects.exists() and venue.count("POST", "/api/v3/order") == 0
    )
    assert "39000 USDT" in Notice.objects.get(user=carol).body


def test_what_an_order_just_brought_or_freed_may_be_used_before_the_venue_tells_of_it(
    first: VenueAccount, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = with_funds()
    told(first, USDT="39000", BTC="0")
    venue.places(
        status="FILLED", executedQty="1", cummulativeQuoteQty="39000", fills=[fill_body(7, "39000", "1")]
    )
    assert place(alice).status == "FILLED"
    told(first, USDT="0", BTC="0")  # the event of it is on its way
    assert [chosen("0.9", "BTC"), chosen("5")] == ["primary", "primary"]
    monkeypatch.setattr(funds, "TOLD", timedelta(0))  # by now it has
    with pytest.raises(NoAccount):
        chosen("0.9", "BTC")


# ------------------------------------------------------------------ what it costs
def test_the_choice_is_one_statement(
    first: VenueAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    told(first, USDT="1000")
    with django_assert_num_queries(1):
        chosen("10")


# ------------------------------------------------------------------ how the inventory is known
@pytest.fixture
def lies(venue: Venue) -> Any:
    """Says what the venue answers when it is asked what lies in an account."""

    def say(**amounts: str) -> None:
        rows = [{"asset": asset, "free": amount, "locked": "0.5"} for asset, amount in amounts.items()]
        venue.on("GET", "/api/v3/account", (200, {"balances": rows}))

    return say


def known(account: VenueAccount) -> dict[str, tuple[Decimal, Decimal]]:
    rows = Inventory.objects.filter(venue_account=account)
    return {row.asset: (row.free, row.locked) for row in rows}


def test_the_sweep_knows_everything_that_lies_there_and_nothing_else(first: VenueAccount, lies: Any) -> None:
    inventory.note_position(first, AccountPosition((VenueBalance("ETH", D(3), D(0)),), 1))
    lies(BTC="1", USDT="70.25")
    inventory.read_inventories()
    half = D("0.5")
    assert known(first) == {"BTC": (D(1), half), "USDT": (D("70.25"), half), "ETH": (D(0), D(0))}


def test_what_is_older_than_what_is_known_changes_nothing(first: VenueAccount, lies: Any) -> None:
    gate.measure_clock()
    later = gate.clock().now_ms() + 1
    inventory.note_position(first, AccountPosition((VenueBalance("BTC", D(9), D(0)),), later))
    inventory.note_position(first, AccountPosition((VenueBalance("BTC", D(4), D(0)),), later - 1))
    lies(BTC="1")
    inventory.read_inventories()
    assert known(first) == {"BTC": (D(9), D(0))}


def test_one_account_that_does_not_answer_keeps_no_other_from_being_read(
    first: VenueAccount, second: VenueAccount, lies: Any
) -> None:
    lies(BTC="1")
    breakers.of(first.name, Operation.QUERY).hold(Cause.CLOCK, "it does not answer")
    inventory.read_inventories()
    assert known(second) == {"BTC": (D(1), D("0.5"))} and known(first) == {}


def test_events_of_one_stream_become_one(first: VenueAccount) -> None:
    old = AccountPosition((VenueBalance("BTC", D(1), D(0)), VenueBalance("ETH", D(2), D(0))), 10)
    new = AccountPosition((VenueBalance("BTC", D(5), D(0)),), 12)
    inventory.note_position(first, new.after(old))
    assert {asset: free for asset, (free, _locked) in known(first).items()} == {"BTC": D(5), "ETH": D(2)}
