"""Proofs of what customers are owed: read at one moment, built, and published for ever."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from secrets import SystemRandom, token_bytes
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection
from django.utils import timezone

from exchange.database import transaction_with_retry
from exchange.money import EXACT
from ledger import proof as trees
from ledger import queries
from ledger.errors import BooksDoNotAgree, NothingOwed, ProofOvertaken
from ledger.models import LedgerException, Proof, ProofLevel
from ledger.queries import Owed
from ledger.services.exceptions import note_exception

log = structlog.get_logger()
AT_ONCE = 20_000
NONCE_BYTES = 32


def publish_due_proof(now: datetime | None = None) -> Proof | None:
    """A proof is published when the latest is older than PROOF_HOURS and somebody is owed something.

    Books that do not agree cannot be proven: that is put before staff, once for each proof that is due.
    """
    latest = queries.proofs().first()
    age = timedelta(hours=settings.PROOF_HOURS)
    if latest is not None and latest.taken_at > (now or timezone.now()) - age:
        return None
    try:
        return publish_proof()
    except (NothingOwed, ProofOvertaken):
        return None
    except BooksDoNotAgree as error:
        log.error("proof.refused", reason=str(error))
        _put_before_staff(latest.number + 1 if latest else 1, str(error))
        return None


@transaction_with_retry
def _put_before_staff(number: int, why: str) -> None:
    note_exception(
        source=LedgerException.Source.NO_PROOF,
        key=f"proof:{number}:{why}"[:120],
        asset=None,
        amount=None,
        detail={"proof": number, "why": why},
    )


def publish_proof() -> Proof:
    """Everybody's balances of this moment are proven by a published root; the books are only read.

    Refuses when the books do not balance, when the stored balances are not what the entries sum to, when one is below
    zero (BooksDoNotAgree), when nobody is owed anything (NothingOwed), when another proof came first (ProofOvertaken).
    """
    owed = queries.owed()
    totals = _agreed_totals(owed)
    leaves = _leaves(owed, sorted(totals))
    try:
        tree = trees.build(sorted(totals), leaves)
    except trees.Unprovable as error:
        raise BooksDoNotAgree(what=str(error)) from error
    assert [trees.units(totals[asset]) for asset in tree.assets] == tree.totals, (
        "the tree counts everybody once"
    )
    published = _publish(owed, tree, leaves)
    log.info("proof.published", proof=published.number, customers=published.customers)
    return published


def _agreed_totals(owed: Owed) -> dict[str, Decimal]:
    """What is owed in all by asset, the stored balances and the journal agreeing."""
    if owed.below_zero:
        raise BooksDoNotAgree(what="customer {}: {} is negative".format(*owed.below_zero))
    if owed.unbalanced:
        raise BooksDoNotAgree(what=f"trial balance of {min(owed.unbalanced)}")
    totals: dict[str, Decimal] = {}
    for _user, asset, amount in owed.rows:
        totals[asset] = EXACT.add(totals.get(asset, Decimal(0)), amount)
    totals = {asset: total for asset, total in totals.items() if total}
    if totals != owed.by_journal:
        odd = {asset for asset, _total in totals.items() ^ owed.by_journal.items()}
        raise BooksDoNotAgree(what=f"balances and entries of {min(odd)}")
    if not totals:
        raise NothingOwed()
    return totals


def _leaves(owed: Owed, assets: list[str]) -> list[trees.Leaf | None]:
    """One leaf a customer, with a nonce of its own, and padding, in an order drawn by lot."""
    leaves: list[trees.Leaf | None] = []
    for user_id, rows in groupby(owed.rows, key=lambda row: row[0]):
        own = {asset: trees.units(amount) for _user, asset, amount in rows}
        leaves.append(trees.Leaf(user_id, token_bytes(NONCE_BYTES), [own.get(asset, 0) for asset in assets]))
    leaves += [None] * ((1 << (len(leaves) - 1).bit_length()) - len(leaves))
    SystemRandom().shuffle(leaves)
    return leaves


def _publish(owed: Owed, tree: trees.Tree, leaves: list[trees.Leaf | None]) -> Proof:
    try:
        return _record(owed, tree, leaves)
    except IntegrityError as error:
        raise ProofOvertaken() from error


@transaction_with_retry
def _record(owed: Owed, tree: trees.Tree, leaves: list[trees.Leaf | None]) -> Proof:
    totals = dict(zip(tree.assets, map(trees.text, tree.totals), strict=True))
    placed = [(position, leaf) for position, leaf in enumerate(leaves) if leaf is not None]
    published = Proof.objects.create(
        number=owed.number,
        taken_at=owed.taken_at,
        root=tree.root.hex(),
        totals=totals,
        customers=len(placed),
        seal_number=owed.seal.number if owed.seal else None,
        seal_hash=owed.seal.hash if owed.seal else "",
    )
    for level, records in enumerate(tree.levels):
        ProofLevel.objects.create(proof=published, level=level, records=records)
    for at in range(0, len(placed), AT_ONCE):
        _place(published, placed[at : at + AT_ONCE])
    return published


def _place(published: Proof, placed: list[tuple[int, trees.Leaf]]) -> None:
    """Columns instead of rows: a hundred thousand leaves are written in a moment."""
    columns: list[list[Any]] = [
        [leaf.customer for _position, leaf in placed],
        [position for position, _leaf in placed],
        [leaf.nonce for _position, leaf in placed],
    ]
    sql = (
        "INSERT INTO ledger_proofleaf (proof_id, user_id, position, nonce)"
        " SELECT %s, * FROM unnest(%s::bigint[], %s::integer[], %s::bytea[])"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [published.pk, *columns])
