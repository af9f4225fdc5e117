"""Lists of orders on the trade page: what can happen is said before, each is placed, and its rows can be changed."""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_trade import SOON, choose, number, open_rows, write_limit_below_market
from tests.browser.window import Window


@pytest.fixture
def trade(open_window: Callable[..., Window]) -> Page:
    """Alice at the trade page, prices live."""
    return live(open_window())


def live(window: Window) -> Page:
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    return page


def best_bid(page: Page) -> Decimal:
    return number(page.locator("[data-bids] tr td").first.inner_text())


def write(page: Page, **typed: Decimal | str) -> None:
    for name, text in typed.items():
        page.fill(f"[data-ticket] [name={name}]", str(text))


def part(whole: Decimal, share: str) -> Decimal:
    return (whole * Decimal(share)).quantize(Decimal(1))


def outlook(page: Page) -> list[str]:
    expect(page.locator("[data-outlook]")).to_be_visible(timeout=SOON)
    return page.locator("[data-outlook] li").all_inner_texts()


def shown(page: Page) -> set[str]:
    """Names of the ticket's fields that can be seen and typed into."""
    fields = page.locator("[data-ticket] :is(input, select)[name]:visible").all()
    return {str(field.get_attribute("name")) for field in fields}


def end_all(page: Page, before: int) -> None:
    """What waits ends with the first order, and two that end each other end together."""
    page.locator("[data-open-rows] tr:has(.status-live) [data-cancel]").first.click()
    expect(page.locator("[data-open-rows] tr")).to_have_count(before, timeout=SOON)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_bracket_is_foretold_placed_and_ended(open_window: Callable[..., Window], width: int) -> None:
    window = open_window(width=width, height=900)
    page = live(window)
    before, bid = open_rows(page), best_bid(page)
    choose(page, "type", "OTOCO")
    write(page, price=part(bid, "0.98"), quantity="0.002")
    write(page, pair_price=part(bid, "1.02"), pair_stop_price=part(bid, "0.96"))
    told = outlook(page)
    assert told[0].startswith("Set aside now, for the first order: ") and "USDT" in told[0]
    assert any("two orders begin, and at most 0.002 BTC are set aside" in sentence for sentence in told)
    assert (window.faults(), window.overhang()) == ([], 0)
    page.click("[data-submit]")
    expect(page.locator("[data-toasts]")).to_contain_text("of three orders is placed", timeout=SOON)
    expect(page.locator("[data-open-rows] tr")).to_have_count(before + 3, timeout=SOON)
    expect(page.locator("[data-open-rows] .status", has_text="Waiting for the first order")).to_have_count(2)
    end_all(page, before)


def test_an_order_that_waits_shows_the_fields_of_its_kind(trade: Page) -> None:
    choose(trade, "type", "OTO")
    first = {"price", "quantity", "time_in_force"}
    for kind, fields in {
        "LIMIT": {"later_price", "later_iceberg"},
        "MARKET": set(),
        "STOP_LOSS": {"later_stop_price", "later_trailing"},
        "TAKE_PROFIT_LIMIT": {"later_stop_price", "later_trailing", "later_price", "later_iceberg"},
    }.items():
        trade.select_option("[name=later_kind]", kind)
        others = {"side", "type", "later_side", "later_kind", "later_quantity"}
        assert shown(trade) - others == first | fields, kind


def test_a_stop_after_a_purchase_is_refused_beside_its_field_and_then_placed(trade: Page) -> None:
    before, bid = open_rows(trade), best_bid(trade)
    choose(trade, "type", "OTO")
    write(trade, price=part(bid, "0.98"), quantity="0.002", later_quantity="0.003")
    trade.select_option("[name=later_kind]", "STOP_LOSS")
    write(trade, later_stop_price=part(bid, "0.96"))
    trade.click("[data-submit]")
    expect(trade.locator("[data-error=later_quantity]")).to_contain_text("more than the first", timeout=SOON)
    write(trade, later_quantity="")
    assert "When the last price falls to" in " ".join(outlook(trade))
    trade.click("[data-submit]")
    expect(trade.locator("[data-open-rows] tr")).to_have_count(before + 2, timeout=SOON)
    end_all(trade, before)


def test_a_pair_may_trail_and_hide_a_part(trade: Page) -> None:
    before, bid = open_rows(trade), best_bid(trade)
    choose(trade, "type", "OCO")
    choose(trade, "side", "SELL")
    write(trade, price=part(bid, "1.03"), quantity="0.02")
    trade.get_by_text("More about the two").click()
    write(trade, stop_trailing="1.5", pair_iceberg="0.005")
    trade.select_option("[name=profit_kind]", "TAKE_PROFIT_LIMIT")
    write(trade, profit_stop_price=part(bid, "1.02"))
    told = " ".join(outlook(trade))
    assert "has fallen by 1.5% from its highest" in told and "rises to" in told
    trade.click("[data-submit]")
    expect(trade.locator("[data-open-rows] tr")).to_have_count(before + 2, timeout=SOON)
    expect(trade.locator("[data-open-rows]")).to_contain_text("trailing 1.5%")
    end_all(trade, before)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_row_that_came_live_leads_to_the_change_and_back(
    open_window: Callable[..., Window], width: int
) -> None:
    window = open_window(width=width, height=900)
    page = live(window)
    write_limit_below_market(page, "0.002")
    page.click("[data-submit]")
    change = page.locator("[data-open-rows] [data-change]").first
    expect(change).to_be_visible(timeout=SOON)
    assert window.overhang() == 0
    change.click()
    page.fill("[name=quantity]", "0.0015")
    page.get_by_role("button", name="Change the order").click()
    expect(page).to_have_url(re.compile("/trade/BTCUSDT/$"), timeout=SOON)
    row = page.locator("[data-open-rows] tr").first
    expect(row).to_contain_text("0.0015", timeout=SOON)
    row.locator("[data-cancel]").click()
    expect(page.locator("[data-open-rows] tr")).to_have_count(0, timeout=SOON)
