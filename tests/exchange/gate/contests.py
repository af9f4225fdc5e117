"""What processes do at the same moment: they ask the venue for one thing after the other, as fast as they may."""

import time
from collections import Counter
from contextlib import suppress
from typing import Any

from django.core.cache import cache
from django.test import override_settings

from exchange.binance.errors import NotSent, Rejected
from exchange.gate import services as gate
from tests.exchange.paper.people import TRADE, Caller
from tests.race import Runner

PAUSE = 0.004


def venue_settings(url: str) -> dict[str, Any]:
    return {
        "BINANCE_REST_URL": url,
        "BINANCE_SAPI_URL": url,
        "BINANCE_API_KEY": TRADE["key"],
        "BINANCE_API_SECRET": TRADE["secret"],
        "BREAKER_FAILURES": 10_000,
    }


def ask_through_a_ban(runner: Runner) -> dict[str, int]:
    """Calls until the time is over; the first process has the venue ban us, and Redis forget in the midst of it."""
    facts, outcomes = runner.facts, Counter[str]()
    with override_settings(**venue_settings(facts["url"])):
        account, door = gate.primary_account(), Caller(facts["url"])
        runner.wait()
        began, waits_for = time.monotonic(), ["ban", "flush"] if runner.number == 0 else []
        while (now := time.monotonic() - began) < facts["seconds"]:
            if waits_for and now > facts[waits_for[0]]:
                if waits_for.pop(0) == "ban":
                    door.door("fault", on="query", do="418", ms=facts["ban_ms"])
                else:
                    cache.clear()
            try:
                with suppress(Rejected):
                    gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.order("BTCUSDT", "none"))
                gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.time())
                outcomes["answered"] += 2
            except NotSent as error:
                outcomes[type(error).__name__] += 1
            time.sleep(PAUSE)
    return dict(outcomes)
