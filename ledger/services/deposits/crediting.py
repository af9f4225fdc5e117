"""What a record of the venue means for the books: waiting, credited, rejected, or a matter for staff."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange import failpoints, push
from exchange.binance.wallet import DepositRecord
from exchange.database import transaction_with_retry
from exchange.gate.models import VenueAccount
from exchange.moments import moment_of
from exchange.money import plain, round_down
from exchange.office import services as office
from ledger import rules
from ledger.errors import BadPosting
from ledger.models import Account, Deposit, DepositAddress, LedgerException, SubAccount, Transfer
from ledger.services.deposits.reversing import reverse
from ledger.services.exceptions import note_exception
from ledger.services.posting import Line, available, post, system
from markets.models import Asset

log = structlog.get_logger()
Status = Deposit.Status
# Four eyes ended these; the venue's record is noted, and changes nothing any more.
SETTLED = frozenset({Status.RETURNED, Status.KEPT, Status.TAKEN_BACK})
# What becomes of a new record after its row was made.
OUTCOME = ("status", "remainder", "transfer", "credited_at")
FACTS = ("coin", "network", "address", "tag", "amount")


@dataclass(frozen=True)
class Page:
    """Where and when records were read; remembers what a page of them asks for again and again.

    Only what was found is remembered: an asset that is listed and an address that was given stay so.
    """

    account: VenueAccount
    sub_account: SubAccount | None
    read_at: datetime
    assets: dict[str, Asset] = field(default_factory=dict)
    addresses: dict[tuple[str, ...], DepositAddress] = field(default_factory=dict)

    def asset(self, coin: str) -> Asset | None:
        if coin not in self.assets and (found := Asset.objects.filter(pk=coin).first()):
            self.assets[coin] = found
        return self.assets.get(coin)

    def address(self, deposit: Deposit) -> DepositAddress | None:
        """By asset and network, address and memo."""
        name = (deposit.coin, deposit.network, deposit.address, deposit.tag)
        if name not in self.addresses and (found := _address_named(*name)):
            self.addresses[name] = found
        return self.addresses.get(name)


def _address_named(coin: str, network: str, address: str, tag: str) -> DepositAddress | None:
    rows = DepositAddress.objects.select_related("user")
    return rows.filter(network__asset_id=coin, network__code=network, address=address, tag=tag).first()


def is_news(known: Deposit, record: DepositRecord) -> bool:
    """False when the record says nothing that is not on record already."""
    if known.missing_reads or known.venue_id != record.id or _differs(known, record):
        return True
    if (known.venue_status, known.confirmations) != (record.status, record.confirmations[:20]):
        return True
    waits = known.transfer_id is None and known.status not in (Status.UNLISTED, Status.DUST)
    return waits and record.status in rules.DEPOSIT_CREDITED  # it could not be booked so far


@transaction_with_retry
def see_deposit(record: DepositRecord, page: Page, known_id: int | None) -> bool:
    """The venue's record is ours too, one step further if it is; True when something changed.

    A record that was read before the latest change is old news, and changes nothing.
    """
    if odd := _oddity_of(record):
        _note_odd(page.account, record, odd)
        return False
    deposit, is_new = _row_of(record, page, known_id)
    if not is_new and page.read_at < deposit.changed_at:
        return False
    before = (deposit.status, deposit.confirmations)
    if deposit.transfer_id is None:
        if not is_new:
            _learn(deposit, record, page)
        _advance(deposit)
    else:
        _follow(deposit, record)
    deposit.venue_id, deposit.changed_at = record.id, page.read_at
    deposit.missing_reads, deposit.missing_since = _absence(deposit, record)
    deposit.save(update_fields=OUTCOME if is_new else None)
    moved = is_new or before != (deposit.status, deposit.confirmations)
    if moved and deposit.user_id:
        push.to_user(deposit.user_id, "deposit", event_of(deposit))
    return moved


def _oddity_of(record: DepositRecord) -> str:
    texts = ((record.network, 32), (record.address, 200), (record.tag, 100), (record.tx_id, 200))
    return rules.oddity_of_deposit(record.amount, record.asset, texts)


def _row_of(record: DepositRecord, page: Page, known_id: int | None) -> tuple[Deposit, bool]:
    """The record's row, locked, and whether it is new."""
    rows = Deposit.objects.select_for_update(of=("self",))
    if known_id is not None:
        return rows.get(pk=known_id), False
    fresh = Deposit(
        venue_account=page.account,
        venue_id=record.id,
        sub_account=page.sub_account,
        changed_at=page.read_at,
    )
    _learn(fresh, record, page)
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:
        return rows.get(venue_account=page.account, venue_id=record.id), False
    return fresh, True


