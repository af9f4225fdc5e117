"""The proof of liabilities: everybody finds their own balances in it, with a verifier that knows nothing of ours."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from exchange.database import sqlstate_of
from exchange.local.places import CHECKOUT
from ledger import proof as trees
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import BooksDoNotAgree, NothingOwed, NotInProof, UnknownProof
from ledger.models import Entry, Hold, LedgerException, Proof, ProofLeaf, ProofLevel, Seal, Transfer
from ledger.proof import LIMIT, Leaf, Unprovable
from tests.factories import fund, make_user
from tests.ledger.chain import seal_everything

VERIFIER = CHECKOUT / "static" / "verify_liabilities.py"
Document = dict[str, Any]
PEOPLE = {"alice": "100", "bob": "0.00000001", "carol": "2000.5", "dave": "7", "erin": "12345678.12345678"}


def verified(folder: Path, document: object, *root: str) -> subprocess.CompletedProcess[str]:
    """What the independent verifier says of the document, run without our code in reach."""
    file = folder / "proof.json"
    file.write_text(json.dumps(document))
    command = [sys.executable, "-I", str(VERIFIER), str(file), *root]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def people(db: None) -> list[User]:
    """Five customers with USDT, of whom alice has BTC as well, and some of hers is held."""
    users = [make_user(name) for name in PEOPLE]
    for user, amount in zip(users, PEOPLE.values(), strict=True):
        fund(user, "USDT", amount)
    fund(users[0], "BTC", "1.5")
    ledger.hold(user_id=users[0].pk, asset="BTC", amount=Decimal("0.5"), cause=Hold.Cause.ORDER, cause_id=1)
    return users


@pytest.fixture
def document(people: list[User]) -> Document:
    """alice's part of a published proof."""
    ledger.publish_proof()
    return books.inclusion(people[0].pk)


# ------------------------------------------------------------------ everybody is in it
def test_the_proof_verifies_for_every_customer_with_the_independent_verifier(
    people: list[User], tmp_path: Path
) -> None:
    published = ledger.publish_proof()
    for user in people:
        said = verified(tmp_path, books.inclusion(user.pk), published.root)
        assert (said.returncode, said.stderr) == (0, "")
        assert f"VERIFIED: the published totals count {own(user)} for customer {user.pk}." in said.stdout


def own(user: User) -> str:
    rows = [(row.asset, row.available + row.held) for row in books.balances(user.pk)]
    return ", ".join(f"{trees.text(trees.units(amount))} {asset}" for asset, amount in rows)


def test_totals_are_what_the_books_owe_all_customers_together(people: list[User]) -> None:
    published = ledger.publish_proof()
    assert published.totals == {"BTC": "1.5", "USDT": "12347785.62345679"}
    assert published.customers == len(PEOPLE)
    assert published.number == 1


def test_a_proof_books_nothing(people: list[User]) -> None:
    before = (Transfer.objects.count(), Entry.objects.count(), books.balances(people[0].pk))
    ledger.publish_proof()
    assert (Transfer.objects.count(), Entry.objects.count(), books.balances(people[0].pk)) == before


def test_one_changed_balance_changes_the_root() -> None:
    leaves = [Leaf(number, bytes([number]) * 32, [number * 10]) for number in range(1, 5)]
    changed = [*leaves[:2], Leaf(3, leaves[2].nonce, [31]), leaves[3]]
    roots = {trees.build(["BTC"], each).root for each in (leaves, changed)}
    assert len(roots) == 2


def test_the_same_balances_have_another_root_and_another_order_next_time(people: list[User]) -> None:
    roots = {ledger.publish_proof().root for _ in range(3)}
    orders = {
        tuple(each.leaves.order_by("user_id").values_list("position", flat=True)) for each in books.proofs()
    }
    assert len(roots) == 3
    assert len(orders) > 1


def test_a_single_customer_can_be_proven_to(db: None, tmp_path: Path) -> None:
    alice = make_user()
    fund(alice, "USDT", "1")
    root = ledger.publish_proof().root
    assert verified(tmp_path, books.inclusion(alice.pk), root).returncode == 0


def test_the_root_of_a_written_example_stays_what_it_is() -> None:
    """Others build the tree from its description; were the encoding to change, so must its name."""
    leaves = [
        Leaf(1, b"\x01" * 32, [10**18, 0]),
        Leaf(2, b"\x02" * 32, [5, 7]),
        None,
        Leaf(3, b"\x03" * 32, [0, 0]),
    ]
    tree = trees.build(["BTC", "USDT"], leaves)
    assert tree.root.hex() == EXAMPLE_ROOT
    assert tree.totals == [10**18 + 5, 7]


