"""Two orders that cancel each other: what is sent for them, and what the recorded answers about lists say."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from exchange.binance.models import Report
from exchange.binance.rest import Rest
from exchange.binance.sending import PlaceOrder, PlacePair
from exchange.binance.signing import HmacKey

RECORDED = Path(__file__).parents[2] / "data" / "rest" / "binance-net.jsonl"
PAIR = PlacePair(
    "list-1",
    PlaceOrder(
        symbol="BTCUSDT", side="SELL", type="TAKE_PROFIT_LIMIT", client_order_id="above-1", timestamp_ms=5,
        recv_window_ms=5000, time_in_force="GTC", price=Decimal("42000"), stop_price=Decimal("41900"),
        quantity=Decimal("0.50"), iceberg_quantity=Decimal("0.1"),
    ),
    PlaceOrder(
        symbol="BTCUSDT", side="SELL", type="STOP_LOSS", client_order_id="below-1", timestamp_ms=5,
        recv_window_ms=5000, trailing_delta=150, quantity=Decimal("0.50"),
    ),
)  # fmt: skip


def lists() -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return [row["response"] for row in rows if "orderReports" in row["response"]]


def test_each_of_the_two_is_named_by_its_place() -> None:
    with responses.RequestsMock() as mock:
        mock.post("http://venue.test/api/v3/orderList/oco", json=lists()[0])
        told = Rest(base_url="http://venue.test", key=HmacKey("key", "secret")).place_pair(PAIR)
        sent = dict(parse_qsl(urlsplit(str(mock.calls[0].request.url)).query))
    del sent["signature"]
    assert sent == {
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5", "listClientOrderId": "list-1",
        "aboveType": "TAKE_PROFIT_LIMIT", "aboveTimeInForce": "GTC", "abovePrice": "42000",
        "aboveStopPrice": "41900", "aboveIcebergQty": "0.1", "aboveClientOrderId": "above-1",
        "belowType": "STOP_LOSS", "belowTrailingDelta": "150", "belowClientOrderId": "below-1",
        "newOrderRespType": "FULL", "recvWindow": "5000", "timestamp": "5",
    }  # fmt: skip
    assert len(told) == 2


@pytest.mark.parametrize("answer", lists(), ids=lambda answer: answer["listOrderStatus"])
def test_an_answer_about_a_list_tells_of_each_of_its_orders(answer: dict[str, Any]) -> None:
    told = Report.each_of(answer)
    named = {
        row["orderId"]: row.get("origClientOrderId") or row["clientOrderId"] for row in answer["orderReports"]
    }
    assert {report.venue_order_id: report.client_order_id for report in told} == named


def test_any_other_answer_is_about_one_order() -> None:
    row = lists()[0]["orderReports"][0]
    assert Report.each_of(row) == (Report.from_answer(row),)
