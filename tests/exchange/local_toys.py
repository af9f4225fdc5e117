"""Toy sites for the launcher's tests: small processes in place of the product's, real servers, a real supervisor."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from exchange.local.places import CHECKOUT
from exchange.local.suite import quick_place

SLEEPER = "python -c \"import os, time; print(os.environ['CAUSEWAY_PROCESS'], flush=True); time.sleep(1000)\""
DEAF = (
    'python -c "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)];'
    " print('hears nothing', flush=True); time.sleep(1000)\""
)
NOTHING: Mapping[str, str] = {}
PATIENCE = 60
WHAT_A_LOGIN_GIVES = ("PATH", "LANG", "TMPDIR")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A temporary folder that the servers' own user can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="toy-", dir=quick_place()))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hears_hang_ups() -> None:
    """Whoever runs the tests may ignore SIGHUP (nohup does), and children inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Toy:
    """One start of the launcher on a state folder."""

    def __init__(
        self, folder: Path, procfile: str, given: Mapping[str, str] = NOTHING, *, through_make: bool = False
    ) -> None:
        self.folder, self.state, self.log = folder, folder / "state", folder / "output"
        (folder / "Procfile").write_text(procfile)
        inherited = {name: os.environ[name] for name in WHAT_A_LOGIN_GIVES if name in os.environ}
        places = {"DATA_DIR": str(self.state), "PORT": str(free_port())}
        command = [sys.executable, "-m", "tests.exchange.toy_site", str(folder / "Procfile")]
        if through_make:
            (folder / "Makefile").write_text(f"run: ; @{' '.join(command)}\n")
            command = ["make", "-s", "-f", str(folder / "Makefile"), "run"]
        with self.log.open("ab") as output:
            self.launcher = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env={**inherited, "HOME": str(folder), **places, **given},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_hears_hang_ups,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def says(self, pattern: str) -> re.Match[str]:
        """Waits until the output matches."""
        for _ in range(PATIENCE * 20):
            if found := re.search(pattern, self.output, re.MULTILINE):
                return found
            if self.launcher.poll() is not None and not re.search(pattern, self.output, re.MULTILINE):
                break
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} was not said in:\n{self.output}")

    def ready(self) -> "Toy":
        self.says(r"^toy +\| ready")
        return self

    @property
    def address(self) -> str:
        return re.findall(r"^toy +\| ready (\S+)", self.output, re.MULTILINE)[-1]

    def status(self) -> int:
        """The exit status, once it has ended."""
        return self.launcher.wait(PATIENCE)

    def end(self, number: int = signal.SIGTERM) -> float:
        """Seconds from the signal to the end."""
        began = time.monotonic()
        self.launcher.send_signal(number)
        self.launcher.wait(PATIENCE)
        return time.monotonic() - began

    def pid_of(self, process: str) -> int:
        """The pid of a Procfile's process, waited for."""
        for _ in range(PATIENCE * 20):
            for pid in living(self.folder):
                with suppress(OSError):
                    if f"\0CAUSEWAY_PROCESS={process}\0" in "\0" + Path(f"/proc/{pid}/environ").read_text():
                        return pid
            time.sleep(0.05)
        raise AssertionError(f"{process} does not run")


def living(folder: Path) -> dict[int, str]:
    """Every process that has to do with the folder: by its command, its working folder or its environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                command = (entry / "cmdline").read_bytes()
                traces = command + (entry / "environ").read_bytes() + os.readlink(entry / "cwd").encode()
                if command and str(folder).encode() in traces:
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def end_all(folder: Path) -> None:
    """Whatever a test left running is over, and its socket folder gone."""
    for pid in living(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    none_living(folder)
    with suppress(OSError):
        shutil.rmtree((folder / "state" / "run-folder").read_text().strip())


def none_living(folder: Path, seconds: int = 5) -> dict[int, str]:
    """What is still there after the time; empty as soon as nothing is."""
    for _ in range(seconds * 20):
        if not living(folder):
            break
        time.sleep(0.05)
    return living(folder)
