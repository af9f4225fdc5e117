"""An entry in the customer's words: what caused it, and where to read more."""

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ledger.models import Entry

register = template.Library()


@register.filter
def cause(entry: Entry) -> SafeString:
    """The transfer's kind, with a link to the order or to the list that holds its cause."""
    kind = entry.transfer.get_kind_display()
    what, _colon, number = entry.transfer.reference.partition(":")
    if not number.isdecimal():
        return format_html("{}", kind.capitalize())
    if what == "ORDER":
        link, text = reverse("order", args=[number]), _("order %(id)s") % {"id": number}
    else:
        page = "deposits" if what == "DEPOSIT" else "withdrawals"
        link, text = f"{reverse('wallet_history')}?kind={page}", _("details")
    return format_html('{} · <a href="{}">{}</a>', kind.capitalize(), link, text)
