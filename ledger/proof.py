"""A proof of what customers are owed: a tree of hashes and sums in which every customer finds their own amounts.

Written down so that anybody can build it again; `static/verify_liabilities.py` did, with nothing of ours.
H is SHA-256, ‖ joins bytes, numbers are big-endian.

    amount    in units of 10^-18, at least 0 and less than 2^127: 16 bytes
    vector    one amount for every asset of the proof, in the order of the assets' codes
    record    a hash, 32 bytes ‖ a vector
    customer  H(03 ‖ the customer's number, 8 bytes ‖ the nonce, 32 bytes)
    leaf      H(00 ‖ customer ‖ vector) ‖ vector
    padding   H(02) ‖ a vector of zeros; fills the tree up to a power of two
    node      H(01 ‖ left record ‖ right record) ‖ the sums of the two vectors, each less than 2^127 again
    root      H(04 ‖ number of assets, 2 bytes ‖ of each: length of its code, 1 byte ‖ code in UTF-8 ‖ top record)
    path      of a leaf: the records beside its way to the top, the leaf's own neighbour first; where bit k of the
              leaf's position is 1, the record of step k (from 0) stands on the left

A node's hash covers both children whole, hash and sums of each, so nothing can be moved from one to the other
(Maxwell's tree hashed only the sum of both, and could prove less than is owed: eprint 2018/1139). What is negative, or
would become so by overflowing, cannot be written down at all. The nonces are fresh in every proof and the order is
drawn by lot, so that neither neighbours nor later proofs tell who somebody is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from hashlib import sha256

FORMAT = "causeway-liabilities-1"
LEAF, NODE, PADDING, CUSTOMER, ROOT = b"\x00", b"\x01", b"\x02", b"\x03", b"\x04"
DECIMALS, LIMIT, WIDTH, HASH = 18, 2**127, 16, 32
_EXACT = Context(prec=80, traps=[Inexact])


class Unprovable(ValueError):
    """A leaf that no honest tree can hold, by its customer's number and the asset."""

    def __init__(self, customer: int, asset: str, why: str) -> None:
        self.customer, self.asset = customer, asset
        super().__init__(f"customer {customer}: {asset} {why}")


@dataclass(frozen=True)
class Leaf:
    customer: int
    nonce: bytes
    amounts: Sequence[int]


@dataclass(frozen=True)
class Tree:
    """All records, level by level from the leaves to the top."""

    assets: tuple[str, ...]
    levels: list[bytes]

    @property
    def totals(self) -> list[int]:
        return amounts_of(self.levels[-1])

    @property
    def root(self) -> bytes:
        codes = [code.encode() for code in self.assets]
        named = b"".join(bytes([len(code)]) + code for code in codes)
        return sha256(ROOT + len(codes).to_bytes(2, "big") + named + self.levels[-1]).digest()


def units(amount: Decimal) -> int:
    """The amount in units of 10^-18; raises Inexact when it is finer."""
    return int(_EXACT.to_integral_exact(_EXACT.scaleb(amount, DECIMALS)))


def text(amount: int) -> str:
    """The amount as plain decimal text."""
    whole, rest = divmod(amount, 10**DECIMALS)
    return f"{whole}.{rest:0{DECIMALS}}".rstrip("0").rstrip(".")


def amounts_of(record: bytes) -> list[int]:
    """The amounts of a record's vector."""
    return [int.from_bytes(record[at : at + WIDTH], "big") for at in range(HASH, len(record), WIDTH)]


def size_of(assets: Sequence[str]) -> int:
    """The bytes of a record of that many assets."""
    return HASH + WIDTH * len(assets)


def part_of(leaf: Leaf, position: int, beside: Sequence[bytes]) -> dict[str, object]:
    """What the leaf's customer needs to find the way to the root, as the verifier takes it."""
    return {
        "customer": leaf.customer,
        "nonce": leaf.nonce.hex(),
        "amounts": [text(amount) for amount in leaf.amounts],
        "position": position,
        "path": [
            {"hash": record[:HASH].hex(), "sums": [text(amount) for amount in amounts_of(record)]}
            for record in beside
        ],
    }


def build(assets: Sequence[str], leaves: Sequence[Leaf | None]) -> Tree:
    """The tree over the leaves in their order, None being padding; as many as a power of two.

    Raises Unprovable for the first leaf with a negative or too large amount, or with which a sum becomes too large.
    """
    assert len(leaves) & (len(leaves) - 1) == 0 < len(leaves), (
        "a full tree has as many leaves as a power of two"
    )
    # All amounts of a vector are added as one number: below 2^127 each, they cannot run into each other.
    too_large = sum(LIMIT << (8 * WIDTH * lane) for lane in range(len(assets)))
    padding = sha256(PADDING).digest() + bytes(WIDTH * len(assets))
    total, records = 0, []
    for leaf in leaves:
        record = padding if leaf is None else _record(leaf, assets)
        total += int.from_bytes(record[HASH:], "big")
        if leaf is not None and total & too_large:
            raise Unprovable(leaf.customer, _first_too_large(total, assets), "makes the sum too large")
        records.append(record)
    levels = [b"".join(records)]
    while len(levels[-1]) > size_of(assets):
        levels.append(_parents(levels[-1], size_of(assets)))
    return Tree(tuple(assets), levels)


def _record(leaf: Leaf, assets: Sequence[str]) -> bytes:
    for asset, amount in zip(assets, leaf.amounts, strict=True):
        if not 0 <= amount < LIMIT:
            raise Unprovable(leaf.customer, asset, "is negative" if amount < 0 else "is too large")
    vector = b"".join(amount.to_bytes(WIDTH, "big") for amount in leaf.amounts)
    customer = sha256(CUSTOMER + leaf.customer.to_bytes(8, "big") + leaf.nonce).digest()
    return sha256(LEAF + customer + vector).digest() + vector


def _first_too_large(total: int, assets: Sequence[str]) -> str:
    sums = amounts_of(bytes(HASH) + total.to_bytes(WIDTH * len(assets), "big"))
    return next(asset for asset, amount in zip(assets, sums, strict=True) if amount >= LIMIT)


def _parents(level: bytes, size: int) -> bytes:
    above = []
    for at in range(0, len(level), 2 * size):
        pair = level[at : at + 2 * size]
        sums = int.from_bytes(pair[HASH:size], "big") + int.from_bytes(pair[size + HASH :], "big")
        above.append(sha256(NODE + pair).digest() + sums.to_bytes(size - HASH, "big"))
    return b"".join(above)
