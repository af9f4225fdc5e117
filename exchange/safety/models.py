"""What protects customers: from their own absence, and at once when they press the button."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from exchange.safety.rules import LEAST_SECONDS, MOST_SECONDS
from orders.models import Channel

# Who can be gone: the page that was open, or the program.
OWNERS = (Channel.SITE, Channel.API)


class Patience(models.IntegerChoices):
    """What pages offer, in seconds: a browser lets pages in the background sleep for a minute."""

    TWO = 120, _("2 minutes")
    FIVE = 300, _("5 minutes")
    FIFTEEN = 900, _("15 minutes")
    HOUR = 3600, _("1 hour")


class Countdown(models.Model):
    """A dead-man's switch: it cancels the customer's orders unless its deadline is moved. A program's and a page's are
    two, so that the one does not keep the other's alive."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="countdowns")
    market = models.ForeignKey(
        "markets.Market", models.PROTECT, null=True, related_name="+", help_text=_("Empty: all.")
    )
    channel = models.CharField(max_length=4, choices=[(one.value, one.label) for one in OWNERS])
    seconds = models.PositiveIntegerField()
    deadline_at = models.DateTimeField(null=True, help_text=_("By the database's clock; empty: not armed."))
    renewed_at = models.DateTimeField(null=True)
    fired_at = models.DateTimeField(null=True, help_text=_("When it fired last."))
    fired_orders = models.PositiveIntegerField(null=True, help_text=_("Whose end was asked for then."))
    firings = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("dead-man's switch")
        verbose_name_plural = _("dead-man's switches")
        ordering = ["user_id", "market_id", "channel"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "market", "channel"], nulls_distinct=False, name="one_countdown_of_a_kind"
            ),
            models.CheckConstraint(
                condition=Q(seconds__gte=LEAST_SECONDS, seconds__lte=MOST_SECONDS),
                name="countdown_within_bounds",
            ),
        ]
        indexes = [
            models.Index(
                fields=["deadline_at"], condition=Q(deadline_at__isnull=False), name="countdown_armed"
            )
        ]

    def __str__(self) -> str:
        return f"{self.market_id or '*'} {self.seconds} s"

    @property
    def is_armed(self) -> bool:
        return self.deadline_at is not None


class Panic(models.Model):
    """The button was pressed: the account is locked; what else is to end is asked for until all of it is on record."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="panics")
    channel = models.CharField(max_length=4, choices=[(one.value, one.label) for one in OWNERS])
    pressed_at = models.DateTimeField(auto_now_add=True)
    sessions = models.PositiveIntegerField(help_text=_("That ended."))
    tokens = models.PositiveIntegerField(help_text=_("That were revoked."))
    orders = models.PositiveIntegerField(default=0, help_text=_("Whose end was asked for."))
    withdrawals = models.PositiveIntegerField(default=0, help_text=_("That were taken back."))
    finished_at = models.DateTimeField(null=True, help_text=_("Nothing is left to be asked for."))

    class Meta:
        verbose_name = _("panic")
        verbose_name_plural = _("panics")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(finished_at__isnull=True), name="panic_unfinished")
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.pressed_at:%Y-%m-%d %H:%M:%S}"
