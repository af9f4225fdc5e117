"""The chains assets travel on."""

from django.db import models

from ledger.models.fields import amount_field


class Network(models.Model):
    """A chain an asset can travel on, with the venue's rules (capital/config/getall)."""

    asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="networks")
    code = models.CharField(max_length=32)
    name = models.CharField(max_length=80, blank=True)
    is_default = models.BooleanField(default=False)
    deposit_enabled = models.BooleanField(default=False)
    withdraw_enabled = models.BooleanField(default=False)
    deposit_note = models.CharField(max_length=300, blank=True)
    withdraw_note = models.CharField(max_length=300, blank=True)
    needs_tag = models.BooleanField(default=False)
    address_regex = models.CharField(max_length=500, blank=True)
    tag_regex = models.CharField(max_length=500, blank=True)
    withdraw_fee = amount_field(default=0)
    withdraw_min = amount_field(default=0)
    withdraw_max = amount_field(default=0)
    withdraw_multiple = amount_field(default=0)
    confirmations = models.PositiveIntegerField(default=0)
    unlock_confirmations = models.PositiveIntegerField(default=0)
    deposit_min = amount_field(default=0)
    arrival_minutes = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "code"], name="one_network_of_an_asset")]

    def __str__(self) -> str:
        return f"{self.asset_id} ({self.name or self.code})"
