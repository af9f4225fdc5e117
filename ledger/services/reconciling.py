"""Our books held against the venue's, asset by asset: what is under way is explained, what is left gets an owner."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from exchange.binance.errors import VenueError
from exchange.binance.models import VenueBalance
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.money import decimals, plain
from ledger import differences, queries
from ledger.differences import Explanation
from ledger.models import Account, LedgerException, Place, ReconciledAsset, Reconciliation
from ledger.services import exceptions
from ledger.services.explaining import explanations, sub_accounts_in_use
from ledger.services.posting import Line, system
from markets import queries as markets
from markets import services as market_services
from markets.models import Asset

log = structlog.get_logger()
ZERO = Decimal(0)
NONE = (ZERO, ZERO)  # free and locked of what the venue does not have
Spot = tuple[str, str]  # place and asset


@dataclass
class Compared:
    """One asset in one place, and what is under way in it."""

    ours: Decimal
    free: Decimal
    locked: Decimal
    counted: list[Explanation] = field(default_factory=list)

    @property
    def explained(self) -> Decimal:
        return sum((found.amount for found in self.counted), ZERO)

    @property
    def difference(self) -> Decimal:
        return self.free + self.locked - self.ours - self.explained


def reconcile_all(*, by: User | None = None) -> list[Reconciliation]:
    """The same of every venue account that has a key; one that does not answer keeps no other from it, and what the
    first such answered is raised at the end."""
    runs, errors = [], []
    for account in gate.accounts_with_key():
        try:
            run = reconcile(account=account, by=by)
        except VenueError as error:
            log.warning("reconciliation.not_made", account=account.name, reason=str(error)[:120])
            errors.append(error)
        else:
            runs += [run] if run else []
    if errors:
        raise errors[0]
    return runs


def reconcile(
    *, account: VenueAccount | None = None, by: User | None = None, now: datetime | None = None
) -> Reconciliation | None:
    """The venue account, the primary one if none is named, is compared with the books and what came of it is on record;
    None without keys to ask with.

    A difference that two runs found, some time apart, becomes an exception with an owner; above the limit it stops
    its asset until it is gone or closed. Raises what the venue answers wrongly.
    """
    account = account or gate.primary_account()
    if gate.key_of(account) is None:
        return None
    found = _compare(account)
    run = _keep(account, found, queries.Prices(), by, now or timezone.now())
    log.info("reconciliation.done", run=run.pk, assets=run.assets, differing=run.differing)
    return run


def reconcile_now(*, by: User) -> list[Reconciliation]:
    """The same because staff ask for it. Unknown when it takes longer than a moment: it goes on then."""
    return gate.history().carry(partial(reconcile_all, by=by))


def prune_reconciliations() -> int:
    """Runs older than the setting are gone, but for those in which a difference on record was found."""
    old = timezone.now() - timedelta(days=settings.RECONCILE_KEEP_DAYS)
    found = Reconciliation.objects.filter(at__lt=old)
    kept = LedgerException.objects.filter(reconciliation__isnull=False).values("reconciliation_id")
    return found.exclude(pk__in=kept).delete()[0]


# ------------------------------------------------------------------ comparing
def _compare(account: VenueAccount) -> dict[Spot, Compared]:
    before = _ours(account)
    theirs = _theirs(account)
    differing = {spot for spot in {*before, *theirs} if before.get(spot, ZERO) != sum(theirs.get(spot, NONE))}
    if not differing:
        return {spot: Compared(before[spot], *theirs[spot]) for spot in sorted(theirs)}
    offered = explanations(account, {asset for _place, asset in differing})
    after = _ours(account)
    return {
        spot: _explained(
            spot, Compared(after.get(spot, ZERO), *theirs.get(spot, NONE)), before.get(spot, ZERO), offered
        )
        for spot in sorted({*before, *after, *theirs})
    }


def _explained(spot: Spot, row: Compared, before: Decimal, offered: Sequence[Explanation]) -> Compared:
    own = [found for found in offered if (found.place, found.asset) == spot]
    row.counted = differences.counted(row.difference, own)
    if meanwhile := differences.meanwhile(row.difference, moved=row.ours - before):
        row.counted.append(Explanation(*spot, meanwhile, _("booked while the venue was asked"), "-"))
    return row


def _ours(account: VenueAccount) -> dict[Spot, Decimal]:
    places = {Place.VENUE: queries.venue_position(account.pk)}
    if account.is_primary:  # its sub-accounts are where deposits arrive
        places[Place.CUSTODY] = queries.custody_position()
    return {(place, asset): held for place, rows in places.items() for asset, held in rows.items()}


def _theirs(account: VenueAccount) -> dict[Spot, tuple[Decimal, Decimal]]:
    rows = [
        (Place.VENUE, row) for row in gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.account())
    ]
    if settings.BINANCE_SAPI_URL and account.is_primary:
        for sub_account in sub_accounts_in_use(account):
            rows += [(Place.CUSTODY, row) for row in _assets_of(account, sub_account.email)]
    found: dict[Spot, tuple[Decimal, Decimal]] = {}
    for place, row in rows:
        free, locked = found.get((place, row.asset), NONE)
        found[(place, row.asset)] = (free + row.free, locked + row.locked)
    return found


def _assets_of(account: VenueAccount, email: str) -> list[VenueBalance]:
    return gate.call(account, gate.Kind.WALLET, None, lambda rest: rest.sub_account_assets(email))


# ------------------------------------------------------------------ on record
@transaction_with_retry
def _keep(
    account: VenueAccount, found: dict[Spot, Compared], prices: queries.Prices, by: User | None, now: datetime
) -> Reconciliation:
    _one_at_a_time(account)
    patience = timedelta(seconds=settings.RECONCILE_PATIENCE_SECONDS)
    earlier = queries.runs_to_judge_by(account.pk, now, patience)
    differing = sum(1 for row in found.values() if row.difference)
    run = Reconciliation.objects.create(
        venue_account=account, at=now, is_ok=not differing, assets=len(found), differing=differing, by=by
    )
    for _place, asset in found:
        market_services.ensure_asset(asset)
    rows = ReconciledAsset.objects.bulk_create([_row(run, spot, row) for spot, row in found.items()])
    _judge(run, rows, earlier, prices)
    exceptions.adopt_orphans()
    return run


def _one_at_a_time(account: VenueAccount) -> None:
    """Until the transaction ends no other run of the account is judged: both would note the same differences."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ledger.reconciliation:{account.pk}"]
        )


