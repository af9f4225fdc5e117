"""The refusals every app builds on.

DomainError
 ├─ NotFound           404
 ├─ NotAllowed         403
 ├─ Conflict           409   the same key with another body, or a state that has moved on
 ├─ BadNumber          400
 ├─ TooLarge           413
 └─ Unavailable        503   the platform or the venue cannot do it at the moment; nothing was done
"""

from django.db import InterfaceError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

Text = str | Promise
# What is raised while the database or Redis cannot be reached, or cannot do more: nobody's mistake, and it passes.
OUTAGES = (OperationalError, InterfaceError, RedisError)


class DomainError(Exception):
    """An expected refusal: a stable code, a sentence for a person, the field it belongs to."""

    code = "refused"
    status = 400
    message: Text = _("This cannot be done.")

    def __init__(self, message: Text | None = None, *, field: str | None = None, **params: object) -> None:
        self.field = field
        self.params = params
        self._message = message if message is not None else self.message
        super().__init__(self.code)

    def __str__(self) -> str:
        text = str(self._message)
        return text % self.params if self.params else text


class NotFound(DomainError):
    code = "not_found"
    status = 404
    message = _("There is no such thing here.")


class NotAllowed(DomainError):
    code = "not_allowed"
    status = 403
    message = _("You may not do this.")


class Conflict(DomainError):
    code = "conflict"
    status = 409
    message = _("This was already decided otherwise.")


class TooLarge(DomainError):
    code = "too_large"
    status = 413
    message = _("This is larger than anything we take.")


class Unavailable(DomainError):
    """`retry_after`: seconds after which it may be worth another try, where that is known."""

    code = "unavailable"
    status = 503
    message = _("This is not available at the moment. Please try again shortly.")
    retry_after: float | None = None


class BadNumber(DomainError):
    code = "bad_number"
    message = _("Enter a plain number such as 0.25, with at most 18 decimals.")
