"""What a seal is, computed apart from the database: the bytes that are hashed, the tree, the chain, the exported line.

`ledger/sql/seal.sql` makes seals and this module checks them: the two share nothing but this description.

    word(x)   the length of x in bytes, ":", x, ","; "-," when there is no x
    leaf      SHA-256 of 0x00 and the words of the transfer, how many entries it has, and the words of each entry
    root      leaves hashed in pairs, SHA-256 of 0x01 and both, level by level; an odd one goes up as it is (RFC 6962)
    block     SHA-256 of 0x02 and the words of number, previous hash, root, horizon, transfers, moment
    line      number, hash and moment, parted by one space

Amounts are plain decimals without trailing zeros, moments microseconds since 1970, hashes lower-case hexadecimal.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from exchange.money import plain
from ledger.errors import NotASeal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BEGINNING = "0" * 64
_LINE = re.compile(
    r"([1-9][0-9]{0,17}) ([0-9a-f]{64}) ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}\+00:00)", re.ASCII
)

Value = str | int | Decimal | datetime | None


@dataclass(frozen=True)
class SealLine:
    """One block as it left the house."""

    number: int
    hash: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.number} {self.hash} {self.at.astimezone(UTC).isoformat(timespec='microseconds')}"


def word(value: Value) -> bytes:
    """The value's bytes behind their length, so that no two lists of words look alike."""
    if value is None:
        return b"-,"
    text = _text(value).encode()
    return b"%d:%s," % (len(text), text)


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return str((value - EPOCH) // MICROSECOND)
    return str(value)


def leaf_of(transfer: Sequence[Value], entries: Sequence[Sequence[Value]]) -> bytes:
    """The hash of a transfer's columns and of those of its entries."""
    values: list[Value] = [*transfer, len(entries), *(value for entry in entries for value in entry)]
    return sha256(b"\0" + b"".join(map(word, values))).digest()


def root_of(leaves: Sequence[bytes]) -> str:
    """The root of the tree over the leaves."""
    level = list(leaves)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\1" + left + right).digest() for left, right in pairs] + odd
    return level[0].hex() if level else ""


def block_hash(number: int, previous: str, root: str, horizon: int, transfers: int, at: datetime) -> str:
    """The hash that the next block and the world outside remember."""
    values: list[Value] = [number, previous, root, horizon, transfers, at]
    return sha256(b"\2" + b"".join(map(word, values))).hexdigest()


def read_lines(lines: Iterable[str]) -> Iterator[SealLine]:
    """The blocks a file of seals names; raises NotASeal at the first line that is none.

    A last line without its end, which a crash cut short, is passed over.
    """
    for count, text in enumerate(lines, 1):
        found = _seal_in(text.strip())
        if found:
            yield found
        elif text.endswith("\n") and text.strip():
            raise NotASeal(line=count)


def _seal_in(text: str) -> SealLine | None:
    found = _LINE.fullmatch(text)
    try:
        return SealLine(int(found[1]), found[2], datetime.fromisoformat(found[3])) if found else None
    except ValueError:
        return None
