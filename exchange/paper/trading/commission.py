"""What the venue takes of a fill, and in which asset."""

from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.paper.accounts import Account, Order, down
from exchange.paper.market import Market

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

RATE = Decimal("0.001")
DISCOUNT = Decimal("0.75")  # what is left of it when it is paid in BNB
Taken = tuple[Decimal, str]


def charge(
    venue: "Venue", account: Account, market: Market, order: Order, *, quantity: Decimal, quote: Decimal
) -> Taken:
    """The account has what it received; the commission is taken from that, or from what it has of another asset."""
    is_buyer = order.side == "BUY"
    received, asset = (quantity, market.base) if is_buyer else (quote, market.quote)
    account.receive(asset, received)
    wanted = _wanted(venue, market, quantity=quantity, quote=quote)
    usual = (down(received * RATE), asset)
    taken = wanted if wanted and account.balance(wanted[1]).free >= wanted[0] else usual
    account.balance(taken[1]).free -= taken[0]
    return taken


def _wanted(venue: "Venue", market: Market, *, quantity: Decimal, quote: Decimal) -> Taken | None:
    """In the asset that was chosen at the control door; in BNB at the price of now and with the discount."""
    if venue.commission_in == "base":
        return down(quantity * RATE), market.base
    if venue.commission_in == "quote":
        return down(quote * RATE), market.quote
    if venue.commission_in != "BNB":
        return None
    if market.base == "BNB":
        return down(quantity * RATE * DISCOUNT), "BNB"
    rate = venue.live.get(f"BNB{market.quote}")
    return (down(quote * RATE * DISCOUNT / rate.last), "BNB") if rate else None
