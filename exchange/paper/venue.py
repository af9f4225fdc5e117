"""The venue as a whole: accounts, keys, markets, and the clockwork that moves them."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from exchange.paper.accounts import MAIN, Account, ApiKey, Order, read_public_key
from exchange.paper.arrivals import Arrivals
from exchange.paper.book import Match, Side
from exchange.paper.catalogue import (
    FIRST_PRICES,
    live_symbols,
    recorded_book,
    recorded_shape,
    routed_symbol,
)
from exchange.paper.clock import Clock
from exchange.paper.crowd import Crowd
from exchange.paper.faults import Faults
from exchange.paper.feed import Feed
from exchange.paper.limits import Limits
from exchange.paper.listenkeys import ListenKeys
from exchange.paper.maker import Maker
from exchange.paper.market import Ids, Listed, Market, now_ms
from exchange.paper.orderlist import OrderList
from exchange.paper.ranges import Ranges
from exchange.paper.replay import Replay
from exchange.paper.store import Store
from exchange.paper.telling import Telling
from exchange.paper.trading import Trading
from exchange.paper.transfers import Transfers
from exchange.paper.wallet import Wallet
from exchange.paper.wire import account_position

TICK_SECONDS = 0.1
NOTE_EVERY = 50
DAY_SECONDS = 86_400.0  # what a socket lives
ACTS_PER_TICK = 5
BUSY = {"BTCUSDT": 4, "ETHUSDT": 3, "SOLUSDT": 2, "XRPUSDT": 2}  # acts for every one of another market
RIGHTS = {"trade": {"can_trade": True}, "withdraw": {"can_withdraw": True}}
Listen = Callable[[dict[str, Any]], None]


class Venue:
    def __init__(
        self,
        data_dir: Path | None,
        keys: dict[str, dict[str, str]] | None = None,
        *,
        replay: Replay | None = None,
        crowd: int = 0,
        pace: float = 1.0,
        levels: int = 500,
        deepest: int = 5000,
        routed: bool = False,
        symbols: Collection[str] = (),
    ) -> None:
        """`routed`: with a second market of bitcoin, and smart order routing over both; `symbols`: these markets alone.

        `levels` of a book's side, `deepest` of BTCUSDT's; `crowd` of so many; `pace`: seconds a confirmation.
        """
        self.store = Store(data_dir / "paper.sqlite3" if data_dir else None)
        self.seed: str = self._fact("seed", lambda: secrets.token_hex(8))
        self.life_seconds = DAY_SECONDS
        self._ids = Ids(self.store, "counter", 10_000)
        self.limits, self.faults, self.telling = Limits(), Faults(), Telling()
        self.clock, self.listen_keys, self.ranges = Clock(), ListenKeys(self), Ranges()
        self.commission_in = ""  # an asset that was chosen at the control door
        self.listening: dict[int, list[Listen]] = {}
        self._outbox: list[tuple[int, dict[str, Any]]] = []
        self.keys = _api_keys(keys or self._fact("keys", _new_keys))
        self.accounts = self._load_accounts()
        self.info: dict[str, Any] = {"rateLimits": self.limits.rows()}
        self.replay, self.crowd = replay, Crowd(crowd)
        recorded = replay.markets if replay else {}
        listed = [row for row in live_symbols() if not symbols or row["symbol"] in symbols]
        rows = [row for row in listed if row["symbol"] not in recorded]
        rows += [routed_symbol()] if routed else []
        self.sors = [{"baseAsset": "BTC", "symbols": ["BTCUSDT", "BTCUSDC"]}] if routed else []
        self.live = {row["symbol"]: Market(row, self.store) for row in rows}
        self.markets: dict[str, Listed] = {**self.live, **self.crowd.markets, **recorded}
        self.feed = Feed(self.live, self.crowd.tickers)
        self.trading, self.wallet, self.transfers = Trading(self), Wallet(self, pace), Transfers(self)
        self.arrivals = Arrivals(self)
        self._resume_orders()
        self.makers = self._open_makers(levels, deepest)

    def _fact(self, name: str, make: Callable[[], Any]) -> Any:
        known = self.store.fact(name)
        if known is None:
            known = make()
            self.store.put_fact(name, known)
        return known

    def next_id(self) -> int:
        return self._ids.next()

    def _load_accounts(self) -> dict[int, Account]:
        found = {row["id"]: Account.from_row(row) for row in self.store.rows("account")}
        if not found:
            found = {MAIN: Account(MAIN, "main@paper.example")}
            self.changed(found[MAIN])
            self.store.commit()
        for row in sorted(self.store.rows("order"), key=lambda row: row["order_id"]):
            found[row["account_id"]].add_order(Order.from_row(row))
        for row in sorted(self.store.rows("list"), key=lambda row: row["list_id"]):
            found[row["account_id"]].lists[row["list_id"]] = OrderList.from_row(row)
        for account_id, fill in sorted(
            self.store.rows("trade"), key=lambda pair: (pair[1]["time"], pair[1]["id"])
        ):
            account = found[account_id]
            (account.allocations if "allocationId" in fill else account.trades).append(fill)
        for account_id, row in self.store.rows("prevention"):
            found[account_id].preventions.append(row)
        return found

    def _resume_orders(self) -> None:
        """Customers' open orders are back on the book, earliest first, before anybody else quotes."""
        orders = [order for account in self.accounts.values() for order in account.open_orders()]
        for order in sorted(orders, key=lambda order: order.order_id):
            self.trading.resume(order)

    def _open_makers(self, usual: int, deepest: int) -> dict[str, Maker]:
        """BTCUSDT begins with the very book that was recorded; the others, and every later start, in its shape."""
        book, shape = recorded_book(), recorded_shape()
        bitcoin = self.live["BTCUSDT"].last if "BTCUSDT" in self.live else Decimal(FIRST_PRICES["BTCUSDT"])
        self.makers = {}
        for symbol, market in self.live.items():
            worth = bitcoin if market.quote == "BTC" else Decimal(1)
            levels = deepest if symbol == "BTCUSDT" else usual
            busy = BUSY.get(symbol, 1)
            maker = Maker(market, shape, traded=self._maker_traded, worth=worth, levels=levels, busy=busy)
            self.makers[symbol] = maker
            maker.open(book if symbol == "BTCUSDT" and market.is_new else None)
        return self.makers

    def _maker_traded(self, market: Market, match: Match, side: Side, taker: object) -> None:
        """The simulated world took something that rested: its own, or a customer's order."""
        row = market.trade(match.price, match.quantity, buyer_takes=side == "BUY", taker=taker)
        self.feed.trade(market.symbol, row)
        self.trading.settle_maker(market, match, row)

    # ------------------------------------------------------------------ what accounts hear
    def changed(self, account: Account) -> None:
        account.updated_ms = now_ms()
        self.store.put("account", account.account_id, account.as_row())

    def moved(self, account: Account, asset: str, event: dict[str, Any]) -> None:
        """Money came or went other than by a trade."""
        self.changed(account)
        self.tell(account, event)
        self.tell(account, account_position(account, [asset], now_ms()))

    def tell(self, account: Account, event: dict[str, Any]) -> None:
        """Told once it is on the disk."""
        self._outbox.append((account.account_id, event))

    def settle(self) -> None:
        """Everything that happened is lasting, and then everybody hears of it."""
        self.store.commit()
        outbox, self._outbox = self._outbox, []
        told = [each for said in outbox for each in self.telling.through(said)]
        for account_id, event in self.telling.due() + told:
            for listen in list(self.listening.get(account_id, ())):
                listen(event)

    # ------------------------------------------------------------------ the clockwork
    async def run(self) -> None:
        """Ticks for ever."""
        names = _turns(self.makers)
        beats = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            beats += 1
            for act in range(ACTS_PER_TICK):
                symbol = names[(beats * ACTS_PER_TICK + act) % len(names)]
                if self.live[symbol].is_open:
                    self.makers[symbol].act()
                    self.trading.follow(self.live[symbol])
            self.feed.tick(each_second=beats % 10 == 0)
            self.wallet.tick(time.monotonic())
            self.listen_keys.tick()
            self.settle()
            if beats % NOTE_EVERY == 0:
                self.note()

    def note(self) -> None:
        """Prices, ids and candles the next start goes on from."""
        facts = {f"market:{symbol}": market.known() for symbol, market in self.live.items()}
        self.store.note(
            facts, [row for market in self.live.values() for row in market.candles.rows_to_store()]
        )


