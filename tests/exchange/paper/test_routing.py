"""Smart order routing: the best of several books, fills that are allocations, and what stays on the own book."""

from pathlib import Path
from typing import Any

import pytest

from exchange.paper.accounts import Order
from exchange.paper.errors import ApiError
from exchange.paper.orderapi import my_allocations, my_trades
from exchange.paper.venue import Venue
from exchange.paper.walletapi import totals
from exchange.paper.wire import placed
from tests.exchange.paper.listening import Socket
from tests.exchange.paper.people import KEYS, Bench, Caller, D, serving
from tests.exchange.paper.test_socketapi import ask, signed

ROUTED = {"symbol": "BTCUSDT", "side": "BUY"}


@pytest.fixture
def bench() -> Bench:
    """Two books of bitcoin: bob sells for USDC at 98 and 99.5, and for USDT at 99 and 100."""
    found = Bench(venue=Venue(None, KEYS, levels=0, deepest=0, routed=True))
    found.any_price()
    found.venue.live["BTCUSDC"].filters.rows.pop("PERCENT_PRICE_BY_SIDE")
    found.fund(found.bob, BTC="10")
    found.fund(found.alice, USDT="1000")
    for symbol, prices in (("BTCUSDC", ("98", "99.5")), ("BTCUSDT", ("99", "100"))):
        for price in prices:
            asked = {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": "1"}
            found.venue.trading.place(found.bob, found.venue.live[symbol], asked)
    return found


def routed(bench: Bench, **params: str) -> tuple[Order, list[Any]]:
    asked: dict[str, str] = {"type": "LIMIT", "timeInForce": "GTC", "price": "101", **ROUTED, **params}
    return bench.venue.trading.place(bench.alice, bench.market, asked, used_sor=True)


def test_it_takes_the_best_of_all_books_and_pays_in_its_own_quote_asset(bench: Bench) -> None:
    order, _fills = routed(bench, quantity="2")
    assert (order.status, order.quote, bench.held(bench.alice, "USDT")) == ("FILLED", D(197), (D(803), D(0)))
    assert (bench.held(bench.bob, "USDC")[0], bench.held(bench.bob, "USDT")[0]) == (D("97.902"), D("98.901"))


def test_a_fill_of_another_book_is_an_allocation_and_one_of_its_own_a_trade(bench: Bench) -> None:
    heard = bench.hear(bench.alice)
    order, fills = routed(bench, quantity="2")
    answer = placed(order, fills, "FULL")
    bench.venue.settle()
    allocated, traded = answer["fills"]
    told = [event for event in heard if event.get("x") == "TRADE"]
    assert (allocated["tradeId"], allocated["matchType"], allocated["price"]) == (
        -1,
        "ONE_PARTY_TRADE_REPORT",
        "98.00000000",
    )
    assert (answer["usedSor"], answer["workingFloor"], "allocId" in traded) == (True, "EXCHANGE", False)
    assert [(e["t"], e.get("a"), e["k"], e["uS"]) for e in told] == [
        (-1, allocated["allocId"], "SOR", True),
        (traded["tradeId"], None, "EXCHANGE", True),
    ]


def test_allocations_and_trades_are_asked_for_apart(bench: Bench) -> None:
    order, _fills = routed(bench, quantity="3")
    asked = {"symbol": "BTCUSDT", "orderId": str(order.order_id)}
    allocations, trades = (rows(bench.venue, asked, bench.alice) for rows in (my_allocations, my_trades))
    assert [row["price"] for row in allocations] == ["98.00000000", "99.50000000"]
    assert [row["price"] for row in trades] == ["99.00000000"]
    assert set(allocations[0]) == {
        "symbol", "allocationId", "allocationType", "orderId", "orderListId", "price", "qty", "quoteQty",
        "commission", "commissionAsset", "time", "isBuyer", "isMaker", "isAllocator",
    }  # fmt: skip


def test_the_rest_of_an_order_that_stands_stays_on_its_own_book(bench: Bench) -> None:
    order, _fills = routed(bench, quantity="5", price="100")
    assert (order.executed, order.working_floor, bench.market.depth(1)["bids"]) == (
        D(4),
        "EXCHANGE",
        [["100.00000000", "1.00000000"]],
    )


def test_the_rest_of_a_market_order_expires(bench: Bench) -> None:
    asked = {"type": "MARKET", "side": "BUY", "quantity": "5"}
    order, fills = bench.venue.trading.place(bench.alice, bench.market, asked, used_sor=True)
    assert (order.status, order.executed, len(fills)) == ("EXPIRED", D(4), 4)


def test_an_order_to_be_filled_whole_counts_all_books(bench: Bench) -> None:
    statuses = [routed(bench, quantity=quantity, timeInForce="FOK")[0].status for quantity in ("4.1", "4")]
    assert statuses == ["EXPIRED", "FILLED"]


def test_it_takes_nothing_of_its_own_account_elsewhere(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="1")
    asked = {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "97", "quantity": "1"}
    bench.venue.trading.place(bench.alice, bench.venue.live["BTCUSDC"], asked)
    order, _fills = routed(bench, quantity="1")
    assert (order.status, order.quote) == ("FILLED", D(99))


def test_routing_makes_no_money(bench: Bench) -> None:
    before = totals(bench.venue)
    _order, fills = routed(bench, quantity="3.5")
    taken = sum(D(fill["commission"]) for fill in fills)
    now = totals(bench.venue)
    makers = sum(D(fill["commission"]) for fill in bench.bob.trades)
    assert before["BTC"] - now["BTC"] == taken
    assert now["USDC"] + now["USDT"] + makers == before["USDT"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"type": "LIMIT_MAKER", "timeInForce": ""}, -1014),
        ({"type": "MARKET", "timeInForce": "", "price": "", "quoteOrderQty": "50", "quantity": ""}, -1106),
    ],
)
def test_only_plain_orders_are_routed(bench: Bench, params: dict[str, str], code: int) -> None:
    with pytest.raises(ApiError) as refused:
        routed(bench, **{"quantity": "1", **params})
    assert refused.value.code == code