EXAMPLE_ROOT = "592b7762fe945bedf737e86ef6ac36cdca756a2f2ddcfba0b0e642363ba248ad"


def test_a_proof_names_the_latest_sealed_block(committed_db: str, client: Client) -> None:
    fund(make_user(), "USDT", "5")
    unsealed = ledger.publish_proof()
    assert (unsealed.seal_number, unsealed.seal_hash) == (None, "")
    seal_everything()
    seal, published = Seal.objects.get(), ledger.publish_proof()
    assert (published.seal_number, published.seal_hash) == (seal.number, seal.hash)
    assert seal.hash in client.get("/proof/").text


# ------------------------------------------------------------------ what does not verify
def swap_amounts(document: Document) -> None:
    """Moves a sum from one side of a node to the other: the flaw of Maxwell's first tree."""
    step = document["path"][0]
    mine, theirs = Decimal(document["amounts"][1]), Decimal(step["sums"][1])
    document["amounts"][1], step["sums"][1] = f"{mine - 1:f}", f"{theirs + 1:f}"


def change(*path: Any, to: Any) -> Callable[[Document], None]:
    def apply(document: Document) -> None:
        place: Any = document
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to(place[path[-1]]) if callable(to) else to

    return apply


MODULUS = 2**128
TAMPERED: dict[str, Callable[[Document], None]] = {
    "a smaller amount": change("amounts", 0, to="1.4"),
    "a larger amount": change("amounts", 0, to="1.6"),
    "another customer": change("customer", to=lambda number: number + 1),
    "another nonce": change("nonce", to="00" * 32),
    "a short nonce": change("nonce", to="00"),
    "another position": change("position", to=lambda position: position ^ 1),
    "a position outside the tree": change("position", to=lambda position: position + 8),
    "a negative position": change("position", to=-1),
    "a sum moved between two children": swap_amounts,
    "another neighbour": change("path", 0, "hash", to="00" * 32),
    "a long hash": change("path", 0, "hash", to=lambda digest: digest + "00"),
    "a shorter path": change("path", to=lambda path: path[:-1]),
    "a negative sum": change("path", 0, "sums", 0, to="-1"),
    "a sum that overflows": change("path", 0, "sums", 0, to=trees.text(MODULUS - 1)),
    "a sum too fine": change("path", 0, "sums", 0, to="0.0000000000000000001"),
    "a number": change("amounts", 0, to=1.5),
    "an exponent": change("amounts", 0, to="15e-1"),
    "smaller totals": change("totals", 0, to="1.4"),
    "another root": change("root", to="00" * 32),
    "another name of an asset": change("assets", 0, to="ETH"),
    "an asset less": change("assets", to=lambda assets: assets[:1]),
    "another format": change("format", to="2"),
    "nothing": change("path", to=None),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_changed_proof_does_not_verify(document: Document, tmp_path: Path, name: str) -> None:
    changed = copy.deepcopy(document)
    TAMPERED[name](changed)
    assert changed != document
    said = verified(tmp_path, changed)
    assert said.returncode == 1
    assert said.stderr.startswith("NOT VERIFIED: ")
    assert "Traceback" not in said.stderr


def test_another_customers_leaf_does_not_verify_as_mine(
    people: list[User], document: Document, tmp_path: Path
) -> None:
    theirs = books.inclusion(people[1].pk)
    for name in ("customer", "amounts", "nonce"):
        mixed = {**theirs, name: document[name]}
        assert verified(tmp_path, mixed, theirs["root"]).returncode == 1


def test_a_proof_of_another_root_does_not_verify(document: Document, tmp_path: Path) -> None:
    said = verified(tmp_path, document, "ab" * 32)
    assert (said.returncode, "not to abab" in said.stderr) == (1, True)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '"proof"', "{"])
