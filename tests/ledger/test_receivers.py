"""From a worth on it is on record who receives a withdrawal, and unreadable to who need not know."""

from decimal import Decimal

import pytest
from django.test import Client, override_settings

from accounts.models import User
from exchange.errors import DomainError
from exchange.office import queries as records
from ledger import services as ledger
from tests.factories import fund, make_user
from tests.ledger.money import OWN_WALLET, request


def test_from_a_worth_on_the_receiver_is_named_and_kept_unreadable(rich: User) -> None:
    fund(rich, "USDT", "5000")
    with pytest.raises(DomainError, match="1000 USDT") as refusal:
        request(rich, amount=Decimal(1000))
    assert refusal.value.field == "beneficiary"
    withdrawal = request(rich, amount=Decimal(1000), beneficiary=OWN_WALLET)
    assert "Alice" not in withdrawal.beneficiary
    assert ledger.beneficiary_of(withdrawal) == OWN_WALLET


@override_settings(ALLAUTH_TRUSTED_PROXY_COUNT=1)
def test_staff_who_read_the_receivers_name_are_on_record_with_where_they_sat(
    rich: User, client: Client
) -> None:
    fund(rich, "USDT", "5000")
    withdrawal = request(rich, amount=Decimal(1000), beneficiary=OWN_WALLET)
    page = f"/admin/ledger/withdrawal/{withdrawal.pk}/change/"
    client.force_login(make_user("carol", is_staff=True))
    assert client.get(page).status_code == 403
    assert not records.history_of("beneficiary", withdrawal.pk).exists()
    client.force_login(make_user("dave", is_staff=True, is_superuser=True))
    assert "Alice Example" in client.get(page, headers={"X-Forwarded-For": "203.0.113.7"}).text
    read = records.history_of("beneficiary", withdrawal.pk).get()
    assert (str(read.actor), read.address) == ("dave@example.com", "203.0.113.7")


@pytest.mark.parametrize(
    ("who", "field"),
    [
        (ledger.Beneficiary("A"), "beneficiary"),
        (ledger.Beneficiary("x" * 161, "OWN"), "beneficiary"),
        (ledger.Beneficiary("Alice\nExample", "OWN"), "beneficiary"),
        (ledger.Beneficiary("Alice Example"), "holder"),
        (ledger.Beneficiary("Alice Example", "MOON"), "holder"),
        (ledger.Beneficiary("", "OWN"), "beneficiary"),
        (ledger.Beneficiary("Alice Example", "SERVICE"), "institution"),
    ],
    ids=str,
)
def test_a_receiver_is_named_whole_or_not_at_all(rich: User, who: ledger.Beneficiary, field: str) -> None:
    with pytest.raises(DomainError) as refusal:
        request(rich, beneficiary=who)
    assert refusal.value.field == field
