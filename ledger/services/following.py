"""What the venue's history says of withdrawals is ours too: on the way, completed and settled, failed and refunded."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange import failpoints
from exchange.binance.errors import VenueError
from exchange.binance.wallet import WithdrawRecord
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.money import plain
from exchange.office import services as office
from ledger import queries, rules
from ledger.models import Account, Hold, Transfer, Withdrawal
from ledger.services.exceptions import note_exception
from ledger.services.posting import ConsumeHold, ReleaseHold, customer, held, post, system
from ledger.services.searching import LONGEST_MS, history_pages
from ledger.services.withdrawals import give_back, tell_pages

log = structlog.get_logger()
Status = Withdrawal.Status
UNCERTAIN = (Status.SENDING, Status.SENT)
LONGEST_ID = 100


def poll_withdrawals() -> int:
    """Every withdrawal the venue was told of is as its history says; gives how many are still open."""
    return _follow(queries.unfinished_withdrawals())


def revisit_withdrawals() -> int:
    """What ended lately is looked at again: transactions are replaced, and a venue can change its mind."""
    return _follow(queries.lately_ended_withdrawals())


def _follow(wanted: QuerySet[Withdrawal]) -> int:
    """One reading of each account's history for all of its own: a call weighs a tenth of what it has in a minute."""
    rows = list(wanted.select_related("venue_account"))
    by_account: dict[VenueAccount, list[Withdrawal]] = {}
    for row in rows:
        by_account.setdefault(row.venue_account, []).append(row)
    for account, own in by_account.items():
        try:
            _compare(account, own)
        except VenueError as error:
            log.warning("withdrawal.history_away", account=account.pk, reason=str(error)[:120])
    return len(rows)


def _compare(account: VenueAccount, rows: list[Withdrawal]) -> None:
    if settings.BINANCE_SAPI_URL:
        ours = {row.client_id: row for row in rows} | {row.venue_id: row for row in rows if row.venue_id}
        for record in _history(account, rows):
            if row := ours.get(record.client_id) or ours.get(record.id):
                _see(row, record)


def _history(account: VenueAccount, rows: list[Withdrawal]) -> Iterator[WithdrawRecord]:
    """Of the time since the oldest of them was sent, newest first."""
    end_ms = gate.clock().now_ms() + 60_000
    start = min(row.sending_at or row.requested_at for row in rows) - timedelta(hours=1)
    start_ms = max(int(start.timestamp()) * 1000, end_ms - LONGEST_MS)
    for records in history_pages(account, start_ms=start_ms, end_ms=end_ms):
        yield from records


def _see(row: Withdrawal, record: WithdrawRecord) -> None:
    try:
        see_withdrawal(withdrawal_id=row.pk, record=record)
    except Exception:  # one odd record never stops the next
        log.exception("withdrawal.failed", withdrawal=row.pk)


@transaction_with_retry
def see_withdrawal(*, withdrawal_id: int, record: WithdrawRecord) -> Withdrawal:
    """The venue's record is ours: on its way, completed and settled, or failed and refunded.

    A record that is not of what was sent moves nothing and is put before staff. Of what had ended already, a new
    transaction id is noted, and a contradiction is put before staff; nothing is ever paid or refunded a second time.
    """
    found = Withdrawal.objects.select_for_update(of=("self",)).select_related("user", "network")
    withdrawal = found.get(pk=withdrawal_id)
    is_open = withdrawal.status in UNCERTAIN
    if (is_open or withdrawal.status == Status.COMPLETED) and (wrong := _wrong_in(withdrawal, record)):
        _put_before_staff(withdrawal, record, wrong)
    elif is_open:
        _move_on(withdrawal, record)
    elif withdrawal.status == Status.COMPLETED:
        _look_back(withdrawal, record)
    elif record.status not in rules.WITHDRAW_FAILED:
        _contradict(withdrawal, record, "withdrawal sent though it was refunded")
    return withdrawal


def _wrong_in(withdrawal: Withdrawal, record: WithdrawRecord) -> list[str]:
    """The facts of the record that are not those of the row; its figures count when it would settle it."""
    is_settling = record.status == rules.WITHDRAW_COMPLETED and withdrawal.status in UNCERTAIN
    is_right = {
        "id": record.id == (withdrawal.venue_id or record.id) and 0 < len(record.id) <= LONGEST_ID,
        "coin": record.asset == withdrawal.asset_id,
        "network": record.network == withdrawal.network.code,
        # Chains that write an address in several ways differ in the case alone.
        "address": record.address.casefold() == withdrawal.address.casefold(),
        # The venue does not promise to name the tag (binance.md 15).
        "tag": record.tag in ("", withdrawal.tag),
        "figures": not record.is_odd and (not is_settling or _is_paid_as_asked(withdrawal, record)),
    }
    return [fact for fact, holds in is_right.items() if not holds]


def _is_paid_as_asked(withdrawal: Withdrawal, record: WithdrawRecord) -> bool:
    return rules.is_paid_as_asked(
        amount=withdrawal.amount,
        net=withdrawal.net,
        most_fee=max(withdrawal.fee, withdrawal.network.withdraw_fee),
        sent=record.amount,
        fee=record.fee,
    )


