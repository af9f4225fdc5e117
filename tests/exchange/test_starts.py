"""How the processes of the Procfile begin: which refuse to, and which have nothing to do and wait."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from exchange.local import suite
from exchange.local.check import ADDRESSES, PRODUCTION
from exchange.local.places import CHECKOUT
from tests.exchange.paper.people import TRADE, serving, small
from tests.markets.processes import addresses

MANAGE = {name: ["manage.py", name] for name in ("markets", "executions", "payouts")}
CELERY = {name: ["-m", "celery", "-A", "exchange", name] for name in ("worker", "beat")}
PROCESSES = {"web": ["-c", "import exchange.asgi"], **CELERY, **MANAGE}
DEPLOYED = {
    name: value for name, value in PRODUCTION.items() if name == "SECRET_KEY" or name not in ADDRESSES
}


def begin(folder: Path, name: str, **given: str) -> subprocess.Popen[str]:
    with (folder / "said").open("w") as said:
        return subprocess.Popen(
            [sys.executable, *PROCESSES[name]],
            cwd=CHECKOUT,
            env={**os.environ, "CAUSEWAY_PROCESS": name, **given},
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
        )


def refusal(folder: Path, name: str, **given: str) -> str:
    """What a process said that ended at once, with status 2."""
    process = begin(folder, name, **given)
    try:
        assert process.wait(30) == 2
    finally:
        process.kill()
    return (folder / "said").read_text()


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_of_production_begins_as_the_owner(committed_db: str, tmp_path: Path, name: str) -> None:
    database = suite.with_database(os.environ[suite.OWNER_URL], Path(committed_db.partition("?")[0]).name)
    keys = {"DATABASE_URL": database, **DEPLOYED}
    assert "wants the application's own role" in refusal(tmp_path, name, **keys)


def test_a_beat_of_another_venue_does_not_begin(committed_db: str, tmp_path: Path) -> None:
    assert "belongs to a paper installation" in refusal(tmp_path, "beat", VENUE="live")


@pytest.mark.parametrize(
    ("name", "missing"), [("payouts", "BINANCE_WITHDRAW_API_KEY"), ("executions", "BINANCE_API_KEY")]
)
def test_a_process_without_its_key_says_so_once_and_waits(
    committed_db: str, tmp_path: Path, name: str, missing: str
) -> None:
    process = begin(tmp_path, name)
    said = tmp_path / "said"
    try:
        for _look in range(300):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            if said.read_text().count(f"causeway: {missing} is missing"):
                break
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
    finally:
        process.terminate()
    assert process.wait(10) < 0
    assert said.read_text().count("causeway: ") == 1


def test_executions_do_not_begin_with_a_key_that_may_withdraw(committed_db: str, tmp_path: Path) -> None:
    venue = small()
    venue.keys[TRADE["key"]].can_withdraw = True
    with serving(venue) as url:
        keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
        said = refusal(tmp_path, "executions", **addresses(url), **keys)
    assert "causeway: the key of primary is not used: it may withdraw." in said
