"""The books, and the money that comes in and goes out. Written only by `ledger_post` and the services."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


def amount_field(**options: object) -> models.DecimalField:
    return models.DecimalField(max_digits=38, decimal_places=18, **options)  # type: ignore[arg-type]


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
        EQUITY = "EQUITY", _("equity")

    type = models.CharField(max_length=12, choices=Type)
    asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, null=True, related_name="+")

    class Meta:
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
        return f"{self.type}:{self.owner_id or self.venue_account_id or ''}:{self.asset_id}"


class Balance(models.Model):
    account = models.OneToOneField(Account, models.PROTECT, primary_key=True)
    available = amount_field(default=0)
    held = amount_field(default=0)
    version = models.BigIntegerField(default=0, help_text=_("Number of the account's latest entry."))

    def __str__(self) -> str:
        return f"{self.available} + {self.held}"


class Transfer(models.Model):
    """One balanced record: what happened, under which key it can happen only once."""

    class Kind(models.TextChoices):
        DEPOSIT = "DEPOSIT", _("deposit")
        HOLD = "HOLD", _("hold")
        RELEASE = "RELEASE", _("release")
        FILL = "FILL", _("fill")
        COMMISSION = "COMMISSION", _("venue commission")
        WITHDRAWAL = "WITHDRAWAL", _("withdrawal")
        SWEEP = "SWEEP", _("sweep to the trading account")
        ADJUSTMENT = "ADJUSTMENT", _("adjustment")
        REVERSAL = "REVERSAL", _("reversal")

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=32)
    key = models.CharField(max_length=120)
    request_hash = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    reference = models.CharField(max_length=200, blank=True)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, related_name="reversed_by")
    approval = models.OneToOneField("office.Approval", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    # xid xid8 DEFAULT pg_current_xact_id() is added by the migration: a transfer is closed to later entries.

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="one_transfer_a_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.scope}:{self.key}"


class Entry(models.Model):
    class Bucket(models.TextChoices):
        AVAILABLE = "A", _("available")
        HELD = "H", _("held")
        SYSTEM = "S", _("house")

    id = models.BigAutoField(primary_key=True)
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="entries")
    account = models.ForeignKey(Account, models.PROTECT, related_name="entries")
    asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+")
    bucket = models.CharField(max_length=1, choices=Bucket)
    amount = amount_field()
    seq = models.BigIntegerField(null=True)
    balance_after = amount_field(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="entry_sequence_of_an_account")
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.asset_id} {self.bucket}"


class Hold(models.Model):
    """Money set aside for one cause; released by the hold, never by amount."""

    class Cause(models.TextChoices):
        ORDER = "ORDER", _("order")
        WITHDRAWAL = "WITHDRAWAL", _("withdrawal")

    account = models.ForeignKey(Account, models.PROTECT, related_name="holds")
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
        return f"{self.remaining} of {self.amount} for {self.cause} {self.cause_id}"


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
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "code"], name="one_network_of_an_asset")]

    def __str__(self) -> str:
        return f"{self.asset_id} ({self.name or self.code})"


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
