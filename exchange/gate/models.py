"""The accounts we have at the venue, which kind of venue this installation belongs to, and what staff have stopped."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from exchange.gate.errors import Stopped

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
    """One set of keys and funds at the venue; its keys are sealed in a row of their own, or in the settings."""

    class StreamState(models.TextChoices):
        DOWN = "DOWN", _("down")
        SUBSCRIBED = "SUBSCRIBED", _("subscribed")

    class KeyState(models.TextChoices):
        """What is known of its key; with one that is not fit, or that the venue refuses, no order is placed."""

        UNCHECKED = "UNCHECKED", _("not looked at yet")
        GOOD = "GOOD", _("good")
        UNFIT = "UNFIT", _("not fit")
        REFUSED = "REFUSED", _("refused by the venue")

    class Deposits(models.TextChoices):
        """How deposits are told apart. Nothing weaker than what is set here is ever used."""

        SUB_ACCOUNT = "SUB_ACCOUNT", _("a sub-account and an address for each customer")
        MEMO = "MEMO", _("a shared address with a memo for each customer")
        ANNOUNCED = "ANNOUNCED", _("the pooled address; deposits are announced and decided by staff")

    name = models.CharField(max_length=32, unique=True)
    venue = models.CharField(max_length=8)
    is_primary = models.BooleanField(default=False)
    is_enabled = models.BooleanField(
        default=True,
        help_text=_("Takes new orders; what is open in one that does not is followed to its end."),
    )
    proxy = models.CharField(
        max_length=200, blank=True, help_text=_("The way by which it is asked, such as http://host:port.")
    )
    keys_version = models.PositiveIntegerField(default=1, editable=False)
    key_state = models.CharField(max_length=9, choices=KeyState, default=KeyState.UNCHECKED)
    key_reason = models.CharField(max_length=200, blank=True, help_text=_("What speaks against its key."))
    key_checked_at = models.DateTimeField(null=True)
    inventory_at = models.DateTimeField(
        null=True, help_text=_("When the venue was last asked what lies there.")
    )
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
    def is_trusted(self) -> bool:
        """Orders may be placed with its key; where money is real, only once the venue said what the key may do."""
        if settings.VENUE == "live":
            return self.key_state == self.KeyState.GOOD
        return self.key_state not in (self.KeyState.UNFIT, self.KeyState.REFUSED)

    @property
    def deposit_strategies(self) -> list[str]:
        """The ways to tell deposits apart, in the order in which they are tried."""
        return [found for found in (self.deposit_strategy, self.deposit_fallback) if found]


class Ban(models.Model):
    """The venue wants to hear nothing from an address of ours, or no new orders of an account, until then."""

    key = models.CharField(max_length=64, help_text=_("Whose: egress:… or account:…"))
    http_status = models.PositiveSmallIntegerField()
    until = models.DateTimeField()
    odd = models.CharField(
        max_length=40, blank=True, help_text=_("A time to wait that was odd, as it was told.")
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["until"], name="ban_until")]

    def __str__(self) -> str:
        return f"{self.key}: {self.http_status}"


class VenueLimit(models.Model):
    """A limit as the venue's catalogue tells it: the most in so many seconds."""

    limiter = models.CharField(max_length=32)
    seconds = models.PositiveIntegerField()
    most = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("limit of the venue")
        verbose_name_plural = _("limits of the venue")
        ordering = ["limiter", "seconds"]
        constraints = [
            models.UniqueConstraint(fields=["limiter", "seconds"], name="one_venue_limit_of_a_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.limiter}: {self.most} / {self.seconds} s"


class SealedKey(models.Model):
    """The trading key of a venue account, readable only with a secret that is not in the database."""

    class Kind(models.TextChoices):
        HMAC = "HMAC", "HMAC"
        ED25519 = "ED25519", "Ed25519"

    venue_account = models.OneToOneField(
        VenueAccount, models.CASCADE, primary_key=True, related_name="sealed_key"
    )
    sealed = models.TextField()
    sealed_under = models.CharField(max_length=8, help_text=_("The name of the secret it was sealed under."))
    kind = models.CharField(max_length=7, choices=Kind)
    fingerprint = models.CharField(max_length=32)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.fingerprint


class Inventory(models.Model):
    """What of an asset lies in a venue account, as the venue told it last: by its events, and by a sweep that asks."""

    venue_account = models.ForeignKey(VenueAccount, models.CASCADE, related_name="inventory")
    asset = models.CharField(max_length=32)
    free = models.DecimalField(max_digits=38, decimal_places=18)
    locked = models.DecimalField(max_digits=38, decimal_places=18)
    told_ms = models.BigIntegerField(help_text=_("The venue's time of it."))

    class Meta:
        verbose_name_plural = _("inventory")
        ordering = ["asset", "venue_account"]
        constraints = [
            models.UniqueConstraint(fields=["venue_account", "asset"], name="one_inventory_of_an_asset"),
        ]

    def __str__(self) -> str:
        return f"{self.asset} in {self.venue_account}"


class Runway(models.Model):
    """How long what lies in a venue account lasts, as a sweep judged it last."""

    venue_account = models.ForeignKey(VenueAccount, models.CASCADE, related_name="runways")
    asset = models.CharField(max_length=32)
    free = models.DecimalField(max_digits=38, decimal_places=18)
    needed = models.DecimalField(
        max_digits=38,
        decimal_places=18,
        help_text=_("By orders under way, and by those that wait for another."),
    )
    hourly = models.DecimalField(
        max_digits=38,
        decimal_places=18,
        help_text=_("What left on balance in the last hour; below zero it came."),
    )
    hours = models.DecimalField(
        max_digits=12,
        decimal_places=1,
        null=True,
        help_text=_("Until it is used up at that rate; empty: never."),
    )
    is_low = models.BooleanField(default=False)
    judged_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, help_text=_("When staff were last told that it is low."))

    class Meta:
        verbose_name = _("inventory and runway")
        verbose_name_plural = _("inventory and runway")
        ordering = ["-is_low", "asset", "venue_account"]
        constraints = [
            models.UniqueConstraint(fields=["venue_account", "asset"], name="one_runway_of_an_asset"),
        ]

    def __str__(self) -> str:
        return f"{self.asset} in {self.venue_account}"


class RunwayBar(models.Model):
    """What staff want to be told of: an asset that lasts shorter, or of which less is free, in any account."""

    asset = models.CharField(max_length=32, unique=True)
    hours = models.PositiveIntegerField()
    least = models.DecimalField(max_digits=38, decimal_places=18, default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(least__gte=0), name="runway_bar_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.asset}: {self.hours} h"


class Switch(models.Model):
    """A stop by staff: what it names takes no new orders while it stands. One person flips it, two release it."""

    class Scope(models.TextChoices):
        EVERYTHING = "EVERYTHING", _("all new orders")
        MARKET = "MARKET", _("new orders in one market")
        SIDE = "SIDE", _("new orders of one side")
        CUSTOMER = "CUSTOMER", _("new orders of one customer")
        API = "API", _("orders by the API")
        CANCEL_ONLY = "CANCEL_ONLY", _("everything but cancels")

    SIDES = (("BUY", _("buy")), ("SELL", _("sell")))
    scope = models.CharField(_("what is stopped"), max_length=11, choices=Scope)
    market = models.ForeignKey("markets.Market", models.PROTECT, null=True, blank=True, related_name="+")
    side = models.CharField(max_length=4, choices=SIDES, blank=True)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    reason = models.TextField(help_text=_("For staff; kept on record."))
    public_reason = models.CharField(
        max_length=200, blank=True, help_text=_("A sentence that customers read; empty: none.")
    )
    flipped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    flipped_at = models.DateTimeField(auto_now_add=True)
    release = models.OneToOneField(
        "office.Approval",
        models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("The latest request to release it."),
    )
    released_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("kill switch")
        verbose_name_plural = _("kill switches")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope__in=["EVERYTHING", "API"], market=None, side="", customer=None)
                | Q(scope="MARKET", market__isnull=False, side="", customer=None)
                | Q(scope="SIDE", side__in=["BUY", "SELL"], customer=None)
                | Q(scope="CUSTOMER", market=None, side="", customer__isnull=False)
                | Q(scope="CANCEL_ONLY", side="", customer=None),
                name="switch_names_what_it_stops",
                violation_error_message=_(
                    "Name the market, the side or the customer that is stopped, and nothing besides."
                ),
            ),
            models.UniqueConstraint(
                fields=["scope", "market", "side", "customer"],
                condition=Q(released_at__isnull=True),
                nulls_distinct=False,
                name="one_standing_switch_of_a_kind",
                violation_error_message=_("A switch for exactly this stands already."),
            ),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True) | Q(release__isnull=False),
                name="switch_is_released_by_request",
            ),
        ]

    def __str__(self) -> str:
        named = [self.market_id, self.get_side_display(), str(self.customer) if self.customer_id else ""]
        return ": ".join(filter(None, [str(self.get_scope_display()), ", ".join(filter(None, named))]))

    @property
    def refusal(self) -> Stopped:
        """What an order that it stops is told."""
        return Stopped(
            scope=self.scope, market=self.market_id or "", side=self.side, reason=self.public_reason
        )
