"""Money that is nobody's yet: announced, looked for, decided by four eyes, and never by amount or by who came first."""

from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from typing import Any

import psycopg
import pytest
from django.test import Client
from PIL import Image

from accounts.models import User
from exchange.errors import DomainError
from exchange.gate.models import VenueAccount
from exchange.office import queries as records
from exchange.office import services as office
from exchange.office.errors import OwnMoney
from exchange.office.models import Approval, AuditRecord, Notice
from ledger import errors
from ledger import services as ledger
from ledger.models import Account, Deposit, DepositClaim, LedgerException
from tests.factories import balance, held_by_the_house, make_user
from tests.ledger.custodian import Custodian, address_of, custodian, make_staff, statuses

TX = "c0ffee" * 10
OTHER_TX = "decade" * 10


@pytest.fixture
def paper(db: None) -> Iterator[Custodian]:
    with custodian("USDT") as found:
        VenueAccount.objects.update(deposit_strategy="ANNOUNCED")
        yield found


@pytest.fixture
def alice(paper: Custodian) -> User:
    user = make_user()
    address_of(user)
    return user


@pytest.fixture
def bob(paper: Custodian) -> User:
    return make_user("bob")


@pytest.fixture
def carol(paper: Custodian) -> User:
    return make_staff("carol")


@pytest.fixture
def dave(paper: Custodian) -> User:
    return make_staff("dave")


def claim(user: User, **changes: Any) -> DepositClaim:
    said: dict[str, Any] = {"asset": "USDT", "network": "TRX", "tx_id": TX, "amount": Decimal(100)}
    return ledger.announce_deposit(user=user, **{**said, "statement": "From my wallet.", **changes})


def grant(asked: Approval, by: User) -> str:
    office.grant(asked.pk, by=by)
    ledger.carry_out_approvals()
    asked.refresh_from_db()
    return asked.status


def drawn() -> bytes:
    sheet = BytesIO()
    Image.new("RGB", (20, 20)).save(sheet, "PNG")
    return sheet.getvalue()


# ------------------------------------------------------------------ announced
def test_money_at_the_pooled_address_waits_in_suspense_for_its_owner(paper: Custodian, alice: User) -> None:
    paper.pay(txId=TX, status=1)
    assert statuses() == ["UNATTRIBUTED"]
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 100
    assert (balance(alice, "USDT")[0], LedgerException.objects.count()) == (0, 0)


def test_two_who_claim_one_transaction_get_nothing_before_four_eyes_decide(
    paper: Custodian, alice: User, bob: User, carol: User, dave: User
) -> None:
    his, hers = claim(bob), claim(alice)
    paper.pay(txId=TX, status=1)
    for _time in range(3):
        statuses()
    ledger.carry_out_approvals()
    assert (balance(alice, "USDT")[0], balance(bob, "USDT")[0]) == (0, 0)
    asked = ledger.ask_claim(claim_id=hers.pk, reason="The exchange confirmed it.", by=carol)
    ledger.carry_out_approvals()
    assert balance(alice, "USDT")[0] == 0
    assert grant(asked, dave) == "USED"
    his.refresh_from_db()
    hers.refresh_from_db()
    assert (balance(alice, "USDT")[0], balance(bob, "USDT")[0]) == (100, 0)
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 0
    assert (hers.status, hers.deposit_id) == ("ACCEPTED", Deposit.objects.get().pk)
    assert (his.status, "somebody else" in his.reason) == ("REFUSED", True)
    assert Notice.objects.filter(user=bob, kind="deposit.claim_refused").exists()
    assert statuses() == ["CREDITED"]


def test_both_stand_side_by_side_on_either_page_of_the_desk(
    paper: Custodian, alice: User, bob: User, carol: User, client: Client
) -> None:
    his, hers = claim(bob, statement="Mine!"), claim(alice, statement="No, mine!")
    paper.pay(txId=TX, status=1)
    statuses()
    client.force_login(carol)
    for page in (f"depositclaim/{his.pk}", f"depositclaim/{hers.pk}", f"deposit/{Deposit.objects.get().pk}"):
        text = client.get(f"/admin/ledger/{page}/change/").text
        assert ("Mine!" in text, "No, mine!" in text, TX in text) == (True, True, True)


