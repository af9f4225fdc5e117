"""The wallet's pages: what a customer reads there, and what the forms refuse beside their fields."""

from decimal import Decimal

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from accounts.models import User
from ledger.models import DepositAddress, Network, Withdrawal
from markets.models import Asset
from tests.factories import publish_ticker

ADDRESS = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
OWN_PAGES = ["/wallet/", "/wallet/XRP/", "/wallet/deposit/", "/wallet/withdraw/", "/wallet/history/"]


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice@example.com", "a long password", tier=User.Tier.VERIFIED)


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def network(db: None) -> Network:
    asset, _made = Asset.objects.get_or_create(code="XRP")
    return Network.objects.create(
        asset=asset,
        code="XRP",
        name="Ripple",
        deposit_enabled=True,
        withdraw_enabled=True,
        needs_tag=True,
        withdraw_fee=Decimal("0.2"),
        withdraw_min=Decimal(30),
        confirmations=1,
        unlock_confirmations=3,
    )


@pytest.mark.parametrize("path", OWN_PAGES)
def test_a_wallet_is_nobody_elses_to_see(client: Client, db: None, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", OWN_PAGES)
def test_an_empty_wallet_still_reads_well(browser: Client, network: Network, path: str) -> None:
    assert browser.get(path).status_code == 200


def test_the_address_comes_with_its_tag_its_warning_and_its_drawing(
    browser: Client, alice: User, network: Network
) -> None:
    DepositAddress.objects.create(user=alice, network=network, address=ADDRESS, tag="104829")
    page = browser.get("/wallet/deposit/?asset=XRP").text
    assert ADDRESS in page
    assert "104829" in page
    assert "The memo must be included." in page
    assert "<svg" in page.split("qr-box")[1]


def test_somebody_elses_address_is_never_shown(browser: Client, network: Network) -> None:
    bob = User.objects.create_user("bob@example.com", "a long password")
    DepositAddress.objects.create(user=bob, network=network, address=ADDRESS)
    assert ADDRESS not in browser.get("/wallet/deposit/?asset=XRP").text


def test_looking_at_the_deposit_page_makes_no_address(browser: Client, network: Network) -> None:
    browser.get("/wallet/deposit/?asset=XRP&network=XRP")
    assert not DepositAddress.objects.exists()


def test_a_closed_network_says_so_and_offers_no_address(browser: Client, network: Network) -> None:
    Network.objects.update(deposit_enabled=False, deposit_note="Wallet maintenance.")
    Network.objects.create(asset_id="XRP", code="BSC", deposit_enabled=True)
    page = browser.get("/wallet/deposit/?asset=XRP&network=XRP").text
    assert "Wallet maintenance." in page
    assert "Show my address" not in page


@pytest.mark.parametrize(
    "path",
    ["/wallet/withdraw/?asset=XRP", "/wallet/addresses/?asset=XRP", "/wallet/addresses/book-only/"],
)
def test_who_has_no_second_factor_is_told_so_before_any_form(
    browser: Client, alice: User, network: Network, path: str
) -> None:
    page = browser.get(path).text
    assert ("This needs a second factor" in page, "Code of your authenticator" in page) == (True, False)
    assert 'href="/accounts/2fa/totp/activate/"' in page
    TOTP.activate(alice, generate_totp_secret())
    page = browser.get(path).text
    assert ("This needs a second factor" in page, "Code of your authenticator" in page) == (False, True)


def test_the_withdrawal_says_from_which_worth_on_the_receiver_is_named(
    browser: Client, alice: User, network: Network
) -> None:
    TOTP.activate(alice, generate_totp_secret())
    page = browser.get("/wallet/withdraw/?asset=XRP").text
    assert page.count("(required from 1,000 USDT on)") == 2


def test_the_menu_of_the_desk_spells_its_nouns(client: Client, alice: User) -> None:
    client.force_login(User.objects.create_superuser("carol@example.com", "a long password"))
    page = client.get("/admin/").text
    assert ("Deposit addresses" in page, "addresss" in page) == (True, False)


def filled(**changes: str) -> dict[str, str]:
    asked = {"address": ADDRESS, "tag": "1", "amount": "50", "fee": "0.2", "code": "123456", "nonce": "n1"}
    return {**asked, **changes}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": "1,234"}, "Enter a plain number"),
        ({"amount": "0"}, "Enter more than zero."),
        ({"address": ""}, "This field is required."),
        ({"tag": ""}, "This network needs a tag"),
        ({"amount": "29"}, "The smallest amount is 30."),
        ({"fee": "0.1"}, "The network&#x27;s fee is now 0.2"),
        ({"fee": "x"}, "The network&#x27;s fee is now 0.2"),
        ({"address": ADDRESS[:-1] + "i"}, "mistyped letter"),
        ({}, "second factor"),
    ],
)
def test_a_refused_withdrawal_says_why_and_keeps_what_was_typed(
    browser: Client, network: Network, changes: dict[str, str], sentence: str
) -> None:
    publish_ticker("XRPUSDT", "0.5")
    answer = browser.post("/wallet/withdraw/?asset=XRP", filled(**changes))
    assert answer.status_code == 400
    assert sentence in answer.text
    assert not Withdrawal.objects.exists()


def test_a_withdrawal_without_a_network_goes_back_to_the_choice(browser: Client, network: Network) -> None:
    assert browser.post("/wallet/withdraw/?asset=NOPE", filled()).headers["Location"] == "/wallet/withdraw/"


def test_somebody_elses_withdrawal_cannot_be_canceled(browser: Client, db: None) -> None:
    assert (
        browser.post("/wallet/withdrawals/4711/cancel/", follow=True).text.count(
            "There is no such withdrawal."
        )
        == 1
    )


def test_fees_are_those_of_the_settings_and_the_networks(client: Client, network: Network) -> None:
    page = client.get("/fees/").text
    assert "0.1%" in page
    assert '<data value="0.2"' in page


@pytest.mark.parametrize("query", ["?page=0", "?page=x", "?page=999999", "?asset=" + "A" * 40, "?kind=zzz"])
def test_odd_addresses_are_no_errors(browser: Client, network: Network, query: str) -> None:
    assert {browser.get(path + query).status_code for path in OWN_PAGES} == {200}
