"""A newcomer with a browser: from signing up to a completed withdrawal, staff's part in the admin included."""

import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.test_trade import choose
from tests.browser.window import Window
from tests.journeys.people import PASSWORD, TOTP_STEP, StaffMember, eventually, totp
from tests.journeys.site import Site

SOON = 30_000
TARGET = "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6"


@pytest.fixture
def papers(tmp_path: Path) -> dict[str, Path]:
    """Photos of a passport and of a bill."""
    found = {}
    for kind in ("IDENTITY", "ADDRESS"):
        found[kind] = tmp_path / f"{kind.lower()}.jpg"
        Image.new("RGB", (800, 500), (90, 120, 160)).save(found[kind])
    return found


def test_a_newcomers_whole_way(
    open_window: Callable[..., Window], site: Site, papers: dict[str, Path]
) -> None:
    carol, window = StaffMember(site, "carol"), open_window()
    email = f"erin-{uuid4().hex[:8]}@example.com"
    sign_up(window, carol, email)
    prove_identity(window, papers)
    carol.approve_identity(email)
    deposit(window, site)
    trade(window)
    withdraw(window, carol, site, email)
    assert site.trial_balance() == {}


def sign_up(window: Window, carol: StaffMember, email: str) -> None:
    page = window.visit("/accounts/signup/")
    page.fill("[name=email]", email)
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.press("[name=password2]", "Enter")
    page.wait_for_url("**/confirm-email/**")
    page.fill("[name=code]", carol.code_mailed_to(email))
    page.press("[name=code]", "Enter")
    expect(page.locator(".menu-who")).to_contain_text("erin", timeout=SOON)


def prove_identity(window: Window, papers: dict[str, Path]) -> None:
    page = window.visit("/verify/")
    page.fill("[name=legal_name]", "Erin Exempel")
    page.fill("[name=birth_date]", "1990-04-05")
    page.select_option("[name=country]", "DE")
    page.fill("[name=address]", "Weg 1, 10115 Berlin")
    page.get_by_role("button", name="Save and go on").click()
    for kind, file in papers.items():
        page.set_input_files("[name=file]", file)
        pick_kind(page, kind)
        page.get_by_role("button", name="Upload").click()
    page.get_by_role("link", name="Go on").click()
    page.get_by_role("button", name="Send to review").click()
    expect(page.locator("main")).to_contain_text("Your case is in review.")


def pick_kind(page: Page, kind: str) -> None:
    if page.locator("select[name=kind]").count():
        page.select_option("[name=kind]", kind)
    else:
        page.locator(f'[name=kind][value="{kind}"]').check(force=True)


def deposit(window: Window, site: Site) -> None:
    page = window.visit("/wallet/deposit/?asset=USDT&network=TRX")
    page.get_by_role("button", name="Show my address").click()
    address = page.locator("#deposit-address").inner_text()
    site.paper_deposit("USDT", "TRX", "5000", address, "")
    expect(page.locator("table").get_by_text("Credited", exact=True)).to_be_visible(timeout=SOON)


def trade(window: Window) -> None:
    page = window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-connection]")).to_have_text("Live", timeout=SOON)
    before = page.locator("[data-asks]").inner_text()
    choose(page, "type", "MARKET")
    choose(page, "measure", "quote_quantity")
    page.fill("[data-ticket] [name=quote_quantity]", "1000")
    page.click("[data-submit]")
    expect(page.locator('[data-available="quote"]')).to_have_text(re.compile(r"^4,0\d\d"), timeout=SOON)
    expect(page.locator("[data-asks]")).not_to_have_text(before, timeout=SOON, use_inner_text=True)
    choose(page, "type", "LIMIT")
    page.fill("[data-ticket] [name=price]", "30000")
    page.fill("[data-ticket] [name=quantity]", "0.01")
    page.click("[data-submit]")
    row = page.locator("[data-open-rows] tr").first
    expect(row).to_contain_text("30,000", timeout=SOON)
    row.get_by_role("button").click()
    expect(page.locator("[data-open-rows] tr", has_text="30,000")).to_have_count(0, timeout=SOON)


def withdraw(window: Window, carol: StaffMember, site: Site, email: str) -> None:
    secret = set_up_factor(window.visit("/accounts/2fa/totp/activate/"))
    page = window.visit("/wallet/withdraw/?asset=USDT&network=TRX")
    page.fill("[name=amount]", "50")
    expect(page.locator("[data-worth]")).to_have_text("50")
    page.fill("[name=amount]", "")
    expect(page.locator("[data-worth]")).to_have_text("–")
    page.fill("[name=address]", TARGET)
    page.fill("[name=amount]", "200")
    page.fill("[name=code]", next_code(secret))
    page.press("[name=code]", "Enter")
    page.wait_for_url(re.compile(r"/wallet/withdrawals/\d+/$"))
    expect(page.locator("main")).to_contain_text("Check your mail.")
    page = window.visit(carol.confirmation_mailed_to(email))
    expect(page.locator(".ends")).to_contain_text(TARGET)
    page.get_by_role("button", name="Confirm and send").click()
    expect(page.locator("main")).to_contain_text(re.compile("waiting for approval", re.I))
    carol.approve_withdrawal(withdrawal_of(site, email))
    expect(page.locator("main")).to_contain_text("Completed", timeout=SOON)
    page = window.visit("/wallet/")
    assert Decimal(re.sub(r"[^0-9.]", "", cell(page, "USDT"))) < 3900


def set_up_factor(page: Page) -> str:
    """Signs in again if asked to, reads the secret and confirms it with a code."""
    if "reauthenticate" in page.url:
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url("**/totp/activate/**")
    secret = page.locator("#authenticator-secret").inner_text()
    page.fill("[name=code]", totp(secret, now_step()))
    page.press("[name=code]", "Enter")
    page.wait_for_url(lambda url: "activate" not in url)
    return secret


def now_step() -> int:

    return int(time.time()) // TOTP_STEP


def next_code(secret: str) -> str:
    """A code that was not used before."""
    used = now_step()
    eventually(lambda: now_step() > used, what="the next code")
    return totp(secret, now_step())


def withdrawal_of(site: Site, email: str) -> int:
    query = "SELECT w.id FROM ledger_withdrawal w JOIN accounts_user u ON u.id = w.user_id WHERE u.email = %s"
    with site.database() as connection:
        found: Any = connection.execute(query, [email]).fetchone()
    return int(found[0])


def cell(page: Page, asset: str) -> str:
    return (
        page.locator("tr", has=page.get_by_role("link", name=asset, exact=True))
        .first.locator("td, th")
        .nth(1)
        .inner_text()
    )
