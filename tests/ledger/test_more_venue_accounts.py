"""What lies in another account of ours at the venue is booked by two people, as everything that is booked by hand."""

from decimal import Decimal

import pytest

from exchange.gate import accounts
from exchange.office import services as office
from ledger import queries as books
from ledger import services as ledger
from ledger.forms import AdjustmentForm
from markets.models import Asset
from tests.factories import make_user, venue_account

D = Decimal


@pytest.fixture
def second(db: None) -> int:
    Asset.objects.get_or_create(code="USDT")
    venue_account()
    return accounts.add_account("second", reason="more room").pk


@pytest.mark.parametrize(("source", "there"), [("EQUITY", D(0)), ("VENUE", D(250))])
def test_funds_of_another_account_are_paid_in_or_moved_there(
    second: int, source: str, there: Decimal
) -> None:
    carol, dave = make_user("carol", is_staff=True), make_user("dave", is_staff=True)
    assert "VENUE second" in dict(AdjustmentForm().fields["target"].choices)  # type: ignore[attr-defined]
    asked = ledger.ask_adjustment(
        asset="USDT",
        source="VENUE second",
        target=source,
        amount=D(250),
        category="funding" if source == "EQUITY" else "move",
        reason="it was sent there",
        by=carol,
    )
    office.grant(asked.pk, by=dave)
    ledger.carry_out_approvals()
    assert books.venue_position(second) == {"USDT": D(250)}
    assert books.venue_position(venue_account().pk).get("USDT", D(0)) == -there
