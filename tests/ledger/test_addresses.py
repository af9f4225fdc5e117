"""Where money may go: patterns of the venue under a time bound, checksums, the customer's own book."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.errors import SecondFactorMissing, WrongCode
from accounts.models import User
from exchange.errors import DomainError
from exchange.office.models import Notice
from ledger import checksums, matching, queries
from ledger import services as ledger
from ledger.errors import (
    AddressCooling,
    AddressKnown,
    AddressMistyped,
    AddressUnchecked,
    NotInBook,
    OwnAddress,
    TagMissing,
    TagRefused,
    UnknownAddress,
)
from ledger.models import DepositAddress, LedgerException, Network, SavedAddress, Withdrawal
from markets.models import Asset
from tests.factories import make_user
from tests.ledger.money import ADDRESS, request, unused_code

OTHER = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
ETHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


# ------------------------------------------------------------------ patterns
@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a|aa)+$", "a" * 60 + "b"),
        (r"(a|a)*b", "a" * 60),
        (r"(a+)+$", "a" * 60 + "!"),
        ("a?" * 40 + "a" * 40, "a" * 40),
        ("(", "a"),
        ("(?:" * 500 + "a" + ")" * 500, "a"),
    ],
)
def test_a_pattern_that_runs_away_or_cannot_be_read_is_given_up_within_its_time(
    pattern: str, text: str
) -> None:
    began = time.monotonic()
    with pytest.raises(matching.Undecided):
        matching.fits(pattern, text)
    assert time.monotonic() - began < 3
    assert matching.fits("^T[1-9A-HJ-NP-Za-km-z]{33}$", ADDRESS)


@pytest.mark.parametrize("text", ["", "T" * 201, "two words", "line\n", "Ｔ", "\0"])
def test_what_is_not_short_plain_text_fits_nothing(text: str) -> None:
    assert not matching.fits("", text)


def test_an_address_that_cannot_be_checked_is_refused_and_staff_are_told_once(rich: User) -> None:
    Network.objects.update(address_regex="(T|T)*(J|J)*(.|.)*!")
    for _time in range(2):
        with pytest.raises(AddressUnchecked) as refusal:
            request(rich)
    assert refusal.value.field == "address"
    assert LedgerException.objects.get().source == "pattern of the venue not usable"
    assert not Withdrawal.objects.exists()


# ------------------------------------------------------------------ checksums
@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("TRX", ADDRESS),
        ("TRX", OTHER),
        ("BTC", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        ("BTC", BITCOIN),
        ("BTC", BITCOIN.upper()),
        ("BTC", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
        ("LTC", "LaMT348PWRnrqeeWArpwQPbuanpXDZGEUz"),
        ("DOGE", "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L"),
        ("XRP", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"),
        ("ETH", ETHER),
        ("BSC", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
    ],
)
def test_a_right_checksum_passes_and_any_other_last_letter_does_not(network: str, address: str) -> None:
    assert not checksums.is_mistyped(network, address)
    swapped = address[:4] + address[5] + address[4] + address[6:]
    assert swapped == address or checksums.is_mistyped(network, swapped)
    if not address.startswith("0x"):
        assert checksums.is_mistyped(network, address[:-1] + ("2" if address[-1] != "2" else "3"))


@pytest.mark.parametrize("address", [ETHER.lower(), "0x" + ETHER[2:].upper(), "7" * 44])
def test_an_address_without_a_checksum_is_not_called_mistyped(address: str) -> None:
    assert not checksums.is_mistyped("ETH", address)


# From the Keccak team's own answers (KeccakKAT-3.zip, ShortMsgKAT_256.txt): 0, 1 and 136 bytes, a block exactly; and
# from www.di-mgt.com.au/sha_testvectors.html: 3 and 56 bytes.
BLOCK = (
    "b32d95b0b9aad2a8816de6d06d1f86008505bd8c14124f6e9a163b5a2ade55f835d0ec3880ef50700d3b25e42c"
    "c0af050ccd1be5e555b23087e04d7bf9813622780c7313a1954f8740b6ee2d3f71f768dd417f520482bd3a08d4"
    "f222b4ee9dbd015447b33507dd50f3ab4247c5de9a8abd62a8decea01e3b87c8b927f5b08beb37674c6f8e380c04"
)
DIGESTS = [
    (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    (b"\xcc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
    (bytes.fromhex(BLOCK), "e717a7769448abbe5fef8187954a88ac56ded1d22e63940ab80d029585a21921"),
    (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "45d3b367a6904e6e8d502ee04999a7c27647f91fa845d456525fd352ae3d7371",
    ),
]


@pytest.mark.parametrize(("message", "digest"), DIGESTS, ids=lambda value: str(len(value)))
def test_keccak_is_the_one_of_its_makers(message: bytes, digest: str) -> None:
    assert checksums.keccak256(message).hex() == digest


# ------------------------------------------------------------------ bad input
@pytest.fixture
def ripple(rich: User) -> Network:
    asset, _made = Asset.objects.get_or_create(code="XRP")
    return Network.objects.create(
        asset=asset, code="XRP", withdraw_enabled=True, needs_tag=True, tag_regex="^((?!0)[0-9]{1,10})$",
        address_regex="^r[1-9A-HJ-NP-Za-km-z]{25,34}$", withdraw_fee=Decimal("0.2"), withdraw_min=Decimal(20),
        withdraw_multiple=Decimal("0.000001"),
    )  # fmt: skip


RIPPLE = {
    "asset": "XRP",
    "network": "XRP",
    "address": "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
    "fee": Decimal("0.2"),
}
BAD_DESTINATIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"address": ""}, "address", "not an address"),
    ({"address": ADDRESS[:-1]}, "address", "not an address"),
    ({"address": ADDRESS + "6"}, "address", "not an address"),
    ({"address": ADDRESS[:-1] + "7"}, "address", "mistyped"),
    ({"address": f"{ADDRESS}\n{OTHER}"}, "address", "not an address"),
    ({"address": ETHER}, "address", "not an address"),
    ({"address": "' OR 1=1 --"}, "address", "not an address"),
    ({"address": "T" + "а" * 33}, "address", "not an address"),
    ({"tag": "12"}, "tag", "leave it empty"),
    ({**RIPPLE, "tag": ""}, "tag", "needs a tag"),
    ({**RIPPLE, "tag": "012"}, "tag", "not a tag"),
    ({**RIPPLE, "tag": "1" * 101}, "tag", "not a tag"),
    ({**RIPPLE, "tag": "١٢"}, "tag", "not a tag"),
    ({"network": "trx"}, "network", "not known"),
    ({"network": ""}, "network", "not known"),
    ({"asset": "usdt"}, "network", "not known"),
    ({"amount": Decimal("9.999999")}, "amount", "smallest amount is 10"),
    ({"amount": Decimal("10.0000001")}, "amount", "multiple of 0.000001"),
    ({"amount": Decimal("0.5")}, "amount", "smallest amount is 10"),
    ({"amount": Decimal("99999999999")}, "amount", "largest amount is 9999999"),
    ({"fee": Decimal(0)}, "fee", "fee is now 1"),
    ({"fee": Decimal("1.1")}, "fee", "would get 99"),
]


@pytest.mark.parametrize(("changes", "field", "words"), BAD_DESTINATIONS, ids=str)
def test_wrong_input_is_told_with_what_would_be_right_and_moves_nothing(
    rich: User, ripple: Network, changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(DomainError, match=words) as refusal:
        request(rich, **changes)
    assert refusal.value.field == field
    assert not Withdrawal.objects.exists()


def test_a_deposit_address_of_ours_is_not_paid_in_whatever_case(rich: User, ripple: Network) -> None:
    bob = make_user("bob")
    network = Network.objects.create(
        asset_id="USDT", code="ETH", withdraw_enabled=True, withdraw_fee=Decimal(4), withdraw_min=Decimal(10)
    )
    DepositAddress.objects.create(user=bob, network=network, address=ETHER)
    with pytest.raises(OwnAddress):
        request(rich, network="ETH", address=ETHER.lower(), fee=Decimal(4))


# ------------------------------------------------------------------ the book
def save(user: User, **changes: Any) -> SavedAddress:
    asked = {"asset": "USDT", "network": "TRX", "address": ADDRESS, "tag": "", "label": "ledger", **changes}
    return ledger.save_address(user=user, code=unused_code(user), **asked)


def only_the_book(user: User, is_on: bool = True) -> None:
    ledger.set_book_only(user=user, is_on=is_on, code=unused_code(user))


def test_an_address_is_kept_with_its_name_and_told_by_mail(rich: User) -> None:
    save(rich, label=" my  ledger ")
    assert queries.saved_addresses(rich).get().label == "my ledger"
    assert Notice.objects.filter(
        user=rich, kind="address.saved", channel="MAIL", body__contains=ADDRESS
    ).exists()


@pytest.mark.parametrize("changes", [{}, {"label": "another"}, {"address": OTHER}])
def test_the_same_address_or_name_is_kept_once(rich: User, changes: dict[str, str]) -> None:
    save(rich)
    with pytest.raises(AddressKnown):
        save(rich, **changes)


@pytest.mark.parametrize("label", ["", "  ", "x" * 41, "a\x00b"])
def test_a_name_must_be_one(rich: User, label: str) -> None:
    with pytest.raises(DomainError) as refusal:
        save(rich, label=label)
    assert refusal.value.field == "label"


@pytest.mark.parametrize(
    ("changes", "error"), [({"address": ADDRESS[:-1] + "7"}, AddressMistyped), ({"tag": "1"}, TagRefused)]
)
def test_what_could_not_be_paid_is_not_kept(rich: User, changes: dict[str, str], error: type) -> None:
    with pytest.raises(error):
        save(rich, **changes)


def test_every_change_needs_a_code(rich: User, depositor: User) -> None:
    entry = save(rich)
    for change in (
        lambda: ledger.save_address(
            user=rich, asset="USDT", network="TRX", address=OTHER, tag="", label="x", code="000000"
        ),
        lambda: ledger.remove_address(user=rich, address_id=entry.pk, code=""),
        lambda: ledger.set_book_only(user=rich, is_on=True, code="1"),
    ):
        with pytest.raises(WrongCode):
            change()
    assert not queries.is_book_only(queries.terms(rich))
    with pytest.raises(SecondFactorMissing):
        ledger.set_book_only(user=make_user("bob"), is_on=True, code="1")


def test_somebody_elses_address_is_not_there(rich: User) -> None:
    entry = save(rich)
    with pytest.raises(UnknownAddress):
        ledger.remove_address(user=make_user("bob"), address_id=entry.pk, code="1")


def test_only_the_book_pays_what_has_cooled_off(rich: User) -> None:
    save(rich)
    only_the_book(rich)
    with pytest.raises(NotInBook):
        request(rich, address=OTHER)
    with pytest.raises(AddressCooling):
        request(rich)
    SavedAddress.objects.update(usable_at=timezone.now())
    assert request(rich).pk


def test_a_new_address_cools_off_for_a_day_and_the_switch_for_two(rich: User) -> None:
    entry, now = save(rich), timezone.now()
    only_the_book(rich)
    only_the_book(rich, is_on=False)
    until = queries.terms(rich).book_only_until
    assert until is not None
    waits = [round((at - now) / timedelta(hours=1)) for at in (entry.usable_at, until)]
    assert waits == [24, 48]


def test_switching_off_takes_effect_after_the_delay(rich: User) -> None:
    only_the_book(rich)
    only_the_book(rich, is_on=False)
    with pytest.raises(NotInBook):
        request(rich)
    terms = queries.terms(rich)
    terms.book_only_until = timezone.now()
    terms.save()
    assert request(rich).pk


def test_the_switch_is_turned_to_what_its_page_said_however_often_it_is_sent(
    rich: User, client: Client
) -> None:
    client.force_login(rich)
    page = "/wallet/addresses/book-only/"
    assert 'name="turn" value="on"' in client.get(page).text
    for _time in range(2):
        client.post(page, {"turn": "on", "code": unused_code(rich)})
        assert queries.is_book_only(queries.terms(rich))
    assert 'name="turn" value="off"' in client.get(page).text
    refused = client.post(page, {"turn": "on", "code": "1"})
    assert (refused.status_code, 'value="on"' in refused.text) == (400, True)


@pytest.mark.parametrize("turn", [None, "", "round"])
def test_a_switch_that_is_turned_nowhere_stays(rich: User, client: Client, turn: str | None) -> None:
    only_the_book(rich)
    client.force_login(rich)
    asked = {"code": unused_code(rich)} | ({} if turn is None else {"turn": turn})
    assert client.post("/wallet/addresses/book-only/", asked).status_code == 400
    assert queries.terms(rich).book_only_until is None


def test_an_address_removed_and_added_again_cools_off_again(rich: User) -> None:
    entry = save(rich)
    SavedAddress.objects.update(usable_at=timezone.now())
    ledger.remove_address(user=rich, address_id=entry.pk, code=unused_code(rich))
    only_the_book(rich)
    with pytest.raises(NotInBook):
        request(rich)
    save(rich)
    with pytest.raises(AddressCooling):
        request(rich)


def test_the_database_keeps_an_address_once(rich: User) -> None:
    entry = save(rich)
    twice = SavedAddress(
        user=rich, network=entry.network, address=ADDRESS, label="2", usable_at=timezone.now()
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        twice.save()


def test_a_network_that_needs_a_tag_says_so(rich: User, ripple: Network) -> None:
    with pytest.raises(TagMissing):
        save(rich, **{name: RIPPLE[name] for name in ("asset", "network", "address")})
