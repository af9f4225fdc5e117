"""`make prove-gate`: the gate before the paper venue, at full length. The last line is one JSON object.

One site with all its processes, and four hundred busy markets. Orders at 90 % of the venue's limit while all books are
lost again and again; one customer who floods; a venue that hangs for a minute; and a ban of a minute under which four
more processes ask, while Redis is flushed and killed. SCENES=books,flood,hang,ban chooses, SCALE=0.3 shortens.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import redis
import requests

from exchange.local.places import CHECKOUT
from tests.journeys.site import Site, running_site
from tests.soak.guests import invite
from tests.soak.mischief import Door
from tests.soak.reckoning import rows
from tests.soak.traders import Prices, Trader, bring_money
from tests.verdict import verdict

SCALE = float(os.environ.get("SCALE", "1"))
SCENES = os.environ.get("SCENES", "books,flood,hang,ban").split(",")
MARKETS, GUESTS, SYMBOL, FLOOD = 400, 10, "BTCUSDT", 1000
ORDER_LIMIT, SHARE_PERCENT = 100, 90
# What left before anybody had heard of the ban comes within a moment, on however busy a machine.
ON_THEIR_WAY_MS = 1000
TIMES_QUIET = 2.0
SETTLED_SECONDS = 90
OPEN_DOORS = {"API_RATE_USER": "1000000/min", "API_RATE_ANON": "1000000/min", "PAPER_CROWD": str(MARKETS)}


def main() -> int:
    with running_site(**OPEN_DOORS) as site:
        figures = Proof(site).run()
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


def quantile(found: list[float], percent: int) -> float:
    ordered = sorted(found)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1) if ordered else 0.0


class Client:
    """One customer's hand: places orders that rest, and cancels them."""

    def __init__(self, site: Site, prices: Prices, token: str) -> None:
        self.site, self.prices, self.http = site, prices, requests.Session()
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.placed: list[float] = []
        self.canceled: list[float] = []
        self.answers: Counter[str] = Counter()

    def place(self, tif: str = "GTC") -> int | None:
        """The order's number if it was taken."""
        bid, _ask = self.prices.best[SYMBOL]
        tick = self.prices.steps[SYMBOL][0]
        price = bid * Decimal("0.95") // tick * tick
        body = {
            "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": tif, "price": f"{price:f}",
            "quantity": "0.0003", "client_order_id": uuid4().hex,
        }  # fmt: skip
        began = time.monotonic()
        answer = self.http.post(f"{self.site.url}/api/v1/orders/", json=body, timeout=60)
        took = (time.monotonic() - began) * 1000
        found = answer.json()
        taken = answer.status_code in (201, 202)
        self.answers["taken" if taken else found["code"]] += 1
        if taken:
            self.placed.append(took)
        return int(found["id"]) if taken else None

    def cancel(self, number: int) -> None:
        began = time.monotonic()
        answer = self.http.delete(f"{self.site.url}/api/v1/orders/{number}/", timeout=60)
        self.canceled.append((time.monotonic() - began) * 1000)
        self.answers[f"cancel {answer.status_code}"] += 1

    def trade(self, until: Event, pause: float, begin: float) -> None:
        """An order and its cancel after each pause, until it is over."""
        next_at = time.monotonic() + begin
        while not until.wait(max(0.0, next_at - time.monotonic())):
            next_at = max(next_at + pause, time.monotonic() - pause)
            number = self.place()
            if number is not None:
                self.cancel(number)


