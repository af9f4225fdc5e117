"""What a page may say on a socket: short messages, and not too many of them."""

import json
import time
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _

from exchange.errors import DomainError

LONGEST_MESSAGE = 1024
MOST_MESSAGES, IN_SECONDS = 50, 10
TOO_MUCH = 4029


class TooMuch(DomainError):
    """Told before the socket is closed."""

    code = "too_much"
    status = 429
    message = _(
        "A socket takes short texts alone, at most %(most)s in %(seconds)s seconds. It is closed now."
    )

    def __init__(self) -> None:
        super().__init__(most=MOST_MESSAGES, seconds=IN_SECONDS)


class NotUnderstood(DomainError):
    code = "not_understood"
    message = _("This message means nothing here.")


class Inbox:
    """Counts one socket's incoming messages."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since, self._received = clock(), 0

    def check(self, text: str | None) -> None:
        """Raises TooMuch for a message that is too long, not text, or one too many: the socket is to be closed."""
        now = self._clock()
        if now - self._since > IN_SECONDS:
            self._since, self._received = now, 0
        self._received += 1
        if text is None or len(text) > LONGEST_MESSAGE or self._received > MOST_MESSAGES:
            raise TooMuch


def message_of(text: str | None) -> dict[str, Any]:
    """The JSON object that was said; raises NotUnderstood when it is none."""
    try:
        message = json.loads(text or "")
    except (ValueError, RecursionError):
        raise NotUnderstood from None
    if not isinstance(message, dict):
        raise NotUnderstood
    return message


def refusal(error: DomainError) -> dict[str, Any]:
    """The refusal as a socket tells it, in the words of the API."""
    return {"type": "refused", "code": error.code, "message": str(error), "field": error.field}
