"""Differences between our books and the venue, each with an age."""

from django.db import models

from ledger.models.fields import amount_field


class LedgerException(models.Model):
    """A difference with an owner and an age: something the books could only book to suspense or slippage."""

    source = models.CharField(max_length=40)
    key = models.CharField(max_length=120, unique=True)
    asset = models.ForeignKey("markets.Asset", models.PROTECT, null=True, related_name="+")
    amount = amount_field(null=True)
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.source} {self.key}"
