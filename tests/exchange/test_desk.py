"""The desk: what waits, what can be found, and who may see it."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import KycCase, User
from exchange.gate import services as gate
from exchange.office import services as office
from ledger import services as books
from ledger.models import Hold, Network, Transfer, Withdrawal
from markets.models import Asset
from tests.factories import fund

ADDRESS = "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6"


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice@example.com", "a long password", name="Alice Beispiel")


@pytest.fixture
def withdrawal(alice: User) -> Withdrawal:
    asset, _made = Asset.objects.get_or_create(code="USDT")
    network = Network.objects.create(asset=asset, code="TRX")
    return Withdrawal.objects.create(
        user=alice,
        nonce="1",
        request_hash="1",
        client_id="cw-withdrawal-1",
        asset=asset,
        network=network,
        address=ADDRESS,
        amount=Decimal(100),
        fee=Decimal(1),
        status=Withdrawal.Status.REQUESTED,
        confirmed_at=timezone.now(),
        venue_account=gate.ensure_primary_account(),
    )


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def carol(db: None) -> Client:
    return browser_of(User.objects.create_superuser("carol@example.com", "a long password"))


@pytest.fixture
def clerk(db: None) -> Client:
    """Staff who may see cases of identity and nothing else."""
    user = User.objects.create_user("clerk@example.com", "a long password", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_kyccase"))
    return browser_of(user)


def test_a_withdrawal_that_waits_stands_on_the_first_page(carol: Client, withdrawal: Withdrawal) -> None:
    page = carol.get("/admin/").text
    assert f"/admin/ledger/withdrawal/{withdrawal.pk}/change/" in page
    assert "alice@example.com" in page


@pytest.mark.parametrize("text", ["alice@", "beispiel", "ALICE@EXAMPLE.COM"])
def test_a_customer_is_found_by_parts_of_name_and_address(carol: Client, alice: User, text: str) -> None:
    assert f"/admin/accounts/user/{alice.pk}/change/" in carol.get("/admin/search/", {"q": text}).text


@pytest.mark.parametrize(
    "text", [ADDRESS, ADDRESS.lower(), "cw-withdrawal-1", "CW-Withdrawal-1", "alice@example.com"]
)
def test_a_withdrawal_is_found_by_where_it_goes(carol: Client, withdrawal: Withdrawal, text: str) -> None:
    assert (
        f"/admin/ledger/withdrawal/{withdrawal.pk}/change/" in carol.get("/admin/search/", {"q": text}).text
    )


def test_a_mail_is_found_by_its_receiver(carol: Client, db: None) -> None:
    notice = office.mail(to="erin@example.com", kind="test", subject="s", body="b")
    assert f"/admin/office/notice/{notice.pk}/change/" in carol.get("/admin/search/", {"q": "erin@"}).text


def test_what_nobody_knows_is_said_plainly(carol: Client) -> None:
    assert "Nothing is known of" in carol.get("/admin/search/", {"q": "<b>nobody</b>"}).text
    assert "<b>nobody" not in carol.get("/admin/search/", {"q": "<b>nobody</b>"}).text


def test_staff_find_and_see_only_what_they_may(clerk: Client, withdrawal: Withdrawal, alice: User) -> None:
    case = KycCase.objects.create(user=alice, legal_name="Alice Beispiel")
    found = clerk.get("/admin/search/", {"q": "alice@example.com"}).text
    assert f"/admin/accounts/kyccase/{case.pk}/change/" in found
    assert "/admin/ledger/withdrawal/" not in found
    assert "/admin/ledger/withdrawal/" not in clerk.get("/admin/").text


def test_staff_who_only_look_get_no_buttons(clerk: Client, alice: User) -> None:
    case = KycCase.objects.create(user=alice, legal_name="Alice Beispiel", status="SUBMITTED")
    page = clerk.get(f"/admin/accounts/kyccase/{case.pk}/change/").text
    assert "../approve/" not in page
    assert clerk.post(f"/admin/accounts/kyccase/{case.pk}/approve/", {"reason": "x"}).status_code == 403


def test_a_customers_page_gathers_what_is_known(carol: Client, alice: User) -> None:
    page = carol.get(f"/admin/accounts/user/{alice.pk}/change/").text
    assert "/admin/orders/order/?q=alice%40example.com" in page
    assert "../freeze/" in page
    assert alice.password not in page


def test_every_table_of_the_desk_opens(carol: Client, withdrawal: Withdrawal) -> None:
    tables = set(re.findall(r'href="(/admin/[a-z]+/[a-z]+/)"', carol.get("/admin/").text))
    answers = {table: carol.get(table).status_code for table in sorted(tables)}
    assert len(answers) > 10
    assert set(answers.values()) == {200}


def test_amounts_are_shown_with_their_own_digits_and_not_with_those_of_their_column(
    carol: Client, alice: User
) -> None:
    fund(alice, "USDT", "20000000000.12345678")
    books.hold(user_id=alice.pk, asset="USDT", amount=Decimal("1.5"), cause=books.Cause.ORDER, cause_id=1)
    hold, transfer = Hold.objects.get(), Transfer.objects.get(kind="DEPOSIT")
    pages = {
        "/admin/ledger/balance/": "19999999998.62345678",
        f"/admin/ledger/balance/{hold.account_id}/change/": "19999999998.62345678",
        "/admin/ledger/hold/?o=5": ">1.5<",
        f"/admin/ledger/hold/{hold.pk}/change/": ">1.5<",
        f"/admin/ledger/transfer/{transfer.pk}/change/": "-20000000000.12345678",
        "/admin/markets/asset/": ">1000000000000000<",
    }
    for page, figure in pages.items():
        text = carol.get(page).text
        assert figure in text, page
        assert not re.search(r"\d\.\d*0{6}", text), page


def test_a_password_is_changed_where_everybody_does(carol: Client) -> None:
    assert carol.get("/admin/password_change/").headers["Location"] == "/accounts/password/change/"
