"""What an account owns outlives the venue, however it ends; and how the command starts and refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from exchange.management.commands.paper import read_keys, read_replay
from tests.exchange.paper.people import KEYS, Caller, wait_for

ROOT = Path(__file__).parents[3]
Start = Callable[..., "subprocess.Popen[str]"]
READY = "paper venue ready on "


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `manage.py paper`; whatever still runs at the end is ended."""
    running: list[subprocess.Popen[str]] = []
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))

    def begin(*options: str, port: int = 0) -> "subprocess.Popen[str]":
        command = [
            sys.executable,
            "manage.py",
            "paper",
            "--port",
            str(port),
            "--data-dir",
            str(tmp_path / "paper"),
        ]
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, env=os.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )  # fmt: skip
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
    raise AssertionError("it never was ready")


def owned(caller: Caller) -> dict[str, Any]:
    """Everything the account can ask about."""
    paths = {
        "account": ("/api/v3/account", {"omitZeroBalances": "true"}),
        "open": ("/api/v3/openOrders", {}),
        "orders": ("/api/v3/allOrders", {"symbol": "BTCUSDT"}),
        "trades": ("/api/v3/myTrades", {"symbol": "BTCUSDT"}),
        "deposits": ("/sapi/v1/capital/deposit/hisrec", {}),
        "withdrawals": ("/sapi/v1/capital/withdraw/history", {}),
        "address": ("/sapi/v1/capital/deposit/address", {"coin": "BTC"}),
    }
    found = {name: caller.signed("GET", path, **params).json() for name, (path, params) in paths.items()}
    found["account"].pop("updateTime")
    return found


def live_a_little(caller: Caller) -> None:
    """A deposit, a fill, an order that stays open, a withdrawal."""
    caller.deposit("USDT", "10000")
    caller.signed("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "83000"}
    caller.signed("POST", "/api/v3/order", **order, quantity="0.01", newClientOrderId="stays-open")
    withdrawal = {"coin": "USDT", "network": "TRX", "address": "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6"}
    cashier = Caller(caller.url, KEYS["withdraw"])
    applied = cashier.signed("POST", "/sapi/v1/capital/withdraw/apply", **withdrawal, amount="50").json()
    wait_for(
        lambda: [
            row["status"] for row in owned(caller)["withdrawals"] if row["id"] == applied["id"]
        ] == [6]
    )  # fmt: skip


def test_what_an_account_owns_survives_kill_9(start: Start, tmp_path: Path) -> None:
    keys = ("--keys", str(tmp_path / "keys.json"), "--pace", "0.1")
    first = start(*keys)
    caller = Caller(address(first))
    live_a_little(caller)
    before = owned(caller)
    newest = caller.get("/api/v3/trades", symbol="BTCUSDT", limit=1)[0]["id"]
    first.send_signal(signal.SIGKILL)
    first.wait()
    again = Caller(address(start(*keys)))
    assert owned(again) == before
    # The open order is on the book again, ids go on above the old ones, and it can still be canceled.
    state = next(row for row in again.door_get("state")["accounts"] if row["id"] == 1)
    assert state["open_orders"] == ["stays-open"]
    depth = again.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
    assert any(float(price) == 83000 for price, _quantity in depth["bids"])
    filled = again.signed(
        "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001"
    )
    assert filled.json()["fills"][0]["tradeId"] > newest
    assert filled.json()["orderId"] > max(order["orderId"] for order in before["orders"])
    gone = again.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="stays-open").json()
    assert gone["status"] == "CANCELED"


def test_an_order_that_was_answered_is_never_forgotten(start: Start, tmp_path: Path) -> None:
    keys = ("--keys", str(tmp_path / "keys.json"), "--pace", "0.1")
    first = start(*keys)
    caller = Caller(address(first))
    caller.deposit("USDT", "10000")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "60000"}
    answered = [
        caller.signed("POST", "/api/v3/order", **order, quantity="0.001").json()["orderId"]
        for _order in range(30)
    ]
    first.send_signal(signal.SIGKILL)
    first.wait()
    again = Caller(address(start(*keys)))
    found = again.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT").json()
    assert sorted(row["orderId"] for row in found) == answered


def test_it_runs_alone_with_nothing_in_its_environment(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "paper", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, env={"PATH": os.defpath}, text=True, stdout=subprocess.PIPE
    ) as process:
        caller = Caller(address(process))
        answer = caller.get("/api/v3/ping")
        process.kill()
    assert answer == {}


def test_without_keys_it_makes_and_prints_its_own_and_keeps_them(start: Start) -> None:
    printed = []
    for _start in range(2):
        process = start()
        assert process.stdout is not None
        lines = [process.stdout.readline() for _line in range(3)]
        printed.append([line for line in lines if " key " in line])
        process.terminate()
        process.wait(5)
    assert len(printed[0]) == 2
    assert printed[0] == printed[1]


def test_it_routes_orders_and_serves_listen_keys_when_started_so(start: Start, tmp_path: Path) -> None:
    process = start("--keys", str(tmp_path / "keys.json"), "--sor", "--listen-keys")
    caller = Caller(address(process))
    groups = caller.get("/api/v3/exchangeInfo")["sors"]
    key = caller.raw("POST", "/api/v3/userDataStream").json()
    assert (groups[0]["symbols"], list(key)) == (["BTCUSDT", "BTCUSDC"], ["listenKey"])


def test_orders_lists_and_what_they_lock_outlive_a_kill(start: Start, tmp_path: Path) -> None:
    keys = str(tmp_path / "keys.json")
    process = start("--keys", keys, "--pace", "0.1")
    caller = Caller(address(process))
    caller.deposit("BTC", "1")
    pair = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1", "aboveType": "LIMIT_MAKER", "abovePrice": "150000",
            "belowType": "STOP_LOSS", "belowStopPrice": "60000"}  # fmt: skip
    caller.signed("POST", "/api/v3/orderList/oco", **pair)
    asked = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "150000",
             "quantity": "0.2", "icebergQty": "0.05"}  # fmt: skip
    caller.signed("POST", "/api/v3/order", **asked)
    before = open_state(caller)
    process.kill()
    process.wait()
    again = Caller(address(start("--keys", keys)))
    assert open_state(again) == before
    assert again.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT").status_code == 200
    assert again.free("BTC") == 1


def open_state(caller: Caller) -> tuple[Any, ...]:
    """Open orders, open lists and balances."""
    paths = ("openOrders", "openOrderList", "account")
    answers = [caller.signed("GET", f"/api/v3/{path}").json() for path in paths]
    return answers[0], answers[1], answers[2]["balances"]


def test_it_ends_within_seconds_and_without_noise_when_told(start: Start) -> None:
    process = start()
    address(process)
    process.terminate()
    assert (process.wait(5), process.communicate()[0]) == (0, "")


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    output = process.communicate(timeout=30)[0]
    return process.returncode, output.strip()


def test_a_port_in_use_is_one_sentence_and_status_2(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = ended(start(port=port))
    assert (status, said) == (2, f"CommandError: 127.0.0.1:{port} is taken by another program.")


@pytest.mark.parametrize(
    "text", ["{}", '{"trade": {"key": "k"}}', '{"trade": {"key": "k", "public_key": "x"}}', "oops"]
)
def test_a_file_of_keys_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(CommandError, match="cannot be used") as refused:
        read_keys(file)
    assert refused.value.returncode == 2


def test_a_recording_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be used") as refused:
        read_replay([f"{tmp_path}/none.jsonl.gz:10"])
    assert refused.value.returncode == 2
