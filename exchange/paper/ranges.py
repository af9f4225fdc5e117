"""The price range rule: no trade of a taker far away from the reference price."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from exchange.paper.accounts import text
from exchange.paper.market import Listed

MULTIPLIERS = ("bidLimitMultUp", "bidLimitMultDown", "askLimitMultUp", "askLimitMultDown")


@dataclass
class Ranges:
    """Rules by symbol; a symbol without one has no reference price here."""

    rules: dict[str, dict[str, str]] = field(default_factory=dict)

    def set(self, symbol: str, asked: dict[str, Any]) -> None:
        """As many of the four multipliers as are given; without any the rule is gone."""
        rule = {name: str(Decimal(str(asked[name]))) for name in MULTIPLIERS if asked.get(name)}
        self.rules.pop(symbol, None)
        if rule:
            self.rules[symbol] = rule

    def bounds(self, market: Listed, side: str) -> tuple[Decimal, Decimal | None]:
        """The lowest and the highest price at which an order of that side may trade from now on."""
        rule = self.rules.get(market.symbol, {})
        who, reference = "bid" if side == "BUY" else "ask", market.average() if rule else Decimal(0)
        high = rule.get(f"{who}LimitMultUp")
        low = reference * Decimal(rule.get(f"{who}LimitMultDown", 0))
        return low, reference * Decimal(high) if high else None

    def told(self, symbol: str) -> dict[str, Any]:
        rule = self.rules.get(symbol)
        return {"symbol": symbol, "rules": [{"ruleType": "PRICE_RANGE", **rule}] if rule else []}

    def reference(self, market: Listed) -> str | None:
        return text(market.average()) if market.symbol in self.rules else None
