"""The address a customer sends to, by the strategy the venue account is set to and never by a weaker one."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.binance.wallet import VenueAddress
from exchange.errors import Unavailable
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from ledger import queries
from ledger.errors import DepositsClosed, NoOwnAddress
from ledger.models import DepositAddress, Network, SubAccount

log = structlog.get_logger()
Way = Callable[[User, Network, VenueAccount], DepositAddress | None]
# The venue has no such address at all, some of them answer in HTML; or the account is none that has sub-accounts.
NO_SUCH_DOOR, NO_SUCH_RIGHT = frozenset({404, 405, 501}), -9000
NOT_OFFERED = frozenset(f"HTTP {status}" for status in NO_SUCH_DOOR)
# Longer than any answer is waited for: who asked for a sub-account and died is asked after no earlier.
LEASE = timedelta(minutes=2)


def deposit_address(*, user: User, asset: str, network: str) -> DepositAddress:
    """Where the customer sends to on the network: an own address, made at the venue when it is first asked for, or,
    where the venue account is set to announced deposits, the pooled one.

    Raises UnknownNetwork, DepositsClosed, NoOwnAddress, Unavailable.
    """
    route = queries.network(asset, network)
    if found := DepositAddress.objects.filter(user=user, network=route).first():
        return found
    if not route.deposit_enabled:
        raise DepositsClosed(field="network")
    account = gate.primary_account()
    try:
        # One wish of a customer at a time: two would make two sub-accounts.
        return gate.addresses().carry(partial(_by_strategy, user, route, account), alone=user.pk)
    except VenueError as error:
        log.warning(
            "deposit.no_address", user_id=user.pk, asset=asset, network=network, reason=str(error)[:120]
        )
        raise Unavailable() from error


def _by_strategy(user: User, route: Network, account: VenueAccount) -> DepositAddress:
    for strategy in account.deposit_strategies:
        if found := WAYS[strategy](user, route, account):
            return found
        log.info("deposit.not_offered", strategy=strategy, asset=route.asset_id, network=route.code)
    raise NoOwnAddress(field="network")


def _of_a_sub_account(user: User, route: Network, account: VenueAccount) -> DepositAddress | None:
    """An address of the customer's own sub-account; where many share an address, its own memo is part of it."""
    sub_account = _sub_account_of(user, account)
    if sub_account is None:
        return None
    found = gate.call(
        account,
        gate.Kind.WALLET,
        user.pk,
        lambda rest: rest.sub_deposit_address(sub_account.email, route.asset_id, route.code),
    )
    if route.needs_tag and not found.tag:
        return None
    return _keep(user, route, sub_account, found)


def _with_a_memo(user: User, route: Network, account: VenueAccount) -> DepositAddress | None:
    """An account has one address and memo a network; a memo that tells customers apart is one of a sub-account."""
    return _of_a_sub_account(user, route, account) if route.needs_tag else None


def _of_everybody(user: User, route: Network, account: VenueAccount) -> DepositAddress | None:
    """The pooled address: shown to all, credited to nobody before staff have decided what was announced."""
    if known := DepositAddress.objects.filter(user=None, network=route).first():
        return known
    found = gate.call(
        account,
        gate.Kind.WALLET,
        user.pk,
        lambda rest: rest.deposit_address(route.asset_id, route.code),
    )
    return _keep(None, route, None, found)


WAYS: dict[str, Way] = {
    VenueAccount.Deposits.SUB_ACCOUNT: _of_a_sub_account,
    VenueAccount.Deposits.MEMO: _with_a_memo,
    VenueAccount.Deposits.ANNOUNCED: _of_everybody,
}


def _keep(
    user: User | None, route: Network, sub_account: SubAccount | None, found: VenueAddress
) -> DepositAddress:
    """Whoever was given this address first keeps it; an address is one customer's or everybody's, never both."""
    given = {"sub_account": sub_account, "address": found.address, "tag": found.tag}
    try:
        with transaction.atomic():
            return DepositAddress.objects.get_or_create(user=user, network=route, defaults=given)[0]
    except IntegrityError as error:
        raise NoOwnAddress(field="network") from error


def _sub_account_of(user: User, account: VenueAccount) -> SubAccount | None:
    """The customer's sub-account at the venue; None where the venue offers none.

    One process at a time asks for it: the venue would make two. Whether one was made that nobody heard of is not
    known, and it does no harm: no address of it was ever given.
    """
    name = f"cw{user.pk:08d}"
    row = SubAccount.objects.get_or_create(user=user, defaults={"venue_account": account, "name": name})[0]
    if row.email:
        return row
    _lease(row)
    try:
        row.email = gate.call(account, gate.Kind.WALLET, user.pk, lambda rest: rest.create_sub_account(name))
    except VenueError as error:
        is_none = _says_none_are_offered(error)
        if is_none or not isinstance(error, Unknown):  # nothing was made: nobody has to wait
            _end_lease(row)
        if not is_none:
            raise
        log.info("deposit.no_sub_accounts", reason=str(error)[:120])
        return None
    row.save(update_fields=["email"])
    return row


def _says_none_are_offered(error: VenueError) -> bool:
    """The fault of a key, of a clock or of what we sent says nothing about sub-accounts."""
    if isinstance(error, Rejected):
        return error.code == NO_SUCH_RIGHT or error.http_status in NO_SUCH_DOOR
    return isinstance(error, Unknown) and error.reason in NOT_OFFERED


def _lease(row: SubAccount) -> None:
    now = timezone.now()
    is_free = Q(asked_at__isnull=True) | Q(asked_at__lt=now - LEASE)
    if not SubAccount.objects.filter(is_free, pk=row.pk, email="").update(asked_at=now):
        raise NotSent("busy with this customer's last wish")


def _end_lease(row: SubAccount) -> None:
    SubAccount.objects.filter(pk=row.pk).update(asked_at=None)
