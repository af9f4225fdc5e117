"""What customers are owed at one moment, and the published proofs of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

from exchange.database import same_moment
from ledger import proof as trees
from ledger.errors import NotInProof, UnknownProof
from ledger.models import Balance, Proof, ProofLeaf, Seal
from ledger.queries.seals import latest_seal

# Of a day's proof; a page never waits so long.
READING_SECONDS = 600
CHUNK = 20_000


@dataclass(frozen=True)
class Owed:
    """Every customer's balances at one moment, by customer and asset, what the journal says of their sums, and how far
    the books were sealed."""

    number: int
    taken_at: datetime
    rows: list[tuple[int, str, Decimal]]
    below_zero: tuple[int, str] | None
    unbalanced: dict[str, Decimal]
    by_journal: dict[str, Decimal]
    seal: Seal | None


def owed() -> Owed:
    """What is owed now, available and held together, under the number of the next proof."""
    with same_moment(seconds=READING_SECONDS), connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), coalesce(max(number), 0) + 1 FROM ledger_proof")
        taken_at, number = cursor.fetchone()
        cursor.execute(_BELOW_ZERO)
        below_zero = cursor.fetchone()
        cursor.execute(_JOURNAL)
        journal = cursor.fetchall()
        found = Balance.objects.annotate(owed=F("available") + F("held")).order_by("account__owner_id")
        rows = found.values_list("account__owner_id", "account__asset_id", "owed")
        return Owed(
            number=number,
            taken_at=taken_at,
            rows=list(rows.iterator(CHUNK)),
            below_zero=below_zero,
            unbalanced={asset: trial for asset, trial, _owed in journal if trial},
            by_journal={asset: owed for asset, _trial, owed in journal if owed},
            seal=latest_seal(),
        )


_BELOW_ZERO = """
SELECT a.owner_id, a.asset_id FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id
 WHERE b.available < 0 OR b.held < 0 OR b.available = 'NaN' OR b.held = 'NaN' ORDER BY a.id LIMIT 1
"""
# Only customers' entries are numbered.
_JOURNAL = """
SELECT asset_id, sum(amount), coalesce(sum(amount) FILTER (WHERE seq IS NOT NULL), 0) FROM ledger_entry GROUP BY 1
"""


# ------------------------------------------------------------------ published
def proofs() -> QuerySet[Proof]:
    """All of them, the latest first."""
    return Proof.objects.order_by("-number")


def proof(number: int | None = None) -> Proof:
    """The proof of the number, the latest without one; raises UnknownProof."""
    found = proofs() if number is None else proofs().filter(number=number)
    first = found.first()
    if first is None:
        raise UnknownProof()
    return first


def inclusion(user_id: int, number: int | None = None) -> dict[str, Any]:
    """The customer's part of a proof, as the verifier takes it; raises UnknownProof, NotInProof."""
    published = proof(number)
    leaf = ProofLeaf.objects.filter(proof=published, user_id=user_id).first()
    if leaf is None:
        raise NotInProof()
    own, *beside = _records(leaf, trees.size_of(published.assets))
    mine = trees.Leaf(user_id, bytes(leaf.nonce), trees.amounts_of(own))
    return {
        "format": trees.FORMAT,
        "proof": published.number,
        "taken_at": published.taken_at.isoformat(),
        "root": published.root,
        "assets": published.assets,
        "totals": [published.totals[asset] for asset in published.assets],
        **trees.part_of(mine, leaf.position, beside),
    }


def _records(leaf: ProofLeaf, size: int) -> list[bytes]:
    """The leaf's own record and those beside its path, from its neighbour to below the top."""
    sql = (
        "SELECT substring(records FROM %(position)s * %(size)s + 1 FOR %(size)s),"
        " substring(records FROM ((%(position)s >> level) # 1) * %(size)s + 1 FOR %(size)s)"
        " FROM ledger_prooflevel WHERE proof_id = %(proof)s ORDER BY level"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, {"position": leaf.position, "size": size, "proof": leaf.proof_id})
        rows = [(bytes(own), bytes(beside)) for own, beside in cursor.fetchall()]
    return [rows[0][0], *(beside for _own, beside in rows[:-1])]
