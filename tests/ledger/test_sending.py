"""The moment at which a withdrawal leaves: not late, and not after what it depends on could not be asked."""

from django.test import override_settings

from accounts.models import User
from ledger import services as ledger
from tests.ledger.money import APPLY, approved, status_of
from tests.venue import Venue


def test_one_whose_turn_was_too_long_ago_is_not_sent_but_may_be_later(rich: User, venue: Venue) -> None:
    withdrawal = approved(rich)
    with override_settings(ORDER_SEND_BY_MS=-1):
        assert not ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("APPROVED", 0)
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"
