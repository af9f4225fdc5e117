"""Four processes that take orders by the API, one of which flips a kill switch; see `tests.race`."""

import time
from typing import Any

from django.conf import settings
from django.test import Client, override_settings

from accounts.models import User
from exchange.gate import services as gate
from tests.exchange.paper.people import TRADE
from tests.orders.quiet import QUICK, SYMBOL, Quiet
from tests.race import Runner

BEFORE, AFTER = 2.0, 3.0  # seconds of orders until the switch is flipped, and from then on


def facts_of(market: Quiet) -> dict[str, Any]:
    """What the processes have to know of the venue, and a price at which nobody trades."""
    return {"url": settings.BINANCE_REST_URL, "price": f"{market.last * 99 / 100:.2f}"}


def orders_until_stopped(runner: Runner) -> dict[str, Any]:
    """When each order was taken, and each refused; the first process flips the switch on the way."""
    facts = runner.facts
    keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
    address = {"BINANCE_REST_URL": facts["url"], "BINANCE_SAPI_URL": facts["url"]}
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(pk=facts["users"][runner.number]))
    found: dict[str, Any] = {"taken": [], "refused": [], "others": [], "flipped_at": 0}
    waits = {"OPEN_ORDERS_SHARE_PERCENT": 100, "BOOK_STALE_SECONDS": 600, "RELAY_THREADS": 2}
    with override_settings(**keys, **address, **{**QUICK, **waits}):
        _order(browser, facts["price"], found)  # the first of a process loads what it needs
        runner.wait()
        began = time.time()
        while time.time() - began < BEFORE + AFTER:
            if runner.number == 0 and not found["flipped_at"] and time.time() - began > BEFORE:
                staff = User.objects.get(pk=facts["carol"])
                gate.flip_switch(scope="EVERYTHING", by=staff, reason="stop it")
                found["flipped_at"] = time.time()
            _order(browser, facts["price"], found)
    return found


def _order(browser: Client, price: str, found: dict[str, Any]) -> None:
    body = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": price}
    answer = browser.post("/api/v1/orders/", {**body, "quantity": "0.001"}, content_type="application/json")
    told = answer.json()
    if answer.status_code == 201 and told["status"] == "OPEN":
        found["taken"].append(time.time())
    elif "trading_stopped" in (told.get("code"), told.get("reason_code")):
        found["refused"].append(time.time())
    else:
        found["others"].append(told)
