"""What the first of two trades brings is held for the second, from the moment it is booked."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from exchange.money import EXACT, plain
from exchange.office import services as office
from ledger import services as ledger
from orders.models import Fill, Order


def keep_for_second(order: Order, fill: Fill) -> None:
    """Within the transaction that books the fill; the caller holds the lock of the first part. One that comes when the
    second has begun, or is given up, is the customer's, who hears of it."""
    amount, asset = received_of(order, fill), order.received_asset_id
    if not amount:
        return
    if _is_awaited(order):
        ledger.hold(
            user_id=order.user_id, asset=asset, amount=amount, cause=ledger.Cause.BRIDGE, cause_id=fill.pk
        )
        return
    words = {"order": order.route_of_id, "amount": plain(amount), "asset": asset}
    office.notify(order.user, "order.in_between", _LATE, _LATE_BODY, words)


_LATE = _("Part of an order traded late")
_LATE_BODY = _(
    "The first of the two trades of your order %(order)s brought %(amount)s %(asset)s more, of which the venue told"
    " only when the second had begun or was over. They are available in your wallet, in %(asset)s."
)


def received_of(order: Order, fill: Fill) -> Decimal:
    """What the order has of the trade, our fee taken off."""
    is_base = order.received_asset_id == order.market.base_id
    return EXACT.subtract(fill.quantity if is_base else fill.quote_quantity, fill.fee)


def _is_awaited(order: Order) -> bool:
    """The second part has not begun, and the whole has not ended: both happen under the first part's lock."""
    assert order.route_of_id is not None, "only a part is awaited"
    found = Order.objects.filter(pk=order.route_of_id, finished_at__isnull=True)
    return found.exclude(parts__part=2).exists()


def kept(first: Order) -> Decimal:
    """What is held of what the first part brought, and now is available; the caller holds its lock."""
    freed = Decimal(0)
    for number in first.fills.order_by("id").values_list("pk", flat=True):
        freed = EXACT.add(freed, ledger.release(cause=ledger.Cause.BRIDGE, cause_id=number))
    return freed
