"""What is under way between the venue and the books: each explanation is an amount with a row behind it.

Asked only when something differs, because the venue has to be asked again. Apps above explain what they know of by
`@explains`: the ledger knows of deposits, withdrawals and sweeps, orders of trades.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from exchange.binance.errors import VenueError
from exchange.binance.wallet import DepositRecord, WithdrawRecord
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.moments import milliseconds_of
from ledger import queries, rules
from ledger.differences import Explanation
from ledger.models import Deposit, Place, SubAccount, Withdrawal
from ledger.services.paging import deposits_of, pages, withdrawals

log = structlog.get_logger()

Explainer = Callable[[VenueAccount, Collection[str]], Iterable[Explanation]]
EXPLAINERS: list[Explainer] = []
# Deposits are polled every few seconds; one that was credited earlier than this and is not booked is a difference.
RECENT = timedelta(days=2)
MOST_SWEEPS = 50


def explains(explainer: Explainer) -> Explainer:
    """The function is asked what is under way in assets that differ."""
    EXPLAINERS.append(explainer)
    return explainer


def explanations(account: VenueAccount, assets: Collection[str]) -> list[Explanation]:
    """Everything that is under way in these assets; what the venue does not tell now is not explained."""
    found: list[Explanation] = []
    for explainer in EXPLAINERS:
        try:
            found += explainer(account, assets)
        except VenueError as error:
            log.warning("reconciliation.not_explained", by=explainer.__name__, reason=str(error)[:120])
    return [explanation for explanation in found if explanation.asset in assets and explanation.amount]


# ------------------------------------------------------------------ withdrawals
@explains
def withdrawals_under_way(account: VenueAccount, assets: Collection[str]) -> Iterator[Explanation]:
    """What the venue has taken for withdrawals that are not settled here; of one it is silent about nobody can say."""
    waiting = queries.unfinished_withdrawals().filter(venue_account=account, asset__in=assets)
    rows = list(waiting)
    if not rows or not settings.BINANCE_SAPI_URL:
        return
    known = _withdrawn(account, rows)
    for withdrawal in rows:
        record = known.get(withdrawal.client_id) or known.get(withdrawal.venue_id)
        if record is not None and record.status in rules.WITHDRAW_FAILED:
            continue
        cost = rules.venue_cost(record.amount, record.fee) if record else withdrawal.amount
        yield Explanation(
            Place.VENUE,
            withdrawal.asset_id,
            -cost,
            _("withdrawal on its way"),
            f"WITHDRAWAL:{withdrawal.pk}",
            is_certain=record is not None or withdrawal.status == Withdrawal.Status.SENT,
        )


def _withdrawn(account: VenueAccount, rows: list[Withdrawal]) -> dict[str, WithdrawRecord]:
    """The venue's records since the oldest of these was sent, by our id and by the venue's."""
    start = min(row.sending_at or row.requested_at for row in rows) - timedelta(hours=1)
    end_ms = gate.clock().now_ms() + 60_000
    start_ms = max(milliseconds_of(start), end_ms - rules.WINDOW_MS)
    known: dict[str, WithdrawRecord] = {}
    for records in pages(account, gate.Kind.WALLET, withdrawals, start_ms, end_ms):
        for record in records:
            if not record.is_odd:
                known |= {name: record for name in (record.client_id, record.id) if name}
    return known


# ------------------------------------------------------------------ deposits
@explains
def deposits_under_way(account: VenueAccount, assets: Collection[str]) -> Iterator[Explanation]:
    """What the venue has credited and is not booked here yet."""
    if not settings.BINANCE_SAPI_URL or not account.is_primary:
        return  # what comes to another account is nobody's deposit: staff look into it
    for place, record in _credited(account):
        known = Deposit.objects.filter(venue_account=account, venue_id=record.id)
        booked = known.filter(Q(transfer__isnull=False) | Q(status=Deposit.Status.DUST))
        if record.asset in assets and record.status in rules.DEPOSIT_CREDITED and not booked.exists():
            yield Explanation(
                place, record.asset, record.amount, _("deposit not booked yet"), f"venue deposit {record.id}"
            )


def _credited(account: VenueAccount) -> Iterator[tuple[Place, DepositRecord]]:
    end_ms = gate.clock().now_ms()
    start_ms = end_ms - RECENT // timedelta(milliseconds=1)
    places: list[tuple[Place, str | None]] = [(Place.VENUE, None)]
    places += [(Place.CUSTODY, found.email) for found in sub_accounts_in_use(account)]
    for place, email in places:
        found: dict[str, DepositRecord] = {}
        for records in pages(account, gate.Kind.WALLET, deposits_of(email), start_ms, end_ms):
            found |= {record.id: record for record in records}
        yield from ((place, record) for record in found.values())


def sub_accounts_in_use(account: VenueAccount) -> list[SubAccount]:
    """Sub-accounts in which something lies, or may lie: the others were emptied by a sweep."""
    waiting = queries.unswept_deposits(account.pk).values_list("sub_account_id", flat=True)
    return list(SubAccount.objects.filter(pk__in=waiting).exclude(email="").order_by("id"))


@explains
def too_fine_to_be_booked(account: VenueAccount, assets: Collection[str]) -> Iterator[Explanation]:
    """What of deposits is finer than the books keep stays where it arrived."""
    rows = Deposit.objects.filter(
        venue_account=account, asset__in=assets, remainder__gt=0, reversed_at__isnull=True
    )
    for place, here in (
        (Place.VENUE, rows.filter(sub_account=None)),
        (Place.CUSTODY, rows.exclude(sub_account=None)),
    ):
        sums = here.order_by().values_list("coin").annotate(total=Sum("remainder"), count=Count("pk"))
        for coin, total, number in sums:
            words = _("finer than the books keep")
            yield Explanation(place, coin, total, words, _("%(number)s deposits") % {"number": number})


# ------------------------------------------------------------------ sweeps to the trading account
@explains
def sweeps_under_way(account: VenueAccount, assets: Collection[str]) -> Iterator[Explanation]:
    """What the venue has already moved to the trading account, and the books have not."""
    waiting = queries.unswept_deposits(account.pk).filter(asset__in=assets, transfer__isnull=False)
    for deposit in waiting[:MOST_SWEEPS]:
        if not was_swept(account, deposit):
            continue
        amount, row = deposit.booked, f"DEPOSIT:{deposit.pk}"
        for place, sign in ((Place.VENUE, 1), (Place.CUSTODY, -1)):
            yield Explanation(place, deposit.coin, sign * amount, _("sweep to the trading account"), row)


def was_swept(account: VenueAccount, deposit: Deposit) -> bool:
    name = rules.sweep_name(deposit.pk, deposit.sweep_round)
    rows = gate.call(account, gate.Kind.WALLET, None, lambda rest: rest.universal_transfers(name))
    return any(row.get("status") == "SUCCESS" for row in rows)
