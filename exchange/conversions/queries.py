"""What is asked of quotes, conversions and the position of the house."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Now

from accounts import queries as people
from exchange.conversions import rules
from exchange.conversions.errors import UnknownConversion, UnknownQuote
from exchange.conversions.models import Conversion, Cover, CoverOrder, MarginRule, Quote
from exchange.money import EXACT
from ledger import queries as books
from markets import queries as markets
from markets.models import Asset, Market

if TYPE_CHECKING:
    from accounts.models import User

ZERO = Decimal(0)
# A trade of an order that ended longer ago than this is found by the comparison with the venue alone.
LATE = timedelta(days=7)


def now() -> datetime:
    """By the database's clock, by which quotes expire."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


# ------------------------------------------------------------------ what can be converted
def assets() -> list[Asset]:
    """Every asset of a market that trades."""
    found = [market for market in markets.listed() if market.is_trading]
    codes = {market.base_id: market.base for market in found} | {
        market.quote_id: market.quote for market in found
    }
    return [codes[code] for code in sorted(codes)]


def pairs(one: str, other: str) -> list[Market]:
    """The markets that trade the one for the other."""
    either = Q(base=one, quote=other) | Q(base=other, quote=one)
    return [market for market in markets.listed().filter(either) if market.is_trading]


def margin_rules() -> QuerySet[MarginRule]:
    """The margins that count for quotes of now."""
    return MarginRule.objects.filter(ended_at__isnull=True)


def margin(from_asset: str, to_asset: str) -> rules.Margin:
    """What the house keeps of such a conversion."""
    lines = [
        rules.Margin(line.from_asset_id or "", line.to_asset_id or "", line.bps, line.pk)
        for line in margin_rules()
    ]
    return rules.margin_of(lines, from_asset, to_asset, settings.CONVERT_MARGIN_BPS)


# ------------------------------------------------------------------ of a customer
def quote_of(user: "User", quote_id: int) -> Quote:
    """Raises UnknownQuote, for somebody else's too."""
    found = (
        Quote.objects.filter(user=user, pk=quote_id)
        .select_related("conversion", "from_asset", "to_asset")
        .first()
    )
    if found is None:
        raise UnknownQuote()
    return found


def standing_quotes(user: "User") -> QuerySet[Quote]:
    """The customer's that can still be accepted."""
    return Quote.objects.filter(user=user, expires_at__gt=Now(), conversion__isnull=True)


def conversions_of(user: "User") -> QuerySet[Conversion]:
    """The customer's, newest first."""
    return (
        Conversion.objects.filter(user=user)
        .select_related("quote__from_asset", "quote__to_asset")
        .order_by("-id")
    )


def conversion_of(user: "User", conversion_id: int) -> Conversion:
    """Raises UnknownConversion, for somebody else's too."""
    found = conversions_of(user).filter(pk=conversion_id).first()
    if found is None:
        raise UnknownConversion()
    return found


def old_quotes(before: datetime) -> QuerySet[Quote]:
    """Quotes that nobody accepted and that expired before then."""
    return Quote.objects.filter(expires_at__lt=before, conversion__isnull=True)


# ------------------------------------------------------------------ the house's position
def idle_covers() -> QuerySet[Cover]:
    """Open covers for which no order is under way."""
    busy = CoverOrder.objects.filter(settled_at__isnull=True, cover=OuterRef("pk"))
    found = Cover.objects.filter(~Exists(busy), is_open=True)
    return found.select_related("market__base", "market__quote")


def due_covers(at: datetime) -> QuerySet[Cover]:
    """Those of them that may be tried again."""
    return idle_covers().filter(next_at__lte=at).order_by("next_at", "id")


def uncounted_orders(at: datetime) -> QuerySet[CoverOrder]:
    """Orders for covers that have ended and are not counted, or traded since."""
    ended = CoverOrder.objects.filter(created_at__gt=at - LATE, order__finished_at__isnull=False)
    news = Q(settled_at__isnull=True) | ~Q(counted=F("order__cumulative_quantity"))
    return ended.filter(news).order_by("id")


def remainders() -> QuerySet[Cover]:
    """Covers that are closed though something is left, of which no later one took over what it is."""
    unequal = ~Q(quantity=F("done") + F("carried"))
    return Cover.objects.filter(unequal, is_open=False).select_related("market__base", "market__quote")


