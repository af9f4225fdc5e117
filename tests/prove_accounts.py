"""`make prove-accounts`: two venue accounts with different funds, their keys rotated and one revoked, under load.

A whole site and customers who trade through the API. The house's BTC lies in the second account alone, so ETH is bought
in the first and BTC sold in the second. Meanwhile the secret under which keys are sealed is changed several times and
processes are killed, so that new ones open what was sealed anew: no order fails. Then the second key is revoked at the
venue: buying goes on, and when the key is good again so does selling. In the end each account's books are what the
venue has, and no secret is in the database, Redis, the logs or a page. Last line: JSON.
"""

import json
import os
import secrets
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from tests.canaries import found_in, places_of
from tests.journeys.people import PASSWORD, AppCustomer, eventually
from tests.journeys.site import Site, running_site
from tests.second import HEARD, first_account, give_key, open_second
from tests.soak.guests import email_of, invite
from tests.verdict import verdict

NAME = "accounts at the venue"
GUESTS, PAUSE = 6, 0.5
CALM, BETWEEN = float(os.environ.get("CALM", "20")), float(os.environ.get("BETWEEN", "12"))
ROTATIONS = int(os.environ.get("ROTATIONS", "4"))
REVOKED, RESTORED_SECONDS, TAKEN_OUT_SECONDS = float(os.environ.get("REVOKED", "40")), 30, 5
FUNDS = (("USDT", "TRX", "20000"), ("BTC", "BTC", "0.5"))
WANTED = {
    "BUY": {"symbol": "ETHUSDT", "quote_quantity": "15"},
    "SELL": {"symbol": "BTCUSDT", "quantity": "0.0002"},
}
SETTINGS = {
    "POLL_SECONDS": "5",
    "SWEEP_SECONDS": "1",
    "RECONCILE_SECONDS": "86400",
    "FIRST_MARKETS": "BTCUSDT,ETHUSDT",
    "API_RATE_USER": "1000000/min",
    "API_RATE_ANON": "1000000/min",
}
ASSETS = ("BTC", "ETH", "USDT")


class Guest(AppCustomer):
    """Buys and sells in turn; every answer is remembered with its moment."""

    def __init__(self, site: Site, number: int) -> None:
        super().__init__(site, email_of(number))
        self.answers: list[tuple[float, str, int, str, int | None]] = []
        self.side = "BUY" if number % 2 else "SELL"

    def arrive(self) -> None:
        eventually(lambda: self.signed_in(PASSWORD), what=f"{self.email} to sign in")
        for asset, network, amount in FUNDS:
            address = self.post("deposit-address/", {"asset": asset, "network": network}, expect=200)
            self.site.paper_deposit(asset, network, amount, address["address"], address["tag"])

    def trade(self, over: threading.Event) -> None:
        while not over.wait(PAUSE):
            self.side = "SELL" if self.side == "BUY" else "BUY"
            what = WANTED[self.side]
            self.ask({**what, "side": self.side, "type": "MARKET", "client_order_id": uuid4().hex})

    def ask(self, asked: dict[str, str]) -> None:
        began, side = time.monotonic(), asked["side"]
        try:
            answer = self.http.post(f"{self.site.url}/api/v1/orders/", json=asked, timeout=30)
            told: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            self.answers.append((began, side, 0, type(error).__name__, None))
            return
        code = str(told.get("code") or told.get("reason_code") or "")
        self.answers.append((began, side, answer.status_code, code, told.get("id")))


