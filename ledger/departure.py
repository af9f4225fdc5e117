"""A withdrawal's life in sentences with their times, told from its row."""

from collections.abc import Iterator

from django.utils import timezone
from django.utils.translation import gettext as _

from ledger.lifeline import Step
from ledger.models import Withdrawal

Status = Withdrawal.Status


def steps(withdrawal: Withdrawal) -> list[Step]:
    """Asked for, confirmed, approved, sent, ended: what has happened, and what is waited for."""
    return [*_past(withdrawal), _now(withdrawal)]


def _past(row: Withdrawal) -> Iterator[Step]:
    yield Step(_("Asked for, and the money set aside"), row.requested_at)
    if row.confirmed_at:
        yield Step(_("Confirmed by the link of the mail"), row.confirmed_at)
    if row.decided_at and row.status != Status.REFUSED:
        yield Step(_("Approved by our staff"), row.decided_at)
    if row.sending_at:
        yield Step(_("Handed to the network's operator"), row.sending_at)


def _now(row: Withdrawal) -> Step:
    if row.finished_at:
        return Step(_ENDS[Status(row.status)](), row.finished_at)
    if row.status == Status.APPROVED and row.not_before and row.not_before > timezone.now():
        return Step(
            _("Waiting, because a security setting was changed; not sent before"), row.not_before, True
        )
    return Step(_WAITS[Status(row.status)](), None, is_open=True)


_WAITS = {
    Status.AWAITING: lambda: _("Waiting for your confirmation: look into your mail"),
    Status.REQUESTED: lambda: _("Waiting for our staff"),
    Status.APPROVED: lambda: _("Waiting to be sent"),
    Status.SENDING: lambda: _("Waiting for the operator's answer"),
    Status.SENT: lambda: _("On its way; waiting for the network"),
    Status.STOPPED: lambda: _("Stopped; our staff look into it"),
}
_ENDS = {
    Status.COMPLETED: lambda: _("Completed"),
    Status.FAILED: lambda: _("Could not be sent; the money is available again"),
    Status.REFUSED: lambda: _("Refused; the money is available again"),
    Status.CANCELED: lambda: _("Taken back; the money is available again"),
    Status.EXPIRED: lambda: _("Not confirmed in time; the money is available again"),
}
