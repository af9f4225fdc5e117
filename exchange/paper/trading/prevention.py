"""Two orders of one account never trade with each other: the taker's mode says what happens instead."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import wire
from exchange.paper.accounts import Account, Order, text
from exchange.paper.book import Resting
from exchange.paper.market import Market, now_ms
from exchange.paper.trading import funds
from exchange.paper.trading.lists import Lists
from exchange.paper.trading.reports import Reports

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

OF_MAKER, OF_TAKER = ("EXPIRE_MAKER", "EXPIRE_BOTH"), ("EXPIRE_TAKER", "EXPIRE_BOTH")
DECREMENT = ("DECREMENT", "TRANSFER")  # between orders of one account they are the same


class Prevention:
    def __init__(self, venue: "Venue", reports: Reports, lists: Lists) -> None:
        self._venue, self._reports, self._lists = venue, reports, lists

    def prevent(self, account: Account, market: Market, order: Order, maker: Resting) -> None:
        """One of them expires, or both, or both become smaller by what they would have traded."""
        own, number = account.orders[maker.order_id], self._venue.next_id()
        quantity = min(order.remaining, maker.whole)
        self._keep(account, order, own, number)
        of_own = wire.prevention(order, maker.price, quantity)
        of_order = wire.prevention(own, maker.price, quantity)
        if order.stp in DECREMENT:
            self._lists.begin(account, market, own)
            market.book.reduce(own.order_id, quantity)
            self._lessen(account, market, own, number, quantity, of_own)
            self._reports.finish(account, own, market)
            self._lessen(account, market, order, number, quantity, of_order)
        if order.stp in OF_MAKER:
            market.book.cancel(maker.order_id)
            self._lessen(account, market, own, number, own.remaining, of_own)
            self._reports.finish(account, own, market)
        if order.stp in OF_TAKER:
            self._lessen(account, market, order, number, order.remaining, of_order)

    def _lessen(
        self,
        account: Account,
        market: Market,
        order: Order,
        number: int,
        quantity: Decimal,
        met: dict[str, Any],
    ) -> None:
        """So much of the order will not trade; when nothing else is left of it, it is expired."""
        order.prevented += quantity
        order.prevented_id, order.updated_ms = number, now_ms()
        more = met | {"B": text(quantity)}
        if order.remaining:
            funds.trim(account, market, order, funds.needed(order))
            self._reports.report(account, order, "TRADE_PREVENTION", more=more)
        else:
            self._reports.end(account, market, order, "EXPIRED_IN_MATCH", "TRADE_PREVENTION", more=more)

    def _keep(self, account: Account, taker: Order, maker: Order, number: int) -> None:
        """What was left of each before, of those that expire or become smaller."""
        row: dict[str, Any] = {
            "symbol": maker.symbol,
            "preventedMatchId": number,
            "takerOrderId": taker.order_id,
            "makerSymbol": maker.symbol,
            "makerOrderId": maker.order_id,
            "tradeGroupId": -1,
            "selfTradePreventionMode": taker.stp,
            "price": text(maker.price),
        }
        if taker.stp in OF_TAKER + DECREMENT:
            row["takerPreventedQuantity"] = text(taker.remaining)
        if taker.stp in OF_MAKER + DECREMENT:
            row["makerPreventedQuantity"] = text(maker.remaining)
        self._reports.keep_prevention(account, row | {"transactTime": now_ms()})
