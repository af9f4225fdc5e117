"""Accounts at the venue: balances, keys and what they may do, orders and trades."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from exchange.paper.book import Side
from exchange.paper.errors import INSUFFICIENT, rejected
from exchange.paper.orderlist import OrderList

UNIT = Decimal("0.00000001")
ZERO = Decimal(0)
MAIN = 1
AMOUNTS = {
    "price", "quantity", "quote_quantity", "executed", "quote", "locked", "prevented", "stop_price", "extreme",
    "iceberg",
}  # fmt: skip


def down(value: Decimal) -> Decimal:
    """To eight decimals, never more than it was."""
    return value.quantize(UNIT, ROUND_FLOOR)


def up(value: Decimal) -> Decimal:
    """To eight decimals, never less than it was."""
    return value.quantize(UNIT, ROUND_CEILING)


def text(value: Decimal) -> str:
    return f"{value:.8f}"


@dataclass
class ApiKey:
    """A key of one account; `secret` for HMAC, `public_key` (PEM, or raw in base64) for Ed25519."""

    key: str
    account_id: int
    secret: str = ""
    public_key: str = ""
    can_trade: bool = False
    can_withdraw: bool = False
    is_bound: bool = True  # to addresses
    is_revoked: bool = False

    def verifies(self, payload: str, signature: str) -> bool:
        if self.secret:
            expected = hmac.digest(self.secret.encode(), payload.encode(), hashlib.sha256).hex()
            return hmac.compare_digest(expected, signature.lower())
        try:
            read_public_key(self.public_key).verify(
                base64.b64decode(signature, validate=True), payload.encode()
            )
        except (InvalidSignature, ValueError, binascii.Error):
            return False
        return True


def read_public_key(text: str) -> Ed25519PublicKey:
    """ValueError when it is no Ed25519 key."""
    if not text.startswith("-----"):
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text))
    key = load_pem_public_key(text.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return key


@dataclass
class Balance:
    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass
class Order:
    """An order of an account, as long as it is remembered."""

    order_id: int
    account_id: int
    symbol: str
    client_id: str
    side: Side
    type: str
    tif: str
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    created_ms: int
    updated_ms: int
    stp: str
    status: str = "NEW"
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    locked: Decimal = ZERO
    prevented: Decimal = ZERO
    prevented_id: int = -1
    expiry_reason: str = "NONE"
    stop_price: Decimal = ZERO
    trailing_delta: int = 0  # in hundredths of a per cent
    trailing_ms: int = -1  # since when it tracks the price
    extreme: Decimal = ZERO  # the best price since then
    iceberg: Decimal = ZERO
    working_ms: int = -1  # since when it is on the book, or trades
    strategy_id: int | None = None
    strategy_type: int | None = None
    list_id: int = -1
    used_sor: bool = False
    working_floor: str = ""
    amendments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status in ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")

    @property
    def is_working(self) -> bool:
        return self.working_ms > 0

    @property
    def is_algo(self) -> bool:
        """It waits for a price."""
        return self.type in ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")

    @property
    def at_any_price(self) -> bool:
        """It takes what the book has, once it trades."""
        return self.type in ("MARKET", "STOP_LOSS", "TAKE_PROFIT")

    @property
    def waits_above(self) -> bool:
        """A price above the market's triggers it; one below, otherwise."""
        return self.type.startswith("STOP_LOSS") == (self.side == "BUY")

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed - self.prevented

    def as_row(self) -> dict[str, Any]:
        return {
            name: str(value) if isinstance(value, Decimal) else value for name, value in self.__dict__.items()
        }

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Order":
        fields: dict[str, Any] = {n: Decimal(value) if n in AMOUNTS else value for n, value in row.items()}
        return cls(**{"working_ms": row["created_ms"], **fields})


@dataclass
class Account:
    account_id: int
    email: str
    balances: dict[str, Balance] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    by_client_id: dict[tuple[str, str], int] = field(default_factory=dict)
    trades: list[dict[str, Any]] = field(default_factory=list)
    preventions: list[dict[str, Any]] = field(default_factory=list)
    allocations: list[dict[str, Any]] = field(default_factory=list)
    lists: dict[int, OrderList] = field(default_factory=dict)
    updated_ms: int = 0
    _open: dict[int, Order] = field(default_factory=dict)

    def balance(self, asset: str) -> Balance:
        return self.balances.setdefault(asset, Balance())

    def lock(self, asset: str, amount: Decimal) -> None:
        balance = self.balance(asset)
        if balance.free < amount:
            raise rejected(INSUFFICIENT)
        balance.free -= amount
        balance.locked += amount

    def unlock(self, asset: str, amount: Decimal) -> None:
        balance = self.balance(asset)
        assert balance.locked >= amount
        balance.locked -= amount
        balance.free += amount

    def pay_locked(self, asset: str, amount: Decimal) -> None:
        balance = self.balance(asset)
        assert balance.locked >= amount
        balance.locked -= amount

    def receive(self, asset: str, amount: Decimal) -> None:
        self.balance(asset).free += amount

    def open_orders(self, symbol: str | None = None) -> Iterator[Order]:
        for order in list(self._open.values()):
            if not order.is_open:
                del self._open[order.order_id]
            elif symbol in (None, order.symbol):
                yield order

    def add_order(self, order: Order) -> None:
        self.orders[order.order_id] = order
        if order.is_open:
            self._open[order.order_id] = order
        self.by_client_id[(order.symbol, order.client_id)] = order.order_id

    def rename(self, order: Order, client_id: str) -> None:
        """The order is found by this id from now on, and by its former one no more."""
        if client_id != order.client_id:
            del self.by_client_id[(order.symbol, order.client_id)]
        order.client_id = client_id
        self.by_client_id[(order.symbol, client_id)] = order.order_id

    def as_row(self) -> dict[str, Any]:
        balances = {asset: [str(found.free), str(found.locked)] for asset, found in self.balances.items()}
        return {
            "id": self.account_id,
            "email": self.email,
            "balances": balances,
            "updated_ms": self.updated_ms,
        }

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Account":
        balances = {
            asset: Balance(Decimal(free), Decimal(locked))
            for asset, (free, locked) in row["balances"].items()
        }
        return cls(row["id"], row["email"], balances, updated_ms=row["updated_ms"])
