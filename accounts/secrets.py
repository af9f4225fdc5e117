"""Encryption at rest, with a key derived from SECRET_KEY; retired keys of SECRET_KEY_FALLBACKS still open old data."""

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def encrypt(content: bytes) -> bytes:
    """The content, readable only with this installation's key."""
    return _box().encrypt(content)


def decrypt(content: bytes) -> bytes:
    """What `encrypt` was given; raises cryptography's InvalidToken when altered."""
    return _box().decrypt(content)


def _box() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _fernet(secret: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"causeway documents and factors").derive(
        secret.encode()
    )
    return Fernet(base64.urlsafe_b64encode(derived))
