"""A request as it came: raw text, parameters, and who signed it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from urllib.parse import parse_qsl

from exchange.paper import errors
from exchange.paper.accounts import ApiKey

LONGEST_WINDOW = 60_000
_WINDOW = re.compile(r"[0-9]{1,20}(\.[0-9]{1,3})?")
_STAMP = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True)
class Request:
    """`payload` is query text plus body text exactly as sent; on a name in both, the query wins."""

    method: str
    path: str
    query: str
    body: str
    api_key: str
    address: str

    @cached_property
    def params(self) -> dict[str, str]:
        return {**_pairs(self.body), **_pairs(self.query)}

    @property
    def payload(self) -> str:
        """The raw text without the signature, wherever it stands; query and body join without a separator."""
        return _unsigned(self.query) + _unsigned(self.body)


def _pairs(raw: str) -> dict[str, str]:
    pairs = parse_qsl(raw, keep_blank_values=True)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise errors.ApiError(-1101, "Duplicate values for a parameter detected.")
    return found


def _unsigned(raw: str) -> str:
    return "&".join(part for part in raw.split("&") if not part.startswith("signature="))


def authenticate(request: Request, keys: dict[str, ApiKey], now: int) -> ApiKey:
    """The key that signed this request; `now` is the venue's time in milliseconds."""
    key = known_key(request.api_key, keys)
    params = request.params
    signature = params.get("signature")
    if not signature:
        raise errors.mandatory("signature")
    check_time(params, now)
    if not key.verifies(request.payload, signature):
        raise errors.BAD_SIGNATURE
    return key


def known_key(text: str, keys: dict[str, ApiKey]) -> ApiKey:
    if not (text.isascii() and text.isalnum() and len(text) <= 128):
        raise errors.BAD_KEY_FORMAT
    key = keys.get(text)
    if key is None or key.is_revoked:
        raise errors.BAD_KEY
    return key


def check_time(params: dict[str, str], now: int) -> None:
    """-1021 for a timestamp a second ahead, or older than the window; in milliseconds or microseconds."""
    stamp, window = params.get("timestamp", ""), params.get("recvWindow") or "5000"
    if not stamp:
        raise errors.mandatory("timestamp")
    if not _STAMP.fullmatch(stamp):
        raise errors.illegal("timestamp", r"^[0-9]{1,20}$")
    if not _WINDOW.fullmatch(window):
        raise errors.illegal("recvWindow", r"^[0-9]{1,20}(\.[0-9]{1,3})?$")
    if Decimal(window) > LONGEST_WINDOW:
        raise errors.ApiError(-1131, "recvWindow must be less than 60000")
    sent = int(stamp)
    sent = sent // 1000 if sent > 10**14 else sent
    if sent >= now + 1000:
        raise errors.EARLY
    if now - sent > Decimal(window):
        raise errors.LATE
