"""The only reader of the environment: each value by its kind, or one sentence and the end."""

import re
from decimal import Decimal

from environs import Env, EnvError

from exchange.environment import stop

env = Env()


def read(kind: str, name: str, **options: object) -> object:
    try:
        return getattr(env, kind)(name, **options)
    except (EnvError, ValueError) as error:
        return stop(f"{name} is missing or not usable: {str(error).rstrip('.')}.")


def text(name: str, default: str | None = "") -> str:
    """The variable's text; an empty variable counts as one that was not given."""
    value = str(read("str", name, default="")).strip() or default
    return stop(f"{name} is missing.") if value is None else value


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        stop(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
    return value


def number(name: str, default: int, *, low: int, high: int) -> int:
    raw = text(name, str(default))
    if not (raw.isascii() and raw.isdecimal()) or not low <= int(raw) <= high:
        stop(f"{name} is {raw!r}; it must be a whole number from {low} to {high}.")
    return int(raw)


def amount(name: str, default: str) -> Decimal:
    """One amount; a list is refused, and so is "1,000", of which the first part would be 1."""
    found = amounts(name, default)
    if len(found) > 1:
        stop(f"{name} is {text(name, default)!r}; it must be one plain amount such as 1000.5.")
    return found[0]


def amounts(name: str, default: str) -> list[Decimal]:
    raw = [part.strip() for part in text(name, default).split(",")]
    if not all(re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,8})?", part) for part in raw):
        stop(f"{name} is {','.join(raw)!r}; it must be plain amounts such as 1000.5, separated by commas.")
    return [Decimal(part) for part in raw]


def flag(name: str, default: bool) -> bool:
    return bool(read("bool", name)) if text(name) else default


def names(name: str) -> list[str]:
    return [part.strip() for part in text(name).split(",") if part.strip()]
