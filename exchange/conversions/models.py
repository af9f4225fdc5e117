"""A firm price for one customer (Quote), what came of it (Conversion), and how the house covers itself (Cover)."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from exchange.conversions.rules import MOST_MARGIN_BPS, Rate, rate_of, signed
from exchange.money import plain
from orders.models import Side


def amount_field(**options: Any) -> models.DecimalField:
    return models.DecimalField(max_digits=38, decimal_places=18, **options)


# By which way a customer comes.
CHANNELS = [("SITE", _("website")), ("API", _("API"))]


class MarginRule(models.Model):
    """What the house keeps of a conversion for bearing the move; never changed, but ended and followed by another."""

    from_asset = models.ForeignKey(
        "markets.Asset", models.PROTECT, null=True, blank=True, related_name="+", help_text=_("Empty: any.")
    )
    to_asset = models.ForeignKey(
        "markets.Asset", models.PROTECT, null=True, blank=True, related_name="+", help_text=_("Empty: any.")
    )
    bps = models.PositiveSmallIntegerField(
        validators=[MaxValueValidator(MOST_MARGIN_BPS)],
        help_text=_("Basis points of what the customer gets."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("margin of conversions")
        verbose_name_plural = _("margins of conversions")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(bps__lte=MOST_MARGIN_BPS), name="margin_within_bounds"),
            models.UniqueConstraint(
                fields=["from_asset", "to_asset"],
                condition=Q(ended_at__isnull=True),
                nulls_distinct=False,
                name="one_margin_a_pair",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_asset_id or '*'} → {self.to_asset_id or '*'}: {self.bps}"


class Quote(models.Model):
    """Stands until `expires_at` by the database's clock, for one customer and one use."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="quotes")
    channel = models.CharField(max_length=4, choices=CHANNELS)
    from_asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    to_asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    is_by_to = models.BooleanField(help_text=_("The customer named what to get, and not what to give."))
    from_amount = amount_field()
    to_amount = amount_field(help_text=_("After fee and margin."))
    fee = amount_field(help_text=_("Of what the books give."))
    fee_bps = models.PositiveSmallIntegerField()
    margin = amount_field()
    margin_bps = models.PositiveSmallIntegerField()
    margin_rule = models.ForeignKey(MarginRule, models.PROTECT, null=True, related_name="+")
    legs = models.JSONField(
        help_text=_("The books it was made of, with their number, and how they were walked.")
    )
    passed_over = models.JSONField(
        default=list, help_text=_("The other routes, and what each would have given.")
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("quote")
        ordering = ["-id"]
        indexes = [models.Index(fields=["user", "expires_at"])]
        constraints = [
            models.CheckConstraint(
                condition=~Q(from_asset=F("to_asset")), name="quote_is_between_two_assets"
            ),
            models.CheckConstraint(
                condition=Q(from_amount__gt=0, to_amount__gt=0, fee__gte=0, margin__gte=0),
                name="quote_amounts",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {plain(self.from_amount)} {self.from_asset_id} → {plain(self.to_amount)} {self.to_asset_id}"

    @property
    def rate(self) -> Rate:
        """All in: what one of the dearer asset costs."""
        return rate_of(self.from_asset_id, self.from_amount, self.to_asset_id, self.to_amount)

    @property
    def gross(self) -> Decimal:
        """What the books give, before fee and margin."""
        return self.to_amount + self.fee + self.margin


class Conversion(models.Model):
    """A quote that was accepted: booked with its row, in one transaction."""

    quote = models.OneToOneField(Quote, models.PROTECT, related_name="conversion")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="conversions")
    channel = models.CharField(max_length=4, choices=CHANNELS)
    transfer_id = models.BigIntegerField(help_text=_("The ledger's transfer."))
    accepted_at = models.DateTimeField(help_text=_("By the database's clock."))

    class Meta:
        verbose_name = _("conversion")
        ordering = ["-id"]
        indexes = [models.Index(fields=["user", "-id"])]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Cover(models.Model):
    """So much the house has to sell or to buy because of a conversion, or because of remainders of several.

    `done` is what its orders traded in its direction, `carried` what another cover took over; what is left below zero
    is traded back.
    """

    conversion = models.ForeignKey(Conversion, models.PROTECT, null=True, related_name="covers")
    market = models.ForeignKey("markets.Market", models.PROTECT, related_name="+")
    side = models.CharField(max_length=4, choices=Side)
    quantity = amount_field()
    done = amount_field(default=0)
    done_quote = amount_field(default=0)
    carried = amount_field(default=0)
    is_open = models.BooleanField(
        default=True, help_text=_("Closed when what is left is too small to be traded.")
    )
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(help_text=_("Not tried again before."))
    trouble = models.CharField(
        max_length=200, blank=True, help_text=_("Why the last attempt came to nothing.")
    )
    alarmed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("cover")
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="cover_of_something")]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(is_open=True), name="cover_open"),
            models.Index(
                fields=["market"], condition=~Q(quantity=F("done") + F("carried")), name="cover_unequal"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.side} {plain(self.quantity)} {self.market_id}"

    @property
    def left(self) -> Decimal:
        """Still to be traded in its direction."""
        return self.quantity - self.carried - self.done

    @property
    def exposure(self) -> Decimal:
        """What of the base asset the house has too much; too little is negative."""
        return signed(self.side, self.left)


class CoverOrder(models.Model):
    """An order of the house for a cover; `counted` is what of it was put down to the cover."""

    cover = models.ForeignKey(Cover, models.PROTECT, related_name="cover_orders")
    order = models.OneToOneField("orders.Order", models.PROTECT, related_name="+")
    counted = amount_field(default=0)
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("order for a cover")
        verbose_name_plural = _("orders for covers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["cover"], condition=Q(settled_at__isnull=True), name="one_order_at_a_time_a_cover"
            )
        ]
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return f"#{self.pk} {self.order}"