def _put_before_staff(withdrawal: Withdrawal, record: WithdrawRecord, wrong: list[str]) -> None:
    log.error("withdrawal.not_as_sent", withdrawal=withdrawal.pk, wrong=wrong)
    theirs = {
        "id": record.id,
        "coin": record.asset,
        "network": record.network,
        "address": record.address,
        "tag": record.tag,
        "sent": str(record.amount),
        "fee": str(record.fee),
        "status": record.status,
        "tx_id": record.tx_id,
    }
    note_exception(
        source="withdrawal not as it was sent",
        key=f"not as sent:{withdrawal.pk}:{record.status}:{','.join(wrong)}",
        asset=withdrawal.asset_id,
        amount=withdrawal.amount,
        detail={"withdrawal": withdrawal.pk, "differs": wrong, "venue": theirs},
        cause=str(_("The venue's record is not of what we sent; nothing was settled. Ask the venue.")),
    )


def _move_on(withdrawal: Withdrawal, record: WithdrawRecord) -> None:
    withdrawal.venue_id = withdrawal.venue_id or record.id
    if record.status == rules.WITHDRAW_COMPLETED:
        settle(withdrawal, sent=record.amount, fee=record.fee, tx_id=record.tx_id)
    elif record.status in rules.WITHDRAW_FAILED:
        give_back(withdrawal, Status.FAILED, _("The network's operator could not send it."))
        after: dict[str, object] = {"status": record.status, "info": record.info[:200]}
        office.record(None, "withdrawal.failed", "withdrawal", withdrawal.pk, after=after)
    elif _note_tx(withdrawal, record.tx_id) or withdrawal.status != Status.SENT:
        withdrawal.status = Status.SENT
        withdrawal.save()
        tell_pages(withdrawal)


def _look_back(withdrawal: Withdrawal, record: WithdrawRecord) -> None:
    if record.status in rules.WITHDRAW_FAILED:
        _contradict(withdrawal, record, "withdrawal undone by the venue")
    elif _note_tx(withdrawal, record.tx_id):
        withdrawal.save()
        tell_pages(withdrawal)


def _note_tx(withdrawal: Withdrawal, tx_id: str) -> bool:
    """The newest transaction id stands in the row, an earlier one on record; True when it changed."""
    tx_id = tx_id[:200]
    if not tx_id or tx_id == withdrawal.tx_id:
        return False
    if withdrawal.tx_id:
        log.warning("withdrawal.tx_replaced", withdrawal=withdrawal.pk)
        office.record(
            None,
            "withdrawal.tx_replaced",
            "withdrawal",
            withdrawal.pk,
            before={"tx_id": withdrawal.tx_id},
            after={"tx_id": tx_id},
        )
    withdrawal.tx_id = tx_id
    return True


def _contradict(withdrawal: Withdrawal, record: WithdrawRecord, source: str) -> None:
    log.error("withdrawal.contradiction", withdrawal=withdrawal.pk, status=record.status, source=source)
    note_exception(
        source=source,
        key=f"contradiction:{withdrawal.pk}:{record.status}",
        asset=withdrawal.asset_id,
        amount=withdrawal.amount,
        detail={"withdrawal": withdrawal.pk, "status": record.status, "tx_id": record.tx_id},
    )


def settle(withdrawal: Withdrawal, *, sent: Decimal, fee: Decimal, tx_id: str) -> None:
    """What was held leaves; what the venue took is booked as it reports it, the difference is the house's.

    The caller holds the row's lock.
    """
    asset = withdrawal.asset_id
    cost = rules.venue_cost(sent, fee)
    ours = withdrawal.amount - cost
    payer = customer(withdrawal.user_id, asset)
    post(
        scope="withdrawal",
        key=str(withdrawal.pk),
        kind=Transfer.Kind.WITHDRAWAL,
        reference=f"WITHDRAWAL:{withdrawal.pk}",
        lines=[
            held(withdrawal.user_id, asset, -withdrawal.amount),
            system(Account.Type.VENUE, asset, cost, withdrawal.venue_account_id),
            system(Account.Type.FEES if ours > 0 else Account.Type.NETWORK_FEES, asset, ours),
        ],
        holds=[
            ConsumeHold(payer, Hold.Cause.WITHDRAWAL, withdrawal.pk, withdrawal.amount),
            ReleaseHold(payer, Hold.Cause.WITHDRAWAL, withdrawal.pk),
        ],
    )
    failpoints.hit("withdrawal.settling")
    _note_tx(withdrawal, tx_id)
    withdrawal.status, withdrawal.finished_at = Status.COMPLETED, timezone.now()
    withdrawal.save()
    _tell_completed(withdrawal)


def _tell_completed(withdrawal: Withdrawal) -> None:
    words = {"amount": plain(withdrawal.net), "asset": withdrawal.asset_id, "tx": withdrawal.tx_id}
    office.notify(
        withdrawal.user,
        "withdrawal.completed",
        _("Your withdrawal of %(amount)s %(asset)s is completed"),
        _("Transaction %(tx)s."),
        words,
    )
    tell_pages(withdrawal)
