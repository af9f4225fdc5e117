"""A trade at the venue moves money: what the customer pays from the hold, what they get, our fee, the commission."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from accounts import services as accounts
from exchange.database import transaction_with_retry
from exchange.money import plain
from ledger.models import Account, Entry, Hold, LedgerException, Transfer
from ledger.queries import has_exception
from ledger.services.exceptions import note_exception
from ledger.services.posting import (
    ConsumeHold,
    HoldChange,
    Line,
    Posted,
    ReleaseHold,
    available,
    customer,
    held,
    post,
    system,
    texts,
    values_of,
)
from markets.models import Asset

log = structlog.get_logger()
# The venue rounds what each trade costs to so many decimals (quoteAssetPrecision of exchangeInfo), now and then up.
VENUE_DECIMALS = 8


@dataclass(frozen=True)
class FillPosting:
    """One trade as the venue reports it. `key` names it for ever: `{venue account}:{symbol}:{trade}`."""

    key: str
    user_id: int
    venue_account_id: int
    order_id: int
    side: str
    base: str
    quote: str
    quantity: Decimal
    quote_quantity: Decimal
    fee: Decimal
    commission: Decimal
    commission_asset: str
    # The list whose one hold pays for whichever of its orders trades; None for an order with a hold of its own.
    list_id: int | None = None

    @property
    def hold(self) -> tuple[Hold.Cause, int]:
        if self.list_id is None:
            return Hold.Cause.ORDER, self.order_id
        return Hold.Cause.LIST, self.list_id

    @property
    def reference(self) -> str:
        """A transfer names the cause whose hold it changes."""
        cause, number = self.hold
        return f"{cause}:{number}"

    @property
    def paid(self) -> tuple[str, Decimal]:
        return (self.quote, self.quote_quantity) if self.side == "BUY" else (self.base, self.quantity)

    @property
    def received(self) -> tuple[str, Decimal]:
        return (self.base, self.quantity) if self.side == "BUY" else (self.quote, self.quote_quantity)


def post_fill(fill: FillPosting, *, is_last: bool = False) -> Posted:
    """The trade is booked once; the last one gives back in the same transfer what the hold did not need.

    A trade its hold no longer covers is booked too: from what is available as far as that reaches, the rest as
    slippage, and then the customer is frozen and an exception names it, unless it is the venue's rounding alone.
    """
    asset, _cost = fill.paid
    posted = post(**_transfer_of(fill, is_last), spills=True, whole=True)
    if posted.short and not _is_rounding(fill, posted.transfer_id):
        _uncovered(fill, asset, posted.short)
    return posted


def covered_fill(fill: FillPosting, *, is_last: bool) -> list[Any]:
    """What `POST` is told of a trade that its hold covers; one that it does not is refused."""
    return texts(values_of(**_transfer_of(fill, is_last)))


def _transfer_of(fill: FillPosting, is_last: bool) -> dict[str, Any]:
    asset, cost = fill.paid
    payer = customer(fill.user_id, asset)
    changes: list[HoldChange] = [ConsumeHold(payer, *fill.hold, cost)]
    if is_last:
        changes.append(ReleaseHold(payer, *fill.hold))
    lines = [
        held(fill.user_id, asset, -cost),
        system(Account.Type.VENUE, asset, cost, fill.venue_account_id),
        *_received(fill),
        *_commission(fill),
    ]
    named = {"scope": "fill", "key": fill.key, "kind": Transfer.Kind.FILL, "reference": fill.reference}
    return {**named, "lines": lines, "holds": changes, "facts": _facts(fill)}


def _is_rounding(fill: FillPosting, transfer_id: int) -> bool:
    """True while all that the hold did not cover is at most one unit of the venue's for each trade it pays for.

    A hold is price times quantity, rounded up, so an order at its limit costs no more than that unless the venue
    rounds up; each trade is rounded once. Only trades up to this one count, or one told of again would be judged
    by what came later.
    """
    asset, _cost = fill.paid
    trades = Transfer.objects.filter(kind=Transfer.Kind.FILL, reference=fill.reference, pk__lte=transfer_id)
    taken = Entry.objects.filter(transfer__in=trades, asset_id=asset, amount__lt=0)
    elsewhere = Q(account__type=Account.Type.SLIPPAGE) | Q(
        account__owner_id=fill.user_id, bucket=Entry.Bucket.AVAILABLE
    )
    short = taken.filter(elsewhere).aggregate(total=Sum("amount"))["total"] or Decimal(0)
    unit = Decimal(1).scaleb(-min(VENUE_DECIMALS, Asset.objects.get(code=asset).scale))
    return -short <= trades.count() * unit


def _received(fill: FillPosting) -> list[Line]:
    asset, amount = fill.received
    return [
        system(Account.Type.VENUE, asset, -amount, fill.venue_account_id),
        available(fill.user_id, asset, amount - fill.fee),
        system(Account.Type.FEES, asset, fill.fee),
    ]


def _commission(fill: FillPosting) -> list[Line]:
    if not fill.commission:
        return []
    return list(commission_lines(fill.venue_account_id, fill.commission_asset, fill.commission))


def commission_lines(venue_account_id: int, asset: str, amount: Decimal) -> tuple[Line, ...]:
    """What the venue took for a trade, from what it holds for us."""
    return (
        system(Account.Type.VENUE, asset, amount, venue_account_id),
        system(Account.Type.COMMISSION, asset, -amount),
    )


def _facts(fill: FillPosting) -> list[str]:
    """What every source of the same trade agrees on; the commission may be missing from one of them."""
    return [str(fill.order_id), fill.side, plain(fill.quantity), plain(fill.quote_quantity)]


def _uncovered(fill: FillPosting, asset: str, short: Decimal) -> None:
    """Once, also when the posting was told of again because its answer had been lost."""
    key = f"uncovered:{fill.key}"
    if has_exception(key):
        return
    accounts.freeze(fill.user_id, f"a trade of order {fill.order_id} was not covered by its hold")
    note_exception(
        source=LedgerException.Source.UNCOVERED_FILL,
        key=key,
        asset=asset,
        amount=short,
        detail={"order": fill.order_id, "user": fill.user_id},
        cause=_("A trade of order %(order)s was not covered by its hold; the customer is frozen.")
        % {"order": fill.order_id},
    )
    log.error("books.uncovered_fill", order=fill.order_id, asset=asset, key=fill.key)


@transaction_with_retry
def post_orphan_fill(
    *,
    key: str,
    venue_account_id: int,
    side: str,
    base: str,
    quote: str,
    quantity: Decimal,
    quote_quantity: Decimal,
    commission: Decimal,
    commission_asset: str,
    detail: dict[str, object],
) -> Posted:
    """A trade of an order nobody here knows goes to suspense, with an exception for staff."""
    sign = 1 if side == "BUY" else -1
    lines = [
        system(Account.Type.VENUE, base, -sign * quantity, venue_account_id),
        system(Account.Type.SUSPENSE, base, sign * quantity),
        system(Account.Type.VENUE, quote, sign * quote_quantity, venue_account_id),
        system(Account.Type.SUSPENSE, quote, -sign * quote_quantity),
    ]
    if commission:
        lines += commission_lines(venue_account_id, commission_asset, commission)
    posted = post(
        scope="fill",
        key=key,
        kind=Transfer.Kind.FILL,
        reference="unknown order",
        lines=lines,
        facts=["orphan", side, plain(quantity), plain(quote_quantity)],
    )
    note_exception(
        source=LedgerException.Source.ORPHAN_FILL,
        key=f"orphan:{key}",
        asset=base,
        amount=quantity,
        detail=detail,
        cause=_("A trade in our account at the venue of an order that nobody here placed."),
    )
    return posted
