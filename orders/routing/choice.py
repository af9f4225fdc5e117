"""Which rule of staff counts for an order. Kept in the process for a moment: no order asks the database for it."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from orders.models import RouteRule, Strategy

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Rule:
    pk: int
    symbol: str | None
    group_id: int | None
    tier: int | None
    strategy: str
    allows_crossing: bool = False
    bridges: tuple[str, ...] = ()

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """What names a market goes before what names customers, a group before a tier, and the newest among equals."""
        named = (self.symbol is not None, self.group_id is not None, self.tier is not None)
        return (*map(int, named), self.pk)  # type: ignore[return-value]


_kept: tuple[float, tuple[Rule, ...]] = (0, ())


def rule_for(user: "User", symbol: str) -> Rule | None:
    """The rule by which the customer's order in the market is compared; None where it goes to the market itself."""
    rules = _rules()
    if not rules:
        return None
    meant = [rule for rule in rules if rule.symbol in (None, symbol) and rule.tier in (None, user.tier)]
    if any(rule.group_id for rule in meant):
        groups = {None, *user.groups.values_list("pk", flat=True)}
        meant = [rule for rule in meant if rule.group_id in groups]
    found = max(meant, key=lambda rule: rule.weight, default=None)
    return None if found is None or found.strategy == Strategy.DIRECT else found


def forget() -> None:
    """The next order looks again."""
    global _kept
    _kept = (0, ())


def _rules() -> tuple[Rule, ...]:
    global _kept
    until, rules = _kept
    if time.monotonic() < until:
        return rules
    rules = tuple(_read())
    _kept = (time.monotonic() + settings.ROUTE_RULES_SECONDS, rules)
    return rules


def _read() -> list[Rule]:
    """None at all while every line says direct."""
    found = [
        Rule(
            row.pk,
            row.market_id,
            row.group_id,
            row.tier,
            row.strategy,
            row.allows_crossing,
            tuple(row.bridges),
        )
        for row in RouteRule.objects.filter(ended_at__isnull=True)
    ]
    return found if any(rule.strategy != Strategy.DIRECT for rule in found) else []
