"""Customers read in their own language what staff and sweeps do, who may speak another."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from django.test import override_settings
from django.utils import timezone

from accounts.models import User
from exchange.gate.models import VenueAccount
from exchange.office import services as office
from exchange.office.models import Approval, Notice
from ledger import services as ledger
from ledger.models import Deposit, DepositClaim, Network, Withdrawal
from tests.factories import make_user
from tests.ledger.money import (
    APPLY,
    SENT,
    approved,
    confirmed,
    poll,
    record,
    request,
    sent_record,
    staff,
    with_address,
)
from tests.venue import Venue, error

GERMAN = {
    "Your withdrawal of %(amount)s %(asset)s was not sent": "Ihre Auszahlung: %(amount)s %(asset)s blieben hier",
    "Your withdrawal of %(amount)s %(asset)s is completed": "Ihre Auszahlung: %(amount)s %(asset)s sind da",
    "Transaction %(tx)s.": "Überweisung %(tx)s.",
    "The network's fee rose meanwhile; please ask again.": "Die Gebühr ist gestiegen.",
    "It was not confirmed in time; the money is available again.": "Sie haben nicht bestätigt.",
    "The network's operator could not send it.": "Der Betreiber konnte nicht.",
    "The network's operator refused it.": "Der Betreiber wollte nicht.",
    "It could not be sent; the money is available again.": "Es ging nicht.",
    "Your deposit of %(amount)s %(asset)s is credited": "Ihre Einzahlung: %(amount)s %(asset)s sind da",
    "%(amount)s %(asset)s is available in your wallet.": "%(amount)s %(asset)s sind verfügbar.",
    "Your deposit of %(amount)s %(asset)s was taken back": "Ihre Einzahlung: %(amount)s %(asset)s sind weg",
    "The venue took back %(amount)s %(asset)s that were credited to you before. Please contact support.":
        "%(amount)s %(asset)s wurden zurückgenommen.",
    "Your announced deposit of %(amount)s %(asset)s was refused": "Abgelehnt: %(amount)s %(asset)s",
    "Paper trading: simulated prices, no real money": "Spielgeld",
}  # fmt: skip


@pytest.fixture
def german(rich: User, tmp_path: Path) -> Iterator[User]:
    """alice, who reads German; staff and sweeps do not."""
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    catalogue = Catalog(locale="de")
    for english, words in GERMAN.items():
        catalogue.add(english, words)
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, catalogue)
    rich.language = "de"
    rich.save()
    with override_settings(LOCALE_PATHS=[tmp_path]):
        yield rich


def grant(asked: Approval) -> None:
    office.grant(asked.pk, by=staff("dave"))
    ledger.carry_out_approvals()


def refused_by_staff(user: User, venue: Venue) -> None:
    ledger.refuse_withdrawal(withdrawal_id=confirmed(user).pk, by=staff(), reason="100% unusual")


def dearer(user: User, venue: Venue) -> None:
    approved(user)
    Network.objects.update(withdraw_fee=Decimal(2))
    ledger.send_next_withdrawal()


def expired(user: User, venue: Venue) -> None:
    request(user)
    Withdrawal.objects.update(confirm_by=timezone.now())
    ledger.expire_withdrawals()


def refused_by_the_venue(user: User, venue: Venue) -> None:
    venue.on("POST", APPLY, error(-9000, "No."))
    approved(user)
    ledger.send_next_withdrawal()


def followed(user: User, venue: Venue, status: int) -> None:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(user)
    ledger.send_next_withdrawal()
    venue.on("GET", SENT, (200, [sent_record(withdrawal, status)]))
    ledger.poll_withdrawals()


def refunded(user: User, venue: Venue) -> None:
    venue.on("POST", APPLY, (504, ""))
    venue.on("GET", SENT, (200, []))
    withdrawal = approved(user)
    ledger.send_next_withdrawal()
    Withdrawal.objects.update(moved_at=timezone.now() - timedelta(hours=1))
    grant(ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="never had it"))


def credited(user: User, venue: Venue) -> None:
    poll(venue, record())


def taken_back(user: User, venue: Venue) -> None:
    poll(venue, record())
    poll(venue, record(status=2))
    grant(ledger.ask_taking_back(deposit_id=Deposit.objects.get().pk, by=staff(), reason="gone"))


def claim_refused(user: User, venue: Venue) -> None:
    VenueAccount.objects.update(deposit_strategy="ANNOUNCED")
    claim = DepositClaim.objects.create(
        user=user, network=Network.objects.get(), amount=Decimal(5), tx_id="0x12345678"
    )
    ledger.refuse_claim(claim_id=claim.pk, by=staff(), reason="not yours")


ACTS: dict[str, tuple[Callable[[User, Venue], None], str, str]] = {
    "refused by staff": (refused_by_staff, "Ihre Auszahlung: 100 USDT blieben hier", "100% unusual"),
    "fee rose": (dearer, "Ihre Auszahlung: 100 USDT blieben hier", "Die Gebühr ist gestiegen."),
    "not confirmed": (expired, "Ihre Auszahlung: 100 USDT blieben hier", "Sie haben nicht bestätigt."),
    "venue said no": (
        refused_by_the_venue,
        "Ihre Auszahlung: 100 USDT blieben hier",
        "Der Betreiber wollte nicht.",
    ),
    "failed on its way": (
        lambda user, venue: followed(user, venue, 5),
        "Ihre Auszahlung: 100 USDT blieben hier",
        "Der Betreiber konnte nicht.",
    ),
    "completed": (
        lambda user, venue: followed(user, venue, 6),
        "Ihre Auszahlung: 99 USDT sind da",
        "Überweisung tx.",
    ),
    "refunded": (refunded, "Ihre Auszahlung: 100 USDT blieben hier", "Es ging nicht."),
    "credited": (credited, "Ihre Einzahlung: 100 USDT sind da", "100 USDT sind verfügbar."),
    "taken back": (taken_back, "Ihre Einzahlung: 100 USDT sind weg", "100 USDT wurden zurückgenommen."),
    "claim refused": (claim_refused, "Abgelehnt: 5 USDT", "not yours"),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_customer_reads_the_own_language_whoever_acts(german: User, venue: Venue, act: str) -> None:
    does, subject, body = ACTS[act]
    does(with_address(german), venue)
    on_site, mail = Notice.objects.filter(user=german).order_by("-id")[:2][::-1]
    assert (on_site.channel, on_site.subject, on_site.body) == ("SITE", subject, body)
    assert (mail.channel, mail.subject, mail.body) == ("MAIL", subject, f"{body}\n\nSpielgeld")


def test_the_reason_on_a_withdrawals_page_is_in_the_customers_language(german: User, venue: Venue) -> None:
    dearer(german, venue)
    assert Withdrawal.objects.get().reason == "Die Gebühr ist gestiegen."


def test_who_reads_another_language_is_not_told_in_it(german: User, venue: Venue) -> None:
    office.notify(make_user("bob"), "test", "Hello", "as it was written")
    assert Notice.objects.get(channel="MAIL").body.endswith("Paper trading: simulated prices, no real money")
