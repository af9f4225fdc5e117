"""What the customer wants (Order, OrderList), what was sent for it (VenueOrder), what came of it (Fill)."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.errors import GIVEN_UP
from orders.models.fields import amount_field
from orders.rules import AMEND, CANCEL_REPLACE, TAKING_ROOM


class Side(models.TextChoices):
    BUY = "BUY", _("buy")
    SELL = "SELL", _("sell")


class Type(models.TextChoices):
    LIMIT = "LIMIT", _("limit")
    LIMIT_MAKER = "LIMIT_MAKER", _("post only")
    MARKET = "MARKET", _("market")
    STOP_LOSS = "STOP_LOSS", _("stop")
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT", _("stop limit")
    TAKE_PROFIT = "TAKE_PROFIT", _("take profit")
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT", _("take profit limit")


class TimeInForce(models.TextChoices):
    GTC = "GTC", _("good till canceled")
    IOC = "IOC", _("immediate or cancel")
    FOK = "FOK", _("fill or kill")


class Channel(models.TextChoices):
    """By which way an order came in: API is whoever shows a token, HOUSE covers what the house sold by itself."""

    SITE = "SITE", _("website")
    API = "API", _("API")
    HOUSE = "HOUSE", _("the house itself")


class RouteKind(models.TextChoices):
    """How an order is executed; empty where its market has no other way than the venue's book of it."""

    DIRECT = "DIRECT", _("the market itself")
    SOR = "SOR", _("routed by the venue")
    TWO_LEGS = "TWO_LEGS", _("two trades over another asset")
    CROSS = "CROSS", _("with another customer of ours")


class Crossing(models.IntegerChoices):
    NEVER = 0, _("never")
    UNDER_WAY = 1, _("under way")
    OVER = 2, _("over")


class Status(models.TextChoices):
    WAITING = "WAITING", _("waiting for the first order")
    PENDING = "PENDING", _("being placed")
    OPEN = "OPEN", _("open")
    PARTIALLY_FILLED = "PARTIALLY_FILLED", _("partly filled")
    FILLED = "FILLED", _("filled")
    CANCELED = "CANCELED", _("canceled")
    REJECTED = "REJECTED", _("rejected")
    EXPIRED = "EXPIRED", _("expired")


FINAL = (Status.FILLED, Status.CANCELED, Status.REJECTED, Status.EXPIRED)


class OrderList(models.Model):
    """Orders that were given together: one ends or begins by what becomes of another."""

    class Kind(models.TextChoices):
        OCO = "OCO", _("one cancels the other")
        OTO = "OTO", _("one triggers the other")
        OTOCO = "OTOCO", _("one triggers two, of which one cancels the other")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="order_lists")
    nonce = models.CharField(
        max_length=64, help_text=_("The customer's own id: unique for ever, a repeat is harmless.")
    )
    request_hash = models.CharField(max_length=64)
    kind = models.CharField(max_length=5, choices=Kind)
    market = models.ForeignKey("markets.Market", models.PROTECT, related_name="+")
    client_order_id = models.CharField(
        max_length=36, blank=True, help_text=_("By which the venue knows the two that cancel each other.")
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["user", "nonce"], name="one_order_list_a_nonce")]
        indexes = [models.Index(fields=["user", "-id"])]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    @property
    def status(self) -> str:
        """In the venue's words: EXECUTING while any of its orders has not ended, REJECT when none was taken."""
        found = {order.status for order in self.orders.all()}
        if not found <= set(FINAL):
            return "EXECUTING"
        return "REJECT" if found == {Status.REJECTED} else "ALL_DONE"


class Leg(models.TextChoices):
    """What an order is in its list; ABOVE and BELOW are the two of which one cancels the other."""

    WORKING = "WORKING", _("first")
    PENDING = "PENDING", _("follows")
    ABOVE = "ABOVE", _("above")
    BELOW = "BELOW", _("below")


PAIR = (Leg.ABOVE, Leg.BELOW)


