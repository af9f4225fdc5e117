"""Conversions at a firm price: the customer trades with the house, whose position is covered at the venue afterwards.

What the house is long of lies on its CONVERSION account as a credit, what it is short of as a debit. Orders that cover
it are paid from there: held for the house's own customer while they trade, and given back when they have ended.
"""

from dataclasses import dataclass
from decimal import Decimal

from exchange.money import plain
from ledger.models import Account, Hold, Transfer
from ledger.queries import available as what_is_available
from ledger.services.posting import NewHold, Posted, available, customer, held, post, system


@dataclass(frozen=True)
class ConversionPosting:
    """The customer gives one amount and gets another; the fee is what the house keeps of the asset they get."""

    key: str
    conversion_id: int
    user_id: int
    from_asset: str
    from_amount: Decimal
    to_asset: str
    to_amount: Decimal
    fee: Decimal


def post_conversion(told: ConversionPosting) -> Posted:
    """Both halves and the fee in one transfer, once; raises InsufficientFunds, and the caller's transaction ends so."""
    return post(
        scope="convert",
        key=told.key,
        kind=Transfer.Kind.CONVERT,
        reference=f"CONVERT:{told.conversion_id}",
        lines=[
            available(told.user_id, told.from_asset, -told.from_amount),
            system(Account.Type.CONVERSION, told.from_asset, told.from_amount),
            system(Account.Type.CONVERSION, told.to_asset, -told.to_amount - told.fee),
            available(told.user_id, told.to_asset, told.to_amount),
            system(Account.Type.FEES, told.to_asset, told.fee),
        ],
        facts=[told.user_id, told.from_asset, plain(told.from_amount), told.to_asset, plain(told.to_amount)],
        whole=True,
    )


def hold_for_cover(*, house_id: int, asset: str, amount: Decimal, order_id: int) -> Posted:
    """What the order can cost is held for it, from the house's position."""
    return post(
        scope="hold",
        key=f"{Hold.Cause.ORDER}:{order_id}",
        kind=Transfer.Kind.COVER,
        reference=f"{Hold.Cause.ORDER}:{order_id}",
        lines=[system(Account.Type.CONVERSION, asset, -amount), held(house_id, asset, amount)],
        holds=[NewHold(customer(house_id, asset), Hold.Cause.ORDER, order_id, amount)],
        whole=True,
    )


def give_back_cover(*, house_id: int, asset: str, key: str) -> Decimal:
    """All that is available to the house's own customer is its position again; gives how much that was."""
    amount = what_is_available(house_id, asset)
    if amount:
        post(
            scope="cover",
            key=f"{key}:{asset}",
            kind=Transfer.Kind.COVER,
            reference=f"COVER:{key}",
            lines=[available(house_id, asset, -amount), system(Account.Type.CONVERSION, asset, amount)],
            whole=True,
        )
    return amount
