"""The last line of a bench or a soak is one JSON object, whatever it ended by."""

import json
import sys
import traceback
from collections.abc import Callable

import pytest


def verdict(work: Callable[[], int], **names: str) -> int:
    """The work's exit status; what it raised is told, and its last line says that it is not ok."""
    try:
        return work()
    except (Exception, SystemExit, pytest.fail.Exception) as error:  # by the last ends what waits in vain
        traceback.print_exc(file=sys.stderr)
        broken = f"{type(error).__name__}: {error}"[:300]
        print(json.dumps({**names, "broken": broken, "ok": False}), flush=True)
        return 1
