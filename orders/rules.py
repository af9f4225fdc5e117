"""Arithmetic and states of orders, without a database."""

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from exchange.money import ceil_to_step, floor_to_step, multiply, round_down, round_up

# What counts against what one customer may have open; in one order, for the statement that names them is kept.
OPENING = ("PENDING", "OPEN", "PARTIALLY_FILLED")
TAKING_ROOM = ("WAITING", *OPENING)
CLOSED = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED"})
_RANK = {
    "WAITING": -1,
    "PENDING": 0,
    "OPEN": 1,
    "PARTIALLY_FILLED": 2,
    "CANCELED": 3,
    "EXPIRED": 3,
    "REJECTED": 3,
    "FILLED": 4,
}
# What a market may be able to do with an open order, by the words of its abilities.
AMEND, CANCEL_REPLACE = "AMEND", "CANCEL_REPLACE"
CLIENT_ID_PREFIX = "cw-"
# Digits and consonants only: no word can come about that the venue's firewall takes for SQL.
_ALPHABET = "".join(c for c in string.digits + string.ascii_lowercase if c not in "aeiouy")
RANDOM_BITS = 192  # thirty more than are used, so that no letter comes noticeably more often
BPS = Decimal(10_000)


def new_client_order_id() -> str:
    """36 characters, about 160 random bits, recognisable as ours."""
    number, letters = secrets.randbits(RANDOM_BITS), [CLIENT_ID_PREFIX]
    for _place in range(33):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


def is_ours(client_order_id: str) -> bool:
    return client_order_id.startswith(CLIENT_ID_PREFIX)


def next_status(current: str, reported: str) -> str:
    """The later of two states: a report that arrives late never takes an order back."""
    if reported not in _RANK:
        return current
    return reported if _RANK[reported] > _RANK[current] else current


def is_closed(status: str) -> bool:
    return status in CLOSED


def fee_of(received: Decimal, fee_bps: int, scale: int) -> Decimal:
    """Our fee, in the asset received, rounded down: the part of a unit is the customer's."""
    return round_down(received * fee_bps / BPS, scale)


@dataclass(frozen=True)
class Rate:
    """What a customer's order pays of what it receives, in basis points; by which line of the schedule, if by one."""

    maker_bps: int
    taker_bps: int
    rule_id: int | None = None

    def of(self, is_maker: bool) -> int:
        return self.maker_bps if is_maker else self.taker_bps


def best_rate(usual: Rate, lines: Iterable[Rate]) -> Rate:
    """The best for who takes, then for who makes; the usual one among equals."""
    return min([usual, *lines], key=lambda rate: (rate.taker_bps, rate.maker_bps))


def protection_price(side: str, best: Decimal, bps: int, tick: Decimal) -> Decimal:
    """The worst price a market order may trade at: so far from the best price of the other side, to the tick."""
    if side == "BUY":
        return floor_to_step(best * (BPS + bps) / BPS, tick)
    return ceil_to_step(best * (BPS - bps) / BPS, tick)


def nearer(side: str, one: Decimal, other: Decimal) -> Decimal:
    """The price of the two that is better for who takes."""
    return min(one, other) if side == "BUY" else max(one, other)


def is_no_worse(side: str, price: Decimal, other: Decimal) -> bool:
    """True when who takes at the price is not worse off than at the other."""
    return price <= other if side == "BUY" else price >= other


def hold_of(
    side: str,
    *,
    quantity: Decimal | None,
    price: Decimal | None,
    quote_quantity: Decimal | None,
    quote_scale: int,
) -> Decimal:
    """What an order can cost at most: quote for a BUY (rounded up to the asset's scale), base for a SELL."""
    if side == "SELL":
        assert quantity is not None
        return quantity
    if quote_quantity is not None:
        return quote_quantity
    assert quantity is not None and price is not None
    return round_up(multiply(quantity, price), quote_scale)


def trade_name(trade_id: int | None, allocation_id: int | None) -> str:
    """The venue's number of a trade; trades by smart order routing have only that of an allocation, after an a."""
    return str(trade_id) if allocation_id is None else f"a{allocation_id}"
