"""What each process of a local installation finds in its environment."""

import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exchange.local.places import CannotStart, installation_secrets, write_private

HOST = "127.0.0.1"
# Rights that go to one process and to no other.
OWNER_ONLY = ("DATABASE_OWNER_URL",)
PAYOUTS_ONLY = (
    "BINANCE_WITHDRAW_API_KEY",
    "BINANCE_WITHDRAW_API_SECRET",
    "BINANCE_WITHDRAW_PRIVATE_KEY_FILE",
)
# What takes days with real money takes minutes with play money, so that it can be seen.
PLAY_MONEY_WAITS = {
    "WITHDRAWAL_HOLD_MINUTES": "1",
    "ADDRESS_COOL_OFF_MINUTES": "1",
    "BOOK_ONLY_OFF_MINUTES": "2",
}
KEYS_SECRETS = ("VENUE_KEYS_SECRET", "VENUE_KEYS_SECRET_FILE")
VENUE_ADDRESSES = ("BINANCE_REST_URL", "BINANCE_STREAM_URL", "BINANCE_WS_API_URL", "BINANCE_SAPI_URL")


@dataclass
class Environment:
    """The variables of all processes, and those of one process alone."""

    common: dict[str, str]
    owner: dict[str, str]
    payouts: dict[str, str]
    paper_address: str | None = None
    needs_postgres: bool = field(init=False)
    needs_redis: bool = field(init=False)

    def __post_init__(self) -> None:
        self.needs_postgres = not (self.common.get("DATABASE_URL") or self.owner)
        self.needs_redis = not self.common.get("REDIS_URL")
        if not self.needs_postgres and not (self.common.get("DATABASE_URL") and self.owner):
            raise CannotStart(
                "give both DATABASE_URL (the application's role) and DATABASE_OWNER_URL (the owner's), or neither."
            )

    def of(self, process: str) -> dict[str, str]:
        """The environment of one process, by its name in the Procfile or its command."""
        own = {"prepare": self.owner, "payouts": self.payouts}.get(process, {})
        return {**self.common, **own, "CAUSEWAY_PROCESS": process}


def read_environment(given: Mapping[str, str], *, state: Path, port: int) -> Environment:
    """The caller's settings, completed by what a local installation can know by itself."""
    rest = {name: value for name, value in given.items() if value.strip() or name not in _OURS}
    environment = Environment(
        owner={name: rest.pop(name) for name in OWNER_ONLY if name in rest},
        payouts={name: rest.pop(name) for name in PAYOUTS_ONLY if name in rest},
        common=rest,
    )
    known = installation_secrets(state)
    for name, value in _defaults(known, state=state, port=port).items():
        environment.common.setdefault(name, value)
    if not any(environment.common.get(name) for name in KEYS_SECRETS):
        environment.common["VENUE_KEYS_SECRET_FILE"] = str(_keys_secret(state))
    environment.common.update(
        DATA_DIR=str(state), PORT=str(port), PATH=_path(rest), PYTHONUNBUFFERED="1", PYTHONUTF8="1"
    )
    if environment.common["VENUE"] == "paper":
        for name, minutes in PLAY_MONEY_WAITS.items():
            environment.common.setdefault(name, minutes)
        if not any(name in rest for name in VENUE_ADDRESSES):
            _point_at_paper(environment, known, state=state)
    return environment


_OURS = {
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "VENUE",
    "SITE_URL",
    *OWNER_ONLY,
    *PAYOUTS_ONLY,
    *VENUE_ADDRESSES,
}


def _defaults(known: Mapping[str, str], *, state: Path, port: int) -> dict[str, str]:
    return {"SECRET_KEY": known["SECRET_KEY"], "VENUE": "paper", "SITE_URL": f"http://{HOST}:{port}"}


def _keys_secret(state: Path) -> Path:
    """A file, so that a new secret can be put before the one that is made here."""
    path = state / "venue-keys.txt"
    if not path.exists():
        with open(path, "x", encoding="ascii", opener=partial(os.open, mode=0o600)) as file:
            file.write(f"{secrets.token_urlsafe(48)}\n")
    return path


def _path(given: Mapping[str, str]) -> str:
    # Not resolved: the interpreter of a virtual environment is a link out of it.
    return os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", "/usr/bin:/bin")])


def _point_at_paper(environment: Environment, known: Mapping[str, str], *, state: Path) -> None:
    port = free_port()
    keys = {
        "trade": {"key": known["PAPER_TRADE_KEY"], "secret": known["PAPER_TRADE_SECRET"]},
        "withdraw": {"key": known["PAPER_WITHDRAW_KEY"], "secret": known["PAPER_WITHDRAW_SECRET"]},
    }
    write_private(state / "paper-keys.json", keys)
    environment.paper_address = f"http://{HOST}:{port}"
    environment.common.pop("BINANCE_PRIVATE_KEY_FILE", None)
    environment.common.update(
        PAPER_PORT=str(port),
        PAPER_KEYS=str(state / "paper-keys.json"),
        BINANCE_REST_URL=f"http://{HOST}:{port}",
        BINANCE_SAPI_URL=f"http://{HOST}:{port}",
        BINANCE_STREAM_URL=f"ws://{HOST}:{port}",
        BINANCE_WS_API_URL=f"ws://{HOST}:{port}/ws-api/v3",
        BINANCE_API_KEY=keys["trade"]["key"],
        BINANCE_API_SECRET=keys["trade"]["secret"],
    )
    environment.payouts = {
        "BINANCE_WITHDRAW_API_KEY": keys["withdraw"]["key"],
        "BINANCE_WITHDRAW_API_SECRET": keys["withdraw"]["secret"],
    }


def wanted_port(given: Mapping[str, str]) -> int:
    text = given.get("PORT", "").strip() or "8000"
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise CannotStart(f"PORT is {text!r}; it must be a number from 1 to 65535.")
    return int(text)


def require_free(port: int) -> None:
    """Refuses, before anything is started, when somebody else answers at the address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CannotStart(
                f"{HOST}:{port} cannot be used: {error.strerror}; name another port by PORT."
            ) from None


def free_port() -> int:
    """A port nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
