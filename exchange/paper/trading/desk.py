"""New orders and their ends: checks in the venue's order, locks, matching, reports."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import errors, wire
from exchange.paper.accounts import Account, Order
from exchange.paper.book import Match
from exchange.paper.errors import ApiError
from exchange.paper.listticket import Draft
from exchange.paper.market import Listed, Market, now_ms
from exchange.paper.orderlist import OrderList
from exchange.paper.ticket import Params, client_id_of, read_ticket
from exchange.paper.trading import funds
from exchange.paper.trading.amending import Amending
from exchange.paper.trading.checks import check, check_counts, check_filters
from exchange.paper.trading.lists import Lists
from exchange.paper.trading.matching import Matching, resting
from exchange.paper.trading.reports import Reports
from exchange.paper.trading.routing import require_routable
from exchange.paper.trading.triggers import Triggers

if TYPE_CHECKING:
    from exchange.paper.venue import Venue


class Trading:
    """Matching customers' orders; every change is gathered, then stored, then told."""

    def __init__(self, venue: "Venue") -> None:
        self._venue = venue
        self._reports = Reports(venue)
        self._lists = Lists(venue, self._reports, start=self._start, leave=self._leave)
        self._matching = Matching(venue, self._reports, self._lists)
        self._triggers = Triggers(venue, self._trigger)
        self._amending = Amending(venue, self._reports, self._lists)

    def place(
        self,
        account: Account,
        market: Listed,
        params: Params,
        *,
        is_test: bool = False,
        used_sor: bool = False,
    ) -> tuple[Order, list[Any]]:
        """The order after its first moment, with its trades."""
        market = require_open(market)
        order = read_ticket(market, params)
        if used_sor:
            require_routable(self._venue, order)
            order.used_sor, order.working_floor = True, "SOR"
        check(account, market, order)
        if is_test:
            return order, []
        self._venue.limits.require_room_for_order(account.account_id)
        order.account_id = account.account_id
        if order.type == "MARKET":
            self._matching.cover(account, market, order)
        else:
            funds.lock(account, market, order)
        self._venue.limits.count_order(account.account_id)
        order.order_id = self._venue.next_id()
        account.add_order(order)
        fills = self._begin(account, market, order)
        self._reports.finish(account, order, market)
        self.follow(market)
        return order, fills

    def _begin(self, account: Account, market: Market, order: Order) -> list[Any]:
        """It waits for its price, or works at once."""
        if order.is_algo:
            self._reports.report(account, order, "NEW")
            self._triggers.wait(order)
            return []
        return self._work(account, market, order)

    def _work(self, account: Account, market: Market, order: Order) -> list[Any]:
        """It takes what it can and stands on the book, or ends; gives its trades."""
        order.working_ms = order.updated_ms = now_ms()
        self._reports.report(account, order, "NEW")
        fills = self._matching.match(account, market, order)
        self._matching.rest_or_expire(account, market, order)
        return fills

    def _start(self, account: Account, market: Market, order: Order) -> list[Any]:
        """One of a list waits for its price, or works."""
        return (self._begin if order.is_algo else self._work_late)(account, market, order)

    def _work_late(self, account: Account, market: Market, order: Order) -> list[Any]:
        """One that was accepted earlier works, or is expired when it cannot."""
        if reason := self._refusal(account, market, order):
            self._matching.expire(account, market, order, reason)
            return []
        return self._work(account, market, order)

    def _refusal(self, account: Account, market: Market, order: Order) -> str:
        """Why an order that was accepted earlier cannot trade at any price now; or nothing."""
        if not order.at_any_price:
            return ""
        try:
            market.filters.check_quantity(order.quantity, is_market=True)
            self._matching.cover(account, market, order)
        except ApiError as error:
            return "INSUFFICIENT_LIQUIDITY" if error is errors.NO_ORDERS else "REJECTED"
        if order.side == "BUY":
            funds.release(account, market, order)
        return ""

    def follow(self, market: Market) -> None:
        """What the trades of this market up to now have triggered begins to work, and lists go on."""
        while market.passed or self._reports.touched:
            touched, self._reports.touched = self._reports.touched, []
            for account, list_id in touched:
                self._lists.settle(account, list_id)
            self._triggers.follow(market)

    def _trigger(self, market: Market, order: Order) -> None:
        """Its price has come."""
        account = self._venue.accounts[order.account_id]
        self._lists.begin(account, market, order)
        self._work_late(account, market, order)
        self._reports.finish(account, order, market)

    def _leave(self, market: Market, order: Order) -> None:
        """It stands on no book, and waits for nothing."""
        self._triggers.forget(order)
        market.book.cancel(order.order_id)

    def resume(self, order: Order) -> None:
        """An open order of an earlier start is where it was."""
        market = self._venue.live.get(order.symbol)
        if market is None:
            return
        if order.is_working:
            market.book.rest(resting(order))
        elif order.status != "PENDING_NEW":
            self._triggers.wait(order)

    def settle_maker(self, market: Market, match: Match, row: dict[str, Any]) -> None:
        """The resting side of a trade that the simulated world took."""
        self._matching.settle_maker(market, match, row)

    def place_list(self, account: Account, market: Listed, draft: Draft, shape: str) -> dict[str, Any]:
        """The answer to placing the orders together, each told in this shape."""
        market = require_open(market)
        answer = self._lists.place(account, market, draft, shape)
        self.follow(market)
        return answer

    def require_acceptable(self, account: Account, market: Listed, params: Params) -> None:
        """The order could be accepted as far as its form, the filters and the counts go."""
        found = require_open(market)
        order = read_ticket(found, params)
        check_filters(found, order)
        check_counts(found, order, list(account.open_orders(order.symbol)))

    def amend(
        self, account: Account, market: Listed, order: Order, quantity: Decimal, client_id: str
    ) -> dict[str, Any]:
        """The open order becomes smaller and keeps its place; gives the answer to the amend."""
        found = require_open(market)
        answer = self._amending.amend(account, found, order, quantity, client_id)
        self.follow(found)
        return answer

    def cancel(self, account: Account, market: Listed, order: Order, cancel_id: str = "") -> dict[str, Any]:
        """The open order ends, and its list with it; gives the answer to the cancel."""
        if order.list_id > 0:
            return self.cancel_list(account, market, account.lists[order.list_id], cancel_id)
        market, cancel_id = require_tradable(market), client_id_of({"newClientOrderId": cancel_id})
        self._leave(market, order)
        self._reports.end(account, market, order, "CANCELED", "CANCELED", cancel_id=cancel_id)
        self._reports.finish(account, order, market)
        return wire.canceled(order, cancel_id)

    def expire(self, account: Account, market: Market, order: Order) -> None:
        """The venue ends the open order, and its list goes on without it."""
        self._leave(market, order)
        self._matching.expire(account, market, order, "EXCHANGE_CANCELED")
        self._reports.finish(account, order, market)
        self.follow(market)

    def cancel_list(
        self, account: Account, market: Listed, found: OrderList, cancel_id: str = ""
    ) -> dict[str, Any]:
        market, cancel_id = require_tradable(market), client_id_of({"newClientOrderId": cancel_id})
        answer = self._lists.cancel(account, market, found, cancel_id)
        self.follow(market)
        return answer


def require_tradable(market: Listed) -> Market:
    """The market, when one can trade on it at all."""
    if not isinstance(market, Market):
        raise errors.CLOSED
    return market


def require_open(market: Listed) -> Market:
    """The market, when one can trade on it now."""
    found = require_tradable(market)
    if not found.is_open:
        raise errors.CLOSED
    return found
