"""New orders and their ends: checks in the venue's order, matching, balances, reports."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import errors, wire
from exchange.paper.accounts import ZERO, Account, Order, down, text, up
from exchange.paper.book import Match, Resting, Side
from exchange.paper.market import Listed, Market, now_ms
from exchange.paper.ticket import Params, client_id_of, read_ticket

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

RATE = Decimal("0.001")


class Trading:
    """Matching customers' orders; every change is gathered, then stored, then told."""

    def __init__(self, venue: "Venue") -> None:
        self._venue = venue

    def place(
        self,
        account: Account,
        market: Listed,
        params: Params,
        *,
        is_test: bool = False,
    ) -> tuple[Order, list[Any]]:
        """The order after its first moment, with its trades."""
        if not isinstance(market, Market) or not market.is_open:
            raise errors.CLOSED
        order = read_ticket(market, params)
        self._check(account, market, order)
        if is_test:
            return order, []
        self._venue.limits.require_room_for_order(account.account_id)
        order.account_id = account.account_id
        self._lock(account, market, order)
        self._venue.limits.count_order(account.account_id)
        order.order_id = self._venue.next_id()
        account.add_order(order)
        self._report(account, order, "NEW")
        fills = self._match(account, market, order)
        self._rest_or_expire(account, market, order)
        self._finish(account, order, market)
        return order, fills

    def _check(self, account: Account, market: Market, order: Order) -> None:
        known = account.by_client_id.get((order.symbol, order.client_id))
        if known is not None and account.orders[known].is_open:
            raise errors.rejected(errors.DUPLICATE)
        is_market = order.type == "MARKET"
        reference = market.average()
        if order.price:
            market.filters.check_price(order.side, order.price, reference)
        if order.quantity:
            market.filters.check_quantity(order.quantity, is_market=is_market)
        notional = order.quote_quantity or order.quantity * (reference if is_market else order.price)
        market.filters.check_notional(notional, is_market=is_market)
        market.filters.check_count(sum(1 for _order in account.open_orders(order.symbol)))
        if order.side == "BUY":
            market.filters.check_position(self._position(account, market) + order.quantity)
        if order.type == "LIMIT_MAKER" and market.book.would_take(order.side, order.price):
            raise errors.rejected(errors.WOULD_TAKE)

    @staticmethod
    def _position(account: Account, market: Market) -> Decimal:
        held = account.balance(market.base)
        buying = (o.remaining for o in account.open_orders(market.symbol) if o.side == "BUY")
        return held.free + held.locked + sum(buying, ZERO)

    def _lock(self, account: Account, market: Market, order: Order) -> None:
        """A limit order locks what it can cost; a market order has to be covered by what it would trade."""
        if order.type == "MARKET":
            self._cover(account, market, order)
            return
        asset, amount = (
            (market.quote, up(order.price * order.quantity))
            if order.side == "BUY"
            else (market.base, order.quantity)
        )
        account.lock(asset, amount)
        order.locked = amount

    def _cover(self, account: Account, market: Market, order: Order) -> None:
        side: Side = order.side
        if order.quote_quantity:
            order.quantity = self._quantity_for(account, market, order)
        quote = wanted = ZERO
        for maker in self._others(account, market, order):
            part = min(maker.remaining, order.quantity - wanted)
            wanted, quote = wanted + part, quote + up(part * maker.price)
            if wanted >= order.quantity:
                break
        if not wanted:
            raise errors.NO_ORDERS
        asset, cost = (market.quote, quote) if side == "BUY" else (market.base, order.quantity)
        if account.balance(asset).free < cost:
            raise errors.rejected(errors.INSUFFICIENT)

    @staticmethod
    def _others(
        account: Account, market: Market, order: Order, limit: Decimal | None = None
    ) -> Iterator[Resting]:
        """What the order can trade with: of its own account's orders nothing, unless that is allowed."""
        for maker in market.book.facing(order.side, limit):
            if maker.owner != account.account_id or order.stp == "NONE":
                yield maker

    def _quantity_for(self, account: Account, market: Market, order: Order) -> Decimal:
        """As much base as the total pays for on the book as it stands, to the step."""
        left, quantity, step = order.quote_quantity, ZERO, market.filters.step
        for maker in self._others(account, market, order):
            part = min(maker.remaining, left / maker.price // step * step)
            quantity += part
            left -= part * maker.price
            if part < maker.remaining:
                break
        market.filters.check_quantity(quantity or step / 10, is_market=True)
        return quantity

    def _match(self, account: Account, market: Market, order: Order) -> list[dict[str, Any]]:
        limit = order.price if order.type != "MARKET" else None
        side: Side = order.side
        if order.tif == "FOK" and not self._can_fill(account, market, order, limit):
            return []
        fills = []
        for maker in market.book.facing(side, limit):
            if order.remaining <= 0 or not order.is_open:
                break
            if maker.owner == account.account_id and order.stp != "NONE":
                self._prevent(account, market, order, maker)
                continue
            quantity = min(order.remaining, maker.remaining)
            fills.append(self._trade(account, market, order, market.book.fill(maker, quantity)))
        return fills

    def _can_fill(self, account: Account, market: Market, order: Order, limit: Decimal | None) -> bool:
        facing = self._others(account, market, order, limit)
        return sum((maker.remaining for maker in facing), ZERO) >= order.quantity

    def _trade(self, account: Account, market: Market, order: Order, match: Match) -> dict[str, Any]:
        buyer_takes = order.side == "BUY"
        row = market.trade(match.price, match.quantity, buyer_takes=buyer_takes, taker=order)
        self._venue.feed.trade(market.symbol, row)
        self.settle_maker(market, match, row)
        return self._fill(account, market, order, match.price, match.quantity, row, is_maker=False)

    def settle_maker(self, market: Market, match: Match, row: dict[str, Any]) -> None:
        """The resting side of a trade: an account's order, or the simulated rest of the world."""
        if match.maker.owner is None:
            self._venue.makers[market.symbol].forget(match)
            return
        owner = self._venue.accounts[match.maker.owner]
        order = owner.orders[match.maker.order_id]
        self._fill(owner, market, order, match.price, match.quantity, row, is_maker=True)
        self._finish(owner, order, market)

    def _fill(
        self,
        account: Account,
        market: Market,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        row: dict[str, Any],
        *,
        is_maker: bool,
    ) -> dict[str, Any]:
        """Balances, the order and the trade after one match; the commission is taken from what was received."""
        quote = down(price * quantity)
        order.executed += quantity
        order.quote += quote
        order.updated_ms = row["time"]
        if order.executed == quantity:
            self._venue.limits.uncount_order(account.account_id)
        if order.side == "BUY":
            self._pay(account, market.quote, quote, order)
            received, asset = quantity, market.base
        else:
            self._pay(account, market.base, quantity, order)
            received, asset = quote, market.quote
        commission = down(received * RATE)
        account.receive(asset, received - commission)
        order.status = "FILLED" if not order.remaining else "PARTIALLY_FILLED"
        fill = {
            **{name: row[name] for name in ("id", "price", "time", "isBestMatch")},
            "symbol": market.symbol,
            "orderId": order.order_id,
            "orderListId": -1,
            "qty": text(quantity),
            "quoteQty": text(quote),
            "commission": text(commission),
            "commissionAsset": asset,
            "isBuyer": order.side == "BUY",
            "isMaker": is_maker,
        }
        account.trades.append(fill)
        name = f"{account.account_id}:{market.symbol}:{row['id']}:{order.order_id}"
        self._venue.store.put("trade", name, [account.account_id, fill])
        self._report(account, order, "TRADE", fill=fill)
        return fill

    @staticmethod
    def _pay(account: Account, asset: str, cost: Decimal, order: Order) -> None:
        """From what the order locked; the part that a better price left over is free again."""
        if order.type == "MARKET":
            account.lock(asset, cost)
            account.pay_locked(asset, cost)
            return
        account.pay_locked(asset, cost)
        needed = up(order.price * order.remaining) if order.side == "BUY" else order.remaining
        account.unlock(asset, order.locked - cost - needed)
        order.locked = needed

    def _prevent(self, account: Account, market: Market, order: Order, maker: Resting) -> None:
        """Two orders of one account never trade: the mode says which of them expires."""
        own, number = account.orders[maker.order_id], self._venue.next_id()
        quantity = min(order.remaining, maker.remaining)
        if order.stp in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
            market.book.cancel(maker.order_id)
            met = wire.prevention(order, maker.price, quantity)
            self._expire_in_match(account, market, own, number, met)
            self._finish(account, own, market)
        if order.stp in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
            self._expire_in_match(account, market, order, number, wire.prevention(own, maker.price, quantity))

    def _expire_in_match(
        self, account: Account, market: Market, order: Order, number: int, met: dict[str, Any]
    ) -> None:
        order.prevented, order.prevented_id = order.remaining, number
        self._end(account, market, order, "EXPIRED_IN_MATCH", "TRADE_PREVENTION", more=met)

    def _rest_or_expire(self, account: Account, market: Market, order: Order) -> None:
        if not order.is_open:
            return
        if order.type == "MARKET":
            order.expiry_reason = "INSUFFICIENT_LIQUIDITY"
            self._end(account, market, order, "EXPIRED", "EXPIRED")
        elif order.tif in ("IOC", "FOK"):
            order.expiry_reason = (
                "UNFILLED_IOC_QUANTITY_EXPIRED" if order.tif == "IOC" else "UNFILLED_FOK_ORDER_EXPIRED"
            )
            self._end(account, market, order, "EXPIRED", "EXPIRED")
        else:
            market.book.rest(
                Resting(order.order_id, order.side, order.price, order.remaining, account.account_id)
            )

    def cancel(self, account: Account, market: Listed, order: Order, cancel_id: str = "") -> dict[str, Any]:
        """The open order ends; gives the answer to the cancel."""
        if not isinstance(market, Market):
            raise errors.CLOSED
        cancel_id = client_id_of({"newClientOrderId": cancel_id})
        market.book.cancel(order.order_id)
        self._end(account, market, order, "CANCELED", "CANCELED", cancel_id=cancel_id)
        self._finish(account, order, market)
        return wire.canceled(order, cancel_id)

    def _end(
        self,
        account: Account,
        market: Market,
        order: Order,
        status: str,
        kind: str,
        *,
        cancel_id: str = "",
        more: dict[str, Any] | None = None,
    ) -> None:
        if order.locked:
            account.unlock(market.quote if order.side == "BUY" else market.base, order.locked)
            order.locked = ZERO
        order.status, order.updated_ms = status, now_ms()
        self._report(account, order, kind, cancel_id=cancel_id, more=more)

    def _report(
        self,
        account: Account,
        order: Order,
        kind: str,
        *,
        fill: dict[str, Any] | None = None,
        cancel_id: str = "",
        more: dict[str, Any] | None = None,
    ) -> None:
        at, number = now_ms(), self._venue.next_id()
        event = wire.execution_report(
            order, kind, at_ms=at, execution_id=number, fill=fill, cancel_id=cancel_id
        )
        self._venue.tell(account, event | (more or {}))

    def _finish(self, account: Account, order: Order, market: Market) -> None:
        account.updated_ms = order.updated_ms
        self._venue.store.put("order", order.order_id, order.as_row())
        self._venue.store.put("account", account.account_id, account.as_row())
        self._venue.tell(account, wire.account_position(account, [market.base, market.quote], now_ms()))
