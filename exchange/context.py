"""What every template knows about this installation."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# The same words as in templates/components/venue_strip.html: pages, mails and API answers say what money this is.
MONEY_LABELS: dict[str, Promise] = {
    "paper": _("Paper trading: simulated prices, no real money"),
    "testnet": _("Test network: orders run on Binance's spot test network, no real money"),
    "demo": _("Demo trading: real prices, orders on a demo account, no real money"),
}


def site(request: HttpRequest) -> dict[str, object]:
    """`site_name`, `venue`, `is_real_money`, `money_label`: what base.html needs to be honest about money."""
    return {
        "site_name": settings.SITE_NAME,
        "venue": settings.VENUE,
        "is_real_money": settings.VENUE == "live",
        "money_label": money_label(),
    }


def money_label() -> str:
    """What kind of money this is, empty when it is real."""
    return str(MONEY_LABELS.get(settings.VENUE, ""))
