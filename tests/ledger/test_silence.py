"""A venue that is silent costs staff a moment, and no thread of the web process."""

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

from accounts.models import User
from exchange.errors import Unavailable
from exchange.gate import services as gate
from ledger import services as ledger
from ledger.models import Reconciliation
from tests.factories import make_user
from tests.ledger.money import SENT
from tests.ledger.runs import ACCOUNT
from tests.ledger.test_paying_out import overdue, silent
from tests.orders.test_waiting import MOMENT, Silence, seconds_of
from tests.venue import Venue


@pytest.fixture
def silence() -> Iterator[Silence]:
    """What staff want of the venue is carried by a thread, as in the web process, and awaited for three tenths."""
    found = Silence()
    gate.history.cache_clear()
    with override_settings(RELAY_THREADS=1, ORDER_WAIT_MS=300):
        yield found
        found.is_over.set()
        gate.history()._threads.shutdown()
    gate.history.cache_clear()


def test_a_comparison_goes_on_behind_the_back_of_who_did_not_wait_for_it(
    really_rich: User, venue: Venue, silence: Silence, client: Client
) -> None:
    client.force_login(make_user("carol", is_staff=True, is_superuser=True))
    answer = {"balances": [{"asset": "USDT", "free": "30000", "locked": "0"}]}
    venue.on("GET", ACCOUNT, silence.then(lambda asked: (200, answer)))

    def ask(sentence: str) -> None:
        page = client.post("/admin/ledger/reconciliation/now/", follow=True)
        assert sentence in page.text

    assert seconds_of(lambda: ask("could not be asked: no answer yet")) < MOMENT
    assert seconds_of(lambda: ask("could not be asked: busy")) < MOMENT  # while the first is under way
    silence.is_over.set()
    gate.history()._threads.shutdown()
    run = Reconciliation.objects.get()
    assert run.by is not None and run.by.email == "carol@example.com"


def test_who_asks_for_a_refund_does_not_wait_for_the_venues_history(
    really_rich: User, venue: Venue, silence: Silence
) -> None:
    withdrawal = silent(really_rich, venue)
    overdue(withdrawal)
    venue.on("GET", SENT, silence.then(lambda asked: (200, [])))

    def ask() -> None:
        with pytest.raises(Unavailable):
            ledger.ask_refund(
                withdrawal_id=withdrawal.pk, by=make_user("dave", is_staff=True), reason="stuck"
            )

    assert seconds_of(ask) < MOMENT