def test_a_claim_without_a_record_waits_and_says_so(
    paper: Custodian, alice: User, carol: User, client: Client
) -> None:
    made = claim(alice)
    paper.pay(txId=OTHER_TX, status=1, amount="100")
    statuses()
    client.force_login(alice)
    assert (
        "The venue has no record of this transaction yet." in client.get(f"/wallet/announced/{made.pk}/").text
    )
    with pytest.raises(errors.NoRecordYet):
        ledger.ask_claim(claim_id=made.pk, reason="looks right", by=carol)


@pytest.mark.parametrize("elsewhere", [{"network": "BSC"}, {"tx_id": OTHER_TX}])
def test_a_claim_is_compared_by_transaction_and_network_and_not_by_amount(
    paper: Custodian, alice: User, carol: User, elsewhere: dict[str, str]
) -> None:
    made = claim(alice, **elsewhere)
    paper.pay(txId=TX, status=1)
    statuses()
    with pytest.raises(errors.NoRecordYet):
        ledger.ask_claim(claim_id=made.pk, reason="the amount fits", by=carol)


def test_of_several_outputs_staff_choose_the_right_one(
    paper: Custodian, alice: User, carol: User, dave: User
) -> None:
    made = claim(alice)
    paper.pay(txId=TX, status=1, outputs=[{"amount": "1"}, {"amount": "2"}])
    statuses()
    with pytest.raises(errors.SeveralRecords):
        ledger.ask_claim(claim_id=made.pk, reason="which?", by=carol)
    second = Deposit.objects.get(amount=2)
    asked = ledger.ask_attribution(deposit_id=second.pk, customer=alice.email, reason="this one", by=carol)
    assert (grant(asked, dave), balance(alice, "USDT")[0]) == ("USED", 2)
    made.refresh_from_db()
    assert (made.status, made.deposit_id) == ("ACCEPTED", second.pk)
    assert claim(alice).status == "OPEN"  # the other output may be theirs as well


