"""For half a minute the venue answers nothing but 5xx, under load: some of it carried out, most of it not."""

import re
import time
from typing import Any

from tests.prove_gate.load import NEVER, TAKEN, Client, answers_of, crowd, quantile, tries_of
from tests.prove_gate.stage import SCALE, Stage

RATE, QUIET_SECONDS = 10.0, 10
DOORS = (
    "place", "cancel", "cancel all", "query", "open orders", "all orders", "trades", "account", "depth", "networks",
    "deposit history", "withdraw history", "sub-account history",
)  # fmt: skip
MANY, CARRIED_OUT = 100_000, 3
PAUSED, ANSWERED = "venue_paused", "a probe was answered"
# Within what it opens: half of the last calls have failed by then. Within what a probe comes, and another order.
OPENED_SECONDS, BACK_SECONDS = 5.0, 15.0
# A refusal asks nobody outside, so it comes as soon as any page.
IMMEDIATE_MS = 250.0
CHANGED = re.compile(
    r"event=breaker\.changed breaker=\"(?P<who>\w+): place\" state=(?P<state>\w+) reason=\"?(?P<why>[^\"\n]*)"
)
PROBE_FAILED = re.compile(r"event=breaker\.probe_failed .*?breaker=\"?\w+: place\"?")


class Outage:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.seconds = stage, 30 * SCALE
        self.began = self.ended = 0.0
        self.heard_until = 0
        self.tried: dict[str, int] = {}
        self.owners = stage.clients(stage.tokens[:2])
        self.resting: list[tuple[Client, int]] = []

    def rest(self) -> None:
        """Orders that customers want to cancel during the outage."""
        while len(self.resting) < 10:
            client = self.owners[len(self.resting) % len(self.owners)]
            if (number := client.place()) is not None:
                self.resting.append((client, number))
            time.sleep(0.2)

    def strike(self) -> None:
        """After a quiet while; then everything is well again for as long as a breaker may need."""
        time.sleep(QUIET_SECONDS)
        door = self.stage.door
        door.ask(on="place", do="504 after", count=CARRIED_OUT)
        for name in DOORS:
            door.ask(on=name, do="503 before", count=MANY)
        self.began = time.time()
        time.sleep(self.seconds / 2)
        for client, number in self.resting:
            client.cancel(number)
        time.sleep(max(0.0, self.began + self.seconds - time.time()))
        left = {row["on"]: row["count"] for row in door.state()["faults"] if row["do"] == "503 before"}
        self.ended = time.time()
        door.clear()
        self.heard_until = len(self.stage.site.output)
        self.tried = {name: MANY - left[name] for name in ("place", "cancel")}
        time.sleep(BACK_SECONDS + 5)


def play(stage: Stage) -> dict[str, Any]:
    outage, before = Outage(stage), stage.unwelcome()
    outage.rest()
    since, clients = stage.latest(), stage.clients()
    crowd(clients, 0, RATE, outage.strike)
    unfinished = stage.left()
    told = {
        "seconds": outage.seconds,
        **_opened(outage, clients),
        "reached_the_venue": outage.tried,
        "cancels_wanted": answers_of(outage.owners),
        **_closed(outage, clients),
        "answers": answers_of(clients),
        "ended": stage.ends(since),
        "left": unfinished,
        "apart": stage.apart(since),
        "too_much": stage.too_much_since(before),
    }
    told["ok"] = (
        told["opened_after_s"] <= OPENED_SECONDS
        and told["refusal_p95_ms"] <= IMMEDIATE_MS
        and told["taken_while_open"] <= told["reached_the_venue"]["place"]
        and told["reached_the_venue"]["cancel"] > 0
        and sorted(told["changes_after"]) == [f"{name} CLOSED {ANSWERED}" for name in ("primary", "second")]
        and told["probes_failed_after"] == 0
        and told["back_after_s"] <= BACK_SECONDS
        and not (unfinished or told["apart"] or told["too_much"])
    )
    return told


def _opened(outage: Outage, clients: list[Client]) -> dict[str, Any]:
    """When the first was refused because it is open, and how soon each refusal was told; what was taken was a probe."""
    during = [one for one in tries_of(clients) if outage.began <= one.at < outage.ended]
    refused = [one for one in during if one.word == PAUSED]
    opened_at = min((one.at for one in refused), default=outage.began + NEVER)
    quiet = [one.ms for one in tries_of(clients, TAKEN) if one.at < outage.began]
    return {
        "opened_after_s": round(opened_at - outage.began, 2),
        "refused": len(refused),
        "refusal_p95_ms": quantile([one.ms for one in refused], 95),
        "order_p95_ms_before": quantile(quiet, 95),
        "taken_while_open": sum(one.at > opened_at and one.word == TAKEN for one in during),
    }


def _closed(outage: Outage, clients: list[Client]) -> dict[str, Any]:
    """What the processes said of the breakers once the venue was well, and when an order was taken again."""
    said = outage.stage.site.output[outage.heard_until :]
    changes = [found.groups() for found in CHANGED.finditer(said)]
    again = [one.at for one in tries_of(clients, TAKEN) if one.at >= outage.ended]
    return {
        "changes_after": [" ".join(found) for found in changes],
        "probes_failed_after": len(PROBE_FAILED.findall(said)),
        "back_after_s": round(min(again) - outage.ended, 2) if again else NEVER,
        "taken_after": len(again),
    }
