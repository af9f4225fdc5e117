"""Customers who place orders that rest and cancel them, so many a second, and how long that took."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from threading import Event
from typing import Any
from uuid import uuid4

import requests

from tests.soak.traders import Prices

SYMBOL = "BTCUSDT"
TAKEN = "taken"
# Seconds, of what did not come.
NEVER = 999.0
# Far enough from the market that nobody trades.
APART = {"BUY": Decimal("0.95"), "SELL": Decimal("1.05")}


@dataclass(frozen=True)
class Try:
    """When an order was asked for (time.time()), after how many milliseconds it was answered, and by which word."""

    at: float
    ms: float
    word: str


class Client:
    """One customer's hand at one web process."""

    def __init__(self, url: str, prices: Prices, token: str, side: str = "BUY") -> None:
        self.orders, self.prices, self.side, self.http = (
            f"{url}/api/v1/orders/",
            prices,
            side,
            requests.Session(),
        )
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.tries: list[Try] = []
        self.canceled: list[float] = []
        self.answers: Counter[str] = Counter()

    def place(self, tif: str = "GTC") -> int | None:
        """The order's number if it was taken."""
        best, tick = self.prices.best[SYMBOL][self.side == "SELL"], self.prices.steps[SYMBOL][0]
        price = best * APART[self.side] // tick * tick
        body = {
            "symbol": SYMBOL, "side": self.side, "type": "LIMIT", "time_in_force": tif, "price": f"{price:f}",
            "quantity": "0.0003", "client_order_id": uuid4().hex,
        }  # fmt: skip
        at, began = time.time(), time.monotonic()
        answer = self.http.post(self.orders, json=body, timeout=60)
        took, found = (time.monotonic() - began) * 1000, answer.json()
        is_taken = answer.status_code in (201, 202)
        word = TAKEN if is_taken else str(found["code"])
        self.tries.append(Try(at, took, word))
        self.answers[word] += 1
        return int(found["id"]) if is_taken else None

    def cancel(self, number: int) -> None:
        began = time.monotonic()
        answer = self.http.delete(f"{self.orders}{number}/", timeout=60)
        self.canceled.append((time.monotonic() - began) * 1000)
        self.answers[f"cancel {answer.status_code}"] += 1

    def cancel_all(self) -> None:
        self.http.delete(self.orders, timeout=60)

    def trade(self, until: Event, pause: float, begin: float) -> None:
        """An order and its cancel after each pause, until it is over."""
        next_at = time.monotonic() + begin
        while not until.wait(max(0.0, next_at - time.monotonic())):
            next_at = max(next_at + pause, time.monotonic() - pause)
            number = self.place()
            if number is not None:
                self.cancel(number)


def nothing() -> None:
    """Nobody else does anything."""


def crowd(
    clients: Sequence[Client], seconds: float, rate: float, meanwhile: Callable[[], None] = nothing
) -> list[Client]:
    """So many orders a second by these clients together, while something goes on."""
    over, most = Event(), len(clients)
    with ThreadPoolExecutor(most) as threads:
        tries = [
            threads.submit(client.trade, over, most / rate, number / rate)
            for number, client in enumerate(clients)
        ]
        ends = time.monotonic() + seconds
        try:
            meanwhile()
            time.sleep(max(0.0, ends - time.monotonic()))
        finally:
            over.set()
        for each in tries:
            each.result()
    return list(clients)


def quantile(found: Iterable[float], percent: int) -> float:
    ordered = sorted(found)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1) if ordered else 0.0


def tries_of(clients: Iterable[Client], word: str = "") -> list[Try]:
    """By time; those that were answered by this word."""
    found = [one for client in clients for one in client.tries if word in ("", one.word)]
    return sorted(found, key=lambda one: one.at)


def answers_of(clients: Iterable[Client]) -> dict[str, int]:
    return dict(sum((client.answers for client in clients), Counter()))


def times(hard: float, calm: float) -> float:
    """How many times the quiet figure the other is."""
    return round(hard / max(calm, 0.1), 2)


def compared(quiet: list[Client], busy: list[Client], percent: int) -> dict[str, Any]:
    """Orders that were taken, and cancels, of a quiet time and of a busy one."""
    calm, hard = ([one.ms for one in tries_of(clients, TAKEN)] for clients in (quiet, busy))
    cancels = [[ms for client in clients for ms in client.canceled] for clients in (quiet, busy)]
    of_cancels = [quantile(found, 95) for found in cancels]
    return {
        "orders": [len(calm), len(hard)],
        f"p{percent}_ms": [quantile(calm, percent), quantile(hard, percent)],
        "p50_ms": [quantile(calm, 50), quantile(hard, 50)],
        "times_quiet": times(quantile(hard, percent), quantile(calm, percent)),
        "cancel_p95_ms": of_cancels,
        "cancel_times_quiet": times(of_cancels[1], of_cancels[0]),
        "answers": answers_of(busy),
    }
