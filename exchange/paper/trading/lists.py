"""Orders that belong together: who begins when, whose funds are shared, who ends with whom."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from exchange.paper import errors, listwire, wire
from exchange.paper.accounts import ZERO, Account, Order
from exchange.paper.errors import ApiError
from exchange.paper.listticket import Draft, require_prices_apart
from exchange.paper.market import Market, now_ms
from exchange.paper.orderlist import OrderList
from exchange.paper.trading import funds
from exchange.paper.trading.checks import check_filters, check_list, check_moment
from exchange.paper.trading.reports import Reports

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

Start = Callable[[Account, Market, Order], list[Any]]
Leave = Callable[[Market, Order], None]


class Lists:
    def __init__(self, venue: "Venue", reports: Reports, *, start: Start, leave: Leave) -> None:
        """`start` lets an order work or wait; `leave` takes it from where it stands."""
        self._venue, self._reports, self._start, self._leave = venue, reports, start, leave

    # ------------------------------------------------------------------ placing
    def place(self, account: Account, market: Market, draft: Draft, shape: str) -> dict[str, Any]:
        """The answer tells the orders as they are before any pending one begins."""
        check_list(account, market, draft)
        self._venue.limits.require_room_for_order(account.account_id, len(draft.orders))
        found = self._open(account, draft)
        self._lock(account, market, found, draft)
        for order in draft.orders:
            order.order_id, order.account_id = self._venue.next_id(), account.account_id
            order.list_id = found.list_id
            self._venue.limits.count_order(account.account_id)
            found.order_ids.append(order.order_id)
        for order in draft.orders:
            order.status = "PENDING_NEW" if order.order_id in found.pending_ids else "NEW"
            account.add_order(order)
        account.lists[found.list_id] = found
        self._tell(account, found)
        fills = {order.order_id: self._begin(account, market, order) for order in draft.orders}
        self._keep(found)
        bodies = [wire.placed(order, fills[order.order_id], shape) for order in draft.orders]
        return {**listwire.listed(found, draft.orders), "orderReports": bodies}

    def _open(self, account: Account, draft: Draft) -> OrderList:
        at = now_ms()
        return OrderList(
            self._venue.next_id(), account.account_id, draft.orders[0].symbol, draft.client_id,
            draft.contingency, [], at, at, draft.pays_other,
        )  # fmt: skip

    def _lock(self, account: Account, market: Market, found: OrderList, draft: Draft) -> None:
        """All that the list can cost, from the beginning: of a pair the dearer one.

        Nothing says so of pending orders but that a list which pays the other needs only the working order's.
        """
        alone = [order for order in draft.orders if order not in draft.pair]
        follow = [] if draft.pays_other else draft.pair
        try:
            for order in alone[:1] if draft.pays_other else alone:
                funds.lock(account, market, order)
            if follow:
                found.locked = max(funds.to_lock(market, order) for order in follow)
                account.lock(funds.asset_of(market, follow[0]), found.locked)
        except ApiError:
            for order in alone:
                funds.release(account, market, order)
            raise

    def _begin(self, account: Account, market: Market, order: Order) -> list[Any]:
        if order.status == "PENDING_NEW":
            self._reports.report(account, order, "NEW")
            fills = []
        else:
            fills = self._start(account, market, order)
        self._reports.finish(account, order, market)
        return fills

    # ------------------------------------------------------------------ what happens to one
    def begin(self, account: Account, market: Market, order: Order) -> None:
        """One of a pair is about to trade: the other ends, and what they shared is this one's."""
        found = account.lists.get(order.list_id)
        if found is None or order.order_id not in found.pair or not found.locked:
            return
        for other in self._orders(account, found.pair):
            if other is not order and other.is_open:
                self._expire(account, market, other, "OCO_TRIGGER")
        order.locked, found.locked = found.locked, ZERO
        if not (order.at_any_price and order.side == "BUY"):
            funds.trim(account, market, order, funds.needed(order))
        self._keep(found)

    def received(self, account: Account, order: Order, asset: str, fill: dict[str, Any]) -> None:
        """What the working order of a list that pays the other has received is kept for those that follow."""
        found = account.lists.get(order.list_id)
        if found is None or not found.pays_other or order.order_id != found.order_ids[0]:
            return
        amount = wire.received(fill, asset)
        account.lock(asset, amount)
        found.reserved += amount
        self._keep(found)

    def settle(self, account: Account, list_id: int) -> None:
        """Something happened to one of them: the others follow."""
        found = account.lists[list_id]
        market = self._venue.live[found.symbol]
        working = account.orders[found.order_ids[0]]
        pending = [
            order for order in self._orders(account, found.pending_ids) if order.status == "PENDING_NEW"
        ]
        if pending and working.status == "FILLED":
            self._start_pending(account, market, found, pending)
        elif pending and not working.is_open:
            self._end_all(account, market, pending, working)
        pair = self._orders(account, found.pair)
        if any(not order.is_open for order in pair):
            for order in pair:
                if order.is_open and found.locked:
                    self._expire(account, market, order, "OCO_TRIGGER")
        if found.is_open and not any(order.is_open for order in self._orders(account, found.order_ids)):
            self._finish(account, market, found)

    def _end_all(self, account: Account, market: Market, orders: list[Order], working: Order) -> None:
        """The working order ended without being filled."""
        for order in orders:
            if working.status == "CANCELED":
                self._end(account, market, order, "CANCELED", "CANCELED")
            else:
                self._expire(account, market, order, "OTO_PHASE_ONE_EXPIRED")

    def _start_pending(
        self, account: Account, market: Market, found: OrderList, pending: list[Order]
    ) -> None:
        """They begin now, at the prices of now; who is refused is expired, and the other of a pair with it."""
        try:
            if found.pays_other:
                self._size(account, market, found, pending)
            for order in pending:
                check_filters(market, order)
                if len(pending) == 1:
                    check_moment(market, order)
            if len(pending) == 2:
                check_moment(market, next((o for o in pending if o.type == "LIMIT_MAKER"), pending[0]))
                require_prices_apart(pending, market.last)
        except ApiError as error:
            reason = "INSUFFICIENT_LIQUIDITY" if error is errors.NO_ORDERS else "REJECTED"
            for order in pending:
                self._expire(account, market, order, reason)
            return
        for order in pending:
            order.status = "NEW"
            self._start(account, market, order)
            self._reports.finish(account, order, market)
        self._tell(account, found)

    def _size(self, account: Account, market: Market, found: OrderList, pending: list[Order]) -> None:
        """The quantity is what was received, to the lot; the rest of it is free again."""
        account.unlock(market.base, found.reserved)
        names = ["LOT_SIZE", *(["MARKET_LOT_SIZE"] if any(o.at_any_price for o in pending) else [])]
        quantity, found.reserved = market.filters.whole_lots(found.reserved, names), ZERO
        for order in pending:
            order.quantity = quantity
        if len(pending) == 2:
            account.lock(market.base, quantity)
            found.locked = quantity
        else:
            funds.lock(account, market, pending[0])

    def resize(self, account: Account, market: Market, found: OrderList) -> None:
        """A pair that became smaller needs no more than what the dearer one costs now."""
        if found.locked:
            pair = self._orders(account, found.pair)
            amount = max(funds.to_lock(market, order) for order in pair)
            account.unlock(funds.asset_of(market, pair[0]), max(found.locked - amount, ZERO))
            found.locked = min(amount, found.locked)
            self._keep(found)

    def amended(self, account: Account, found: OrderList, *, is_renamed: bool) -> dict[str, Any]:
        """What the answer to an amend says of the list; a new id of an order is told to the account."""
        found.updated_ms = now_ms()
        self._keep(found)
        self._reports.keep_account(account)
        if is_renamed:
            self._tell(account, found, "UPDATED")
        body = listwire.listed(found, self._orders(account, found.order_ids))
        return {key: body[key] for key in body if key not in ("listStatusType", "transactionTime")}

    # ------------------------------------------------------------------ the end
    def cancel(self, account: Account, market: Market, found: OrderList, cancel_id: str) -> dict[str, Any]:
        """All that are open end; gives the answer to the cancel."""
        orders = self._orders(account, found.order_ids)
        canceled = [order for order in orders if order.is_open]
        for order in canceled:
            self._end(account, market, order, "CANCELED", "CANCELED", cancel_id=cancel_id)
        self._finish(account, market, found)
        bodies = [wire.canceled(order, cancel_id) for order in canceled]
        return {**listwire.listed(found, orders), "orderReports": bodies}

    def _expire(self, account: Account, market: Market, order: Order, reason: str) -> None:
        order.expiry_reason = reason
        self._end(account, market, order, "EXPIRED", "EXPIRED")

    def _end(
        self, account: Account, market: Market, order: Order, status: str, kind: str, *, cancel_id: str = ""
    ) -> None:
        self._leave(market, order)
        self._reports.end(account, market, order, status, kind, cancel_id=cancel_id)
        self._reports.finish(account, order, market)

    def _finish(self, account: Account, market: Market, found: OrderList) -> None:
        """Nothing of it is open any more, and nothing is locked for it."""
        if not found.is_open:
            return
        found.is_open = False
        if found.locked:
            side = account.orders[found.pair[0]]
            account.unlock(funds.asset_of(market, side), found.locked)
        if found.reserved:
            account.unlock(market.base, found.reserved)
        found.locked = found.reserved = ZERO
        found.updated_ms = now_ms()
        self._keep(found)
        self._reports.keep_account(account)
        self._tell(account, found)

    # ------------------------------------------------------------------
    @staticmethod
    def _orders(account: Account, numbers: list[int]) -> list[Order]:
        return [account.orders[number] for number in numbers]

    def _keep(self, found: OrderList) -> None:
        self._venue.store.put("list", found.list_id, found.as_row())

    def _tell(self, account: Account, found: OrderList, kind: str = "") -> None:
        orders = self._orders(account, found.order_ids)
        self._venue.tell(account, listwire.list_status(found, orders, now_ms(), kind))