class Order(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", db_index=False)
    nonce = models.CharField(
        max_length=70, help_text=_("The customer's own id: unique for ever, a repeat is harmless.")
    )
    channel = models.CharField(max_length=5, choices=Channel, default=Channel.SITE)
    request_hash = models.CharField(max_length=64)
    # An order is found by its list, and by what it is a part of, by the constraints below.
    order_list = models.ForeignKey(
        OrderList, models.PROTECT, null=True, related_name="orders", db_index=False
    )
    leg = models.CharField(max_length=7, choices=Leg, blank=True)
    replaces = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="replacements", db_index=False,
        help_text=_("Whose place it takes."),
    )  # fmt: skip
    extra_hold = amount_field(
        null=True, help_text=_("Held besides, while the hold of the order it replaces is to become its own.")
    )
    route = models.CharField(
        max_length=8, choices=RouteKind, blank=True, default="", help_text=_("Empty: nothing was compared.")
    )
    route_of = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        related_name="parts",
        db_index=False,
        help_text=_("Of which order it is a part."),
    )
    part = models.PositiveSmallIntegerField(null=True, help_text=_("The first or the second of its parts."))
    crossing = models.PositiveSmallIntegerField(
        default=Crossing.NEVER, choices=Crossing, help_text=_("With an order of another customer of ours.")
    )
    market = models.ForeignKey("markets.Market", models.PROTECT, related_name="+", db_index=False)
    side = models.CharField(max_length=4, choices=Side)
    type = models.CharField(max_length=20, choices=Type)
    time_in_force = models.CharField(max_length=3, choices=TimeInForce, blank=True)
    price = amount_field(null=True)
    quantity = amount_field(null=True)
    original_quantity = amount_field(null=True, help_text=_("Before it was made smaller."))
    amends = models.PositiveSmallIntegerField(default=0)
    amend_asked_at = models.DateTimeField(
        null=True, help_text=_("It was asked to be made smaller; until it is certain what became of that.")
    )
    quote_quantity = amount_field(null=True)
    stop_price = amount_field(null=True)
    trailing_delta = models.PositiveIntegerField(
        null=True, help_text=_("Basis points from the best price since.")
    )
    iceberg_quantity = amount_field(null=True)
    protection_price = amount_field(null=True)
    fee_bps = models.PositiveSmallIntegerField(help_text=_("What a taker pays."))
    maker_fee_bps = models.PositiveSmallIntegerField()
    fee_rule = models.ForeignKey(
        "orders.FeeRule", models.PROTECT, null=True, related_name="+", db_index=False
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    cumulative_quantity = amount_field(default=0)
    cumulative_quote = amount_field(default=0)
    cancel_requested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "nonce"], name="one_order_a_nonce"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=False) | Q(quote_quantity__isnull=False),
                name="order_asks_for_something",
            ),
            models.CheckConstraint(
                condition=~Q(type="LIMIT") | (Q(price__gt=0) & Q(quantity__gt=0)),
                name="limit_order_has_price_and_quantity",
            ),
            models.CheckConstraint(
                condition=~Q(type__in=["STOP_LOSS", "TAKE_PROFIT"]) | Q(side="SELL"),
                name="bought_only_up_to_a_limit",
            ),
            models.CheckConstraint(
                condition=Q(order_list__isnull=True, leg="") | Q(order_list__isnull=False) & ~Q(leg=""),
                name="leg_is_of_a_list",
            ),
            models.UniqueConstraint(
                fields=["order_list", "leg"],
                condition=Q(order_list__isnull=False),
                name="one_order_a_leg",
            ),
            models.CheckConstraint(
                condition=~Q(status="WAITING") | Q(order_list__isnull=False) & ~Q(leg="WORKING"),
                name="only_a_later_leg_waits",
            ),
            models.CheckConstraint(
                condition=Q(extra_hold__isnull=True)
                | Q(extra_hold__gte=0, replaces__isnull=False, finished_at__isnull=True),
                name="takes_a_hold_over_from_another",
            ),
            models.UniqueConstraint(
                fields=["route_of", "part"], condition=Q(route_of__isnull=False), name="one_order_a_part"
            ),
            models.CheckConstraint(
                condition=Q(route_of__isnull=True, part__isnull=True)
                | Q(route_of__isnull=False, part__in=[1, 2]),
                name="part_is_of_an_order",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"]),
            models.Index(
                fields=["status", "updated_at"],
                condition=Q(status__in=["PENDING", "OPEN", "PARTIALLY_FILLED"]),
                name="order_unfinished",
            ),
            models.Index(fields=["order_list"], condition=Q(status="WAITING"), name="order_waiting"),
            models.Index(
                fields=["replaces"], condition=Q(replaces__isnull=False), name="order_that_replaces"
            ),
            models.Index(
                fields=["user", "market"],
                condition=Q(status__in=TAKING_ROOM),
                name="order_of_customer_takes_room",
            ),
            models.Index(
                fields=["finished_at"], condition=Q(reason_code__in=GIVEN_UP), name="order_given_up"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.side} {self.market_id} {self.status}"

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_paired(self) -> bool:
        """One of two of which only one trades: both are paid from the list's one hold."""
        return self.leg in PAIR

    @property
    def is_later(self) -> bool:
        """Nobody waits for it to be sent: it comes after the first of its list, is the second part of another, or what
        was not traded with another customer."""
        if self.crossing != Crossing.NEVER:
            return True
        if self.route_of_id is not None:
            return self.part == 2
        if self.order_list is None or self.leg == Leg.WORKING:
            return False
        return self.order_list.kind != OrderList.Kind.OCO

    @property
    def is_changeable(self) -> bool:
        """It stands at the venue alone, nobody has canceled it, and its market lets orders be changed."""
        if self.status not in (Status.OPEN, Status.PARTIALLY_FILLED) or self.cancel_requested_at:
            return False
        if self.order_list_id is not None or self.crossing == Crossing.UNDER_WAY:
            return False
        return self.quantity is not None and not {AMEND, CANCEL_REPLACE}.isdisjoint(self.market.abilities)

    @property
    def keeps_place(self) -> bool:
        """It does when it is only made smaller."""
        return AMEND in self.market.abilities

    @property
    def left(self) -> Decimal | None:
        """How much of it has not traded; None when it is given by total."""
        return None if self.quantity is None else self.quantity - self.cumulative_quantity

    @property
    def named(self) -> dict[str, Any]:
        """What a kill switch may name of it."""
        words: dict[str, Any] = {"market": self.market_id, "side": self.side}
        return {**words, "customer": self.user_id, "channel": self.channel}

    @property
    def paid_asset_id(self) -> str:
        return self.market.quote_id if self.side == Side.BUY else self.market.base_id

    @property
    def way(self) -> str:
        """How it is executed."""
        return self.route or RouteKind.DIRECT

    @property
    def received_asset_id(self) -> str:
        return self.market.base_id if self.side == Side.BUY else self.market.quote_id


class VenueOrder(models.Model):
    """What was sent to the venue; the row, written with the hold, is the record of intent. There is no outbox."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="venue_orders")
    venue_account = models.ForeignKey("gate.VenueAccount", models.PROTECT, related_name="+", db_index=False)
    client_order_id = models.CharField(max_length=36)
    venue_order_id = models.BigIntegerField(null=True)
    type = models.CharField(max_length=20)
    time_in_force = models.CharField(max_length=3, blank=True)
    price = amount_field(null=True)
    quantity = amount_field(null=True)
    quote_quantity = amount_field(null=True)
    stop_price = amount_field(null=True)
    trailing_delta = models.PositiveIntegerField(null=True)
    iceberg_quantity = amount_field(null=True)
    by_sor = models.BooleanField(default=False, help_text=_("The venue may fill it from other books too."))
    timestamp_ms = models.BigIntegerField(help_text=_("Signed with exactly this; nobody sends late."))
    recv_window_ms = models.PositiveIntegerField()
    send_by = models.DateTimeField()
    decision = models.JSONField(null=True, help_text=_("Book and prices as they were when it was decided."))
    request_hash = models.CharField(
        max_length=64, blank=True, help_text=_("SHA-256 of what is signed, without key and signature.")
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    cumulative_quantity = amount_field(default=0)
    cumulative_quote = amount_field(default=0)
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    checks = models.PositiveIntegerField(default=0)
    missing_asks = models.PositiveIntegerField(
        default=0, help_text=_("How often, at intervals, the venue said that it does not know what it had.")
    )
    missing_at = models.DateTimeField(null=True, help_text=_("When it said so last, of those."))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # Rows lie in the order of time: a few pages tell where a day lies, and those who write pay next to nothing.
        indexes = [
            BrinIndex(fields=["created_at"], name="venue_order_by_time", pages_per_range=32),
            models.Index(fields=["venue_order_id"], name="venue_order_by_number"),
            # For the sweeps, which look for these every other second among all there ever were.
            models.Index(
                fields=["checked_at"], condition=~Q(status__in=FINAL), name="venue_order_unfinished"
            ),
        ]
        # By a constraint and not by the field, which would have a second index for what begins with a text.
        constraints = [models.UniqueConstraint(fields=["client_order_id"], name="one_venue_order_a_name")]

    def __str__(self) -> str:
        return self.client_order_id
