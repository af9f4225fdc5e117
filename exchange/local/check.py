"""`make check`: format, lint, types, import contracts, production settings, migrations; all of them every time."""

import os
import subprocess
import sys
from collections.abc import Mapping

from exchange.local.places import CHECKOUT

# Addresses nobody answers at: nothing in a check asks a server.
ADDRESSES = {
    "DATABASE_URL": "postgresql://causeway_app@127.0.0.1:9/causeway",
    "REDIS_URL": "redis://127.0.0.1:9/0",
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-0123456789-made-for-checks-alone",
}
PRODUCTION = {
    **ADDRESSES,
    "PRODUCTION": "true",
    "ALLOWED_HOSTS": "exchange.example",
    "SITE_URL": "https://exchange.example",
    "EMAIL_HOST": "mail.example",
    "TRUSTED_PROXIES": "1",
}
LINT_IMPORTS = ["-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
MANAGE = ["manage.py"]
STEPS: list[tuple[list[str], Mapping[str, str]]] = [
    (["-m", "ruff", "format", "--check", "."], {}),
    (["-m", "ruff", "check", "."], {}),
    (["-m", "mypy"], ADDRESSES),
    (LINT_IMPORTS, {}),
    ([*MANAGE, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
    (["-W", "ignore::RuntimeWarning", *MANAGE, "makemigrations", "--check", "--dry-run"], ADDRESSES),
]


def run_checks() -> int:
    """0 when every step is content; a step that is not does not keep the next from speaking."""
    failed = [name for name, status in map(_run, STEPS) if status]
    print(f"check: {'failed: ' + ', '.join(failed) if failed else f'{len(STEPS)} steps passed'}", flush=True)
    return 1 if failed else 0


def _run(step: tuple[list[str], Mapping[str, str]]) -> tuple[str, int]:
    command, extra = step
    name = " ".join(word for word in command if word != "-m") if command[0] != "-c" else "lint-imports"
    print(f"check: {name}", flush=True)
    environment = {**os.environ, "VENUE": "paper", **extra}
    return name, subprocess.run(
        [sys.executable, *command], cwd=CHECKOUT, env=environment, check=False
    ).returncode
