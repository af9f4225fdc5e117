"""Withdrawals as customers ask for them: checked, held at once, and taken back while nothing was sent."""

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.models import User
from exchange import push
from exchange.database import repeated_after_loss, transaction_with_retry
from exchange.errors import Text, Unavailable
from exchange.gate import services as gate
from exchange.money import plain
from exchange.office import services as office
from ledger import queries, rules
from ledger.errors import (
    InsufficientFunds,
    KeyReused,
    NoPrice,
    OverDayLimit,
    OverMonthLimit,
    UnknownWithdrawal,
    WithdrawalDecided,
    WithdrawalsClosed,
)
from ledger.models import Hold, Network, Withdrawal, WithdrawalTerms
from ledger.services import seals
from ledger.services.beneficiaries import Beneficiary, require_beneficiary, sealed
from ledger.services.destinations import require_allowed, require_destination
from ledger.services.exceptions import note_exception
from ledger.services.holds import hold, release
from ledger.services.locked import require_unlocked
from ledger.services.posting import digest
from ledger.services.stopping import require_asset_open

log = structlog.get_logger()
Status = Withdrawal.Status
NOBODY = Beneficiary()


def request_withdrawal(
    *,
    user: User,
    asset: str,
    network: str,
    address: str,
    tag: str,
    amount: Decimal,
    fee: Decimal,
    code: str,
    nonce: str,
    beneficiary: Beneficiary = NOBODY,
) -> Withdrawal:
    """The amount, fee included, is held and waits for the customer's word by mail; a nonce's repeat gives the first.

    Refuses an unverified or frozen customer, one without a second factor or over a limit, a fee that is not the
    network's any more, more than is available and may leave, a wrong code, and what the network's rules refuse. The
    code is asked for last, so that a mistake in another field does not use it up.
    """
    route = queries.network(asset, network)
    address, tag = address.strip(), tag.strip()
    request_hash = digest([route.pk, address, tag, plain(amount), plain(fee), asdict(beneficiary)])
    if first := Withdrawal.objects.filter(user=user, nonce=nonce).first():
        return _same(first, request_hash)
    accounts.require_can_trade(user)
    require_asset_open(asset)
    prices = queries.Prices()
    value = _require_possible(user, route, address, tag, amount, fee, prices)
    require_beneficiary(value, beneficiary)
    accounts.require_can_withdraw(user)
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
        fee=fee,
        value=value,
        beneficiary=sealed(beneficiary),
        confirm_by=timezone.now() + timedelta(minutes=settings.WITHDRAWAL_CONFIRM_MINUTES),
        venue_account=gate.primary_account(),
    )
    _require_free(draft, prices)
    accounts.require_second_factor(user, code)
    token = seals.new_token()
    # The nonce finds what was committed unheard.
    return repeated_after_loss(lambda: _record(draft, token, prices))


def _require_possible(
    user: User, route: Network, address: str, tag: str, amount: Decimal, fee: Decimal, prices: queries.Prices
) -> Decimal:
    """What it is worth; refuses what the network, the book, the prices or the limits do not allow now."""
    if not route.withdraw_enabled:
        raise WithdrawalsClosed(field="network")
    require_destination(route, address, tag)
    rules.require_amount(route, amount, route.asset.scale)
    rules.require_fee(route, amount, fee)
    require_allowed(user, route, address, tag)
    value = queries.worth(route.asset_id, amount, prices)
    if value is None:
        raise NoPrice(field="amount", asset=route.asset_id)
    require_within_limits(user, value)
    return value


def _require_free(draft: Withdrawal, prices: queries.Prices) -> None:
    """Refuses what cannot be held or may not leave; certain only once it is held."""
    if queries.available(draft.user_id, draft.asset_id) < draft.amount:
        raise InsufficientFunds(field="amount")
    require_unlocked(draft, prices, not_held=draft.amount)


def require_within_limits(user: User, value: Decimal) -> None:
    """Refuses what is worth more than the day or the month leaves; certain only under the lock of the terms."""
    limits = queries.limits(user)
    for limit, error in ((limits.day, OverDayLimit), (limits.month, OverMonthLimit)):
        if value > limit.left:
            figures = {"value": plain(value), "limit": plain(limit.total), "left": plain(limit.left)}
            raise error(field="amount", reference=settings.REFERENCE_ASSET, **figures)


@transaction_with_retry
def _record(draft: Withdrawal, token: str, prices: queries.Prices) -> Withdrawal:
    lock_terms(draft.user)
    if first := Withdrawal.objects.filter(user=draft.user, nonce=draft.nonce).first():
        return _same(first, draft.request_hash)
    require_within_limits(draft.user, draft.value)
    draft.pk = None
    draft.save(force_insert=True)
    draft.token_digest = seals.digest_of(draft, token)
    draft.save(update_fields=["token_digest"])
    hold(
        user_id=draft.user_id,
        asset=draft.asset_id,
        amount=draft.amount,
        cause=Hold.Cause.WITHDRAWAL,
        cause_id=draft.pk,
    )
    require_unlocked(draft, prices)
    office.record(
        draft.user, "withdrawal.requested", "withdrawal", draft.pk, after={"amount": plain(draft.amount)}
    )
    _ask_to_confirm(draft, token)
    tell_pages(draft)
    return draft


