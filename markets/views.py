"""The open pages: home and markets, and what every page posts to."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from markets import queries, rules
from markets.forms import ThemeForm
from markets.models import Market
from markets.templatetags.page import THEME_COOKIE

YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class MarketRow:
    market: Market
    ticker: object | None
    tick: Decimal
    closes: list[Decimal]


def rows_of(found: list[Market], closes: Mapping[str, list[Decimal]]) -> list[MarketRow]:
    """Each market with its ticker, the digits its prices have, and its last day by the hour."""
    tickers = queries.tickers()
    return [
        MarketRow(
            market,
            tickers.get(market.symbol),
            rules.tick_size(market.filters),
            closes.get(market.symbol, []),
        )
        for market in found
    ]


def texts() -> dict[str, str]:
    """The words for the state of the pages' socket."""
    return {
        "live": _("Live"),
        "delayed": _("Delayed"),
        "connecting": _("Connecting"),
        "reconnecting": _("Reconnecting in {seconds} s"),
        "offline": _("Offline"),
    }


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    shown = queries.shown()
    fees = {market.fee_bps for market in shown} or {settings.PLATFORM_FEE_BPS}
    context = {
        "rows": rows_of(shown[:6], {}),
        "least_fee_bps": min(fees),
        "most_fee_bps": max(fees),
        "texts": texts(),
    }
    return render(request, "markets/home.html", context)


@require_GET
def market_list(request: HttpRequest) -> HttpResponse:
    sought = request.GET.get("q", "").strip()[:40]
    found = [market for market in queries.shown() if sought.upper().replace("/", "") in market.symbol]
    rows = rows_of(found, queries.hourly_closes())
    return render(request, "markets/list.html", {"rows": rows, "sought": sought, "texts": texts()})


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    form = ThemeForm(request.POST)
    form.is_valid()
    after = form.cleaned_data.get("next", "")
    if not url_has_allowed_host_and_scheme(after, {request.get_host()}, request.is_secure()):
        after = "/"
    response = HttpResponseRedirect(after)
    if "theme" in form.cleaned_data:
        response.set_cookie(
            THEME_COOKIE, form.cleaned_data["theme"], max_age=YEAR, samesite="Lax", secure=settings.SECURE_TLS
        )
    return response


@require_GET
def manifest(request: HttpRequest) -> JsonResponse:
    icon = {"src": static("img/favicon.svg"), "sizes": "any", "type": "image/svg+xml"}
    body = {
        "name": settings.SITE_NAME,
        "short_name": settings.SITE_NAME,
        "start_url": "/",
        "display": "standalone",
    }
    colours = {"background_color": "#0b0e13", "theme_color": "#161c26"}
    return JsonResponse({**body, **colours, "icons": [icon]}, content_type="application/manifest+json")
