"""A venue to try, in memory or on a port, and somebody with keys who asks it."""

import asyncio
import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import requests
from aiohttp import web

from exchange.paper.accounts import MAIN, Account
from exchange.paper.listapi import READERS
from exchange.paper.market import Market
from exchange.paper.server import Server
from exchange.paper.venue import Venue

TRADE = {"key": "tradekey" * 8, "secret": "s3cret-of-the-trader"}
WITHDRAW = {"key": "withdrawkey" * 5, "secret": "s3cret-of-the-cashier"}
KEYS = {"trade": TRADE, "withdraw": WITHDRAW}
D = Decimal


def small() -> Venue:
    """One market in memory, with others on its book."""
    return Venue(None, KEYS, pace=0.1, levels=60, deepest=60, symbols=("BTCUSDT",))


class Bench:
    """One market of a venue in memory, without anybody else on its book."""

    def __init__(self, symbol: str = "BTCUSDT", venue: Venue | None = None) -> None:
        self.venue = venue or Venue(None, KEYS, levels=0, deepest=0, symbols=(symbol, "BNBUSDT"))
        self.market: Market = self.venue.live[symbol]
        self.events: list[tuple[int, dict[str, Any]]] = []
        self.alice, self.bob = self.venue.accounts[MAIN], self._another("bob")
        self.carol = self._another("carol")

    def _another(self, name: str) -> Account:
        email = self.venue.transfers.create_sub_account(name)["email"]
        return self.venue.transfers.sub_account(email)

    def fund(self, account: Account, **amounts: str) -> None:
        for asset, amount in amounts.items():
            account.receive(asset, D(amount))

    def order(self, account: Account, side: str, kind: str = "LIMIT", **params: str) -> Any:
        """Places an order, LIMIT GTC unless told otherwise; gives it."""
        if kind == "LIMIT":
            params.setdefault("timeInForce", "GTC")
        asked = {"symbol": self.market.symbol, "side": side, "type": kind, **params}
        return self.venue.trading.place(account, self.market, asked)[0]

    def place_list(self, account: Account, kind: str, **params: str) -> Any:
        """The answer to placing a list: oco, oto, otoco, opo, opoco, or old for the OCO of former times."""
        readers = {"old": "/api/v3/order/oco"}
        read = READERS[readers.get(kind, f"/api/v3/orderList/{kind}")]
        return self.venue.trading.place_list(account, self.market, read(self.market, params), "RESULT")

    def trade(self, *prices: str, quantity: str = "1") -> None:
        """bob sells to carol at each of these prices, with money that was not there before."""
        for price in prices:
            self.fund(self.bob, **{self.market.base: quantity})
            self.fund(self.carol, **{self.market.quote: str(D(price) * D(quantity))})
            self.order(self.bob, "SELL", price=price, quantity=quantity)
            self.order(self.carol, "BUY", price=price, quantity=quantity, timeInForce="IOC")

    def any_price(self) -> None:
        """Any price is near enough: the distance from the average is tested by itself."""
        self.market.filters.rows.pop("PERCENT_PRICE_BY_SIDE")

    def held(self, account: Account, asset: str) -> tuple[Decimal, Decimal]:
        """(free, locked)"""
        balance = account.balance(asset)
        return balance.free, balance.locked

    def hear(self, account: Account) -> list[dict[str, Any]]:
        """Events this account is told from now on."""
        heard: list[dict[str, Any]] = []
        self.venue.settle()
        self.venue.listening.setdefault(account.account_id, []).append(heard.append)
        return heard


class Caller:
    """Somebody with a key."""

    def __init__(self, url: str, key: dict[str, str] = TRADE) -> None:
        self.url, self.key = url, key
        self.http = requests.Session()

    def sign(self, payload: str) -> str:
        return hmac.new(self.key["secret"].encode(), payload.encode(), hashlib.sha256).hexdigest()

    def query(self, **params: Any) -> str:
        """Parameters, the time and the signature, as most clients send them."""
        raw = urlencode({"timestamp": int(time.time() * 1000), **params})
        return f"{raw}&signature={self.sign(raw)}"

    def signed(self, method: str, path: str, **params: Any) -> requests.Response:
        return self.raw(method, path, query=self.query(**params))

    def raw(
        self, method: str, path: str, *, query: str = "", body: str = "", **headers: str
    ) -> requests.Response:
        sent = {"X-MBX-APIKEY": self.key["key"], **headers}
        address = f"{self.url}{path}" + (f"?{query}" if query else "")
        return self.http.request(method, address, data=body or None, headers=sent, timeout=10)

    def get(self, path: str, **params: Any) -> Any:
        return self.http.get(f"{self.url}{path}", params=params, timeout=10).json()

    def door(self, path: str, **body: Any) -> Any:
        """The control door."""
        return self.http.post(f"{self.url}/paper/{path}", json=body, timeout=10).json()

    def door_get(self, path: str) -> Any:
        return self.http.get(f"{self.url}/paper/{path}", timeout=10).json()

    def deposit(self, coin: str, amount: str, network: str = "", **more: str) -> None:
        """Money arrives, and is there when this returns."""
        before = self.free(coin)
        self.door("deposit", coin=coin, amount=amount, network=network, **more)
        wait_for(lambda: self.free(coin) == before + D(amount))

    def free(self, coin: str) -> Decimal:
        rows = self.signed("GET", "/api/v3/account").json()["balances"]
        return next((D(row["free"]) for row in rows if row["asset"] == coin), D(0))


@contextmanager
def serving(venue: Venue) -> Iterator[str]:
    """The venue on a free port, in a thread of its own."""
    loop, ready, listening = asyncio.new_event_loop(), threading.Event(), socket.socket()
    listening.bind(("127.0.0.1", 0))

    async def start() -> web.AppRunner:
        runner = web.AppRunner(Server(venue).application(), shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        return runner

    def live() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def wait_for(is_so: Any, seconds: float = 10) -> None:
    """Until it is so; fails when it never is."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it never came to be so"
        time.sleep(0.03)
