"""What staff stop is said on the ticket, on any screen, until two of them have released it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.window import Window

SOON = 15_000


def flip(page: Page, side: str, words: str) -> None:
    page.select_option("[name=scope]", "SIDE")
    page.select_option("[name=side]", side)
    page.fill("[name=public_reason]", words)
    page.fill("[name=reason]", "to try it")
    page.click("[name=_save]")
    expect(page.get_by_text("was added successfully")).to_be_visible(timeout=SOON)


def decide(page: Page, button: str) -> None:
    """On the page of the newest switch."""
    page.locator("#result_list tbody th a").first.click()
    page.get_by_role("link", name=button).click()
    page.fill("[name=reason]", "tried")
    page.locator("[type=submit]").last.click()
    expect(page.get_by_text("Done:")).to_be_visible(timeout=SOON)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_side_that_is_stopped_leaves_the_other_on_the_ticket(
    open_window: Callable[..., Window], width: int
) -> None:
    carol, dave, alice = open_window(), open_window(), open_window(width=width)
    for window, name in ((carol, "carol"), (dave, "dave"), (alice, "alice")):
        window.sign_in(name)
    flip(carol.visit("/admin/gate/switch/add/"), "BUY", "The venue has trouble with purchases.")
    page = alice.visit("/trade/BTCUSDT/")
    try:
        expect(page.get_by_text("The venue has trouble with purchases.")).to_be_visible(timeout=SOON)
        expect(page.locator("[data-submit]")).to_be_hidden()
        assert (alice.overhang(), alice.faults()) == (0, [])
        page.locator("[name=side][value=SELL]").check(force=True)
        expect(page.locator("[data-submit]")).to_be_visible()
        expect(page.get_by_text("The venue has trouble with purchases.")).to_be_hidden()
    finally:
        decide(carol.visit("/admin/gate/switch/"), "Ask: release")
        decide(dave.visit("/admin/gate/switch/"), "Confirm the release")
    page = alice.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-submit]")).to_be_visible(timeout=SOON)
