"""What customers pay: the lines of the schedule, and by what they have traded."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from markets.models import MOST_FEE_BPS
from orders.models.fields import amount_field


class FeeRule(models.Model):
    """A line of the fee schedule; never changed, but ended and followed by another."""

    name = models.CharField(max_length=80, help_text=_("As customers read it."))
    market = models.ForeignKey(
        "markets.Market", models.PROTECT, null=True, blank=True, related_name="+", help_text=_("Empty: all.")
    )
    tier = models.PositiveSmallIntegerField(default=0, help_text=_("For customers of this tier or a higher."))
    min_volume = amount_field(
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_("Traded within 30 days at least, in the asset of reference."),
    )
    maker_bps = models.PositiveSmallIntegerField(
        validators=[MaxValueValidator(MOST_FEE_BPS)],
        help_text=_("Basis points of what the customer receives."),
    )
    taker_bps = models.PositiveSmallIntegerField(validators=[MaxValueValidator(MOST_FEE_BPS)])
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["market_id", "min_volume", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(maker_bps__lte=MOST_FEE_BPS, taker_bps__lte=MOST_FEE_BPS, min_volume__gte=0),
                name="fee_rule_within_bounds",
            )
        ]

    def __str__(self) -> str:
        return self.name


class TradedVolume(models.Model):
    """What a customer has traded within 30 days, in the asset of reference, as it was counted last."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", primary_key=True)
    volume = amount_field()
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user_id}: {plain(self.volume)}"
