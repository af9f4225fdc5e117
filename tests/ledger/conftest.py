"""A venue with one coin on one network, alice who has an address there, and alice with money and a second factor."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import override_settings

from accounts.models import User
from ledger import services as ledger
from ledger.models import LedgerException, Network
from markets.models import Asset
from tests.factories import fund, make_user, publish_ticker, venue_account
from tests.ledger.money import CONFIG, HISTORY, TRANSFER
from tests.ledger.runs import holds, twice
from tests.venue import Body, Venue


@pytest.fixture
def network(db: None, venue: Venue) -> Network:
    return open_network(venue)


def open_network(venue: Venue) -> Network:
    Asset.objects.create(code="USDT")
    venue_account()
    venue.on("GET", "/sapi/v1/capital/config/getall", (200, CONFIG))
    venue.on("GET", HISTORY, (200, []))
    carries_transfers(venue)
    assert ledger.synchronise_networks() == 1
    return Network.objects.get()


def carries_transfers(venue: Venue) -> None:
    """Every transfer between its accounts succeeds at once."""
    taken: list[str] = []

    def take(asked: Body) -> Any:
        taken.append(asked["clientTranId"])
        return 200, {"tranId": 1, "clientTranId": asked["clientTranId"]}

    def tell(asked: Body) -> Any:
        found = [{"tranId": 1, "status": "SUCCESS"}] if asked["clientTranId"] in taken else []
        return 200, {"result": found, "totalCount": len(found)}

    venue.on("POST", TRANSFER, take)
    venue.on("GET", TRANSFER, tell)


@pytest.fixture
def depositor(network: Network, venue: Venue) -> User:
    gives_addresses(venue)
    return make_user()


def gives_addresses(venue: Venue) -> None:
    venue.on("POST", "/sapi/v1/sub-account/virtualSubAccount", (200, {"email": "alice@sub.example"}))
    address = {"coin": "USDT", "address": "T-alice", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/subAddress", (200, address))


@pytest.fixture
def rich(depositor: User, venue: Venue) -> Iterator[User]:
    """alice with 1,000 USDT and a second factor, in the process that may send."""
    with override_settings(**SENDER):
        yield enrich(depositor)


SENDER = {"BINANCE_WITHDRAW_API_KEY": "withdraw", "BINANCE_WITHDRAW_API_SECRET": "secret"}


def enrich(user: User, amount: str = "1000") -> User:
    fund(user, "USDT", amount)
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    return user


@pytest.fixture
def really_rich(committed_db: str, venue: Venue) -> Iterator[User]:
    """The same in a database where everything is committed: other sessions see it."""
    open_network(venue)
    with override_settings(**SENDER):
        yield enrich(make_user(), "30000")


@pytest.fixture
def funded(rich: User) -> User:
    """alice with 1,000 USDT and 1 BTC, which is worth 40,000."""
    fund(rich, "BTC", "1")
    publish_ticker("BTCUSDT", "40000")
    return rich


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol", is_staff=True, is_superuser=True)


@pytest.fixture
def dave(db: None) -> User:
    return make_user("dave", is_staff=True, is_superuser=True)


@pytest.fixture
def big_difference(funded: User, carol: User, venue: Venue) -> LedgerException:
    """Half a bitcoin is missing at the venue."""
    holds(venue, USDT="1000", BTC="0.5")
    twice()
    return LedgerException.objects.get()
