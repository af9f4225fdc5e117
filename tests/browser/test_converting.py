"""Converting, the dead-man's switch and the panic button in a browser: they fit, and do what they say."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_trade import SOON, write_limit_below_market
from tests.browser.window import Window

SIZES = [(390, "dark"), (1280, "light")]
SHOTS = os.environ.get("SHOTS")


def fits(window: Window, name: str) -> None:
    """No fault that axe finds, and nothing beyond the window."""
    if SHOTS:
        window.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
    assert (name, window.faults(), window.overhang()) == (name, [], 0)


def asked(page: Page, amount: str) -> None:
    page.fill("[name=from_amount]", amount)
    page.click("text=Get a quote")
    page.wait_for_url(re.compile(r"/convert/quotes/\d+/"))


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_from_the_wish_to_the_receipt(open_window: Callable[..., Window], width: int, theme: str) -> None:
    window = open_window(width=width, height=900, theme=theme)
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    page = window.visit("/convert/")
    fits(window, f"convert-{width}")
    page.fill("[name=to_amount]", "0.01")
    page.fill("[name=from_amount]", "250")
    expect(page.locator("[name=to_amount]")).to_have_value("")  # one of the two counts
    asked(page, "250")
    expect(page.locator("[data-left]")).to_contain_text(re.compile(r"Stands for [1-8] more second"))
    fits(window, f"quote-{width}")
    page.click("text=Convert at this price")
    page.wait_for_url(re.compile(r"/convert/\d+/$"))
    expect(page.locator(".convert-pair")).to_contain_text("250")
    fits(window, f"receipt-{width}")
    window.visit("/convert/")
    fits(window, f"history-{width}")


def test_a_quote_runs_out_before_the_eyes_and_is_asked_for_again(open_window: Callable[..., Window]) -> None:
    window = open_window(width=390, height=900)
    window.sign_in("alice")
    page = window.visit("/convert/")
    asked(page, "100")
    expect(page.locator("[data-over]")).to_be_visible(timeout=15_000)
    expect(page.locator("text=Convert at this price")).to_be_hidden()
    fits(window, "over-390")
    first = page.url
    page.click("text=Ask for a new quote")
    page.wait_for_url(lambda url: url != first)
    expect(page.locator("text=Convert at this price")).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_the_page_renews_its_dead_mans_switch(
    open_window: Callable[..., Window], width: int, theme: str
) -> None:
    window = open_window(width=width, height=900, theme=theme)
    window.sign_in("alice")
    page = window.visit("/orders/")
    page.click("text=Dead-man's switch")
    fits(window, f"countdown-off-{width}")
    page.select_option("[name=seconds]", "120")
    page.click("text=Arm")
    expect(page.locator("[data-countdown] [data-left]")).to_have_text(re.compile(r"^in [12]:\d\d$"))
    fits(window, f"countdown-{width}")
    window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-countdown] [data-left]")).to_have_text(re.compile(r"^in [12]:\d\d$"))
    window.visit("/orders/")
    page.click("text=Switch off")
    expect(page.locator("[data-countdown]")).to_have_count(0)


def test_orders_that_move_leave_the_form_of_the_switch_alone(open_window: Callable[..., Window]) -> None:
    window, other = open_window(), open_window()
    window.sign_in("alice")
    other.sign_in("alice")
    trade = other.visit("/trade/BTCUSDT/")
    expect(trade.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    page = window.visit("/orders/")
    page.click("text=Dead-man's switch")
    page.select_option("[name=seconds]", "120")
    rows = page.locator("[data-live~=order] tbody tr")
    before = rows.count()
    write_limit_below_market(trade, "0.002")
    trade.click("[data-submit]")
    expect(rows).to_have_count(before + 1, timeout=SOON)
    expect(page.locator("[name=seconds]")).to_be_visible()
    expect(page.locator("[name=seconds]")).to_have_value("120")
    trade.locator("[data-open-rows] [data-cancel]").first.click()


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_the_pages_of_the_panic_button_fit(
    open_window: Callable[..., Window], width: int, theme: str
) -> None:
    window = open_window(width=width, height=900, theme=theme)
    window.sign_in("alice")
    for path, name in (("/security/", "security"), ("/security/panic/", "panic")):
        window.visit(path)
        fits(window, f"{name}-{width}")


def test_staff_see_how_far_the_house_is_uncovered(open_window: Callable[..., Window]) -> None:
    window = open_window()
    window.sign_in("carol")
    for path, name in (
        ("/admin/conversions/cover/", "covers"),
        ("/admin/conversions/conversion/", "conversions"),
    ):
        window.visit(path)
        fits(window, f"admin-{name}")
