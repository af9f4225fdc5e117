"""Forms of the safety devices."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from exchange.errors import DomainError
from exchange.pages import CustomerRequest
from orders.models import Channel
from safety import services
from safety.forms import CountdownForm


@login_required
@require_POST
def arm(request: CustomerRequest) -> HttpResponse:
    form = CountdownForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose how long you may be gone."))
        return redirect("orders")
    found = form.cleaned_data
    try:
        services.arm_countdown(
            user=request.user, seconds=found["seconds"], symbol=found["market"], channel=Channel.SITE
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Armed: while a page with your orders is open, it is renewed."))
    return redirect("orders")


@login_required
@require_POST
def disarm(request: CustomerRequest) -> HttpResponse:
    """Also a program's, whose owner sees it on the page."""
    channel = Channel.API if request.POST.get("channel") == Channel.API else Channel.SITE
    services.disarm_countdown(user=request.user, symbol=request.POST.get("market", "")[:64], channel=channel)
    messages.success(request, _("The dead-man's switch is off."))
    return redirect("orders")
