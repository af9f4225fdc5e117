"""What a page may say on a socket: short messages, and not too many of them."""

import time
from collections.abc import Callable

LONGEST_MESSAGE = 1024
MOST_MESSAGES, IN_SECONDS = 50, 10
TOO_MUCH = 4029


class Inbox:
    """Counts one socket's incoming messages."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since, self._received = clock(), 0

    def takes(self, text: str | None) -> bool:
        """False for a message that is too long, not text, or one too many: the socket is to be closed."""
        now = self._clock()
        if now - self._since > IN_SECONDS:
            self._since, self._received = now, 0
        self._received += 1
        return text is not None and len(text) <= LONGEST_MESSAGE and self._received <= MOST_MESSAGES