def _turns(symbols: Iterable[str]) -> list[str]:
    """Every symbol as often as it is busy, spread evenly."""
    turns = [((turn + 1) / BUSY.get(name, 1), name) for name in symbols for turn in range(BUSY.get(name, 1))]
    return [name for _at, name in sorted(turns)]


def _new_keys() -> dict[str, dict[str, str]]:
    return {name: {"key": secrets.token_hex(32), "secret": secrets.token_hex(32)} for name in RIGHTS}


def _api_keys(given: dict[str, dict[str, str]]) -> dict[str, ApiKey]:
    found = [
        ApiKey(
            row["key"],
            MAIN,
            secret=row.get("secret", ""),
            public_key=row.get("public_key", ""),
            **RIGHTS[name],
        )
        for name, row in given.items()
    ]
    return {key.key: key for key in found}


def keys_from(file: Path) -> dict[str, dict[str, str]]:
    """{"trade": {"key", "secret" or "public_key"}, "withdraw": {...}}; ValueError says what is wrong."""
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not found or set(found) - set(RIGHTS):
        raise ValueError("it has to hold `trade` and `withdraw`")
    for name, row in found.items():
        if (
            not isinstance(row, dict)
            or not row.get("key")
            or not (row.get("secret") or row.get("public_key"))
        ):
            raise ValueError(f"`{name}` has to hold `key`, and `secret` or `public_key`")
        if row.get("public_key"):
            read_public_key(row["public_key"])
    return found
