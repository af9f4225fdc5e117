"""Who receives a withdrawal: asked for from a value on (FATF recommendation 16), kept encrypted."""

import json
from dataclasses import asdict, dataclass
from decimal import Decimal

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.utils.translation import gettext as _

from accounts import secrets
from accounts.models import User
from exchange.errors import DomainError
from exchange.money import plain
from exchange.office import services as office
from ledger.errors import BeneficiaryMissing
from ledger.models import Withdrawal

Holder = Withdrawal.Holder
LONGEST_NAME = 160


@dataclass(frozen=True)
class Beneficiary:
    """The receiver's name, who keeps the address, and the service's name when one does."""

    name: str = ""
    holder: str = ""
    institution: str = ""

    @property
    def holder_in_words(self) -> str:
        return str(Holder(self.holder).label)


def require_beneficiary(value: Decimal, who: Beneficiary) -> None:
    """Refuses a withdrawal worth so much that nobody is named for, and a name that is only half said."""
    if not who.name and not who.holder:
        if value >= settings.TRAVEL_RULE_FROM:
            limit, reference = plain(settings.TRAVEL_RULE_FROM), settings.REFERENCE_ASSET
            raise BeneficiaryMissing(field="beneficiary", limit=limit, reference=reference)
        return
    if not _is_name(who.name):
        raise DomainError(_("Enter the receiver's full name."), field="beneficiary")
    if who.holder not in Holder.values:
        raise DomainError(_("Say who keeps the address."), field="holder")
    if who.holder == Holder.SERVICE and not _is_name(who.institution):
        raise DomainError(_("Name the exchange or service that keeps the address."), field="institution")


def _is_name(text: str) -> bool:
    return 2 <= len(text) <= LONGEST_NAME and text.isprintable()


def sealed(who: Beneficiary) -> str:
    """As it is kept: readable only with this installation's key; empty when nobody was named."""
    return secrets.encrypt(json.dumps(asdict(who)).encode()).decode() if who.name else ""


def read_beneficiary(withdrawal: Withdrawal, *, by: User, address: str) -> Beneficiary | None:
    """Whom the customer named, for staff who may see withdrawals; each read is on record."""
    if not withdrawal.beneficiary or not by.has_perm("ledger.view_withdrawal"):
        return None
    office.record(by, "beneficiary.read", "beneficiary", withdrawal.pk, address=address)
    return beneficiary_of(withdrawal)


def beneficiary_of(withdrawal: Withdrawal) -> Beneficiary | None:
    """Whom the customer named; None when nobody, or when the record cannot be opened any more."""
    if not withdrawal.beneficiary:
        return None
    try:
        return Beneficiary(**json.loads(secrets.decrypt(withdrawal.beneficiary.encode())))
    except InvalidToken:
        return None
