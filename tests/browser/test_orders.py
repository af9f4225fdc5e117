"""The page of an order and staff's page of it, after all that can happen to one: they fit and have no fault."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.test_trade import SOON, number
from tests.browser.window import Window
from tests.journeys.site import Site

PLACE = """async (order) => {
  const headers = {
    'Content-Type': 'application/json',
    'X-CSRFToken': document.querySelector('[name=csrfmiddlewaretoken]').value,
  };
  const answer = await fetch('/api/v1/orders/', {method: 'POST', headers, body: JSON.stringify(order)});
  return await answer.json();
}"""


def fault(site: Site, **asked: Any) -> None:
    door = f"{site.environment['BINANCE_REST_URL']}/paper/fault"
    assert requests.post(door, json=asked, timeout=10).status_code == 200


@pytest.fixture
def orders(open_window: Callable[..., Window], site: Site) -> dict[str, int]:
    """One filled at once, one of which no answer comes, one that the venue refuses because of the house."""
    window = open_window()
    window.sign_in("alice")
    page = window.visit("/trade/BTCUSDT/")
    best = number(page.locator("[data-bids] tr td").first.inner_text())
    wanted = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01"}
    near = {
        **wanted,
        "time_in_force": "IOC",
        "price": str((best * Decimal("1.01")).quantize(Decimal("0.01"))),
    }
    far = {**wanted, "time_in_force": "GTC", "price": str((best * Decimal("0.97")).quantize(Decimal("0.01")))}
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    found = {"filled": placed(page, near)}
    fault(site, do="-1022")
    found["refused"] = placed(page, far)
    fault(site, do="504 after", hideMs=60_000)
    # It trades with nobody and ends so: no order is left standing for whoever comes next.
    found["silent"] = placed(page, {**far, "time_in_force": "IOC"})
    return found


def placed(page: Page, order: dict[str, str]) -> int:
    answer = page.evaluate(PLACE, order)
    assert "id" in answer, answer
    return int(answer["id"])


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_the_life_of_an_order_fits_its_page(
    open_window: Callable[..., Window], orders: dict[str, int], width: int, theme: str
) -> None:
    for name, path in (("alice", "/orders/{}/"), ("carol", "/admin/orders/order/{}/change/")):
        window = open_window(width=width, height=900, theme=theme)
        window.sign_in(name)
        for kind, order in orders.items():
            window.visit(path.format(order))
            assert (kind, window.faults(), window.overhang(), window.cut_off()) == (kind, [], 0, [])


@pytest.mark.parametrize("width", [390, 1280])
def test_no_table_of_the_order_pages_is_cut_off(
    open_window: Callable[..., Window], orders: dict[str, int], width: int
) -> None:
    window = open_window(width=width, height=900)
    window.sign_in("alice")
    for path in ("/orders/", "/fills/", "/fees/", "/trade/BTCUSDT/"):
        window.visit(path)
        assert (path, window.overhang(), window.cut_off()) == (path, 0, [])


def test_moments_are_to_the_millisecond_in_the_readers_own_time(
    open_window: Callable[..., Window], orders: dict[str, int]
) -> None:
    window = open_window()
    window.sign_in("alice")
    page = window.visit(f"/orders/{orders['filled']}/")
    expect(page.locator(".lifeline time").first).to_have_text(
        re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$")
    )
