"""The page of deposits."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from exchange.errors import DomainError
from exchange.pages import CustomerRequest
from ledger import queries, services
from ledger import wallet as purse
from ledger.views.routes import chosen_route, route_context

RECENT = 5


class DepositPage(LoginRequiredMixin, View):
    """Asset, network, then the customer's own address; asking for an address is a POST, because it makes one."""

    def get(self, request: CustomerRequest) -> HttpResponse:
        return self.show(request)

    def post(self, request: CustomerRequest) -> HttpResponse:
        _asset, _networks, network = chosen_route(request)
        if network is None:
            return redirect("deposit")
        try:
            services.deposit_address(user=request.user, asset=network.asset_id, network=network.code)
        except DomainError as error:
            return self.show(request, error)
        return redirect(request.get_full_path())

    def show(self, request: CustomerRequest, refusal: DomainError | None = None) -> HttpResponse:
        context = route_context(request, "deposit_enabled")
        network = context["network"]
        address = queries.addresses(request.user).filter(network=network).first() if network else None
        context |= {
            "address": address,
            "refusal": refusal,
            "deposits": queries.deposits(request.user)[:RECENT],
        }
        context["qr"] = purse.drawing(address.address) if address else ""
        return render(request, "ledger/deposit.html", context, status=refusal.status if refusal else 200)
