"""Forms of the safety devices."""

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import queries as people
from accounts import services as accounts
from exchange.errors import DomainError
from exchange.pages import CustomerRequest, client_address, refuse
from exchange.safety import services
from exchange.safety.forms import CountdownForm, UnlockForm
from orders.models import Channel


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


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def panic(request: CustomerRequest) -> HttpResponse:
    """The button, and what it did."""
    if request.method != "POST":
        return render(request, "safety/panic.html")
    found = services.press(user=request.user, channel=Channel.SITE, address=client_address(request))
    logout(request)
    return render(request, "safety/pressed.html", {"panic": found})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def unlock(request: CustomerRequest) -> HttpResponse:
    """By a code of the app that was there before."""
    if not request.user.is_locked:
        return redirect("security")
    form = UnlockForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.unlock_self(request.user, form.cleaned_data["code"])
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, _("Your account is unlocked."))
            return redirect("security")
    context = {"form": form, "may_unlock": people.may_unlock_self(request.user)}
    return render(request, "safety/unlock.html", context, status=400 if form.errors else 200)
