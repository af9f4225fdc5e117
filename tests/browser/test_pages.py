"""Every page: no error, no fault of accessibility, no wider than the window, in both themes and with no script."""

from collections.abc import Callable

import pytest

from tests.browser.window import Window

OPEN_PAGES = (
    "/",
    "/markets/",
    "/trade/BTCUSDT/",
    "/fees/",
    "/proof/",
    "/status/",
    "/accounts/login/",
    "/accounts/signup/",
)
OWN_PAGES = (
    "/trade/BTCUSDT/",
    "/wallet/",
    "/wallet/USDT/",
    "/wallet/USDT/explain/",
    "/proof/mine/",
    "/wallet/deposit/?asset=BTC",
    "/wallet/deposits/",
    "/wallet/deposits/?tx=unknown-transaction",
    "/wallet/deposits/1/",
    "/wallet/deposits/announce/?asset=BTC&network=BTC",
    "/wallet/withdraw/?asset=BTC",
    "/wallet/history/",
    "/wallet/addresses/?asset=USDT&network=TRX",
    "/wallet/addresses/book-only/",
    "/orders/",
    "/fills/",
    "/verify/",
    "/security/",
    "/notices/",
    "/settings/",
)
STAFF_PAGES = (
    "/admin/",
    "/admin/search/?q=alice",
    "/admin/treasury/",
    "/admin/treasury/adjustments/",
    "/admin/treasury/balance-sheet/",
    "/admin/ledger/withdrawal/",
    "/admin/ledger/deposit/",
    "/admin/ledger/deposit/1/change/",
    "/admin/ledger/transfer/1/change/",
    "/admin/ledger/transfer/1/reverse/",
    "/admin/ledger/reconciliation/",
)
SIZES = [(320, 700), (390, 844), (1280, 800), (1440, 900)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_open_pages_have_no_serious_fault(open_window: Callable[..., Window], theme: str) -> None:
    window = open_window(theme=theme)
    for path in OPEN_PAGES:
        window.visit(path)
        assert (path, window.faults()) == (path, [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_customers_pages_have_no_serious_fault(open_window: Callable[..., Window], theme: str) -> None:
    window = open_window(theme=theme)
    window.sign_in("alice")
    for path in OWN_PAGES:
        window.visit(path)
        assert (path, window.faults()) == (path, [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_staffs_pages_have_no_serious_fault(open_window: Callable[..., Window], theme: str) -> None:
    window = open_window(theme=theme)
    window.sign_in("carol")
    for path in STAFF_PAGES:
        window.visit(path)
        assert (path, window.faults()) == (path, [])


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_page_is_wider_than_its_window(
    open_window: Callable[..., Window], width: int, height: int
) -> None:
    window = open_window(width=width, height=height)
    window.sign_in("alice")
    for path in (*OPEN_PAGES[:6], *OWN_PAGES):
        window.visit(path)
        assert (path, window.overhang()) == (path, 0)


def test_staffs_pages_of_a_person_fit_a_phone(open_window: Callable[..., Window]) -> None:
    """The demo's case was decided: it has a history of acts, people and reasons."""
    window = open_window(width=390, height=844)
    window.sign_in("carol")
    for model in ("accounts/kyccase", "accounts/user"):
        page = window.visit(f"/admin/{model}/?q=alice")
        path = page.locator("#result_list tbody th a").first.get_attribute("href")
        page = window.visit(str(path))
        assert page.locator(".desk-history tbody tr").count() > 0
        assert (path, window.overhang()) == (path, 0)


def test_every_page_reads_without_script(open_window: Callable[..., Window]) -> None:
    window = open_window(has_script=False)
    window.sign_in("alice")
    for path in (*OPEN_PAGES[:6], *OWN_PAGES):
        page = window.visit(path)
        assert (path, page.locator("h1").count()) == (path, 1)
