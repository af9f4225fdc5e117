"""`make run`: servers, roles, schema, processes, demo world; until a stop signal."""

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import redis

from exchange.local import places
from exchange.local.embedded import embedded_servers
from exchange.local.environment import HOST, Environment, read_environment, require_free, wanted_port
from exchange.local.places import CHECKOUT, CannotStart
from exchange.local.processes import spawn
from exchange.local.supervisor import MakeWatch, Stopped, Supervisor, Unit, now_ms, standard_output

LONGEST_READY_MS = 120_000


def run() -> int:
    """Run the product until a stop signal; nothing that was started is left when this returns."""
    os.umask(0o077)
    port = wanted_port(os.environ)
    state = places.state_folder()
    with places.locked(state):
        require_free(port)
        places.note_address(state, f"http://{HOST}:{port}")
        environment = read_environment(os.environ, state=state, port=port)
        supervisor = Supervisor(standard_output(), MakeWatch())
        with (
            supervisor.signals(),
            contextlib.suppress(Stopped),
            servers(supervisor, environment, state=state),
        ):
            Site(supervisor, environment, state=state, port=port).run()
    return 0


def manage(arguments: list[str]) -> int:
    """A manage.py command in the environment of the installation that is running."""
    state = places.state_folder()
    note = state / "environment.json"
    if not note.exists():
        raise CannotStart(f"Causeway is not running on {state}; start it first.")
    common = places.read_private(note)
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=CHECKOUT, env=common, check=False
    ).returncode


@contextlib.contextmanager
def servers(supervisor: Supervisor, environment: Environment, *, state: Path) -> Iterator[None]:
    """PostgreSQL and Redis answer, given ones or embedded ones; at the end every process started is gone."""
    if not environment.needs_redis:
        require_redis(environment.common["REDIS_URL"])
    if not (environment.needs_postgres or environment.needs_redis):
        try:
            yield
        finally:
            supervisor.stop()
        return
    serving = embedded_servers(
        supervisor, state=state, postgres=environment.needs_postgres, valkey=environment.needs_redis
    )
    with serving as addresses:
        environment.common["EMBEDDED_SERVERS"] = "true"
        if environment.needs_postgres:
            environment.common["DATABASE_URL"] = addresses.app
            environment.owner["DATABASE_OWNER_URL"] = addresses.owner
        if environment.needs_redis:
            environment.common["REDIS_URL"] = addresses.redis
        yield


def require_redis(url: str) -> None:
    """Refuses when nothing answers at the address that was given."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise CannotStart(f"REDIS_URL does not answer: {error}") from None


def run_processes(supervisor: Supervisor, environment: Environment, *, procfile: Path) -> None:
    """Start what the Procfile names, each by `exec`, so that the child is the process itself and not a shell."""
    for name, command in read_procfile(procfile):
        if name != "paper" or environment.paper_address:
            words = ["/bin/sh", "-c", f"exec {command}"]
            supervisor.add(Unit(name, partial(_spawn, environment, name, words)))


def _spawn(environment: Environment, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    return spawn(command, env=environment.of(name), cwd=CHECKOUT, output=subprocess.PIPE)


class Site:
    """The processes of the Procfile, from an empty database to a site that answers."""

    def __init__(self, supervisor: Supervisor, environment: Environment, *, state: Path, port: int) -> None:
        self.supervisor, self.environment, self.state, self.port = supervisor, environment, state, port
        self.say = partial(supervisor.terminal.say, "causeway")

    def run(self) -> None:
        """Prepare, start, wait until ready, load the demo world, and look after it all until a stop signal."""
        self._prepare()
        places.make_folder(self.state / "static")
        note = self.state / "environment.json"
        places.write_private(note, self.environment.of("manage"))
        try:
            run_processes(self.supervisor, self.environment, procfile=CHECKOUT / "Procfile")
            self._wait_ready()
            self._greet(has_demo=self._load_demo())
            while not self.supervisor.is_stopping:
                self.supervisor.step()
        finally:
            note.unlink(missing_ok=True)

    def _manage(self, name: str) -> int:
        command = [sys.executable, "manage.py", name]
        status = self.supervisor.run_once(Unit(name, partial(_spawn, self.environment, name, command)))
        if self.supervisor.is_stopping:
            raise Stopped
        return status

    def _prepare(self) -> None:
        if self._manage("prepare"):
            raise CannotStart("not started; the reason stands above.")

    def _wait_ready(self) -> None:
        deadline = now_ms() + LONGEST_READY_MS
        wanted = [f"http://{HOST}:{self.port}/readyz"]
        if self.environment.paper_address:
            wanted.append(f"{self.environment.paper_address}/api/v3/ping")
        while wanted:
            self.supervisor.step(100)
            if self.supervisor.is_stopping:
                raise Stopped
            if now_ms() > deadline:
                self.say(
                    f"not ready after {LONGEST_READY_MS // 1000} s: {wanted[0]} does not answer; going on anyway"
                )
                return
            if answers(wanted[0]):
                wanted.pop(0)

    def _load_demo(self) -> bool:
        if self.environment.common.get("PRODUCTION", "").lower() in {"1", "true", "yes", "on"}:
            return False
        if status := self._manage("demo"):
            self.say(f"the demo world could not be loaded (status {status}); the reason stands above")
        return not status

    def _greet(self, *, has_demo: bool) -> None:
        known, venue = places.installation_secrets(self.state), self.environment.common["VENUE"]
        self.say("")
        self.say(f"Causeway is ready at http://{HOST}:{self.port}/ (state in {self.state}; Ctrl-C stops it)")
        for line in places.logins(known, venue=venue) if has_demo else ():
            self.say(f"  {line}")
        self.say("")


def read_procfile(path: Path) -> list[tuple[str, str]]:
    """The processes' names and commands."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except OSError as error:
        raise CannotStart(f"cannot read {path}: {error.strerror}.") from None
    pairs = [line.split(":", 1) for line in lines if line and not line.startswith("#")]
    return [(name.strip(), command.strip()) for name, command in pairs]


def answers(address: str) -> bool:
    """True when the address answers 200 at once."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or HOST, parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
