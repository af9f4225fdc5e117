"""Starting and ending child processes so that none outlives its parent."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
TICKS = 50  # looks a second while something short is waited for
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def end_with_parent(death_signal: int) -> Callable[[], None]:
    """For preexec_fn: the kernel sends the signal when the starting thread is gone, even by kill -9."""
    parent = os.getpid()

    def ask() -> None:
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # the parent died before the kernel was asked
            os._exit(1)

    return ask


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | str,
    output: Any,
    death_signal: int = signal.SIGKILL,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session; to be called from the main thread, whose end ends the child."""
    return subprocess.Popen(
        command,
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=end_with_parent(death_signal),
        **options,
    )


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send to the child and to whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def wait_gone(is_gone: Callable[[], bool], *, seconds: int) -> bool:
    """True as soon as it is gone, false when it is still there after the time."""
    for _ in range(seconds * TICKS):
        if is_gone():
            return True
        time.sleep(1 / TICKS)
    return is_gone()


def is_server(pid: int, *, program: str, folder: Path) -> bool:
    """True when the pid is that program working in that folder, and not a stranger who got the number since."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        works_in = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    return os.path.basename(words[0]).decode(errors="replace") == program and works_in == os.path.realpath(
        folder
    )


def end_left_over(pid_file: Path, *, program: str, folder: Path) -> None:
    """Ends the server a killed launcher left behind and removes its pid file, whoever has the number now."""
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        pid_file.unlink(missing_ok=True)
        return
    for number, seconds in ((signal.SIGINT, 5), (signal.SIGKILL, 5)):
        if not is_server(pid, program=program, folder=folder):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_gone(lambda: not is_server(pid, program=program, folder=folder), seconds=seconds)
    pid_file.unlink(missing_ok=True)
