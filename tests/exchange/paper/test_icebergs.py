"""Icebergs: what is seen of them, in which turn they trade, what they may be."""

import pytest

from exchange.paper.errors import ApiError
from exchange.paper.wire import queried
from tests.exchange.paper.people import Bench, D


@pytest.fixture(autouse=True)
def quiet_prices(bench: Bench) -> None:
    bench.any_price()


def test_only_a_part_of_an_iceberg_is_seen_and_more_follows(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="5")
    bench.fund(bench.bob, USDT="500")
    order = bench.order(bench.alice, "SELL", price="100", quantity="5", icebergQty="2")
    seen = [bench.market.depth(5)["asks"]]
    for quantity in ("1", "1", "3"):
        bench.order(bench.bob, "BUY", price="100", quantity=quantity, timeInForce="IOC")
        seen.append(bench.market.depth(5)["asks"])
    shown = [[row[1] for row in rows] for rows in seen]
    assert shown == [["2.00000000"], ["1.00000000"], ["2.00000000"], []]
    assert (order.status, order.executed) == ("FILLED", D(5))


def test_what_follows_stands_behind_the_others_at_its_price(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="4")
    bench.fund(bench.carol, BTC="1")
    bench.fund(bench.bob, USDT="500")
    iceberg = bench.order(bench.alice, "SELL", price="100", quantity="4", icebergQty="1")
    plain = bench.order(bench.carol, "SELL", price="100", quantity="1")
    bench.order(bench.bob, "BUY", price="100", quantity="2", timeInForce="IOC")
    assert (iceberg.executed, plain.executed) == (D(1), D(1))


def test_a_taker_may_take_all_of_it_at_once(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="4")
    bench.fund(bench.bob, USDT="500")
    bench.order(bench.alice, "SELL", price="100", quantity="4", icebergQty="1")
    taker = bench.order(bench.bob, "BUY", price="100", quantity="4", timeInForce="FOK")
    assert (taker.status, taker.executed) == ("FILLED", D(4))


def test_a_canceled_iceberg_is_wholly_off_the_book(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="4")
    order = bench.order(bench.alice, "SELL", price="100", quantity="4", icebergQty="1")
    told = queried(order)["icebergQty"]
    bench.venue.trading.cancel(bench.alice, bench.market, order)
    assert (told, bench.market.depth(5)["asks"], bench.held(bench.alice, "BTC")) == (
        "1.00000000",
        [],
        (D(4), D(0)),
    )


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"quantity": "4", "icebergQty": "0.3"}, "Filter failure: ICEBERG_PARTS"),
        ({"quantity": "1", "icebergQty": "0.000001"}, "Filter failure: LOT_SIZE"),
        ({"quantity": "1", "icebergQty": "1.1"}, "IcebergQty exceeds QTY."),
        ({"quantity": "1", "icebergQty": "0.5", "timeInForce": "IOC"}, "Unsupported order combination."),
    ],
)
def test_an_iceberg_that_cannot_be_is_refused(bench: Bench, params: dict[str, str], said: str) -> None:
    bench.fund(bench.alice, BTC="5")
    with pytest.raises(ApiError) as refused:
        bench.order(bench.alice, "SELL", price="100", **params)
    assert refused.value.message == said


def test_a_market_order_has_no_iceberg(bench: Bench) -> None:
    with pytest.raises(ApiError, match="Parameter 'icebergQty' sent when not required"):
        bench.order(bench.alice, "SELL", "MARKET", quantity="1", icebergQty="0.5")


def test_so_many_icebergs_may_stand_on_a_market(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="6")
    for _order in range(5):
        bench.order(bench.alice, "SELL", price="100", quantity="1", icebergQty="0.5")
    with pytest.raises(ApiError, match="Filter failure: MAX_NUM_ICEBERG_ORDERS"):
        bench.order(bench.alice, "SELL", price="100", quantity="1", icebergQty="0.5")
