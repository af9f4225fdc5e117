"""Where a deposit is: what has happened, what happens next, and what to do when it does not; told from its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from ledger import queries, rules
from ledger.models import Deposit, DepositClaim, Network
from markets.templatetags.figures import amount

Status = Deposit.Status


@dataclass(frozen=True)
class Step:
    text: str
    at: datetime | None
    is_open: bool = False


WAITS = {
    Status.HELD_UP: _lazy("The venue waits for a confirmation by our staff, who see it."),
    Status.CHECKING: _lazy(
        "Our staff look at it: the venue says something of it that we have not met before."
    ),
    Status.UNATTRIBUTED: _lazy("Our staff look for its owner."),
    Status.REVERSED: _lazy("Our staff look at it; nothing more is changed before two of them have decided."),
}
ENDS = {
    Status.GONE: _lazy("The venue does not know it any more, and did not credit it"),
    Status.DUST: _lazy("It is smaller than anything the books keep, and is not credited"),
    Status.TAKEN_BACK: _lazy("The credit was taken back"),
    Status.RETURNED: _lazy("Sent back"),
    Status.KEPT: _lazy("Kept by the house"),
}
ADVICE = {
    Status.SEEN: _lazy(
        "Nothing has to be done. If the network has all confirmations and this page has not moved for a day, write "
        "to support with the transaction id."
    ),
    Status.HELD_UP: _lazy("Nothing has to be done. Support may ask you where the money came from."),
    Status.CHECKING: _lazy("Nothing has to be done; the money is at the venue."),
    Status.UNLISTED: _lazy("Nothing has to be done; the money is kept for you."),
    Status.LOCKED: _lazy(
        "Trade with it if you like. It can be withdrawn once the rest of the confirmations are there."
    ),
    Status.CREDITED: _lazy("The money is in your wallet."),
    Status.REJECTED: _lazy(
        "Ask whoever sent it whether it came back to them: refused deposits return to where they came from, or have "
        "to be recovered by the venue. Support needs the transaction id."
    ),
    Status.GONE: _lazy(
        "Look the transaction up with the network's explorer. If it succeeded there, write to support."
    ),
    Status.DUST: _lazy("Send more than the smallest amount that the deposit page names."),
    Status.REVERSED: _lazy("Write to support; they tell you what the venue says about it."),
    Status.TAKEN_BACK: _lazy("Write to support if you think that this is wrong."),
}


def advice(deposit: Deposit) -> str:
    """What the customer can do now."""
    return str(ADVICE.get(Status(deposit.status), ""))


def steps(deposit: Deposit) -> list[Step]:
    """Seen, credited, free to leave, taken back: what has happened, and what is waited for."""
    network = Network.objects.filter(asset_id=deposit.coin, code=deposit.network).first()
    return [*_past(deposit), *_now(deposit, network)]


def _past(deposit: Deposit) -> Iterator[Step]:
    words = {"amount": amount(deposit.booked), "asset": deposit.coin}
    seen = _("Sent from another account at the venue") if deposit.is_internal else _("Seen on its network")
    yield Step(seen, deposit.inserted_at)
    if deposit.credited_at and deposit.user_id is None:
        yield Step(_("Arrived, and booked to suspense"), deposit.credited_at)
    elif deposit.credited_at and queries.was_attributed(deposit):
        yield Step(_("Arrived, without a sign whose it is"), deposit.credited_at)
        yield Step(
            _("Credited %(amount)s %(asset)s after two people of our staff agreed") % words,
            deposit.settled_at,
        )
    elif deposit.credited_at:
        yield Step(_("Credited %(amount)s %(asset)s") % words, deposit.credited_at)
    if deposit.unlocked_at:
        yield Step(_("Free to be withdrawn"), deposit.unlocked_at)
    if deposit.reversed_at:
        yield Step(
            _("Taken back by the venue; nothing can be withdrawn until that is settled"), deposit.reversed_at
        )


def _now(deposit: Deposit, network: Network | None) -> Iterator[Step]:
    status = Status(deposit.status)
    if status in (Status.SEEN, Status.LOCKED):
        yield Step(_until_confirmed(deposit, network), None, is_open=True)
    elif status == Status.UNLISTED:
        words = _("%(coin)s is not listed here yet: it is kept, and credited once it is") % {
            "coin": deposit.coin
        }
        yield Step(words, None, is_open=True)
    elif status == Status.REJECTED:
        yield Step(_rejection(deposit), deposit.changed_at)
    elif status in WAITS:
        yield Step(str(WAITS[status]), None, is_open=True)
    elif status in ENDS:
        yield Step(str(ENDS[status]), deposit.settled_at or deposit.changed_at)


def _rejection(deposit: Deposit) -> str:
    if deposit.venue_status == rules.DEPOSIT_WRONG:
        return _("The venue calls it a wrong deposit: an asset, network or memo it does not take")
    return _("Rejected by the venue")


def _until_confirmed(deposit: Deposit, network: Network | None) -> str:
    if deposit.status == Status.SEEN and network and deposit.amount < network.deposit_min:
        words = {"least": amount(network.deposit_min), "asset": deposit.coin}
        return _("Below the smallest deposit of %(least)s %(asset)s: the venue does not credit it") % words
    told = _("Waiting for confirmations")
    if counted := progress(deposit, network):
        have, need = counted
        until = _("credited") if deposit.status == Status.SEEN else _("free to be withdrawn")
        told = _("%(have)s of %(need)s confirmations until it is %(until)s") % {
            "have": have,
            "need": need,
            "until": until,
        }
    left = rules.minutes_left(deposit.confirmations, network.arrival_minutes) if network else None
    if left:
        told += ngettext(", usually within %(count)s minute", ", usually within %(count)s minutes", left) % {
            "count": left
        }
    return told


def progress(deposit: Deposit, network: Network | None) -> tuple[int, int] | None:
    """Confirmations that are there and that are needed: to be credited, and then to be withdrawn."""
    counted = rules.confirmations_of(deposit.confirmations)
    if counted is None:
        return None
    have, need = counted
    if deposit.status == Status.SEEN and network and network.confirmations:
        need = network.confirmations
    return min(have, need), need


# ------------------------------------------------------------------ announced
def claim_steps(claim: DepositClaim) -> list[Step]:
    """Announced, looked for, decided."""
    told = [Step(_("Announced"), claim.created_at)]
    if claim.status == DepositClaim.Status.OPEN:
        return [*told, Step(_waiting(claim), None, is_open=True)]
    ends = {
        DepositClaim.Status.ACCEPTED: _("Accepted by two people of our staff, and credited"),
        DepositClaim.Status.REFUSED: _("Refused"),
        DepositClaim.Status.CANCELED: _("Taken back by you"),
    }
    return [*told, Step(ends[DepositClaim.Status(claim.status)], claim.decided_at)]


def _waiting(claim: DepositClaim) -> str:
    if queries.claimable(claim).exists():
        return _("The venue has a record of this transaction. Two people of our staff decide whose it is.")
    if queries.records_of(claim).exists():
        return _(
            "The venue has a record of this transaction that is not final, or is decided. Our staff look at it."
        )
    return _("The venue has no record of this transaction yet. We look for it every few seconds.")