def test_a_file_that_is_no_proof_is_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    said = subprocess.run(
        [sys.executable, str(VERIFIER), str(file)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr[:13]) == (1, "NOT VERIFIED:")


# ------------------------------------------------------------------ what cannot be built
def leaf(customer: int, *amounts: int) -> Leaf:
    return Leaf(customer, b"\x00" * 32, amounts)


@pytest.mark.parametrize(
    ("leaves", "sentence"),
    [
        ([leaf(7, 1, 0), leaf(8, 5, -1)], "customer 8: USDT is negative"),
        ([leaf(7, 1, 0), leaf(8, LIMIT, 0)], "customer 8: BTC is too large"),
        ([leaf(7, 0, LIMIT - 1), leaf(8, 0, 1)], "customer 8: USDT makes the sum too large"),
        ([leaf(7, LIMIT - 1, LIMIT - 1), None], ""),
    ],
    ids=["negative", "too large", "a sum too large", "as large as can be"],
)
def test_a_negative_or_overflowing_sum_is_refused_by_name(leaves: list[Leaf | None], sentence: str) -> None:
    if not sentence:
        assert trees.build(["BTC", "USDT"], leaves).totals == [LIMIT - 1, LIMIT - 1]
        return
    with pytest.raises(Unprovable) as refused:
        trees.build(["BTC", "USDT"], leaves)
    assert str(refused.value) == sentence


def test_padding_cannot_hide_a_negative(document: Document, tmp_path: Path) -> None:
    """The totals are less than what is owed only when something negative was added; no leaf and no sum can be that."""
    padding = trees.build(["BTC"], [leaf(1, 5), None]).levels[0][trees.size_of(["BTC"]) :]
    assert trees.amounts_of(padding) == [0]
    for below_zero in ("-1", trees.text(MODULUS - 10**18), trees.text(LIMIT)):
        hidden = copy.deepcopy(document)
        hidden["path"][0]["sums"][0] = below_zero
        said = verified(tmp_path, hidden)
        assert (said.returncode, "amount" in said.stderr) == (1, True)


@given(st.lists(st.integers(0, 10**30), min_size=1, max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_a_path_from_any_leaf_leads_to_the_totals(amounts: list[int], random: Random) -> None:
    leaves: list[Leaf | None] = [leaf(number, amount) for number, amount in enumerate(amounts)]
    leaves += [None] * ((1 << (len(leaves) - 1).bit_length()) - len(leaves))
    random.shuffle(leaves)
    tree = trees.build(["BTC"], leaves)
    assert tree.totals == [sum(amounts)]
    size, position = trees.size_of(["BTC"]), random.randrange(len(leaves))
    beside = [
        trees.amounts_of(level[((position >> k) ^ 1) * size :][:size])
        for k, level in enumerate(tree.levels[:-1])
    ]
    found = leaves[position]
    assert (found.amounts[0] if found else 0) + sum(sums[0] for sums in beside) == sum(amounts)


def test_fractions_are_exact_both_ways() -> None:
    for text in ("0", "1", "0.000000000000000001", "99999999999999999999.999999999999999999", "12.5"):
        assert trees.text(trees.units(Decimal(text))) == text


# ------------------------------------------------------------------ books that are not in order
@contextmanager
def without_laws(owner: psycopg.Connection) -> Iterator[None]:
    """The owner of the database does what nobody may; undone for the next one."""
    owner.execute("ALTER TABLE ledger_entry DISABLE TRIGGER ALL")
    yield
    owner.execute("DELETE FROM ledger_entry WHERE bucket = 'S' AND amount = 3")


def test_no_proof_of_a_trial_balance_that_is_not_zero(committed_db: str, owner: psycopg.Connection) -> None:
    fund(make_user(), "USDT", "5")
    with without_laws(owner):
        owner.execute(
            "INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount)"
            " SELECT transfer_id, account_id, asset_id, 'S', 3 FROM ledger_entry WHERE bucket = 'S'"
        )
        with pytest.raises(BooksDoNotAgree, match="trial balance of USDT"):
            ledger.publish_proof()
        with pytest.raises(CommandError, match="do not agree"):
            call_command("publish_proof")
    assert not Proof.objects.exists()


def test_no_proof_of_a_negative_balance(committed_db: str, owner: psycopg.Connection) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    fund(alice, "USDT", "5")
    fund(bob, "USDT", "5")
    owner.execute("ALTER TABLE ledger_balance DROP CONSTRAINT balance_available_not_negative")
    owner.execute(
        "UPDATE ledger_balance SET available = -1 WHERE account_id ="
        " (SELECT id FROM ledger_account WHERE owner_id = %s)",
        [bob.pk],
    )
    with pytest.raises(BooksDoNotAgree, match=f"customer {bob.pk}: USDT is negative"):
        ledger.publish_proof()


def test_no_proof_of_balances_that_are_not_what_their_entries_say(
    committed_db: str, owner: psycopg.Connection
) -> None:
    fund(make_user(), "USDT", "5")
    owner.execute("UPDATE ledger_balance SET available = 4")
    with pytest.raises(BooksDoNotAgree, match="balances and entries of USDT"):
        ledger.publish_proof()
    assert [ledger.publish_due_proof() for _time in range(2)] == [None, None]
    found = LedgerException.objects.get()
    assert (found.source, found.detail["proof"]) == ("proof not published", 1)
    assert "balances and entries of USDT" in found.detail["why"]


def test_nobody_owed_is_nothing_to_prove(db: None) -> None:
    with pytest.raises(NothingOwed):
        ledger.publish_proof()
    assert ledger.publish_due_proof() is None


# ------------------------------------------------------------------ published for ever
def state_of(attempt: Callable[[], object]) -> str:
    try:
        with transaction.atomic():
            attempt()
    except DatabaseError as error:
        return sqlstate_of(error)
    return ""


@pytest.mark.parametrize("model", [Proof, ProofLeaf, ProofLevel])
def test_what_is_published_is_not_changed(people: list[User], model: Any) -> None:
    ledger.publish_proof()
    table = model._meta.db_table
    for sql in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        assert state_of(lambda sql=sql: connection.cursor().execute(sql)) == "42501"  # type: ignore[misc]


def test_even_the_owner_changes_nothing_and_adds_nothing(
    committed_db: str, owner: psycopg.Connection
) -> None:
    fund(make_user(), "USDT", "5")
    ledger.publish_proof()
    for table in ("ledger_proof", "ledger_proofleaf", "ledger_prooflevel"):
        for attempt in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
                owner.execute(attempt)
    late = make_user("late")
    assert state_of(
        lambda: ProofLeaf.objects.create(proof=Proof.objects.get(), user=late, position=1, nonce=b"\x00" * 32)
    ) == "23514"  # fmt: skip


def test_a_due_proof_is_published_once(people: list[User]) -> None:
    first = ledger.publish_due_proof()
    assert first is not None
    assert ledger.publish_due_proof() is None
    assert ledger.publish_due_proof(first.taken_at + timedelta(hours=25)) is not None
    assert [each.number for each in books.proofs()] == [2, 1]


def test_the_command_says_what_it_published(people: list[User], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("publish_proof")
    assert capsys.readouterr().out == f"proof 1: 5 customers, root {Proof.objects.get().root}\n"


# ------------------------------------------------------------------ read by customers and by everybody
def test_a_newcomer_is_not_in_it_and_is_told_so(people: list[User]) -> None:
    with pytest.raises(UnknownProof):
        books.inclusion(people[0].pk)
    ledger.publish_proof()
    with pytest.raises(NotInProof):
        books.inclusion(make_user("late").pk)


def test_an_older_proof_can_still_be_checked(people: list[User], tmp_path: Path) -> None:
    first = ledger.publish_proof()
    fund(people[0], "USDT", "1")
    ledger.publish_proof()
    found = books.inclusion(people[0].pk, first.number)
    assert found["amounts"] == ["1.5", "100"]
    assert verified(tmp_path, found, first.root).returncode == 0


def test_everybody_reads_root_and_totals(client: Client, people: list[User]) -> None:
    assert "No proof yet" in client.get("/proof/").text
    published = ledger.publish_proof()
    for path in ("/proof/", f"/proof/{published.number}/"):
        page = client.get(path).text
        assert published.root in page
        assert "12,347,785.62345679" in page
        assert "verify_liabilities.py" in page
        assert "What it does not prove" in page
    row = client.get("/api/v1/proof/").json()["results"][0]
    assert (row["root"], row["totals"], row["customers"]) == (published.root, published.totals, 5)
    assert client.get("/proof/99/").status_code == 404


def test_only_the_customer_reads_their_own_leaf(client: Client, people: list[User]) -> None:
    ledger.publish_proof()
    assert client.get("/proof/mine/").status_code == 302
    assert client.get("/api/v1/proof/mine/").status_code == 401
    client.force_login(people[0])
    assert client.get("/api/v1/proof/mine/").json() == json.loads(json.dumps(books.inclusion(people[0].pk)))
    page = client.get("/proof/mine/").text
    assert "1.5" in page and str(books.inclusion(people[0].pk)["nonce"]) in page
    assert "2000.5" not in page.split("<textarea")[0]


@pytest.mark.parametrize("number", ["0", "x", "-1", "99999999999999999999"])
def test_an_odd_number_of_a_proof_is_refused_in_words(
    client: Client, people: list[User], number: str
) -> None:
    ledger.publish_proof()
    client.force_login(people[0])
    answer = client.get(f"/api/v1/proof/mine/?number={number}")
    assert (answer.status_code, answer.json()["field"]) == (400, "number")
    assert client.get(f"/proof/mine/?number={number}").status_code == 200
