"""What the customer of an order in two trades has now, and why: on the order while it goes on, by notice when something
is left in the asset between at its end."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.errors import DomainError
from exchange.money import plain
from exchange.office import services as office
from orders.models import Order, Status
from orders.services import events, routes

# A venue that has not answered for so long is being asked.
SILENCE = timedelta(seconds=5)
_IN_BETWEEN = gettext_lazy("Your order ended in %(asset)s")
_LEFT = gettext_lazy("Something is left of your order in %(asset)s")
_IN_BETWEEN_BODY = gettext_lazy(
    "Your order %(order)s to trade %(give)s for %(get)s was executed in two trades over %(asset)s. %(reason)s"
)


def goes_on(order: Order, first: Order) -> None:
    """The second trade begins."""
    text = _("%(amount)s %(asset)s came of the first trade and are held for the second, which is under way.")
    _say(order, "second_part", text % _between(first))


def waits_in_between(order: Order, first: Order, refusal: DomainError) -> None:
    """The second trade cannot begin now, and waits."""
    text = _("%(amount)s %(asset)s came of the first trade and are held for the second, which waits: %(why)s")
    _say(order, "second_part_waits", text % {**_between(first), "why": str(refusal)})


def is_checked(order: Order, first: Order, second: Order) -> None:
    """The second trade was sent and nothing is known of it."""
    silent = second.venue_orders.filter(status=Status.PENDING, sent_at__lt=timezone.now() - SILENCE)
    if order.reason_code == "second_part_checked" or not silent.exists():
        return
    text = _(
        "%(amount)s %(asset)s came of the first trade and are held for the second; what became of that one is being"
        " checked, and nothing is sent again."
    )
    _say(order, "second_part_checked", text % _between(first))


def ends_in_between(order: Order, first: Order, amount: Decimal, why: str) -> None:
    """There will be no second trade; the caller ends the order."""
    words = {"amount": plain(amount), "asset": first.received_asset_id, "why": why}
    text = _(
        "%(amount)s %(asset)s came of the first trade and are available in your wallet; the second was not made."
        " %(why)s"
    )
    _end_with(order, "second_part_not_made", (text % words).strip())
    _notify(order, first, "order.in_between", _IN_BETWEEN)


def ends(order: Order, first: Order, second: Order, left: Decimal) -> None:
    """Both trades are over, and so much of the asset between is left; the caller ends the order."""
    words = {"amount": plain(left), "asset": first.received_asset_id, "why": second.reason}
    if not left:
        _end_with(order, first.reason_code, first.reason)
    elif second.status == Status.FILLED:
        text = _("%(amount)s %(asset)s of the first trade are left over and available in your wallet.")
        _end_with(order, "left_over", text % words)
        _notify(order, first, "order.left_over", _LEFT)
    else:
        text = _(
            "%(amount)s %(asset)s of the first trade could not be traded on and are available in your wallet. %(why)s"
        )
        _end_with(order, "second_part_not_whole", (text % words).strip())
        _notify(order, first, "order.in_between", _IN_BETWEEN)


def _between(first: Order) -> dict[str, str]:
    asset = first.received_asset_id
    return {"amount": plain(routes.total_of(first, asset)), "asset": asset}


def _say(order: Order, code: str, sentence: str) -> None:
    """Once for each sentence, while the order goes on."""
    if order.reason == sentence[:300]:
        return
    _end_with(order, code, sentence)
    order.save(update_fields=["reason_code", "reason", "updated_at"])
    events.tell(order, order.paid_asset_id)


def _end_with(order: Order, code: str, sentence: str) -> None:
    order.reason_code, order.reason = code, sentence[:300]


def _notify(order: Order, first: Order, kind: str, subject: Promise) -> None:
    words = {
        "order": order.pk, "give": order.paid_asset_id, "get": order.received_asset_id, "reason": order.reason,
        "asset": first.received_asset_id,
    }  # fmt: skip
    office.notify(order.user, kind, subject, _IN_BETWEEN_BODY, words)
