"""The cast and the things tests need, made through services wherever a service makes them."""

import json
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from exchange.gate import services as gate
from exchange.gate.installing import PRIMARY
from exchange.gate.models import VenueAccount
from exchange.prepared import Given, Prepared
from ledger import services as ledger
from ledger.models import Account, Entry, Transfer
from ledger.services.posting import available, system
from markets import feed
from markets.models import Asset, Market

# Tests with very many connections at once: one after the other, for a server may allow a hundred.
CROWD = pytest.mark.xdist_group("crowd")
FILTERS: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
    {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True, "maxNotional": "9000000.0"},
]


def make_user(name: str = "alice", **fields: Any) -> User:
    """A verified customer, unless the fields say otherwise."""
    return User.objects.create_user(f"{name}@example.com", "a long password", **{"tier": 1, **fields})


def make_assets(*codes: str) -> None:
    """They are known, if they were not."""
    Asset.objects.bulk_create([Asset(code=code) for code in codes], ignore_conflicts=True)


def make_market(base: str = "BTC", quote: str = "USDT", *, filters: Any = None, **fields: Any) -> Market:
    make_assets(base, quote)
    return Market.objects.create(
        symbol=base + quote,
        base_id=base,
        quote_id=quote,
        filters=FILTERS if filters is None else filters,
        **{"status": "TRADING", "is_listed": True, "allows_quote_quantity": True, **fields},
    )


_PRIMARY = Prepared(lambda: VenueAccount.objects.filter(name=Given("name")))


def venue_account() -> VenueAccount:
    """The account whose keys the settings name, as it is now; many tests ask for it with every report."""
    return _PRIMARY.first(name=PRIMARY) or gate.ensure_primary_account()


def fund(user: User, asset: str, amount: str) -> None:
    """The customer has that much, as if by a deposit."""
    make_assets(asset)
    value = Decimal(amount)
    ledger.post(
        scope="test",
        key=uuid4().hex,
        kind=Transfer.Kind.DEPOSIT,
        lines=[
            system(Account.Type.VENUE, asset, -value, venue_account().pk),
            available(user.pk, asset, value),
        ],
    )


def publish_book(
    symbol: str = "BTCUSDT",
    *,
    bids: Iterable[tuple[str, str]] = (("40000.00", "5"), ("39990.00", "10")),
    asks: Iterable[tuple[str, str]] = (("40010.00", "5"), ("40020.00", "10")),
    state: str = "LIVE",
    age_ms: int = 0,
) -> None:
    """The markets process says so, and that the last trade was between the two best prices."""
    bids, asks = list(bids), list(asks)
    now = time.time_ns() // 1_000_000 - age_ms
    head = {"symbol": symbol, "epoch": 1, "u": 1, "event_ms": now, "published_ms": now, "state": state}
    body = json.dumps({**head, "known": None, "bids": list(bids), "asks": list(asks)})
    alive = json.dumps({"type": "alive", "epoch": 1, "at": now})
    feed.client().mset({feed.book_key(symbol): body, feed.whole_key(symbol): body, feed.ALIVE: alive})
    if bids and asks:
        publish_ticker(symbol, str((Decimal(bids[0][0]) + Decimal(asks[0][0])) / 2), age_s=age_ms // 1000)


def publish_ticker(symbol: str, last: str, *, age_s: int = 0) -> None:
    """The market's last price is known, or was so many seconds ago."""
    rest = dict.fromkeys(("open", "high", "low"), last) | dict.fromkeys(("volume", "quote_volume"), "0")
    as_of_ms = time.time_ns() // 1_000_000 - age_s * 1000
    row = {"symbol": symbol, "last": last, **rest, "change_percent": "0", "as_of_ms": as_of_ms}
    feed.client().hset(feed.TICKERS, symbol, json.dumps(row))


def balance(user: User, asset: str) -> tuple[Any, Any]:
    """Available and held as Decimals, to be compared with plain numbers."""
    from ledger import queries as books

    found = books.balance(user.pk, asset)
    return found.available.normalize(), found.held.normalize()


def held_by_the_house(kind: Account.Type, asset: str) -> Decimal:
    entries = Entry.objects.filter(account__type=kind, asset_id=asset)
    return sum((entry.amount for entry in entries), Decimal(0))
