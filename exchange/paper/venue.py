"""The venue as a whole: accounts, keys, markets, and the clockwork that moves them."""

import asyncio
import json
import secrets
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from exchange.paper.accounts import MAIN, Account, ApiKey, Order
from exchange.paper.book import Match, Resting, Side
from exchange.paper.feed import Feed
from exchange.paper.limits import Limits
from exchange.paper.maker import Maker
from exchange.paper.market import Market, exchange_info, recorded_shape
from exchange.paper.store import Store
from exchange.paper.trading import Trading
from exchange.paper.wallet import Wallet

TICK_SECONDS = 0.1
NOTE_EVERY, CHAIN_EVERY = 50, 10
ACTS_PER_TICK = 3
Listen = Callable[[dict[str, Any]], None]


class Venue:
    def __init__(self, data_dir: Path | None, keys: dict[str, dict[str, str]] | None = None) -> None:
        self.store = Store(data_dir / "paper.sqlite3" if data_dir else None)
        self.seed: str = self._fact("seed", lambda: secrets.token_hex(8))
        self._counter: int = self._fact("counter", lambda: 10_000)
        self._reserved = self._counter
        self.limits, self.feed = Limits(), Feed(self)
        self.listening: dict[int, list[Listen]] = {}
        self._outbox: list[tuple[int, dict[str, Any]]] = []
        self.hidden_until: dict[str, int] = {}
        self.faults: list[dict[str, Any]] = []
        self.keys = self._load_keys(keys)
        self.accounts = self._load_accounts()
        self.info = exchange_info()
        self.markets = {row["symbol"]: Market(row, self.store) for row in self.info["symbols"]}
        self.trading, self.wallet = Trading(self), Wallet(self)
        self._resume_orders()
        self.makers = self._open_makers()
        self._beats = 0

    def _fact(self, name: str, make: Callable[[], Any]) -> Any:
        known = self.store.fact(name)
        if known is None:
            known = make()
            self.store.put_fact(name, known)
        return known

    def next_id(self) -> int:
        """An id never given before, across restarts: blocks of ids are reserved on the disk ahead of their use."""
        self._counter += 1
        if self._counter > self._reserved:
            self._reserved = self._counter + 10_000
            self.store.put_fact("counter", self._reserved)
        return self._counter

    def _load_keys(self, given: dict[str, dict[str, str]] | None) -> dict[str, ApiKey]:
        made: dict[str, dict[str, str]] = given or self._fact("keys", _new_keys)
        rights = {"trade": {"can_trade": True}, "withdraw": {"can_withdraw": True}}
        found = [
            ApiKey(
                row["key"],
                MAIN,
                secret=row.get("secret", ""),
                public_key=row.get("public_key", ""),
                **rights[name],
            )
            for name, row in made.items()
        ]
        return {key.key: key for key in found}

    def _load_accounts(self) -> dict[int, Account]:
        found = {row["id"]: Account.from_row(row) for row in self.store.rows("account")}
        if not found:
            found = {MAIN: Account(MAIN, "main@paper.example")}
            self.changed(found[MAIN])
            self.store.commit()
        for row in self.store.rows("order"):
            order = Order.from_row(row)
            found[order.account_id].add_order(order)
        for account_id, fill in sorted(self.store.rows("trade"), key=lambda pair: pair[1]["id"]):
            found[account_id].trades.append(fill)
        return found

    def _resume_orders(self) -> None:
        """Customers' open orders are back on the book, earliest first, before anybody else quotes."""
        for account in self.accounts.values():
            for order in sorted(account.open_orders(), key=lambda found: found.order_id):
                resting = Resting(
                    order.order_id, order.side, order.price, order.remaining, account.account_id
                )
                self.markets[order.symbol].book.rest(resting)

    def _open_makers(self) -> dict[str, Maker]:
        shape = recorded_shape()
        btc = self.markets["BTCUSDT"].last
        makers = {}
        for symbol, market in self.markets.items():
            value = btc if market.quote == "BTC" else Decimal(1)
            makers[symbol] = Maker(
                market, shape, next_id=self.next_id, traded=self._maker_traded, value_of_quote=value
            )
        self.makers = makers
        for maker in makers.values():
            maker.open()
        return makers

    def _maker_traded(self, market: Market, match: Match, side: Side) -> None:
        """The simulated world took something that rested: its own, or a customer's order."""
        row = market.trade(match.price, match.quantity, buyer_takes=side == "BUY")
        self.feed.trade(market.symbol, row)
        self.trading.settle_maker(market, match, row)

    # ------------------------------------------------------------------ what accounts hear
    def changed(self, account: Account) -> None:
        self.store.put("account", account.account_id, account.as_row())

    def tell(self, account: Account, event: dict[str, Any]) -> None:
        """Told once it is on the disk."""
        self._outbox.append((account.account_id, event))

    def settle(self) -> None:
        """Everything that happened is lasting, and then everybody hears of it."""
        self.store.commit()
        outbox, self._outbox = self._outbox, []
        for account_id, event in outbox:
            for listen in list(self.listening.get(account_id, ())):
                listen(event)

    # ------------------------------------------------------------------ the clockwork
    async def run(self) -> None:
        """Ticks for ever."""
        turn = 0
        names = list(self.makers)
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._beats += 1
            for _act in range(ACTS_PER_TICK):
                turn = (turn + 1) % len(names)
                self.makers[names[turn]].act()
            self.feed.tick(each_second=self._beats % 10 == 0)
            if self._beats % CHAIN_EVERY == 0:
                self.wallet.tick()
            self.settle()
            if self._beats % NOTE_EVERY == 0:
                self.note()

    def note(self) -> None:
        """Prices, ids and candles the next start goes on from."""
        for market in self.markets.values():
            market.note(self.store)
        self.store.put_candles(
            [row for market in self.markets.values() for row in market.candles.rows_to_store()]
        )

    def take_fault(self, on: str) -> dict[str, Any] | None:
        """The first fault set for this kind of call, used up by one."""
        for fault in self.faults:
            if fault["on"] == on and fault["count"] > 0:
                fault["count"] -= 1
                return fault
        return None


def _new_keys() -> dict[str, dict[str, str]]:
    return {
        name: {"key": secrets.token_hex(32), "secret": secrets.token_hex(32)}
        for name in ("trade", "withdraw")
    }


def keys_from(file: Path) -> dict[str, dict[str, str]]:
    """{"trade": {"key", "secret" or "public_key"}, "withdraw": {...}}"""
    found: dict[str, dict[str, str]] = json.loads(file.read_text())
    return found
