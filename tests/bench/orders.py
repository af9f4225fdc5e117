"""`make bench-orders`: what an order costs through the platform, against the same order straight to the venue.

One run on one machine: a whole site with all its processes, the paper venue with its limit of orders raised, pgbench
(tpcb-like, prepared, 8 clients) on the site's own PostgreSQL. A round asks for limit orders that trade at once, 20 a
second straight to the venue with `requests` and then through the DRF API, and compares the quantiles; then 8 clients
ask as fast as they are answered, between two slices of pgbench. The figures are medians of the rounds.
"""

import hashlib
import hmac
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import requests

from exchange.local import suite
from tests.bench.ledger import execute, find_pgbench
from tests.bench.wide import cpu_seconds_of
from tests.journeys.site import Site, running_site
from tests.soak.guests import invite
from tests.soak.mischief import Door
from tests.soak.orders import settle
from tests.soak.reckoning import differences, rows
from tests.soak.traders import Prices, Trader, bring_money
from tests.verdict import verdict

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SLICE_SECONDS", "10"))
CLIENTS, CALM_CLIENTS, CALM_RATE = 8, 4, 20
SYMBOL, QUANTITY, SCALE = "BTCUSDT", Decimal("0.0003"), 50
MOST_ORDERS = 1_000_000  # the venue's own limit of unfilled orders in ten seconds and a day, raised
AT_LEAST = {"orders_a_second": 70, "orders_vs_pgbench": 0.02}
AT_MOST = {"added_p50_ms": 18, "added_p99_ms": 60, "unanswered": 0, "wrong": 0}
OPEN_DOORS = {"API_RATE_USER": "1000000/min", "API_RATE_ANON": "1000000/min"}
COUNTED = ("web", "executions", "worker", "markets", "paper")
Ask = Callable[[dict[str, str]], bool]  # True when the order was taken


def main() -> int:
    with suite.serving_tests(os.environ):
        suite.enter_worker(os.environ, "gw0")
        name = suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
        owner = os.environ[suite.OWNER_URL]
        places = {
            "DATABASE_URL": os.environ["DATABASE_URL"], "DATABASE_OWNER_URL": suite.with_database(owner, name),
            "REDIS_URL": os.environ["REDIS_URL"],
        }  # fmt: skip
        yardstick = Yardstick(owner)
        try:
            with running_site(**places, **OPEN_DOORS) as site:
                return Bench(site, yardstick).run()
        finally:
            yardstick.remove()


class Yardstick:
    """pgbench on the same server."""

    def __init__(self, owner: str) -> None:
        self.name, self.server = "bench_pgbench_orders", suite.with_database(owner, "postgres")
        self.url = suite.with_database(owner, self.name)
        execute(self.server, f"CREATE DATABASE {self.name}")
        self._run("-i", "-q", "-s", str(SCALE))
        self._settle()

    def _settle(self) -> None:
        """What pgbench wrote is on the disk, so that no order waits for it."""
        with suppress(psycopg.errors.InsufficientPrivilege):  # of a server that somebody else keeps
            execute(self.server, "CHECKPOINT")

    def _run(self, *options: str) -> str:
        program = os.environ.get("PGBENCH") or find_pgbench()
        return subprocess.run(
            [program, *options, self.url], capture_output=True, text=True, check=True
        ).stdout

    def rate(self) -> float:
        """Transactions a second."""
        text = self._run(
            "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(max(1, int(SECONDS)))
        )
        self._settle()
        return float(re.findall(r"tps = ([0-9.]+)", text)[-1])

    def remove(self) -> None:
        suite.drop_database(os.environ, self.name)


