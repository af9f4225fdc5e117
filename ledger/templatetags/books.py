"""Entries and their sums in the customer's words: what caused them, and where to read more."""

from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger import causes
from ledger.models import Entry, Hold
from ledger.queries import Sum

register = template.Library()
SHOWN = 6


@register.filter
def kind_link(entry: Entry) -> SafeString:
    """The transfer's kind, with a link to its page."""
    link = reverse("transfer", args=[entry.transfer_id])
    return format_html('<a href="{}">{}</a>', link, entry.transfer.get_kind_display().capitalize())


@register.simple_tag(takes_context=True)
def cause(context: dict[str, object], row: Entry | Hold) -> SafeString:
    """The order, deposit or withdrawal behind an entry or a hold, with a link to it."""
    reference = row.transfer.reference if isinstance(row, Entry) else f"{row.cause}:{row.cause_id}"
    found = causes.cause_of(reference, context["user"].pk)  # type: ignore[attr-defined]
    if found is None:
        return SafeString("")
    return (
        format_html('<a href="{}">{}</a>', found.link, found.text)
        if found.link
        else format_html("{}", found.text)
    )


@register.filter
def named(found: Sum, asset: str) -> str:
    """What the sum of entries in the asset is of."""
    return causes.words_of(found, asset)


@register.filter
def entries_link(found: Sum, asset: str) -> str:
    """The address of the statement that shows exactly the entries of the sum."""
    wanted = {"kind": found.kind, "against": found.against, "way": found.way}
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{reverse('statement', args=[asset])}?{query}"


@register.filter
def ends(address: str) -> list[str]:
    """The address in three: its first and last six characters, which people compare, and what is between."""
    if len(address) <= 2 * SHOWN:
        return [address, "", ""]
    return [address[:SHOWN], address[SHOWN:-SHOWN], address[-SHOWN:]]
