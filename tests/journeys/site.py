"""The whole product, running on a state folder of its own, as a newcomer starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import psycopg
import requests

from exchange.local.environment import free_port
from exchange.local.places import CHECKOUT, DEMO_PEOPLE
from exchange.local.processes import spawn
from tests.exchange.local_toys import WHAT_A_LOGIN_GIVES, end_all, living, reachable_folder

READY_SECONDS = 150


@dataclass
class Site:
    """A start of `python -m exchange.local run` on a state folder of its own."""

    folder: Path
    url: str
    launcher: subprocess.Popen[bytes]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        """The variables every process of the site has."""
        return dict(json.loads((self.state / "environment.json").read_text()))

    @property
    def passwords(self) -> dict[str, str]:
        """The demo cast's passwords by first name; they sign in as name@example.com."""
        known = json.loads((self.state / "secrets.json").read_text())
        return {name: known[f"DEMO_PASSWORD_{name.upper()}"] for name in DEMO_PEOPLE}

    def manage(self, *arguments: str) -> str:
        """What a manage.py command says in the site's environment."""
        status, said = self._asked(json.dumps(arguments))
        assert status == 0, said
        return said

    def _asked(self, words: str) -> tuple[int, str]:
        assert self.clerk.stdin is not None and self.clerk.stdout is not None
        self.clerk.stdin.write(f"{words}\n")
        self.clerk.stdin.flush()
        status, said = json.loads(self.clerk.stdout.readline() or '[-1, "the clerk is gone"]')
        return int(status), str(said)

    @cached_property
    def clerk(self) -> "subprocess.Popen[str]":
        """The process that carries out commands; it ends with the site."""
        command = [sys.executable, "-m", "tests.journeys.clerk"]
        return subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def dismiss_clerk(self) -> None:
        if "clerk" in self.__dict__:
            self.clerk.communicate()

    def database(self) -> psycopg.Connection:
        """A session as the application's role."""
        return psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)

    def paper_deposit(self, coin: str, network: str, amount: str, address: str, tag: str) -> None:
        """Money arrives at the address on its chain, by the paper venue's control door."""
        asked = {"coin": coin, "network": network, "amount": amount, "address": address, "tag": tag}
        door = f"{self.environment['BINANCE_SAPI_URL']}/paper/deposit"
        answer = requests.post(door, json=asked, timeout=10)
        assert answer.status_code == 200, answer.text

    def paper_withdrawals(self) -> int:
        """How many withdrawals the paper venue ever took, under whatever name."""
        door = f"{self.environment['BINANCE_SAPI_URL']}/paper/state"
        return int(requests.get(door, timeout=10).json()["withdrawals"])

    def trial_balance(self) -> dict[str, Decimal]:
        """The assets whose entries do not sum to zero."""
        query = "SELECT asset_id, sum(amount) FROM ledger_entry GROUP BY asset_id HAVING sum(amount) <> 0"
        with self.database() as connection:
            return dict(connection.execute(query).fetchall())

    def pid_of(self, process: str) -> int | None:
        """The pid of one process of the Procfile, or of postgres or valkey-server; None while it is down."""
        for pid, command in living(self.folder).items():
            with suppress(OSError):
                variables = "\0" + Path(f"/proc/{pid}/environ").read_text(errors="replace")
                is_server = command.split()[0].endswith(f"/{process}")
                if f"\0CAUSEWAY_PROCESS={process}\0" in variables or is_server:
                    return pid
        return None

    def pids(self) -> dict[str, int | None]:
        """The pids of all processes of the Procfile."""
        names = [
            line.split(":")[0] for line in (CHECKOUT / "Procfile").read_text().splitlines() if ":" in line
        ]
        return {name: self.pid_of(name) for name in names}

    def wait_ready(self) -> None:
        """The launcher has greeted; fails with its output when it ends or takes too long."""
        for _ in range(READY_SECONDS * 10):
            if "Causeway is ready at" in self.output:
                return
            if self.launcher.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"the site did not become ready:\n{self.output[-5000:]}")

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Seconds from the signal to the launcher's end."""
        began = time.monotonic()
        self.launcher.send_signal(number)
        self.launcher.wait(15)
        return time.monotonic() - began


def start_site(folder: Path, **environment: str) -> Site:
    """Start the product on the folder; more variables may be given by name."""
    port = environment.pop("PORT", None) or str(free_port())
    inherited = {name: os.environ[name] for name in WHAT_A_LOGIN_GIVES if name in os.environ}
    variables = {
        "HOME": str(folder),
        "DATA_DIR": str(folder / "state"),
        "PORT": port,
        **inherited,
        **environment,
    }
    command = [sys.executable, "-m", "exchange.local", "run"]
    with (folder / "output").open("wb") as output:
        launcher = spawn(command, env=variables, cwd=CHECKOUT, output=output, death_signal=signal.SIGTERM)
    return Site(folder=folder, url=f"http://127.0.0.1:{port}", launcher=launcher)


@contextmanager
def running_site(**environment: str) -> Iterator[Site]:
    """A site of its own for a test that gives it other settings or breaks it; gone afterwards."""
    with reachable_folder() as folder:
        site = start_site(folder, **environment)
        try:
            site.wait_ready()
            yield site
        finally:
            site.dismiss_clerk()
            with suppress(subprocess.TimeoutExpired):
                site.stop()
            end_all(folder)
