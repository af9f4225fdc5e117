"""The page of withdrawals."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.http import require_POST

from exchange.errors import DomainError
from exchange.pages import CustomerRequest, refuse
from ledger import queries, services
from ledger.forms import WithdrawForm
from ledger.views.routes import chosen_route, route_context


class WithdrawPage(LoginRequiredMixin, View):
    """Asset and network by links, the rest by a form that holds the money at once."""

    def get(self, request: CustomerRequest) -> HttpResponse:
        return self.show(request, None)

    def post(self, request: CustomerRequest) -> HttpResponse:
        _asset, _networks, network = chosen_route(request)
        if network is None:
            return redirect("withdraw")
        form = WithdrawForm(request.POST, needs_tag=False)
        if form.is_valid():
            try:
                services.request_withdrawal(
                    user=request.user, asset=network.asset_id, network=network.code, **form.cleaned_data
                )
            except DomainError as error:
                refuse(form, error)
            else:
                messages.success(request, _("Your withdrawal is recorded and waits for approval."))
                return redirect("wallet_history")
        return self.show(request, form)

    def show(self, request: CustomerRequest, form: WithdrawForm | None) -> HttpResponse:
        context = route_context(request, "withdraw_enabled")
        network = context["network"]
        if network:
            context["form"] = form or WithdrawForm(needs_tag=network.needs_tag)
            context["available"] = queries.available(request.user.pk, network.asset_id)
        return render(request, "ledger/withdraw.html", context, status=400 if form else 200)


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