class Proof:
    def __init__(self, site: Site) -> None:
        self.site, self.door = site, Door(site)
        self.door.ask(do="order limit", tenSeconds=ORDER_LIMIT)
        for name, key in (("MAX_NUM_ORDERS", "maxNumOrders"), ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders")):
            self.door.ask(do="filter", symbol=SYMBOL, filter={"filterType": name, key: 10_000})
        self.tokens = invite(site, GUESTS)
        self.prices = Prices(site)
        bring_money(site, [Trader(site, self.prices, number, 0, 1) for number in range(GUESTS)])
        Thread(target=self.prices.follow, args=(Event(),), daemon=True).start()
        if "books" in SCENES:
            self._list()

    def _list(self) -> None:
        """Staff list all the busy markets, so that each has a book."""
        command = [sys.executable, "-m", "tests.prove_gate", "list"]
        subprocess.run(command, cwd=CHECKOUT, env=self.site.environment, check=True)
        time.sleep(60 * SCALE)

    def run(self) -> dict[str, Any]:
        scenes = {"books": self.books, "flood": self.flood, "hang": self.hang, "ban": self.ban}
        figures: dict[str, Any] = {"prove": "gate"}
        for name in SCENES:
            figures[name] = scenes[name]()
            print(f"{name}: {figures[name]}", flush=True)
        figures["ok"] = all(figures[name]["ok"] for name in SCENES)
        return figures

    # ------------------------------------------------------------------ how it is measured
    def crowd(
        self, tokens: list[str], seconds: float, rate: float, meanwhile: Callable[[], None]
    ) -> list[Client]:
        """So many orders a second by these customers together, while something goes on."""
        clients, over = [Client(self.site, self.prices, token) for token in tokens], Event()
        with ThreadPoolExecutor(len(clients)) as threads:
            tries = [
                threads.submit(client.trade, over, len(clients) / rate, number / rate)
                for number, client in enumerate(clients)
            ]
            ends = time.monotonic() + seconds
            meanwhile()
            time.sleep(max(0.0, ends - time.monotonic()))
            over.set()
            for each in tries:
                each.result()
        return clients

    def unwelcome(self) -> dict[str, Any]:
        found: dict[str, Any] = self.door.state()["unwelcome"]
        return found

    def nothing(self) -> None:
        """Nobody else does anything."""

    # ------------------------------------------------------------------ books
    def books(self) -> dict[str, Any]:
        """Every book is lost each twenty seconds, while orders come at nine tenths of the venue's limit."""
        rate = ORDER_LIMIT * SHARE_PERCENT / 100 / 10
        quiet = self.crowd(self.tokens, 60 * SCALE, rate, self.nothing)
        before = self.unwelcome()
        busy = self.crowd(self.tokens, 90 * SCALE, rate, self.lose_books)
        told = self.compared(quiet, busy, 99)
        told["too_much"] = {why: count for why, count in self.unwelcome().items() if before.get(why) != count}
        told["orders_of_the_limit"] = round(told["orders"] / (90 * SCALE) * 10 / ORDER_LIMIT, 2)
        told["ok"] = told["times_quiet"] <= TIMES_QUIET and not told["too_much"]
        return told

    def lose_books(self) -> None:
        for _time in range(4):
            self.door.ask(do="drop")
            time.sleep(20 * SCALE)

    def compared(self, quiet: list[Client], busy: list[Client], percent: int) -> dict[str, Any]:
        calm, hard = ([ms for client in them for ms in client.placed] for them in (quiet, busy))
        canceled = [ms for client in busy for ms in client.canceled]
        return {
            "orders": len(hard),
            f"p{percent}_ms": [quantile(calm, percent), quantile(hard, percent)],
            "p50_ms": [quantile(calm, 50), quantile(hard, 50)],
            "times_quiet": round(quantile(hard, percent) / max(quantile(calm, percent), 0.1), 2),
            "cancel_p95_ms": quantile(canceled, 95),
            "answers": dict(sum((client.answers for client in busy), Counter())),
        }

    # ------------------------------------------------------------------ flood
    def flood(self) -> dict[str, Any]:
        """One customer sends a thousand orders by eight connections at once; four others go on as before."""
        others, seconds = self.tokens[1:5], 60 * SCALE
        quiet = self.crowd(others, seconds, 4, self.nothing)
        flooding: list[Counter[str]] = []
        busy = self.crowd(others, seconds, 4, lambda: flooding.append(self.flooded(self.tokens[0], seconds)))
        told = self.compared(quiet, busy, 95)
        told["flood"] = dict(flooding[0])
        calm = [ms for client in quiet for ms in client.canceled]
        told["cancel_times_quiet"] = round(told["cancel_p95_ms"] / max(quantile(calm, 95), 0.1), 2)
        refused = {name for name in told["answers"] if name not in ("taken", "cancel 200", "cancel 202")}
        told["ok"] = (
            told["times_quiet"] <= TIMES_QUIET
            and told["cancel_times_quiet"] <= TIMES_QUIET
            and not refused
            and sum(flooding[0].values()) >= FLOOD
        )
        return told

    def flooded(self, token: str, seconds: float) -> Counter[str]:
        ends, counts = time.monotonic() + seconds, Counter[str]()
        hands = [Client(self.site, self.prices, token) for _hand in range(8)]

        def hand(client: Client) -> None:
            while time.monotonic() < ends or sum(sum(one.answers.values()) for one in hands) < FLOOD:
                client.place("IOC")  # it never rests, so that no limit of open orders ends the flood

        with ThreadPoolExecutor(len(hands)) as threads:
            list(threads.map(hand, hands))
        for client in hands:
            counts += client.answers
        self.cancel_all(token)
        return counts

    def cancel_all(self, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        requests.delete(f"{self.site.url}/api/v1/orders/", headers=headers, timeout=60)

    # ------------------------------------------------------------------ hang
    def hang(self) -> dict[str, Any]:
        """The venue takes orders and says nothing for a minute; pages are read meanwhile."""
        seconds = 60 * SCALE
        quiet, _most = self.pages(seconds / 2, self.nothing)
        placed: list[Counter[str]] = []
        busy, connections = self.pages(seconds, lambda: placed.append(self.hundred_orders(seconds)))
        self.door.clear()
        for token in self.tokens:
            self.cancel_all(token)
        unfinished = self.left()
        told: dict[str, Any] = {
            "page_p95_ms": [quantile(quiet, 95), quantile(busy, 95)],
            "times_quiet": round(quantile(busy, 95) / max(quantile(quiet, 95), 0.1), 2),
            "orders": dict(placed[0]),
            "connections": connections,
            "left": unfinished,
        }
        most = int(rows(self.site, "SHOW max_connections")[0][0])
        is_ok = told["times_quiet"] <= TIMES_QUIET and connections < most and not unfinished
        return {**told, "most_connections": most, "ok": is_ok and sum(placed[0].values()) == 100}

    def pages(self, seconds: float, meanwhile: Callable[[], None]) -> tuple[list[float], int]:
        """Milliseconds of each page, and the most connections to the database that were seen."""
        times: list[float] = []
        seen: list[int] = [0]
        over = Event()

        def read() -> None:
            http, number = requests.Session(), 0
            while not over.wait(0.25):
                page = ("/", f"/trade/{SYMBOL}/", "/status/", "/api/v1/markets/")[number % 4]
                began, number = time.monotonic(), number + 1
                http.get(self.site.url + page, timeout=60)
                times.append((time.monotonic() - began) * 1000)

        def count() -> None:
            with self.site.database() as session:
                while not over.wait(0.5):
                    (found,) = session.execute("SELECT count(*) FROM pg_stat_activity").fetchall()[0]
                    seen[0] = max(seen[0], int(found))

        threads = [Thread(target=work) for work in (read, count)]
        for thread in threads:
            thread.start()
        ends = time.monotonic() + seconds
        meanwhile()
        time.sleep(max(0.0, ends - time.monotonic()))
        over.set()
        for thread in threads:
            thread.join()
        return times, seen[0]

    def hundred_orders(self, seconds: float) -> Counter[str]:
        """By ten customers, each ten over the minute; half of what hangs is carried out."""
        for do in ("hang before", "hang after"):
            self.door.ask(on="place", do=do, ms=int(seconds * 1000), count=50)
        clients = [Client(self.site, self.prices, token) for token in self.tokens]
        with ThreadPoolExecutor(len(clients)) as threads:
            list(threads.map(lambda client: self.ten_orders(client, seconds / 12), clients))
        return sum((client.answers for client in clients), Counter())

    def ten_orders(self, client: Client, pause: float) -> None:
        for _order in range(10):
            client.place()
            time.sleep(pause)

    def left(self) -> list[Any]:
        """What has not ended, when the sweeps have had their time."""
        unfinished = "SELECT id, status FROM orders_order WHERE finished_at IS NULL"
        held = (
            "SELECT cause, cause_id FROM ledger_hold WHERE is_open AND cause IN ('ORDER', 'LIST', 'CHANGE')"
        )
        until = time.monotonic() + SETTLED_SECONDS
        while (found := [*rows(self.site, unfinished), *rows(self.site, held)]) and time.monotonic() < until:
            time.sleep(1)
        return [list(map(str, row)) for row in found]

    # ------------------------------------------------------------------ ban
    def ban(self) -> dict[str, Any]:
        """Four processes more ask as fast as they may; Redis is flushed, and then killed, while the ban lasts."""
        seconds, environment = 60 * SCALE, {**self.site.environment, "SECONDS": str(60 * SCALE + 15)}
        command = [sys.executable, "-m", "tests.prove_gate", "ask"]
        asking = [
            subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)
            for _process in range(4)
        ]
        time.sleep(8)
        self.door.ask(on="query", do="418", ms=int(seconds * 1000))
        time.sleep(seconds / 4)
        with redis.Redis.from_url(self.site.environment["REDIS_URL"]) as client:
            client.flushall()
        time.sleep(seconds / 4)
        killed = self.site.pid_of("valkey-server")
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        outcomes = [json.loads(process.communicate()[0].splitlines()[-1]) for process in asking]
        inside: list[int] = self.door.state()["inside_ban_ms"]
        refused = [moment for one in outcomes for moment in one.pop("refused")]
        heard = min(end for _begin, end in refused)
        late = [ms for ms in inside if ms > ON_THEIR_WAY_MS]
        told: dict[str, Any] = sum((Counter(one) for one in outcomes), Counter())
        return {
            "seconds": seconds,
            "begun_after_it_was_heard": sum(begin > heard for begin, _end in refused),
            "inside_later_than_on_their_way": len(late),
            "on_their_way_ms": [ms for ms in inside if ms <= ON_THEIR_WAY_MS],
            "outcomes": dict(told),
            "ok": not late
            and told["answered"] > 100
            and told["after"] > 0
            and all(begin <= heard for begin, _end in refused),
        }


# ------------------------------------------------------------------ in processes of their own
def list_all() -> None:
    from accounts import queries as people
    from markets import services
    from markets.models import Market

    symbols = [f"P{number:03}USDT" for number in range(1, MARKETS + 1)]
    while Market.objects.filter(symbol__in=symbols).count() < len(symbols):
        time.sleep(0.5)
    carol = people.find_by_email("carol@example.com")
    assert carol is not None
    for rank, symbol in enumerate(symbols):
        services.decide_listing(symbol, is_listed=True, rank=100 + rank, own_fee_bps=None, by=carol)


def ask() -> None:
    """Questions of every kind until the time is over; what came of them, and how many were answered after a ban."""
    from exchange.binance.errors import NotSent, Rejected, Unknown
    from exchange.gate import services as gate

    account, counts, ends = (
        gate.primary_account(),
        Counter[str](),
        time.monotonic() + float(os.environ["SECONDS"]),
    )
    refused: list[tuple[float, float]] = []
    while (began := time.monotonic()) < ends:
        try:
            gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.time())
            began = time.monotonic()
            gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.order(SYMBOL, "none"))
        except Rejected:
            counts["answered"] += 2
            counts["after"] += counts["Banned"] > 0
        except (NotSent, Unknown) as error:
            counts[type(error).__name__] += 1
            if type(error) is NotSent:  # by the venue itself
                refused.append((began, time.monotonic()))
        time.sleep(0.05)
    print(json.dumps({**counts, "refused": refused}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
        import django

        django.setup()
        {"list": list_all, "ask": ask}[sys.argv[1]]()
    else:
        sys.exit(verdict(main, prove="gate"))
