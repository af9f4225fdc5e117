"""`make prove-convert`: conversions in the whole product while every fault of an order strikes what covers them.

A customer converts back and forth for two minutes: quotes are used once, by eight at once, late, and by somebody else.
Meanwhile the venue is silent, refuses, resets, hangs and is down for a while. At the end nothing is open, what the
house is uncovered by is less than any market trades, every law of the books holds, its position is explained, and the
books and the venue agree. Last line: JSON.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import requests

from tests.exchange.paper.people import Caller
from tests.journeys.people import AppCustomer
from tests.journeys.site import Site, running_site
from tests.verdict import verdict

SECONDS = int(os.environ.get("SECONDS_", "120"))
SEED = int(os.environ.get("SEED", "6"))
FAULTS: tuple[dict[str, Any], ...] = (
    {"do": "503 before"}, {"do": "504 after"}, {"do": "reset before"}, {"do": "reset after"}, {"do": "-1007 before"},
    {"do": "-1007 after"}, {"do": "garbage after"}, {"do": "hang after", "ms": 3000}, {"do": "429", "ms": 1000},
    {"do": "503 before", "count": 12},
)  # fmt: skip
WAITS = {"RECONCILE_SECONDS": "10", "POLL_SECONDS": "3", "ORDER_RESOLVE_MARGIN_MS": "2000"}
PAIRS = (("USDT", "BTC"), ("BTC", "USDT"), ("USDT", "ETH"), ("ETH", "BTC"), ("BTC", "ETH"), ("ETH", "USDT"))
WORTH = 40
# The venue trades bitcoin from ten USDT on, in steps of 0.00001, and ether for bitcoin from about as much.
MOST_LEFT = Decimal(11)
LATE_SECONDS, BETWEEN_FAULTS = 9, 3


def until(is_so: Callable[[], object], *, what: str, seconds: int) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.5)


class Proof:
    def __init__(self, site: Site) -> None:
        self.site, self.dice, self.told = site, random.Random(SEED), Counter[str]()
        known = site.environment
        self.venue = Caller(
            known["BINANCE_REST_URL"],
            {"key": known["BINANCE_API_KEY"], "secret": known["BINANCE_API_SECRET"]},
        )
        self.alice = AppCustomer(site, "alice@example.com")
        self.stranger = AppCustomer(site, "carol@example.com")
        self.booked: set[int] = set()
        self.wrong: list[str] = []

    def run(self) -> dict[str, Any]:
        for who, name in ((self.alice, "alice"), (self.stranger, "carol")):
            until(lambda who=who, name=name: who.signed_in(self.site.passwords[name]), what=name, seconds=60)  # type: ignore[misc]
        until(lambda: self.alice.available("USDT") > 0, what="alice's money", seconds=90)
        until(lambda: self.convert("USDT", "BTC", times=1, worth=4000), what="prices", seconds=60)
        until(lambda: self.convert("USDT", "ETH", times=1, worth=4000), what="ether", seconds=60)
        began, struck = time.monotonic(), 0
        while time.monotonic() - began < SECONDS:
            if time.monotonic() - began > struck * BETWEEN_FAULTS:
                self.venue.door("fault", on="place", **FAULTS[struck % len(FAULTS)])
                struck += 1
            self.convert(*self.dice.choice(PAIRS), times=self.dice.choice((1, 1, 2, 8)))
        self.venue.door("fault", do="clear")
        self.late_and_stranger()
        until(self.is_covered, what="the house to be covered", seconds=180)
        until(self.agrees, what="the books and the venue to agree", seconds=90)
        return self.figures(struck)

    # ------------------------------------------------------------------ what a customer does
    def quote(self, given: str, got: str, worth: int = WORTH) -> dict[str, Any] | None:
        body = {"from_asset": given, "to_asset": got, "from_amount": self.amount(given, worth)}
        answer = self.call(self.alice, "POST", "convert/quotes/", body)
        found = answer.json()
        self.told[f"quote {answer.status_code} {found.get('code', '')}".strip()] += 1
        return found if answer.status_code == 201 else None

    def amount(self, asset: str, worth: int) -> str:
        """So much worth of it up to twice as much, with all its decimals."""
        price = Decimal(1)
        if asset != "USDT":
            price = Decimal(self.venue.get("/api/v3/ticker/price", symbol=f"{asset}USDT")["price"])
        return f"{worth * Decimal(self.dice.randint(10_000, 20_000)) / 10_000 / price:.8f}"

    def convert(self, given: str, got: str, *, times: int, worth: int = WORTH) -> bool:
        """True when it came about; one quote, used so many times at once."""
        found = self.quote(given, got, worth)
        if found is None:
            time.sleep(0.5)
            return False
        with ThreadPoolExecutor(times) as crowd:
            answers = list(crowd.map(lambda _number: self.accept(self.alice, found["id"]), range(times)))
        numbers = {answer.json()["id"] for answer in answers if answer.status_code == 201}
        for answer in answers:
            self.told[f"accept {answer.status_code} {answer.json().get('code', '')}".strip()] += 1
        if len(numbers) > 1:
            self.wrong.append(f"quote {found['id']} was used as {sorted(numbers)}")
        self.booked |= numbers
        return bool(numbers)

    def accept(self, who: AppCustomer, quote_id: int) -> requests.Response:
        return self.call(who, "POST", f"convert/quotes/{quote_id}/accept/", {})

    def call(self, who: AppCustomer, method: str, path: str, body: dict[str, str]) -> requests.Response:
        return who.http.request(method, f"{self.site.url}/api/v1/{path}", json=body, timeout=30)

    def late_and_stranger(self) -> None:
        """Neither has an effect."""
        before = self.count()
        until(lambda: self.quote("USDT", "BTC") is not None, what="a quote", seconds=60)
        found = None
        while found is None:
            found = self.quote("USDT", "BTC")
        strange = self.accept(self.stranger, found["id"])
        time.sleep(LATE_SECONDS)
        late = self.accept(self.alice, found["id"])
        if (strange.status_code, late.status_code, late.json().get("code")) != (404, 409, "quote_expired"):
            self.wrong.append(f"a stranger got {strange.status_code}, who was late {late.status_code}")
        if self.count() != before:
            self.wrong.append("a quote was used that should not have been")

    # ------------------------------------------------------------------ what is so
    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.site.database() as connection:
            return connection.execute(query).fetchall()

    def count(self) -> int:
        return int(self.rows("SELECT count(*) FROM conversions_conversion")[0][0])

    def is_covered(self) -> bool:
        """Nothing is open, and nothing is left that would be traded together with what else is left."""
        is_open = self.rows("SELECT 1 FROM conversions_cover WHERE is_open LIMIT 1")
        return not is_open and max(self.uncovered().values(), default=Decimal(0)) < MOST_LEFT

    def uncovered(self) -> dict[str, Decimal]:
        """What of each asset is not covered, in USDT."""
        found = self.rows(
            "SELECT m.base_id, sum(CASE c.side WHEN 'SELL' THEN 1 ELSE -1 END * (c.quantity - c.done - c.carried))"
            " FROM conversions_cover c JOIN markets_market m ON m.symbol = c.market_id GROUP BY 1"
        )
        return {
            asset: abs(amount)
            * Decimal(self.venue.get("/api/v3/ticker/price", symbol=f"{asset}USDT")["price"])
            for asset, amount in found
        }

    def agrees(self) -> bool:
        try:
            return "agree" in self.site.manage("ledger_compare")
        except AssertionError:
            return False

    def broken(self) -> str:
        """The first law of the books that does not hold, or what of the house's position nothing explains."""
        try:
            self.site.manage("ledger_verify")
        except AssertionError as broken:
            return str(broken)[:300]
        return ""

    def figures(self, struck: int) -> dict[str, Any]:
        worth = self.uncovered()
        orders = self.rows("SELECT status, count(*) FROM orders_order WHERE channel = 'HOUSE' GROUP BY 1")
        held = self.rows(
            "SELECT 1 FROM ledger_hold h JOIN ledger_account a ON a.id = h.account_id"
            " JOIN accounts_user u ON u.id = a.owner_id WHERE h.is_open AND u.email LIKE 'house@%'"
        )
        print(json.dumps(dict(self.told), indent=1), flush=True)
        return {
            "seconds": SECONDS,
            "seed": SEED,
            "faults": struck,
            "conversions": self.count(),
            "answered": len(self.booked),
            "house_orders": {status: int(count) for status, count in orders},
            "uncovered_worth": {asset: f"{amount:.4f}" for asset, amount in worth.items()},
            "most_uncovered": f"{max(worth.values(), default=Decimal(0)):.4f}",
            "held_for_the_house": len(held),
            "unbalanced": len(self.site.trial_balance()),
            "broken": self.broken(),
            "wrong": self.wrong,
        }


def is_proven(found: dict[str, Any]) -> bool:
    """What is left of each asset is less than its market trades."""
    return (
        found["conversions"] == found["answered"] >= SECONDS // 4
        and found["faults"] >= 2 * len(FAULTS)
        and Decimal(found["most_uncovered"]) < MOST_LEFT
        and found["held_for_the_house"] == found["unbalanced"] == 0
        and not found["broken"]
        and not found["wrong"]
    )


def main() -> int:
    with running_site(**WAITS) as site:
        figures: dict[str, Any] = {"prove": "conversions under faults", **Proof(site).run()}
    figures["ok"] = is_proven(figures)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(verdict(main, prove="conversions under faults"))
