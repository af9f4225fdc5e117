"""Keys of venue accounts at rest: sealed under secrets that are kept outside the database, the newest first.

A secret in a file is read anew when the file changes, so that a new one counts without a restart.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache as once
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from exchange.environment import secrets_of
from exchange.gate.errors import CannotOpen, NoKeysSecret

Told = Mapping[str, str]


def seal(owner: int, told: Told) -> tuple[str, str]:
    """What is to be kept, and the name of the secret it is under; only the same owner can open it."""
    box = next(iter(_boxes().items()), None)
    if box is None:
        raise NoKeysSecret()
    name, fernet = box
    return fernet.encrypt(json.dumps({**told, "owner": str(owner)}).encode()).decode(), name


def unseal(owner: int, sealed: str) -> dict[str, str]:
    """What was sealed for the owner, under whichever of the secrets; raises CannotOpen."""
    for fernet in _boxes().values():
        try:
            found: dict[str, str] = json.loads(fernet.decrypt(sealed.encode()))
        except InvalidToken:
            continue
        if found.pop("owner") != str(owner):
            raise CannotOpen()  # somebody moved it from one row to another
        return found
    raise CannotOpen()


def newest() -> str:
    """The name of the secret under which is sealed now; empty without any."""
    return next(iter(_boxes()), "")


def _boxes() -> dict[str, Fernet]:
    return {_name(secret): _fernet(secret) for secret in _secrets()}


def _secrets() -> tuple[str, ...]:
    if not settings.VENUE_KEYS_SECRET_FILE:
        return secrets_of(settings.VENUE_KEYS_SECRET)
    path = Path(settings.VENUE_KEYS_SECRET_FILE)
    try:
        found = path.stat()
        return _of_file(path, (found.st_mtime_ns, found.st_size, found.st_ino))
    except OSError as error:
        raise NoKeysSecret() from error


@once
def _of_file(path: Path, _written: tuple[int, ...]) -> tuple[str, ...]:
    return secrets_of(path.read_text(encoding="utf-8"))


@once
def _fernet(secret: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"causeway venue keys").derive(
        secret.encode()
    )
    return Fernet(base64.urlsafe_b64encode(derived))


@once
def _name(secret: str) -> str:
    """By which people tell secrets apart; nothing can be opened with it."""
    return hashlib.sha256(b"causeway name of a secret " + secret.encode()).hexdigest()[:8]
