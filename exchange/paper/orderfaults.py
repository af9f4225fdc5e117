"""The control door's part about orders.

POST /paper/fault   {do: "events", how, count?, ms?, x?}: the next reports of accounts' orders come twice ("duplicate"),
                    after the account's next ("swap"), ms later ("delay") or not at all ("drop"); x names an execution
                    type. That a fill is told before the answer to its order is {on: "place", do: "slow", ms}.
                    {do: "commission", asset}: taken in "BNB" (with its discount), "base" or "quote" where the account
                    has enough of it, or as usual ("").
                    {do: "expire", clientOrderId, symbol}: the venue ends an open order, as EXCHANGE_CANCELED.
                    {do: "price range", symbol, bidLimitMultUp?, bidLimitMultDown?, askLimitMultUp?, askLimitMultDown?}:
                    a taker that would trade beyond is expired; without a multiplier the rule is gone.
                    {do: "filter", symbol, filter}: replaces the filter of its filterType; of the type alone removes it.
                    {do: "ability", symbol, name, value}: another flag of the symbol (ocoAllowed, orderTypes, ...).
                    {do: "order limit", tenSeconds?, day?, weight?, raw?}: how many unfilled orders an account may
                    have, and what an address may weigh and ask.
                    {do: "clock", ms}: the venue's clock is so far ahead (behind, below zero).
                    {do: "speed", times}: listen keys age so many times as fast. {do: "listen keys", served}: whether
                    there are any; without them their paths answer 410. How often each was asked is in the state.
"""

from collections.abc import Callable
from typing import Any

from exchange.paper.errors import NO_SUCH_ORDER, ApiError
from exchange.paper.filters import Filters
from exchange.paper.venue import Venue

Asked = dict[str, Any]
COMMISSIONS = ("", "BNB", "base", "quote")


class OrderFaults:
    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.acts: dict[str, Callable[[Asked], None]] = {
            "events": venue.telling.add,
            "commission": self._commission,
            "expire": self._expire,
            "price range": self._range,
            "filter": self._filter,
            "ability": self._ability,
            "order limit": self._limit,
            "clock": self._clock,
            "speed": self._speed,
            "listen keys": self._listen_keys,
        }

    def _commission(self, asked: Asked) -> None:
        if asked["asset"] not in COMMISSIONS:
            raise ApiError(-1100, f"`asset` is one of {', '.join(COMMISSIONS[1:])}, or empty.")
        self.venue.commission_in = asked["asset"]

    def _expire(self, asked: Asked) -> None:
        market = self.venue.live[asked["symbol"]]
        for account in self.venue.accounts.values():
            for order in account.open_orders(market.symbol):
                if order.client_id == asked["clientOrderId"]:
                    self.venue.trading.expire(account, market, order)
                    return
        raise NO_SUCH_ORDER

    def _range(self, asked: Asked) -> None:
        self.venue.ranges.set(self.venue.live[asked["symbol"]].symbol, asked)

    def _filter(self, asked: Asked) -> None:
        """Told by exchangeInfo and applied, from now on."""
        market, new = self.venue.live[asked["symbol"]], dict(asked["filter"])
        rows = [row for row in market.info["filters"] if row["filterType"] != new["filterType"]]
        market.info["filters"] = rows + ([new] if len(new) > 1 else [])
        market.filters = Filters(market.info["filters"])

    def _ability(self, asked: Asked) -> None:
        info = self.venue.live[asked["symbol"]].info
        if asked["name"] not in info:
            raise ApiError(-1100, f"`name` is one of {', '.join(info)}.")
        info[asked["name"]] = asked["value"]

    def _limit(self, asked: Asked) -> None:
        limits = self.venue.limits
        limits.orders_10s = int(asked.get("tenSeconds", limits.orders_10s))
        limits.orders_day = int(asked.get("day", limits.orders_day))
        limits.weight_minute = int(asked.get("weight", limits.weight_minute))
        limits.raw_limit = int(asked.get("raw", limits.raw_limit))
        self.venue.info["rateLimits"] = limits.rows()

    def _clock(self, asked: Asked) -> None:
        self.venue.clock.shift_ms = int(asked["ms"])

    def _speed(self, asked: Asked) -> None:
        self.venue.clock.run(int(asked["times"]))

    def _listen_keys(self, asked: Asked) -> None:
        self.venue.listen_keys.are_served = bool(asked["served"])
