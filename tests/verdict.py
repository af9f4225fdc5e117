"""The last line of a bench or a soak is one JSON object, whatever it ended by."""

import json
import sys
import traceback
from collections.abc import Callable


def verdict(work: Callable[[], int], **names: str) -> int:
    """The work's exit status; what it raised is told, and its last line says that it is not ok."""
    try:
        return work()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # what waits in vain ends by one that is no Exception
        traceback.print_exc(file=sys.stderr)
        broken = f"{type(error).__name__}: {error}"[:300]
        print(json.dumps({**names, "broken": broken, "ok": False}), flush=True)
        return 1
