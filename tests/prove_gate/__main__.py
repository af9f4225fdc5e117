"""`make prove-gate`. SCENES=books,flood,hang,outage,switch,ban chooses, SCALE=0.3 shortens, ORDERS=50 is what the venue
takes of an account in ten seconds. A line for each scene; the last one is one JSON object."""

import json
import os
import sys
from typing import Any

from tests.journeys.site import running_site
from tests.prove_gate import ban, books, flood, hang, outage, switch
from tests.prove_gate.stage import MARKETS, Stage
from tests.verdict import verdict

PLAYS = {
    "books": books.play, "flood": flood.play, "hang": hang.play, "outage": outage.play, "switch": switch.play,
    "ban": ban.play,
}  # fmt: skip
SCENES = (os.environ.get("SCENES") or ",".join(PLAYS)).split(",")
SETTINGS = {
    "API_RATE_USER": "1000000/min",
    "API_RATE_ANON": "1000000/min",
    "PAPER_CROWD": str(MARKETS),
    # What lies in which account is known a moment later, and what was moved there by hand is not looked into.
    "POLL_SECONDS": "5",
    "RECONCILE_SECONDS": "86400",
}


def main() -> int:
    figures: dict[str, Any] = {"prove": "gate"}
    with running_site(**SETTINGS) as site:
        stage = Stage(site, with_books="books" in SCENES)
        for name in SCENES:
            figures[name] = PLAYS[name](stage)
            print(f"{name}: {json.dumps(figures[name])}", flush=True)
    figures["ok"] = all(figures[name]["ok"] for name in SCENES)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(verdict(main, prove="gate"))
