"""Which way an order takes to the best price: what is compared, on which books, and what the choice was worth.

Nothing here writes. A strategy gives a Route: the ways that were looked at, each with its estimate after our fees or
with the reason why it was out, and which of them is taken. `orders.services` takes it. For a conversion, which names no
market, `paths` gives the ways from one asset to another.
"""

from orders.routing.choice import Rule, forget, rule_for
from orders.routing.crossing import cost, is_allowed, is_less_than_a_step, without
from orders.routing.paths import Path, paths
from orders.routing.savings import Saving, savings
from orders.routing.strategies import STRATEGIES, route_of
from orders.routing.ways import Asked, Hop, Route, Way, better_by

__all__ = [
    "STRATEGIES",
    "Asked",
    "Hop",
    "Path",
    "Route",
    "Rule",
    "Saving",
    "Way",
    "better_by",
    "cost",
    "forget",
    "is_allowed",
    "is_less_than_a_step",
    "paths",
    "route_of",
    "rule_for",
    "savings",
    "without",
]
