"""Withdrawals up to the moment they may be sent: asked for, held, decided by a person of staff."""

import hashlib
import json
from decimal import Decimal
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import services as accounts
from accounts.models import User
from exchange import push
from exchange.database import transaction_with_retry
from exchange.errors import DomainError, NotAllowed
from exchange.gate import services as gate
from exchange.money import decimals, is_multiple, plain
from exchange.office import services as office
from ledger import queries, rules
from ledger.errors import (
    AmountOffStep,
    AmountTooLarge,
    AmountTooSmall,
    BadAddress,
    BadTag,
    KeyReused,
    TagMissing,
    UnknownWithdrawal,
    WithdrawalDecided,
    WithdrawalsClosed,
)
from ledger.models import Hold, Network, Withdrawal
from ledger.services.holds import hold, release
from ledger.services.stopping import require_asset_open

Status = Withdrawal.Status


def request_withdrawal(
    *, user: User, asset: str, network: str, address: str, tag: str, amount: Decimal, code: str, nonce: str
) -> Withdrawal:
    """The amount, fee included, is held and waits for staff; a repeat of the nonce gives the first request.

    Refuses an unverified or frozen customer, one without a second factor, a wrong code, and what the network's rules
    refuse. The code is asked for last, so that a mistake in another field does not use it up.
    """
    route = queries.network(asset, network)
    address, tag = address.strip(), tag.strip()
    request_hash = _hash([route.pk, address, tag, plain(amount)])
    if first := Withdrawal.objects.filter(user=user, nonce=nonce).first():
        return _same(first, request_hash)
    accounts.require_can_trade(user)
    require_asset_open(asset)
    _check(route, address, tag, amount)
    accounts.require_can_withdraw(user)
    accounts.require_second_factor(user, code)
    draft = Withdrawal(
        user=user,
        nonce=nonce,
        request_hash=request_hash,
        client_id=f"cw{uuid4().hex}",
        asset_id=asset,
        network=route,
        address=address,
        tag=tag,
        amount=amount,
        fee=route.withdraw_fee,
        venue_account=gate.primary_account(),
    )
    return _record(draft)


def _check(route: Network, address: str, tag: str, amount: Decimal) -> None:
    if not route.withdraw_enabled:
        raise WithdrawalsClosed(field="network")
    if not rules.fits(route.address_regex, address):
        raise BadAddress(field="address")
    if route.needs_tag and not tag:
        raise TagMissing(field="tag")
    if tag and not rules.fits(route.tag_regex, tag):
        raise BadTag(field="tag")
    unit = Decimal(1).scaleb(-route.asset.scale)
    if decimals(amount) > route.asset.scale:
        raise AmountOffStep(field="amount", step=plain(unit))
    if not is_multiple(amount, route.withdraw_multiple):
        raise AmountOffStep(field="amount", step=plain(route.withdraw_multiple))
    least = max(route.withdraw_min, route.withdraw_fee + unit)
    if amount < least:
        raise AmountTooSmall(field="amount", limit=plain(least))
    if route.withdraw_max and amount > route.withdraw_max:
        raise AmountTooLarge(field="amount", limit=plain(route.withdraw_max))


@transaction_with_retry
def _record(draft: Withdrawal) -> Withdrawal:
    try:
        with transaction.atomic():
            draft.save(force_insert=True)
    except IntegrityError:
        first = Withdrawal.objects.get(user=draft.user, nonce=draft.nonce)
        return _same(first, draft.request_hash)
    hold(
        user_id=draft.user_id,
        asset=draft.asset_id,
        amount=draft.amount,
        cause=Hold.Cause.WITHDRAWAL,
        cause_id=draft.pk,
    )
    office.record(
        draft.user, "withdrawal.requested", "withdrawal", draft.pk, after={"amount": plain(draft.amount)}
    )
    words = {"amount": plain(draft.amount), "asset": draft.asset_id, "address": draft.address}
    office.notify(
        draft.user,
        "withdrawal.requested",
        _("A withdrawal of %(amount)s %(asset)s was requested") % words,
        _("To %(address)s. If this was not you, cancel it in your wallet and contact support.") % words,
    )
    tell_pages(draft)
    return draft


