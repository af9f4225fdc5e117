"""An open order is changed on its page by somebody without script, on a phone."""

import re
from collections.abc import Callable
from decimal import Decimal

from playwright.sync_api import expect

from tests.browser.test_trade import number
from tests.browser.window import Window

SOON = 15_000


def test_an_order_is_changed_without_script(open_window: Callable[..., Window]) -> None:
    window = open_window(width=390, height=844, has_script=False)
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    best = number(page.locator("[data-bids] tr td").first.inner_text())
    prices = [str((best * Decimal(part)).quantize(Decimal("0.01"))) for part in ("0.97", "0.975")]
    page.fill("[data-ticket] [name=price]", prices[0])
    page.fill("[data-ticket] [name=quantity]", "0.002")
    page.locator("[data-ticket] button[type=submit], [data-submit]").first.click()
    page = window.visit("/orders/?status=open")
    page.get_by_role("link", name=re.compile("Change order")).first.click()
    assert (window.overhang(), Decimal(page.input_value("[name=price]"))) == (0, Decimal(prices[0]))
    page.fill("[name=price]", prices[1])
    page.get_by_role("button", name="Change the order").click()
    expect(page.get_by_text("Takes the place of")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Cancel").click()


def test_the_page_of_a_change_has_no_serious_fault(open_window: Callable[..., Window]) -> None:
    window = open_window()
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    best = number(page.locator("[data-bids] tr td").first.inner_text())
    page.fill("[data-ticket] [name=price]", str((best * Decimal("0.97")).quantize(Decimal("0.01"))))
    page.fill("[data-ticket] [name=quantity]", "0.002")
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    page.click("[data-submit]")
    expect(page.locator("[data-open-rows] tr").first).to_be_visible(timeout=SOON)
    page = window.visit("/orders/?status=open")
    page.get_by_role("link", name=re.compile("Change order")).first.click()
    expect(page.get_by_role("heading", name=re.compile("Change order"))).to_be_visible(timeout=SOON)
    assert window.faults() == []
    page.get_by_role("link", name="Leave it as it is").click()
    page.get_by_role("button", name="Cancel").click()
