"""Where is my deposit: the customer's own pages and API, and what their forms refuse."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import User
from exchange.gate.models import VenueAccount
from ledger import services as ledger
from ledger.models import Deposit, DepositAddress, DepositClaim, Network, Transfer
from markets.models import Asset
from tests.accounts.files import picture
from tests.factories import fund, make_user, venue_account
from tests.venue import Venue

TX, OTHER_TX = "c0ffee" * 10, "decade" * 10
WORDS = {"asset": "USDT", "network": "TRX", "tx_id": TX, "amount": "100", "statement": "From my wallet."}


@pytest.fixture
def network(db: None) -> Network:
    asset, _made = Asset.objects.get_or_create(code="USDT")
    venue_account()
    VenueAccount.objects.update(deposit_strategy="ANNOUNCED")
    regex = "^T[1-9A-HJ-NP-Za-km-z]{33}$"
    return Network.objects.create(
        asset=asset, code="TRX", deposit_enabled=True, address_regex=regex, confirmations=6, arrival_minutes=3,
        deposit_min="0.01",
    )  # fmt: skip


@pytest.fixture
def alice(network: Network) -> User:
    return make_user()


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def make_deposit(user: User, status: str = "SEEN", **changes: Any) -> Deposit:
    now = timezone.now()
    facts = {
        "venue_account": venue_account(), "venue_id": f"{user.pk}-{Deposit.objects.count()}", "user": user,
        "coin": "USDT", "asset_id": "USDT", "network": "TRX", "address": "T-mine", "tx_id": TX, "amount": "100",
        "venue_status": 0, "confirmations": "2/12", "inserted_at": now - timedelta(minutes=1), "changed_at": now,
        "status": status,
    }  # fmt: skip
    return Deposit.objects.create(**{**facts, **changes})


@pytest.mark.parametrize(
    ("status", "changes", "sentence"),
    [
        ("SEEN", {}, "2 of 6 confirmations until it is credited, usually within 3 minutes"),
        (
            "SEEN",
            {"amount": "0.009"},
            "Below the smallest deposit of 0.01 USDT: the venue does not credit it",
        ),
        ("SEEN", {"confirmations": ""}, "Waiting for confirmations"),
        ("SEEN", {"is_internal": True}, "Sent from another account at the venue"),
        ("HELD_UP", {"venue_status": 8}, "The venue waits for a confirmation by our staff"),
        ("CHECKING", {"venue_status": 99}, "that we have not met before"),
        ("UNLISTED", {"asset_id": None, "coin": "ATOM"}, "ATOM is not listed here yet"),
        ("REJECTED", {"venue_status": 2}, "Rejected by the venue"),
        ("REJECTED", {"venue_status": 7}, "The venue calls it a wrong deposit"),
        ("GONE", {}, "The venue does not know it any more"),
        ("DUST", {"amount": "0.0000000001"}, "smaller than anything the books keep"),
    ],
    ids=str,
)
def test_the_life_line_says_where_it_is_and_what_can_be_done(
    browser: Client, alice: User, status: str, changes: dict[str, Any], sentence: str
) -> None:
    deposit = make_deposit(alice, status, **changes)
    page = browser.get(f"/wallet/deposits/{deposit.pk}/").text
    answer = browser.get(f"/api/v1/deposits/{deposit.pk}/").json()
    assert sentence in page
    assert any(sentence in step["text"] for step in answer["life"])
    assert answer["advice"].split(".")[0].split("'")[0] in page


def claim_with_proof(user: User) -> DepositClaim:
    return ledger.announce_deposit(
        user=user,
        asset="USDT",
        network="TRX",
        tx_id=OTHER_TX,
        amount=Decimal(1),
        statement="",
        proof=picture(),
    )


def test_a_claim_without_a_proof_has_none_to_show(browser: Client, alice: User, network: Network) -> None:
    claim = DepositClaim.objects.create(user=alice, network=network, amount=1, tx_id=TX, statement="x")
    assert browser.get(f"/wallet/announced/{claim.pk}/").status_code == 200
    assert browser.get(f"/wallet/announced/{claim.pk}/proof/").status_code == 404


def test_nobody_sees_anybody_elses_deposit_by_page_api_or_look_up(browser: Client, network: Network) -> None:
    bob = make_user("bob")
    other = make_deposit(bob)
    claim = claim_with_proof(bob)
    paths = [
        f"/wallet/deposits/{other.pk}/",
        f"/api/v1/deposits/{other.pk}/",
        f"/wallet/announced/{claim.pk}/",
    ]
    paths += [f"/api/v1/deposit-claims/{claim.pk}/", f"/wallet/announced/{claim.pk}/proof/"]
    owner = Client()
    owner.force_login(bob)
    assert {path: owner.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)
    assert {path: browser.get(path).status_code for path in paths} == dict.fromkeys(paths, 404)
    assert browser.post(f"/api/v1/deposit-claims/{claim.pk}/cancel/").status_code == 404
    assert "None of your deposits has this transaction id." in browser.get(f"/wallet/deposits/?tx={TX}").text
    assert browser.get(f"/api/v1/deposits/?tx_id={TX}").json()["results"] == []


def test_the_look_up_finds_the_customers_own_in_any_case_of_letters(browser: Client, alice: User) -> None:
    deposit = make_deposit(alice)
    make_deposit(alice, tx_id="another")
    page = browser.get("/wallet/deposits/", {"tx": f" {TX.upper()} "}).text
    assert f"/wallet/deposits/{deposit.pk}/" in page
    assert "another" not in page
    found = browser.get("/api/v1/deposits/", {"tx_id": TX}).json()
    assert [row["id"] for row in found["results"]] == [deposit.pk]


@pytest.mark.parametrize("path", ["/wallet/deposits/?tx=%00", "/api/v1/deposits/?tx_id=%00"])
def test_a_look_up_of_what_no_text_can_hold_is_refused(browser: Client, path: str) -> None:
    assert browser.get(path).status_code == 400


@pytest.mark.parametrize("text", ["", "x" * 201, "'; DROP TABLE ledger_deposit; --", "%00", "<b>", "\u202e"])
def test_odd_look_ups_are_answered(browser: Client, text: str) -> None:
    assert browser.get("/wallet/deposits/", {"tx": text}).status_code == 200


def filled(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**WORDS, **changes}.items() if name not in ("asset", "network")}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tx_id": ""}, "This field is required."),
        ({"tx_id": "abc"}, "This is not a transaction id."),
        ({"tx_id": "https://tronscan.org/tx/" + TX}, "This is not a transaction id."),
        ({"amount": "0"}, "Enter more than zero."),
        ({"amount": "-5"}, "Enter a plain number"),
        ({"amount": "1e3"}, "Enter a plain number"),
        ({"amount": "NaN"}, "Enter a plain number"),
        ({"amount": "1,234"}, "Enter a plain number"),
        ({"from_address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"}, "not an address of this network"),
        ({"statement": ""}, "Say how we can know"),
        ({"proof": SimpleUploadedFile("p.png", b"not a picture")}, "JPEG, PNG or PDF"),
    ],
    ids=str,
)
def test_a_form_that_cannot_be_right_says_why_beside_its_field(
    browser: Client, changes: dict[str, Any], sentence: str
) -> None:
    answer = browser.post("/wallet/deposits/announce/?asset=USDT&network=TRX", filled(**changes))
    assert (answer.status_code, sentence in answer.text) == (400, True)
    assert not DepositClaim.objects.exists()


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"tx_id": "abc"}, "bad_transaction", "tx_id"),
        ({"amount": "1e3"}, "invalid", "amount"),
        ({"amount": 5}, "invalid", "amount"),
        ({"amount": "-1"}, "invalid", "amount"),
        ({"network": "SOL"}, "unknown_network", "network"),
        ({"asset": "\u0000"}, "invalid", "asset"),
        ({"statement": ""}, "invalid", "statement"),
        ({"from_address": "T"}, "bad_address", "from_address"),
    ],
    ids=str,
)
def test_the_api_refuses_the_same(browser: Client, changes: dict[str, Any], code: str, field: str) -> None:
    answer = browser.post("/api/v1/deposit-claims/", {**WORDS, **changes}, content_type="application/json")
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)
    assert not DepositClaim.objects.exists()


def test_a_claim_is_announced_and_taken_back_by_page_and_by_api(browser: Client, alice: User) -> None:
    page = browser.post("/wallet/deposits/announce/?asset=USDT&network=TRX", filled(), follow=True).text
    assert "The venue has no record of this transaction yet." in page
    claim = DepositClaim.objects.get()
    assert browser.get(f"/api/v1/deposit-claims/{claim.pk}/").json()["amount"] == "100"
    browser.post(f"/wallet/announced/{claim.pk}/cancel/")
    made = browser.post("/api/v1/deposit-claims/", WORDS, content_type="application/json")
    assert (made.status_code, made.json()["status"]) == (201, "OPEN")
    assert TX[:20] in browser.get("/wallet/deposits/").text


def test_the_pooled_address_says_that_it_is_everybodys(
    browser: Client, network: Network, venue: Venue
) -> None:
    pooled = {"coin": "USDT", "address": "T-pooled", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/address", (200, pooled))
    VenueAccount.objects.update(deposit_strategy="ANNOUNCED")
    assert "T-pooled" not in browser.get("/wallet/deposit/?asset=USDT").text
    told = browser.post("/wallet/deposit/?asset=USDT").text
    assert ("T-pooled" in told, "This address is everybody" in told) == (True, True)
    assert "/wallet/deposits/announce/?asset=USDT" in browser.get("/wallet/deposit/?asset=USDT").text
    shared = browser.post("/api/v1/deposit-address/", {"asset": "USDT", "network": "TRX"}).json()
    assert (shared["address"], shared["is_shared"]) == ("T-pooled", True)


def test_the_pooled_address_is_not_shown_any_more_once_the_strategy_changed(
    browser: Client, network: Network
) -> None:
    VenueAccount.objects.update(deposit_strategy="SUB_ACCOUNT")
    DepositAddress.objects.create(user=None, network=network, address="T-pooled")
    assert "T-pooled" not in browser.get("/wallet/deposit/?asset=USDT").text


def test_what_waits_for_staff_stands_on_the_first_page_of_the_desk(client: Client, alice: User) -> None:
    make_deposit(alice, "HELD_UP")
    DepositClaim.objects.create(user=alice, network=Network.objects.get(), amount=1, tx_id=TX, statement="x")
    client.force_login(make_user("carol", is_staff=True, is_superuser=True))
    page = client.get("/admin/").text
    assert ("Announced deposits" in page, "100 USDT HELD_UP" in page) == (True, True)
    listed = client.get("/admin/ledger/deposit/?status__in=HELD_UP,CHECKING")
    assert (listed.status_code, "ago" in listed.text) == (200, True)


# ------------------------------------------------------------------ announced only where an address is everybody's
def test_where_every_address_is_somebodys_own_nothing_is_announced(browser: Client, network: Network) -> None:
    VenueAccount.objects.update(deposit_strategy="SUB_ACCOUNT", deposit_fallback="ANNOUNCED")
    page = browser.get("/wallet/deposits/announce/?asset=USDT&network=TRX").text
    assert ("Nothing has to be announced" in page, "Transaction id" in page) == (True, False)
    assert "Announce a deposit" not in browser.get("/wallet/deposits/?tx=abcdefgh").text
    browser.post("/wallet/deposits/announce/?asset=USDT&network=TRX", filled())
    answer = browser.post("/api/v1/deposit-claims/", WORDS)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_announced")
    assert not DepositClaim.objects.exists()


def test_where_the_fallback_gave_the_pooled_address_out_it_is_announced(
    browser: Client, network: Network
) -> None:
    VenueAccount.objects.update(deposit_strategy="SUB_ACCOUNT", deposit_fallback="ANNOUNCED")
    DepositAddress.objects.create(user=None, network=network, address="T-everybodys")
    Network.objects.create(asset_id="USDT", code="ETH", deposit_enabled=True)
    page = browser.get("/wallet/deposits/announce/?asset=USDT").text
    assert ("TRX" in page, "ETH" in page) == (True, False)
    assert browser.post("/api/v1/deposit-claims/", WORDS).status_code == 201


def test_what_was_credited_is_written_like_every_amount_of_the_page(browser: Client, alice: User) -> None:
    fund(alice, "USDT", "50000.5")
    booked = {"transfer": Transfer.objects.get(), "credited_at": timezone.now()}
    deposit = make_deposit(alice, "CREDITED", amount="50000.5", **booked)
    page = browser.get(f"/wallet/deposits/{deposit.pk}/").text
    assert "Credited 50,000.5 USDT" in page
