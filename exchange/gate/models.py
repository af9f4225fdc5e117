"""The accounts we have at the venue, and which kind of venue this installation belongs to."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

DEPOSIT_STRATEGIES = ("SUB_ACCOUNT", "MEMO", "ANNOUNCED")


class Installation(models.Model):
    """The single row that remembers the venue kind of the first start: play money never becomes real."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    venue = models.CharField(max_length=8)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="installation_is_one_row")]

    def __str__(self) -> str:
        return self.venue


class VenueAccount(models.Model):
    """One set of keys and funds at the venue; the keys themselves stay in the environment of the processes."""

    class StreamState(models.TextChoices):
        DOWN = "DOWN", _("down")
        SUBSCRIBED = "SUBSCRIBED", _("subscribed")

    class Deposits(models.TextChoices):
        """How deposits are told apart. Nothing weaker than what is set here is ever used."""

        SUB_ACCOUNT = "SUB_ACCOUNT", _("a sub-account and an address for each customer")
        MEMO = "MEMO", _("a shared address with a memo for each customer")
        ANNOUNCED = "ANNOUNCED", _("the pooled address; deposits are announced and decided by staff")

    name = models.CharField(max_length=32, unique=True)
    venue = models.CharField(max_length=8)
    is_primary = models.BooleanField(default=False)
    stream_state = models.CharField(max_length=10, choices=StreamState, default=StreamState.DOWN)
    stream_changed_at = models.DateTimeField(null=True)
    stream_seen_at = models.DateTimeField(
        null=True, help_text=_("Last sign of life on the user data stream.")
    )
    stream_reason = models.CharField(max_length=200, blank=True, help_text=_("Why it is down."))
    stream_alarmed_at = models.DateTimeField(
        null=True, help_text=_("When staff were last told that something is wrong with it.")
    )
    # Whoever has it hears everything about the account's orders for as long as it lives: in no log, on no page.
    listen_key = models.CharField(max_length=128, blank=True)
    listen_key_renewed_at = models.DateTimeField(null=True)
    deposit_strategy = models.CharField(max_length=11, choices=Deposits, default=Deposits.SUB_ACCOUNT)
    deposit_fallback = models.CharField(
        max_length=11,
        choices=Deposits,
        blank=True,
        help_text=_(
            "Where a network or the venue does not offer the first; empty: deposits are refused there."
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("venue account")
        constraints = [
            models.UniqueConstraint(
                fields=["is_primary"], condition=Q(is_primary=True), name="one_primary_venue_account"
            ),
            models.CheckConstraint(
                condition=Q(deposit_strategy__in=DEPOSIT_STRATEGIES)
                & Q(deposit_fallback__in=["", *DEPOSIT_STRATEGIES]),
                name="deposit_strategies_are_known",
            ),
            models.CheckConstraint(
                condition=~Q(deposit_fallback=models.F("deposit_strategy")),
                name="deposit_fallback_is_another_strategy",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def deposit_strategies(self) -> list[str]:
        """The ways to tell deposits apart, in the order in which they are tried."""
        return [found for found in (self.deposit_strategy, self.deposit_fallback) if found]
