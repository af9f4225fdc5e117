"""What both scenarios of ccxt share: where the venue is, and the orders that wait."""

from typing import Any

from tests.exchange.clients.conftest import Place

BTC = "BTC/USDT"
RESTING: list[tuple[str, str, dict[str, Any], str]] = [
    ("limit", "sell", {"postOnly": True}, "LIMIT_MAKER"),
    ("limit", "sell", {"icebergAmount": 0.01}, "LIMIT"),
    ("limit", "sell", {"stopLossPrice": 60000}, "STOP_LOSS_LIMIT"),
    ("limit", "buy", {"takeProfitPrice": 60000}, "TAKE_PROFIT_LIMIT"),
    ("market", "sell", {"stopLossPrice": 60000}, "STOP_LOSS"),
    ("market", "sell", {"takeProfitPrice": 120000}, "TAKE_PROFIT"),
    ("market", "sell", {"trailingPercent": 1, "stopLossOrTakeProfit": "stopLoss"}, "STOP_LOSS"),
    ("limit", "buy", {"trailingPercent": 0.5, "stopLossOrTakeProfit": "takeProfit"}, "TAKE_PROFIT_LIMIT"),
]


def addresses(place: Place) -> dict[str, str]:
    """What its table of addresses is told: the spot paths, and the wallet's of every version."""
    plain = dict.fromkeys(("public", "private", "v1"), f"{place.url}/api/v3")
    wallet = {f"sapi{suffix}": f"{place.url}/sapi/v{suffix[1:] or 1}" for suffix in ("", "V2", "V3", "V4")}
    return plain | wallet
