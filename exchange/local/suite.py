"""`make test`: servers of its own in a temporary folder, a database for each worker, everything gone afterwards.

The process that starts pytest (the controller, under xdist) keeps the servers; each worker derives its addresses from
the variables it inherits, and the first one that needs a database makes the migrated template all others clone.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql

from exchange.local import places
from exchange.local.embedded import embedded_servers
from exchange.local.places import CHECKOUT, CannotStart
from exchange.local.supervisor import Supervisor, standard_output

PREFIX = "causeway-test-"
FOLDER, OWNER_URL, APP_URL, REDIS = "TEST_FOLDER", "TEST_OWNER_URL", "TEST_APP_URL", "TEST_REDIS_URL"
# What a developer's shell or a running installation says about itself must not leak into tests.
FORGOTTEN = ("DATABASE_OWNER_URL", "PRODUCTION", "DEBUG", "SITE_URL", "ALLOWED_HOSTS", "FAILPOINT", "VENUE")
# PostgreSQL's settings for many connections, and those of a database that no crash of the machine must survive.
ROOMY = {"max_connections": "200"}
FLEETING = {**ROOMY, "fsync": "off", "full_page_writes": "off"}
READY = "ready"
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30  # bytes: databases, what was written ahead of them, whole sites
MOST_WAITS, WAIT_SECONDS = 40, 0.25


def run_suite(arguments: list[str]) -> int:
    """Becomes pytest over all cores, and one worker more, because much of the time is waiting.

    What was compiled is kept, whatever the shell says: every worker reads all tests, and many of these start processes.
    """
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""
    workers = str((os.cpu_count() or 1) + 1)
    command = [sys.executable, "-m", "pytest", "-n", workers, "--dist", "loadgroup", *arguments]
    os.chdir(CHECKOUT)
    os.execv(sys.executable, command)  # never returns


@contextlib.contextmanager
def serving_tests(
    environment: MutableMapping[str, str], settings: Mapping[str, str] = ROOMY, place: Path | None = None
) -> Iterator[None]:
    """PostgreSQL and Redis for the tests answer, and the environment says where; afterwards nothing of it is left.

    The place is the folder their own one is made in, the temporary one unless given.
    """
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
    folder.chmod(places.OPEN_PATH)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        environment[FOLDER] = str(folder)
        _given(environment)
        _start_missing(environment, folder, settings, stack)
        stack.callback(_drop_all, environment)
        for name in list(environment):
            if name in FORGOTTEN or name.startswith("BINANCE_"):
                del environment[name]
        yield


def quick_place() -> Path:
    """Memory that can be written like a disk, when there is enough and TMPDIR names nothing else.

    Every committing test makes and deletes the thousand files of a database, and ext4 without a journal is slow to
    use again what was just deleted.
    """
    with contextlib.suppress(OSError):
        found = os.statvfs(MEMORY)
        runs_programs = not found.f_flag & os.ST_NOEXEC and os.access(MEMORY, os.W_OK | os.X_OK)
        if "TMPDIR" not in os.environ and runs_programs and found.f_bavail * found.f_frsize >= ROOM:
            return MEMORY
    return Path(tempfile.gettempdir())


def _given(environment: MutableMapping[str, str]) -> None:
    app, owner = environment.get("DATABASE_URL", ""), environment.get("DATABASE_OWNER_URL", "")
    if bool(app) != bool(owner):
        raise CannotStart("give the tests both DATABASE_URL and DATABASE_OWNER_URL, or neither of them.")
    for name, value in ((APP_URL, app), (OWNER_URL, owner), (REDIS, environment.get("REDIS_URL", ""))):
        environment.pop(name, None)
        if value:
            environment[name] = value


def _start_missing(
    environment: MutableMapping[str, str],
    folder: Path,
    settings: Mapping[str, str],
    stack: contextlib.ExitStack,
) -> None:
    wanted = {"postgres": APP_URL not in environment, "valkey": REDIS not in environment}
    if not any(wanted.values()):
        return
    supervisor = Supervisor(standard_output())
    serving = embedded_servers(supervisor, state=folder, settings=settings, **wanted)
    addresses = stack.enter_context(serving)
    if wanted["postgres"]:
        environment.update({APP_URL: addresses.app, OWNER_URL: addresses.owner})
    if wanted["valkey"]:
        environment[REDIS] = addresses.redis


def _remove_abandoned() -> None:
    """Folders of test runs that were killed; their servers ended with them."""
    places_of_runs = {Path(tempfile.gettempdir()), quick_place()}
    for folder in (found for place in places_of_runs for found in place.glob(f"{PREFIX}*")):
        owner = folder.name.removeprefix(PREFIX).split("-")[0]
        with contextlib.suppress(OSError):
            if (
                owner.isdecimal()
                and not Path(f"/proc/{owner}").exists()
                and folder.stat().st_uid == os.geteuid()
            ):
                shutil.rmtree(folder, ignore_errors=True)


# ------------------------------------------------------------------ a worker's own places
def enter_worker(environment: MutableMapping[str, str], worker: str) -> None:
    """Points the environment at this worker's own database, Redis database and prefix, and DATA_DIR."""
    number = int(worker.removeprefix("gw")) + 1 if worker.startswith("gw") else 0
    run_id = Path(environment[FOLDER]).name.removeprefix(PREFIX)
    data = Path(environment[FOLDER]) / worker
    data.mkdir(mode=places.CLOSED, exist_ok=True)
    environment.update(
        DATABASE_URL=with_database(environment[APP_URL], database_name(environment, worker)),
        REDIS_URL=with_number(environment[REDIS], number),
        REDIS_PREFIX=f"test-{run_id}-{worker}",
        DATA_DIR=str(data),
        SECRET_KEY=f"a key for tests alone, of run {run_id}",
        VENUE="paper",
        SITE_URL="http://testserver",
    )


