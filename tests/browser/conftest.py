"""One browser a session, against the whole product running; each test gets a window of its own."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.window import Window
from tests.journeys.site import Site, running_site

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = str(Path(__file__).parent) + os.sep
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The product with its demo world."""
    with running_site(WITHDRAWAL_HOLD_MINUTES="0") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "these tests drive Chromium: install it, or name it in CHROMIUM"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, headless=True, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def open_window(browser: Browser, site: Site) -> Iterator[Callable[..., Window]]:
    """Opens windows by size and theme; none may have seen an error when the test ends."""
    opened: list[Window] = []

    def opens(width: int = 1280, height: int = 800, theme: str = "light", has_script: bool = True) -> Window:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=has_script,
        )
        opened.append(Window(context.new_page(), site))
        return opened[-1]

    yield opens
    complaints = [complaint for window in opened for complaint in window.complaints]
    for window in opened:
        window.page.context.close()
    assert complaints == []
