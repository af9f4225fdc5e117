"""Deposits: an address of one's own, every record of the venue seen once, credited once, and swept."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints, push
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.binance.wallet import DepositRecord
from exchange.database import transaction_with_retry
from exchange.errors import Unavailable
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.money import plain, round_down
from exchange.office import services as office
from ledger import queries
from ledger.errors import DepositsClosed, NoOwnAddress
from ledger.models import Account, Deposit, DepositAddress, Network, SubAccount, Transfer
from ledger.rules import DEPOSIT_REJECTED, DEPOSIT_SUCCESS, sweep_name
from ledger.services.exceptions import note_exception
from ledger.services.posting import Line, available, post, system
from markets.models import Asset

log = structlog.get_logger()

DAY_MS = 86_400_000
WINDOW_MS = 89 * DAY_MS  # the venue answers for less than 90 days
PAGE = 1000
LONGEST_PAGES = 50
Read = Callable[..., list[DepositRecord]]


# ------------------------------------------------------------------ addresses
def deposit_address(*, user: User, asset: str, network: str) -> DepositAddress:
    """The customer's own address on the network, made at the venue when it is first asked for.

    Raises UnknownNetwork, DepositsClosed, NoOwnAddress, Unavailable.
    """
    route = queries.network(asset, network)
    if found := DepositAddress.objects.filter(user=user, network=route).first():
        return found
    if not route.deposit_enabled:
        raise DepositsClosed(field="network")
    account = gate.primary_account()
    try:
        return _own_address(user, route, account)
    except VenueError as error:
        log.warning(
            "deposit.no_address", user_id=user.pk, asset=asset, network=network, reason=str(error)[:120]
        )
        raise Unavailable() from error


def _own_address(user: User, route: Network, account: VenueAccount) -> DepositAddress:
    sub_account = _sub_account_of(user, account) if settings.DEPOSIT_SUB_ACCOUNTS else None

    def ask(rest: gate.Rest) -> tuple[str, str]:
        if sub_account and sub_account.email:
            found = rest.sub_deposit_address(sub_account.email, route.asset_id, route.code)
        else:
            found = rest.deposit_address(route.asset_id, route.code)
        return found.address, found.tag

    address, tag = gate.call(account, gate.Kind.WALLET, user.pk, ask)
    return _keep_address(user, route, sub_account, address, tag)


def _keep_address(
    user: User, route: Network, sub_account: SubAccount | None, address: str, tag: str
) -> DepositAddress:
    """Whoever was given this address first keeps it; nobody else ever sees it."""
    try:
        with transaction.atomic():
            return DepositAddress.objects.get_or_create(
                user=user,
                network=route,
                defaults={"sub_account": sub_account, "address": address, "tag": tag},
            )[0]
    except IntegrityError as error:
        raise NoOwnAddress(field="network") from error


def _sub_account_of(user: User, account: VenueAccount) -> SubAccount | None:
    """The customer's sub-account at the venue; None where the venue offers none."""
    name = f"cw{user.pk:08d}"
    row = SubAccount.objects.get_or_create(user=user, defaults={"venue_account": account, "name": name})[0]
    if row.email:
        return row
    try:
        row.email = gate.call(account, gate.Kind.WALLET, user.pk, lambda rest: rest.create_sub_account(name))
    except Rejected as error:
        log.info("deposit.no_sub_accounts", code=error.code)
        return None
    except Unknown as error:
        if error.reason in {"HTTP 404", "HTTP 405", "HTTP 501"}:
            return None
        raise
    row.save(update_fields=["email"])
    return row


# ------------------------------------------------------------------ the sweep that guarantees
def poll_deposits() -> int:
    """Every deposit the venue knows of is on record, credited when final, and swept; gives how many changed."""
    account = gate.primary_account()
    if not (settings.BINANCE_SAPI_URL and gate.venue_key()):
        return 0
    changed = 0
    for sub_account, record in _records(account):
        try:
            changed += see_deposit(account=account, record=record, sub_account=sub_account)
        except Exception:  # one odd record never stops the next
            log.exception("deposit.failed", venue_id=record.id)
    _sweep_to_trading(account)
    return changed


