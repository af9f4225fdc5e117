"""The books themselves: accounts, balances, transfers, entries, holds. Written only by `ledger_post`."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from ledger.models.fields import amount_field


class Account(models.Model):
    """A ledger account: a customer's (with a Balance row) or one of the house's (entries only)."""

    class Type(models.TextChoices):
        USER = "USER", _("customer")
        CUSTODY = "CUSTODY", _("custody")
        VENUE = "VENUE", _("venue")
        FEES = "FEES", _("fees")
        COMMISSION = "COMMISSION", _("venue commission")
        NETWORK_FEES = "NETWORK_FEES", _("network fees")
        SLIPPAGE = "SLIPPAGE", _("slippage")
        SUSPENSE = "SUSPENSE", _("suspense")
        ROUNDING = "ROUNDING", _("rounding")
        CONVERSION = "CONVERSION", _("conversion position")
        EQUITY = "EQUITY", _("equity")

    code = models.CharField(max_length=80, unique=True, help_text=_("type:owner or venue account:asset"))
    type = models.CharField(max_length=12, choices=Type)
    asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, null=True, related_name="+")

    class Meta:
        permissions = [
            ("see_treasury", _("May see the treasury and the reports")),
            ("download_reports", _("May download reports")),
            ("ask_adjustment", _("May ask for an adjustment")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["type", "asset", "owner", "venue_account"],
                nulls_distinct=False,
                name="one_account_of_a_kind",
            ),
            models.UniqueConstraint(fields=["id", "asset"], name="account_and_asset"),
            models.CheckConstraint(
                condition=Q(type="USER") ^ Q(owner__isnull=True), name="only_customers_own_accounts"
            ),
            models.CheckConstraint(
                condition=Q(type="VENUE") ^ Q(venue_account__isnull=True),
                name="only_venue_accounts_name_a_venue_account",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Balance(models.Model):
    account = models.OneToOneField(Account, models.PROTECT, primary_key=True)
    available = amount_field(default=0)
    held = amount_field(default=0)
    version = models.BigIntegerField(default=0, help_text=_("Number of the account's latest entry."))

    def __str__(self) -> str:
        return f"{plain(self.available)} + {plain(self.held)}"


class Transfer(models.Model):
    """One balanced record: what happened, under which key it can happen only once."""

    class Kind(models.TextChoices):
        DEPOSIT = "DEPOSIT", _("deposit")
        HOLD = "HOLD", _("hold")
        RELEASE = "RELEASE", _("release")
        FILL = "FILL", _("fill")
        FEE = "FEE", _("fee")
        COMMISSION = "COMMISSION", _("venue commission")
        WITHDRAWAL = "WITHDRAWAL", _("withdrawal")
        SWEEP = "SWEEP", _("sweep to the trading account")
        CROSS = "CROSS", _("trade between two customers")
        CONVERT = "CONVERT", _("conversion")
        COVER = "COVER", _("cover of conversions")
        DUST = "DUST", _("dust")
        ADJUSTMENT = "ADJUSTMENT", _("adjustment")
        REVERSAL = "REVERSAL", _("reversal")

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=32)
    key = models.CharField(max_length=120)
    request_hash = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    reference = models.CharField(max_length=200, blank=True)
    reverses = models.ForeignKey("self", models.PROTECT, null=True, related_name="reversals", db_index=False)
    approval = models.ForeignKey(
        "office.Approval", models.PROTECT, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # xid xid8 DEFAULT pg_current_xact_id() is added by the migration: a transfer is closed to later entries.

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="one_transfer_a_key"),
            models.UniqueConstraint(
                fields=["reverses"], condition=Q(reverses__isnull=False), name="one_reversal_a_transfer"
            ),
            models.UniqueConstraint(
                fields=["approval"], condition=Q(approval__isnull=False), name="one_transfer_an_approval"
            ),
        ]
        indexes = [
            models.Index(fields=["reference"], name="transfer_by_reference"),
            models.Index(fields=["id"], condition=Q(kind="CROSS"), name="crossed_transfers"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.scope}:{self.key}"


class Entry(models.Model):
    class Bucket(models.TextChoices):
        AVAILABLE = "A", _("available")
        HELD = "H", _("held")
        SYSTEM = "S", _("house")

    id = models.BigAutoField(primary_key=True)
    # That transfer and (account, asset) exist is asked once a statement by the trigger, not once a row; none of them
    # can be deleted.
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="entries", db_constraint=False)
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="entries", db_constraint=False, db_index=False
    )
    asset = models.ForeignKey(
        "markets.Asset", models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    bucket = models.CharField(max_length=1, choices=Bucket)
    amount = amount_field()
    seq = models.BigIntegerField(null=True)
    balance_after = amount_field(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="entry_sequence_of_an_account")
        ]

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.asset_id} {self.bucket}"


class Hold(models.Model):
    """Money set aside for one cause; released by the hold, never by amount."""

    class Cause(models.TextChoices):
        ORDER = "ORDER", _("order")
        LIST = "LIST", _("order list")
        CHANGE = "CHANGE", _("change of an order")
        BRIDGE = "BRIDGE", _("second of two trades")
        WITHDRAWAL = "WITHDRAWAL", _("withdrawal")

    account = models.ForeignKey(Account, models.PROTECT, related_name="holds", db_constraint=False)
    cause = models.CharField(max_length=10, choices=Cause)
    cause_id = models.BigIntegerField()
    amount = amount_field()
    remaining = amount_field()
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cause", "cause_id"], name="one_hold_a_cause"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0) & Q(remaining__lte=F("amount")),
                name="hold_remaining_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(is_open=True) | Q(remaining=0), name="closed_hold_holds_nothing"
            ),
        ]

    def __str__(self) -> str:
        return f"{plain(self.remaining)} of {plain(self.amount)} for {self.cause} {self.cause_id}"
