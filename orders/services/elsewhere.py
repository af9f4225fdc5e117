"""Orders that the venue refused because of an account's key go to another account, under the same names."""

from collections.abc import Sequence

import structlog

from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from orders.models import Status, VenueOrder
from orders.services.ending import locked
from orders.services.recording import accounts_of

log = structlog.get_logger()


def go_elsewhere(venue_order_ids: Sequence[int], refused_by: int) -> bool:
    """The key was refused, so nothing was executed: they are to be sent to another account than that one, held for as
    they are. False when no other can take them, or they are not pending any more."""
    try:
        return _moved(venue_order_ids, refused_by)
    except DomainError as refusal:
        log.info("order.no_other_account", venue_orders=venue_order_ids, reason=refusal.code)
        return False


@transaction_with_retry
def _moved(venue_order_ids: Sequence[int], refused_by: int) -> bool:
    found = [locked(number) for number in venue_order_ids]
    if any(sent.status != Status.PENDING or order.finished_at is not None for order, sent in found):
        return False
    for order, sent in found:
        sent.order = order
    others = [
        account for account in accounts_of([sent for _order, sent in found]) if account.pk != refused_by
    ]
    if not others:
        return False
    rows = VenueOrder.objects.filter(pk__in=venue_order_ids)
    rows.update(venue_account=others[0], sent_at=None)
    log.warning("order.goes_elsewhere", venue_orders=venue_order_ids, account=others[0].name)
    return True
