"""Every kind of transfer from several processes against an auditor; `make soak-ledger` runs the same for long."""

import json
import os
import subprocess
import sys

import pytest

from exchange.local.places import CHECKOUT

SEED = 21


def test_processes_post_every_kind_of_transfer_and_the_auditor_finds_nothing(committed_db: str) -> None:
    command = [sys.executable, "-m", "tests.soak.crowd", "--cuts", "--workers", "3", "--steps", "600"]
    command += ["--seed", str(SEED)]
    environment = {**os.environ, "DATABASE_URL": committed_db}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["ok"], figures["missing"]) == (True, [])
    assert figures["laws_asked"] > 5 and figures["sessions_cut"] > 0


@pytest.mark.parametrize("module", ["tests.soak.ledger", "tests.bench.ledger"])
def test_what_cannot_begin_says_in_its_last_line_that_it_is_not_ok(module: str) -> None:
    """The address of a database, and no owner's."""
    environment = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    environment.pop("DATABASE_OWNER_URL", None)
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["ok"]) == (1, False), done.stderr
    assert told["broken"]
