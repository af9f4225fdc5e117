"""Moments as the venue writes them, in whole milliseconds of 1970, and as we keep them; exact both ways."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def moment_of(at_ms: int) -> datetime:
    return _EPOCH + at_ms * _MILLISECOND


def milliseconds_of(moment: datetime) -> int:
    """What is finer than a millisecond is left out."""
    return (moment - _EPOCH) // _MILLISECOND
