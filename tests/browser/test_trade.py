"""The trade page with live parts: the book moves, an order is placed once, refusals stand beside their field."""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.window import Window

SOON = 15_000


@pytest.fixture
def trade(open_window: Callable[..., Window]) -> Page:
    """Alice at the trade page, prices live."""
    window = open_window()
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-connection]")).to_have_text("Live", timeout=SOON)
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    return page


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f'[data-ticket] [name="{name}"][value="{value}"]').check(force=True)


def write_limit_below_market(page: Page, quantity: str) -> None:
    """A price that the moving market does not reach while a test runs, and the filters still allow."""
    choose(page, "type", "LIMIT")
    far = number(page.locator("[data-bids] tr td").first.inner_text()) * Decimal("0.98")
    page.fill("[data-ticket] [name=price]", str(far.quantize(Decimal("0.01"))))
    page.fill("[data-ticket] [name=quantity]", quantity)


def open_rows(page: Page) -> int:
    return page.locator("[data-open-rows] tr").count()


def number(text: str | None) -> Decimal:
    return Decimal(re.sub(r"[^0-9.]", "", text or "0"))


def test_the_book_moves_by_itself(trade: Page) -> None:
    before = trade.locator("[data-asks]").inner_text()
    expect(trade.locator("[data-asks]")).not_to_have_text(before, timeout=SOON, use_inner_text=True)
    assert trade.locator("[data-asks] tr").count() == 15


def test_candles_come_for_every_interval(trade: Page) -> None:
    for interval in ("5m", "15m", "1h", "4h", "1d", "1w", "1m"):
        with trade.expect_response(re.compile(f"interval={interval}(&|$)")) as answer:
            trade.click(f'[data-interval="{interval}"]')
        assert answer.value.status == 200
        expect(trade.locator(f'[data-interval="{interval}"]')).to_have_attribute("aria-pressed", "true")
        expect(trade.locator("[data-chart-legend]")).to_contain_text("O ", timeout=SOON)
        expect(trade.locator("[data-chart-note]")).to_be_hidden()


def test_how_an_open_order_stands_and_its_end_are_in_sight_on_a_phone(
    trade: Page, open_window: Callable[..., Window]
) -> None:
    write_limit_below_market(trade, "0.002")
    trade.click("[data-submit]")
    expect(trade.locator("[data-open-rows] tr").first).to_be_visible(timeout=SOON)
    window = open_window(width=390, height=844)
    window.sign_in("alice")
    phone = window.visit("/trade/BTCUSDT/")
    row = phone.locator("[data-open-rows] tr").first
    for shown in (".status", "[data-cancel]", "td[data-label]:nth-last-child(3)"):
        # Asked again until it holds: the server's row gives way to the live one when that is read.
        phone.wait_for_function(
            """(part) => {
              const box = document.querySelector(`[data-open-rows] tr ${part}`)?.getBoundingClientRect();
              return Boolean(box) && box.width > 0 && box.left >= 0 && box.right <= 390;
            }""",
            arg=shown,
            timeout=SOON,
        )
    row.locator("[data-cancel]").click()
    expect(phone.locator("[data-open-rows] tr")).to_have_count(0, timeout=SOON)


def test_a_limit_order_is_placed_seen_and_canceled(trade: Page) -> None:
    held_before = open_rows(trade)
    write_limit_below_market(trade, "0.002")
    trade.click("[data-submit]")
    expect(trade.locator("[data-open-rows] tr")).to_have_count(held_before + 1, timeout=SOON)
    trade.locator("[data-open-rows] [data-cancel]").first.click()
    expect(trade.locator("[data-open-rows] tr")).to_have_count(held_before, timeout=SOON)


def test_a_stop_is_placed_says_what_it_waits_for_and_is_canceled(trade: Page) -> None:
    choose(trade, "type", "STOP")
    choose(trade, "side", "SELL")
    trade.select_option("[name=stop_kind]", "STOP_LOSS")
    expect(trade.locator("[data-ticket] [name=price]")).to_be_hidden()
    stop = number(trade.locator("[data-bids] tr td").first.inner_text()) * Decimal("0.98")
    trade.fill("[data-ticket] [name=stop_price]", str(stop.quantize(Decimal(1))))
    trade.fill("[data-ticket] [name=trailing_delta]", "1.5")
    trade.fill("[data-ticket] [name=quantity]", "0.002")
    trade.click("[data-submit]")
    row = trade.locator("[data-open-rows] tr").first
    expect(row).to_contain_text(f"from {stop.quantize(Decimal(1)):,}, trailing 1.5%", timeout=SOON)
    row.locator("[data-cancel]").click()
    expect(trade.locator("[data-open-rows] tr")).to_have_count(0, timeout=SOON)


