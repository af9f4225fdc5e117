"""The wallet's answers in our words (binance.md 15)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
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

    @classmethod
    def from_wire(cls, row: Wire) -> "DepositRecord":
        # The oldest records carry no id; their transaction, address and tag are the next best key.
        fallback = f"{row.get('txId')}:{row.get('address')}:{row.get('addressTag') or ''}"
        return cls(
            id=str(row.get("id") or fallback)[:100],
            asset=row["coin"],
            network=row.get("network") or "",
            amount=dec(row["amount"]),
            status=int(row["status"]),
            address=row.get("address") or "",
            tag=row.get("addressTag") or "",
            tx_id=row.get("txId") or "",
            inserted_ms=int(row.get("insertTime") or 0),
            confirmations=str(row.get("confirmTimes") or ""),
        )


@dataclass(frozen=True)
class WithdrawRecord:
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
    def from_wire(cls, row: Wire) -> "WithdrawRecord":
        return cls(
            id=str(row["id"]),
            client_id=row.get("withdrawOrderId") or "",
            asset=row["coin"],
            network=row.get("network") or "",
            amount=dec(row["amount"]),
            fee=dec(row.get("transactionFee")),
            status=int(row["status"]),
            address=row.get("address") or "",
            tag=row.get("addressTag") or "",
            tx_id=row.get("txId") or "",
            info=row.get("info") or "",
        )
