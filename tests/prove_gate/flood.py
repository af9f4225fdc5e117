"""One customer sends a thousand orders by eight connections at once, and others go on as before. Then placements fill
every seat, because the venue takes its time with them, and cancels go on as before."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Event
from typing import Any

from tests.prove_gate.load import Client, answers_of, compared, crowd, quantile
from tests.prove_gate.stage import SCALE, TIMES_QUIET, Stage

FLOOD, HANDS, RATE = 1000, 8, 4
# How long a placement takes then, and of how many orders one after the other the cancels are measured.
PLACING_MS, CANCELS = 1500, 40
WELCOME = {"taken", "cancel 200", "cancel 202"}


def play(stage: Stage) -> dict[str, Any]:
    seconds, before = 60 * SCALE, stage.unwelcome()
    others = stage.tokens[1:5]
    quiet = crowd(stage.clients(others, ["BUY"]), seconds, RATE)
    flood: Counter[str] = Counter()
    busy = crowd(
        stage.clients(others, ["BUY"]), seconds, RATE, lambda: flood.update(_flooded(stage, seconds))
    )
    told = {"flood": dict(flood), **compared(quiet, busy, 95), "behind_placements": _behind(stage)}
    told["too_much"] = stage.too_much_since(before)
    told["ok"] = (
        told["times_quiet"] <= TIMES_QUIET
        and told["cancel_times_quiet"] <= TIMES_QUIET
        and not set(told["answers"]) - WELCOME
        and flood.total() >= FLOOD
        and told["behind_placements"]["ok"]
        and not told["too_much"]
    )
    return told


def _flooded(stage: Stage, seconds: float) -> Counter[str]:
    ends = time.monotonic() + seconds
    hands = stage.clients([stage.tokens[0]] * HANDS, ["BUY"])

    def hand(client: Client) -> None:
        while time.monotonic() < ends or sum(len(one.tries) for one in hands) < FLOOD:
            client.place("IOC")  # it never rests, so that no limit of open orders ends the flood

    with ThreadPoolExecutor(len(hands)) as threads:
        list(threads.map(hand, hands))
    return Counter(answers_of(hands))


# ------------------------------------------------------------------ behind placements
def _behind(stage: Stage) -> dict[str, Any]:
    """Cancels of orders that rest, before all seats of placements are taken and while they are."""
    owners, resting = stage.clients(stage.tokens[:2], ["BUY"]), list[tuple[Client, int]]()
    while len(resting) < 2 * CANCELS:
        client = owners[len(resting) % len(owners)]
        if (number := client.place()) is not None:
            resting.append((client, number))
        time.sleep(0.15)
    _cancel(resting[:CANCELS])
    calm = list(chain.from_iterable(client.canceled for client in owners))
    for client in owners:
        client.canceled.clear()
    over, crowding = Event(), stage.clients(stage.tokens[2:], ["BUY"])
    stage.door.ask(on="place", do="slow", ms=PLACING_MS, count=100_000)
    with ThreadPoolExecutor(len(crowding)) as threads:
        under_way = [threads.submit(_place_on, client, over) for client in crowding]
        time.sleep(2)
        _cancel(resting[CANCELS:])
        over.set()
        for each in under_way:
            each.result()
    stage.door.clear()
    found = list(chain.from_iterable(client.canceled for client in owners))
    answers = answers_of(crowding)
    of_cancels = [quantile(calm, 95), quantile(found, 95)]
    # Who waited for a placement would wait for a good part of what one takes; and some found no seat.
    is_soon = of_cancels[1] <= TIMES_QUIET * of_cancels[0] and max(found) <= max(
        PLACING_MS / 3, TIMES_QUIET * max(calm)
    )
    return {
        "placing_ms": PLACING_MS,
        "cancels": [len(calm), len(found)],
        "cancel_p95_ms": of_cancels,
        "longest_ms": [round(max(calm), 1), round(max(found), 1)],
        "placements": answers,
        "ok": is_soon and len(found) == CANCELS and answers.get("busy", 0) > 0,
    }


def _cancel(resting: list[tuple[Client, int]]) -> None:
    for client, number in resting:
        client.cancel(number)
        time.sleep(0.1)


def _place_on(client: Client, over: Event) -> None:
    while not over.is_set():
        client.place("IOC")
