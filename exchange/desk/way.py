"""The way to the venue now: what its limits leave, what is open and stopped, the accounts, what routes saved."""

from datetime import timedelta

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from exchange.gate import queries as gate
from orders import routing

REFRESH_SECONDS = 5


@require_safe
def way(request: HttpRequest) -> HttpResponse:
    """Shown anew every few seconds, unless it is asked to stand still."""
    if not request.user.has_perm("gate.view_venueaccount"):
        raise PermissionDenied
    now, is_still = timezone.now(), "still" in request.GET
    context = {
        **admin.site.each_context(request),
        "title": _("The way to the venue"),
        "now": now,
        "is_still": is_still,
        "budgets": gate.budgets_now(),
        "breakers": [(breaker, breaker.seen()) for breaker in gate.all_breakers()],
        "switches": gate.standing_switches(),
        "accounts": [(account, gate.fingerprint(account)) for account in gate.user_streams()],
        "runways": gate.runway_rows(),
        "savings": routing.savings(now - timedelta(days=1)),
    }
    response = TemplateResponse(request, "admin/way.html", context)
    if not is_still:
        response["Refresh"] = str(REFRESH_SECONDS)
    return response
