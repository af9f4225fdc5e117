"""Which way orders take: what staff decided for whom, and what was compared for each order that was compared."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models.fields import amount_field
from orders.models.orders import Order, RouteKind


class Strategy(models.TextChoices):
    DIRECT = "DIRECT", _("direct: the market itself")
    SMART = "SMART", _("smart: the best of all ways")


class RouteRule(models.Model):
    """A line that says how orders are routed; never changed, but ended and followed by another."""

    name = models.CharField(max_length=80)
    market = models.ForeignKey(
        "markets.Market", models.PROTECT, null=True, blank=True, related_name="+", help_text=_("Empty: all.")
    )
    group = models.ForeignKey(
        "auth.Group",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("For customers of this group; empty: all."),
    )
    tier = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("For customers of this tier; empty: all.")
    )
    strategy = models.CharField(max_length=6, choices=Strategy, default=Strategy.DIRECT)
    allows_crossing = models.BooleanField(
        default=False, help_text=_("An order may trade with another customer's here. Disclosed in the terms.")
    )
    bridges = ArrayField(
        models.CharField(max_length=32),
        default=list,
        blank=True,
        help_text=_("Assets over which an order may go in two trades, separated by commas; empty: none."),
    )
    begun_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("route rule")
        verbose_name_plural = _("route rules")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(strategy="DIRECT") | Q(allows_crossing=False, bridges=[]),
                name="direct_route_needs_nothing",
                violation_error_message=_("The direct strategy neither crosses nor goes over another asset."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class RouteDecision(models.Model):
    """What was compared for an order, on which books, and what came of it: paid and received, all fees taken off.

    Rates are of received for one paid. Written once with the order; what it realised is added when it has ended.
    """

    order = models.OneToOneField(Order, models.PROTECT, related_name="routing", primary_key=True)
    rule = models.ForeignKey(RouteRule, models.PROTECT, null=True, related_name="+")
    strategy = models.CharField(max_length=6, choices=Strategy)
    kind = models.CharField(max_length=8, choices=RouteKind)
    candidates = models.JSONField(help_text=_("Each way with its estimate, or why it was out."))
    books = models.JSONField(help_text=_("The books it was decided upon, with their ages in milliseconds."))
    paid_asset = models.CharField(max_length=32)
    received_asset = models.CharField(max_length=32)
    direct_rate = amount_field(null=True, help_text=_("Estimated for the market itself."))
    chosen_rate = amount_field(null=True, help_text=_("Estimated for the way that was taken."))
    paid = amount_field(null=True)
    received = amount_field(null=True)
    saved = amount_field(null=True, help_text=_("Received beyond what the market itself would have given."))
    at = models.DateTimeField()
    realised_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("route decision")
        verbose_name_plural = _("route decisions")
        ordering = ["-order_id"]
        indexes = [
            models.Index(fields=["at"], name="route_by_time"),
            models.Index(fields=["order"], condition=Q(realised_at__isnull=True), name="route_not_realised"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of order {self.order_id}"
