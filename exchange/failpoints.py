"""Named points at which a test can kill or stop a process, to prove that nothing is lost there.

`FAILPOINT=order.held=kill` (or `=stop`) arms one point, once, for the whole installation: the first process to pass it
leaves a file and ends (SIGKILL) or freezes (SIGSTOP). Every hit is counted by name in DATA_DIR/failpoints. Without the
variable a point costs one dictionary look-up.
"""

import os
import signal
from pathlib import Path

from django.conf import settings

_armed, _, _action = os.environ.get("FAILPOINT", "").partition("=")
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def hit(name: str) -> None:
    """Passes by, unless this point is armed and nobody has hit it yet."""
    if not _armed:
        return
    folder = Path(settings.DATA_DIR) / "failpoints"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.hits").open("a") as hits:
        hits.write(f"{os.getpid()}\n")
    if name == _armed and _is_first(folder / f"{name}.fired"):
        os.kill(os.getpid(), _SIGNALS[_action])


def _is_first(flag: Path) -> bool:
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