def database_name(environment: MutableMapping[str, str], what: str) -> str:
    base = urlsplit(environment[OWNER_URL]).path.strip("/")
    run_id = Path(environment[FOLDER]).name.removeprefix(PREFIX).replace("-", "_")
    return f"{base}_test_{run_id}_{what}"


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{name}{f'?{parts.query}' if parts.query else ''}"


def with_number(url: str, number: int) -> str:
    """The Redis address with the database number moved on by so many."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        base = int(parse_qs(parts.query).get("db", ["0"])[-1])
        return f"unix://{parts.path}?db={base + number}"
    base = int(parts.path.strip("/") or 0)
    return f"{parts.scheme}://{parts.netloc}/{base + number}{f'?{parts.query}' if parts.query else ''}"


# ------------------------------------------------------------------ databases, made and dropped by the owner
def make_template(environment: MutableMapping[str, str]) -> str:
    """The name of the migrated template; the first caller makes it, the others wait for it."""
    name = database_name(environment, "template")
    folder = Path(environment[FOLDER])
    with (folder / "template.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        outcome = lock.read()
        if not outcome:
            outcome = _migrate(environment, name)
            lock.write(outcome)
    if outcome != READY:
        raise CannotStart(f"the test database could not be prepared:\n{outcome}")
    return name


def _migrate(environment: MutableMapping[str, str], name: str) -> str:
    _as_owner(environment, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    variables = {
        **environment,
        "DATABASE_URL": with_database(environment[APP_URL], name),
        "DATABASE_OWNER_URL": with_database(environment[OWNER_URL], name),
    }
    command = [sys.executable, "manage.py", "prepare"]
    done = subprocess.run(command, cwd=CHECKOUT, env=variables, check=False, capture_output=True, text=True)
    return f"{done.stdout}{done.stderr}" if done.returncode else READY


def clone_database(environment: MutableMapping[str, str], name: str = "") -> str:
    """A fresh copy of the template; returns its name."""
    name = name or database_name(environment, uuid.uuid4().hex[:12])
    template = make_template(environment)
    # Copied as files it takes half as long as page by page through the log; nobody writes to the template.
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    _as_owner(environment, statement.format(sql.Identifier(name), sql.Identifier(template)))
    return name


def drop_database(environment: MutableMapping[str, str], name: str) -> None:
    """The database is gone, whoever was in it; the server's own vacuum, which only a superuser may end, is awaited."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    for _time in range(MOST_WAITS):
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            return _as_owner(environment, statement)
        time.sleep(WAIT_SECONDS)
    return _as_owner(environment, statement)


def _as_owner(environment: MutableMapping[str, str], statement: sql.Composed) -> None:
    with psycopg.connect(with_database(environment[OWNER_URL], "postgres"), autocommit=True) as connection:
        connection.execute(statement)


def _drop_all(environment: MutableMapping[str, str]) -> None:
    with psycopg.connect(with_database(environment[OWNER_URL], "postgres"), autocommit=True) as connection:
        pattern = database_name(environment, "").replace("_", r"\_") + "%"
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", [pattern]
        ).fetchall()
    for (name,) in names:
        drop_database(environment, name)
