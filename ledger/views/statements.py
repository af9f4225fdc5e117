"""Statements and explanations: every number of the wallet down to its entries, every entry down to its cause."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from exchange.pages import CustomerRequest
from ledger import queries
from ledger.forms import StatementFilter

PAGE_SIZE = 50


@login_required
@require_GET
def statement(request: CustomerRequest, asset: str) -> HttpResponse:
    if asset != asset.upper():
        return redirect("statement", asset=asset.upper())
    form = StatementFilter(request.GET)
    wanted = form.wanted()
    period = queries.statement_of(request.user.pk, asset, wanted)
    page = Paginator(period.entries, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"asset": asset, "form": form, "wanted": wanted, "period": period, "page": page}
    return render(request, "ledger/statement.html", context)


@login_required
@require_GET
def explain(request: CustomerRequest, asset: str) -> HttpResponse:
    if asset != asset.upper():
        return redirect("explain", asset=asset.upper())
    found = queries.explanation(request.user.pk, asset)
    return render(request, "ledger/explain.html", {"asset": asset, "found": found})


@login_required
@require_GET
def transfer(request: CustomerRequest, transfer_id: int) -> HttpResponse:
    lines = queries.own_lines(request.user.pk, transfer_id)
    context = {"lines": lines, "transfer": lines[0].transfer, "seal": queries.seal_of(transfer_id)}
    return render(request, "ledger/transfer.html", context)
