"""What texts of the environment must look like: each check stops the start with one sentence, exit status 2."""

import ipaddress
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from redis.connection import parse_url

from exchange.binance.signing import Ed25519Key

LEAST_SECRET = 32


def stop(sentence: str) -> NoReturn:
    """End the start with one sentence and exit status 2."""
    print(f"causeway: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def parts_of(url: str) -> SplitResult | None:
    """The address in its parts; None when it is not one."""
    try:
        parts = urlsplit(url)
        return None if re.search(r"\s", url) or parts.port == 0 else parts
    except ValueError:  # a port that is none, brackets without an end
        return None


# ------------------------------------------------------------------ servers
def database(name: str, url: str) -> dict[str, object]:
    """A Django database from postgresql://user:password@host:port/name?host=/socket/folder."""
    parts = parts_of(url)
    if parts is None or parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        stop(
            f"{name} must look like postgresql://user:password@host:5432/name (with other signs in a password "
            "percent-encoded); SQLite and others cannot hold amounts."
        )
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    try:
        make_conninfo(**query)
    except ProgrammingError as error:
        stop(
            f"{name} has an option after its ? that PostgreSQL does not know: {' '.join(str(error).split())}."
        )
    return {
        "ENGINE": "exchange.postgres",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", str(parts.port or "")),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": "5",
            **query,
            # Django prepares nothing; this lets the books' own calls be prepared, and only those that ask for it.
            "prepare_threshold": 1_000_000,
            # ledger.md 3.4: nobody waits for ever for a lock, nobody sits in a transaction.
            "options": "-c lock_timeout=2s -c statement_timeout=5s -c idle_in_transaction_session_timeout=10s",
        },
        "TEST": {"NAME": unquote(parts.path.strip("/"))},
    }


def redis_parts(name: str, url: str) -> SplitResult:
    """A Redis address in its parts."""
    parts = parts_of(url)
    if parts is None or parts.scheme not in {"redis", "rediss", "unix"}:
        stop(
            f"{name} must look like redis://host:6379/0, rediss://host:6379/0 or unix:///folder/socket?db=0."
        )
    is_numbered = parts.scheme == "unix" or re.fullmatch(r"/?[0-9]*", parts.path)
    try:
        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError as error:
        stop(f"{name} is not usable: {error}.")
    if not is_numbered or (parts.scheme == "unix" and not parts.path):
        stop(
            f"{name} ends with {parts.path!r}; redis:// ends with a database's number, unix:// with a socket."
        )
    return parts


# ------------------------------------------------------------------ addresses
def address(name: str, url: str, *schemes: str) -> str:
    """An address without its last slash, or none at all."""
    parts = parts_of(url)
    is_one = parts is not None and parts.scheme in schemes and parts.hostname and not parts.username
    if url and (parts is None or not is_one or parts.query or parts.fragment):
        stop(
            f"{name} is {url!r}; it must look like {' or '.join(f'{each}://host:port' for each in schemes)}."
        )
    return url.rstrip("/")


def proxy_parts(url: str) -> SplitResult | None:
    """A proxy's address, which everybody may see: http://host:port and no more; None for anything else."""
    parts = parts_of(url)
    is_one = parts is not None and parts.scheme == "http" and parts.hostname and parts.port
    if parts is None or not is_one or parts.username or parts.password or parts.path or parts.query:
        return None
    return None if parts.fragment else parts


def origin(name: str, url: str) -> str:
    """A site's address, with nothing behind its host and port."""
    found = address(name, url, "https", "http")
    if urlsplit(found).path:
        stop(f"{name} is {url!r}; it must end with the host or its port.")
    return found


def is_plain(url: str) -> bool:
    """True when everybody on the way can read what is sent to the address."""
    return urlsplit(url).scheme in {"http", "ws"}


def is_loopback(url: str) -> bool:
    """True when the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def all_or_none(addresses: dict[str, str]) -> None:
    """A venue of one's own has all its addresses or none: half of one would be asked at nobody's."""
    missing = [name for name, url in addresses.items() if not url]
    if missing and len(missing) < len(addresses):
        stop(f"VENUE=paper has some of its addresses, and {', '.join(missing)} is missing; give all or none.")


# ------------------------------------------------------------------ the rest
def rate(name: str, value: str) -> str:
    """So many requests a second, minute, hour or day."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)", value):
        stop(f"{name} is {value!r}; it must look like 1200/min, with s, min, hour or day.")
    return value


def asset(name: str, code: str) -> str:
    """An asset as the venue writes it: in capitals, with digits."""
    if not re.fullmatch(r"[A-Z0-9]{1,32}", code):
        stop(f"{name} is {code!r}; it must be an asset as the venue writes it, such as USDT.")
    return code


def same_length(**lists: Sequence[object]) -> None:
    """Lists with one figure a tier have as many figures; which tier one of them forgot cannot be guessed."""
    if len({len(figures) for figures in lists.values()}) > 1:
        counts = " and ".join(f"{name} has {len(figures)}" for name, figures in lists.items())
        stop(f"{counts}; they must have the same number of figures, one a tier.")


def venue_key(prefix: str, *, key: str, secret: str, file: str) -> None:
    """An API key has one secret, or one file with an Ed25519 private key, and neither is there without it."""
    named = f"{prefix}_API_SECRET or {prefix}_PRIVATE_KEY_FILE"
    if secret and file:
        stop(f"give {named}, not both.")
    if key and not (secret or file):
        stop(f"{prefix}_API_KEY is given without {named}; nothing could be signed.")
    if (secret or file) and not key:
        stop(f"{named} is given without {prefix}_API_KEY; the venue would not know whose signature it is.")
    if not re.fullmatch(r"[!-~]*", key):
        stop(f"{prefix}_API_KEY holds letters that no key of the venue has.")
    if file:
        _ed25519(f"{prefix}_PRIVATE_KEY_FILE", file)


def secrets_of(text: str) -> tuple[str, ...]:
    """Secrets one after another, the newest first, apart by commas or lines."""
    return tuple(part for part in re.split(r"[\s,]+", text) if part)


def keys_secret(name: str, secret: str, file: str) -> None:
    """Secrets by themselves or in a file, and each of them hard to guess."""
    if secret and file:
        stop(f"give {name} or {name}_FILE, not both.")
    if file:
        try:
            secret = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            stop(f"{name}_FILE names {file!r}, which cannot be read: {type(error).__name__}.")
        if not secrets_of(secret):
            stop(f"{name}_FILE names {file!r}, which holds no secret.")
    if any(len(found) < LEAST_SECRET for found in secrets_of(secret)):
        stop(f"{name} holds a secret of less than {LEAST_SECRET} characters; make one of random characters.")


def _ed25519(name: str, file: str) -> None:
    try:
        Ed25519Key.from_file("", file)
    except OSError as error:
        stop(f"{name} names {file!r}, which cannot be read: {error.strerror}.")
    except (ValueError, TypeError, UnsupportedAlgorithm):
        stop(f"{name} names {file!r}, which is not an Ed25519 private key (PEM, PKCS#8) without a password.")