class Proof:
    def __init__(self, site: Site) -> None:
        self.site, self.first = site, first_account(site)
        self.file = Path(site.environment["VENUE_KEYS_SECRET_FILE"])
        self.secrets = [self.file.read_text().strip()]
        self.over = threading.Event()

    def run(self) -> dict[str, Any]:
        self.arrive()
        self.second = open_second(self.site, self.first).caller
        before = self.differences()
        threads = [threading.Thread(target=guest.trade, args=(self.over,)) for guest in self.guests]
        for thread in threads:
            thread.start()
        try:
            calm = self.phase(CALM)
            rotated = self.rotate()
            revoked = self.revoke()
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        eventually(lambda: not self.rows(UNFINISHED), what="every order to end", seconds=90)
        eventually(
            lambda: self.differences() == before, what="the books to be what the venue has", seconds=60
        )
        return {**self.told(calm, rotated, revoked), **self.leaks()}

    # ------------------------------------------------------------------ before
    def arrive(self) -> None:
        self.first.door("fault", do="order limit", tenSeconds=100_000, day=10_000_000)
        invite(self.site, GUESTS)
        self.guests = [Guest(self.site, number) for number in range(GUESTS)]
        for guest in self.guests:
            guest.arrive()
        expected = GUESTS * len(FUNDS)
        eventually(lambda: len(self.rows(BROUGHT)) == expected, what="the deposits", seconds=120)
        unswept = "SELECT id FROM ledger_deposit WHERE swept_at IS NULL"
        eventually(lambda: not self.rows(unswept), what="the deposits to be swept", seconds=120)

    # ------------------------------------------------------------------ under load
    def phase(self, seconds: float) -> tuple[float, float]:
        began = time.monotonic()
        time.sleep(seconds)
        return began, time.monotonic()

    def rotate(self) -> tuple[float, float]:
        """The settings' key is sealed too, secrets change again and again, and who is killed begins with the newest."""
        began = time.monotonic()
        give_key(self.site, "primary", self.first)
        for turn in range(ROTATIONS):
            self.secrets.append(secrets.token_urlsafe(48))
            self.write(self.secrets[-1], self.secrets[-2])
            said = self.site.manage("rotate_keys")
            assert "2 sealed anew" in said, said
            self.write(self.secrets[-1])
            for name in ("executions", "worker") if turn % 2 else ():
                with suppress(ProcessLookupError):
                    os.kill(self.site.pid_of(name) or 0, signal.SIGKILL)
            time.sleep(BETWEEN)
        return began, time.monotonic()

    def write(self, *found: str) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text("\n".join(found) + "\n")
        fresh.replace(self.file)

    def revoke(self) -> dict[str, float]:
        """When the key was revoked, when its account was out, when it was good again and when it took orders again."""
        eventually(lambda: self.rows(HEARD), what="the second account to be heard")
        at = {"revoked": time.monotonic()}
        self.first.door("key", key=self.second.key["key"], revoked=True)
        eventually(lambda: self.rows(OUT), what="the account to be taken out")
        at["out"] = time.monotonic()
        time.sleep(REVOKED)
        at["good"] = time.monotonic()
        self.first.door("key", key=self.second.key["key"], revoked=False)
        eventually(lambda: self.took(at["good"], "SELL"), what="something to be sold again", seconds=60)
        at["back"] = time.monotonic()
        time.sleep(CALM / 2)
        return at

    def took(self, since: float, side: str) -> int:
        answers = [one for one in self.answers() if one[0] > since and one[1] == side]
        return sum(1 for _at, _side, status, _code, _id in answers if status in TAKEN)

    # ------------------------------------------------------------------ afterwards
    def answers(self) -> list[tuple[float, str, int, str, int | None]]:
        return [answer for guest in self.guests for answer in list(guest.answers)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.site.database() as connection:
            return connection.execute(query).fetchall()

    def failed(self, since: float, until: float, side: str = "") -> Counter[str]:
        """Orders of that time that were refused or not filled, by what was said."""
        ended = dict(self.rows("SELECT id, status || ' ' || reason_code FROM orders_order"))
        found: Counter[str] = Counter()
        for at, what, status, code, number in self.answers():
            if since <= at < until and side in ("", what):
                end = ended.get(number, f"{status} {code}") if status in TAKEN else f"{status} {code}"
                found[end] += not end.startswith("FILLED")
        return +found

    def counted(self, since: float, until: float) -> int:
        return sum(1 for at, *_rest in self.answers() if since <= at < until)

    def differences(self) -> dict[str, Decimal]:
        """What each account has besides what the books say."""
        ours = {(name, asset): -total for name, asset, total in self.rows(POSITIONS)}
        found: dict[str, Decimal] = {}
        for name, caller in (("primary", self.first), ("second", self.second)):
            rows = caller.signed("GET", "/api/v3/account").json()["balances"]
            theirs = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}
            found |= {
                f"{name} {asset}": theirs.get(asset, 0) - ours.get((name, asset), 0) for asset in ASSETS
            }
        return found

    def told(
        self, calm: tuple[float, float], rotated: tuple[float, float], revoked: dict[str, float]
    ) -> dict[str, Any]:
        out, good = revoked["out"], revoked["good"]
        where = {f"{side} {name}": count for side, name, count in self.rows(WHERE)}
        sold_out = self.failed(out + 1, good - 1, "SELL")
        return {
            "orders": len(self.answers()),
            "filled_where": where,
            "calm_failed": dict(self.failed(*calm)),
            "rotated_orders": self.counted(*rotated),
            "rotations": ROTATIONS,
            "rotated_failed": dict(self.failed(*rotated)),
            "taken_out_after_s": round(out - revoked["revoked"], 2),
            "lost_when_revoked": dict(self.failed(revoked["revoked"] - 1, out + 1)),
            "bought_meanwhile": self.took(out + 1, "BUY"),
            "buys_failed_meanwhile": dict(self.failed(out + 1, good - 1, "BUY")),
            "sells_refused_meanwhile": dict(sold_out),
            "back_after_s": round(revoked["back"] - good, 2),
            "failed_after": dict(self.failed(revoked["back"] + 1, time.monotonic())),
            "unbalanced": len(self.site.trial_balance()),
            "sealed_under_newest": self.rows("SELECT count(DISTINCT sealed_under) FROM gate_sealedkey")[0][0],
        }

    def leaks(self) -> dict[str, Any]:
        known = self.site.environment
        keys = json.loads(Path(known["PAPER_KEYS"]).read_text())
        canaries = [*self.secrets, *self.second.key.values()]
        canaries += [text for key in keys.values() for text in key.values()]
        places = places_of(self.site)
        (digest,) = self.rows("SELECT fingerprint FROM gate_sealedkey ORDER BY 1")[0]
        shown = [name for name in ("database", "pages") if digest.split()[1].encode() in places[name]]
        return {
            "canaries": len(canaries),
            "leaks": found_in(places, canaries),
            "searched_bytes": {name: len(text) for name, text in places.items()},
            "fingerprint_in": shown,
        }


