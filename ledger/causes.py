"""What caused a transfer, in the customer's words, and where to read more."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from ledger.models import Transfer
from ledger.queries import Sum, own_reference
from markets import queries as markets

Kind = Transfer.Kind


@dataclass(frozen=True)
class Cause:
    text: str
    link: str = ""


def cause_of(reference: str, user_id: int) -> Cause | None:
    """What brought a transfer about, by its reference; None when that names nothing to be read."""
    what, _colon, number = own_reference(reference, user_id).partition(":")
    if not number.isdecimal():
        return None
    words = {"id": number}
    if what in ("ORDER", "CHANGE"):
        return Cause(_("order %(id)s") % words, reverse("order", args=[number]))
    if what == "LIST":
        return Cause(_("order list %(id)s") % words, reverse("order_list", args=[number]))
    if what == "CONVERT":
        return Cause(_("conversion %(id)s") % words, reverse("conversion", args=[number]))
    if what == "DEPOSIT":
        return Cause(_("deposit %(id)s") % words, reverse("deposit_detail", args=[number]))
    if what == "WITHDRAWAL":
        return Cause(_("withdrawal %(id)s") % words, reverse("withdrawal", args=[number]))
    if what == "BRIDGE":
        return Cause(_("the second of an order's two trades"))
    return Cause(_("decided by two of our staff, request %(id)s") % words) if what == "APPROVAL" else None


def words_of(found: Sum, asset: str) -> str:
    """What a sum of entries in the asset is of."""
    if found.kind == Kind.FILL:
        return _trade(found, asset)
    if found.kind == Kind.FEE:
        return _("Fees")
    names = {
        Kind.DEPOSIT: _("Deposits"),
        Kind.WITHDRAWAL: _("Withdrawals, their fees included"),
        Kind.CONVERT: _("Conversions"),
        Kind.DUST: _("Remainders given up"),
        Kind.ADJUSTMENT: _("Corrections"),
        Kind.REVERSAL: _("Taken back"),
    }
    return names.get(Kind(found.kind)) or str(Kind(found.kind).label).capitalize()


def _trade(found: Sum, asset: str) -> str:
    """As the market says it: the base is bought and sold, the quote is paid and received for it."""
    words = {"other": found.against}
    if not found.against:
        return _("Trades")
    if markets.has_market(base=asset, quote=found.against):
        return (_("Bought with %(other)s") if found.way == "in" else _("Sold for %(other)s")) % words
    return (_("Sales of %(other)s") if found.way == "in" else _("Purchases of %(other)s")) % words
