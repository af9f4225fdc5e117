"""The customer's address book: who may be paid, and from when on. Every change needs the second factor and is told."""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.models import User
from exchange.database import transaction_with_retry
from exchange.errors import DomainError, Text
from exchange.office import services as office
from ledger import queries
from ledger.errors import AddressKnown, BookFull
from ledger.models import SavedAddress, WithdrawalTerms
from ledger.services.destinations import require_destination
from ledger.services.withdrawals import lock_terms

MOST_ADDRESSES = 200
WARNING = _("If this was not you, change your password and contact support at once.")


def save_address(
    *, user: User, asset: str, network: str, address: str, tag: str, label: str, code: str
) -> SavedAddress:
    """The address is in the book; where only the book may be paid it counts after the cooling-off.

    Refuses what the network could not carry, a second entry of the same, and a wrong code.
    """
    route = queries.network(asset, network)
    address, tag, label = address.strip(), tag.strip(), " ".join(label.split())
    if not label or not label.isprintable() or len(label) > 40:
        raise DomainError(_("Give it a name of at most 40 letters."), field="label")
    require_destination(route, address, tag)
    if queries.saved_addresses(user).count() >= MOST_ADDRESSES:
        raise BookFull(most=MOST_ADDRESSES)
    known = queries.saved_addresses(user, route)
    if known.filter(queries.to(address, tag)).exists() or known.filter(label=label).exists():
        raise AddressKnown(field="address")
    _require_owner(user, code)
    draft = SavedAddress(
        user=user,
        network=route,
        address=address,
        tag=tag,
        label=label,
        usable_at=timezone.now() + timedelta(minutes=settings.ADDRESS_COOL_OFF_MINUTES),
    )
    try:
        return _save(draft)
    except IntegrityError as error:
        raise AddressKnown(field="address") from error


@transaction_with_retry
def _save(draft: SavedAddress) -> SavedAddress:
    draft.save(force_insert=True)
    office.record(draft.user, "address.saved", "saved_address", draft.pk, after={"address": draft.address})
    words = {"label": draft.label, "address": draft.address, "network": draft.network.code}
    _tell(draft.user, "address.saved", _("%(label)s was added to your address book"), words)
    return draft


def _tell(user: User, kind: str, subject: Text, words: dict[str, str]) -> None:
    text = format_lazy("{}\n\n{}", _("%(network)s: %(address)s"), WARNING)
    office.notify(user, kind, subject, text, words)


def remove_address(*, user: User, address_id: int, code: str) -> SavedAddress:
    """The entry is out of the book. Raises UnknownAddress, for somebody else's too."""
    queries.saved_address_of(user, address_id)
    _require_owner(user, code)
    return _remove(user, address_id)


@transaction_with_retry
def _remove(user: User, address_id: int) -> SavedAddress:
    entry = queries.saved_address_of(user, address_id)
    entry.removed_at = timezone.now()
    entry.save(update_fields=["removed_at"])
    office.record(user, "address.removed", "saved_address", entry.pk, before={"address": entry.address})
    words = {"label": entry.label, "address": entry.address, "network": entry.network.code}
    _tell(user, "address.removed", _("%(label)s was removed from your address book"), words)
    return entry


def set_book_only(*, user: User, is_on: bool, code: str) -> WithdrawalTerms:
    """Money goes to the book's addresses alone, at once; or to others again, but only after a delay."""
    _require_owner(user, code)
    return _set_book_only(user, is_on)


@transaction_with_retry
def _set_book_only(user: User, is_on: bool) -> WithdrawalTerms:
    terms = lock_terms(user)
    if terms.is_book_only == is_on:
        return terms
    until = None if is_on else timezone.now() + timedelta(minutes=settings.BOOK_ONLY_OFF_MINUTES)
    terms.is_book_only, terms.book_only_until = is_on, until
    terms.save()
    action = "address.book_only" if is_on else "address.book_only_ends"
    office.record(user, action, "user", user.pk)
    subject = _("From %(at)s on your money may go to any address again")
    if until is None:
        subject = _("Your money goes only to your address book from now on")
    office.notify(user, action, subject, WARNING, {"at": f"{until:%Y-%m-%d %H:%M} UTC" if until else ""})
    return terms


def _require_owner(user: User, code: str) -> None:
    accounts.require_can_withdraw(user)
    accounts.require_second_factor(user, code)
