"""The trade page, and the customer's own orders and fills."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View
from django.views.decorators.http import require_GET, require_POST

from exchange.errors import DomainError
from exchange.money import decimals, plain
from exchange.pages import CustomerRequest, refuse
from ledger import queries as books
from ledger import services as ledger
from markets import queries as markets
from markets import rules
from markets.models import Market
from orders import legs, lifeline, queries, schedule, screen, services
from orders.forms import ChangeForm, OrderFilter, TicketForm
from orders.models import FINAL, Order, OrderList, Status, Strategy

PAGE_SIZE = 25


@require_GET
def trade_home(request: HttpRequest) -> HttpResponse:
    first = next(iter(markets.listed()), None)
    if first is None:
        raise Http404
    return redirect("trade", symbol=first.symbol)


class Trade(View):
    """Chart, book, tape, ticket and own orders of one market."""

    def get(self, request: HttpRequest, symbol: str) -> HttpResponse:
        if symbol != symbol.upper():
            return redirect("trade", symbol=symbol.upper())
        return show_trade(request, markets.market(symbol), TicketForm())

    def post(self, request: HttpRequest, symbol: str) -> HttpResponse:
        """The ticket without script; with script it goes to the API."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.path)
        form = TicketForm(request.POST)
        if form.is_valid():
            try:
                place(request, symbol, form.cleaned_data)
            except DomainError as error:
                error.field = legs.shown_as(error.field, form.cleaned_data)
                refuse(form, error)
            else:
                return redirect("trade", symbol=symbol)
        return show_trade(request, markets.market(symbol), form, status=400)


def show_trade(request: HttpRequest, market: Market, form: TicketForm, status: int = 200) -> HttpResponse:
    stops = screen.stops(request.user, market)
    obstacle = screen.obstacle(request.user, market, stops)
    customer = request.user if request.user.is_authenticated else None
    own = screen.own_part(customer, market) if customer else {}
    page: dict[str, Any] = {
        "form": form,
        "obstacle": obstacle,
        "stops": stops,
        "config": screen.settings_of(market, obstacle, queries.shown_rate(customer, market)),
        "texts": screen.texts(),
        **screen.offer(market),
        "intervals": ("1m", "5m", "15m", "1h", "4h", "1d", "1w"),
    }
    return render(request, "orders/trade.html", {**screen.public_part(market), **own, **page}, status=status)


def place(request: HttpRequest, symbol: str, found: dict[str, Any]) -> None:
    assert request.user.is_authenticated
    if found["type"] in legs.KINDS:
        ticket = legs.list_ticket_of(symbol, found)
        announce_list(request, services.place_order_list(user=request.user, ticket=ticket))
    else:
        announce(request, services.place_order(user=request.user, ticket=ticket_of(symbol, found)))


def ticket_of(symbol: str, found: dict[str, Any]) -> services.Ticket:
    names = (
        "side", "type", "time_in_force", "price", "quantity", "quote_quantity", "stop_price", "trailing_delta",
        "iceberg_quantity", "nonce",
    )  # fmt: skip
    return services.Ticket(symbol=symbol, **{name: found[name] for name in names})


def announce(request: HttpRequest, order: Order) -> None:
    words = {"id": order.pk, "status": order.get_status_display(), "reason": order.reason}
    if order.status == Status.REJECTED:
        messages.error(request, _("Order %(id)s was not accepted: %(reason)s") % words)
        return
    messages.success(request, _("Order %(id)s is recorded: %(status)s.") % words)


def announce_list(request: HttpRequest, found: OrderList) -> None:
    orders = found.orders.all()
    words = {"id": found.pk, "status": orders[0].get_status_display()}
    two, three = (
        _("List %(id)s of two orders is recorded: %(status)s."),
        _("List %(id)s of three orders is recorded: %(status)s."),
    )
    messages.success(request, (two if len(orders) == 2 else three) % words)


@login_required
@require_GET
def order_list(request: CustomerRequest) -> HttpResponse:
    form = OrderFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    found = narrowed(queries.orders_of(request.user), wanted)
    page = Paginator(found, PAGE_SIZE).get_page(wanted.get("page"))
    can_cancel = narrowed(queries.orders_of(request.user), wanted).exclude(status__in=FINAL).exists()
    context = {"page": page, "form": form, "markets": markets.listed(), "can_cancel": can_cancel}
    return render(request, "orders/list.html", context)


def narrowed(orders: Any, wanted: dict[str, Any]) -> Any:
    """The orders that the filter leaves."""
    if wanted.get("market"):
        orders = orders.filter(market_id=wanted["market"].upper())
    if wanted.get("side"):
        orders = orders.filter(side=wanted["side"])
    if wanted.get("status") == "open":
        return orders.exclude(status__in=FINAL)
    return orders.filter(status=wanted["status"]) if wanted.get("status") else orders