def _row(run: Reconciliation, spot: Spot, row: Compared) -> ReconciledAsset:
    words = [[found.words, found.row, plain(found.amount)] for found in row.counted]
    return ReconciledAsset(
        reconciliation=run,
        place=spot[0],
        asset_id=spot[1],
        ours=row.ours,
        free=row.free,
        locked=row.locked,
        explained=row.explained,
        difference=row.difference,
        explanations=words,
    )


def _judge(
    run: Reconciliation, rows: Sequence[ReconciledAsset], earlier: list[int], prices: queries.Prices
) -> None:
    """Differences that lasted are put before staff or brought up to date; those that are gone stop nothing more."""
    standing = {
        (found.place, found.asset_id): found
        for found in LedgerException.objects.select_for_update(of=("self",))
        .filter(venue_account=run.venue_account, resolved_at__isnull=True)
        .exclude(place="")
    }
    for row in rows:
        known = standing.pop((row.place, row.asset_id), None)
        lasting = _lasting(row, earlier)
        if known is not None and (lasting or (row.difference and known.gone_at is None)):
            _renew(known, run, row, lasting or row.difference, prices)
        elif known is not None:
            _note_gone(known, run)
        elif lasting:
            _put_before_staff(run, row, lasting, prices)
    for known in standing.values():  # neither side knows the asset any more
        _note_gone(known, run)