def test_a_market_of_no_group_is_not_routed(bench: Bench) -> None:
    asked = {"type": "LIMIT", "timeInForce": "GTC", "price": "1600", "quantity": "1", "side": "BUY"}
    with pytest.raises(ApiError, match=r"SOR orders are not supported for this symbol\."):
        bench.venue.trading.place(bench.alice, bench.venue.live["ETHUSDT"], asked, used_sor=True)


def test_groups_are_listed_and_orders_routed_over_the_wire(tmp_path: Path) -> None:
    venue = Venue(tmp_path, KEYS, pace=0.1, levels=60, deepest=400, routed=True)
    with serving(venue) as url:
        trader = Caller(url)
        trader.deposit("USDT", "9000")
        channel = Socket(url, "/ws-api/v3")
        asked = {**ROUTED, "type": "MARKET", "quantity": "0.02"}
        listed = trader.get("/api/v3/exchangeInfo")["sors"]
        tested = trader.signed("POST", "/api/v3/sor/order/test", **asked).json()
        by_rest = trader.signed("POST", "/api/v3/sor/order", **asked).json()
        by_socket = ask(channel, "sor.order.place", **signed(trader.key["key"], trader.sign, **asked))
        channel.close()
    assert (listed, tested) == ([{"baseAsset": "BTC", "symbols": ["BTCUSDT", "BTCUSDC"]}], {})
    assert (by_rest["status"], by_socket["result"]["status"]) == ("FILLED", "FILLED")
    assert by_rest["usedSor"] is True


def test_without_groups_none_are_listed(trader: Caller) -> None:
    assert "sors" not in trader.get("/api/v3/exchangeInfo", symbol="BTCUSDT")
