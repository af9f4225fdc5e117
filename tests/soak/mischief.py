"""What goes wrong at the venue while customers trade: every order fault of binance.md 17, again and again, by dice."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import requests

from tests.exchange.paper.people import Caller
from tests.journeys.site import Site
from tests.soak.tickets import SYMBOLS

Asked = dict[str, Any]
PAUSES = (0.25, 0.7)
LOT_SIZE = {
    "filterType": "LOT_SIZE",
    "minQty": "0.00100000",
    "maxQty": "900000.00000000",
    "stepSize": "0.00100000",
}


@dataclass(frozen=True)
class Fault:
    """Asked of the control door, and what ends it after so many seconds.

    What does not strike a certain request has `shows`, an SQL condition on orders of that time that tells it did, or of
    the seconds for which it `lingers`.
    """

    asked: Asked
    over: Asked | None = None
    seconds: float = 0
    shows: str = ""
    lingers: float = 0


def placing(do: str, ms: int = 1000, **more: Any) -> Fault:
    return on("place", do, ms, **more)


def on(door: str, do: str, ms: int = 1000, **more: Any) -> Fault:
    return Fault({"on": door, "do": do, "ms": ms, **more})


def telling(how: str, kind: str = "TRADE") -> Fault:
    return Fault({"do": "events", "how": how, "x": kind, "count": 2, "ms": 1500})


def commission(asset: str, shows: str) -> Fault:
    trade = f"EXISTS (SELECT FROM orders_fill f WHERE f.order_id = o.id AND {shows})"
    return Fault({"do": "commission", "asset": asset}, {"do": "commission", "asset": ""}, 2.5, trade)


def status(word: str) -> Fault:
    symbol = {"do": "status", "symbol": "ETHUSDT"}
    return Fault(
        {**symbol, "status": word}, {**symbol, "status": "TRADING"}, 2, "o.reason_code = 'market_closed'"
    )


RANGE = {"do": "price range", "symbol": "ETHUSDT"}
FILTER = {"do": "filter", "symbol": "BNBUSDT"}
FAULTS = {
    "429 with Retry-After": placing("429"),
    "418": placing("418"),
    "403 with a page": placing("403"),
    "5XX before": placing("503 before"),
    "5XX after": placing("504 after"),
    "-1000 after": placing("-1000 after"),
    "-1006 after": placing("-1006 after"),
    "-1007 after": placing("-1007 after"),
    "-1007 before": placing("-1007 before"),
    "hangs before": placing("hang before", 6000),
    "hangs after": placing("hang after", 6000),
    "reset before": placing("reset before"),
    "reset after": placing("reset after"),
    "unreadable after": placing("garbage after"),
    "-2013 for a while": placing("504 after", hideMs=2500),
    "-1022": placing("-1022"),
    # Whoever has just learned the wrong time is refused once it is right again.
    "-1021": Fault({"do": "clock", "ms": 10_000}, {"do": "clock", "ms": 0}, 1, "o.reason_code = 'too_late'", 1.5),
    "fills before the answer": placing("slow", 1200),
    "fills twice": telling("duplicate"),
    "fills out of order": telling("swap"),
    "fills late": telling("delay"),
    "fills never told": telling("drop"),
    "ends twice": telling("duplicate", "CANCELED"),
    "ends never told": telling("drop", "EXPIRED"),
    "a smaller size late": telling("delay", "REPLACED"),
    "a cancel without an answer": Fault({"on": "cancel", "do": "504 after"}),
    "a list without an answer": on("list", "504 after"),
    "a list whose line breaks": on("list", "reset after"),
    "a list that hangs": on("list", "hang after", 6000),
    "a list unreadable": on("list", "garbage after"),
    "a list that never came": on("list", "503 before"),
    "a list not found for a while": on("list", "-1007 after", hideMs=2500),
    "a list told late": on("list", "slow", 1200),
    "a change without an answer": on("cancel-replace", "504 after"),
    "a change whose line breaks": on("cancel-replace", "reset after"),
    "a change that hangs": on("cancel-replace", "hang after", 6000),
    "a change that never came": on("cancel-replace", "503 before"),
    "a change not found for a while": on("cancel-replace", "-1007 after", hideMs=2500),
    "a change without its cancel": on("cancel-replace", "refuse cancel"),
    "a change without its new order": on("cancel-replace", "refuse new"),
    "an amend without an answer": on("amend", "504 after"),
    "an amend that never came": on("amend", "503 before"),
    "a question without an answer": Fault({"on": "query", "do": "503 before"}),
    "commission in BNB": commission("BNB", "f.commission_asset = 'BNB' AND f.market_id <> 'BNBUSDT'"),
    "commission in base": commission("base", "f.commission_asset || 'USDT' = f.market_id AND o.side = 'SELL'"),
    "commission in quote": commission("quote", "f.commission_asset = 'USDT' AND o.side = 'BUY'"),
    "HALT": status("HALT"),
    "CANCEL_ONLY": status("CANCEL_ONLY"),
    "a new filter": Fault(
        {**FILTER, "filter": {**LOT_SIZE, "minQty": "50"}}, {**FILTER, "filter": LOT_SIZE}, 2,
        "o.reason_code = 'lot_size'",
    ),
    "price range": Fault(
        {**RANGE, "bidLimitMultUp": "0.99", "askLimitMultDown": "1.01"}, RANGE, 2,
        "o.reason_code = 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED'",
    ),
}  # fmt: skip
# What needs nobody to ask for it, and shows in the orders of the whole run.
NATURAL = {
    "partial fills": "(SELECT count(*) FROM orders_fill f WHERE f.order_id = o.id) > 1",
    "EXPIRED_IN_MATCH": "o.reason_code = 'EXPIRED_IN_MATCH'",
}


# What the platform's account may have open of each kind, far more than its customers want.
ROOM = {
    "MAX_NUM_ALGO_ORDERS": "maxNumAlgoOrders", "MAX_NUM_ICEBERG_ORDERS": "maxNumIcebergOrders",
    "MAX_NUM_ORDER_LISTS": "maxNumOrderLists",
}  # fmt: skip
MOST_OPEN = 1000


class Door:
    """The control door of a site's paper venue, and what the venue tells the platform's own account."""

    def __init__(self, site: Site) -> None:
        environment = site.environment
        self.address = f"{environment['BINANCE_SAPI_URL']}/paper/"
        key = {"key": environment["BINANCE_API_KEY"], "secret": environment["BINANCE_API_SECRET"]}
        self._account = Caller(environment["BINANCE_REST_URL"], key)

    def ask(self, **asked: Any) -> None:
        answer = requests.post(f"{self.address}fault", json=asked, timeout=20)
        assert answer.status_code == 200, answer.text

    def account(self, name: str, **funds: str) -> dict[str, str]:
        """Somebody else at the venue: email, key and secret."""
        answer = requests.post(f"{self.address}account", json={"name": name, "funds": funds}, timeout=20)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found

    def make_room(self) -> None:
        """The account may have as many orders, stops, icebergs and lists as its customers want."""
        self.ask(do="order limit", tenSeconds=100_000, day=10_000_000)
        for symbol in SYMBOLS:
            for name, key in ROOM.items():
                self.ask(do="filter", symbol=symbol, filter={"filterType": name, key: MOST_OPEN})

    def clear(self) -> None:
        self.ask(do="clear")

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.address}state", timeout=20).json()
        return found

    def open_orders(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Quantity and what of it is executed, by client order id."""
        found = [row for symbol in SYMBOLS for row in self._told("openOrders", symbol=symbol)]
        return {row["clientOrderId"]: (Decimal(row["origQty"]), Decimal(row["executedQty"])) for row in found}

    def open_lists(self) -> set[str]:
        """The client's ids of the lists that have not ended."""
        return {row["listClientOrderId"] for row in self._told("openOrderList")}

    def _told(self, what: str, **asked: str) -> list[dict[str, Any]]:
        answer = self._account.signed("GET", f"/api/v3/{what}", **asked)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found


