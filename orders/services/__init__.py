"""Placing, canceling and following orders. The only writer of orders."""

from orders.services.amending import amend_order
from orders.services.canceling import (
    Wishes,
    cancel_order,
    cancel_order_list,
    cancel_orders,
    carry_out_wishes,
    wish_cancels,
)
from orders.services.changing import change_order
from orders.services.comparing import compare_trades
from orders.services.covering import place_house_order, sure_book
from orders.services.crossing import follow_crosses
from orders.services.ending import cause_of_hold
from orders.services.fees import begin_fee_rule, count_volumes, end_fee_rule
from orders.services.following import apply_report, follow_lists
from orders.services.foretelling import ListPreview, preview_list
from orders.services.known import note_known
from orders.services.listing import place_order_list
from orders.services.listtickets import ListTicket
from orders.services.placing import place_order
from orders.services.prefunding import watch_prefunding
from orders.services.previewing import Preview, PreviewedRoute, preview
from orders.services.reconciling import reconcile, reconcile_each, reconcile_open, resolve_pending
from orders.services.replacing import replace_order
from orders.services.reports import apply_trades
from orders.services.resuming import resume
from orders.services.routes import begin_route_rule, end_route_rule, realise_routes
from orders.services.tickets import Plan, Ticket
from orders.services.twolegs import follow_routes
from orders.services.watching import Watch

__all__ = [
    "ListPreview",
    "ListTicket",
    "Plan",
    "Preview",
    "PreviewedRoute",
    "Ticket",
    "Watch",
    "Wishes",
    "amend_order",
    "apply_report",
    "apply_trades",
    "begin_fee_rule",
    "begin_route_rule",
    "cancel_order",
    "cancel_order_list",
    "cancel_orders",
    "carry_out_wishes",
    "cause_of_hold",
    "change_order",
    "compare_trades",
    "count_volumes",
    "end_fee_rule",
    "end_route_rule",
    "follow_crosses",
    "follow_lists",
    "follow_routes",
    "note_known",
    "place_house_order",
    "place_order",
    "place_order_list",
    "preview",
    "preview_list",
    "realise_routes",
    "reconcile",
    "reconcile_each",
    "reconcile_open",
    "replace_order",
    "resolve_pending",
    "resume",
    "sure_book",
    "watch_prefunding",
    "wish_cancels",
]
