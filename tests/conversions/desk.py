"""The venue as the house's own orders see it: it fills, refuses, or says nothing."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import requests
from django.db.models import Sum
from django.utils import timezone

from accounts.models import User
from exchange.conversions import queries, services
from exchange.conversions.models import Conversion, Cover, Quote
from ledger.models import Entry
from orders import services as orders
from orders.models import Order, VenueOrder
from tests.venue import Body, Venue, error, order_body

D = Decimal
PLACE = ("POST", "/api/v3/order")
ETH_BOOKS: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.00001", "maxPrice": "1000", "tickSize": "0.00001"},
    {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "9000", "stepSize": "0.0001"},
    {"filterType": "NOTIONAL", "minNotional": "0.0001", "applyMinToMarket": True, "maxNotional": "9000000"},
]


class Desk:
    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self._orders, self._trades = count(9000), count(500)
        self.known: dict[str, Body] = {}
        self.fills()
        venue.on("GET", "/api/v3/order", self._tell)
        for path in ("openOrders", "allOrders"):
            venue.on("GET", f"/api/v3/{path}", (200, []))
        venue.on("GET", "/api/v3/myTrades", self._trades_of)

    # ------------------------------------------------------------------ what the venue does
    def fills(self, *, share: str = "1", price: str | None = None, answers: bool = True) -> None:
        """So much of each order is traded, at its limit or at this price; the rest expires."""

        def answer(asked: Body) -> Any:
            body = self._execute(asked, D(share), price)
            if not answers:
                raise requests.exceptions.ReadTimeout()
            return 200, body

        self.venue.on(*PLACE, answer)

    def _execute(self, asked: Body, share: Decimal, price: str | None) -> Body:
        quantity = (D(asked["quantity"]) * share).quantize(D("0.00001")).normalize()
        at = D(price or asked["price"])
        quote = (quantity * at).quantize(D("0.00000001"))
        number = next(self._orders)
        fills = [
            {
                "price": f"{at:f}", "qty": f"{quantity:f}", "commission": "0", "commissionAsset": "BNB",
                "tradeId": next(self._trades),
            }
        ]  # fmt: skip
        is_whole = quantity == D(asked["quantity"])
        body = order_body(
            asked,
            orderId=number,
            status="FILLED" if is_whole else "EXPIRED",
            executedQty=f"{quantity:f}",
            cummulativeQuoteQty=f"{quote:f}",
            fills=fills if quantity else [],
        )
        self.known[asked["newClientOrderId"]] = body
        return body

    def _tell(self, asked: Body) -> Any:
        body = self.known.get(asked["origClientOrderId"])
        if body is None:
            return error(-2013, "Order does not exist.")
        return 200, {**{key: value for key, value in body.items() if key != "fills"}}

    def _trades_of(self, asked: Body) -> Any:
        found = [body for body in self.known.values() if str(body["orderId"]) == asked.get("orderId")]
        return 200, [
            {
                "symbol": body["symbol"], "id": fill["tradeId"], "orderId": body["orderId"], "orderListId": -1,
                "price": fill["price"], "qty": fill["qty"], "quoteQty": body["cummulativeQuoteQty"],
                "commission": "0", "commissionAsset": "BNB", "time": 1_700_000_000_000,
                "isBuyer": body["side"] == "BUY", "isMaker": False, "isBestMatch": True,
            }
            for body in found for fill in body["fills"]
        ]  # fmt: skip

    def refuses(self) -> None:
        self.venue.on(*PLACE, error(-2010, "Account has insufficient balance for requested action."))

    def is_away(self) -> None:
        self.venue.on(*PLACE, requests.exceptions.ConnectTimeout())

    # ------------------------------------------------------------------ time goes on
    def sweep(self, times: int = 1) -> None:
        for _time in range(times):
            orders.resolve_pending()
            Cover.objects.update(next_at=timezone.now())
            services.cover_positions()

    def hour_later(self) -> None:
        """No request of before can be accepted any more."""
        VenueOrder.objects.update(timestamp_ms=1, send_by=timezone.now() - timedelta(hours=1))


# ------------------------------------------------------------------ people
def wish(**changes: Any) -> services.Wish:
    wanted: dict[str, Any] = {"from_asset": "USDT", "to_asset": "BTC", "from_amount": D(1000), **changes}
    return services.Wish(**wanted)


def quote(user: User, **changes: Any) -> Quote:
    return services.make_quote(user=user, wish=wish(**changes), channel="SITE")


def accept(user: User, found: Quote) -> Conversion:
    return services.accept_quote(user=user, quote_id=found.pk, channel="SITE")


def convert(user: User, **changes: Any) -> Conversion:
    return accept(user, quote(user, **changes))


def run_out(found: Quote) -> None:
    """Its time is over by the database's clock."""
    Quote.objects.filter(pk=found.pk).update(expires_at=queries.now() - timedelta(microseconds=1))


# ------------------------------------------------------------------ what is so
def house_orders() -> list[Order]:
    return list(Order.objects.filter(channel="HOUSE").order_by("id"))


def is_covered(*, dust: str = "0.00001") -> bool:
    """Nothing is open, and what is left of each asset is less than this."""
    left = [cover.left for cover in Cover.objects.all()]
    return not Cover.objects.filter(is_open=True).exists() and abs(sum(left, D(0))) < D(dust)


def books_agree() -> bool:
    """The house's position is what conversions and covers explain, to the last digit."""
    return queries.unexplained() == {}


def at_venue(asset: str) -> Decimal:
    """What the books say lies at the venue."""
    entries = Entry.objects.filter(account__type="VENUE", asset_id=asset)
    return -(entries.aggregate(total=Sum("amount"))["total"] or D(0))


def refused(act: Callable[[], Any]) -> str:
    """The code with which it is refused."""
    from exchange.errors import DomainError

    try:
        act()
    except DomainError as refusal:
        return refusal.code
    return ""
