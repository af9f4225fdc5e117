"""The flight recorder: what was heard of an order, and what was asked about it in vain."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.models.fields import amount_field
from orders.models.orders import Order, VenueOrder


class Source(models.TextChoices):
    """Which way it came, or to which request it was the answer."""

    ANSWER = "answer", _("answer to the order")
    STREAM = "stream", _("user data stream")
    RECONCILIATION = "reconciliation", _("answer to a question")
    CANCEL = "cancel", _("answer to a cancel")
    AMEND = "amend", _("answer to a smaller size")
    REPLACE = "replace", _("answer to a replacement")


class OrderEvent(models.Model):
    """Something heard of an order or asked of the venue, once and for ever; what the orders' own columns say already
    is not here again."""

    class Kind(models.TextChoices):
        REPORT = "REPORT", _("report")
        REFUSED = "REFUSED", _("refusal")
        NOT_SENT = "NOT_SENT", _("not sent")
        UNKNOWN = "UNKNOWN", _("no answer")
        ASKED = "ASKED", _("request")

    class Effect(models.TextChoices):
        CHANGED = "CHANGED", _("changed the books")
        LATE = "LATE", _("traded after its end")

    id = models.BigAutoField(primary_key=True)
    # No foreign keys in the database: who notes what he heard waits for nobody who has the order locked, and orders
    # are never deleted.
    order = models.ForeignKey(
        Order, models.PROTECT, related_name="events", db_constraint=False, db_index=False
    )
    venue_order = models.ForeignKey(
        VenueOrder, models.PROTECT, related_name="events", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind)
    source = models.CharField(max_length=14, choices=Source)
    effect = models.CharField(max_length=7, choices=Effect, blank=True)
    status = models.CharField(max_length=24, blank=True, help_text=_("As the venue says it, in our words."))
    quantity = amount_field(null=True)
    cumulative_quantity = amount_field(null=True)
    cumulative_quote = amount_field(null=True)
    venue_time_ms = models.BigIntegerField(null=True)
    trades = ArrayField(
        models.CharField(max_length=24),
        default=list,
        help_text=_("The venue's numbers of the trades told of; of an allocation after an a."),
    )
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["order", "id"], name="order_event_of_order")]

    def __str__(self) -> str:
        return f"{self.kind} {self.source} {self.status or self.code}".strip()

    @property
    def is_never_sent(self) -> bool:
        """The order itself did not leave the house, or was turned away unread."""
        return self.kind == self.Kind.NOT_SENT and self.source == Source.ANSWER


class Inquiry(models.Model):
    """The venue was asked of an order, and nothing new was learned: one row, counted, until something happens.

    So a day without the venue leaves a row for each order, and not one for each of a sweep's questions.
    """

    class Kind(models.TextChoices):
        QUERY = "QUERY", _("question")
        CANCEL = "CANCEL", _("cancel")

    class Outcome(models.TextChoices):
        UNANSWERED = "UNANSWERED", _("no answer")
        REFUSED = "REFUSED", _("refused")
        NOT_FOUND = "NOT_FOUND", _("not known there")
        UNCHANGED = "UNCHANGED", _("nothing new")

    id = models.BigAutoField(primary_key=True)
    venue_order = models.ForeignKey(
        VenueOrder, models.PROTECT, related_name="inquiries", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=6, choices=Kind)
    outcome = models.CharField(max_length=10, choices=Outcome)
    after_event = models.BigIntegerField(help_text=_("The order's last event before; 0 for none."))
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    reason = models.CharField(max_length=200, blank=True, help_text=_("What was said the last time."))

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "inquiries"
        constraints = [
            models.UniqueConstraint(
                fields=["venue_order", "kind", "outcome", "after_event"], name="one_inquiry_until_an_event"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome} × {self.count}"
