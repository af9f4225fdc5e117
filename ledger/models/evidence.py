"""What proves the books to others: blocks that seal transfers in a chain, and sums of the house's accounts."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from ledger.models.books import Account, Transfer
from ledger.models.fields import Xid8Field, amount_field


class Seal(models.Model):
    """A block of the chain, written by `ledger_seal_block` alone.

    It holds every transfer of the transactions from the previous block's horizon up to its own.
    """

    number = models.BigIntegerField(_("block"), primary_key=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    root = models.CharField(max_length=64, help_text=_("Merkle root of the transfers."))
    horizon = Xid8Field(help_text=_("The first transaction that is not in this block or an earlier one."))
    transfers = models.PositiveIntegerField()
    created_at = models.DateTimeField(_("sealed at"))
    exported_at = models.DateTimeField(null=True, help_text=_("When it was written to the file of seals."))

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=1, transfers__gte=1), name="seal_counts_from_one"),
            models.UniqueConstraint(fields=["previous_hash"], name="chain_does_not_fork"),
        ]
        indexes = [
            models.Index(fields=["number"], condition=Q(exported_at__isnull=True), name="seal_not_exported"),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.hash[:12]}…"


class SealedTransfer(models.Model):
    """In which block a transfer is, at which place, and the hash of what it was then."""

    # No foreign key: asking for each transfer once more would write to its row. Transfers cannot be deleted.
    transfer = models.OneToOneField(
        Transfer, models.PROTECT, primary_key=True, related_name="sealed", db_constraint=False
    )
    seal = models.ForeignKey(Seal, models.PROTECT, related_name="members", db_index=False)
    position = models.PositiveIntegerField()
    leaf = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["seal", "position"], name="one_transfer_a_place_in_a_block"),
            models.CheckConstraint(condition=Q(position__gte=1), name="places_count_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.transfer_id} in {self.seal_id}"


class Snapshot(models.Model):
    """The sum of a house account's entries of all transactions below the horizon, which is final."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="snapshots", db_index=False)
    horizon = Xid8Field()
    amount = amount_field()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "horizon"], name="one_snapshot_a_horizon"),
        ]

    def __str__(self) -> str:
        return f"{plain(self.amount)} before {self.horizon}"
