"""What settings make of an environment: complete ones load, missing and odd ones end with one sentence, status 2."""

import os
import runpy
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
import structlog

from exchange.local.places import CHECKOUT

Load = Callable[..., dict[str, Any]]
SECRET = "0123456789-abcdefghijklmnopqrstuvwxyz-0123456789-made-for-this-test"
NEEDED = {
    "SECRET_KEY": SECRET,
    "DATABASE_URL": "postgresql://app:word@db.example:5432/causeway",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}


@pytest.fixture
def load() -> Iterator[Load]:
    """Reads the settings of an environment that holds nothing else."""
    logs = structlog.get_config()

    def read(**given: str) -> dict[str, Any]:
        with patch.dict(os.environ, {**NEEDED, **given}, clear=True):
            return runpy.run_path(str(CHECKOUT / "exchange" / "settings.py"))

    yield read
    structlog.configure(**logs)


def example() -> dict[str, str]:
    """The variables of .env.example, as a process finds them."""
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_example_with_its_secrets_filled_in_goes_to_the_venue_it_names(load: Load) -> None:
    found = load(**example() | {"SECRET_KEY": SECRET, "BINANCE_API_KEY": "key", "BINANCE_API_SECRET": "word"})
    assert found["VENUE"] == "live"
    assert found["BINANCE_REST_URL"] == found["BINANCE_SAPI_URL"] == "https://api.binance.com"
    assert found["BINANCE_STREAM_URL"] == "wss://stream.binance.com:9443"
    assert found["BINANCE_WS_API_URL"] == "wss://ws-api.binance.com:443/ws-api/v3"


def test_the_example_says_what_holds_without_it(load: Load) -> None:
    plain = load(DATA_DIR="/var/lib/causeway")
    named = {"PRODUCTION", "VENUE", "SITE_URL", "DATABASE_OWNER_URL", "EMAIL_HOST", "DEFAULT_FROM_EMAIL"}
    named |= {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "TRUSTED_PROXIES", "ALLOWED_HOSTS"}
    found = load(**{name: value for name, value in example().items() if name not in named and value})
    assert {name for name, value in plain.items() if name in example() and found[name] != value} == {
        "CSRF_TRUSTED_ORIGINS", "SECURE_TLS"
    }  # fmt: skip


def test_an_empty_variable_is_one_that_was_not_given(load: Load) -> None:
    given = {name: "" for name in example() if name not in NEEDED}
    empty, plain = load(**given), load()
    assert {name for name in given if name in plain and empty[name] != plain[name]} == set()
