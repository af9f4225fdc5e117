"""From the sub-account to the trading account: asked first, sent once, booked when the venue says it is done."""

from datetime import timedelta
from typing import Any

import structlog
from django.db.models import F, Q
from django.utils import timezone

from exchange import failpoints
from exchange.binance.errors import NotSent, Rejected, Unknown
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from ledger.models import Account, Deposit, LedgerException, Transfer
from ledger.rules import sweep_name
from ledger.services.exceptions import note_exception
from ledger.services.posting import post, system

log = structlog.get_logger()
MOST_SWEPT = 100
LATE = timedelta(hours=1)
DONE, FAILED = frozenset({"SUCCESS"}), frozenset({"FAILURE", "FAILED"})


def sweep_to_trading(account: VenueAccount) -> None:
    """Every credited deposit lies at the trading account or is on its way; what stays away is put before staff."""
    waiting = Deposit.objects.filter(
        Q(status=Deposit.Status.CREDITED) | Q(status=Deposit.Status.LOCKED),
        sub_account__isnull=False,
        swept_at__isnull=True,
        venue_account=account,
    ).select_related("sub_account")
    # Whoever waits longest for a try is next: a hundred that fail never stop the others.
    for deposit in waiting.order_by(F("sweep_tried_at").asc(nulls_first=True), "id")[:MOST_SWEPT]:
        try:
            _sweep(account, deposit)
        except NotSent as error:
            log.warning("deposit.not_swept", deposit=deposit.pk, reason=str(error)[:120])
            _alarm_if_late(deposit, str(error)[:120])
            return
        except (Rejected, Unknown) as error:
            log.warning("deposit.not_swept", deposit=deposit.pk, reason=str(error)[:120])
            _alarm_if_late(deposit, str(error)[:120])


def _sweep(account: VenueAccount, deposit: Deposit) -> None:
    """A transfer whose client id makes a repeat harmless; one that failed for good is repeated under another."""
    Deposit.objects.filter(pk=deposit.pk).update(sweep_tried_at=timezone.now())
    states = {str(row.get("status")) for row in _transfers(account, _client_id(deposit))}
    if states and states <= FAILED:
        deposit.sweep_round += 1
        Deposit.objects.filter(pk=deposit.pk).update(sweep_round=deposit.sweep_round)
        states = set()
    if states & DONE:
        _book(deposit)
    elif states:  # under way at the venue: the next look tells
        _alarm_if_late(deposit, "the venue has not finished the transfer")
    else:
        _send(account, deposit)


def _send(account: VenueAccount, deposit: Deposit) -> None:
    email, client_id = str(deposit.sub_account and deposit.sub_account.email), _client_id(deposit)
    gate.call(
        account,
        gate.Kind.WALLET,
        None,
        lambda rest: rest.universal_transfer(email, deposit.coin, deposit.booked, client_id),
    )
    # The answer says that it was taken, the list alone whether it has arrived; the next look asks again.
    states = {str(row.get("status")) for row in _transfers(account, client_id)}
    if states & DONE:
        failpoints.hit("deposit.swept")
        _book(deposit)


def _transfers(account: VenueAccount, client_id: str) -> list[dict[str, Any]]:
    return gate.call(account, gate.Kind.WALLET, None, lambda rest: rest.universal_transfers(client_id))


def _client_id(deposit: Deposit) -> str:
    return sweep_name(deposit.pk, deposit.sweep_round)


@transaction_with_retry
def _book(deposit: Deposit) -> None:
    row = Deposit.objects.select_for_update(of=("self",)).get(pk=deposit.pk)
    if row.swept_at is not None:
        return
    post(
        scope="sweep",
        key=str(row.pk),
        kind=Transfer.Kind.SWEEP,
        reference=f"DEPOSIT:{row.pk}",
        lines=[
            system(Account.Type.VENUE, row.coin, -row.booked, row.venue_account_id),
            system(Account.Type.CUSTODY, row.coin, row.booked),
        ],
    )
    Deposit.objects.filter(pk=row.pk).update(swept_at=timezone.now())


def _alarm_if_late(deposit: Deposit, why: str) -> None:
    if deposit.credited_at is None or timezone.now() - deposit.credited_at < LATE:
        return
    note_exception(
        source=LedgerException.Source.NOT_SWEPT,
        key=f"not-swept:{deposit.pk}",
        asset=deposit.asset_id,
        amount=deposit.booked,
        detail={"deposit": deposit.pk, "why": why},
    )