def _same(first: Withdrawal, request_hash: str) -> Withdrawal:
    if first.request_hash != request_hash:
        raise KeyReused(field="nonce")
    return first


def _hash(body: list[object]) -> str:
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()


@transaction_with_retry
def cancel_withdrawal(*, withdrawal_id: int, user: User) -> Withdrawal:
    """The customer takes a request back that staff have not decided; the money is available again."""
    withdrawal = Withdrawal.objects.select_for_update().filter(pk=withdrawal_id, user=user).first()
    if withdrawal is None:
        raise UnknownWithdrawal()
    if withdrawal.status == Status.CANCELED:
        return withdrawal
    if withdrawal.status != Status.REQUESTED:
        raise WithdrawalDecided()
    give_back(withdrawal, Status.CANCELED, "")
    return withdrawal


@transaction_with_retry
def approve_withdrawal(*, withdrawal_id: int, by: User, reason: str = "") -> Withdrawal:
    """The withdrawal may be sent; somebody other than its owner says so."""
    withdrawal = _to_decide(withdrawal_id, by)
    accounts.require_can_withdraw(withdrawal.user)
    withdrawal.status, withdrawal.decided_by, withdrawal.decided_at = Status.APPROVED, by, timezone.now()
    withdrawal.save()
    office.record(by, "withdrawal.approved", "withdrawal", withdrawal.pk, reason=reason)
    tell_pages(withdrawal)
    return withdrawal


@transaction_with_retry
def refuse_withdrawal(*, withdrawal_id: int, by: User, reason: str) -> Withdrawal:
    """The money is available again and the customer learns why."""
    if not reason.strip():
        raise DomainError(_("Say why, so that the customer understands."), field="reason")
    withdrawal = _to_decide(withdrawal_id, by)
    withdrawal.decided_by, withdrawal.decided_at = by, timezone.now()
    give_back(withdrawal, Status.REFUSED, reason)
    office.record(by, "withdrawal.refused", "withdrawal", withdrawal.pk, reason=reason)
    return withdrawal


def _to_decide(withdrawal_id: int, by: User) -> Withdrawal:
    found = Withdrawal.objects.select_for_update(of=("self",)).select_related("user")
    withdrawal = found.filter(pk=withdrawal_id).first()
    if withdrawal is None:
        raise UnknownWithdrawal()
    if withdrawal.status != Status.REQUESTED:
        raise WithdrawalDecided()
    if not by.is_staff or withdrawal.user_id == by.pk:
        raise NotAllowed(_("Somebody else of staff must decide this."))
    return withdrawal


def give_back(withdrawal: Withdrawal, status: Withdrawal.Status, reason: str) -> None:
    """The hold is released and the withdrawal ends; the caller holds the row's lock."""
    release(cause=Hold.Cause.WITHDRAWAL, cause_id=withdrawal.pk)
    withdrawal.status, withdrawal.reason, withdrawal.finished_at = status, reason[:300], timezone.now()
    withdrawal.save()
    words = {"amount": plain(withdrawal.amount), "asset": withdrawal.asset_id}
    office.notify(
        User.objects.get(pk=withdrawal.user_id),
        f"withdrawal.{status.lower()}",
        _("Your withdrawal of %(amount)s %(asset)s was not sent") % words,
        reason or _("It was canceled; the money is available again."),
    )
    tell_pages(withdrawal)


def tell_pages(withdrawal: Withdrawal) -> None:
    """The customer's open pages learn of the new state."""
    event = {"id": withdrawal.pk, "status": withdrawal.status, "asset": withdrawal.asset_id}
    push.to_user(withdrawal.user_id, "withdrawal", event)
    push.to_user(withdrawal.user_id, "balance", {"asset": withdrawal.asset_id})