def _records(account: VenueAccount) -> Iterator[tuple[SubAccount | None, DepositRecord]]:
    """Of the pooled account and of every sub-account with an address; windows overlap, so nothing falls between."""
    end_ms = gate.clock().now_ms()
    span = {"start_ms": end_ms - WINDOW_MS, "end_ms": end_ms, "limit": PAGE}

    def pooled(rest: gate.Rest, offset: int) -> list[DepositRecord]:
        return rest.deposit_history(offset=offset, **span)

    for record in _paged(account, pooled):
        yield None, record
    for sub_account in SubAccount.objects.filter(addresses__isnull=False).exclude(email="").distinct():
        yield from (
            (sub_account, record) for record in _paged(account, _own_history(sub_account.email, span))
        )


def _own_history(email: str, span: dict[str, int]) -> Read:
    def own(rest: gate.Rest, offset: int) -> list[DepositRecord]:
        return rest.sub_deposit_history(email, offset=offset, **span)

    return own


def _paged(account: VenueAccount, read: Read) -> Iterator[DepositRecord]:
    for page in range(LONGEST_PAGES):
        # Half a page of overlap: rows that arrive while we read shift the others, and none may slip away.
        rows = gate.call(account, gate.Kind.WALLET, None, partial(read, offset=page * PAGE // 2))
        yield from rows
        if len(rows) < PAGE:
            return


@transaction_with_retry
def see_deposit(*, account: VenueAccount, record: DepositRecord, sub_account: SubAccount | None) -> bool:
    """The venue's record is ours too, one step further if it is; True when something changed."""
    if not Asset.objects.filter(code=record.asset).exists():
        return False
    deposit, is_new = Deposit.objects.get_or_create(
        venue_account=account,
        venue_id=record.id,
        defaults={
            "user_id": _owner_of(record, sub_account),
            "sub_account": sub_account,
            "asset_id": record.asset,
            "network": record.network,
            "address": record.address,
            "tag": record.tag,
            "tx_id": record.tx_id,
            "amount": record.amount,
            "venue_status": record.status,
            "confirmations": record.confirmations,
        },
    )
    deposit = Deposit.objects.select_for_update().get(pk=deposit.pk)
    if deposit.status != Deposit.Status.SEEN:
        return is_new or _notice_reversal(deposit, record)
    moved = (deposit.venue_status, deposit.confirmations) != (record.status, record.confirmations)
    deposit.venue_status, deposit.confirmations = record.status, record.confirmations
    deposit.tx_id = deposit.tx_id or record.tx_id
    if record.status == DEPOSIT_SUCCESS:
        _credit(deposit)
    elif record.status in DEPOSIT_REJECTED:
        deposit.status = Deposit.Status.REJECTED
    deposit.save()
    if (is_new or moved or deposit.status != Deposit.Status.SEEN) and deposit.user_id:
        push.to_user(deposit.user_id, "deposit", _event(deposit))
    return is_new or moved


def _owner_of(record: DepositRecord, sub_account: SubAccount | None) -> int | None:
    if sub_account:
        return sub_account.user_id
    # The pooled account's address belongs to the one customer it was given to.
    address = DepositAddress.objects.filter(
        network__asset_id=record.asset, network__code=record.network, address=record.address, tag=record.tag
    ).first()
    return address.user_id if address else None


def _credit(deposit: Deposit) -> None:
    """Books the deposit under its venue id: to its owner, or to suspense when it is nobody's."""
    asset = deposit.asset
    amount = round_down(deposit.amount, asset.scale)
    rest = deposit.amount - amount  # finer than the books keep: it stays at the venue and is not booked
    if deposit.user_id:
        owed: Line = available(deposit.user_id, asset.code, amount)
    else:
        owed = system(Account.Type.SUSPENSE, asset.code, amount)
    posted = post(
        scope="deposit",
        key=f"{deposit.venue_account_id}:{deposit.venue_id}",
        kind=Transfer.Kind.DEPOSIT,
        reference=f"DEPOSIT:{deposit.pk}",
        lines=[_where_it_lies(deposit, -amount), owed],
    )
    failpoints.hit("deposit.credited")
    deposit.transfer_id, deposit.credited_at = posted.transfer_id, timezone.now()
    if deposit.user_id:
        deposit.status = Deposit.Status.CREDITED
        _tell(deposit, amount)
    else:
        deposit.status = Deposit.Status.UNATTRIBUTED
        _except(deposit, "unattributed deposit", f"unattributed:{deposit.pk}")
    if rest:
        log.info("deposit.remainder", deposit=deposit.pk, amount=plain(rest))


def _where_it_lies(deposit: Deposit, amount: Decimal) -> Line:
    if deposit.sub_account_id:
        return system(Account.Type.CUSTODY, deposit.asset_id, amount)
    return system(Account.Type.VENUE, deposit.asset_id, amount, deposit.venue_account_id)


def _tell(deposit: Deposit, amount: Decimal) -> None:
    assert deposit.user_id is not None
    user = User.objects.get(pk=deposit.user_id)
    words = {"amount": plain(amount), "asset": deposit.asset_id}
    office.notify(
        user,
        "deposit.credited",
        _("Your deposit of %(amount)s %(asset)s is credited") % words,
        _("%(amount)s %(asset)s is available in your wallet.") % words,
    )
    push.to_user(user.pk, "balance", {"asset": deposit.asset_id})


def _notice_reversal(deposit: Deposit, record: DepositRecord) -> bool:
    """A credited deposit the venue no longer calls final: an alarm and an exception, never a silent change."""
    if deposit.venue_status == record.status or record.status not in DEPOSIT_REJECTED:
        return False
    deposit.venue_status = record.status
    deposit.save(update_fields=["venue_status"])
    _except(deposit, "deposit reversed by the venue", f"reversed:{deposit.pk}")
    if deposit.user_id:
        accounts.freeze(deposit.user_id, f"deposit {deposit.pk} was reversed by the venue")
    return True


def _except(deposit: Deposit, source: str, key: str) -> None:
    note_exception(
        source=source,
        key=key,
        asset=deposit.asset_id,
        amount=deposit.amount,
        detail={"deposit": deposit.pk, "tx_id": deposit.tx_id},
    )


def _event(deposit: Deposit) -> dict[str, object]:
    return {
        "id": deposit.pk,
        "asset": deposit.asset_id,
        "amount": plain(deposit.amount),
        "status": deposit.status,
        "confirmations": deposit.confirmations,
    }


# ------------------------------------------------------------------ from the sub-account to the trading account
def _sweep_to_trading(account: VenueAccount) -> None:
    waiting = Deposit.objects.filter(
        status=Deposit.Status.CREDITED,
        sub_account__isnull=False,
        swept_at__isnull=True,
        venue_account=account,
    )
    for deposit in waiting.select_related("sub_account", "asset").order_by("id")[:100]:
        try:
            _sweep(account, deposit)
        except NotSent:
            return
        except (Rejected, Unknown) as error:
            log.warning("deposit.not_swept", deposit=deposit.pk, reason=str(error)[:120])


def _sweep(account: VenueAccount, deposit: Deposit) -> None:
    """Moves the money by a transfer whose client id makes a repeat harmless; asks first whether it was done."""
    client_id = sweep_name(deposit.pk)
    amount = round_down(deposit.amount, deposit.asset.scale)
    email = str(deposit.sub_account and deposit.sub_account.email)
    done = gate.call(account, gate.Kind.WALLET, None, lambda rest: rest.universal_transfers(client_id))
    if not any(row.get("status") == "SUCCESS" for row in done):
        gate.call(
            account,
            gate.Kind.WALLET,
            None,
            lambda rest: rest.universal_transfer(email, deposit.asset_id, amount, client_id),
        )
    failpoints.hit("deposit.swept")
    _book_sweep(deposit, amount)


@transaction_with_retry
def _book_sweep(deposit: Deposit, amount: Decimal) -> None:
    post(
        scope="sweep",
        key=str(deposit.pk),
        kind=Transfer.Kind.SWEEP,
        reference=f"DEPOSIT:{deposit.pk}",
        lines=[
            system(Account.Type.VENUE, deposit.asset_id, -amount, deposit.venue_account_id),
            system(Account.Type.CUSTODY, deposit.asset_id, amount),
        ],
    )
    Deposit.objects.filter(pk=deposit.pk).update(swept_at=timezone.now())
