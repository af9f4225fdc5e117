"""What all scenes are played on: the site, both accounts at the venue, the customers, and what is left of orders."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import requests

from exchange.local.places import CHECKOUT
from tests.journeys.site import Site
from tests.prove_gate.load import SYMBOL, Client
from tests.second import first_account, open_second
from tests.soak.guests import invite
from tests.soak.mischief import Door
from tests.soak.reckoning import rows
from tests.soak.traders import Prices, Trader, bring_money

SCALE = float(os.environ.get("SCALE", "1"))
# What the venue takes of an account in ten seconds, as its exchangeInfo announces it.
ORDERS = int(os.environ.get("ORDERS", "100"))
MARKETS, GUESTS, MOST_OPEN = 400, 10, 10_000
TIMES_QUIET = 2.0
SETTLED_SECONDS = 90
SIDES = ("BUY", "SELL")  # the first account has USDT, the second all the BTC
UNFINISHED = "SELECT id, status FROM orders_order WHERE finished_at IS NULL"
HELD = "SELECT cause, cause_id FROM ledger_hold WHERE is_open AND cause IN ('ORDER', 'LIST', 'CHANGE')"
SENT_AFTER = "SELECT client_order_id, status FROM orders_venueorder WHERE id > %s"


class Stage:
    def __init__(self, site: Site, *, with_books: bool) -> None:
        self.site, self.door = site, Door(site)
        self.door.ask(do="order limit", tenSeconds=ORDERS)
        for name, key in (("MAX_NUM_ORDERS", "maxNumOrders"), ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders")):
            self.door.ask(do="filter", symbol=SYMBOL, filter={"filterType": name, key: MOST_OPEN})
        self.tokens = invite(site, GUESTS)
        self.prices = Prices(site)
        bring_money(site, [Trader(site, self.prices, number, 0, 1) for number in range(GUESTS)])
        Thread(target=self.prices.follow, args=(Event(),), daemon=True).start()
        first = first_account(site)
        second = open_second(site, first)
        state = self.door.state()
        numbers = {row["email"]: str(row["id"]) for row in state["accounts"]}
        self.callers = {str(state["main"]): first, numbers[second.email]: second.caller}
        if with_books:
            self.command("list")
            time.sleep(60 * SCALE)

    def command(self, word: str) -> str:
        """What something done by the services in a process of its own says; see `asking`."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.prove_gate.asking", word],
            cwd=CHECKOUT, env=self.site.environment, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def clients(
        self, tokens: Sequence[str] = (), sides: Sequence[str] = SIDES, url: str = ""
    ) -> list[Client]:
        """One a token, all of them unless some are named; the sides take turns."""
        return [
            Client(url or self.site.url, self.prices, token, sides[number % len(sides)])
            for number, token in enumerate(tokens or self.tokens)
        ]

    # ------------------------------------------------------------------ what the venue counted
    def unwelcome(self) -> dict[str, dict[str, int]]:
        """What came beyond a limit or inside a ban, by address or account."""
        found: dict[str, dict[str, int]] = self.door.state()["unwelcome"]
        return found

    def too_much_since(self, before: dict[str, dict[str, int]]) -> dict[str, int]:
        """Each 429 of the venue since then, by its reason."""
        found: dict[str, int] = {}
        for who, counts in self.unwelcome().items():
            for why, count in counts.items():
                more = count - before.get(who, {}).get(why, 0)
                if more and why != "inside a ban":
                    found[why] = found.get(why, 0) + more
        return found

    def limits(self) -> dict[str, int]:
        """Of orders, as exchangeInfo announces them."""
        address = self.site.environment["BINANCE_REST_URL"]
        told = requests.get(f"{address}/api/v3/exchangeInfo", timeout=30).json()["rateLimits"]
        return {
            f"{row['intervalNum']} {row['interval']}": row["limit"]
            for row in told
            if row["rateLimitType"] == "ORDERS"
        }

    def placed(self) -> dict[str, dict[int, int]]:
        """Orders each of our accounts placed, by the first second of ten."""
        found = self.door.state()["placed"]
        return {
            number: {int(at): count for at, count in found.get(number, {}).items()} for number in self.callers
        }

    # ------------------------------------------------------------------ how it ends
    def latest(self) -> int:
        """The number of the last order that was recorded to be sent."""
        return int(rows(self.site, "SELECT coalesce(max(id), 0) FROM orders_venueorder")[0][0])

    def left(self) -> list[str]:
        """What has not ended, and what is held, when everything was canceled and the sweeps had their time."""
        for client in self.clients():
            client.cancel_all()
        until = time.monotonic() + SETTLED_SECONDS
        while (found := self._unfinished()) and time.monotonic() < until:
            time.sleep(1)
        return found

    def _unfinished(self) -> list[str]:
        return [" ".join(map(str, row)) for query in (UNFINISHED, HELD) for row in rows(self.site, query)]

    def ends(self, since: int) -> dict[str, int]:
        """How the orders ended that were recorded after that one."""
        found: dict[str, int] = {}
        for _name, status in rows(self.site, SENT_AFTER, since):
            found[status] = found.get(status, 0) + 1
        return found

    def apart(self, since: int) -> list[str]:
        """Orders after that one which ended otherwise here than at the venue; what it never had is rejected here."""
        ours = dict(rows(self.site, SENT_AFTER, since))
        theirs = {row["clientOrderId"]: row["status"] for row in self.orders_there()}
        return [
            f"{name} is {status} here and {theirs.get(name, 'unknown')} there"
            for name, status in ours.items()
            if status != theirs.get(name, "REJECTED")
        ]

    def orders_there(self) -> list[dict[str, Any]]:
        """The latest thousand of each account."""
        found: list[dict[str, Any]] = []
        for caller in self.callers.values():
            answer = caller.signed("GET", "/api/v3/allOrders", symbol=SYMBOL, limit=1000)
            assert answer.status_code == 200, answer.text
            found += answer.json()
        return found
