"""From the venue's frames to what is published: local books, tape, tickers, candles."""

from markets.stream.events import streams_of
from markets.stream.following import Following
from markets.stream.keeping import CandleKeeper
from markets.stream.publishing import Publisher
from markets.stream.snapshots import Snapshots

__all__ = ["CandleKeeper", "Following", "Publisher", "Snapshots", "streams_of"]
