"""Named points at which a test can kill or stop a process, to prove that nothing is lost there.

With `FAILPOINTS=on` every hit is counted by name in DATA_DIR/failpoints, and a file `armed` there ("order.held=kill" or
"order.held=stop") strikes the first process that passes its point, once. Without the variable a point does nothing;
production refuses it.
"""

import os
import signal
from pathlib import Path

from django.conf import settings

_is_on = os.environ.get("FAILPOINTS") == "on"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def hit(name: str) -> None:
    """Passes by, unless this point is armed and nobody has hit it yet."""
    if not _is_on:
        return
    folder = Path(settings.DATA_DIR) / "failpoints"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.hits").open("a") as hits:
        hits.write(f"{os.getpid()}\n")
    action = _claimed(folder, name)
    if action:
        os.kill(os.getpid(), _SIGNALS[action])


def _claimed(folder: Path, name: str) -> str:
    """The action armed for this point, for the first who takes it; empty for everybody else."""
    try:
        point, _, action = (folder / "armed").read_text().strip().partition("=")
        if point != name:
            return ""
        (folder / "armed").rename(folder / f"{name}.{os.getpid()}")
    except FileNotFoundError:
        return ""
    return action