def unequal_covers(base: str | None = None) -> QuerySet[Cover]:
    """Covers of which anything is left, open or not."""
    found = Cover.objects.filter(~Q(quantity=F("done") + F("carried"))).select_related("market")
    return found.filter(market__base=base) if base else found


def uncovered_since(before: datetime) -> QuerySet[Cover]:
    """Open covers from before then of which staff were not told."""
    found = Cover.objects.filter(is_open=True, created_at__lt=before, alarmed_at__isnull=True)
    return found.select_related("market").order_by("id")


def alarming_covers() -> QuerySet[Cover]:
    """Open covers of which staff were told that they last too long."""
    return Cover.objects.filter(is_open=True, alarmed_at__isnull=False).order_by("id")


def exposure(base: str) -> Decimal:
    """What of the asset the house has too much by conversions that are not covered yet; too little is negative."""
    return rules.total(cover.exposure for cover in unequal_covers(base))


@dataclass(frozen=True)
class Exposure:
    """One asset: what is not covered, what it is worth, and since when the oldest waits."""

    asset: str
    amount: Decimal
    worth: Decimal | None
    limit: Decimal
    open_covers: int
    since: datetime | None

    @property
    def is_over(self) -> bool:
        return self.worth is not None and self.worth > self.limit


def exposures() -> list[Exposure]:
    """Of every asset of which something is not covered."""
    by_asset: dict[str, list[Cover]] = {}
    for cover in unequal_covers():
        by_asset.setdefault(cover.market.base_id, []).append(cover)
    prices = books.Prices() if by_asset else None
    return [_exposure(asset, by_asset[asset], prices) for asset in sorted(by_asset)]


def _exposure(asset: str, covers: list[Cover], prices: books.Prices | None) -> Exposure:
    amount = rules.total(cover.exposure for cover in covers)
    is_open = [cover for cover in covers if cover.is_open]
    return Exposure(
        asset,
        amount,
        books.worth(asset, abs(amount), prices),
        settings.CONVERT_UNCOVERED_LIMIT,
        len(is_open),
        min((cover.created_at for cover in is_open), default=None),
    )


def position() -> dict[str, Decimal]:
    """What the books say of the house's position, with what is held for its orders: not covered yet, and earned."""
    found = dict(books.conversion_position())
    house = people.house_customer()
    for row in books.balances(house.pk) if house else ():
        found[row.asset] = EXACT.add(found.get(row.asset, ZERO), EXACT.add(row.available, row.held))
    return {asset: amount for asset, amount in found.items() if amount}


def earned(conversion: Conversion) -> dict[str, Decimal]:
    """What the house has of a conversion by asset once its covers are counted: what is left of them too."""
    quote = conversion.quote
    flows = [(quote.from_asset_id, quote.from_amount), (quote.to_asset_id, -quote.to_amount - quote.fee)]
    for cover in conversion.covers.all():
        flows += traded(cover)
    return _sums(flows)


def traded(cover: Cover) -> list[tuple[str, Decimal]]:
    """What the cover's orders moved."""
    market = cover.market
    base = rules.signed(cover.side, cover.done)
    return [(market.base_id, -base), (market.quote_id, rules.signed(cover.side, cover.done_quote))]


def _sums(flows: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for asset, amount in flows:
        found[asset] = EXACT.add(found.get(asset, ZERO), amount)
    return {asset: amount for asset, amount in found.items() if amount}


def explained() -> dict[str, Decimal]:
    """What conversions and the orders that cover them say that the house's position must be."""
    done = Conversion.objects.order_by()
    given = done.values_list("quote__from_asset").annotate(total=Sum("quote__from_amount"))
    owed = done.values_list("quote__to_asset").annotate(total=Sum(F("quote__to_amount") + F("quote__fee")))
    flows = [*given, *((asset, -total) for asset, total in owed)]
    covering = CoverOrder.objects.order_by().values_list(
        "order__market__base", "order__market__quote", "order__side"
    )
    traded = covering.annotate(base=Sum("order__cumulative_quantity"), quote=Sum("order__cumulative_quote"))
    for base_asset, quote_asset, side, base, quote in traded:
        flows += [(base_asset, -rules.signed(side, base)), (quote_asset, rules.signed(side, quote))]
    return _sums(flows)


def unexplained() -> dict[str, Decimal]:
    """What of the house's position neither conversions nor covers nor corrections explain; empty when all is well."""
    house = people.house_customer()
    known = [*explained().items(), *books.conversion_corrections(house.pk if house else 0)]
    return _sums([*position().items(), *((asset, -amount) for asset, amount in known)])
