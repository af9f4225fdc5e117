"""A sender that falls asleep between the hold and the venue, past the time for sending, sends nothing that counts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from ledger.models import Transfer
from orders import services
from orders.models import Order
from tests.exchange.paper.people import TRADE, wait_for
from tests.factories import balance
from tests.markets.processes import addresses
from tests.orders.streaming import Scene, scene

# The waits of a real installation, scaled down.
QUICK = {"ORDER_SEND_BY_MS": 400, "RECV_WINDOW_MS": 800, "ORDER_RESOLVE_MARGIN_MS": 300, "SWEEP_SECONDS": 1}
PATIENCE = 60


@pytest.fixture
def paper(committed_db: str) -> Iterator[Scene]:
    with scene("ws_api", **QUICK) as found:
        yield found


@contextmanager
def frozen(
    found: Scene, folder: Path, point: str, threads: int, **more: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has stopped at the point, its order on record and its funds held."""
    (folder / "failpoints").mkdir()
    (folder / "failpoints" / "armed").write_text(f"{point}=stop")
    waits = {name: str(value) for name, value in QUICK.items() if name != "RECV_WINDOW_MS"}
    environment = {
        **os.environ, **waits, **addresses(found.url), "BINANCE_RECV_WINDOW_MS": str(QUICK["RECV_WINDOW_MS"]),
        "BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"], "BOOK_STALE_SECONDS": "600",
        "DATA_DIR": str(folder), "FAILPOINTS": "on", "RELAY_THREADS": str(threads), "ORDER_WAIT_MS": "0",
        **more,
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.orders.sender"]
    child = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)
    try:
        wait_for(lambda: is_stopped(child), PATIENCE)
        yield child
    finally:
        child.kill()
        child.wait()


def is_stopped(child: "subprocess.Popen[bytes]") -> bool:
    assert child.poll() is None, "it ended without having passed the point"
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def woken(child: "subprocess.Popen[bytes]") -> None:
    """It goes on, and has ended when this returns."""
    child.send_signal(signal.SIGCONT)
    assert child.wait(PATIENCE) == 0


def until_too_late() -> None:
    """Neither may it be sent any more nor would the venue take it."""
    sent = Order.objects.get().venue_orders.get()
    last = sent.timestamp_ms + sent.recv_window_ms
    wait_for(lambda: timezone.now() > sent.send_by and time.time() * 1000 > last)


def sweep() -> None:
    """As often as it takes, as the worker does it."""

    def is_given_up() -> bool:
        services.resolve_pending()
        return Order.objects.get().finished_at is not None

    wait_for(is_given_up, PATIENCE)


def nothing_came_of_it(found: Scene) -> None:
    state = found.house.door_get("state")
    house = next(row for row in state["accounts"] if row["id"] == state["main"])
    assert (house["orders"], Order.objects.get().status) == (0, "REJECTED")
    assert balance(found.alice, "USDT") == (100_000, 0)
    assert Transfer.objects.filter(kind="RELEASE").count() == 1


# The thread of the request itself, or one that outlives it.
@pytest.mark.parametrize(("point", "threads"), [("order.held", 0), ("order.sending", 1)])
def test_a_sender_that_wakes_too_late_gives_its_order_up_itself(
    paper: Scene, tmp_path: Path, point: str, threads: int
) -> None:
    with frozen(paper, tmp_path, point, threads) as child:
        assert balance(paper.alice, "USDT") == (61_000, 39_000)
        until_too_late()
        woken(child)
    assert Order.objects.get().reason_code == "too_late"
    nothing_came_of_it(paper)


@pytest.mark.parametrize(("point", "threads"), [("order.held", 1), ("order.sending", 0)])
def test_a_sender_that_wakes_after_the_sweep_has_released_its_hold_sends_nothing_that_counts(
    paper: Scene, tmp_path: Path, point: str, threads: int
) -> None:
    with frozen(paper, tmp_path, point, threads) as child:
        until_too_late()
        sweep()
        assert Order.objects.get().reason_code == "never_arrived"
        woken(child)
    assert Order.objects.get().reason_code == "never_arrived"
    nothing_came_of_it(paper)
