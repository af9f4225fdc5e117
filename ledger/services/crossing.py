"""Money that moves between customers and the house without the venue: crossed trades, fees, dust."""

from dataclasses import dataclass
from decimal import Decimal

from exchange.money import plain
from ledger.models import Account, Hold, Transfer
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
)


@dataclass(frozen=True)
class CrossSide:
    """One customer's part of a crossed trade; `fee` is charged in what they receive, `is_last` ends their hold."""

    user_id: int
    order_id: int
    fee: Decimal
    is_last: bool = False


def post_cross(
    *,
    key: str,
    buyer: CrossSide,
    seller: CrossSide,
    base: str,
    quote: str,
    quantity: Decimal,
    quote_quantity: Decimal,
) -> Posted:
    """Two customers trade with each other, both in one transfer: neither half can be booked without the other."""
    return post(
        scope="cross",
        key=key,
        kind=Transfer.Kind.CROSS,
        reference=f"ORDER:{buyer.order_id}+{seller.order_id}",
        lines=[
            *_half(buyer, quote, quote_quantity, base, quantity),
            *_half(seller, base, quantity, quote, quote_quantity),
        ],
        holds=[*_holds(buyer, quote, quote_quantity), *_holds(seller, base, quantity)],
        facts=[buyer.order_id, seller.order_id, plain(quantity), plain(quote_quantity)],
    )


def _half(side: CrossSide, paid: str, cost: Decimal, received: str, amount: Decimal) -> list[Line]:
    return [
        held(side.user_id, paid, -cost),
        available(side.user_id, received, amount - side.fee),
        system(Account.Type.FEES, received, side.fee),
    ]


def _holds(side: CrossSide, paid: str, cost: Decimal) -> list[HoldChange]:
    payer = customer(side.user_id, paid)
    changes: list[HoldChange] = [ConsumeHold(payer, Hold.Cause.ORDER, side.order_id, cost)]
    return [*changes, ReleaseHold(payer, Hold.Cause.ORDER, side.order_id)] if side.is_last else changes


def post_fee(*, key: str, user_id: int, asset: str, amount: Decimal, reference: str) -> Posted:
    """A fee that is no part of a trade or a withdrawal is charged from what is available."""
    return post(
        scope="fee",
        key=key,
        kind=Transfer.Kind.FEE,
        reference=reference,
        lines=[available(user_id, asset, -amount), system(Account.Type.FEES, asset, amount)],
    )


def post_dust(*, key: str, user_id: int, asset: str, amount: Decimal) -> Posted:
    """A remainder too small to be traded or sent, which its owner gives up, goes to the rounding account."""
    return post(
        scope="dust",
        key=key,
        kind=Transfer.Kind.DUST,
        reference=f"DUST:{asset}",
        lines=[available(user_id, asset, -amount), system(Account.Type.ROUNDING, asset, amount)],
    )
