"""Whether the key of an account is fit to trade with: it may trade, may not withdraw, and is bound to our addresses."""

import sys
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from exchange.binance.errors import BAD_SIGNATURE, KEY_REFUSED, Rejected, VenueError
from exchange.binance.wallet import KeyRights
from exchange.gate import keys, services
from exchange.gate.models import VenueAccount

log = structlog.get_logger()
State = VenueAccount.KeyState
# What a key may do can be changed at the venue at any time.
LOOK_AGAIN = timedelta(hours=1)


def check_due_keys() -> None:
    """A sweep: keys that are not known to be good, and those of which nothing was asked for a while."""
    good = Q(key_state=State.GOOD, key_checked_at__gt=timezone.now() - LOOK_AGAIN)
    check_keys(VenueAccount.objects.exclude(good))


def check_keys(accounts: QuerySet[VenueAccount] | None = None) -> None:
    """What may be done with each key is asked for anew; what the venue does not say now stays as it was."""
    for account in (VenueAccount.objects.all() if accounts is None else accounts).order_by("id"):
        try:
            check_key(account)
        except VenueError as error:
            log.warning("gate.key_not_checked", account=account.name, reason=str(error)[:120])


def check_key(account: VenueAccount) -> str:
    """What its state is now; raises what the venue answers besides yes and no."""
    if keys.key_of(account) is None:
        return account.key_state
    try:
        reason = _against(account)
    except Rejected as error:
        if error.code not in (*KEY_REFUSED, BAD_SIGNATURE):
            raise
        return keys.note_refused(account, str(error))
    state = State.UNFIT if reason else State.GOOD
    keys.note_state(account, state, reason)
    return state


def _against(account: VenueAccount) -> str:
    """What speaks against the key; raises Rejected when the venue does not take it."""
    if not settings.BINANCE_SAPI_URL:  # testnet and demo cannot say what a key may do
        services.call(account, services.Kind.HISTORY, None, lambda rest: rest.account())
        return ""
    found = services.call(account, services.Kind.WALLET, None, lambda rest: rest.key_rights())
    return against(found)


def against(rights: KeyRights) -> str:
    """Empty for a key that may trade and no more."""
    found = []
    if rights.can_withdraw:
        found.append("it may withdraw")
    if not rights.is_bound_to_addresses:
        found.append("it is not bound to addresses")
    if not rights.can_trade:
        found.append("it may not trade")
    return ", ".join(found)


def require_fit_keys() -> None:
    """What the venue says of each key is on record; ends the process with a sentence and status 2 when there are keys
    and none of them is fit. What the venue does not say now is no reason."""
    check_keys()
    rows = [row for row in VenueAccount.objects.order_by("id") if keys.key_of(row) is not None]
    unfit = [row for row in rows if row.key_state == State.UNFIT]
    for row in unfit:
        print(f"causeway: the key of {row.name} is not used: {row.key_reason}.", file=sys.stderr, flush=True)
    if unfit and len(unfit) == len(rows):
        raise SystemExit(2)
