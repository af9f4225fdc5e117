"""An order meets the book: trades, and what becomes of the rest."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import errors
from exchange.paper.accounts import ZERO, Account, Order, down, text, up
from exchange.paper.book import Match, Resting
from exchange.paper.market import Market
from exchange.paper.trading import funds, routing
from exchange.paper.trading.commission import charge
from exchange.paper.trading.lists import Lists
from exchange.paper.trading.prevention import Prevention
from exchange.paper.trading.reports import Reports

if TYPE_CHECKING:
    from exchange.paper.venue import Venue


class Matching:
    def __init__(self, venue: "Venue", reports: Reports, lists: Lists) -> None:
        self._venue, self._reports, self._lists = venue, reports, lists
        self._prevention = Prevention(venue, reports, lists)

    # ------------------------------------------------------------------ what a market order would trade
    def cover(self, account: Account, market: Market, order: Order) -> None:
        """A market order has to be covered by what it would trade on the books as they stand."""
        if order.quote_quantity:
            order.quantity = self._quantity_for(account, market, order)
        quote = wanted = ZERO
        for _book, maker in self._offers(account, market, order):
            part = min(maker.whole, order.quantity - wanted)
            wanted, quote = wanted + part, quote + up(part * maker.price)
            if wanted >= order.quantity:
                break
        if not wanted:
            raise errors.NO_ORDERS
        cost = quote if order.side == "BUY" else order.quantity
        if account.balance(funds.asset_of(market, order)).free + order.locked < cost:
            raise errors.rejected(errors.INSUFFICIENT)

    def _offers(self, account: Account, market: Market, order: Order) -> Iterator[routing.Offer]:
        return routing.offers(account, routing.books(self._venue, market, order), order)

    def _quantity_for(self, account: Account, market: Market, order: Order) -> Decimal:
        """As much base as the total pays for on the book as it stands, to the step."""
        left, quantity, step = order.quote_quantity, ZERO, market.filters.step
        for _book, maker in self._offers(account, market, order):
            part = min(maker.whole, left / maker.price // step * step)
            quantity += part
            left -= part * maker.price
            if part < maker.whole:
                break
        market.filters.check_quantity(quantity or step / 10, is_market=True)
        return quantity

    # ------------------------------------------------------------------ trades
    def match(self, account: Account, market: Market, order: Order) -> list[dict[str, Any]]:
        """The order's trades with what rests, best price and earliest first."""
        if order.tif == "FOK" and not self._can_fill(account, market, order):
            return []
        fills, markets = [], routing.books(self._venue, market, order)
        low, high = self._venue.ranges.bounds(market, order.side)
        while order.remaining > 0 and order.is_open:
            offer = routing.first(account, markets, order)
            if offer is None:
                break
            where, maker = offer
            if routing.is_own(account, order, maker):
                self._prevention.prevent(account, market, order, maker)
                continue
            if maker.price < low or (high is not None and maker.price > high):
                self.expire(account, market, order, "EXECUTION_RULE_PRICE_RANGE_EXCEEDED")
                break
            quantity = min(order.remaining, maker.remaining)
            fills.append(self._trade(account, market, order, where, where.book.fill(maker, quantity)))
        return fills

    def _can_fill(self, account: Account, market: Market, order: Order) -> bool:
        offers = self._offers(account, market, order)
        return sum((maker.whole for _book, maker in offers), ZERO) >= order.quantity

    def _trade(
        self, account: Account, market: Market, order: Order, where: Market, match: Match
    ) -> dict[str, Any]:
        """On a book of another symbol the venue trades, and allots what it got to the order."""
        buyer_takes = order.side == "BUY"
        row = where.trade(match.price, match.quantity, buyer_takes=buyer_takes, taker=order)
        self._venue.feed.trade(where.symbol, row)
        self.settle_maker(where, match, row)
        if order.used_sor:
            order.working_floor = "EXCHANGE" if where is market else "SOR"
        if where is not market:
            row = row | {"id": -1, "allocationId": self._venue.next_id()}
        return self._fill(account, market, order, match, row, is_maker=False)

    def settle_maker(self, market: Market, match: Match, row: dict[str, Any]) -> None:
        """The resting side of a trade: an account's order, or the simulated rest of the world."""
        if match.maker.owner is None:
            self._venue.makers[market.symbol].forget(match)
            return
        owner = self._venue.accounts[match.maker.owner]
        order = owner.orders[match.maker.order_id]
        self._lists.begin(owner, market, order)
        self._fill(owner, market, order, match, row, is_maker=True)
        self._reports.finish(owner, order, market)

    def _fill(
        self,
        account: Account,
        market: Market,
        order: Order,
        match: Match,
        row: dict[str, Any],
        *,
        is_maker: bool,
    ) -> dict[str, Any]:
        """Balances, the order and the trade after one match."""
        quantity, quote = match.quantity, down(match.price * match.quantity)
        order.executed += quantity
        order.quote += quote
        order.updated_ms = row["time"]
        if order.executed == quantity:
            self._venue.limits.uncount_order(account.account_id, is_maker=is_maker)
        is_buyer = order.side == "BUY"
        funds.pay(account, market, order, quote if is_buyer else quantity)
        commission, asset = charge(self._venue, account, market, order, quantity=quantity, quote=quote)
        order.status = "FILLED" if not order.remaining else "PARTIALLY_FILLED"
        fill: dict[str, Any] = {
            **{
                name: row[name]
                for name in ("id", "price", "time", "isBestMatch", "allocationId")
                if name in row
            },
            "symbol": market.symbol,
            "orderId": order.order_id,
            "orderListId": order.list_id,
            "qty": text(quantity),
            "quoteQty": text(quote),
            "commission": text(commission),
            "commissionAsset": asset,
            "isBuyer": is_buyer,
            "isMaker": is_maker,
        }
        self._reports.keep_fill(account, market, fill)
        self._lists.received(account, order, market.base, fill)
        self._reports.report(account, order, "TRADE", fill=fill)
        return fill

    # ------------------------------------------------------------------ the rest
    def rest_or_expire(self, account: Account, market: Market, order: Order) -> None:
        """What is left of an order after its trades goes on the book, or expires as its type says."""
        if not order.is_open:
            return
        if order.at_any_price:
            self.expire(account, market, order, "INSUFFICIENT_LIQUIDITY")
        elif order.tif == "IOC":
            self.expire(account, market, order, "UNFILLED_IOC_QUANTITY_EXPIRED")
        elif order.tif == "FOK":
            self.expire(account, market, order, "UNFILLED_FOK_ORDER_EXPIRED")
        else:
            order.working_floor = "EXCHANGE" if order.used_sor else ""
            market.book.rest(resting(order))

    def expire(self, account: Account, market: Market, order: Order, reason: str) -> None:
        order.expiry_reason = reason
        self._reports.end(account, market, order, "EXPIRED", "EXPIRED")


def resting(order: Order) -> Resting:
    """The open order as it stands on the book."""
    visible = min(order.iceberg or order.remaining, order.remaining)
    hidden = order.remaining - visible
    return Resting(order.order_id, order.side, order.price, visible, order.account_id, hidden, order.iceberg)
