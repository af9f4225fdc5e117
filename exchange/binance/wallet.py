"""The wallet's answers in our words (binance.md 15)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from exchange.binance.models import dec

Wire = Mapping[str, Any]


@dataclass(frozen=True)
class NetworkConfig:
    asset: str
    network: str
    name: str
    is_default: bool
    deposit_enabled: bool
    withdraw_enabled: bool
    deposit_note: str
    withdraw_note: str
    address_regex: str
    tag_regex: str
    needs_tag: bool
    withdraw_fee: Decimal
    withdraw_min: Decimal
    withdraw_max: Decimal
    withdraw_multiple: Decimal
    confirmations: int
    unlock_confirmations: int
    deposit_min: Decimal
    arrival_minutes: int

    @classmethod
    def from_wire(cls, asset: str, row: Wire) -> "NetworkConfig":
        return cls(
            asset=asset,
            network=row["network"],
            name=row.get("name") or row["network"],
            is_default=bool(row.get("isDefault", False)),
            deposit_enabled=bool(row.get("depositEnable", False)),
            withdraw_enabled=bool(row.get("withdrawEnable", False)),
            deposit_note=row.get("depositDesc") or "",
            withdraw_note=row.get("withdrawDesc") or "",
            address_regex=row.get("addressRegex") or "",
            tag_regex=row.get("memoRegex") or "",
            needs_tag=bool(row.get("withdrawTag", row.get("sameAddress", False))),
            withdraw_fee=dec(row.get("withdrawFee")),
            withdraw_min=dec(row.get("withdrawMin")),
            withdraw_max=dec(row.get("withdrawMax")),
            withdraw_multiple=dec(row.get("withdrawIntegerMultiple")),
            confirmations=int(row.get("minConfirm") or 0),
            unlock_confirmations=int(row.get("unLockConfirm") or 0),
            deposit_min=dec(row.get("depositDust")),
            arrival_minutes=int(row.get("estimatedArrivalTime") or 0),
        )


@dataclass(frozen=True)
class CoinConfig:
    asset: str
    name: str
    networks: tuple[NetworkConfig, ...]

    @classmethod
    def from_wire(cls, row: Wire) -> "CoinConfig":
        networks = tuple(NetworkConfig.from_wire(row["coin"], item) for item in row.get("networkList", ()))
        return cls(row["coin"], row.get("name") or "", networks)


@dataclass(frozen=True)
class VenueAddress:
    asset: str
    address: str
    tag: str
    url: str

    @classmethod
    def from_wire(cls, row: Wire) -> "VenueAddress":
        return cls(row["coin"], row["address"], row.get("tag") or "", row.get("url") or "")


@dataclass(frozen=True)
class DepositRecord:
    """A row of the history. Whatever is odd in it, it can be read: what cannot be understood is zero or -1."""

    id: str
    asset: str
    network: str
    amount: Decimal
    status: int
    address: str
    tag: str
    tx_id: str
    inserted_ms: int
    confirmations: str
    unlock_confirmations: int
    is_internal: bool

    @classmethod
    def from_wire(cls, wire: object) -> "DepositRecord":
        row = _named(wire)
        return cls(
            id=_text(row.get("id")) or _fallback_id(row),
            asset=_text(row.get("coin")),
            network=_text(row.get("network")),
            amount=_amount(row.get("amount")),
            status=_whole(row.get("status"), -1),
            address=_text(row.get("address")),
            tag=_text(row.get("addressTag")),
            tx_id=_text(row.get("txId")),
            inserted_ms=_whole(row.get("insertTime"), 0),
            confirmations=_text(row.get("confirmTimes")),
            unlock_confirmations=_whole(row.get("unlockConfirm"), 0),
            is_internal=_whole(row.get("transferType"), 0) == 1,
        )

    @property
    def fallback_id(self) -> str:
        """The key of this record if the venue had not given it an id."""
        return _key_of(self.network, self.tx_id, self.address, self.tag, self.amount)


NO_ID = "~"
_NAMED = ("network", "txId", "address", "addressTag")


def _fallback_id(row: Wire) -> str:
    network, tx_id, address, tag = (_text(row.get(name)) for name in _NAMED)
    return _key_of(network, tx_id, address, tag, _amount(row.get("amount")))


def _key_of(network: str, tx_id: str, address: str, tag: str, amount: Decimal) -> str:
    facts = "\n".join((network, tx_id, address, tag, str(amount.normalize())))
    return NO_ID + sha256(facts.encode()).hexdigest()


def _amount(value: object, otherwise: int = 0) -> Decimal:
    try:
        amount = dec(value)
    except InvalidOperation:
        return Decimal(otherwise)
    return amount if amount.is_finite() else Decimal(otherwise)


def _whole(value: object, otherwise: int) -> int:
    text = str(value)
    return int(text) if _WHOLE.fullmatch(text) else otherwise


_WHOLE = re.compile(r"-?[0-9]{1,18}")


def _text(value: object) -> str:
    """Text that can be kept: what no database takes is left out."""
    return str(value or "").encode("utf-8", "ignore").decode().replace("\0", "")


def _named(row: object) -> Wire:
    return row if isinstance(row, Mapping) else {}


UNREADABLE = -1


@dataclass(frozen=True)
class WithdrawRecord:
    """A row of the history. Whatever is odd in it, it can be read: a figure that cannot be understood is -1."""

    id: str
    client_id: str
    asset: str
    network: str
    amount: Decimal
    fee: Decimal
    status: int
    address: str
    tag: str
    tx_id: str
    info: str

    @classmethod
    def from_wire(cls, wire: object) -> "WithdrawRecord":
        row = _named(wire)
        return cls(
            id=_text(row.get("id")),
            client_id=_text(row.get("withdrawOrderId")),
            asset=_text(row.get("coin")),
            network=_text(row.get("network")),
            amount=_amount(row.get("amount"), UNREADABLE),
            fee=_amount(row.get("transactionFee"), UNREADABLE),
            status=_whole(row.get("status"), UNREADABLE),
            address=_text(row.get("address")),
            tag=_text(row.get("addressTag")),
            tx_id=_text(row.get("txId")),
            info=_text(row.get("info")),
        )

    @property
    def is_odd(self) -> bool:
        """No withdrawal looks like this: nothing is sent, or a fee or state that does not exist."""
        is_figure = 0 < self.amount < IMPOSSIBLE and 0 <= self.fee < IMPOSSIBLE
        return not is_figure or self.status not in WITHDRAW_STATES


WITHDRAW_STATES = range(7)  # binance.md 15
IMPOSSIBLE = Decimal(10) ** 18


@dataclass(frozen=True)
class KeyRights:
    """What a key may do; what the venue does not say counts as what would be worse."""

    can_trade: bool
    can_withdraw: bool
    is_bound_to_addresses: bool

    @classmethod
    def from_wire(cls, row: Wire) -> "KeyRights":
        return cls(
            can_trade=row.get("enableSpotAndMarginTrading") is True,
            can_withdraw=row.get("enableWithdrawals") is not False,
            is_bound_to_addresses=row.get("ipRestrict") is True,
        )