class Mischief:
    def __init__(self, site: Site, dice: random.Random) -> None:
        self.site, self.dice, self.door = site, dice, Door(site)
        self.asked: Counter[str] = Counter()
        self.spans: dict[str, list[tuple[datetime, datetime]]] = {}

    def go_on(self, over: threading.Event) -> None:
        """Every fault, in an order of the dice's, and then every one again."""
        while not over.is_set():
            names = list(FAULTS)
            self.dice.shuffle(names)
            for name in names:
                if over.wait(self.dice.uniform(*PAUSES)):
                    return
                self.strike(name, FAULTS[name])

    def strike(self, name: str, fault: Fault) -> None:
        began = datetime.now(UTC)
        self.door.ask(**fault.asked)
        self.asked[name] += int(fault.asked.get("count", 1))
        if fault.over is not None:
            time.sleep(fault.seconds)
            self.door.ask(**fault.over)
        ended = datetime.now(UTC) + timedelta(seconds=fault.lingers)
        self.spans.setdefault(name, []).append((began, ended))

    def struck(self) -> dict[str, int]:
        """How often each fault met somebody: what was asked for less what still waits, or the orders that show it."""
        state, found = self.door.state(), Counter(self.asked)
        for name, fault in FAULTS.items():
            if fault.shows:
                found[name] = sum(self._shown(fault.shows, *span) for span in self.spans.get(name, ()))
            else:
                found[name] -= sum(row["count"] for row in _waiting(state, fault.asked))
        for name, shows in NATURAL.items():
            found[name] = self._shown(shows)
        return dict(found)

    def _shown(self, condition: str, began: datetime | None = None, ended: datetime | None = None) -> int:
        query = (
            f"SELECT count(*) FROM orders_order o WHERE {condition}"
            " AND o.created_at BETWEEN coalesce(%s, '-infinity'::timestamptz) AND coalesce(%s, 'infinity'::timestamptz)"
        )
        with self.site.database() as connection:
            row = connection.execute(query.encode(), [began, ended]).fetchone()
        return int(row[0]) if row else 0


def _waiting(state: dict[str, Any], asked: Asked) -> list[dict[str, Any]]:
    """What of it has met nobody yet."""
    if asked["do"] == "events":
        return [row for row in state["events"] if (row["how"], row["x"]) == (asked["how"], asked["x"])]
    names = ("on", "do", "hideMs")
    return [row for row in state["faults"] if all(row.get(name) == asked.get(name) for name in names)]