def test_a_stop_on_the_wrong_side_is_refused_beside_its_field(trade: Page) -> None:
    choose(trade, "type", "STOP")
    choose(trade, "side", "BUY")
    bid = number(trade.locator("[data-bids] tr td").first.inner_text())
    trade.fill("[data-ticket] [name=stop_price]", str((bid * Decimal("0.98")).quantize(Decimal(1))))
    trade.fill("[data-ticket] [name=price]", str(bid))
    trade.fill("[data-ticket] [name=quantity]", "0.002")
    trade.click("[data-submit]")
    expect(trade.locator('[data-error="stop_price"]')).to_contain_text("above the last price", timeout=SOON)


def test_an_open_order_stays_under_the_finger_while_others_fill(trade: Page) -> None:
    write_limit_below_market(trade, "0.002")
    trade.click("[data-submit]")
    cancel = trade.locator("[data-open-rows] [data-cancel]").first
    expect(cancel).to_be_visible(timeout=SOON)
    expect(trade.locator("[data-open-rows] .status").first).to_have_class(
        re.compile("status-live"), timeout=SOON
    )
    cancel.focus()
    fills = trade.locator("[data-fill-rows] tr").count()
    trade.evaluate("""() => fetch("/api/v1/orders/", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value,
      },
      body: JSON.stringify({symbol: "BTCUSDT", side: "BUY", type: "MARKET", quote_quantity: "20"}),
    })""")
    expect(trade.locator("[data-fill-rows] tr")).not_to_have_count(fills, timeout=SOON)
    expect(cancel).to_be_focused()
    cancel.press("Enter")
    expect(trade.locator("[data-open-rows] tr")).to_have_count(0, timeout=SOON)


def test_a_double_click_makes_one_order(trade: Page) -> None:
    held_before = open_rows(trade)
    write_limit_below_market(trade, "0.003")
    trade.locator("[data-submit]").dblclick()
    expect(trade.locator("[data-open-rows] tr")).to_have_count(held_before + 1, timeout=SOON)
    trade.wait_for_timeout(1500)
    assert open_rows(trade) == held_before + 1
    trade.locator("[data-open-rows] [data-cancel]").first.click()
    expect(trade.locator("[data-open-rows] tr")).to_have_count(held_before, timeout=SOON)


def test_a_market_order_by_total_fills_and_moves_the_balances(trade: Page) -> None:
    before = number(
        trade.locator('[data-balance-rows] [data-asset="BTC"] [data-cell="available"]').text_content()
    )
    choose(trade, "type", "MARKET")
    choose(trade, "measure", "quote_quantity")
    trade.fill("[data-ticket] [name=quote_quantity]", "100")
    expect(trade.locator("[data-estimate-receive]")).to_contain_text("BTC", timeout=SOON)
    trade.click("[data-submit]")
    expect(trade.locator("[data-toasts] .note").first).to_be_visible(timeout=SOON)
    trade.wait_for_function(
        """(before) => {
          const cell = document.querySelector('[data-balance-rows] [data-asset="BTC"] [data-cell="available"]');
          return cell && Number(cell.textContent.replaceAll(',', '')) > Number(before);
        }""",
        arg=str(before),
        timeout=SOON,
    )


def test_a_ticket_tells_the_way_a_market_order_would_take_where_there_are_several(trade: Page) -> None:
    """Nothing is compared in the world of the tests, so the answer says so at first, and then names a way."""
    choose(trade, "type", "MARKET")
    choose(trade, "measure", "quote_quantity")
    trade.fill("[data-ticket] [name=quote_quantity]", "100")
    expect(trade.locator("[data-estimate-receive]")).to_contain_text("BTC", timeout=SOON)
    expect(trade.locator("[data-estimate-route]")).to_be_hidden()

    def named(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "route": {"text": "Routed by the venue"}})

    trade.route("**/api/v1/orders/preview/", named)
    trade.fill("[data-ticket] [name=quote_quantity]", "101")
    expect(trade.locator("[data-estimate-route]")).to_have_text("Routed by the venue", timeout=SOON)
    expect(trade.locator("[data-estimate-route]")).to_be_visible()


def test_an_amount_off_its_step_is_refused_beside_the_field(trade: Page) -> None:
    write_limit_below_market(trade, "0.0020000001")
    trade.click("[data-submit]")
    expect(trade.locator('[data-error="quantity"]')).to_be_visible(timeout=SOON)
    expect(trade.locator("[data-ticket] [name=quantity]")).to_have_attribute("aria-invalid", "true")


def test_an_amount_that_is_no_number_never_leaves_the_page(trade: Page) -> None:
    write_limit_below_market(trade, "1,234")
    sent: list[str] = []
    trade.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    trade.click("[data-submit]")
    expect(trade.locator('[data-error="quantity"]')).to_be_visible()
    assert [url for url in sent if url.endswith("/orders/")] == []


