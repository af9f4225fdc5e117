"""Customers who trade by their own dice through the API, each in a thread of its own."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

import requests

from tests.journeys.people import PASSWORD, AppCustomer, eventually
from tests.journeys.site import Site
from tests.soak.guests import email_of
from tests.soak.reckoning import rows

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
LOOK_SECONDS, TRIES, MOST_OPEN = 0.5, 60, 5
# What a guest brings, and over which network.
FUNDS = (("USDT", "TRX", "50000"), ("BTC", "BTC", "1"), ("ETH", "ETH", "20"), ("BNB", "BSC", "50"))
# What the platform may answer to a wish; anything else is a surprise.
EXPECTED = {201, 202, 200, 400, 404, 409, 503}


class Prices:
    """The best prices of the markets as the platform's own API tells them."""

    def __init__(self, site: Site) -> None:
        self.site, self.http = site, requests.Session()
        rows = self.http.get(f"{site.url}/api/v1/markets/", timeout=20).json()["results"]
        self.steps = {row["symbol"]: (Decimal(row["tick_size"]), Decimal(row["step_size"])) for row in rows}
        self.best: dict[str, tuple[Decimal, Decimal]] = {}
        self.look()

    def look(self) -> None:
        for symbol in SYMBOLS:
            try:
                answer = self.http.get(f"{self.site.url}/api/v1/markets/{symbol}/book/?limit=1", timeout=10)
                book = answer.json()
                self.best[symbol] = Decimal(book["bids"][0][0]), Decimal(book["asks"][0][0])
            except (requests.RequestException, ValueError, KeyError, IndexError):
                continue  # what was last known serves

    def follow(self, over: threading.Event) -> None:
        while not over.wait(LOOK_SECONDS):
            self.look()


def bring_money(site: Site, traders: Sequence["Trader"]) -> None:
    """Each has arrived, and what all of them brought is credited and in the account that trades."""
    for trader in traders:
        trader.arrive()
    credited, expected = "SELECT id FROM ledger_deposit WHERE status = 'CREDITED'", len(traders) * len(FUNDS)
    eventually(lambda: len(rows(site, credited)) >= expected, what="the deposits", seconds=120)
    unswept = "SELECT id FROM ledger_deposit WHERE swept_at IS NULL"
    eventually(lambda: not rows(site, unswept), what="the deposits to be swept", seconds=120)


