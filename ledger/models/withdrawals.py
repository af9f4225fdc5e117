"""Money that goes out."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from ledger.models.fields import amount_field
from ledger.models.networks import Network


class Withdrawal(models.Model):
    """What was asked for never changes; its steps go one way only (ledger/sql/steps.sql)."""

    class Status(models.TextChoices):
        AWAITING = "AWAITING", _("waiting for your confirmation")
        REQUESTED = "REQUESTED", _("waiting for approval")
        APPROVED = "APPROVED", _("approved")
        SENDING = "SENDING", _("being sent")
        SENT = "SENT", _("sent, waiting for the network")
        STOPPED = "STOPPED", _("stopped, being looked into")
        COMPLETED = "COMPLETED", _("completed")
        FAILED = "FAILED", _("failed, refunded")
        REFUSED = "REFUSED", _("refused, refunded")
        CANCELED = "CANCELED", _("canceled, refunded")
        EXPIRED = "EXPIRED", _("not confirmed in time, refunded")

    class Reason(models.TextChoices):
        """Why a person has to look; staff read the words."""

        NOT_SMALL = "NOT_SMALL", _("Worth more within a day than what may leave without a person.")
        LARGE = "LARGE", _("Worth so much within a day that two people decide.")
        NEW_ADDRESS = "NEW_ADDRESS", _("Nothing of theirs was ever sent to this address.")
        NEW_DEVICE = "NEW_DEVICE", _("Signed in from a new device or network within a day.")
        SECURITY_CHANGE = (
            "SECURITY_CHANGE",
            _("A password, address or second factor was changed shortly before."),
        )
        MANY = "MANY", _("Many withdrawals within a day.")
        FROZEN = "FROZEN", _("The customer was frozen when it was about to be sent.")
        CHANGED_SINCE = "CHANGED_SINCE", _("A security setting was changed after the confirmation.")
        OVER_LIMIT = "OVER_LIMIT", _("Over the customer's limits when it was about to be sent.")
        NOT_IN_BOOK = "NOT_IN_BOOK", _("The address was no longer allowed by the address book.")
        DEPOSIT_LOCKED = "DEPOSIT_LOCKED", _("A deposit it may have come from is not final any more.")

    class Holder(models.TextChoices):
        """Who keeps the address that is paid (FATF recommendation 16)."""

        OWN = "OWN", _("my own wallet")
        SERVICE = "SERVICE", _("an exchange or another service")
        OTHER = "OTHER", _("somebody else's own wallet")

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
    value = amount_field(default=0, help_text=_("Worth in the reference asset when it was asked for."))
    beneficiary = models.TextField(blank=True, help_text=_("Who receives it, encrypted."))
    status = models.CharField(max_length=9, choices=Status, default=Status.AWAITING)
    token_digest = models.CharField(max_length=64, blank=True)
    confirm_by = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    seal = models.CharField(
        max_length=64, blank=True, help_text=_("Signed at the confirmation; asked again before sending.")
    )
    not_before = models.DateTimeField(null=True, help_text=_("Is not sent earlier."))
    reasons = models.JSONField(default=list)
    needs = models.PositiveSmallIntegerField(default=1, help_text=_("How many people must approve it."))
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+")
    venue_id = models.CharField(max_length=100, blank=True)
    tx_id = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    requested_at = models.DateTimeField(default=timezone.now)
    moved_at = models.DateTimeField(default=timezone.now, help_text=_("When it came into its state."))
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    sending_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "nonce"], name="one_withdrawal_a_nonce"),
            models.UniqueConstraint(fields=["id", "user"], name="withdrawal_and_its_customer"),
            models.CheckConstraint(
                condition=Q(amount__gt=F("fee")) & Q(fee__gte=0), name="withdrawal_leaves_something"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("user")),
                name="withdrawal_decided_by_another_person",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["AWAITING", "CANCELED", "EXPIRED", "REFUSED"])
                | Q(confirmed_at__isnull=False),
                name="only_a_confirmed_withdrawal_goes_on",
            ),
            models.CheckConstraint(
                condition=Q(needs__lte=2) & Q(value__gte=0), name="withdrawal_needs_at_most_two_people"
            ),
        ]
        indexes = [models.Index(fields=["user", "requested_at"]), models.Index(fields=["status", "id"])]

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.asset_id} {self.status}"

    @property
    def net(self) -> Decimal:
        return self.amount - self.fee

    @property
    def is_cancelable(self) -> bool:
        """Nothing has been sent: the customer may still take it back."""
        return self.status in {self.Status.AWAITING, self.Status.REQUESTED, self.Status.APPROVED}

    @property
    def reasons_in_words(self) -> list[str]:
        return [str(self.Reason(code).label) for code in self.reasons]


class WithdrawalApproval(models.Model):
    """One person's yes; it stands until the withdrawal goes back to be looked at again."""

    withdrawal = models.ForeignKey(
        Withdrawal, models.PROTECT, related_name="approvals", db_constraint=False
    )  # with the customer, by the constraint of withdrawals.sql
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["withdrawal", "by"], name="one_approval_a_person"),
            models.CheckConstraint(condition=~Q(by=F("customer")), name="nobody_approves_their_own"),
        ]

    def __str__(self) -> str:
        return f"{self.by_id} approves {self.withdrawal_id}"


class WithdrawalTerms(models.Model):
    """One row a customer: its lock orders their withdrawals, and it says where money may go."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True, related_name="withdrawal_terms"
    )
    is_book_only = models.BooleanField(
        default=False, help_text=_("Money goes to addresses of the book alone.")
    )
    book_only_until = models.DateTimeField(null=True, help_text=_("Switched off, and in force until then."))

    def __str__(self) -> str:
        return f"terms of {self.user_id}"


class SavedAddress(models.Model):
    """An entry of a customer's address book; removed ones stay on record."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="saved_addresses")
    network = models.ForeignKey(Network, models.PROTECT, related_name="+")
    address = models.CharField(max_length=200)
    tag = models.CharField(max_length=100, blank=True)
    label = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    usable_at = models.DateTimeField(
        help_text=_("From then on it counts where only the book's addresses do.")
    )
    removed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("saved address")
        verbose_name_plural = _("saved addresses")
        ordering = ["label", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "network", "address", "tag"],
                condition=Q(removed_at__isnull=True),
                name="one_entry_an_address",
            ),
            models.UniqueConstraint(
                fields=["user", "network", "label"],
                condition=Q(removed_at__isnull=True),
                name="one_entry_a_label",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.address}"

    @property
    def is_cooling(self) -> bool:
        return timezone.now() < self.usable_at
