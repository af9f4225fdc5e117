"""From the venue's frames to what is published: local books, tape, tickers, candles."""

from markets.stream.events import STREAMS_A_MARKET, streams_of
from markets.stream.following import Following
from markets.stream.publishing import Publisher
from markets.stream.snapshots import Snapshots

__all__ = ["STREAMS_A_MARKET", "Following", "Publisher", "Snapshots", "streams_of"]
