"""Signatures exactly as the venue verifies them (binance.md 3)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class Key(Protocol):
    api_key: str

    def sign(self, payload: str) -> str:
        """The signature of the payload's UTF-8 bytes, in the venue's encoding, not yet percent-encoded."""


class HmacKey:
    """HMAC SHA256, hexadecimal."""

    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key = api_key
        self._secret = secret.encode()

    def sign(self, payload: str) -> str:
        return hmac.digest(self._secret, payload.encode(), hashlib.sha256).hex()

    def __repr__(self) -> str:
        return "HmacKey(…)"


class Ed25519Key:
    """Ed25519, base64; the recommended kind."""

    def __init__(self, api_key: str, private_key: Ed25519PrivateKey) -> None:
        self.api_key = api_key
        self._private_key = private_key

    @classmethod
    def from_file(cls, api_key: str, path: str) -> "Ed25519Key":
        """Reads a PEM file (PKCS#8); raises ValueError when it holds another kind of key."""
        return cls.from_text(api_key, Path(path).read_text(encoding="ascii"))

    @classmethod
    def from_text(cls, api_key: str, pem: str) -> "Ed25519Key":
        """The same from what such a file holds."""
        key = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the private key file does not hold an Ed25519 key")
        return cls(api_key, key)

    def sign(self, payload: str) -> str:
        return base64.b64encode(self._private_key.sign(payload.encode())).decode()

    def __repr__(self) -> str:
        return "Ed25519Key(…)"


Parameters = Sequence[tuple[str, str]]


def encode(parameters: Parameters) -> str:
    """Percent-encoded `name=value` pairs in the given order: what is sent and what is signed on REST."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='-_.~')}" for name, value in parameters)


def signed_query(parameters: Parameters, key: Key) -> str:
    """The REST payload with its signature last, percent-encoded too."""
    payload = encode(parameters)
    return f"{payload}&signature={quote(key.sign(payload), safe='')}"


def socket_payload(parameters: Mapping[str, object]) -> str:
    """The WebSocket API's payload: sorted by name, not percent-encoded."""
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))


def signed_params(parameters: Mapping[str, object], key: Key) -> dict[str, object]:
    """The WebSocket API's `params` with apiKey and signature."""
    params = {**parameters, "apiKey": key.api_key}
    return {**params, "signature": key.sign(socket_payload(params))}
