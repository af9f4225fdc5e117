"""The pages of withdrawals: asked for, confirmed by the link of the mail, looked at, taken back."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import queries as people
from exchange.errors import DomainError
from exchange.pages import CustomerRequest, refuse
from ledger import departure, queries, services
from ledger import wallet as purse
from ledger.errors import FeeChanged
from ledger.forms import ConfirmForm, WithdrawForm
from ledger.models import Hold, Network
from ledger.views.routes import chosen_route, route_context


class WithdrawPage(LoginRequiredMixin, View):
    """Asset, network and a saved address by links, the rest by a form that holds the money at once."""

    def get(self, request: CustomerRequest) -> HttpResponse:
        return self.show(request, None)

    def post(self, request: CustomerRequest) -> HttpResponse:
        _asset, _networks, network = chosen_route(request)
        if network is None:
            return redirect("withdraw")
        form = WithdrawForm(request.POST.copy(), network=network)
        if form.is_valid():
            try:
                made = services.request_withdrawal(
                    user=request.user, asset=network.asset_id, network=network.code, **form.asked()
                )
            except DomainError as error:
                refuse(form, error)
                if isinstance(error, FeeChanged):
                    form.take_fee(network)
            else:
                return redirect("withdrawal", made.pk)
        return self.show(request, form)

    def show(self, request: CustomerRequest, form: WithdrawForm | None) -> HttpResponse:
        context = route_context(request, "withdraw_enabled")
        context["has_second_factor"] = people.has_second_factor(request.user)
        network = context["network"]
        if network:
            context |= self._of(request, network, form)
        return render(request, "ledger/withdraw.html", context, status=400 if form else 200)

    def _of(self, request: CustomerRequest, network: Network, form: WithdrawForm | None) -> dict[str, object]:
        saved = queries.saved_addresses(request.user, network)
        chosen = next((one for one in saved if str(one.pk) == request.GET.get("to")), None)
        return {
            "form": form or WithdrawForm(network=network, saved=chosen),
            "saved": saved,
            "chosen": chosen,
            "available": queries.withdrawable(request.user.pk, network.asset_id),
            "limits": queries.limits(request.user),
            "counted_in": purse.COUNTED_IN,
            "named_from": settings.TRAVEL_RULE_FROM,
            "is_book_only": queries.is_book_only(queries.terms(request.user)),
            "held_until": people.held_until(request.user),
        }


class ConfirmPage(LoginRequiredMixin, View):
    """Where the link of the mail leads: looking changes nothing, the button does."""

    @method_decorator(never_cache)
    def get(self, request: CustomerRequest, withdrawal_id: int) -> HttpResponse:
        found = queries.withdrawal_of(request.user, withdrawal_id)
        if found.status != found.Status.AWAITING:
            return redirect("withdrawal", found.pk)
        form = ConfirmForm(initial={"token": request.GET.get("token", "")})
        return render(request, "ledger/confirm.html", {"withdrawal": found, "form": form})

    def post(self, request: CustomerRequest, withdrawal_id: int) -> HttpResponse:
        form = ConfirmForm(request.POST)
        token = form.cleaned_data["token"] if form.is_valid() else ""
        try:
            services.confirm_withdrawal(withdrawal_id=withdrawal_id, user=request.user, token=token)
        except DomainError as error:
            found = queries.withdrawal_of(request.user, withdrawal_id)
            context = {"withdrawal": found, "form": form, "refusal": error}
            return render(request, "ledger/confirm.html", context, status=error.status)
        messages.success(request, _("Your withdrawal is confirmed."))
        return redirect("withdrawal", withdrawal_id)


@login_required
@require_GET
def withdrawal(request: CustomerRequest, withdrawal_id: int) -> HttpResponse:
    found = queries.withdrawal_of(request.user, withdrawal_id)
    context = {
        "withdrawal": found,
        "lifeline": departure.steps(found),
        "beneficiary": services.beneficiary_of(found),
        "entries": queries.entries_of_cause(Hold.Cause.WITHDRAWAL, found.pk, request.user.pk),
        "counted_in": purse.COUNTED_IN,
    }
    return render(request, "ledger/withdrawal.html", context)


@login_required
@require_POST
def cancel_withdrawal(request: CustomerRequest, withdrawal_id: int) -> HttpResponse:
    try:
        services.cancel_withdrawal(withdrawal_id=withdrawal_id, user=request.user)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The withdrawal is canceled and the money is available again."))
    return redirect("wallet_history")
