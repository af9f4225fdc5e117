"""A customer's order against another customer's that rests at the venue: taken back from there, then traded here."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from orders.models.fields import amount_field


class Cross(models.Model):
    """One trade between two of our customers, from the question to the venue until it is in the books, or is not."""

    class State(models.TextChoices):
        ASKED = "ASKED", _("the venue is asked to give it back")
        TAKEN = "TAKEN", _("the venue has given it back")
        SETTLED = "SETTLED", _("traded")
        MISSED = "MISSED", _("the venue did not give it back")
        RETURNED = "RETURNED", _("not traded; goes back to the venue")

    OPEN = (State.ASKED, State.TAKEN)

    taker = models.ForeignKey("orders.Order", models.PROTECT, related_name="crosses_taken")
    maker = models.ForeignKey("orders.Order", models.PROTECT, related_name="crosses_made")
    sent = models.ForeignKey(
        "orders.VenueOrder", models.PROTECT, related_name="crosses", help_text=_("What rests at the venue.")
    )
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    price = amount_field()
    quantity = amount_field(help_text=_("Wanted; when it is settled: traded."))
    to_quantity = amount_field(
        null=True, help_text=_("To which size the resting order is amended; empty: it is canceled.")
    )
    taken = amount_field(null=True)
    best = amount_field(null=True, help_text=_("The venue's best price for the taker when it was settled."))
    reason = models.CharField(max_length=40, blank=True, help_text=_("Why it was not settled."))
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("crossed trade")
        verbose_name_plural = _("crossed trades")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["maker"], condition=Q(state__in=["ASKED", "TAKEN"]), name="one_open_cross_of_a_maker"
            ),
            models.CheckConstraint(condition=~Q(taker=models.F("maker")), name="nobody_crosses_himself"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0) & (Q(to_quantity__isnull=True) | Q(to_quantity__gt=0)),
                name="cross_is_of_something",
            ),
        ]
        indexes = [
            models.Index(fields=["asked_at"], condition=Q(state__in=["ASKED", "TAKEN"]), name="cross_open")
        ]

    def __str__(self) -> str:
        return f"{plain(self.quantity)} @ {plain(self.price)} {self.state}"
