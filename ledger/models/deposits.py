"""Money that comes in."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from ledger.models.books import Transfer
from ledger.models.fields import amount_field
from ledger.models.networks import Network


class SubAccount(models.Model):
    """A customer's own sub-account at the venue, so that deposits have an address of their own."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="venue_sub_account")
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    name = models.CharField(max_length=40, unique=True, help_text=_("What we asked the venue to call it."))
    email = models.CharField(max_length=254, blank=True, help_text=_("What the venue calls it."))
    asked_at = models.DateTimeField(null=True, help_text=_("When the venue was last asked to make it."))
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class DepositAddress(models.Model):
    """An address that belongs to one customer alone, or, without one, is shown to all: then deposits are announced."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="deposit_addresses"
    )
    network = models.ForeignKey(Network, models.PROTECT, related_name="+")
    sub_account = models.ForeignKey(SubAccount, models.PROTECT, null=True, related_name="addresses")
    address = models.CharField(max_length=200)
    tag = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("deposit address")
        verbose_name_plural = _("deposit addresses")
        constraints = [
            models.UniqueConstraint(fields=["user", "network"], name="one_deposit_address_a_network"),
            models.UniqueConstraint(
                fields=["network", "address", "tag"], name="deposit_address_belongs_to_one"
            ),
            models.UniqueConstraint(
                fields=["network"], condition=Q(user__isnull=True), name="one_shared_address_a_network"
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(sub_account__isnull=True),
                name="shared_address_is_of_no_sub_account",
            ),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def is_shared(self) -> bool:
        return self.user_id is None


class DepositReading(models.Model):
    """How far the deposits of one account at the venue were read; without a sub-account the trading account itself."""

    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    sub_account = models.ForeignKey(SubAccount, models.PROTECT, null=True, related_name="+")
    tried_at = models.DateTimeField(null=True)
    read_to = models.DateTimeField(null=True, help_text=_("Everything up to here was read without a gap."))
    wide_at = models.DateTimeField(
        null=True, help_text=_("Last time everything was read that the venue still shows.")
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["venue_account", "sub_account"],
                nulls_distinct=False,
                name="one_deposit_reading_an_account",
            )
        ]

    def __str__(self) -> str:
        return f"{self.sub_account or self.venue_account} to {self.read_to}"


class Deposit(models.Model):
    class Status(models.TextChoices):
        SEEN = "SEEN", _("waiting for confirmations")
        HELD_UP = "HELD_UP", _("held up at the venue")
        CHECKING = "CHECKING", _("being checked")
        UNLISTED = "UNLISTED", _("kept until the asset is listed")
        LOCKED = "LOCKED", _("credited, cannot leave yet")
        CREDITED = "CREDITED", _("credited")
        REJECTED = "REJECTED", _("rejected by the venue")
        GONE = "GONE", _("no longer known to the venue")
        DUST = "DUST", _("too small to be booked")
        UNATTRIBUTED = "UNATTRIBUTED", _("waiting for staff")
        RETURNED = "RETURNED", _("sent back")
        KEPT = "KEPT", _("kept by the house")
        REVERSED = "REVERSED", _("taken back, in review")
        TAKEN_BACK = "TAKEN_BACK", _("taken back")

    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    venue_id = models.CharField(max_length=100)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="deposits")
    sub_account = models.ForeignKey(SubAccount, models.PROTECT, null=True, related_name="+")
    coin = models.CharField(max_length=32, help_text=_("What the venue calls the asset."))
    asset = models.ForeignKey(
        "markets.Asset", models.PROTECT, null=True, related_name="+", help_text=_("Empty until it is listed.")
    )
    network = models.CharField(max_length=32)
    address = models.CharField(max_length=200)
    tag = models.CharField(max_length=100, blank=True)
    tx_id = models.CharField(max_length=200, blank=True)
    amount = amount_field()
    remainder = amount_field(default=0, help_text=_("Finer than the books keep: it stays at the venue."))
    is_internal = models.BooleanField(default=False, help_text=_("From another account at the venue."))
    status = models.CharField(max_length=12, choices=Status, default=Status.SEEN)
    venue_status = models.SmallIntegerField()
    confirmations = models.CharField(max_length=20, blank=True)
    unlock_confirmations = models.PositiveIntegerField(default=0)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    correction = models.OneToOneField(
        Transfer,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("What four eyes booked afterwards."),
    )
    request = models.ForeignKey(
        "office.Approval",
        models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("What a second person is asked."),
    )
    inserted_at = models.DateTimeField(help_text=_("The venue's time of its record."))
    changed_at = models.DateTimeField(help_text=_("When the latest change was read at the venue."))
    missing_reads = models.PositiveIntegerField(default=0)
    missing_since = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(auto_now_add=True)
    credited_at = models.DateTimeField(null=True)
    unlocked_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True, help_text=_("When four eyes ended it."))
    swept_at = models.DateTimeField(null=True)
    sweep_tried_at = models.DateTimeField(null=True)
    sweep_round = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("deposit")
        ordering = ["-id"]
        indexes = [
            models.Index(Upper("tx_id"), name="deposit_by_transaction"),
            models.Index(
                fields=["id"],
                condition=Q(
                    sub_account__isnull=False, swept_at__isnull=True, status__in=["LOCKED", "CREDITED"]
                ),
                name="deposit_to_be_swept",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["venue_account", "venue_id"], name="one_deposit_a_venue_id"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, remainder__gte=0, remainder__lte=F("amount")),
                name="deposit_amount_above_zero",
            ),
            models.CheckConstraint(
                condition=Q(asset__isnull=True) | Q(asset=F("coin")), name="deposit_asset_is_its_coin"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["SEEN", "HELD_UP", "CHECKING", "UNLISTED", "REJECTED", "GONE", "DUST"]
                )
                ^ Q(transfer__isnull=False),
                name="deposit_booked_has_a_transfer",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["LOCKED", "CREDITED"]) | Q(user__isnull=False),
                name="deposit_credited_has_an_owner",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["UNATTRIBUTED", "RETURNED", "KEPT"]) | Q(user__isnull=True),
                name="deposit_in_suspense_has_none",
            ),
        ]

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.coin} {self.status}"

    @property
    def booked(self) -> Decimal:
        """The amount in the books."""
        return self.amount - self.remainder

    @property
    def is_on_its_way(self) -> bool:
        """Credited, and not at the trading account yet."""
        return self.sub_account_id is not None and self.transfer_id is not None and self.swept_at is None
