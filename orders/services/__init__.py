"""Placing, canceling and following orders. The only writer of orders."""

from orders.services.amending import amend_order
from orders.services.canceling import cancel_order, cancel_orders
from orders.services.changing import change_order
from orders.services.comparing import compare_trades
from orders.services.fees import begin_fee_rule, count_volumes, end_fee_rule
from orders.services.placing import place_order
from orders.services.previewing import Preview, preview
from orders.services.reconciling import reconcile, reconcile_open, resolve_pending
from orders.services.replacing import replace_order
from orders.services.reports import apply_report, apply_trades
from orders.services.tickets import Plan, Ticket

__all__ = [
    "Plan",
    "Preview",
    "Ticket",
    "amend_order",
    "apply_report",
    "apply_trades",
    "begin_fee_rule",
    "cancel_order",
    "cancel_orders",
    "change_order",
    "compare_trades",
    "count_volumes",
    "end_fee_rule",
    "place_order",
    "preview",
    "reconcile",
    "reconcile_open",
    "replace_order",
    "resolve_pending",
]
