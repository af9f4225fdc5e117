"""Processes that post as fast as they can: one line of JSON asks for a slice, one line answers with what it did."""

import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypedDict

Post = Callable[[int], None]


class Slice(TypedDict):
    """What one worker did: how many postings, milliseconds of each, errors by name."""

    done: int
    ms: list[float]
    errors: dict[str, int]


class Worker:
    """A process of its own, with a connection of its own."""

    def __init__(self, site: str, number: int, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.bench.workers", site, str(number)]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def begin(self, act: str, accounts: list[int], seconds: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"act": act, "accounts": accounts, "seconds": seconds}) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Slice:
        answer: Slice = self._read()
        return answer

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with status {self._process.wait()}")
        return json.loads(line)


def run_slice(post: Post, accounts: list[int], seconds: float) -> Slice:
    """Posts for random accounts until the time is over."""
    errors: Counter[str] = Counter()
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        try:
            post(random.choice(accounts))
        except Exception as error:  # what it is called is the figure
            errors[type(error).__name__] += 1
        else:
            latencies.append((time.perf_counter() - begun) * 1000)
    return {"done": len(latencies), "ms": latencies, "errors": dict(errors)}


# ------------------------------------------------------------------ what they post
def causeway_posts(number: int) -> dict[str, Post]:
    """Holds and fills through the ledger's own services; accounts are customers."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    from exchange.gate import services as gate
    from ledger import services as ledger

    ids = itertools.count(number * 10**9 + time.time_ns() // 10**6 % 10**8 * 10)
    venue_account_id = gate.primary_account().pk
    order = ledger.Cause.ORDER

    def hold(user_id: int) -> None:
        ledger.hold(user_id=user_id, asset="USDT", amount=Decimal("1.5"), cause=order, cause_id=next(ids))

    def fill(user_id: int) -> None:
        """A buy with our fee and the venue's commission: seven entries."""
        ledger.post_fill(
            ledger.FillPosting(
                key=f"1:BTCUSDT:{next(ids)}",
                user_id=user_id,
                venue_account_id=venue_account_id,
                order_id=user_id,
                side="BUY",
                base="BTC",
                quote="USDT",
                quantity=Decimal("0.00002"),
                quote_quantity=Decimal("0.798"),
                fee=Decimal("0.00000002"),
                commission=Decimal("0.00000001"),
                commission_asset="BTC",
            )
        )

    return {"hold": hold, "fill": fill}


def hordak_posts(_number: int) -> dict[str, Post]:
    """The same acts by django-hordak's documented API; accounts are triples of its accounts, by their first."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.hordak_site"
    import django

    django.setup()
    from django.db import transaction
    from hordak.models import Account, Leg, Transaction
    from moneyed import Money

    accounts = {account.pk: account for account in Account.objects.all()}
    house = [account for account in accounts.values() if account.name.startswith("house")]

    def hold(first: int) -> None:
        accounts[first].transfer_to(accounts[first + 1], Money("1.5", "USD"))

    def fill(first: int) -> None:
        paid, got, fee = Money("0.798", "USD"), Money("0.00001998", "EUR"), Money("0.00000002", "EUR")
        with transaction.atomic():
            made = Transaction.objects.create()
            legs = [
                (accounts[first + 1], {"debit": paid}), (house[0], {"credit": paid}),
                (house[1], {"debit": got + fee}), (accounts[first + 2], {"credit": got}), (house[2], {"credit": fee}),
            ]  # fmt: skip
            for account, side in legs:
                Leg.objects.create(transaction=made, account=account, **side)

    return {"hold": hold, "fill": fill}


def main(site: str, number: int) -> None:
    posts = {"causeway": causeway_posts, "hordak": hordak_posts}[site](number)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        found = run_slice(posts[asked["act"]], asked["accounts"], asked["seconds"])
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