class Trader(AppCustomer):
    def __init__(self, site: Site, prices: Prices, number: int, seed: int, pause: float) -> None:
        super().__init__(site, email_of(number))
        self.dice, self.prices, self.pause = random.Random(f"{seed}:{number}"), prices, pause
        self.done: Counter[str] = Counter()
        self.surprises: list[str] = []
        self.open: list[int] = []
        self.last: tuple[dict[str, str], int] | None = None

    def arrive(self) -> None:
        """Signed in, and with money on the way."""
        eventually(lambda: self.signed_in(PASSWORD), what=f"{self.email} to sign in")
        for asset, network, amount in FUNDS:
            address = self.post("deposit-address/", {"asset": asset, "network": network}, expect=200)
            self.site.paper_deposit(asset, network, amount, address["address"], address["tag"])

    def trade(self, over: threading.Event) -> None:
        """Acts until the end; what should never happen is told, and ends it."""
        while not over.wait(self.dice.expovariate(1 / self.pause)):
            try:
                self.act()
            except Exception as error:
                self.surprises.append(f"{self.email}: {type(error).__name__}: {error}"[:300])
                return

    def act(self) -> None:
        acts: dict[Callable[[], object], float] = {
            self.market_buy: 5, self.market_sell: 4, self.crossing: 5, self.resting: 4, self.post_only: 2,
            self.at_once: 3, self.stop: 1, self.cancel: 4, self.cancel_all: 0.2, self.again: 0.7,
        }  # fmt: skip
        (chosen,) = self.dice.choices(list(acts), list(acts.values()))
        if len(self.open) > MOST_OPEN:
            chosen = self.cancel
        chosen()

    # ------------------------------------------------------------------ wishes
    def wish(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """What is answered; who hears nothing asks the same again."""
        for _try in range(TRIES):
            try:
                answer = self.http.request(method, f"{self.site.url}/api/v1/{path}", json=body, timeout=30)
                found = answer.json() if answer.content else {}
            except (requests.RequestException, ValueError):
                self.done["no answer"] += 1
                time.sleep(self.pause)
                continue
            if answer.status_code not in EXPECTED:
                self.surprises.append(f"{method} {path} {body}: {answer.status_code} {answer.text[:200]}")
            return answer.status_code, found
        raise AssertionError(f"{method} {path} is never answered")

    def order(self, symbol: str, side: str, kind: str, **more: str) -> None:
        body = {"symbol": symbol, "side": side, "type": kind, "client_order_id": uuid4().hex, **more}
        status, found = self.wish("POST", "orders/", body)
        self.done[f"{found['status']}" if "id" in found else f"refused: {found.get('code')}"] += 1
        if "id" in found:
            self.last = body, found["id"]
            if found["status"] in ("OPEN", "PARTIALLY_FILLED"):
                self.open.append(found["id"])
        assert (status == 202) == (found.get("status") == "PENDING"), found

    def again(self) -> None:
        """The same once more, as somebody whose line broke would ask: it is the same order."""
        if self.last:
            body, number = self.last
            _status, found = self.wish("POST", "orders/", body)
            assert found.get("id") == number, f"{body} became {found}"
            self.done["said again"] += 1

    def cancel(self) -> None:
        if self.open:
            number = self.open.pop(self.dice.randrange(len(self.open)))
            status, _found = self.wish("DELETE", f"orders/{number}/")
            self.done[f"cancel {status}"] += 1

    def cancel_all(self) -> None:
        self.wish("DELETE", f"orders/?symbol={self.dice.choice(SYMBOLS)}")
        self.done["cancel all"] += 1

    # ------------------------------------------------------------------ tickets
    def ticket(self) -> tuple[str, str, Decimal, Decimal]:
        """A market, a side, the best price of the own side and of the other one."""
        symbol, side = self.dice.choice(SYMBOLS), self.dice.choice(["BUY", "SELL"])
        bid, ask = self.prices.best[symbol]
        return symbol, side, bid if side == "BUY" else ask, ask if side == "BUY" else bid

    def quantity(self, symbol: str) -> str:
        step, price = self.prices.steps[symbol][1], self.prices.best[symbol][0]
        worth = Decimal(self.dice.randrange(15, 90))
        return f"{max(worth / price // step, Decimal(1)) * step:f}"

    def market_buy(self) -> None:
        self.order(
            self.dice.choice(SYMBOLS), "BUY", "MARKET", quote_quantity=f"{self.dice.randrange(15, 90)}"
        )

    def market_sell(self) -> None:
        symbol = self.dice.choice(SYMBOLS)
        self.order(symbol, "SELL", "MARKET", quantity=self.quantity(symbol))

    def limit(self, tif: str, away: int, *, is_taking: bool) -> None:
        symbol, side, own, other = self.ticket()
        tick, sign = self.prices.steps[symbol][0], 1 if side == "BUY" else -1
        price = (other if is_taking else own) + sign * away * tick
        self.order(
            symbol, side, "LIMIT", time_in_force=tif, price=f"{price:f}", quantity=self.quantity(symbol)
        )

    def crossing(self) -> None:
        self.limit("GTC", self.dice.randrange(3), is_taking=True)

    def resting(self) -> None:
        self.limit("GTC", self.dice.choice([0, 1, -5, -50]), is_taking=False)

    def at_once(self) -> None:
        self.limit(self.dice.choice(["IOC", "FOK"]), self.dice.randrange(-2, 3), is_taking=True)

    def post_only(self) -> None:
        symbol, side, own, _other = self.ticket()
        self.order(symbol, side, "LIMIT_MAKER", price=f"{own:f}", quantity=self.quantity(symbol))

    def stop(self) -> None:
        """A stop close to the market, with a limit beyond it."""
        symbol, side, own, _other = self.ticket()
        tick, sign = self.prices.steps[symbol][0], 1 if side == "BUY" else -1
        trigger, price = (
            own * (1000 + sign) / 1000 // tick * tick,
            own * (1000 + 4 * sign) / 1000 // tick * tick,
        )
        self.order(
            symbol, side, "STOP_LOSS_LIMIT", time_in_force="GTC", stop_price=f"{trigger:f}", price=f"{price:f}",
            quantity=self.quantity(symbol),
        )  # fmt: skip
