"""Lists of orders: one cancels the other, one triggers the other, one pays the other."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass
class OrderList:
    """`order_ids`: of a pair the stop first, of an OTO the working one before those that follow.

    `locked` is what both legs of a pair share until one of them begins; `reserved` is what the working order of a list
    that pays the other has received, for those that follow.
    """

    list_id: int
    account_id: int
    symbol: str
    client_id: str
    contingency: str
    order_ids: list[int]
    created_ms: int
    updated_ms: int
    pays_other: bool = False
    is_open: bool = True
    locked: Decimal = ZERO
    reserved: Decimal = ZERO

    @property
    def pending_ids(self) -> list[int]:
        """Those that wait for the working order to be filled."""
        return self.order_ids[1:] if self.contingency == "OTO" else []

    @property
    def pair(self) -> list[int]:
        """The two of which only one ever trades."""
        if self.contingency == "OCO":
            return self.order_ids
        return self.pending_ids if len(self.pending_ids) == 2 else []

    def as_row(self) -> dict[str, Any]:
        return {**self.__dict__, "locked": str(self.locked), "reserved": str(self.reserved)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "OrderList":
        return cls(**{**row, "locked": Decimal(row["locked"]), "reserved": Decimal(row["reserved"])})
