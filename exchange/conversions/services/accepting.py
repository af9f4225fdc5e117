"""A quote is used: once, by its owner, in time, in one transaction with what it books."""

from decimal import Decimal

import structlog
from django.db import connection
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints, push
from exchange.conversions import queries, rules
from exchange.conversions.errors import QuoteExpired, UnknownQuote
from exchange.conversions.models import Conversion, Cover, Quote
from exchange.conversions.services.covering import cover_soon
from exchange.conversions.services.quoting import require_room_for
from exchange.database import repeated_after_loss, transaction_with_retry
from exchange.gate import services as gate
from exchange.money import plain
from exchange.office import services as office
from ledger import services as ledger
from orders.services.placing import require_venue

log = structlog.get_logger()


def accept_quote(*, user: User, quote_id: int, channel: str) -> Conversion:
    """The customer has what the quote says, and the house covers itself afterwards.

    A repeat gives the first conversion. Raises UnknownQuote, for somebody else's too, QuoteExpired, InsufficientFunds,
    and what stops orders; nothing is booked then.
    """
    found = Conversion.objects.filter(quote=quote_id, user=user).first()
    if found is not None:
        return found
    require_venue()
    # What was committed unheard is found by the quote.
    conversion, covers = repeated_after_loss(lambda: _accept(user, quote_id, channel))
    failpoints.hit("convert.booked")
    if covers:
        cover_soon(covers)
    return conversion


@transaction_with_retry
def _accept(user: User, quote_id: int, channel: str) -> tuple[Conversion, list[int]]:
    """Who waited for the row's lock finds it used, and the time is asked for after the wait."""
    quote = Quote.objects.select_for_update(of=("self",)).filter(pk=quote_id, user=user).first()
    if quote is None:
        raise UnknownQuote()
    first = Conversion.objects.filter(quote=quote).first()
    if first is not None:
        return first, []
    now = queries.now()
    if now >= quote.expires_at:
        raise QuoteExpired()
    _require_allowed(quote, user, channel)
    conversion = Conversion(quote=quote, user=user, channel=channel, transfer_id=0, accepted_at=now)
    conversion.save(force_insert=True)
    covers = [_cover(conversion, leg) for leg in quote.legs]
    posted = ledger.post_conversion(
        ledger.ConversionPosting(
            key=str(quote.pk),
            conversion_id=conversion.pk,
            user_id=user.pk,
            from_asset=quote.from_asset_id,
            from_amount=quote.from_amount,
            to_asset=quote.to_asset_id,
            to_amount=quote.to_amount,
            fee=quote.fee,
        )
    )
    conversion.transfer_id = posted.transfer_id
    conversion.save(update_fields=["transfer_id"])
    _tell(conversion)
    log.info("convert.accepted", conversion=conversion.pk, quote=quote.pk)
    return conversion, [cover.pk for cover in covers]


def _require_allowed(quote: Quote, user: User, channel: str) -> None:
    """As of now and within this transaction: the customer, both assets, what staff have stopped, the house's room."""
    accounts.require_can_trade(User.objects.get(pk=user.pk))
    ledger.require_asset_open(quote.from_asset_id, quote.to_asset_id)
    for leg in quote.legs:
        gate.require_not_stopped(market=leg["symbol"], side=leg["side"], customer=user.pk, channel=channel)
    for asset, amount in sorted(_more(quote).items()):
        _one_at_a_time(asset)
        require_room_for(asset, amount)


def _more(quote: Quote) -> dict[str, Decimal]:
    """By how much the house is uncovered more, by asset."""
    bases = {
        leg["symbol"]: leg["in_asset"] if leg["side"] == "SELL" else leg["out_asset"] for leg in quote.legs
    }
    found: dict[str, Decimal] = {}
    for leg in quote.legs:
        base = bases[leg["symbol"]]
        found[base] = rules.total(
            [found.get(base, Decimal(0)), rules.signed(leg["side"], Decimal(leg["quantity"]))]
        )
    return found


def _one_at_a_time(asset: str) -> None:
    """Until the transaction ends nobody else reckons with the room of the asset."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"conversions.room:{asset}"])


def _cover(conversion: Conversion, leg: dict[str, str]) -> Cover:
    return Cover.objects.create(
        conversion=conversion,
        market_id=leg["symbol"],
        side=leg["side"],
        quantity=Decimal(leg["quantity"]),
        next_at=conversion.accepted_at,
    )


def _tell(conversion: Conversion) -> None:
    quote = conversion.quote
    words = {
        "given": plain(quote.from_amount), "from": quote.from_asset_id, "got": plain(quote.to_amount),
        "to": quote.to_asset_id,
    }  # fmt: skip
    office.tell(
        conversion.user,
        "conversion.done",
        _("You converted %(given)s %(from)s into %(got)s %(to)s"),
        _("It is booked; your wallet and your history of conversions show it."),
        words,
    )
    push.to_user(conversion.user_id, "conversion", {"id": conversion.pk})
    for asset in (quote.from_asset_id, quote.to_asset_id):
        push.to_user(conversion.user_id, "balance", {"asset": asset})
