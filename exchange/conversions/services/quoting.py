"""A firm price: made of the books as they are, fee and margin told, for one customer, one use and a few seconds."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from accounts import queries as people
from accounts import services as accounts
from accounts.models import User
from exchange.conversions import queries, rules
from exchange.conversions.errors import (
    AmountTooPrecise,
    HouseIsFull,
    NoRoute,
    OneAmount,
    SameAsset,
    TooLarge,
    TooManyQuotes,
    TooSmall,
    UnknownConversionAsset,
)
from exchange.conversions.models import Quote
from exchange.conversions.services.routes import Books, Planned, Route, books_of_now, planned, routes
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.money import EXACT, decimals, multiply, plain, round_down, round_up
from ledger import queries as books
from ledger import services as ledger
from markets.models import Asset
from orders.errors import PricesDelayed
from orders.services.placing import require_venue

log = structlog.get_logger()
MOST_STANDING = 5
KEEP = timedelta(days=7)
BATCH = 1000


@dataclass(frozen=True)
class Wish:
    """From which asset into which, and one of the two amounts."""

    from_asset: str
    to_asset: str
    from_amount: Decimal | None = None
    to_amount: Decimal | None = None

    @property
    def is_by_to(self) -> bool:
        return self.to_amount is not None

    @property
    def field(self) -> str:
        return "to_amount" if self.is_by_to else "from_amount"

    @property
    def amount(self) -> Decimal:
        found = self.to_amount if self.is_by_to else self.from_amount
        assert found is not None
        return found


@dataclass(frozen=True)
class Offer:
    """What one route gives."""

    route: Route
    plans: list[Planned]
    given: Decimal
    price: rules.Price
    margin: rules.Margin

    @property
    def worth(self) -> tuple[Decimal, Decimal]:
        """More for the same, or the same for less."""
        return self.price.net, -self.given


def make_quote(*, user: User, wish: Wish, channel: str) -> Quote:
    """A quote that stands for CONVERT_QUOTE_SECONDS, over the route that is best for the customer.

    Refuses who may not trade, what cannot be converted, an amount too fine, too small, too large or beyond the books'
    depth, books that are not of now or unsure, and whatever staff or a breaker have stopped.
    """
    accounts.require_can_trade(user)
    from_asset, to_asset = _assets(wish)
    ledger.require_asset_open(wish.from_asset, wish.to_asset)
    if queries.standing_quotes(user).count() >= MOST_STANDING:
        raise TooManyQuotes(most=MOST_STANDING)
    require_venue()
    offer, passed_over = _best(user, wish, from_asset, to_asset, channel)
    _require_worth(user, wish, offer)
    require_room(offer.plans)
    return _record(user, wish, offer, passed_over, channel)


def _assets(wish: Wish) -> tuple[Asset, Asset]:
    """The two, and that the wish can be understood."""
    if (wish.from_amount is None) == (wish.to_amount is None):
        raise OneAmount()
    known = {asset.code: asset for asset in queries.assets()}
    for field, code in (("from_asset", wish.from_asset), ("to_asset", wish.to_asset)):
        if code not in known:
            raise UnknownConversionAsset(field=field)
    if wish.from_asset == wish.to_asset:
        raise SameAsset()
    asset = known[wish.to_asset if wish.is_by_to else wish.from_asset]
    if decimals(wish.amount) > asset.scale:
        raise AmountTooPrecise(field=wish.field, nearest=round_down(wish.amount, asset.scale))
    return known[wish.from_asset], known[wish.to_asset]


def _best(
    user: User, wish: Wish, from_asset: Asset, to_asset: Asset, channel: str
) -> tuple[Offer, list[dict[str, object]]]:
    """The best offer, and what the others would have been; the first refusal when there is none."""
    book_of, offers = books_of_now(), []
    refusals: list[tuple[Route, DomainError]] = []
    for route in routes(user, wish.from_asset, wish.to_asset):
        try:
            _require_not_stopped(route, user, channel)
            offers.append(_offer(route, wish, from_asset, to_asset, book_of))
        except DomainError as error:
            refusals.append((route, error))
    if not offers:
        raise refusals[0][1] if refusals else NoRoute()
    best = max(offers, key=lambda offer: offer.worth)
    others: list[dict[str, object]] = [
        {"route": one.route.name, "from_amount": plain(one.given), "to_amount": plain(one.price.net)}
        for one in offers
        if one is not best
    ]
    others += [{"route": route.name, "refused": error.code} for route, error in refusals]
    return best, others


def _require_not_stopped(route: Route, user: User, channel: str) -> None:
    for leg in route.legs:
        gate.require_not_stopped(market=leg.market.symbol, side=leg.side, customer=user.pk, channel=channel)


def _offer(route: Route, wish: Wish, from_asset: Asset, to_asset: Asset, book_of: Books) -> Offer:
    """Rounded once, to the scale of the books: what is given up, what is got down; neither when it was named."""
    margin = queries.margin(wish.from_asset, wish.to_asset)
    if wish.is_by_to:
        price = rules.price_for(wish.amount, route.fee_bps, margin.bps, to_asset.scale)
        steps = route.backward(book_of, price.gross)
        given = round_up(steps[0].amount_in, from_asset.scale)
    else:
        steps, given = route.forward(book_of, wish.amount), wish.amount
        price = rules.price_of(steps[-1].amount_out, route.fee_bps, margin.bps, to_asset.scale)
    plans = planned(steps, given=given, owed=EXACT.add(price.net, price.fee)) if price.net > 0 else []
    _require_size(wish, from_asset, to_asset, plans)
    return Offer(route, plans, given, price, margin)


def _require_size(wish: Wish, from_asset: Asset, to_asset: Asset, plans: list[Planned]) -> None:
    """Every order that covers it must be one that the venue takes."""
    asset = to_asset if wish.is_by_to else from_asset
    grows = max((plan.shortage or Decimal(0) for plan in plans), default=Decimal(10))
    if grows:
        least = round_up(multiply(wish.amount, round(grows, 6)), min(asset.scale, 8))
        raise TooSmall(field=wish.field, least=least, asset=asset.code)


def _require_worth(user: User, wish: Wish, offer: Offer) -> None:
    """What one order of the customer may be worth, a conversion may be."""
    value = books.worth(wish.from_asset, offer.given)
    if value is None:
        raise PricesDelayed()
    most = people.order_value_limit(user)
    if value > most:
        raise TooLarge(field=wish.field, most=most, asset=settings.REFERENCE_ASSET)


def require_room(plans: list[Planned]) -> None:
    """The house may be uncovered by so much of each asset; what makes it less is always welcome."""
    for plan in plans:
        leg = plan.step.leg
        require_room_for(leg.market.base_id, rules.signed(leg.side, plan.quantity))


def require_room_for(asset: str, more: Decimal) -> None:
    now = queries.exposure(asset)
    then = EXACT.add(now, more)
    if abs(then) <= abs(now):
        return
    value = books.worth(asset, abs(then))
    if value is None:
        raise PricesDelayed()
    if value > settings.CONVERT_UNCOVERED_LIMIT:
        raise HouseIsFull(asset=asset)


def _record(
    user: User, wish: Wish, offer: Offer, passed_over: list[dict[str, object]], channel: str
) -> Quote:
    quote = Quote(
        user=user,
        channel=channel,
        from_asset_id=wish.from_asset,
        to_asset_id=wish.to_asset,
        is_by_to=wish.is_by_to,
        from_amount=offer.given,
        to_amount=offer.price.net,
        fee=offer.price.fee,
        fee_bps=offer.route.fee_bps,
        margin=offer.price.margin,
        margin_bps=offer.margin.bps,
        margin_rule_id=offer.margin.rule_id,
        legs=[plan.told() for plan in offer.plans],
        passed_over=passed_over,
        created_at=Now(),
        expires_at=Now() + timedelta(seconds=settings.CONVERT_QUOTE_SECONDS),
    )
    quote.save(force_insert=True)
    log.info("quote.made", quote=quote.pk, route=offer.route.name)
    return queries.quote_of(user, quote.pk)


def prune_quotes() -> int:
    """Quotes that nobody accepted are gone after a week."""
    old = queries.old_quotes(timezone.now() - KEEP).values_list("pk", flat=True)[:BATCH]
    return Quote.objects.filter(pk__in=list(old)).delete()[0]
