"""Everything the venue tells is told five times by five threads at once, and counts once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import connection
from django.test import override_settings

from accounts.models import User
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Account, Deposit, LedgerException, Transfer
from markets.models import Asset
from orders import services as orders
from orders.models import Fill
from tests.factories import (
    balance,
    fund,
    held_by_the_house,
    make_market,
    make_user,
    publish_book,
    venue_account,
)
from tests.ledger.conftest import carries_transfers, gives_addresses
from tests.ledger.money import (
    APPLY,
    CONFIG,
    HISTORY,
    SENT,
    SUB_HISTORY,
    approved,
    record,
    sent_record,
    status_of,
    with_address,
)
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue

HANDS = TIMES = 5


def deliver(*facts: Callable[[], object]) -> None:
    """Each of five threads tells all of it five times."""
    line = threading.Barrier(HANDS)

    def one(_hand: int) -> None:
        try:
            line.wait(20)
            for _time in range(TIMES):
                for fact in facts:
                    fact()
        finally:
            connection.close()

    with ThreadPoolExecutor(HANDS) as threads:
        list(threads.map(one, range(HANDS)))
    assert books.first_broken_row() == ""


def booked() -> dict[str, int]:
    """How many transfers there are of each kind, what tests themselves gave left out."""
    kinds = list(Transfer.objects.exclude(scope="test").values_list("kind", flat=True))
    return {kind: kinds.count(kind) for kind in set(kinds)}


@pytest.fixture
def alice(committed_db: str, venue: Venue) -> Iterator[User]:
    """With 100,000 USDT, a deposit address of her own and a second factor, in the process that may send."""
    make_market()
    venue_account()
    publish_book()
    venue.on("GET", "/sapi/v1/capital/config/getall", (200, CONFIG))
    venue.on("GET", HISTORY, (200, []))
    venue.on("GET", SUB_HISTORY, (200, []))
    carries_transfers(venue)
    gives_addresses(venue)
    ledger.synchronise_networks()
    user = with_address(make_user())
    fund(user, "USDT", "100000")
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    with override_settings(BINANCE_WITHDRAW_API_KEY="withdraw", BINANCE_WITHDRAW_API_SECRET="secret"):
        yield user


def test_trades_are_booked_once(alice: User, venue: Venue) -> None:
    venue.places()
    order = orders.place_order(user=alice, ticket=ticket())
    parts = [traded(order, 1, "0.4", "0.4"), traded(order, 2, "0.6", "1", "FILLED")]
    deliver(*(lambda report=report: tell(report) for report in parts))
    assert Fill.objects.count() == 2
    assert booked() == {"HOLD": 1, "FILL": 2}
    assert balance(alice, "USDT") == (61000, 0)
    assert balance(alice, "BTC") == (Decimal("0.999"), 0)


def test_an_end_gives_back_once(alice: User, venue: Venue) -> None:
    venue.places()
    order = orders.place_order(user=alice, ticket=ticket())
    own = order.venue_orders.get().client_order_id
    ended = event(order, "CANCELED", "CANCELED", c="x", C=own)
    deliver(lambda: tell(ended))
    assert booked() == {"HOLD": 1, "RELEASE": 1}
    assert balance(alice, "USDT") == (100000, 0)


def test_a_trade_of_a_stranger_goes_to_suspense_once(alice: User, venue: Venue) -> None:
    venue.places()
    order = orders.place_order(user=alice, ticket=ticket())
    stranger = type(traded(order, 9, "0.1", "0.1"))(
        **{**traded(order, 9, "0.1", "0.1").__dict__, "client_order_id": "web_1"}
    )
    deliver(lambda: tell(stranger))
    assert booked() == {"HOLD": 1, "FILL": 1}
    assert LedgerException.objects.count() == 1
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == Decimal("0.1")


def test_deposits_are_credited_and_swept_once(alice: User, venue: Venue) -> None:
    Asset.objects.get_or_create(code="USDT")
    venue.on("GET", SUB_HISTORY, (200, [record(1), record(2, amount="0.5")]))
    venue.on("GET", HISTORY, (200, [record(3, address="T-nobody")]))
    deliver(ledger.poll_deposits)
    assert Deposit.objects.count() == 3
    assert booked() == {"DEPOSIT": 3, "SWEEP": 2}
    assert balance(alice, "USDT") == (Decimal("100100.5"), 0)
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == 0
    assert LedgerException.objects.count() == 1


@pytest.mark.parametrize(
    ("status", "shown", "kinds", "left"),
    [
        (6, "COMPLETED", {"HOLD": 1, "WITHDRAWAL": 1}, 99900),
        (5, "FAILED", {"HOLD": 1, "RELEASE": 1}, 100000),
    ],
    ids=["completed", "failed"],
)
def test_the_end_of_a_withdrawal_is_booked_once(
    alice: User, venue: Venue, status: int, shown: str, kinds: dict[str, int], left: int
) -> None:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(alice)
    deliver(ledger.send_next_withdrawal)
    assert venue.count("POST", APPLY) == 1
    venue.on("GET", SENT, (200, [sent_record(withdrawal, status)]))
    deliver(ledger.poll_withdrawals)
    assert status_of(withdrawal) == shown
    assert booked() == kinds
    assert balance(alice, "USDT") == (left, 0)


def test_an_approval_is_carried_out_once(alice: User) -> None:
    from exchange.office import services as office
    from ledger.services.posting import available, system

    carol, dave = make_user("carol", is_staff=True), make_user("dave", is_staff=True)
    lines: list[Any] = [
        available(alice.pk, "USDT", Decimal(5)),
        system(Account.Type.EQUITY, "USDT", Decimal(-5)),
    ]
    asked = ledger.ask_posting(category="goodwill", lines=lines, reason="late", by=carol)
    office.grant(asked.pk, by=dave)
    deliver(ledger.carry_out_approvals)
    assert booked() == {"ADJUSTMENT": 1}
    assert balance(alice, "USDT") == (100005, 0)
