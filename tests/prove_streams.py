"""`make prove-streams`: listen keys in the whole product, the venue's clock sixty times as fast. Last line: JSON.

Three simulated hours: the Celery sweep renews the key, the paper venue counts the renewals, and every trade that it
makes with alice's resting orders is heard and booked. Then the worker is stopped for 61 simulated minutes: the key
expires, which is noticed, told to staff and recovered from, and every trade is booked again. What was booked is held
against the venue's own list of trades, and the books against its balances.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import requests

from tests.exchange.paper.people import Caller
from tests.journeys.people import AppCustomer
from tests.journeys.site import Site, running_site
from tests.verdict import verdict

SPEED, HOURS, DEAF_MINUTES = 60, 3, 61
SYMBOL, TICK = "BTCUSDT", Decimal("0.01")
# Every renewal in half an hour of the venue's; sweeps find a trade by asking too late to matter.
WAITS = {"LISTEN_KEY_RENEW_SECONDS": str(1800 // SPEED), "POLL_SECONDS": "20", "FIRST_MARKETS": SYMBOL}
BETWEEN_ORDERS = 1.0
RECOVERED_SECONDS, MOST_RENEWALS, FEWEST_RENEWALS, FEWEST_FILLS = 20.0, 7, 5, 20


def until(is_so: Callable[[], object], *, what: str, seconds: int = 40) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.25)


class Proof:
    def __init__(self, site: Site) -> None:
        self.site = site
        known = site.environment
        keys = {"key": known["BINANCE_API_KEY"], "secret": known["BINANCE_API_SECRET"]}
        self.venue = Caller(known["BINANCE_REST_URL"], keys)
        self.alice = AppCustomer(site, "alice@example.com")

    def run(self) -> dict[str, Any]:
        until(self.is_followed, what="the stream")
        until(lambda: self.alice.signed_in(self.site.passwords["alice"]), what="alice to sign in")
        until(lambda: self.alice.available("USDT") > 0, what="alice's money", seconds=90)
        self.venue.door("fault", do="speed", times=SPEED)
        began = self.counts()
        self.trade_for(HOURS * 3600 / SPEED)
        renewed = self.since(began)
        print(f"{HOURS} simulated hours: {renewed}", flush=True)
        deaf = self.deafen()
        self.settle()
        return self.figures(renewed, deaf)

    def deafen(self) -> dict[str, Any]:
        """The worker stands still, the key expires; when the stream was followed again, and what was said."""
        worker, began = self.site.pid_of("worker"), self.counts()
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        try:
            recovered = self.trade_for(DEAF_MINUTES * 60 / SPEED, until_followed_again=began)
        finally:
            os.kill(worker, signal.SIGCONT)
        found = {**self.since(began), "recovered_in": recovered, "told": self.told()}
        print(f"{DEAF_MINUTES} minutes without a worker: {found}", flush=True)
        return found

    # ------------------------------------------------------------------ what goes on meanwhile
    def trade_for(self, seconds: float, until_followed_again: dict[str, int] | None = None) -> float | None:
        """alice places an order a second that somebody takes later; seconds from an expiry to the next key."""
        until, expired_at, recovered = time.monotonic() + seconds, 0.0, None
        while (now := time.monotonic()) < until:
            self.place()
            if until_followed_again is not None and recovered is None:
                seen = self.since(until_followed_again)
                expired_at = expired_at or (now if seen["expired"] else 0.0)
                if expired_at and seen["POST"] and self.is_followed():
                    recovered = round(time.monotonic() - expired_at, 1)
            time.sleep(max(0.0, now + BETWEEN_ORDERS - time.monotonic()))
        return recovered

    def place(self) -> None:
        """A tick above the best bid, where the next seller finds it."""
        best = self.venue.get("/api/v3/ticker/bookTicker", symbol=SYMBOL)["bidPrice"]
        price = Decimal(best) + TICK
        quantity = (Decimal(15) / price).quantize(Decimal("0.00001"))
        ticket = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
        amounts = {"price": f"{price:f}", "quantity": f"{quantity:f}", "client_order_id": uuid4().hex}
        with suppress(requests.exceptions.RequestException):  # a moment's refusal: the next second comes
            self.alice.http.post(f"{self.site.url}/api/v1/orders/", json={**ticket, **amounts}, timeout=20)

    def settle(self) -> None:
        """What rests is canceled, and everything has ended."""
        self.alice.delete("orders/")
        until(lambda: not self.rows(UNFINISHED), what="every order to end", seconds=90)
        until(self.agrees, what="the books and the venue to agree", seconds=60)

    # ------------------------------------------------------------------ what is known
    def counts(self) -> dict[str, int]:
        return dict(self.venue.door_get("state")["listen_keys"])

    def since(self, before: dict[str, int]) -> dict[str, int]:
        return {name: count - before[name] for name, count in self.counts().items()}

    def is_followed(self) -> bool:
        with suppress(OSError, ValueError, KeyError, IndexError):
            now = requests.get(f"{self.site.url}/status.json", timeout=5).json()
            return bool(now["user_streams"][0]["state"] == "SUBSCRIBED")
        return False

    def told(self) -> int:
        """How many of staff found a message about it."""
        return len(self.rows("SELECT 1 FROM office_notice WHERE kind = 'gate.stream'"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.site.database() as connection:
            return connection.execute(query).fetchall()

    def agrees(self) -> bool:
        try:
            return "agree" in self.site.manage("ledger_compare")
        except AssertionError:
            return False

    def trades(self) -> set[int]:
        """Every trade that the venue made for us."""
        found: set[int] = set()
        number = 0
        while rows := self.venue.signed(
            "GET", "/api/v3/myTrades", symbol=SYMBOL, limit=1000, fromId=number
        ).json():
            found |= {row["id"] for row in rows}
            number = max(found) + 1
        return found

    def key_is_told(self) -> bool:
        """Whether a listen key is in anything that any process has said."""
        ((key,),) = self.rows("SELECT listen_key FROM gate_venueaccount WHERE is_primary")
        return not key or key in self.site.output

    def figures(self, renewed: dict[str, int], deaf: dict[str, Any]) -> dict[str, Any]:
        booked = [number for (number,) in self.rows("SELECT trade_id FROM orders_fill")]
        theirs = self.trades()
        lines = [line for line in self.site.output.splitlines() if "event=order.reported" in line]
        by_stream = [line for line in lines if "source=stream" in line and "FILLED" in line]
        return {
            "renewals": renewed["PUT"],
            "expired_meanwhile": renewed["expired"],
            "new_keys_meanwhile": renewed["POST"],
            "expired_without_worker": deaf["expired"],
            "recovered_in": deaf["recovered_in"],
            "staff_told": deaf["told"],
            "trades": len(theirs),
            "reports_of_trades_by_stream": len(by_stream),
            "missing": len(theirs - set(booked)),
            "doubled": len(booked) - len(set(booked)),
            "key_is_told": self.key_is_told(),
            "unbalanced": len(self.site.trial_balance()),
        }


UNFINISHED = "SELECT id FROM orders_order WHERE finished_at IS NULL"


def is_proven(figures: dict[str, Any]) -> bool:
    recovered = figures["recovered_in"]
    return (
        FEWEST_RENEWALS <= figures["renewals"] <= MOST_RENEWALS
        and figures["expired_meanwhile"] == figures["new_keys_meanwhile"] == 0
        and figures["expired_without_worker"] >= 1
        and recovered is not None
        and recovered <= RECOVERED_SECONDS
        and figures["staff_told"] > 0
        and figures["trades"] >= FEWEST_FILLS
        and figures["reports_of_trades_by_stream"] >= FEWEST_FILLS
        and not figures["key_is_told"]
        and figures["missing"] == figures["doubled"] == figures["unbalanced"] == 0
    )


def main() -> int:
    with running_site(BINANCE_USER_STREAM="listen_key", **WAITS) as site:
        figures: dict[str, Any] = {"prove": "listen keys at sixty times the speed", **Proof(site).run()}
    figures["ok"] = is_proven(figures)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(verdict(main, prove="listen keys at sixty times the speed"))
