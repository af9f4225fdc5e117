"""Where customers convert: the wish, the quote, the receipt, and what was converted before."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from exchange.conversions import queries, services
from exchange.conversions.errors import QuoteExpired
from exchange.conversions.forms import ConvertForm
from exchange.errors import DomainError
from exchange.moments import milliseconds_of
from exchange.money import plain
from exchange.pages import CustomerRequest, refuse
from ledger import queries as books
from orders.models import Channel

PAGE_SIZE = 20


class Convert(LoginRequiredMixin, View):
    """Two assets and an amount; the answer is a quote on a page of its own."""

    def get(self, request: CustomerRequest) -> HttpResponse:
        asked = {name: request.GET[name] for name in ("from_asset", "to_asset") if name in request.GET}
        initial = {"from_asset": "USDT", "to_asset": "BTC", **asked}
        return show(request, ConvertForm(initial=initial))

    def post(self, request: CustomerRequest) -> HttpResponse:
        form = ConvertForm(request.POST)
        if form.is_valid():
            try:
                found = services.make_quote(
                    user=request.user, wish=services.Wish(**form.cleaned_data), channel=Channel.SITE
                )
            except DomainError as error:
                refuse(form, error)
            else:
                return redirect("quote", quote_id=found.pk)
        return show(request, form, status=400)


def show(request: CustomerRequest, form: ConvertForm, status: int = 200) -> HttpResponse:
    page = Paginator(queries.conversions_of(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    balances = {row.asset: row.available for row in books.balances(request.user.pk)}
    context = {
        "form": form,
        "page": page,
        "balances": {code: plain(amount) for code, amount in balances.items()},
        "seconds": settings.CONVERT_QUOTE_SECONDS,
    }
    return render(request, "conversions/convert.html", context, status=status)


@login_required
@never_cache
@require_GET
def quote(request: CustomerRequest, quote_id: int) -> HttpResponse:
    found = queries.quote_of(request.user, quote_id)
    if hasattr(found, "conversion"):
        return redirect("conversion", conversion_id=found.conversion.pk)
    now = queries.now()
    context = {
        "quote": found,
        "now_iso": now.isoformat(),
        "is_over": now >= found.expires_at,
        "lasts": milliseconds_of(found.expires_at) - milliseconds_of(found.created_at),
        "left": max(0, milliseconds_of(found.expires_at) - milliseconds_of(now)),
    }
    return render(request, "conversions/quote.html", context)


@login_required
@require_POST
def accept(request: CustomerRequest, quote_id: int) -> HttpResponse:
    try:
        found = services.accept_quote(user=request.user, quote_id=quote_id, channel=Channel.SITE)
    except QuoteExpired as error:
        messages.error(request, str(error))
        return redirect("quote", quote_id=quote_id)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("quote", quote_id=quote_id) if error.status != 404 else redirect("convert")
    return redirect("conversion", conversion_id=found.pk)


@login_required
@require_GET
def conversion(request: CustomerRequest, conversion_id: int) -> HttpResponse:
    found = queries.conversion_of(request.user, conversion_id)
    return render(request, "conversions/conversion.html", {"conversion": found, "quote": found.quote})
