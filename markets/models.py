"""Facts about the world: assets, markets and their filters, candles."""

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from markets import rules

MOST_FEE_BPS = 1000


class Asset(models.Model):
    code = models.CharField(primary_key=True, max_length=32)
    name = models.CharField(max_length=80, blank=True)
    scale = models.PositiveSmallIntegerField(default=8, help_text=_("Decimals kept in the books."))
    max_amount = models.DecimalField(max_digits=38, decimal_places=18, default=10**15)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(scale__lte=18), name="asset_scale_at_most_18")
        ]

    def __str__(self) -> str:
        return self.code


class Market(models.Model):
    """A pair as the venue lists it; `filters` keeps the venue's own words and exact texts."""

    symbol = models.CharField(primary_key=True, max_length=64)
    base = models.ForeignKey(Asset, models.PROTECT, related_name="+")
    quote = models.ForeignKey(Asset, models.PROTECT, related_name="+")
    status = models.CharField(max_length=32)
    filters = models.JSONField(default=list)
    order_types = models.JSONField(default=list)
    base_precision = models.PositiveSmallIntegerField(default=8)
    quote_precision = models.PositiveSmallIntegerField(default=8)
    allows_quote_quantity = models.BooleanField(default=False)
    abilities = models.JSONField(default=list, blank=True, help_text=_("What else the venue can do in it."))
    permission_sets = models.JSONField(
        default=list, blank=True, help_text=_("An account needs one permission of each set.")
    )
    stp_modes = models.JSONField(default=list, blank=True, help_text=_("Self-trade prevention."))
    default_stp_mode = models.CharField(max_length=32, blank=True)
    is_listed = models.BooleanField(default=False, help_text=_("Shown to customers."))
    rank = models.PositiveIntegerField(default=1000)
    own_fee_bps = models.PositiveSmallIntegerField(
        _("fee of its own"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_FEE_BPS)],
        help_text=_("Basis points of what the customer receives; empty: the platform's fee."),
    )
    own_stp_mode = models.CharField(
        _("self-trade prevention of its own"),
        max_length=32,
        blank=True,
        choices=[(mode, mode) for mode in rules.ENDING],
        help_text=_(
            "Which of two customers' orders ends when they would trade with each other at the venue; empty: as the"
            " venue does it there."
        ),
    )
    seen_at = models.DateTimeField(null=True, help_text=_("Last time the venue's list had it."))

    class Meta:
        ordering = ["rank", "symbol"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(own_fee_bps__isnull=True) | models.Q(own_fee_bps__lte=MOST_FEE_BPS),
                name="market_fee_at_most_a_tenth",
            )
        ]

    def __str__(self) -> str:
        return self.symbol

    @property
    def is_trading(self) -> bool:
        return self.is_listed and rules.allows(self.status, rules.Act.PLACE)

    @property
    def stp_mode_to_name(self) -> str:
        """The mode of self-trade prevention that an order has to name there; empty where it needs none."""
        return rules.prevention_to_name(self.default_stp_mode, self.stp_modes, self.own_stp_mode)

    @property
    def fee_bps(self) -> int:
        """What an order placed now pays, in basis points."""
        return settings.PLATFORM_FEE_BPS if self.own_fee_bps is None else self.own_fee_bps


class VenueLimits(models.Model):
    """What the venue last said of its limits for everybody and everything; one row."""

    rate_limits = models.JSONField(default=list)
    filters = models.JSONField(default=list)

    def __str__(self) -> str:
        return "limits of the venue"


class Candle(models.Model):
    market = models.ForeignKey(Market, models.CASCADE, related_name="candles")
    interval = models.CharField(max_length=3)
    zone = models.SmallIntegerField(
        default=0, help_text=_("Minutes east of UTC in which its bounds are even.")
    )
    open_at = models.DateTimeField()
    open = models.DecimalField(max_digits=38, decimal_places=18)
    high = models.DecimalField(max_digits=38, decimal_places=18)
    low = models.DecimalField(max_digits=38, decimal_places=18)
    close = models.DecimalField(max_digits=38, decimal_places=18)
    volume = models.DecimalField(max_digits=38, decimal_places=18)
    quote_volume = models.DecimalField(max_digits=38, decimal_places=18)
    trades = models.PositiveBigIntegerField()
    is_closed = models.BooleanField()
    is_first = models.BooleanField(default=False, help_text=_("The venue has none before it."))
    follows_at = models.DateTimeField(
        null=True, help_text=_("When the one before it opened, where the venue has a hole between.")
    )
    seen_at = models.DateTimeField(null=True, help_text=_("When it was told to be so."))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["market", "interval", "zone", "open_at"], name="one_candle_a_bucket"
            )
        ]

    def __str__(self) -> str:
        return f"{self.market_id} {self.interval} {self.open_at:%Y-%m-%d %H:%M}"
