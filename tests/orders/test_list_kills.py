"""A process that is killed between the fill of a first order and the order that waited for it: placed exactly once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accounts.models import User
from orders import services
from orders.models import OrderList, VenueOrder
from tests.exchange.paper.people import TRADE
from tests.factories import balance, fund, make_user
from tests.markets.processes import addresses
from tests.orders.lists import D, everything_holds, statuses, ticket
from tests.orders.quiet import Quiet, quiet
from tests.orders.test_pair_faults import until

SWEEP = "from orders import services; services.follow_lists()"
# Where it is killed, and what the order that waits is then.
POINTS = {"list.following": "WAITING", "list.begun": "PENDING", "order.sent": "PENDING"}


@pytest.fixture
def place(committed_db: str) -> Iterator[Quiet]:
    with quiet() as found:
        yield found


@pytest.fixture
def filled(place: Quiet) -> OrderList:
    """The first order has been filled, and the sweep has not been here since."""
    user = make_user()
    fund(user, "USDT", "10000")
    buy = {
        "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": f"{place.last:f}", "quantity": "0.01",
    }  # fmt: skip
    sell = {**buy, "side": "SELL", "price": f"{place.last + 100:f}"}
    found = services.place_order_list(user=user, ticket=ticket("OTO", working=buy, pending=sell))
    place.trade("SELL", place.last, "0.01")
    services.reconcile_open()
    assert statuses(found) == ["FILLED", "WAITING"]
    return found


@pytest.mark.parametrize("point", POINTS)
def test_what_waited_is_placed_once_after_a_kill(
    filled: OrderList, place: Quiet, tmp_path: Path, point: str
) -> None:
    assert sweep_until(point, tmp_path, place) == -signal.SIGKILL
    assert statuses(filled) == ["FILLED", POINTS[point]]
    assert everything_holds()
    until(place, lambda: statuses(filled) == ["FILLED", "OPEN"])
    assert len(place.open_orders()) == 1
    place.trade("BUY", place.last + 100, "0.01")
    until(place, lambda: statuses(filled) == ["FILLED", "FILLED"])
    user = User.objects.get()
    assert len(place.executed()) == 2
    assert (balance(user, "BTC"), balance(user, "USDT")[1]) == ((0, 0), 0)
    left = VenueOrder.objects.filter(order__leg="PENDING").count()
    assert left == (2 if point == "list.begun" else 1)
    assert D(0) == place.difference("BTC") == place.difference("USDT")


def sweep_until(point: str, folder: Path, place: Quiet) -> int:
    """A sweep in a process of its own that is killed at the point; gives how it ended."""
    (folder / "failpoints").mkdir()
    (folder / "failpoints" / "armed").write_text(f"{point}=kill")
    keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
    points = {"FAILPOINTS": "on", "DATA_DIR": str(folder)}
    environment = {**os.environ, **addresses(place.trader.url), **keys, **points}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", SWEEP],
        cwd=settings.BASE_DIR, env=environment, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode
