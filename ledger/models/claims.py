"""Deposits that customers announce, because the address they are sent to is everybody's."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from ledger.models.deposits import Deposit
from ledger.models.fields import amount_field
from ledger.models.networks import Network


class DepositClaim(models.Model):
    """A customer says: this transaction is mine. It books nothing; four eyes do."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("waiting")
        ACCEPTED = "ACCEPTED", _("accepted")
        REFUSED = "REFUSED", _("refused")
        CANCELED = "CANCELED", _("canceled")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="deposit_claims")
    network = models.ForeignKey(Network, models.PROTECT, related_name="+")
    amount = amount_field(help_text=_("What the customer expects; nothing is ever decided by it."))
    tx_id = models.CharField(max_length=200)
    from_address = models.CharField(max_length=200, blank=True)
    statement = models.TextField(max_length=2000, blank=True)
    proof = models.CharField(max_length=64, blank=True, help_text=_("The file's name among the documents."))
    proof_type = models.CharField(max_length=32, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    deposit = models.ForeignKey(Deposit, models.PROTECT, null=True, related_name="claims")
    reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("announced deposit")
        ordering = ["-id"]
        indexes = [models.Index(Upper("tx_id"), name="claim_by_transaction")]
        constraints = [
            models.UniqueConstraint(
                "user",
                "network",
                Upper("tx_id"),
                "amount",
                condition=Q(status="OPEN"),
                name="one_open_claim_of_a_kind",
            ),
            models.UniqueConstraint(
                fields=["deposit"], condition=Q(status="ACCEPTED"), name="one_accepted_claim_a_deposit"
            ),
            models.CheckConstraint(
                condition=Q(status="ACCEPTED") ^ Q(deposit__isnull=True), name="claim_accepted_has_a_deposit"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "CANCELED"]) | Q(decided_at__isnull=False),
                name="claim_decided_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=models.F("user")),
                name="claim_decided_by_another_person",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="claim_amount_above_zero"),
        ]

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.network.asset_id} {self.status}"
