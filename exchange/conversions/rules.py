"""Arithmetic of firm prices, without a database."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal

from exchange.money import EXACT, multiply, round_down, round_up

BPS = Decimal(10_000)
MOST_MARGIN_BPS = 1000
_SHOWN = Context(prec=8)
_UP = Context(prec=60, rounding=ROUND_CEILING)


def signed(side: str, quantity: Decimal) -> Decimal:
    """What has to be sold is too much, what has to be bought is missing."""
    return quantity if side == "SELL" else -quantity


@dataclass(frozen=True)
class Price:
    """What of the gross amount the customer gets, and what is kept of it."""

    gross: Decimal
    net: Decimal
    fee: Decimal
    margin: Decimal


def price_of(gross: Decimal, fee_bps: int, margin_bps: int, scale: int) -> Price:
    """Of what the books give. Fee and margin are rounded down, so that parts of a unit are the customer's."""
    whole = round_down(gross, scale)
    fee, margin = part_of(whole, fee_bps, scale), part_of(whole, margin_bps, scale)
    return Price(whole, whole - fee - margin, fee, margin)


def part_of(amount: Decimal, bps: int, scale: int) -> Decimal:
    return round_down(multiply(amount, bps / BPS), scale)


def price_for(net: Decimal, fee_bps: int, margin_bps: int, scale: int) -> Price:
    """The least that the books have to give for the customer to get exactly this."""
    gross = round_up(_UP.divide(multiply(net, BPS), BPS - fee_bps - margin_bps), scale)
    fee = part_of(gross, fee_bps, scale)
    return Price(gross, net, fee, gross - net - fee)


@dataclass(frozen=True)
class Rate:
    """One of the base is so much of the other."""

    base: str
    other: str
    price: Decimal


def rate_of(given: str, from_amount: Decimal, got: str, to_amount: Decimal) -> Rate:
    """For people to compare: of eight figures, and never below one."""
    if from_amount >= to_amount:
        return Rate(got, given, _SHOWN.divide(from_amount, to_amount))
    return Rate(given, got, _SHOWN.divide(to_amount, from_amount))


@dataclass(frozen=True)
class Margin:
    """A line of the margins; empty assets are any."""

    from_asset: str
    to_asset: str
    bps: int
    rule_id: int | None = None

    def covers(self, from_asset: str, to_asset: str) -> bool:
        return self.from_asset in ("", from_asset) and self.to_asset in ("", to_asset)

    @property
    def closeness(self) -> tuple[bool, bool]:
        """How closely it names a pair; what the customer gets counts more than what they give."""
        return bool(self.from_asset) and bool(self.to_asset), bool(self.to_asset)


def margin_of(lines: Iterable[Margin], from_asset: str, to_asset: str, usual_bps: int) -> Margin:
    """The line that names the pair most closely; the usual margin where none does."""
    meant = [line for line in lines if line.covers(from_asset, to_asset)]
    named = [line for line in meant if line.from_asset or line.to_asset]
    everybody = [line for line in meant if not (line.from_asset or line.to_asset)]
    found = max(named, key=lambda line: line.closeness, default=None)
    return found or next(iter(everybody), Margin("", "", usual_bps))


def total(amounts: Iterable[Decimal]) -> Decimal:
    found = Decimal(0)
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found
