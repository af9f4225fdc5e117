"""Proofs of what customers were owed at a moment; ledger/proof.py says how their trees are made."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Proof(models.Model):
    """A root, and what it stands for; never changed once it is published."""

    number = models.PositiveBigIntegerField(unique=True)
    taken_at = models.DateTimeField(help_text=_("The moment of the balances."))
    root = models.CharField(max_length=64)
    totals = models.JSONField(help_text=_("What all customers together were owed, by asset."))
    customers = models.PositiveIntegerField()
    seal_number = models.PositiveBigIntegerField(
        null=True, help_text=_("The latest sealed block of the books then.")
    )
    seal_hash = models.CharField(max_length=64, blank=True)
    published_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(number__gt=0) & Q(customers__gt=0), name="proof_is_of_somebody"
            ),
            models.CheckConstraint(condition=Q(root__regex=r"^[0-9a-f]{64}$"), name="proof_root_is_a_hash"),
            models.CheckConstraint(
                condition=Q(seal_number__isnull=True, seal_hash="")
                | Q(seal_number__isnull=False, seal_hash__regex=r"^[0-9a-f]{64}$"),
                name="proof_names_a_whole_seal",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.root[:12]}"

    @property
    def assets(self) -> list[str]:
        """In the order of the tree's vectors."""
        return sorted(self.totals)


class ProofLeaf(models.Model):
    """Where a customer is in the tree; the amounts and the path are read from its levels."""

    proof = models.ForeignKey(Proof, models.PROTECT, related_name="leaves", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    nonce = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["proof", "user"], name="one_leaf_a_customer"),
            models.UniqueConstraint(fields=["proof", "position"], name="one_leaf_a_position"),
        ]

    def __str__(self) -> str:
        return f"{self.proof_id}: {self.user_id} at {self.position}"


class ProofLevel(models.Model):
    """All records of one level of the tree, side by side; level 0 is that of the leaves."""

    proof = models.ForeignKey(Proof, models.PROTECT, related_name="levels", db_index=False)
    level = models.PositiveSmallIntegerField()
    records = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["proof", "level"], name="one_row_a_level")]

    def __str__(self) -> str:
        return f"{self.proof_id}: level {self.level}"
