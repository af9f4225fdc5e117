"""The child of `ledger.matching`: answers one line of JSON, `[pattern, text]`, with true, false or null, for ever.

Run alone, without the product around it. Its alarm ends the whole process when a search takes too long, which no
pattern can prevent; a pattern that Python cannot read is null.
"""

import json
import re
import resource
import signal
import sys


def answer(pattern: str, text: str) -> bool | None:
    """Whether the pattern fits the whole text."""
    try:
        return re.fullmatch(pattern, text) is not None
    except (re.error, OverflowError, RecursionError, MemoryError):
        return None


def serve(most_milliseconds: int, most_bytes: int) -> None:
    """Reads lines until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, most_milliseconds / 1000)
        found = answer(*json.loads(line))
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
