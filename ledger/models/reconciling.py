"""Our books held against the venue's, run by run, and the differences that came of it, each with an owner."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange.errors import Text
from exchange.money import plain
from ledger.models.books import Transfer
from ledger.models.fields import amount_field


class Place(models.TextChoices):
    """Where the assets lie."""

    VENUE = "VENUE", _("trading account")
    CUSTODY = "CUSTODY", _("sub-accounts")


class Reconciliation(models.Model):
    """One comparison of every asset with what the venue says it holds for us."""

    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    is_ok = models.BooleanField(help_text=_("Nothing differs that is not explained."))
    assets = models.PositiveIntegerField()
    differing = models.PositiveIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_ok=True, differing=0) | Q(is_ok=False, differing__gt=0),
                name="reconciliation_is_ok_without_differences",
            )
        ]

    def __str__(self) -> str:
        return f"{self.venue_account} {self.at:%Y-%m-%d %H:%M:%S}"


class ReconciledAsset(models.Model):
    """One asset in one place: ours, theirs, what is under way between the two, and what is left."""

    reconciliation = models.ForeignKey(Reconciliation, models.CASCADE, related_name="rows")
    place = models.CharField(max_length=8, choices=Place)
    asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    ours = amount_field()
    free = amount_field()
    locked = amount_field()
    explained = amount_field(default=0)
    difference = amount_field()
    explanations = models.JSONField(default=list)

    class Meta:
        ordering = ["place", "asset_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["reconciliation", "place", "asset"], name="one_row_an_asset_and_place"
            ),
            models.CheckConstraint(
                condition=Q(difference=F("free") + F("locked") - F("ours") - F("explained")),
                name="difference_is_what_is_not_explained",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.asset_id}"

    @property
    def theirs(self) -> Decimal:
        return Decimal(self.free) + Decimal(self.locked)


class HistoryCheck(models.Model):
    """One part of one day of the venue's history, compared record by record: deposits, or a market's trades."""

    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    day = models.DateField()
    part = models.CharField(max_length=80)
    at = models.DateTimeField(default=timezone.now)
    compared = models.PositiveIntegerField()
    differing = models.PositiveIntegerField()

    class Meta:
        ordering = ["-day", "part"]
        constraints = [
            models.UniqueConstraint(fields=["venue_account", "day", "part"], name="one_check_of_a_part_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.part}"


class LedgerException(models.Model):
    """A difference with an owner and an age: something the books could only book to suspense or slippage, or in which
    they and the venue differ. Closed by a request that a second person granted, never deleted."""

    class Source(models.TextChoices):
        """What found it. The values are in rows of every age and stay as they are; people read the labels."""

        UNATTRIBUTED = "unattributed deposit", _("unattributed deposit")
        UNLISTED = "deposit of an asset that is not listed", _("deposit of an asset that is not listed")
        NOT_BOOKABLE = "deposit that cannot be booked", _("deposit that cannot be booked")
        ODD_DEPOSIT = "odd deposit record", _("odd deposit record")
        REVERSED = "deposit reversed by the venue", _("deposit reversed by the venue")
        NOT_SWEPT = "deposit not swept", _("deposit not swept")
        PATTERN = "pattern of the venue not usable", _("pattern of the venue not usable")
        WITHDRAWAL_NOT_AS_CONFIRMED = (
            "withdrawal not as it was confirmed",
            _("withdrawal not as it was confirmed"),
        )
        WITHDRAWAL_NOT_AS_SENT = "withdrawal not as it was sent", _("withdrawal not as it was sent")
        WITHDRAWAL_WAITS = "withdrawal waits for the house", _("withdrawal waits for the house")
        WITHDRAWAL_OVERDUE = "withdrawal overdue", _("withdrawal overdue")
        SENT_THOUGH_REFUNDED = (
            "withdrawal sent though it was refunded",
            _("withdrawal sent though it was refunded"),
        )
        WITHDRAWAL_UNDONE = "withdrawal undone by the venue", _("withdrawal undone by the venue")
        UNCOVERED_FILL = "uncovered fill", _("uncovered fill")
        ORPHAN_FILL = "fill of an unknown order", _("fill of an unknown order")
        LOST_ORDER = "order the venue does not know", _("order the venue does not know")
        STANDING_ORDER = "order without a hold at the venue", _("order without a hold at the venue")
        BALANCE = "the venue and the books differ", _("the venue and the books differ")
        DEPOSIT_DIFFERS = "deposit differs from the venue's", _("deposit differs from the venue's")
        DEPOSIT_NOT_THERE = "deposit the venue does not show", _("deposit the venue does not show")
        WITHDRAWAL_DIFFERS = "withdrawal differs from the venue's", _("withdrawal differs from the venue's")
        WITHDRAWAL_NOT_OURS = "withdrawal nobody here asked for", _("withdrawal nobody here asked for")
        WITHDRAWAL_NOT_THERE = "withdrawal the venue does not show", _("withdrawal the venue does not show")
        TRADE_MISSING = "trade was missing here", _("trade was missing here")
        TRADE_DIFFERS = "trade differs from the venue's", _("trade differs from the venue's")
        TRADE_NOT_THERE = "trade the venue does not show", _("trade the venue does not show")
        COMMISSION_DIFFERS = "commission differs from the venue's", _("commission differs from the venue's")
        NOT_COMPARED = "history not compared", _("history not compared")
        NEGATIVE_BALANCE = "negative balance", _("negative balance")
        SEALS = "chain of seals", _("chain of seals")
        NO_PROOF = "proof not published", _("proof not published")

    source = models.CharField(max_length=40, choices=Source)
    key = models.CharField(max_length=120, unique=True)
    asset = models.ForeignKey("markets.Asset", models.PROTECT, null=True, related_name="+")
    amount = amount_field(null=True)
    detail = models.JSONField(default=dict)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="owned_differences"
    )
    cause = models.CharField(max_length=300, blank=True, help_text=_("Probable, by rules."))
    suggestion = models.JSONField(default=list, help_text=_("Lines that would book it to suspense."))
    created_at = models.DateTimeField(auto_now_add=True)
    # Of differences that a reconciliation found:
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, null=True, related_name="+")
    place = models.CharField(max_length=8, choices=Place, blank=True)
    reconciliation = models.ForeignKey(Reconciliation, models.PROTECT, null=True, related_name="+")
    seen_at = models.DateTimeField(null=True, help_text=_("The latest run that still found it."))
    gone_at = models.DateTimeField(null=True, help_text=_("The first run that found it no more."))
    stops_asset = models.BooleanField(
        default=False, help_text=_("No new orders and withdrawals of the asset.")
    )
    # How it ended:
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(blank=True)
    approval = models.ForeignKey("office.Approval", models.PROTECT, null=True, related_name="+")
    transfer = models.ForeignKey(Transfer, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("difference in the books")
        verbose_name_plural = _("differences in the books")
        constraints = [
            models.UniqueConstraint(
                fields=["venue_account", "place", "asset"],
                condition=Q(resolved_at__isnull=True) & ~Q(place=""),
                name="one_open_difference_an_asset_and_place",
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True) | Q(approval__isnull=False),
                name="exception_is_closed_by_an_approval",
            ),
        ]
        indexes = [
            models.Index(
                fields=["asset"],
                condition=Q(stops_asset=True, resolved_at__isnull=True, gone_at__isnull=True),
                name="exception_stops_an_asset",
            )
        ]

    def __str__(self) -> str:
        what = "" if self.amount is None else f" {plain(self.amount)} {self.asset_id or ''}"
        return f"{self.words}:{what or ' ' + self.key}"

    @property
    def words(self) -> Text:
        """What found it, in the language of who reads it; what is no code of this version as it was kept."""
        return dict(self.Source.choices).get(self.source, self.source)

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None
