"""The wallet: balances, what came in and went out."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from exchange.pages import CustomerRequest
from ledger import queries
from ledger import wallet as purse
from ledger.forms import HistoryFilter

PAGE_SIZE = 50


@login_required
@require_GET
def wallet(request: CustomerRequest) -> HttpResponse:
    rows = purse.holdings(request.user)
    total = sum((row.value for row in rows if row.value is not None), Decimal(0))
    hides_small = request.GET.get("small") == "hide"
    shown = [row for row in rows if not (hides_small and row.is_small)]
    context = {"rows": shown, "total": total, "hides_small": hides_small, "counted_in": purse.COUNTED_IN}
    context["agreement"] = queries.agreement()
    return render(request, "ledger/wallet.html", {**context, "hidden": len(rows) - len(shown)})


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
