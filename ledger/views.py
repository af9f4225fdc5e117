"""The wallet: balances, statements, deposits, withdrawals; and the table of fees."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from exchange.errors import DomainError
from exchange.pages import CustomerRequest, refuse
from ledger import queries, services
from ledger import wallet as purse
from ledger.forms import HistoryFilter, RouteForm, WithdrawForm
from ledger.models import Network

PAGE_SIZE = 50
RECENT = 5
EXAMPLE_QUANTITY = Decimal("0.5")


@login_required
@require_GET
def wallet(request: CustomerRequest) -> HttpResponse:
    rows = purse.holdings(request.user)
    total = sum((row.value for row in rows if row.value is not None), Decimal(0))
    hides_small = request.GET.get("small") == "hide"
    shown = [row for row in rows if not (hides_small and row.is_small)]
    context = {"rows": shown, "total": total, "hides_small": hides_small, "counted_in": purse.COUNTED_IN}
    return render(request, "ledger/wallet.html", {**context, "hidden": len(rows) - len(shown)})


@login_required
@require_GET
def statement(request: CustomerRequest, asset: str) -> HttpResponse:
    if asset != asset.upper():
        return redirect("statement", asset=asset.upper())
    entries = queries.statement(request.user.pk, asset)
    page = Paginator(entries, PAGE_SIZE).get_page(request.GET.get("page"))
    holding = next((row for row in purse.holdings(request.user) if row.asset == asset), None)
    context = {"asset": asset, "page": page, "holding": holding, "counted_in": purse.COUNTED_IN}
    return render(request, "ledger/statement.html", context)


def chosen_route(request: HttpRequest) -> tuple[str, list[Network], Network | None]:
    """The asset in the address, its networks, and the one chosen or the only one."""
    form = RouteForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {"asset": "", "network": ""}
    networks = list(queries.networks(wanted["asset"])) if wanted["asset"] else []
    chosen = next((network for network in networks if network.code == wanted["network"]), None)
    return wanted["asset"], networks, chosen or (networks[0] if len(networks) == 1 else None)


def route_context(request: HttpRequest, flag: str) -> dict[str, Any]:
    asset, networks, chosen = chosen_route(request)
    assets = sorted({network.asset_id for network in queries.networks() if getattr(network, flag)})
    return {"asset": asset, "assets": assets, "networks": networks, "network": chosen}


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
@require_GET
def history(request: CustomerRequest) -> HttpResponse:
    form = HistoryFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {"asset": "", "page": None}
    kind = "deposits" if request.GET.get("kind") == "deposits" else "withdrawals"
    read: Callable[[User], QuerySet[Any]] = queries.deposits if kind == "deposits" else queries.withdrawals
    found = read(request.user)
    if wanted["asset"]:
        found = found.filter(asset_id=wanted["asset"].upper())
    context = {
        "kind": kind,
        "page": Paginator(found, PAGE_SIZE).get_page(wanted["page"]),
        "asset": wanted["asset"],
    }
    return render(request, "ledger/history.html", context)


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


@require_GET
def fees(request: HttpRequest) -> HttpResponse:
    networks = queries.networks().filter(withdraw_enabled=True)
    house = {"fee_bps": settings.PLATFORM_FEE_BPS, "protection_bps": settings.MARKET_PROTECTION_BPS}
    example = EXAMPLE_QUANTITY * settings.PLATFORM_FEE_BPS / 10_000
    return render(request, "ledger/fees.html", {"networks": networks, "example": example, **house})