@pytest.mark.parametrize(
    ("changes", "refusal", "field"),
    [
        ({"tx_id": "short"}, errors.BadTransaction, "tx_id"),
        ({"tx_id": "https://tronscan.org/#/transaction/" + TX}, errors.BadTransaction, "tx_id"),
        ({"tx_id": "<script>alert(1)</script>"}, errors.BadTransaction, "tx_id"),
        ({"tx_id": TX[:30] + "\n" + TX[30:]}, errors.BadTransaction, "tx_id"),
        ({"tx_id": TX[:30] + "\0" + TX[30:]}, errors.BadTransaction, "tx_id"),
        ({"tx_id": "ä" * 64}, errors.BadTransaction, "tx_id"),
        ({"tx_id": "0" * 201}, errors.BadTransaction, "tx_id"),
        ({"from_address": "0xnotatronaddress"}, errors.BadAddress, "from_address"),
        ({"statement": "  "}, errors.ProofMissing, "statement"),
        ({"proof": b"MZ not a picture"}, DomainError, "proof"),
        ({"network": "SOL"}, errors.UnknownNetwork, "network"),
        ({"asset": "DAI"}, errors.UnknownNetwork, "network"),
    ],
    ids=str,
)
def test_a_claim_that_cannot_be_right_says_what_is_wrong_and_keeps_nothing(
    paper: Custodian, alice: User, changes: dict[str, Any], refusal: type[DomainError], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        claim(alice, **changes)
    assert (refused.value.field, len(str(refused.value)) > 20) == (field, True)
    assert not DepositClaim.objects.exists()


def test_the_same_claim_twice_is_one_and_what_is_credited_cannot_be_claimed(
    paper: Custodian, alice: User, carol: User, dave: User
) -> None:
    made = claim(alice)
    with pytest.raises(errors.AlreadyAnnounced):
        claim(alice, tx_id=TX.upper())
    paper.pay(txId=TX, status=1)
    statuses()
    ledger.cancel_claim(claim_id=made.pk, user=alice)
    deposit = Deposit.objects.get()
    asked = ledger.ask_attribution(deposit_id=deposit.pk, customer=alice.email, reason="proved", by=carol)
    grant(asked, dave)
    with pytest.raises(errors.AlreadyCredited):
        claim(alice)


def test_a_claim_taken_back_is_on_record(paper: Custodian, alice: User) -> None:
    made = ledger.cancel_claim(claim_id=claim(alice).pk, user=alice)
    record = AuditRecord.objects.get(action="deposit_claim.canceled")
    assert (record.actor, record.subject_id) == (alice, str(made.pk))
    assert (made.status, made.decided_at is None) == ("CANCELED", False)


def test_a_claim_does_not_wait_for_who_changes_the_customer(
    committed_db: str, owner: psycopg.Connection
) -> None:
    with custodian("USDT"):
        VenueAccount.objects.update(deposit_strategy="ANNOUNCED")
        alice = make_user()
        address_of(alice)
        with owner.transaction():
            owner.execute("UPDATE accounts_user SET name = 'Alice'")
            assert claim(alice).status == "OPEN"


def test_nobody_announces_without_end(paper: Custodian, alice: User) -> None:
    for number in range(10):
        claim(alice, amount=Decimal(number + 1))
    with pytest.raises(errors.TooManyClaims):
        claim(alice, amount=Decimal(11))


def test_a_proof_is_read_by_its_owner_and_by_staff_alone_and_each_read_is_on_record(
    paper: Custodian, alice: User, bob: User, carol: User
) -> None:
    made, clerk = claim(alice, proof=drawn(), statement=""), make_user("clerk", is_staff=True)
    for reader in (alice, carol):
        found, content = ledger.read_claim_proof(claim_id=made.pk, by=reader, address="192.0.2.1")
        assert (found.proof_type, content[:2]) == ("image/jpeg", b"\xff\xd8")
    for stranger in (bob, clerk):
        with pytest.raises(errors.UnknownClaim):
            ledger.read_claim_proof(claim_id=made.pk, by=stranger, address=None)
    reads = AuditRecord.objects.filter(action="deposit_claim.proof_read").order_by("id")
    assert list(reads.values_list("actor", "subject_type", "subject_id", "address")) == [
        (reader.pk, "deposit_claim", str(made.pk), "192.0.2.1") for reader in (alice, carol)
    ]


def test_staff_refuse_a_claim_with_a_reason_the_customer_reads(
    paper: Custodian, alice: User, carol: User, client: Client
) -> None:
    made = claim(alice)
    with pytest.raises(DomainError, match="why"):
        ledger.refuse_claim(claim_id=made.pk, reason=" ", by=carol)
    ledger.refuse_claim(claim_id=made.pk, reason="The picture shows another transaction.", by=carol)
    client.force_login(alice)
    assert "The picture shows another transaction." in client.get(f"/wallet/announced/{made.pk}/").text
    with pytest.raises(errors.ClaimDecided):
        ledger.cancel_claim(claim_id=made.pk, user=alice)


# ------------------------------------------------------------------ the staff's queue
@pytest.fixture
def stray(paper: Custodian, alice: User) -> Deposit:
    paper.pay(txId=TX, status=1)
    statuses()
    return Deposit.objects.get()


def ask(stray: Deposit, customer: User, by: User) -> Approval:
    return ledger.ask_attribution(deposit_id=stray.pk, customer=customer.email, reason="proved", by=by)


def test_what_is_credited_by_four_eyes_is_locked_until_the_venue_calls_it_final(
    paper: Custodian, alice: User, carol: User, dave: User
) -> None:
    (one,) = paper.pay(txId=TX, status=6)
    statuses()
    grant(ask(Deposit.objects.get(), alice, carol), dave)
    assert statuses() == ["LOCKED"]
    paper.turn(one, 1)
    assert statuses() == ["CREDITED"]


def test_a_second_request_about_the_same_money_is_refused(stray: Deposit, alice: User, carol: User) -> None:
    ask(stray, alice, carol)
    with pytest.raises(errors.DepositInDecision):
        ledger.ask_keeping(deposit_id=stray.pk, reason="ours", by=carol)


def test_a_refused_request_leaves_the_money_where_it_is_and_may_be_asked_again(
    stray: Deposit, alice: User, bob: User, carol: User, dave: User
) -> None:
    office.refuse(ask(stray, bob, carol).pk, by=dave, reason="not his")
    ledger.carry_out_approvals()
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 100
    assert (grant(ask(stray, alice, carol), dave), balance(alice, "USDT")[0]) == ("USED", 100)


def test_nobody_asks_or_grants_money_to_themselves(stray: Deposit, carol: User, dave: User) -> None:
    with pytest.raises(OwnMoney):
        ask(stray, carol, carol)
    asked = ask(stray, dave, carol)
    with pytest.raises(OwnMoney):
        grant(asked, dave)
    assert (balance(dave, "USDT")[0], statuses()) == (0, ["UNATTRIBUTED"])


def test_money_the_venue_took_back_meanwhile_is_not_credited(
    paper: Custodian, stray: Deposit, alice: User, carol: User, dave: User
) -> None:
    asked = ask(stray, alice, carol)
    paper.turn(stray.venue_id, 7)
    assert statuses() == ["REVERSED"]
    assert (grant(asked, dave), balance(alice, "USDT")[0]) == ("FAILED", 0)


def test_money_sent_back_or_kept_leaves_suspense_by_four_eyes(
    paper: Custodian, stray: Deposit, carol: User, dave: User
) -> None:
    with pytest.raises(DomainError, match="transaction"):
        ledger.ask_return(deposit_id=stray.pk, tx_id="-", reason="wrong network", by=carol)
    asked = ledger.ask_return(deposit_id=stray.pk, tx_id=OTHER_TX, reason="wrong network", by=carol)
    assert (grant(asked, dave), statuses()) == ("USED", ["RETURNED"])
    assert held_by_the_house(Account.Type.VENUE, "USDT") == 0
    paper.pay(txId=OTHER_TX, status=1, amount="7")
    statuses()
    kept = ledger.ask_keeping(deposit_id=Deposit.objects.get(amount=7).pk, reason="pre-funding", by=carol)
    assert grant(kept, dave) == "USED"
    assert held_by_the_house(Account.Type.EQUITY, "USDT") == 7
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 0


def test_money_at_an_address_of_nobody_is_a_difference_until_it_is_explained(
    paper: Custodian, bob: User, carol: User, dave: User
) -> None:
    paper.pay(txId=TX, status=1)
    statuses()
    assert LedgerException.objects.get().source == "unattributed deposit"
    grant(ask(Deposit.objects.get(), bob, carol), dave)
    found = LedgerException.objects.get()
    assert found.resolved_at is not None
    assert [record.actor for record in records.history_of("difference", found.pk)] == [dave]


@pytest.mark.parametrize(("stays", "shown", "left"), [(False, "TAKEN_BACK", 0), (True, "CREDITED", 100)])
def test_what_the_venue_took_back_ends_by_four_eyes(
    paper: Custodian, stray: Deposit, alice: User, carol: User, dave: User, stays: bool, shown: str, left: int
) -> None:
    grant(ask(stray, alice, carol), dave)
    paper.turn(stray.venue_id, 7)
    assert statuses() == ["REVERSED"]
    paper.turn(stray.venue_id, 1)
    assert statuses() == ["REVERSED"]
    decide = ledger.ask_restoring if stays else ledger.ask_taking_back
    assert grant(decide(deposit_id=stray.pk, reason="asked the venue", by=carol), dave) == "USED"
    assert (statuses(), balance(alice, "USDT")[0]) == ([shown], left)
    assert not LedgerException.objects.filter(resolved_at=None).exists()
    done = [
        (record.action, record.actor, bool(record.reason))
        for record in records.history_of("deposit", stray.pk)
    ]
    last = "deposit.restore" if stays else "deposit.take_back"
    assert done == [(last, dave, True), ("deposit.reversed", None, True), ("deposit.attribute", dave, True)]


def test_the_desk_asks_and_grants_by_its_own_pages(
    stray: Deposit, alice: User, carol: User, dave: User
) -> None:
    desk, other = Client(), Client()
    desk.force_login(carol)
    other.force_login(dave)
    page = f"/admin/ledger/deposit/{stray.pk}/attribute/"
    wrong = desk.post(page, {"customer": "nobody@example.com", "reason": "proved"})
    assert "No customer has this e-mail address." in wrong.text
    assert desk.post(page, {"customer": alice.email, "reason": "proved"}).status_code == 302
    asked = Approval.objects.get()
    assert "../attribute/" not in desk.get(f"/admin/ledger/deposit/{stray.pk}/change/").text
    other.post(f"/admin/office/approval/{asked.pk}/grant/", {"reason": "seen"})
    ledger.carry_out_approvals()
    assert balance(alice, "USDT")[0] == 100
