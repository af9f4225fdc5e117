"""Whether an address can be paid: by the network's rules, by its checksum, and by the customer's own book."""

import hashlib
from datetime import UTC

from accounts.models import User
from ledger import checksums, matching, queries
from ledger.errors import (
    AddressCooling,
    AddressMistyped,
    AddressUnchecked,
    BadAddress,
    BadTag,
    NotInBook,
    OwnAddress,
    TagMissing,
    TagRefused,
)
from ledger.models import DepositAddress, LedgerException, Network
from ledger.services.exceptions import note_exception


def require_destination(route: Network, address: str, tag: str) -> None:
    """Refuses what is no address or tag of the network, carries a typing error, or leads back to us."""
    if not is_of(route, "address", route.address_regex, address):
        raise BadAddress(field="address")
    if DepositAddress.objects.filter(address__iexact=address).exists():
        raise OwnAddress(field="address")
    if checksums.is_mistyped(route.code, address):
        raise AddressMistyped(field="address")
    _require_tag(route, tag)


def _require_tag(route: Network, tag: str) -> None:
    if route.needs_tag and not tag:
        raise TagMissing(field="tag")
    if tag and not (route.needs_tag or route.tag_regex):
        raise TagRefused(field="tag")
    if tag and not is_of(route, "tag", route.tag_regex, tag):
        raise BadTag(field="tag")


def is_of(route: Network, field: str, pattern: str, text: str) -> bool:
    """True when the text fits the venue's pattern; one that could not be tried is refused, and staff learn of it."""
    try:
        return matching.fits(pattern, text)
    except matching.Undecided as error:
        _tell_staff(route, field, pattern)
        raise AddressUnchecked(field=field) from error


def _tell_staff(route: Network, field: str, pattern: str) -> None:
    digest = hashlib.sha256(pattern.encode()).hexdigest()[:16]
    note_exception(
        source=LedgerException.Source.PATTERN,
        key=f"pattern:{route.pk}:{field}:{digest}",
        asset=route.asset_id,
        amount=None,
        detail={"network": route.code, "field": field, "pattern": pattern},
    )


def require_allowed(user: User, route: Network, address: str, tag: str) -> None:
    """Refuses an address that is not in the customer's book, or too new there, while only the book's may be paid."""
    if not queries.is_book_only(queries.terms(user)):
        return
    entry = queries.saved_addresses(user, route).filter(queries.to(address, tag)).first()
    if entry is None:
        raise NotInBook(field="address")
    if entry.is_cooling:
        at = entry.usable_at.astimezone(UTC)
        raise AddressCooling(field="address", at=f"{at:%Y-%m-%d %H:%M} UTC")
