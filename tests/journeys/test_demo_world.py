"""After the first start: the printed logins work, and alice has money that came the ordinary way."""

import pytest
import requests

from tests.journeys.people import StaffMember, eventually
from tests.journeys.site import Site

pytestmark = pytest.mark.xdist_group("site")


def test_alices_deposits_were_credited_by_the_sweep_and_the_books_balance(site: Site) -> None:
    """Credited at once, and final when the venue has unlocked them."""
    both = [("BTC", "0.5", "CREDITED"), ("USDT", "50000", "CREDITED")]
    eventually(lambda: deposits_of_alice(site) == both, what="alice's deposits to be final")
    assert site.trial_balance() == {}


def deposits_of_alice(site: Site) -> list[tuple[str, str, str]]:
    with site.database() as connection:
        rows = connection.execute(
            "SELECT d.asset_id, d.amount, d.status FROM ledger_deposit d JOIN accounts_user u ON u.id = d.user_id"
            " WHERE u.email = 'alice@example.com' ORDER BY d.amount"
        ).fetchall()
    return [(asset, f"{amount:f}".rstrip("0").rstrip("."), status) for asset, amount, status in rows]


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "dave"])
def test_a_printed_login_works(site: Site, name: str) -> None:
    StaffMember(site, name)  # signs in on the site, as everybody does


def test_machines_are_told_how_the_site_is(site: Site) -> None:
    assert requests.get(f"{site.url}/readyz", timeout=10).json() == {"ready": True, "reason": ""}
    now = requests.get(f"{site.url}/status.json", timeout=10).json()
    assert now["sweeps"]["state"] == "OK"
    assert now["user_streams"][0]["state"] == "SUBSCRIBED"
    assert {book["state"] for book in now["books"].values()} == {"LIVE"}
    assert "causeway_book_live" in requests.get(f"{site.url}/metrics", timeout=10).text


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_form_that_nobody_can_read_is_answered_by_the_api(site: Site, kind: str) -> None:
    """And not by an empty 400 of the server before it, which would read every file twice."""
    answer = requests.post(
        f"{site.url}/api/v1/kyc/documents/", b"abc", headers={"Content-Type": kind}, timeout=10
    )
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message", "field"}
