"""`make prove-market`: 400 busy markets lose their books at once, twice. The last line is one JSON object.

First the line is lost, then every market loses an event. Each time the watched books are LIVE again within 10 seconds
and all within 60, first on shallow snapshots; all of it uses less than 60 % of the venue's request weight. Meanwhile
the venue is asked, from another address, for books at random moments: what was told as LIVE is what they were.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from exchange.local import suite
from tests.verdict import verdict

MARKETS, WATCHED = 400, 20
# What is asked, in seconds from the fault and in parts of the venue's limit.
WATCHED_SECONDS, ALL_SECONDS, WEIGHT_SHARE = 10.0, 60.0, 0.6
# A fault that nobody notices so soon did nothing.
NOTICED_SECONDS = 5.0
# Until what is kept back of the weight has flowed in again, and until the watched books are deepened.
CALM_SECONDS, DEEP_SECONDS = 120.0, 200.0
FAULTS: dict[str, dict[str, Any]] = {"line_lost": {"do": "cut"}, "books_lost": {"do": "drop"}}


def main() -> int:
    with suite.serving_tests(os.environ):
        suite.enter_worker(os.environ, "gw0")
        suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
        import django

        django.setup()
        with tempfile.TemporaryDirectory() as folder:
            figures = prove(Path(folder))
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


def prove(folder: Path) -> dict[str, Any]:
    from tests.markets.processes import address_in, addresses, process
    from tests.markets.watching import Watching

    venue, data = folder / "paper.log", {"DATA_DIR": str(folder)}
    with process(venue, "paper", "--port", "0", "--crowd", str(MARKETS), **data) as paper:
        at = address_in(venue, paper)
        symbols = [f"P{number:03}USDT" for number in range(1, MARKETS + 1)]
        watching = Watching(at, symbols, symbols[:: MARKETS // WATCHED])
        with watching.open(), process(folder / "markets.log", "markets", **addresses(at), **data):
            list_markets(symbols)
            began = time.monotonic()
            figures: dict[str, Any] = {"prove": "400 books at once", "start": back(watching, began, 120)}
            print(f"start: {figures['start']}", flush=True)
            for name, fault in FAULTS.items():
                time.sleep(CALM_SECONDS)
                figures |= strike(watching, name, fault)
            time.sleep(DEEP_SECONDS)
            figures |= watching.figures()
    figures["ok"] = is_proven(figures)
    return figures


def list_markets(symbols: list[str]) -> None:
    """Staff list them all, as soon as the catalogue has them."""
    from markets import services
    from markets.models import Market
    from tests.factories import make_user

    while Market.objects.filter(symbol__in=symbols).count() < len(symbols):
        time.sleep(0.2)
    carol = make_user("carol")
    for rank, symbol in enumerate(symbols):
        services.decide_listing(symbol, is_listed=True, rank=100 + rank, own_fee_bps=None, by=carol)


def strike(watching: Any, name: str, fault: dict[str, Any]) -> dict[str, Any]:
    """Seconds are counted from the fault, and until it is noticed nobody is back.

    Not every book that was struck is seen down: the first are back within the tick in which they were lost.
    """
    began = time.monotonic()
    watching.caller.door("fault", **fault)
    while watching.live(watching.symbols) == MARKETS and time.monotonic() - began < ALL_SECONDS:
        time.sleep(0.05)
    noticed = round(time.monotonic() - began, 1)
    found = {"noticed": noticed, **back(watching, began, ALL_SECONDS * 2)}
    found["down"] = watching.down_since(began)
    found["struck"] = MARKETS - watching.left_to_strike()
    print(f"{name}: {found}", flush=True)
    return {name: found}


def back(watching: Any, began: float, seconds: float) -> dict[str, Any]:
    """Until when a watched book was not LIVE, and until when any was (0: none was seen so); how much they knew then."""
    while watching.live(watching.symbols) < MARKETS and time.monotonic() - began < seconds:
        time.sleep(0.05)
    depths = watching.depths()
    took = {
        "watched": round(max(watching.last_down(watching.watched) - began, 0), 1),
        "all": round(max(watching.last_down(watching.symbols) - began, 0), 1),
    }
    return {**took, "live": watching.live(watching.symbols), "knew_at_least": min(depths, default=0)}


def is_proven(figures: dict[str, Any]) -> bool:
    struck = [figures[name] for name in FAULTS]
    return (
        all(found["watched"] <= WATCHED_SECONDS and found["all"] <= ALL_SECONDS for found in struck)
        and all(found["live"] == MARKETS and found["knew_at_least"] > 0 for found in struck)
        and all(found["noticed"] < NOTICED_SECONDS and found["down"] > 0 for found in struck)
        and all(found["struck"] == MARKETS for found in struck)
        and figures["most_weight_of_a_minute"] < WEIGHT_SHARE
        and figures["most_weight_of_60_seconds"] < WEIGHT_SHARE
        and figures["watched_known_at_least"] >= 500
        and figures["compared"] > 500
        and figures["all_compared"] > MARKETS * 0.8
        and figures["wrong"] == 0
    )


if __name__ == "__main__":
    sys.exit(verdict(main, prove="400 books at once"))