def _lasting(row: ReconciledAsset, earlier: list[int]) -> Decimal:
    """What this run and every one of the earlier ones found of the difference; zero without earlier ones."""
    if not row.difference or not earlier:
        return ZERO
    before = ReconciledAsset.objects.filter(
        reconciliation__in=earlier, place=row.place, asset_id=row.asset_id
    ).values_list("difference", flat=True)
    return differences.persisted([row.difference, *before]) if len(before) == len(earlier) else ZERO


def _put_before_staff(
    run: Reconciliation, row: ReconciledAsset, amount: Decimal, prices: queries.Prices
) -> None:
    found = exceptions.note_exception(
        source=LedgerException.Source.BALANCE,
        key=f"difference:{row.place}:{row.asset_id}:{run.pk}",
        asset=row.asset_id,
        amount=amount,
        detail={"run": run.pk, "ours": plain(row.ours), "theirs": plain(row.theirs)},
        cause=_cause(row, amount),
        suggestion=_to_suspense(row, amount),
        venue_account=run.venue_account,
        place=row.place,
        reconciliation=run,
        seen_at=run.at,
        stops_asset=_stops(row.asset_id, amount, prices),
    )
    log.error(
        "reconciliation.difference", difference=found.pk, asset=row.asset_id, stops_asset=found.stops_asset
    )


def _renew(
    known: LedgerException, run: Reconciliation, row: ReconciledAsset, amount: Decimal, prices: queries.Prices
) -> None:
    known.amount, known.cause = amount, _cause(row, amount)
    known.suggestion = exceptions.words_of(_to_suspense(row, amount))
    known.seen_at, known.gone_at = run.at, None
    known.stops_asset = _stops(row.asset_id, amount, prices)
    known.save()


def _note_gone(known: LedgerException, run: Reconciliation) -> None:
    """The two agree again: nothing is stopped any more, and staff close it when they know why."""
    known.gone_at = known.gone_at or run.at
    known.stops_asset = False
    known.save(update_fields=["gone_at", "stops_asset"])


def _stops(asset: str, amount: Decimal, prices: queries.Prices) -> bool:
    """True above the limit; also when nobody can say what it is worth."""
    worth = prices.worth(asset, abs(amount))
    return worth is None or worth > settings.RECONCILE_STOP_WORTH


def _to_suspense(row: ReconciledAsset, amount: Decimal) -> list[Line]:
    """The posting after which the two agree; suspense then says what is still to be found out."""
    asset = Asset.objects.get(code=row.asset_id)
    if decimals(amount) > asset.scale:
        return []  # finer than the books keep
    if row.place == Place.CUSTODY:
        lies = system(Account.Type.CUSTODY, asset.code, -amount)
    else:
        lies = system(Account.Type.VENUE, asset.code, -amount, row.reconciliation.venue_account_id)
    return [lies, system(Account.Type.SUSPENSE, asset.code, amount)]


# ------------------------------------------------------------------ the probable cause, in words
def _cause(row: ReconciledAsset, amount: Decimal) -> str:
    code, behind = differences.probable_cause(
        amount,
        ours=row.ours,
        smallest_step=markets.smallest_step(row.asset_id),
        candidates=queries.candidates(row),
    )
    return _words()[code] % {"row": behind}


def _words() -> dict[str, str]:
    return {
        "finding": _(
            "The same amount as difference %(row)s, perhaps the same thing: book only one of the two."
        ),
        "sweep": _(
            "The sweep of %(row)s reached the venue and was not booked, or was booked and did not happen."
        ),
        "deposit": _("The deposit %(row)s is in the account and not booked."),
        "reversed": _("The deposit %(row)s is booked and perhaps was taken back by the venue."),
        "withdrawal": _("The withdrawal %(row)s left the account and is not booked, or left twice."),
        "returned": _("The withdrawal %(row)s is booked and perhaps came back."),
        "network fee": _("The network fee of %(row)s was charged or given back without a booking."),
        "dust": _("Less than can be traded: rounding, or dust the venue converted."),
        "gift": _("The books never had this asset: a gift of the venue, or a transfer made by hand."),
        "unknown": _("Nothing on record has this amount."),
    }
