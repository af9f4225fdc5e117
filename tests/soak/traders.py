"""Customers who trade by their own dice through the API, each in a thread of its own.

They place every kind of order and list, change, cancel and repeat them, and ask for what must be refused. Each act is
counted with how it was answered.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import requests

from tests.journeys.people import PASSWORD, AppCustomer, eventually
from tests.journeys.site import Site
from tests.soak.guests import email_of
from tests.soak.reckoning import rows
from tests.soak.tickets import SYMBOLS, Body, Tickets, is_list, otherwise

LOOK_SECONDS, TRIES, MOST_OPEN = 0.5, 60, 8
# What a guest brings, and over which network.
FUNDS = (("USDT", "TRX", "50000"), ("BTC", "BTC", "1"), ("ETH", "ETH", "20"), ("BNB", "BSC", "50"))
# What the platform may answer to a wish; anything else is a surprise.
EXPECTED = {201, 202, 200, 400, 409, 503}
TAKEN = {200, 201, 202}
# What nobody is told who says only what can be meant: a mistake of ours, or of whoever wrote the words.
NEVER = {"our_mistake", "refused_by_venue", "nonce_reused", "bad_ticket", "invalid", "in_a_list"}
ORDERS, LISTS = "orders/", "order-lists/"
END = " → "  # between an act and how it was answered
# What must have happened for a run to say anything, whatever the dice chose.
EVERY_ACT = {
    "market", "crossing", "resting", "post only", "at once", "stop", "trailing", "iceberg", "OCO", "OTO", "OTOCO",
    "replace", "amend", "cancel", "cancel list", "cancel market", "cancel side", "cancel everything", "again",
    "again otherwise", "twice at once", "too much", "off the filters", "no order", "change in a list",
}  # fmt: skip


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
        self.dice, self.pause = random.Random(f"{seed}:{number}"), pause
        self.tickets = Tickets(self.dice, prices.steps, prices.best)
        self.done: Counter[str] = Counter()
        self.surprises: list[str] = []
        # What may still be open, as it was answered.
        self.open: dict[int, Body] = {}
        self.lists: dict[int, Body] = {}
        self.last: tuple[str, Body, int] | None = None

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
            **{self.placing(act, write): often for act, write, often in self.wishes()},
            self.replace: 3, self.amend: 2.5, self.cancel: 3, self.cancel_list: 0.8, self.cancel_market: 0.3,
            self.cancel_side: 0.3, self.cancel_everything: 0.3, self.look: 2, self.again: 0.6,
            self.again_otherwise: 0.6, self.twice_at_once: 0.4, self.refused: 1.2, self.change_in_a_list: 0.4,
        }  # fmt: skip
        (chosen,) = self.dice.choices(list(acts), list(acts.values()))
        if len(self.open) + 2 * len(self.lists) > MOST_OPEN:
            chosen = self.dice.choice([self.look, self.cancel, self.cancel_list, self.replace, self.amend])
        chosen()

    def wishes(self) -> list[tuple[str, Callable[[], Body], float]]:
        written = self.tickets
        return [
            ("market", written.market, 9), ("crossing", written.crossing, 5), ("resting", written.resting, 4),
            ("post only", written.post_only, 2), ("at once", written.at_once, 3), ("stop", written.stop, 1.5),
            ("trailing", written.trailing, 0.7), ("iceberg", written.iceberg, 1.2), ("OCO", written.oco, 2),
            ("OTO", written.oto, 1.3), ("OTOCO", written.otoco, 1.3),
        ]  # fmt: skip

    def placing(self, act: str, write: Callable[[], Body]) -> Callable[[], object]:
        return lambda: self.order(act, write())

    # ------------------------------------------------------------------ asking
    def wish(self, method: str, path: str, body: Body | None = None) -> tuple[int, dict[str, Any]]:
        """What is answered; who hears nothing asks the same again."""
        for _try in range(TRIES):
            try:
                answer = self.http.request(method, f"{self.site.url}/api/v1/{path}", json=body, timeout=30)
                found = answer.json() if answer.content else {}
            except (requests.RequestException, ValueError):
                self.note("any", "no answer")
                time.sleep(self.pause)
                continue
            if answer.status_code not in EXPECTED:
                self.surprises.append(f"{method} {path} {body}: {answer.status_code} {answer.text[:200]}")
            return answer.status_code, found
        raise AssertionError(f"{method} {path} is never answered")

    def note(self, act: str, end: str) -> None:
        self.done[f"{act}{END}{end}"] += 1

    def heard(self, act: str, status: int, found: dict[str, Any]) -> bool:
        """The answer to what can be meant is counted; True when it was taken."""
        if status in TAKEN:
            self.note(act, str(found.get("status", "taken")))
            return True
        self.note(act, f"refused: {found.get('code')}")
        if found.get("code") in NEVER:
            self.surprises.append(f"{act}: {status} {found}"[:300])
        return False

    # ------------------------------------------------------------------ placing
    def order(self, act: str, body: Body, path: str = "") -> dict[str, Any]:
        """An order, or a list, under an id of its own; gives what was answered."""
        path, asked = path or _door(body), {**body, "client_order_id": uuid4().hex}
        status, found = self.wish("POST", path, asked)
        if self.heard(act, status, found):
            self.last = path, asked, found["id"]
            self.keep(status, found)
        return found

    def keep(self, status: int, found: dict[str, Any]) -> None:
        """What was taken may be changed and canceled; what is silent is said to be."""
        orders = found.get("orders", [found])
        is_silent = any(order["status"] == "PENDING" for order in orders)
        assert (status == requests.codes.accepted) == is_silent, found
        if "orders" in found:
            self.lists |= {found["id"]: found} if found["status"] == "EXECUTING" else {}
        elif found["status"] in ("OPEN", "PARTIALLY_FILLED", "PENDING"):
            self.open[found["id"]] = found

    def look(self) -> None:
        """Knows again what is open."""
        status, found = self.wish("GET", f"{ORDERS}?status=open&limit=100")
        if status == requests.codes.ok:
            lists = {order["order_list"] for order in found["results"]}
            self.open = {order["id"]: order for order in found["results"] if order["order_list"] is None}
            self.lists = {number: known for number, known in self.lists.items() if number in lists}

    # ------------------------------------------------------------------ the same once more
    def again(self) -> None:
        """As somebody whose line broke would ask: it is the same order."""
        if self.last:
            path, body, number = self.last
            _status, found = self.wish("POST", path, body)
            assert found.get("id") == number, f"{body} became {found}"
            self.note("again", "the same")

    def again_otherwise(self) -> None:
        """Under an id that was used another order, or a list, is refused."""
        if self.last is None:
            return
        path, body, _number = self.last
        if self.dice.random() < 0.3:
            # An id is used up for lists by an order, and for orders by a list.
            fresh = self.tickets.crossing() if is_list(body) else self.tickets.oco()
            path, body = _door(fresh), {**fresh, "client_order_id": body["client_order_id"]}
            status, found = self.wish("POST", path, body)
            assert status not in TAKEN, f"{body} became {found}"
        else:
            status, found = self.wish("POST", path, otherwise(body))
            assert found.get("code") == "nonce_reused", f"{body} otherwise became {found}"
        self.note("again otherwise", f"refused: {found['code']}")

    def twice_at_once(self) -> None:
        """Two requests of one id at the same moment: one order, or one list, whoever is first."""
        body = self.dice.choice([self.tickets.crossing, self.tickets.resting, self.tickets.oco])()
        path, asked = _door(body), {**body, "client_order_id": uuid4().hex}
        with ThreadPoolExecutor(2) as both:
            answers = list(both.map(lambda _turn: self.wish("POST", path, asked), range(2)))
        taken = [(status, found) for status, found in answers if status in TAKEN]
        assert len({found["id"] for _status, found in taken}) < 2, f"{asked} became {answers}"
        for status, found in taken[:1]:
            self.keep(status, found)
        self.note("twice at once", "one order" if taken else f"refused: {answers[0][1].get('code')}")

    # ------------------------------------------------------------------ what must be refused
    def refused(self) -> None:
        act, write = self.dice.choice(
            [
                ("too much", self.tickets.too_much),
                ("off the filters", self.tickets.off_the_filters),
                ("no order", self.tickets.no_order),
            ]
        )
        body = {**write(), "client_order_id": uuid4().hex}
        status, found = self.wish("POST", _door(body), body)
        assert status not in TAKEN, f"{act}: {body} became {found}"
        self.note(act, f"refused: {found.get('code')}")

    def change_in_a_list(self) -> None:
        """What belongs to a list is canceled with it, and never changed."""
        if not self.lists:
            return
        order = self.dice.choice(self.dice.choice(list(self.lists.values()))["orders"])
        method, door = self.dice.choice([("PATCH", ""), ("POST", "replace/")])
        status, found = self.wish(method, f"{ORDERS}{order['id']}/{door}", self._smaller(order))
        assert status not in TAKEN, f"{order} became {found}"
        self.note("change in a list", f"refused: {found.get('code')}")

    # ------------------------------------------------------------------ changing
    def _one_open(self) -> Body | None:
        """One that may still be open and is given by amount, as most are."""
        found = [order for order in self.open.values() if order["quantity"] is not None]
        return self.dice.choice(found) if found else None

    def _smaller(self, order: Body) -> Body:
        """Still as much as it shows of itself."""
        less = self.tickets.less(order["symbol"], Decimal(order["quantity"]))
        return {"quantity": f"{max(less, Decimal(order['iceberg_quantity'] or 0)):f}"}

    def _changed(self, order: Body) -> Body:
        """Another price where it has one, another amount, or both."""
        if order["price"] is None:
            return self._smaller(order)
        symbol, side = order["symbol"], order["side"]
        price = self.dice.choice(
            [
                self.tickets.own(symbol, side, self.dice.choice([0, -2, -20])),
                self.tickets.taking(symbol, side),
            ]
        )
        body = {"price": f"{price:f}"}
        return body | self._smaller(order) if self.dice.random() < 0.4 else body

    def replace(self) -> None:
        if (order := self._one_open()) is None:
            return
        found = self.order("replace", self._changed(order), f"{ORDERS}{order['id']}/replace/")
        if found.get("status") not in (None, "PENDING", "REJECTED") or found.get("code") == "order_is_closed":
            self.open.pop(order["id"], None)

    def amend(self) -> None:
        if (order := self._one_open()) is None:
            return
        status, found = self.wish("PATCH", f"{ORDERS}{order['id']}/", self._smaller(order))
        if self.heard("amend", status, found):
            self.open[order["id"]] = found
        elif found.get("code") == "order_is_closed":
            self.open.pop(order["id"])

    # ------------------------------------------------------------------ canceling
    def cancel(self) -> None:
        if self.open:
            number = self.dice.choice(list(self.open))
            self.open.pop(number)
            self.heard("cancel", *self.wish("DELETE", f"{ORDERS}{number}/"))

    def cancel_list(self) -> None:
        """The list, or one of its orders, with which all of them end."""
        if self.lists:
            number = self.dice.choice(list(self.lists))
            order = self.dice.choice(self.lists.pop(number)["orders"])
            path = f"{LISTS}{number}/" if self.dice.random() < 0.6 else f"{ORDERS}{order['id']}/"
            self.heard("cancel list", *self.wish("DELETE", path))

    def cancel_market(self) -> None:
        self._cancel_all("cancel market", f"?symbol={self.dice.choice(SYMBOLS)}")

    def cancel_side(self) -> None:
        self._cancel_all("cancel side", f"?side={self.dice.choice(['BUY', 'SELL'])}")

    def cancel_everything(self) -> None:
        self._cancel_all("cancel everything", "")
        self.open.clear()
        self.lists.clear()

    def _cancel_all(self, act: str, narrowed: str) -> None:
        status, found = self.wish("DELETE", f"{ORDERS}{narrowed}")
        self.heard(act, status, found)


def _door(body: Body) -> str:
    return LISTS if is_list(body) else ORDERS
