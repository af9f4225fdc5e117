"""A venue on a port with money in its account, for clients that know nothing else of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from exchange.paper.venue import Venue
from tests.exchange.paper.people import TRADE, Caller, serving

MARKETS = ("BTCUSDT", "ETHUSDT", "ETHBTC", "BNBUSDT")
CASHIER = "cashierkey" * 6
TRON = "T" + "1" * 33


@dataclass(frozen=True)
class Place:
    """Where the venue is, who may do what there, and its control door."""

    url: str
    key: str
    secret: str
    cashier: str
    private_key: str  # of the cashier, who may withdraw
    door: Caller

    @property
    def stream_url(self) -> str:
        return self.url.replace("http", "ws")


@pytest.fixture
def place() -> Iterator[Place]:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    keys = {"trade": TRADE, "withdraw": {"key": CASHIER, "public_key": public}}
    venue = Venue(None, keys, pace=0.1, levels=60, deepest=400, routed=True, symbols=MARKETS)
    with serving(venue) as url:
        door = Caller(url)
        door.deposit("USDT", "50000")
        door.deposit("BTC", "2")
        yield Place(url, TRADE["key"], TRADE["secret"], CASHIER, pem, door)
