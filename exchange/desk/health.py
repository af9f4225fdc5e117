"""What machines ask: alive, ready, in what state, in figures."""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from exchange.conversions import queries as conversions
from exchange.desk import queries
from exchange.gate import queries as gate
from ledger import queries as books
from orders import refusals, routing

REDIS_SECONDS = 2
BREAKER_STATES = ("CLOSED", "HALF_OPEN", "OPEN")


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process lives; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database and Redis answer, else 503 with what does not."""
    away = [
        name for name, answers in (("database", database_answers), ("redis", redis_answers)) if not answers()
    ]
    if away:
        return JsonResponse({"ready": False, "reason": f"{' and '.join(away)} cannot be reached"}, status=503)
    return JsonResponse({"ready": True, "reason": ""})


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone())
    except DatabaseError:
        return False


def redis_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            return bool(client.ping())
    except (OSError, RedisError):
        return False


@never_cache
@require_safe
def status_json(request: HttpRequest) -> JsonResponse:
    """Ages and states of the venue's feeds, the sweeps and the gate; 503 while the database is away."""
    now = queries.status()
    return JsonResponse(now, status=200 if now["database"] == "ok" else 503)


@never_cache
@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    """The same for people."""
    now = queries.status()
    if now["database"] != "ok":
        return render(request, "desk/status.html", {"now": now}, status=503)
    context = {"now": now, "agreement": books.agreement(), "is_ready": database_answers() and redis_answers()}
    return render(request, "desk/status.html", context)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for the machine itself and for staff."""
    if not (is_from_here(request) or request.user.is_staff):
        return HttpResponseForbidden(
            "metrics are for this machine and for staff\n", content_type="text/plain"
        )
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def is_from_here(request: HttpRequest) -> bool:
    """True for a request of this machine's own; one that a proxy passed on is the proxy's visitor's, not ours."""
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class House(Collector):
    """The house in figures, read at the moment of the question."""

    def collect(self) -> Iterator[Metric]:
        now = queries.status()
        is_up = now["database"] == "ok"
        yield GaugeMetricFamily("causeway_database_up", "1 while the database answers", value=int(is_up))
        yield from ages(now)
        yield refused(refusals.counts())
        if not is_up:
            return
        for name, count in queries.waiting_counts().items():
            yield GaugeMetricFamily(f"causeway_{name}", name.replace("_", " "), value=count)
        yield from book_figures(now["books"])
        yield from streams(now["user_streams"])
        yield from agreement(now["reconciliation"])
        yield from seals(now["seals"])
        yield switches(gate.switch_counts())
        yield breakers(now["breakers"])
        yield from routes()
        yield from uncovered()
        yield from budgets(gate.budgets_now())
        yield accounts()
        yield from inventory()


def routes() -> Iterator[Metric]:
    """By kind of route and asset received what a day of it was worth."""
    names = ["kind", "asset"]
    orders = GaugeMetricFamily("causeway_route_orders", "Orders of a day that were compared", labels=names)
    saved = GaugeMetricFamily(
        "causeway_route_saved_bps",
        "Received beyond the market itself, in basis points of a day",
        labels=names,
    )
    for found in routing.savings(timezone.now() - timedelta(days=1)):
        orders.add_metric([found.kind, found.asset], found.orders)
        if found.saved_bps is not None:
            saved.add_metric([found.kind, found.asset], found.saved_bps)  # type: ignore[arg-type]
    yield from (orders, saved)


def uncovered() -> Iterator[Metric]:
    """How far the house is uncovered by conversions, and since when the oldest waits."""
    worth = GaugeMetricFamily(
        "causeway_uncovered_worth", "Not covered, in the asset of reference", labels=["asset"]
    )
    oldest = GaugeMetricFamily("causeway_uncovered_seconds", "Since the oldest open cover", labels=["asset"])
    for row in conversions.exposures():
        if row.worth is not None:
            worth.add_metric([row.asset], row.worth)  # type: ignore[arg-type]
        if row.since is not None:
            oldest.add_metric([row.asset], (timezone.now() - row.since).total_seconds())
    yield from (worth, oldest)


def book_figures(found: object) -> Iterator[Metric]:
    ages = GaugeMetricFamily("causeway_book_age_seconds", "Age of the published book", labels=["symbol"])
    live = GaugeMetricFamily("causeway_book_live", "1 while the book is live", labels=["symbol"])
    assert isinstance(found, dict)
    for symbol, book in found.items():
        live.add_metric([symbol], int(book["state"] == "LIVE"))
        if book["age_ms"] is not None:
            ages.add_metric([symbol], book["age_ms"] / 1000)
    yield from (ages, live)


def streams(found: object) -> Iterator[Metric]:
    up = GaugeMetricFamily("causeway_user_stream_up", "1 while subscribed", labels=["account"])
    ages = GaugeMetricFamily(
        "causeway_user_stream_age_seconds", "Since the last sign of life", labels=["account"]
    )
    assert isinstance(found, list)
    for stream in found:
        up.add_metric([stream["account"]], int(stream["state"] == "SUBSCRIBED"))
        if stream["age_ms"] is not None:
            ages.add_metric([stream["account"]], stream["age_ms"] / 1000)
    yield from (up, ages)


def switches(counts: dict[str, int]) -> Metric:
    found = GaugeMetricFamily("causeway_switches", "Kill switches that stand", labels=["scope"])
    for scope, count in counts.items():
        found.add_metric([scope], count)
    return found


