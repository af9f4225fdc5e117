"""Where an installation keeps its state, its sockets and its secrets.

Folders that exist are taken as they are: nobody's permissions are ever changed, only folders made here get modes.
"""

import contextlib
import fcntl
import json
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
RUN_PREFIX = "causeway-"
# A unix socket's path ends at 107 bytes; the longest name put into a run folder is ".s.PGSQL.5432.lock".
LONGEST_RUN_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
CLOSED = 0o700
# Root's servers run as another user, who must get through; nobody else is in need of it.
OPEN_PATH = 0o711 if os.geteuid() == 0 else CLOSED


class CannotStart(Exception):
    """The start ends with this sentence and exit status 2."""


@dataclass(frozen=True)
class ServerUser:
    """Whom the embedded servers run as: PostgreSQL refuses root, so root lends them the user nobody."""

    name: str | None
    uid: int
    gid: int

    @property
    def popen(self) -> dict[str, Any]:
        if self.name is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_use(self, folder: Path, flag: str = "-x") -> bool:
        """True when this user can get at the folder through everything above it."""
        check = ["test", flag, str(folder)]
        return subprocess.run(check, cwd="/", check=False, **self.popen).returncode == 0


def server_user() -> ServerUser:
    if os.geteuid() != 0:
        return ServerUser(None, os.geteuid(), os.getegid())
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "PostgreSQL does not run as root and there is no user 'nobody' to run it; start as another user."
        ) from None
    return ServerUser("nobody", nobody.pw_uid, nobody.pw_gid)


def state_folder() -> Path:
    """DATA_DIR, or the user's state folder; root's is one that another user can reach."""
    given = os.environ.get("DATA_DIR", "").strip()
    if given:
        return make_folder(Path(given).expanduser().absolute())
    if os.geteuid() == 0:
        return make_folder(Path("/var/lib/causeway"))
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    base = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
    return make_folder(base / "causeway")


def make_folder(folder: Path, mode: int = OPEN_PATH) -> Path:
    """The folder exists; what had to be made above it can be passed through by others, but not listed."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        for part in reversed(missing):
            part.mkdir(mode=OPEN_PATH, exist_ok=True)
            part.chmod(mode if part == folder else OPEN_PATH)
    except OSError as error:
        raise CannotStart(
            f"cannot make the folder {folder} ({error.strerror}); name another one by DATA_DIR."
        ) from None
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise CannotStart(f"{folder} is not a folder that can be written to; name another one by DATA_DIR.")
    return folder


def server_folder(state: Path, name: str, user: ServerUser) -> Path:
    """A folder of the embedded servers' own user inside the state folder."""
    folder = state / name
    if not user.can_use(state):
        raise CannotStart(
            f"the user {user.name!r} of the embedded servers cannot reach {state}; "
            "name another folder by DATA_DIR, or real servers by DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL."
        )
    if not folder.exists():
        make_folder(folder, CLOSED)
        os.chown(folder, user.uid, user.gid)
    if folder.stat().st_uid != user.uid:
        raise CannotStart(f"{folder} belongs to another user; name another folder by DATA_DIR.")
    return folder


@contextlib.contextmanager
def run_folder(state: Path, user: ServerUser) -> Iterator[Path]:
    """A short folder for sockets, gone afterwards; what a killed start left behind is removed first."""
    note = state / "run-folder"
    with contextlib.suppress(OSError):
        _remove_run_folder(Path(note.read_text().strip()), user)
    folder = Path(tempfile.mkdtemp(prefix=RUN_PREFIX, dir=_run_base(user)))
    os.chown(folder, user.uid, user.gid)
    note.write_text(f"{folder}\n")
    try:
        yield folder
    finally:
        _remove_run_folder(folder, user)
        note.unlink(missing_ok=True)


def _run_base(user: ServerUser) -> str:
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    candidates = ["/run", "/tmp"] if user.name else [own, "/tmp"]
    for base in candidates:
        if os.path.isabs(base) and len(base) < LONGEST_RUN_FOLDER - 20 and os.access(base, os.W_OK | os.X_OK):
            return base
    raise CannotStart(
        "neither the runtime folder nor /tmp can be written to; the servers need a place for sockets."
    )


def _remove_run_folder(folder: Path, user: ServerUser) -> None:
    ours = folder.name.startswith(RUN_PREFIX) and not folder.is_symlink()
    if ours and folder.is_dir() and folder.stat().st_uid == user.uid:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(state: Path) -> Iterator[None]:
    """This process alone uses the state folder; a second start is told so."""
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            where = lock.read().strip()
            raise CannotStart(
                f"Causeway is already running on {state}{f' at {where}' if where else ''}."
            ) from None
        lock.truncate(0)
        yield


def note_address(state: Path, address: str) -> None:
    """Lets a second start on this folder say where the first one answers."""
    (state / "lock").write_text(address)


def read_private(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise CannotStart(f"cannot read {path}: {error.strerror}.") from None
    except ValueError:
        raise CannotStart(f"{path} is damaged: it is not JSON.") from None
    if not isinstance(found, dict):
        raise CannotStart(f"{path} is damaged: it holds no names and values.")
    return found


def write_private(path: Path, content: object) -> None:
    """Written whole or not at all, readable by its owner alone."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


DEMO_PEOPLE = {
    "alice": "verified",
    "bob": "not verified",
    "carol": "staff",
    "dave": "staff, the second pair of eyes",
}


FUNDED_ON_PAPER = "verified, and funded at the paper venue"


def logins(known: dict[str, str], *, venue: str) -> list[str]:
    """A line for each of the demo world: mail, password, and what is true of them at this venue."""
    notes = DEMO_PEOPLE | ({"alice": FUNDED_ON_PAPER} if venue == "paper" else {})
    return [
        f"{name + '@example.com':<20} {known[f'DEMO_PASSWORD_{name.upper()}']}   {note}"
        for name, note in notes.items()
    ]


def installation_secrets(state: Path) -> dict[str, str]:
    """The secrets of this installation, made once at random."""
    path = state / "secrets.json"
    known = read_private(path) if path.exists() else {}
    made = {
        "SECRET_KEY": secrets.token_urlsafe(64),
        "PAPER_TRADE_KEY": secrets.token_hex(32),
        "PAPER_TRADE_SECRET": secrets.token_hex(32),
        "PAPER_WITHDRAW_KEY": secrets.token_hex(32),
        "PAPER_WITHDRAW_SECRET": secrets.token_hex(32),
        **{f"DEMO_PASSWORD_{name.upper()}": secrets.token_urlsafe(12) for name in DEMO_PEOPLE},
    }
    if missing := {name: value for name, value in made.items() if name not in known}:
        write_private(path, {**known, **missing})
    return {**made, **known}
