"""The panic button: first the account is locked, then everything ends that can; a sweep goes on with the rest."""

from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.models import User
from exchange.office import services as office
from exchange.safety import queries
from exchange.safety.models import Panic
from ledger import queries as books
from ledger import services as ledger
from orders import queries as placed
from orders import services as orders

log = structlog.get_logger()
# What was under way when the button was pressed is on record by then.
SETTLED = timedelta(seconds=5)
BATCH = 50


def press(*, user: User, channel: str, address: str | None = None) -> Panic:
    """The account is locked, every session has ended and every token is revoked; the end of all orders is asked for and
    all withdrawals that were not sent are taken back, as far as possible now, and else by the sweep."""
    panic = _lock(user, channel, address)
    _end_what_is_left(panic)
    panic.refresh_from_db()
    return panic


@transaction.atomic
def _lock(user: User, channel: str, address: str | None) -> Panic:
    sessions, tokens = accounts.lock(user, address=address)
    panic = Panic.objects.create(user=user, channel=channel, sessions=sessions, tokens=tokens)
    office.notify(
        user,
        "user.locked",
        _("Your account is locked"),
        _(
            "The panic button of your account was pressed. All open orders are told to end, withdrawals that were not"
            " sent are taken back, every session was ended and every API token revoked. Nobody can trade or withdraw."
            "\n\nTo unlock it, sign in and give a code of your authenticator app on the security page. Without an app"
            " that was set up before, our staff unlock it. If it was not you, change your password first."
        ),
    )
    log.warning("panic.pressed", panic=panic.pk, user=user.pk, channel=channel)
    return panic


def finish_panics() -> int:
    """What was left is asked for again; a panic is finished when nothing is. Gives how many were looked at."""
    found = list(queries.unfinished_panics(timezone.now() - SETTLED)[:BATCH])
    for panic in found:
        # What is placed after the unlocking is wanted.
        is_over = not panic.user.is_locked
        if is_over or (_end_what_is_left(panic) and not _has_anything_left(panic.user_id)):
            Panic.objects.filter(pk=panic.pk).update(finished_at=timezone.now())
    return len(found)


def _has_anything_left(user_id: int) -> bool:
    return placed.unwished_orders(user_id).exists() or books.has_cancelable_withdrawals(user_id)


def _end_what_is_left(panic: Panic) -> bool:
    """One part that fails never keeps the other from its turn; False when one did."""
    is_done = True
    for part in (_withdrawals, _orders):
        try:
            part(panic)
        except Exception:
            log.exception("panic.part_failed", panic=panic.pk, part=part.__name__)
            is_done = False
    return is_done


def _withdrawals(panic: Panic) -> None:
    count = ledger.cancel_withdrawals(user=panic.user)
    Panic.objects.filter(pk=panic.pk).update(withdrawals=F("withdrawals") + count)


def _orders(panic: Panic) -> None:
    """Those whose end was asked for before are carried out by the sweeps of orders."""
    count = placed.unwished_orders(panic.user_id).count()
    if not count:
        return
    wishes = orders.wish_cancels(user=panic.user)
    Panic.objects.filter(pk=panic.pk).update(orders=F("orders") + count)
    orders.carry_out_wishes(wishes)