def _facts(record: DepositRecord) -> dict[str, object]:
    return {
        "coin": record.asset,
        "network": record.network,
        "address": record.address,
        "tag": record.tag,
        "tx_id": record.tx_id,
        "amount": record.amount,
        "is_internal": record.is_internal,
        "venue_status": max(-1, min(record.status, 32_767)),
        "confirmations": record.confirmations[:20],
        "unlock_confirmations": max(0, min(record.unlock_confirmations, 2**31 - 1)),
        "inserted_at": moment_of(record.inserted_ms),
    }


def _learn(deposit: Deposit, record: DepositRecord, page: Page) -> None:
    """Before it is booked only the venue's newest word counts: the amount of a pending deposit may change."""
    for name, value in _facts(record).items():
        setattr(deposit, name, value)
    deposit.asset = page.asset(deposit.coin)
    if deposit.sub_account is not None:
        deposit.user = deposit.sub_account.user
    else:
        address = page.address(deposit)
        deposit.user = address.user if address else None


def _differs(deposit: Deposit, record: DepositRecord) -> bool:
    facts = _facts(record)
    return any(getattr(deposit, name) != facts[name] for name in FACTS)


def _absence(deposit: Deposit, record: DepositRecord) -> tuple[int, datetime | None]:
    """A record ends an absence, except of a booked deposit that is not final any more: that counts as one."""
    if deposit.transfer_id and record.status not in rules.DEPOSIT_CREDITED:
        return deposit.missing_reads, deposit.missing_since
    return 0, None


# ------------------------------------------------------------------ before it is booked
def _advance(deposit: Deposit) -> None:
    """The status follows the venue's; only 1 and 6 book anything (binance.md 15)."""
    status = deposit.venue_status
    if status in rules.DEPOSIT_REJECTED:
        deposit.status = Status.REJECTED
    elif deposit.asset_id is None:
        _wait_for_listing(deposit)
    elif status in rules.DEPOSIT_CREDITED:
        _credit(deposit)
    elif status == rules.DEPOSIT_PENDING:
        deposit.status = Status.SEEN
    elif status == rules.DEPOSIT_UNCONFIRMED:
        deposit.status = Status.HELD_UP
    else:
        _check(deposit, f"the venue's status {status} is not known here")


def _wait_for_listing(deposit: Deposit) -> None:
    deposit.status = Status.UNLISTED
    _note(deposit, LedgerException.Source.UNLISTED, f"unlisted:{deposit.pk}")


def _check(deposit: Deposit, why: str) -> None:
    deposit.status = Status.CHECKING
    _note(deposit, LedgerException.Source.NOT_BOOKABLE, f"check:{deposit.pk}:{deposit.venue_status}", why)


def _credit(deposit: Deposit) -> None:
    """Booked under its venue id: to its owner, or to suspense when it is nobody's."""
    asset = deposit.asset
    assert asset is not None
    amount = round_down(deposit.amount, asset.scale)
    deposit.remainder = deposit.amount - amount  # the books refuse what is finer: it stays at the venue
    if not amount:
        deposit.status = Status.DUST
        return
    try:
        posted = post(
            scope="deposit",
            key=f"{deposit.venue_account_id}:{deposit.venue_id}",
            kind=Transfer.Kind.DEPOSIT,
            reference=f"DEPOSIT:{deposit.pk}",
            lines=[where_it_lies(deposit, -amount), _owed(deposit, amount)],
        )
    except BadPosting as error:
        _check(deposit, str(error))
        return
    failpoints.hit("deposit.credited")
    deposit.transfer_id, deposit.credited_at = posted.transfer_id, timezone.now()
    if deposit.user_id is None:
        deposit.status = Status.UNATTRIBUTED
        if not _is_announced(deposit):
            _note(deposit, LedgerException.Source.UNATTRIBUTED, f"unattributed:{deposit.pk}:")
        return
    deposit.status = standing_of(deposit)
    tell(deposit)


