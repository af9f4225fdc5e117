"""The pages of deposits: where to send, what came, and where one is."""

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views import View
from django.views.decorators.http import require_GET

from exchange.errors import DomainError
from exchange.pages import CustomerRequest
from ledger import lifeline, queries, services
from ledger import wallet as purse
from ledger.forms import TransactionForm
from ledger.models import DepositAddress
from ledger.views.routes import chosen_route, route_context

RECENT = 5
PAGE_SIZE = 20


class DepositPage(LoginRequiredMixin, View):
    """Asset, network, then where to send; asking for an address is a POST, because it makes one."""

    def get(self, request: CustomerRequest) -> HttpResponse:
        return self.show(request)

    def post(self, request: CustomerRequest) -> HttpResponse:
        _asset, _networks, network = chosen_route(request)
        if network is None:
            return redirect("deposit")
        try:
            found = services.deposit_address(user=request.user, asset=network.asset_id, network=network.code)
        except DomainError as error:
            return self.show(request, refusal=error)
        # The address that all are shown is not the customer's: it is shown as the answer and not kept for them.
        return self.show(request, found) if found.is_shared else redirect(request.get_full_path())

    def show(
        self,
        request: CustomerRequest,
        address: DepositAddress | None = None,
        refusal: DomainError | None = None,
    ) -> HttpResponse:
        context = route_context(request, "deposit_enabled")
        if context["network"] and address is None:
            address = queries.address_on(context["network"], request.user)
        context |= {
            "address": address,
            "refusal": refusal,
            "deposits": queries.deposits(request.user)[:RECENT],
            "qr": purse.drawing(address.address) if address else "",
        }
        return render(request, "ledger/deposit.html", context, status=refusal.status if refusal else 200)


@login_required
@require_GET
def find(request: CustomerRequest) -> HttpResponse:
    """Where is my deposit? The customer's own, all of them or of one transaction."""
    form = TransactionForm(request.GET)
    wanted = form.cleaned_data["tx"].strip() if form.is_valid() else ""
    found = queries.find_mine(request.user, wanted)
    context = {
        "form": form,
        "wanted": wanted,
        "page": Paginator(found.deposits, PAGE_SIZE).get_page(request.GET.get("page")),
        "claims": found.claims[:PAGE_SIZE],
        "can_announce": queries.announced_networks().exists(),
    }
    return render(request, "ledger/deposits.html", context)


@login_required
@require_GET
def detail(request: CustomerRequest, deposit_id: int) -> HttpResponse:
    deposit = queries.deposit_of(request.user, deposit_id)
    context = {"deposit": deposit, "lifeline": lifeline.steps(deposit), "advice": lifeline.advice(deposit)}
    return render(request, "ledger/deposit_detail.html", context)
