"""The pages' socket on lines that fail: given up, tried again with patience, never called live when they are not."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.window import Window

MARKET, TABLE = re.compile("/ws/market/"), re.compile("/ws/tickers/")
SOON, LATER_MS = 15_000, 12_000
OPENED = """async () => {
  const { Socket } = await import('/static/js/lib/socket.js');
  window.states = [];
  window.socket = new Socket('/ws/market/BTCUSDT/', {
    isTalkative: true, isFeed: true, onMessage: () => {}, onState: (state) => window.states.push(state),
  });
}"""


class Server:
    """The other end of the page's sockets: what it was told, and how often it was called."""

    def __init__(self, page: Page, does: Callable[[WebSocketRoute], None]) -> None:
        self.lines: list[WebSocketRoute] = []
        self.told: list[dict[str, Any]] = []
        self._does = does
        page.route_web_socket(MARKET, self._accept)
        page.clock.install()

    def _accept(self, line: WebSocketRoute) -> None:
        self.lines.append(line)
        line.on_message(lambda text: self.told.append(json.loads(text)))
        self._does(line)


def opened(window: Callable[..., Window], does: Callable[[WebSocketRoute], None]) -> tuple[Page, Server]:
    """A page whose one socket leads to this server."""
    shown = window()
    server = Server(shown.page, does)
    page = shown.visit("/fees/")
    page.evaluate(OPENED)
    page.wait_for_timeout(200)
    return page, server


def nothing(_line: WebSocketRoute) -> None:
    """A server that never says a word."""


def closing(code: int) -> Callable[[WebSocketRoute], None]:
    return lambda line: line.close(code=code)


def wait(page: Page, seconds: int) -> None:
    """So much time passes in the page."""
    page.clock.run_for(seconds * 1000)
    page.wait_for_timeout(100)


# ------------------------------------------------------------------ lines that say nothing
def test_a_line_that_is_open_at_our_end_alone_is_given_up_and_another_opened(
    open_window: Callable[..., Window],
) -> None:
    page, server = opened(open_window, nothing)
    wait(page, 5)
    assert page.evaluate("window.states.at(-1)") == "delayed"
    wait(page, 7)
    assert (len(server.lines), page.evaluate("window.states").count("reconnecting")) == (2, 2)


def test_the_ticket_waits_while_the_line_is_silent_and_goes_on_with_the_next(
    open_window: Callable[..., Window],
) -> None:
    window = open_window()
    window.sign_in("alice")
    page, is_cut = window.page, False

    def through(line: WebSocketRoute) -> None:
        if not is_cut:
            server = line.connect_to_server()
            server.on_message(lambda text: None if is_cut else line.send(text))

    page.route_web_socket(MARKET, through)
    page.clock.install()
    window.visit("/trade/BTCUSDT/")
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)
    is_cut = True
    page.clock.run_for(LATER_MS)
    expect(page.locator("[data-submit]")).to_be_disabled()
    expect(page.locator("[data-book-notice]")).to_be_visible()
    is_cut = False
    page.clock.run_for(LATER_MS)
    expect(page.locator("[data-connection]")).to_have_text("Live", timeout=SOON)
    expect(page.locator("[data-submit]")).to_be_enabled(timeout=SOON)


# ------------------------------------------------------------------ lines that are refused
def test_a_market_that_is_not_there_is_asked_for_once(open_window: Callable[..., Window]) -> None:
    page, server = opened(open_window, closing(4404))
    wait(page, 60)
    page.evaluate("dispatchEvent(new Event('online'))")
    wait(page, 1)
    assert (len(server.lines), page.evaluate("window.states.at(-1)")) == (1, "offline")


@pytest.mark.parametrize("code", [4429, 4029])
def test_a_crowded_server_is_left_alone_for_a_while(open_window: Callable[..., Window], code: int) -> None:
    page, server = opened(open_window, closing(code))
    wait(page, 13)
    assert len(server.lines) == 1
    wait(page, 18)
    assert len(server.lines) == 2


def test_a_server_that_accepts_and_closes_is_tried_less_and_less_often(
    open_window: Callable[..., Window],
) -> None:
    page, server = opened(open_window, nothing)
    closed = 0
    for _second in range(30):
        if len(server.lines) > closed:
            closed += 1
            server.lines[-1].close(code=1011)
        wait(page, 1)
    assert 4 <= len(server.lines) <= 9


def test_a_line_that_lasted_comes_back_at_once(open_window: Callable[..., Window]) -> None:
    page, server = opened(open_window, nothing)
    for _time in range(8):
        server.lines[-1].send('{"type": "status", "feed": "LIVE"}')
        wait(page, 5)
    server.lines[-1].close(code=1011)
    wait(page, 1)
    assert len(server.lines) == 2


# ------------------------------------------------------------------ what was read
def test_a_page_says_at_once_that_it_has_read_much(open_window: Callable[..., Window]) -> None:
    page, server = opened(open_window, nothing)
    frame = {"type": "tickers", "tickers": {}, "more": "x" * 20_000}
    for seq in (7, 9):
        page.wait_for_timeout(400)
        server.lines[0].send(json.dumps({**frame, "seq": seq}))
    page.wait_for_timeout(100)
    assert server.told == [{"type": "ack", "seq": 7}, {"type": "ack", "seq": 9}]


def test_a_page_that_reads_very_much_says_so_less_often_than_the_server_allows(
    open_window: Callable[..., Window],
) -> None:
    page, server = opened(open_window, nothing)
    for seq in range(1, 100):
        server.lines[0].send(json.dumps({"type": "x", "more": "x" * 20_000, "seq": seq}))
        page.wait_for_timeout(10)
    assert 3 <= len(server.told) <= 8


# ------------------------------------------------------------------ a feed that is away
def test_the_table_of_markets_says_that_prices_are_late_while_the_feed_is_silent(
    open_window: Callable[..., Window],
) -> None:
    window = open_window()
    lines: list[WebSocketRoute] = []
    window.page.route_web_socket(TABLE, lambda line: lines.append(line))
    page = window.visit("/markets/")
    state = page.locator("[data-connection]")
    expect(state).to_have_text("Live")
    lines[0].send('{"type": "status", "feed": "STALE", "seq": 1}')
    expect(state).to_have_text("Delayed")
    lines[0].send('{"type": "tickers", "tickers": {}, "seq": 2}')
    expect(state).to_have_text("Live")


def test_the_table_of_markets_says_that_prices_are_late_when_it_hears_nothing(
    open_window: Callable[..., Window],
) -> None:
    window = open_window()
    window.page.route_web_socket(TABLE, nothing)
    window.page.clock.install()
    page = window.visit("/markets/")
    expect(page.locator("[data-connection]")).to_have_text("Live")
    page.clock.run_for(5000)
    expect(page.locator("[data-connection]")).to_have_text("Delayed")