@login_required
@require_GET
def order_detail(request: CustomerRequest, order_id: int) -> HttpResponse:
    order = queries.order_of(request.user, order_id)
    places = decimals(rules.tick_size(order.market.filters)) + 2
    entries = books.entries_of_cause(*services.cause_of_hold(order), request.user.pk)
    context = {
        "order": order,
        "siblings": queries.siblings(order),
        "parts": queries.parts_of(order),
        "page": Paginator(order.fills.order_by("-id"), PAGE_SIZE).get_page(request.GET.get("page")),
        "lifeline": lifeline.steps(order),
        "average": lifeline.average_price(order, places),
        "replacements": order.replacements.order_by("id"),
        "entries": entries.reverse()[:PAGE_SIZE],
        "has_more_entries": entries.count() > PAGE_SIZE,
    }
    return render(request, "orders/detail.html", context)


class Change(LoginRequiredMixin, View):
    """Another price or amount for an open order."""

    def get(self, request: CustomerRequest, order_id: int) -> HttpResponse:
        order = queries.order_of(request.user, order_id)
        if not order.is_changeable:
            messages.error(request, _("This order cannot be changed now."))
            after = where_from(request.GET, request)
            return redirect(after) if after else redirect("order", order_id=order_id)
        initial = {
            name: plain(value)
            for name, value in (("price", order.price), ("quantity", order.left))
            if value is not None
        }
        return show_change(request, order, ChangeForm(initial=initial))

    def post(self, request: CustomerRequest, order_id: int) -> HttpResponse:
        form = ChangeForm(request.POST)
        if form.is_valid():
            try:
                order = services.change_order(user=request.user, order_id=order_id, **form.cleaned_data)
            except DomainError as error:
                refuse(form, error)
            else:
                announce(request, order)
                after = where_from(request.POST, request)
                return redirect(after) if after else redirect("order", order_id=order.pk)
        return show_change(request, queries.order_of(request.user, order_id), form, status=400)


def show_change(request: CustomerRequest, order: Order, form: ChangeForm, status: int = 200) -> HttpResponse:
    after = where_from(request.POST or request.GET, request)
    context = {"order": order, "form": form, "after": after}
    return render(request, "orders/change.html", context, status=status)


@login_required
@require_GET
def order_list_detail(request: CustomerRequest, list_id: int) -> HttpResponse:
    entries = books.entries_of_cause(ledger.Cause.LIST, list_id, request.user.pk)
    context = {
        "list": queries.order_list_of(request.user, list_id),
        "entries": entries.reverse()[:PAGE_SIZE],
        "has_more_entries": entries.count() > PAGE_SIZE,
    }
    return render(request, "orders/list_detail.html", context)


@login_required
@require_POST
def cancel(request: CustomerRequest, order_id: int) -> HttpResponse:
    try:
        services.cancel_order(user=request.user, order_id=order_id)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Order %(id)s: cancelling was asked for.") % {"id": order_id})
    return back(request)


@login_required
@require_POST
def cancel_all(request: CustomerRequest) -> HttpResponse:
    """All open orders, or what the filter of the list leaves of them."""
    form = OrderFilter(request.POST)
    wanted = form.cleaned_data if form.is_valid() else {}
    symbol, side = wanted.get("market", "").upper(), wanted.get("side", "")
    asked = services.cancel_orders(user=request.user, symbol=symbol, side=side)
    messages.success(request, ngettext(
        "Cancelling %(count)s order was asked for.", "Cancelling %(count)s orders was asked for.", asked
    ) % {"count": asked})  # fmt: skip
    return back(request)


def back(request: CustomerRequest) -> HttpResponse:
    """To where it was asked for."""
    return redirect(where_from(request.POST, request) or "orders")


def where_from(said: QueryDict, request: HttpRequest) -> str:
    """The page of ours that something was asked for on; nothing else: only a path is an address, and `redirect` takes
    any other word for the name of a view."""
    after = said.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(after, {request.get_host()}, request.is_secure())
    return after if is_ours and after.startswith("/") else ""


@login_required
@require_GET
def fill_list(request: CustomerRequest) -> HttpResponse:
    page = Paginator(queries.fills_of(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "orders/fills.html", {"page": page})


@require_GET
def fees(request: HttpRequest) -> HttpResponse:
    user = request.user if request.user.is_authenticated else None
    return render(request, "orders/fees.html", schedule.page(user))


@require_GET
def terms(request: HttpRequest) -> HttpResponse:
    """How orders are executed, and where customers' orders may meet each other."""
    found = list(queries.route_rules())
    crossed = [rule.market_id for rule in found if rule.allows_crossing]
    context = {
        "is_anywhere": bool(crossed),
        "is_everywhere": None in crossed,
        "markets": sorted({symbol for symbol in crossed if symbol}),
        "is_compared": any(rule.strategy == Strategy.SMART for rule in found),
        "protection_bps": settings.MARKET_PROTECTION_BPS,
    }
    return render(request, "orders/terms.html", context)
