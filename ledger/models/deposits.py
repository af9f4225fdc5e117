"""Money that comes in."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ledger.models.books import Transfer
from ledger.models.fields import amount_field
from ledger.models.networks import Network


class SubAccount(models.Model):
    """A customer's own sub-account at the venue, so that deposits have an address of their own."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="venue_sub_account")
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    name = models.CharField(max_length=40, unique=True, help_text=_("What we asked the venue to call it."))
    email = models.CharField(max_length=254, blank=True, help_text=_("What the venue calls it."))
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class DepositAddress(models.Model):
    """An address that belongs to one customer alone; nobody else is ever shown it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="deposit_addresses")
    network = models.ForeignKey(Network, models.PROTECT, related_name="+")
    sub_account = models.ForeignKey(SubAccount, models.PROTECT, null=True, related_name="addresses")
    address = models.CharField(max_length=200)
    tag = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "network"], name="one_deposit_address_a_network"),
            models.UniqueConstraint(
                fields=["network", "address", "tag"], name="deposit_address_belongs_to_one"
            ),
        ]

    def __str__(self) -> str:
        return self.address


class Deposit(models.Model):
    class Status(models.TextChoices):
        SEEN = "SEEN", _("waiting for confirmations")
        LOCKED = "LOCKED", _("credited, cannot leave yet")
        CREDITED = "CREDITED", _("credited")
        REJECTED = "REJECTED", _("rejected by the venue")
        UNATTRIBUTED = "UNATTRIBUTED", _("waiting for staff")

    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    venue_id = models.CharField(max_length=100)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="deposits")
    sub_account = models.ForeignKey(SubAccount, models.PROTECT, null=True, related_name="+")
    asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    network = models.CharField(max_length=32)
    address = models.CharField(max_length=200)
    tag = models.CharField(max_length=100, blank=True)
    tx_id = models.CharField(max_length=200, blank=True)
    amount = amount_field()
    status = models.CharField(max_length=12, choices=Status, default=Status.SEEN)
    venue_status = models.SmallIntegerField()
    confirmations = models.CharField(max_length=20, blank=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    swept_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(auto_now_add=True)
    credited_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["venue_account", "venue_id"], name="one_deposit_a_venue_id")
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.asset_id} {self.status}"
