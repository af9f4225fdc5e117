"""Kill switches: flipped by one of staff at once, released by two. PostgreSQL has the truth, and every order asks it in
the statement that finds its venue account and in the one that finds what is to be sent: whether any stands, and if so
which."""

from typing import TYPE_CHECKING

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.database import constraint_of
from exchange.errors import DomainError, Text
from exchange.gate import queries
from exchange.gate.errors import AlreadyReleased, AlreadyStopped, ReleaseAsked, ReleaseNotAsked, UnknownSwitch
from exchange.gate.models import Switch
from exchange.office import queries as requests
from exchange.office import services as office
from exchange.office.models import Approval

if TYPE_CHECKING:
    from accounts.models import User

log = structlog.get_logger()
RELEASE = "gate.release"
FLIPPED = gettext_lazy("A kill switch was flipped")
RELEASED = gettext_lazy("A kill switch was released")
WHO = gettext_lazy("%(who)s: %(what)s. %(reason)s")
_UNDECIDED = (Approval.Status.ASKED, Approval.Status.GRANTED)


@transaction.atomic
def flip_switch(
    *,
    scope: str,
    by: "User",
    reason: str,
    public_reason: str = "",
    market: str | None = None,
    side: str = "",
    customer_id: int | None = None,
) -> Switch:
    """From the commit on no process takes such orders, and what has not left is rejected. On record.

    Refuses a switch that does not say what it stops, one that stands already, and one without a reason.
    """
    _require_reason(reason)
    switch = Switch(
        scope=scope,
        market_id=market,
        side=side,
        customer_id=customer_id,
        reason=reason.strip(),
        public_reason=public_reason.strip(),
        flipped_by=by,
    )
    _save_new(switch)
    words: dict[str, object] = {"scope": scope, "market": market or "", "side": side}
    after = {**words, "customer": customer_id, "public_reason": switch.public_reason}
    office.record(by, "switch.flipped", "switch", switch.pk, after=after, reason=switch.reason)
    log.warning(
        "switch.flipped", switch=switch.pk, scope=scope, market=market, side=side, customer=customer_id
    )
    _tell(FLIPPED, switch, by, switch.reason)
    return switch


def _save_new(switch: Switch) -> None:
    try:
        switch.clean_fields(exclude={"release", "released_at"})
        with transaction.atomic():
            switch.save(force_insert=True)
    except ValidationError as error:
        name, (first, *_more) = next(iter(error.message_dict.items()))
        raise DomainError(first, field=name) from error
    except IntegrityError as error:
        if constraint_of(error) == "one_standing_switch_of_a_kind":
            raise AlreadyStopped() from error
        raise DomainError(_("Name the market, the side or the customer that is stopped.")) from error


@transaction.atomic
def ask_release(switch_id: int, *, by: "User", reason: str) -> Switch:
    """A second person is asked to release it; until then it stands. Refuses whom it stops, and a second request."""
    _require_reason(reason)
    switch = _standing(switch_id)
    if switch.release is not None and switch.release.status in _UNDECIDED:
        raise ReleaseAsked()
    payload: dict[str, object] = {"switch": switch.pk, "what": str(switch)}
    owners = [switch.customer_id] if switch.customer_id else []
    switch.release = office.ask_approval(RELEASE, payload, reason.strip(), by, owners=owners)
    switch.save(update_fields=["release"])
    office.record(by, "switch.release_asked", "switch", switch.pk, reason=reason.strip())
    return switch


@transaction.atomic
def confirm_release(switch_id: int, *, by: "User", reason: str) -> Switch:
    """The switch stands no more, at once; refuses who asked for it, and whom it stops."""
    switch = _standing(switch_id)
    if switch.release is None or switch.release.status != Approval.Status.ASKED:
        raise ReleaseNotAsked()
    office.grant(switch.release.pk, by=by, reason=reason)
    _release(switch, by)
    return switch


def carry_out_releases() -> int:
    """Every release that was granted elsewhere is carried out; gives how many."""
    granted = list(requests.granted_approvals(RELEASE).values_list("pk", flat=True)[:100])
    for approval_id in granted:
        _carry_out(approval_id)
    return len(granted)


@transaction.atomic
def _carry_out(approval_id: int) -> None:
    found = Switch.objects.select_for_update(of=("self",)).select_related("release__decided_by")
    switch = found.filter(release=approval_id, released_at__isnull=True).first()
    if switch is None:
        office.note_failed(approval_id, _("This switch does not stand any more."))
        return
    assert switch.release is not None and switch.release.decided_by is not None, "granted by somebody"
    _release(switch, switch.release.decided_by)


def _release(switch: Switch, by: "User") -> None:
    assert switch.release_id is not None, "released by request"
    switch.released_at = timezone.now()
    switch.save(update_fields=["released_at"])
    office.note_used(switch.release_id, _("Released."))
    office.record(by, "switch.released", "switch", switch.pk, after={"approval": switch.release_id})
    log.warning("switch.released", switch=switch.pk, scope=switch.scope)
    _tell(RELEASED, switch, by, "")


def _standing(switch_id: int) -> Switch:
    found = Switch.objects.select_for_update(of=("self",)).select_related("release", "customer")
    switch = found.filter(pk=switch_id).first()
    if switch is None:
        raise UnknownSwitch()
    if switch.released_at is not None:
        raise AlreadyReleased()
    return switch


def _tell(subject: Text, switch: Switch, by: "User", reason: str) -> None:
    words = {"who": str(by), "what": str(switch), "reason": reason}
    office.tell_staff("gate.switch", subject, WHO, words)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise DomainError(_("Say why; it is kept on record."), field="reason")


# ------------------------------------------------------------------ asked by orders
def require_not_stopped(*, market: str, side: str, customer: int, channel: str) -> None:
    """Raises Stopped while a switch stands against such an order."""
    stop = queries.stop_against(market=market, side=side, customer=customer, channel=channel)
    if stop is not None:
        raise stop


def require_not_cancel_only(market: str) -> None:
    """Raises Stopped while staff let orders of the market only be canceled."""
    if (stop := queries.cancel_only_stop(market)) is not None:
        raise stop
