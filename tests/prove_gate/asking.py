"""What is done by the services, in a process of its own: `list`, `flip` and `release` by staff, and `ask`."""

import json
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.prove_gate.load import SYMBOL
from tests.prove_gate.stage import MARKETS

if TYPE_CHECKING:
    from accounts.models import User


def list_all() -> None:
    """Staff list all the busy markets, so that each has a book."""
    from markets import services
    from markets.models import Market

    symbols = [f"P{number:03}USDT" for number in range(1, MARKETS + 1)]
    while Market.objects.filter(symbol__in=symbols).count() < len(symbols):
        time.sleep(0.5)
    carol = _one_of_staff("carol")
    for rank, symbol in enumerate(symbols):
        services.decide_listing(symbol, is_listed=True, rank=100 + rank, own_fee_bps=None, by=carol)


def flip() -> None:
    """All new orders are stopped; prints the moment from which on."""
    from exchange.gate import services as gate

    gate.flip_switch(scope="EVERYTHING", by=_one_of_staff("carol"), reason="it is tried")
    print(time.time())


def release() -> None:
    from exchange.gate import services as gate
    from exchange.gate.models import Switch

    for switch in Switch.objects.filter(released_at=None):
        gate.ask_release(switch.pk, by=_one_of_staff("carol"), reason="it was tried")
        gate.confirm_release(switch.pk, by=_one_of_staff("dave"), reason="it was tried")


def _one_of_staff(name: str) -> "User":
    from accounts import queries as people

    found = people.find_by_email(f"{name}@example.com")
    assert found is not None, "nobody of staff is there"
    return found


def ask() -> None:
    """Questions of every kind until the time is over; what came of them, and how many were answered after a ban."""
    from exchange.binance.errors import NotSent, Rejected, Unknown
    from exchange.gate import services as gate

    account, counts = gate.primary_account(), Counter[str]()
    refused: list[tuple[float, float]] = []
    print("ready", flush=True)
    ends = time.monotonic() + float(os.environ["SECONDS"])
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
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    {"list": list_all, "flip": flip, "release": release, "ask": ask}[sys.argv[1]]()
