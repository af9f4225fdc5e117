"""What goes wrong at the venue while customers trade: every order fault of binance.md 17, again and again, by dice."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from tests.journeys.site import Site

Asked = dict[str, Any]
PAUSES = (0.4, 1.1)
LOT_SIZE = {
    "filterType": "LOT_SIZE",
    "minQty": "0.00100000",
    "maxQty": "900000.00000000",
    "stepSize": "0.00100000",
}


@dataclass(frozen=True)
class Fault:
    """Asked of the control door, and what ends it after so many seconds.

    What does not strike a certain request has `shows`, an SQL condition on orders of that time that tells it did.
    """

    asked: Asked
    over: Asked | None = None
    seconds: float = 0
    shows: str = ""


def placing(do: str, ms: int = 1000, **more: Any) -> Fault:
    return Fault({"on": "place", "do": do, "ms": ms, **more})


def telling(how: str) -> Fault:
    return Fault({"do": "events", "how": how, "x": "TRADE", "count": 2, "ms": 1500})


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
    "-1021": Fault({"do": "clock", "ms": 10_000}, {"do": "clock", "ms": 0}, 1, "o.reason_code = 'too_late'"),
    "fills before the answer": placing("slow", 1200),
    "fills twice": telling("duplicate"),
    "fills out of order": telling("swap"),
    "fills late": telling("delay"),
    "fills never told": telling("drop"),
    "a cancel without an answer": Fault({"on": "cancel", "do": "504 after"}),
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


class Door:
    """The control door of a site's paper venue."""

    def __init__(self, site: Site) -> None:
        self.address = f"{site.environment['BINANCE_SAPI_URL']}/paper/"

    def ask(self, **asked: Any) -> None:
        answer = requests.post(f"{self.address}fault", json=asked, timeout=20)
        assert answer.status_code == 200, answer.text

    def account(self, name: str, **funds: str) -> dict[str, str]:
        """Somebody else at the venue: email, key and secret."""
        answer = requests.post(f"{self.address}account", json={"name": name, "funds": funds}, timeout=20)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found

    def clear(self) -> None:
        self.ask(do="clear")

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.address}state", timeout=20).json()
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
        self.spans.setdefault(name, []).append((began, datetime.now(UTC)))

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