TAKEN = (200, 201, 202)
BROUGHT = """
SELECT d.id FROM ledger_deposit d JOIN accounts_user u ON u.id = d.user_id
 WHERE u.email LIKE 'guest%' AND d.status = 'CREDITED'
"""
UNFINISHED = "SELECT id FROM orders_order WHERE finished_at IS NULL"
OUT = "SELECT 1 FROM gate_venueaccount WHERE name = 'second' AND key_state = 'REFUSED'"
POSITIONS = """
SELECT v.name, a.asset_id, sum(e.amount) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
  JOIN gate_venueaccount v ON v.id = a.venue_account_id GROUP BY 1, 2
"""
WHERE = """
SELECT o.side, v.name, count(DISTINCT o.id) FROM orders_fill f JOIN orders_order o ON o.id = f.order_id
  JOIN gate_venueaccount v ON v.id = f.venue_account_id GROUP BY 1, 2 ORDER BY 1, 2
"""


def is_proven(figures: dict[str, Any]) -> bool:
    return (
        set(figures["filled_where"]) == {"BUY primary", "SELL second"}
        and not figures["calm_failed"]
        and not figures["rotated_failed"]
        and figures["rotated_orders"] > 0
        and figures["taken_out_after_s"] <= TAKEN_OUT_SECONDS
        and sum(figures["lost_when_revoked"].values()) <= GUESTS
        and figures["bought_meanwhile"] > 0
        and not figures["buys_failed_meanwhile"]
        and set(figures["sells_refused_meanwhile"]) == {"503 cannot_be_executed"}
        and figures["back_after_s"] <= RESTORED_SECONDS
        and not figures["failed_after"]
        and figures["unbalanced"] == 0
        and figures["sealed_under_newest"] == 1
        and figures["leaks"] == []
        and figures["fingerprint_in"] == ["database", "pages"]
    )


def main() -> int:
    with running_site(**SETTINGS) as site:
        figures: dict[str, Any] = {"prove": NAME, **Proof(site).run()}
    figures["ok"] = is_proven(figures)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(verdict(main, prove=NAME))
