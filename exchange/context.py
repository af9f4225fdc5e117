"""What every template knows about this installation."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """`site_name`, `venue`, `is_real_money`: what base.html needs to be honest about money."""
    return {
        "site_name": settings.SITE_NAME,
        "venue": settings.VENUE,
        "is_real_money": settings.VENUE == "live",
    }
