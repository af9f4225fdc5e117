"""What an event of the account says that lies there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exchange.binance.models import VenueBalance, dec

Wire = Mapping[str, Any]


@dataclass(frozen=True)
class AccountPosition:
    """What lies in the account of the assets that may have changed."""

    balances: tuple[VenueBalance, ...]
    time_ms: int

    @classmethod
    def from_event(cls, event: Wire) -> "AccountPosition":
        rows = (VenueBalance(row["a"], dec(row["f"]), dec(row["l"])) for row in event["B"])
        return cls(tuple(rows), int(event["E"]))

    def after(self, earlier: "AccountPosition | None") -> "AccountPosition":
        """Both in one: events of one stream come in their order, so what no later one names has not changed."""
        if earlier is None:
            return self
        known = {row.asset: row for row in (*earlier.balances, *self.balances)}
        return AccountPosition(tuple(known.values()), max(earlier.time_ms, self.time_ms))
