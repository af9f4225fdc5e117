"""Proofs of liabilities: the published roots for everybody, and each customer's own part."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from exchange.errors import DomainError
from exchange.pages import CustomerRequest
from ledger import queries
from ledger.forms import ProofForm

PAGE_SIZE = 20


@require_GET
def proof(request: HttpRequest, number: int | None = None) -> HttpResponse:
    published = queries.proof(number) if number else queries.proofs().first()
    history = Paginator(queries.proofs(), PAGE_SIZE).get_page(request.GET.get("page"))
    totals = [(asset, Decimal(published.totals[asset])) for asset in published.assets] if published else []
    context = {"proof": published, "totals": totals, "page": history, "is_latest": number is None}
    return render(request, "ledger/proof.html", context)


@login_required
@require_GET
def own_proof(request: CustomerRequest) -> HttpResponse:
    number = ProofForm(request.GET).wanted()
    context: dict[str, Any] = {"number": number}
    try:
        found = queries.inclusion(request.user.pk, number)
    except DomainError as error:
        context["refusal"] = error
    else:
        owed = zip(found["assets"], map(Decimal, found["amounts"]), strict=True)
        taken_at = datetime.fromisoformat(found["taken_at"])
        context |= {
            "found": found,
            "taken_at": taken_at,
            "owed": [row for row in owed if row[1]],
            "text": _lines(found),
        }
    return render(request, "ledger/own_proof.html", context)


def _lines(found: dict[str, Any]) -> str:
    """The proof as JSON with a line for each step, so that a person can find their way in it."""
    lines = [f'"{name}": {json.dumps(value)}' for name, value in found.items() if name != "path"]
    steps = ",\n  ".join(json.dumps(step) for step in found["path"])
    return "{\n " + ",\n ".join([*lines, f'"path": [\n  {steps}\n ]']) + "\n}"
