"""The pages of announced deposits."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from exchange.errors import DomainError
from exchange.pages import CustomerRequest, client_address, private_download, refuse
from ledger import lifeline, queries, services
from ledger.forms import ClaimForm
from ledger.views.routes import chosen_route, route_context


class AnnouncePage(LoginRequiredMixin, View):
    """Asset, network, then what was sent and how we can know."""

    def get(self, request: CustomerRequest) -> HttpResponse:
        return self.show(request, ClaimForm())

    def post(self, request: CustomerRequest) -> HttpResponse:
        form = ClaimForm(request.POST, request.FILES)
        _asset, _networks, network = chosen_route(request, queries.announced_networks())
        if network is None:
            return redirect("announce")
        if form.is_valid():
            said = form.cleaned_data
            proof = said.pop("proof")
            said["proof"] = proof.read() if proof else b""
            try:
                claim = services.announce_deposit(
                    user=request.user, asset=network.asset_id, network=network.code, **said
                )
            except DomainError as error:
                refuse(form, error)
            else:
                messages.success(request, _("The deposit is announced."))
                return redirect("claim", claim.pk)
        return self.show(request, form)

    def show(self, request: CustomerRequest, form: ClaimForm) -> HttpResponse:
        offered = route_context(request, "deposit_enabled", queries.announced_networks())
        context = {**offered, "form": form}
        return render(request, "ledger/announce.html", context, status=400 if form.errors else 200)


@login_required
@require_GET
def detail(request: CustomerRequest, claim_id: int) -> HttpResponse:
    claim = queries.claim_of(request.user, claim_id)
    return render(request, "ledger/claim.html", {"claim": claim, "lifeline": lifeline.claim_steps(claim)})


@login_required
@require_POST
def cancel(request: CustomerRequest, claim_id: int) -> HttpResponse:
    services.cancel_claim(claim_id=claim_id, user=request.user)
    messages.success(request, _("The announced deposit is taken back."))
    return redirect("claim", claim_id)


@login_required
@require_GET
@never_cache
def proof(request: CustomerRequest, claim_id: int) -> HttpResponse:
    claim, content = services.read_claim_proof(
        claim_id=claim_id, by=request.user, address=client_address(request)
    )
    return private_download(content, claim.proof_type, f"announced-{claim.pk}")