def lock_terms(user: User) -> WithdrawalTerms:
    """The customer's terms, locked until the transaction ends: what is counted for them is counted one by one."""
    found = WithdrawalTerms.objects.select_for_update().filter(user=user).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            WithdrawalTerms.objects.create(user=user)
    except IntegrityError:
        pass  # another request of theirs was first
    return WithdrawalTerms.objects.select_for_update().get(user=user)


def _ask_to_confirm(draft: Withdrawal, token: str) -> None:
    """The token stands in clear in the mail's row alone, which staff are not shown where a mail server is set."""
    page = reverse("withdrawal_confirm", args=[draft.pk])
    words = {
        "net": plain(draft.net),
        "amount": plain(draft.amount),
        "fee": plain(draft.fee),
        "asset": draft.asset_id,
        "address": draft.address,
        "network": draft.network.code,
        "tag": draft.tag or "–",
        "minutes": settings.WITHDRAWAL_CONFIRM_MINUTES,
        "link": f"{settings.SITE_URL}{page}?token={token}",
        "token": token,
    }
    text = _(
        "You asked to send %(net)s %(asset)s (%(amount)s less a fee of %(fee)s).\n"
        "Network: %(network)s\nAddress: %(address)s\nMemo or tag: %(tag)s\n\n"
        "Compare the address, then open this page within %(minutes)s minutes and confirm:\n%(link)s\n\n"
        "Confirmation for the app:\n%(token)s\n\n"
        "If this was not you, do not confirm: change your password, and nothing is sent."
    )
    office.mail(
        to=draft.user.email,
        kind="withdrawal.confirm",
        subject=_("Confirm your withdrawal of %(amount)s %(asset)s"),
        body=text,
        user=draft.user,
        words=words,
    )
    office.tell(
        draft.user,
        "withdrawal.requested",
        _("A withdrawal of %(amount)s %(asset)s was requested"),
        _("To %(address)s. If this was not you, cancel it in your wallet and contact support."),
        words,
    )


def _same(first: Withdrawal, request_hash: str) -> Withdrawal:
    if first.request_hash != request_hash:
        raise KeyReused(field="nonce")
    return first


@transaction_with_retry
def cancel_withdrawal(*, withdrawal_id: int, user: User) -> Withdrawal:
    """The customer takes a request back of which nothing has been sent; the money is available again."""
    found = Withdrawal.objects.select_for_update(of=("self",)).select_related("user")
    withdrawal = found.filter(pk=withdrawal_id, user=user).first()
    if withdrawal is None:
        raise UnknownWithdrawal()
    if withdrawal.status == Status.CANCELED:
        return withdrawal
    if not withdrawal.is_cancelable:
        raise WithdrawalDecided()
    give_back(withdrawal, Status.CANCELED, "")
    office.record(user, "withdrawal.canceled", "withdrawal", withdrawal.pk)
    return withdrawal


def cancel_withdrawals(*, user: User) -> int:
    """All that the customer could take back one by one is taken back; gives how many. One that cannot be taken back
    now, because somebody has its row, is passed over."""
    waiting = queries.withdrawals(user).filter(
        status__in=[Status.AWAITING, Status.REQUESTED, Status.APPROVED]
    )
    count = 0
    for number in list(waiting.order_by("id").values_list("pk", flat=True)):
        try:
            cancel_withdrawal(withdrawal_id=number, user=user)
        except (WithdrawalDecided, Unavailable) as error:
            log.info("withdrawal.not_canceled", withdrawal=number, reason=error.code)
        else:
            count += 1
    return count


def give_back(withdrawal: Withdrawal, status: Withdrawal.Status, reason: Text) -> None:
    """The hold is released and the withdrawal ends; the caller holds the row's lock."""
    release(cause=Hold.Cause.WITHDRAWAL, cause_id=withdrawal.pk)
    reason = office.said_to(withdrawal.user, reason)
    withdrawal.status, withdrawal.reason, withdrawal.finished_at = status, reason[:300], timezone.now()
    withdrawal.token_digest = ""
    withdrawal.save()
    office.notify(
        withdrawal.user,
        f"withdrawal.{status.lower()}",
        _("Your withdrawal of %(amount)s %(asset)s was not sent"),
        reason or _("It was canceled; the money is available again."),
        {"amount": plain(withdrawal.amount), "asset": withdrawal.asset_id},
    )
    tell_pages(withdrawal)


def stop(withdrawal: Withdrawal) -> None:
    """It is not what the customer confirmed, or its money is not there: an alarm, and only people go on from here.

    The caller holds the row's lock.
    """
    withdrawal.status = Status.STOPPED
    withdrawal.save()
    log.error("withdrawal.changed_after_confirmation", withdrawal=withdrawal.pk)
    office.record(None, "withdrawal.stopped", "withdrawal", withdrawal.pk, reason="not as it was confirmed")
    note_exception(
        source="withdrawal not as it was confirmed",
        key=f"stopped withdrawal:{withdrawal.pk}",
        asset=withdrawal.asset_id,
        amount=withdrawal.amount,
        detail={"withdrawal": withdrawal.pk, "client_id": withdrawal.client_id},
    )
    tell_pages(withdrawal)


def tell_pages(withdrawal: Withdrawal) -> None:
    """The customer's open pages learn of the new state."""
    event = {"id": withdrawal.pk, "status": withdrawal.status, "asset": withdrawal.asset_id}
    push.to_user(withdrawal.user_id, "withdrawal", event)
    push.to_user(withdrawal.user_id, "balance", {"asset": withdrawal.asset_id})