class Bench:
    def __init__(self, site: Site, yardstick: Yardstick) -> None:
        self.site, self.yardstick, self.door = site, yardstick, Door(site)
        self.door.ask(do="order limit", tenSeconds=MOST_ORDERS, day=MOST_ORDERS)
        self.tokens = invite(site, CLIENTS)
        self.prices = Prices(site)
        bring_money(site, [Trader(site, self.prices, number, 0, 1) for number in range(CLIENTS)])
        self.stranger = self.door.account("bench", BTC="100", USDT="10000000")
        self.found: dict[str, list[float]] = defaultdict(list)
        self.failures: Counter[str] = Counter()

    # ------------------------------------------------------------------ who asks
    def through_the_platform(self, number: int) -> Ask:
        http = requests.Session()
        http.headers["Authorization"] = f"Bearer {self.tokens[number]}"

        def ask(order: dict[str, str]) -> bool:
            body = {
                "symbol": SYMBOL, "side": order["side"], "type": "LIMIT", "time_in_force": "GTC",
                "price": order["price"], "quantity": order["quantity"], "client_order_id": order["id"],
            }  # fmt: skip
            answer = http.post(f"{self.site.url}/api/v1/orders/", json=body, timeout=30)
            if answer.status_code != requests.codes.created:
                self.failures[f"platform: {answer.status_code} {answer.text[:100]}"] += 1
            return answer.status_code == requests.codes.created

        return ask

    def straight(self, _number: int) -> Ask:
        http = requests.Session()
        http.headers["X-MBX-APIKEY"] = self.stranger["key"]

        def ask(order: dict[str, str]) -> bool:
            raw = urlencode(
                {
                    "symbol": SYMBOL, "side": order["side"], "type": "LIMIT", "timeInForce": "GTC",
                    "price": order["price"], "quantity": order["quantity"], "newClientOrderId": order["id"],
                    "newOrderRespType": "FULL", "recvWindow": "5000", "timestamp": str(time.time_ns() // 1_000_000),
                }
            )  # fmt: skip
            sign = hmac.new(self.stranger["secret"].encode(), raw.encode(), hashlib.sha256).hexdigest()
            address = self.site.environment["BINANCE_REST_URL"]
            answer = http.post(f"{address}/api/v3/order?{raw}&signature={sign}", timeout=30)
            if answer.status_code != requests.codes.ok:
                self.failures[f"venue: {answer.status_code} {answer.text[:100]}"] += 1
            return answer.status_code == requests.codes.ok

        return ask

    def order(self, number: int) -> dict[str, str]:
        """Bought and sold by turns, at a price at which it trades at once."""
        bid, ask = self.prices.best[SYMBOL]
        is_buy, tick = number % 2 == 0, self.prices.steps[SYMBOL][0]
        price = (ask * Decimal("1.002") if is_buy else bid * Decimal("0.998")) // tick * tick
        side = "BUY" if is_buy else "SELL"
        return {"side": side, "price": f"{price:f}", "quantity": f"{QUANTITY:f}", "id": uuid4().hex}

    # ------------------------------------------------------------------ slices
    def clients(self, count: int, of: Callable[[int], Ask], pause: float) -> tuple[list[float], float]:
        """Milliseconds of each order that so many clients placed, and orders a second."""
        began = time.perf_counter()

        def one(number: int) -> list[float]:
            ask, found, turn = of(number), [], 0
            next_at = began + pause * number / count
            while (now := time.perf_counter()) < began + SECONDS:
                if pause and now < next_at:
                    time.sleep(next_at - now)
                next_at += pause
                asked_at = time.perf_counter()
                if ask(self.order(turn := turn + 1)):
                    found.append((time.perf_counter() - asked_at) * 1000)
            return found

        with ThreadPoolExecutor(count) as crowd:
            times = [ms for found in crowd.map(one, range(count)) for ms in found]
        return times, len(times) / (time.perf_counter() - began)

    def round(self) -> None:
        calm: dict[str, list[float]] = {}
        for name, of in (("straight", self.straight), ("platform", self.through_the_platform)):
            calm[name], rate = self.clients(CALM_CLIENTS, of, CALM_CLIENTS / CALM_RATE)
            self.found[f"{name} at {CALM_RATE} a second: a second"].append(rate)
            for part in (50, 99):
                self.found[f"{name} at {CALM_RATE} a second: p{part} ms"].append(quantile(calm[name], part))
        for part in (50, 99):
            added = quantile(calm["platform"], part) - quantile(calm["straight"], part)
            self.found[f"added_p{part}_ms"].append(added)
        before, used = self.yardstick.rate(), self.processor_seconds()
        times, rate = self.clients(CLIENTS, self.through_the_platform, 0)
        for name, seconds in self.processor_seconds().items():
            self.found[f"{name}: processor ms an order"].append(
                (seconds - used[name]) * 1000 / max(1, len(times))
            )
        after = self.yardstick.rate()
        self.found["orders_a_second"].append(rate)
        self.found["orders_p99_ms"].append(quantile(times, 99))
        self.found["pgbench"] += [before, after]
        self.found["orders_vs_pgbench"].append(rate / statistics.mean([before, after]))
        self.found["straight_a_second"].append(self.clients(CLIENTS, self.straight, 0)[1])

    def processor_seconds(self) -> dict[str, float]:
        """What each process has used up to now; of an order it is the same on a busy machine and on a quiet one."""
        return {
            name: cpu_seconds_of(pid) for name, pid in self.site.pids().items() if pid and name in COUNTED
        }

    def run(self) -> int:
        over = threading.Event()
        follower = threading.Thread(target=self.prices.follow, args=(over,), daemon=True)
        follower.start()
        for number in range(1, ROUNDS + 1):
            self.round()
            print(f"round {number} of {ROUNDS}", file=sys.stderr, flush=True)
        over.set()
        follower.join()
        wrong = settle(self.site, self.door, [self.stranger["email"]])
        return self.tell(wrong)

    def tell(self, wrong: list[str]) -> int:
        figures: dict[str, Any] = {
            name: round(statistics.median(found), 4) for name, found in self.found.items()
        }
        figures |= {"unanswered": self.failures.total(), "wrong": len(wrong)}
        (orders,) = rows(self.site, "SELECT count(*) FROM orders_order")[0]
        print(f"the venue's limit of orders was raised to {MOST_ORDERS} in ten seconds and a day")
        print("\n| figure | median | lowest | highest | bar |\n|---|---|---|---|---|")
        for name, found in self.found.items():
            bar = (
                f"≥ {AT_LEAST[name]}" if name in AT_LEAST else f"≤ {AT_MOST[name]}" if name in AT_MOST else ""
            )
            print(f"| {name} | {figures[name]} | {min(found):.4f} | {max(found):.4f} | {bar} |")
        for line in [*(f"{what} × {count}" for what, count in self.failures.items()), *wrong]:
            print(line)
        apart = differences(self.site, self.door.state(), [self.stranger["email"]])
        is_ok = all(figures[name] >= bar for name, bar in AT_LEAST.items()) and all(
            figures[name] <= bar for name, bar in AT_MOST.items()
        )
        last = {"bench": "orders", "rounds": ROUNDS, "order_limit": MOST_ORDERS, "orders": orders, **figures}
        last["differences"] = {asset: f"{amount.normalize():f}" for asset, amount in apart.items()}
        is_ok = is_ok and not any(apart.values())
        print(json.dumps({**last, "ok": is_ok}))
        return 0 if is_ok else 1


def quantile(times: list[float], part: int) -> float:
    """The p-th percentile of them, of nothing a very long time."""
    found = sorted(times)
    return found[min(len(found) - 1, len(found) * part // 100)] if found else 1e6


if __name__ == "__main__":
    sys.exit(verdict(main, bench="orders"))
