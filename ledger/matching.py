"""The venue's patterns of addresses, tried within a time bound: none can hang a process of ours.

A backtracking search may take for ever, and no look at a pattern tells whether it will. So a child process searches,
and an alarm that the kernel keeps ends it when the time is up. The child stays alive from one question to the next.
"""

import json
import select
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

MOST_MILLISECONDS = 300
MOST_BYTES = 512 * 1024 * 1024
# The child ends itself; this is for one that was stopped or starved.
MOST_WAIT_SECONDS = 5
LONGEST = 200
_WORKER = Path(__file__).with_name("pattern_worker.py")


class Undecided(Exception):
    """The pattern could not be tried in time, or not be read at all."""


def fits(pattern: str, text: str) -> bool:
    """True when the venue's pattern fits the whole text, which must be short and printable; raises Undecided."""
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        return False
    return not pattern or _known(pattern, text)


class _Child:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, pattern: str, text: str) -> bool:
        with self._lock:
            answer = self._answer(json.dumps([pattern, text]).encode() + b"\n")
        if answer not in (b"true\n", b"false\n"):
            raise Undecided
        return answer == b"true\n"

    def _answer(self, question: bytes) -> bytes:
        process = self._living()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(question)
            process.stdin.flush()
            ready, _writing, _odd = select.select([process.stdout], [], [], MOST_WAIT_SECONDS)
            found = process.stdout.readline() if ready else b""
        except OSError:
            found = b""
        if not found:
            self._bury()
        return found

    def _living(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            # Isolated and with an empty environment: it needs none of our keys.
            command = [sys.executable, "-I", "-S", str(_WORKER), str(MOST_MILLISECONDS), str(MOST_BYTES)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
            )
        return self._process

    def _bury(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
        self._process = None


_child = _Child()


@lru_cache(maxsize=1024)
def _known(pattern: str, text: str) -> bool:
    return _child.ask(pattern, text)
