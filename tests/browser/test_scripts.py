"""The pages' own modules: the browser reads numbers as the server does, and a book never hides a gap."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from exchange.money import _PLAIN
from exchange.pages import typed_amount
from tests.browser.window import Window
from tests.exchange.test_pages import NO_CLEAR_NUMBER, SAME_NUMBER

GROUPED = ["1,234,567.891", "0.5", "1000", "12345678901234567890.123456789012345678"]
SNAPSHOT = {
    "kind": "snapshot",
    "seq": 7,
    "state": "LIVE",
    "at": 1,
    "bids": [["9.9", "1"], ["10", "2.5"], ["9.85", "4"]],
    "asks": [["10.2", "1"], ["10.10", "3"]],
}


@pytest.fixture
def page(open_window: Callable[..., Window]) -> Page:
    return open_window().visit("/fees/")


def in_page(page: Page, module: str, body: str, argument: object) -> object:
    """What a function over the module's exports returns in the page."""
    return page.evaluate(
        f"async (given) => {{ const lib = await import('/static/js/lib/{module}.js'); {body} }}", argument
    )


def test_browser_and_server_read_typed_numbers_alike(page: Page) -> None:
    texts = [*SAME_NUMBER, *NO_CLEAR_NUMBER, *GROUPED]
    by_server = [text if _PLAIN.fullmatch(text) else None for text in map(typed_amount, texts)]
    assert in_page(page, "decimal", "return given.map(lib.typed);", texts) == by_server


def test_grouping_loses_no_digit(page: Page) -> None:
    text = "12345678901234567890.123456789012345678"
    assert (
        in_page(page, "decimal", "return lib.amount(given);", text)
        == "12,345,678,901,234,567,890.123456789012345678"
    )


def test_a_share_is_floored_to_the_step(page: Page) -> None:
    body = "return lib.floorTo(new lib.Big(given[0]), given[1]).toFixed();"
    assert in_page(page, "decimal", body, ["0.123456789", "0.00001000"]) == "0.12345"


def test_levels_are_in_order_of_price_with_their_sums(page: Page) -> None:
    body = """const book = new lib.Book('0.01'); book.apply(given);
      return book.levels('bids', 15).map(({price, total}) => [price, total.toFixed()]);"""
    assert in_page(page, "book", body, SNAPSHOT) == [["10.00", "2.5"], ["9.90", "3.5"], ["9.85", "7.5"]]


def test_a_book_from_farther_away_takes_only_what_the_server_summed_so_and_knows_the_best_prices(
    page: Page,
) -> None:
    body = """const book = new lib.Book('0.01'); book.apply(given); book.regroup('0.1');
      const late = book.apply({...given, seq: given.seq + 1});
      const before = book.levels('bids', 15).length;
      const best = {bids: '10.00', asks: '10.01'};
      book.apply({...given, step: '0.1', best, bids: [['10', '2.5'], ['9.9', '1']], asks: [['10.1', '3']]});
      const rows = ['bids', 'asks'].map((side) => book.levels(side, 15).map(({price}) => price));
      return [late, before, rows, book.best('asks').price];"""
    told = in_page(page, "book", body, SNAPSHOT)
    assert told == [True, 0, [["10.00", "9.90"], ["10.10"]], "10.01"]


def test_a_difference_that_does_not_follow_asks_for_a_snapshot(page: Page) -> None:
    body = """const book = new lib.Book('0.01');
      const diff = (prev, seq) => ({...given, kind: 'diff', prev, seq});
      return [given, diff(7, 8), diff(9, 10)].map((message) => book.apply(message));"""
    assert in_page(page, "book", body, SNAPSHOT) == [True, True, False]


def test_nothing_is_applied_after_a_gap_until_the_snapshot(page: Page) -> None:
    body = """const book = new lib.Book('0.01'); book.apply(given);
      book.apply({...given, kind: 'diff', prev: 99, seq: 100});
      return [book.apply({...given, kind: 'diff', prev: 7, seq: 8}), book.apply(given)];"""
    assert in_page(page, "book", body, SNAPSHOT) == [False, True]


def test_a_level_of_nothing_is_removed(page: Page) -> None:
    body = """const book = new lib.Book('0.01'); book.apply(given);
      book.apply({...given, kind: 'diff', prev: 7, seq: 8, bids: [['10', '0.000']], asks: []});
      return book.best('bids').price;"""
    assert in_page(page, "book", body, SNAPSHOT) == "9.90"
