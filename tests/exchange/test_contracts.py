"""Each import contract notices what it forbids: shown on a copy of the code with one line too many."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.local.check import LINT_IMPORTS
from exchange.local.places import CHECKOUT

PACKAGES = ("exchange", "accounts", "ledger", "markets", "orders")
ONE_LINE_TOO_MANY = {
    "The stack is one way": ("ledger.queries", "from orders import queries"),
    "Inside an app: edges, forms, services, queries, models, rules, errors": (
        "orders.rules",
        "from orders import models",
    ),
    "Only the ledger touches the books' tables": ("orders.queries", "from ledger import models"),
    "Only the gate sends requests to the venue": ("orders.queries", "from exchange.binance import rest"),
    "Edges are nobody's library": ("orders.queries", "from ledger.views import wallet"),
    "Only the client and the paper venue speak HTTP and WebSocket": ("markets.queries", "import requests"),
    "What decides knows no queue, no socket and no API": ("ledger.queries", "import celery"),
    "The client, the venue's book and the launcher know no Django": (
        "exchange.binance.signing",
        "import django",
    ),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    for package in PACKAGES:
        unneeded = shutil.ignore_patterns("__pycache__", "data", "migrations", "static", "templates")
        shutil.copytree(CHECKOUT / package, folder / package, ignore=unneeded)
    return folder


def broken(folder: Path) -> set[str]:
    """The names of the contracts that do not hold."""
    done = subprocess.run(
        [sys.executable, *LINT_IMPORTS, "--no-cache"], cwd=folder, capture_output=True, text=True
    )
    return {line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if line.endswith(" BROKEN")}


def test_the_code_keeps_every_contract(copy: Path) -> None:
    assert broken(copy) == set()


@pytest.mark.parametrize("contract", ONE_LINE_TOO_MANY)
def test_a_contract_notices_one_line_too_many(copy: Path, contract: str) -> None:
    module, line = ONE_LINE_TOO_MANY[contract]
    path = copy.joinpath(*module.split(".")).with_suffix(".py")
    path = path if path.exists() else path.with_suffix("") / "__init__.py"
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        assert contract in broken(copy)
    finally:
        path.write_text(before)
