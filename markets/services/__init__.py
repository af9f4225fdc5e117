"""The only writer of markets: the catalogue as the venue lists it, candles as it made them."""

from markets.services.cataloguing import decide_listing, ensure_asset, store_catalogue, synchronise_catalogue
from markets.services.charting import MOST_CANDLES, candles, store_candles

__all__ = [
    "MOST_CANDLES",
    "candles",
    "decide_listing",
    "ensure_asset",
    "store_candles",
    "store_catalogue",
    "synchronise_catalogue",
]
