"""One trade of one order."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from orders.models.fields import amount_field
from orders.models.orders import Order, RouteKind, VenueOrder
from orders.rules import trade_name


class Fill(models.Model):
    venue_order = models.ForeignKey(VenueOrder, models.PROTECT, null=True, related_name="fills")
    order = models.ForeignKey(Order, models.PROTECT, related_name="fills")
    # The constraints below find trades by these.
    venue_account = models.ForeignKey(
        "gate.VenueAccount", models.PROTECT, null=True, related_name="+", db_index=False
    )
    cross = models.ForeignKey(
        "orders.Cross",
        models.PROTECT,
        null=True,
        related_name="fills",
        db_index=False,
        help_text=_("With another customer, not at the venue."),
    )
    market = models.ForeignKey("markets.Market", models.PROTECT, related_name="+", db_index=False)
    trade_id = models.BigIntegerField(null=True)
    allocation_id = models.BigIntegerField(null=True)
    price = amount_field()
    quantity = amount_field()
    quote_quantity = amount_field()
    fee = amount_field()
    fee_asset = models.ForeignKey("markets.Asset", models.PROTECT, related_name="+", db_index=False)
    commission = amount_field(default=0)
    commission_asset = models.CharField(max_length=32, blank=True)
    is_maker = models.BooleanField(null=True)
    improvement = amount_field(
        null=True,
        help_text=_("In quote: better for the customer than the venue's best price at that moment."),
    )
    transfer_id = models.BigIntegerField(help_text=_("The ledger's transfer."))
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["venue_account", "market", "trade_id"],
                condition=Q(allocation_id__isnull=True),
                name="one_fill_a_venue_trade",
            ),
            models.UniqueConstraint(
                fields=["venue_account", "market", "allocation_id"],
                condition=Q(allocation_id__isnull=False),
                name="one_fill_an_allocation",
            ),
            models.CheckConstraint(
                condition=Q(cross__isnull=True, venue_order__isnull=False, venue_account__isnull=False)
                & (Q(trade_id__isnull=False) | Q(allocation_id__isnull=False))
                | Q(cross__isnull=False, trade_id__isnull=True, allocation_id__isnull=True),
                name="fill_is_of_the_venue_or_a_cross",
            ),
            models.UniqueConstraint(
                fields=["cross", "order"], condition=Q(cross__isnull=False), name="one_fill_a_side_of_a_cross"
            ),
        ]
        indexes = [BrinIndex(fields=["at"], name="fill_by_time", pages_per_range=32)]

    def __str__(self) -> str:
        return f"{plain(self.quantity)} @ {plain(self.price)}"

    @property
    def trade_name(self) -> str:
        if self.cross_id is not None:
            return f"x{self.cross_id}"
        return trade_name(self.trade_id, self.allocation_id)

    @property
    def route(self) -> RouteKind:
        """How it came about."""
        if self.cross_id is not None:
            return RouteKind.CROSS
        if self.allocation_id is not None:
            return RouteKind.SOR
        return RouteKind.DIRECT if self.order.route_of_id is None else RouteKind.TWO_LEGS

    @property
    def fee_bps(self) -> int:
        return self.order.maker_fee_bps if self.is_maker else self.order.fee_bps
