"""The only writer of markets: the catalogue as the venue lists it, candles as it made them."""

from markets.services.cataloguing import decide_listing, ensure_asset, store_catalogue, synchronise_catalogue
from markets.services.charting import MOST_CANDLES, WINDOW, candles, keep_hours
from markets.services.storing import store_candles

__all__ = [
    "MOST_CANDLES",
    "WINDOW",
    "candles",
    "decide_listing",
    "ensure_asset",
    "keep_hours",
    "store_candles",
    "store_catalogue",
    "synchronise_catalogue",
]
