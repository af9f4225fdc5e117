"""Money that goes out."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ledger.models.fields import amount_field
from ledger.models.networks import Network


class Withdrawal(models.Model):
    class Status(models.TextChoices):
        REQUESTED = "REQUESTED", _("waiting for approval")
        APPROVED = "APPROVED", _("approved")
        SENDING = "SENDING", _("being sent")
        SENT = "SENT", _("sent, waiting for the network")
        COMPLETED = "COMPLETED", _("completed")
        FAILED = "FAILED", _("failed, refunded")
        REFUSED = "REFUSED", _("refused, refunded")
        CANCELED = "CANCELED", _("canceled, refunded")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="withdrawals")
    nonce = models.CharField(max_length=64)
    request_hash = models.CharField(max_length=64)
    client_id = models.CharField(max_length=40, unique=True, help_text=_("withdrawOrderId at the venue."))
    asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    network = models.ForeignKey(Network, models.PROTECT, related_name="+")
    address = models.CharField(max_length=200)
    tag = models.CharField(max_length=100, blank=True)
    amount = amount_field(help_text=_("Taken from the customer, the fee included."))
    fee = amount_field()
    status = models.CharField(max_length=9, choices=Status, default=Status.REQUESTED)
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    venue_id = models.CharField(max_length=100, blank=True)
    tx_id = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    requested_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    sending_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "nonce"], name="one_withdrawal_a_nonce"),
            models.CheckConstraint(
                condition=Q(amount__gt=F("fee")) & Q(fee__gte=0), name="withdrawal_leaves_something"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("user")),
                name="withdrawal_decided_by_another_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.asset_id} {self.status}"

    @property
    def net(self):  # type: ignore[no-untyped-def]
        return self.amount - self.fee