def test_a_click_on_a_level_takes_its_price(trade: Page) -> None:
    trade.locator("[data-asks] tr").last.click()
    assert number(trade.input_value("[data-ticket] [name=price]")) > 0
    assert trade.locator('[data-ticket] [name="type"][value="LIMIT"]').is_checked()


def test_arrow_keys_and_enter_take_a_price_as_well(trade: Page) -> None:
    trade.fill("[data-ticket] [name=price]", "")
    trade.locator("[data-book-keys]").focus()
    trade.keyboard.press("ArrowDown")
    trade.keyboard.press("Enter")
    assert number(trade.input_value("[data-ticket] [name=price]")) > 0


def test_an_order_can_be_placed_without_script(open_window: Callable[..., Window]) -> None:
    window = open_window(has_script=False)
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    price = page.locator("[data-bids] tr td").first.inner_text().replace(",", "")
    page.fill("[data-ticket] [name=price]", str((Decimal(price) * Decimal("0.98")).quantize(Decimal("0.01"))))
    page.fill("[data-ticket] [name=quantity]", "0.002")
    page.click("[data-submit]")
    expect(page.locator(".messages")).to_contain_text("is recorded")


def test_somebody_not_signed_in_is_told_what_to_do(open_window: Callable[..., Window]) -> None:
    page = open_window().visit("/trade/BTCUSDT/")
    expect(page.locator("[data-ticket]")).to_contain_text("Sign up to trade")


def test_somebody_not_verified_is_told_what_to_do(open_window: Callable[..., Window]) -> None:
    window = open_window()
    window.sign_in("bob")
    page = window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-ticket]")).to_contain_text("Verify your identity")


def test_two_orders_that_end_each_other_are_placed_and_canceled_together(trade: Page) -> None:
    choose(trade, "type", "OCO")
    choose(trade, "side", "SELL")
    expect(trade.locator("[data-ticket] [name=time_in_force]")).to_be_hidden()
    expect(trade.locator("[data-ticket] [name=trailing_delta]")).to_be_hidden()
    bid = number(trade.locator("[data-bids] tr td").first.inner_text())
    trade.fill("[data-ticket] [name=price]", str((bid * Decimal("0.98")).quantize(Decimal(1))))
    trade.fill("[data-ticket] [name=stop_price]", str((bid * Decimal("0.97")).quantize(Decimal(1))))
    trade.fill("[data-ticket] [name=quantity]", "0.002")
    trade.click("[data-submit]")
    expect(trade.locator("[data-error=price]")).to_contain_text("above the last price", timeout=SOON)
    before = open_rows(trade)
    trade.fill("[data-ticket] [name=price]", str((bid * Decimal("1.02")).quantize(Decimal(1))))
    expect(trade.locator("[data-estimate-held]")).to_contain_text("0.002")
    trade.click("[data-submit]")
    expect(trade.locator("[data-toasts]")).to_contain_text("of two orders is placed", timeout=SOON)
    expect(trade.locator("[data-open-rows] tr")).to_have_count(before + 2, timeout=SOON)
    expect(trade.locator('[data-open-rows] [data-cell="list"]').first).to_contain_text("list")
    trade.locator("[data-open-rows] [data-cancel]").first.click()
    expect(trade.locator("[data-open-rows] tr")).to_have_count(before, timeout=SOON)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_list_and_its_orders_are_readable_on_a_narrow_phone(
    open_window: Callable[..., Window], theme: str
) -> None:
    window = open_window(320, 700, theme)
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    choose(page, "type", "OCO")
    choose(page, "side", "SELL")
    last = number(page.locator("[data-last]").inner_text())
    page.fill("[data-ticket] [name=price]", str((last * Decimal("1.02")).quantize(Decimal(1))))
    page.fill("[data-ticket] [name=stop_price]", str((last * Decimal("0.97")).quantize(Decimal(1))))
    page.fill("[data-ticket] [name=quantity]", "0.002")
    assert (window.faults(), window.overhang()) == ([], 0)
    page.click("[data-submit]")
    row = page.locator("[data-open-rows] tr").first
    expect(row.locator('[data-cell="list"]')).to_have_text(re.compile("list [0-9]+"), timeout=SOON)
    window.visit(str(row.locator('[data-cell="market"]').get_attribute("href")))
    assert (window.faults(), window.overhang()) == ([], 0)
    page.get_by_role("link", name="The whole list").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order list")
    assert (window.faults(), window.overhang()) == ([], 0)
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.locator("[data-status=CANCELED]")).to_have_count(2, timeout=SOON)