def refused(counts: dict[tuple[str, str, str], int]) -> Metric:
    words = "Orders, changes and cancels that were refused: by whose fault, why, and as the customer is told"
    found = CounterMetricFamily("causeway_order_refusals", words, labels=["by", "cause", "code"])
    for named, count in counts.items():
        found.add_metric(named, count)
    return found


def breakers(told: object) -> Metric:
    name, words = "causeway_breaker_state", "0 while closed, 1 half-open, 2 open"
    found = GaugeMetricFamily(name, words, labels=["account", "operation"])
    assert isinstance(told, list)
    for one in told:
        found.add_metric([one["account"], one["operation"]], BREAKER_STATES.index(one["state"]))
    return found


def budgets(found: Sequence[gate.Budget]) -> Iterator[Metric]:
    """What is used of the venue's limits and how much there is, by address and account; who was refused, and why."""
    labels = ["of", "limit", "seconds"]
    used = GaugeMetricFamily("causeway_gate_limit_used", "Used in the present window", labels=labels)
    most = GaugeMetricFamily("causeway_gate_limit_most", "What the venue allows in it", labels=labels)
    bans = GaugeMetricFamily("causeway_gate_banned", "1 while the venue wants to hear nothing", labels=["of"])
    calls = CounterMetricFamily("causeway_gate_calls", "Requests to the venue", labels=["of", "kind"])
    refused = CounterMetricFamily(
        "causeway_gate_refused", "Refused by the gate", labels=["of", "kind", "why"]
    )
    waits = CounterMetricFamily("causeway_gate_waits", "New orders that waited for room", labels=["of"])
    waited = CounterMetricFamily(
        "causeway_gate_waited_seconds", "How long they waited together", labels=["of"]
    )
    for one in found:
        bans.add_metric([one.key], int(one.banned_until is not None))
        for window in one.windows:
            place = [one.key, window.name, str(window.seconds)]
            used.add_metric(place, window.used)
            most.add_metric(place, window.most)
        for kind, count in one.calls.items():
            calls.add_metric([one.key, kind], count)
        for (kind, why), count in one.refused.items():
            refused.add_metric([one.key, kind, why], count)
        waits.add_metric([one.key], one.waits)
        waited.add_metric([one.key], one.waited_ms / 1000)
    yield from (used, most, bans, calls, refused, waits, waited)


def accounts() -> Metric:
    name, words = "causeway_venue_account_open", "1 while staff let it take orders and its key is used"
    found = GaugeMetricFamily(name, words, labels=["account"])
    for account in gate.user_streams():
        found.add_metric([account.name], int(account.is_enabled and account.is_trusted))
    return found


def inventory() -> Iterator[Metric]:
    labels = ["account", "asset"]
    free = GaugeMetricFamily("causeway_venue_free", "What is free in a venue account", labels=labels)
    needed = GaugeMetricFamily("causeway_venue_needed", "What orders under way need there", labels=labels)
    hours = GaugeMetricFamily(
        "causeway_venue_runway_hours", "How long it lasts, where it leaves", labels=labels
    )
    low = GaugeMetricFamily("causeway_venue_low", "1 while it is below its bar", labels=labels)
    for row in gate.runway_rows():
        place = [row.venue_account.name, row.asset]
        free.add_metric(place, row.free)  # type: ignore[arg-type]
        needed.add_metric(place, row.needed)  # type: ignore[arg-type]
        low.add_metric(place, int(row.is_low))
        if row.hours is not None:
            hours.add_metric(place, row.hours)  # type: ignore[arg-type]
    yield from (free, needed, hours, low)


def ages(now: dict[str, object]) -> Iterator[Metric]:
    sweeps, gate = now["sweeps"], now["gate"]
    assert isinstance(sweeps, dict)
    assert isinstance(gate, dict)
    if sweeps["age_ms"] is not None:
        yield GaugeMetricFamily(
            "causeway_sweep_age_seconds", "Since the last sweep", value=sweeps["age_ms"] / 1000
        )
    yield GaugeMetricFamily(
        "causeway_gate_used_weight", "Weight used in this minute", value=gate["used_weight_1m"]
    )
    yield GaugeMetricFamily(
        "causeway_gate_blocked_seconds", "How long the venue bans us", value=gate["blocked_for_s"]
    )


def agreement(compared: object) -> Iterator[Metric]:
    assert isinstance(compared, dict)
    yield GaugeMetricFamily(
        "causeway_assets_differing",
        "Assets in which the books and the venue differ",
        value=len(compared["differing"]),
    )
    yield GaugeMetricFamily(
        "causeway_assets_stopped", "Assets that take no new orders", value=len(compared["stopped"])
    )
    if compared["age_ms"] is not None:
        yield GaugeMetricFamily(
            "causeway_reconciliation_age_seconds",
            "Since the books were held against the venue",
            value=compared["age_ms"] / 1000,
        )


def seals(found: object) -> Iterator[Metric]:
    assert isinstance(found, dict)
    yield GaugeMetricFamily("causeway_seal_block", "Blocks that seal the books", value=found["block"])
    for name, age, told in (
        ("seal_age", found["age_ms"], "Since the last block"),
        ("unsealed_age", found["waiting_ms"], "How long the oldest transfer waits for a block"),
    ):
        if age is not None:
            yield GaugeMetricFamily(f"causeway_{name}_seconds", told, value=age / 1000)


# Not asked to describe itself at registration: that would read the database while the code is being loaded.
REGISTRY = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
REGISTRY.register(House())