def standing_of(deposit: Deposit) -> Status:
    """Of a credited deposit: locked while the venue does not call it final."""
    return Status.CREDITED if deposit.venue_status == rules.DEPOSIT_SUCCESS else Status.LOCKED


def _owed(deposit: Deposit, amount: Decimal) -> Line:
    if deposit.user_id:
        return available(deposit.user_id, deposit.coin, amount)
    return system(Account.Type.SUSPENSE, deposit.coin, amount)


def where_it_lies(deposit: Deposit, amount: Decimal) -> Line:
    if deposit.sub_account_id and deposit.swept_at is None:
        return system(Account.Type.CUSTODY, deposit.coin, amount)
    return system(Account.Type.VENUE, deposit.coin, amount, deposit.venue_account_id)


def _is_announced(deposit: Deposit) -> bool:
    """True at the address that all are shown: that it is nobody's yet is no difference."""
    address = _address_named(deposit.coin, deposit.network, deposit.address, deposit.tag)
    return address is not None and address.is_shared


def credit_listed() -> int:
    """What waited for its asset goes on once the asset is listed; gives how many."""
    listed = Deposit.objects.filter(status=Status.UNLISTED, coin__in=Asset.objects.values("code"))
    waiting = list(listed.order_by("id").values_list("pk", flat=True)[:500])
    for deposit_id in waiting:
        _go_on(deposit_id)
    return len(waiting)


@transaction_with_retry
def _go_on(deposit_id: int) -> None:
    deposit = Deposit.objects.select_for_update(of=("self",)).get(pk=deposit_id)
    if deposit.status == Status.UNLISTED:
        deposit.asset_id = deposit.coin
        _advance(deposit)
        deposit.save()


# ------------------------------------------------------------------ after it was booked
def _follow(deposit: Deposit, record: DepositRecord) -> None:
    """Unlocked, locked again, or taken back; what is booked changes by four eyes alone."""
    if deposit.status in SETTLED:
        deposit.venue_status = record.status
        return
    if _differs(deposit, record):
        reverse(deposit, f"the venue now tells it otherwise: {plain(record.amount)} {record.asset}")
        return
    deposit.venue_status, deposit.confirmations = record.status, record.confirmations[:20]
    deposit.tx_id = deposit.tx_id or record.tx_id
    if record.status in rules.DEPOSIT_REJECTED:
        reverse(deposit, f"the venue's status is {record.status} now")
    elif deposit.status in (Status.LOCKED, Status.CREDITED):
        was_locked = deposit.status == Status.LOCKED
        deposit.status = standing_of(deposit)
        if was_locked and deposit.status == Status.CREDITED:
            deposit.unlocked_at = timezone.now()


# ------------------------------------------------------------------ who hears of it
def tell(deposit: Deposit) -> None:
    assert deposit.user is not None
    is_locked = deposit.status == Status.LOCKED
    office.notify(
        deposit.user,
        "deposit.credited",
        _("Your deposit of %(amount)s %(asset)s is credited"),
        _("%(amount)s %(asset)s can be traded now, and withdrawn after more confirmations.")
        if is_locked
        else _("%(amount)s %(asset)s is available in your wallet."),
        {"amount": plain(deposit.booked), "asset": deposit.coin},
    )
    push.to_user(deposit.user.pk, "balance", {"asset": deposit.coin})


def event_of(deposit: Deposit) -> dict[str, object]:
    """The deposit as open pages hear of it."""
    return {
        "id": deposit.pk,
        "asset": deposit.coin,
        "amount": plain(deposit.amount),
        "status": deposit.status,
        "confirmations": deposit.confirmations,
    }


def _note(deposit: Deposit, source: LedgerException.Source, key: str, why: str = "") -> None:
    detail: dict[str, object] = {"deposit": deposit.pk, "tx_id": deposit.tx_id, "coin": deposit.coin}
    detail |= {"why": why} if why else {}
    note_exception(source=source, key=key, asset=deposit.asset_id, amount=deposit.amount, detail=detail)


def _note_odd(account: VenueAccount, record: DepositRecord, why: str) -> None:
    known = Asset.objects.filter(pk=record.asset).exists()
    note_exception(
        source=LedgerException.Source.ODD_DEPOSIT,
        key=f"odd-deposit:{account.pk}:{record.id}"[:120],
        asset=record.asset if known else None,
        amount=None,
        detail={"venue_id": record.id, "tx_id": record.tx_id, "amount": str(record.amount), "why": why},
    )
