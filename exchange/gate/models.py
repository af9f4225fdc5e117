"""The accounts we have at the venue, and which kind of venue this installation belongs to."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


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

    name = models.CharField(max_length=32, unique=True)
    venue = models.CharField(max_length=8)
    is_primary = models.BooleanField(default=False)
    stream_state = models.CharField(max_length=10, choices=StreamState, default=StreamState.DOWN)
    stream_changed_at = models.DateTimeField(null=True)
    stream_seen_at = models.DateTimeField(
        null=True, help_text=_("Last sign of life on the user data stream.")
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_primary"], condition=Q(is_primary=True), name="one_primary_venue_account"
            )
        ]

    def __str__(self) -> str:
        return self.name
