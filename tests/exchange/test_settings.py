"""What settings make of an environment: complete ones load, missing and odd ones end with one sentence, status 2."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

import exchange
from exchange.local.check import PRODUCTION
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
        with (
            patch.dict(os.environ, {**NEEDED, **given}, clear=True),
            patch.dict(sys.modules),
            patch.object(exchange, "settings"),
        ):
            for name in [name for name in sys.modules if name.startswith("exchange.settings")]:
                del sys.modules[name]
            return vars(importlib.import_module("exchange.settings"))

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


LOOPBACK = {
    "BINANCE_REST_URL": "http://127.0.0.1:9100",
    "BINANCE_STREAM_URL": "ws://127.0.0.1:9100",
    "BINANCE_WS_API_URL": "ws://127.0.0.1:9100/ws-api/v3",
    "BINANCE_SAPI_URL": "http://127.0.0.1:9100",
}
KEYS = {"BINANCE_API_KEY": "key", "BINANCE_API_SECRET": "word"}
DEEP_KEYS = {"BINANCE_WITHDRAW_API_KEY": "key", "BINANCE_WITHDRAW_API_SECRET": "word"}


@pytest.mark.parametrize("venue", ["paper", "testnet"])
def test_a_venue_of_ones_own_is_named_by_its_four_addresses(load: Load, venue: str) -> None:
    found = load(VENUE=venue, **LOOPBACK, **KEYS)
    assert {name: found[name] for name in LOOPBACK} == LOOPBACK


def test_listen_keys_are_looked_at_ten_times_for_each_renewal(load: Load) -> None:
    looks = [
        load(LISTEN_KEY_RENEW_SECONDS=seconds)["CELERY_BEAT_SCHEDULE"]["renew listen keys"]["schedule"]
        for seconds in ("1800", "30", "5")
    ]
    assert looks == [180, 3, 1]


def refused(load: Load, capsys: pytest.CaptureFixture[str], **given: str) -> str:
    """The sentence that stopped the start."""
    with pytest.raises(SystemExit) as end:
        load(**given)
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("causeway: ")
    assert said.count("\n") == 1
    return said


ODD = {
    "BINANCE_USER_STREAM": ["ws-api", "listenkey", "LISTEN_KEY", "both"],
    "LISTEN_KEY_RENEW_SECONDS": ["0", "3600", "-1", "30m"],
    "DATABASE_URL": [
        "postgresql://h:port/x", "postgresql://h:99999/x", "postgresql://h:0/x", "postgresql://[bad/x",
        "postgresql://h/", "postgresql://h/x?sslmod=on", "postgresql://a b/x", "sqlite:///x", "",
    ],
    "REDIS_URL": [
        "redis://[x", "redis://127.0.0.1:abc/0", "redis://h/x", "unix://?db=x", "unix:///s?db=x", "unix://", "h:1", "",
    ],
    "SITE_URL": ["foo", "https://", "https://h/shop", "ftp://h", "https://a b"],
    "CSRF_TRUSTED_ORIGINS": ["exchange.example", "https://h, https://h/x"],
    "API_RATE_USER": ["foo", "12", "0/min", "5/fortnight", "-1/s"],
    "API_RATE_ANON": ["foo"],
    "SECRET_KEY": ["", "  "],
    "PORT": ["８０００", "65536"],
    "PRODUCTION": ["perhaps"],
    "VENUE": ["binance"],
    "POLL_SECONDS": ["1.5", "0"],
    "REFERENCE_ASSET": ["usdt", "USDT,EUR", "Usdt"],
    "WITHDRAWAL_AUTO_LIMIT": ["1,000", "-1", "1e3", "1.123456789", "NaN"],
    "WITHDRAWAL_TWO_PEOPLE_ABOVE": ["10,000", "0,20000"],
    "TRAVEL_RULE_FROM": ["1,000", "1 000"],
    "WITHDRAWAL_DAY_LIMITS": ["0,10,20000", "20000", "0,,20000"],
    "WITHDRAWAL_MONTH_LIMITS": ["0,10,200000", "200000"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, odd in ODD.items() for value in odd])
def test_an_odd_value_is_refused_by_its_name(
    load: Load, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    assert name in refused(load, capsys, **{name: value})


@pytest.mark.parametrize("name", LOOPBACK)
@pytest.mark.parametrize(
    "odd", ["https://", "wss://", "ftp://h", "https://h:port", "wss://h:99999", "h", "https://h?x=1"]
)
def test_an_odd_address_of_the_venue_is_refused(
    load: Load, capsys: pytest.CaptureFixture[str], name: str, odd: str
) -> None:
    assert name in refused(load, capsys, VENUE="testnet", **{name: odd})


@pytest.mark.parametrize("name", LOOPBACK)
def test_a_paper_venue_elsewhere_has_all_its_addresses(
    load: Load, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert name in refused(load, capsys, **{**LOOPBACK, name: ""})
    assert "give all or none" in refused(load, capsys, **{name: LOOPBACK[name]})


@pytest.mark.parametrize("prefix", ["BINANCE", "BINANCE_WITHDRAW"])
@pytest.mark.parametrize(
    "given",
    [
        {"API_KEY": "key"},
        {"API_SECRET": "word"},
        {"PRIVATE_KEY_FILE": "good.pem"},
        {"API_KEY": "key", "PRIVATE_KEY_FILE": "missing.pem"},
        {"API_KEY": "key", "PRIVATE_KEY_FILE": "text.pem"},
        {"API_KEY": "key", "PRIVATE_KEY_FILE": "rsa.pem"},
        {"API_KEY": "key", "PRIVATE_KEY_FILE": "locked.pem"},
        {"API_KEY": "key", "PRIVATE_KEY_FILE": "."},
        {"API_KEY": "key", "API_SECRET": "word", "PRIVATE_KEY_FILE": "good.pem"},
        {"API_KEY": "ключ", "API_SECRET": "word"},
    ],
    ids=lambda given: " ".join(given.values()),
)
def test_a_key_that_could_not_sign_is_refused(
    load: Load, capsys: pytest.CaptureFixture[str], key_files: Path, prefix: str, given: dict[str, str]
) -> None:
    named = {f"{prefix}_{name}": value for name, value in given.items()}
    if file := named.get(f"{prefix}_PRIVATE_KEY_FILE"):
        named[f"{prefix}_PRIVATE_KEY_FILE"] = str(key_files / file)
    assert prefix in refused(load, capsys, CAUSEWAY_PROCESS="payouts", **named)


@pytest.fixture(scope="module")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key that signs, and files that do not hold one."""
    folder = tmp_path_factory.mktemp("keys")
    mine, locked = NoEncryption(), BestAvailableEncryption(b"word")
    for name, key, lock in (
        ("good", Ed25519PrivateKey.generate(), mine),
        ("locked", Ed25519PrivateKey.generate(), locked),
        ("rsa", rsa.generate_private_key(65537, 2048), mine),
    ):
        (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    (folder / "text.pem").write_text("not a key")
    return folder


def test_a_key_file_that_signs_is_taken(load: Load, key_files: Path) -> None:
    file = str(key_files / "good.pem")
    assert load(BINANCE_API_KEY="key", BINANCE_PRIVATE_KEY_FILE=file)["BINANCE_PRIVATE_KEY_FILE"] == file


@pytest.mark.parametrize("name", DEEP_KEYS)
def test_no_part_of_the_withdrawal_key_is_in_another_process(
    load: Load, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert "only the payouts process" in refused(load, capsys, CAUSEWAY_PROCESS="web", **{name: "word"})


# ------------------------------------------------------------------ what keys are sealed under
def test_secrets_of_keys_are_given_by_themselves_or_in_a_file_and_are_long(
    load: Load, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good, short, empty = tmp_path / "good", tmp_path / "short", tmp_path / "empty"
    good.write_text(f"{SECRET}\n{SECRET[::-1]}\n")
    short.write_text(f"{SECRET}\nguess me\n")
    empty.touch()
    given, file = "VENUE_KEYS_SECRET", "VENUE_KEYS_SECRET_FILE"
    assert load(**{given: f"{SECRET},{SECRET[::-1]}"})[given] and load(**{file: str(good)})[file]
    for odd in (
        {given: "guess me"},
        {given: SECRET, file: str(good)},
        {file: str(short)},
        {file: str(empty)},
        {file: str(tmp_path / "missing")},
    ):
        said = refused(load, capsys, **odd)
        assert "VENUE_KEYS_SECRET" in said and "guess me" not in said


def test_production_begins_with_keys_that_are_sealed_in_the_database(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = {**PRODUCTION, **NEEDED, "VENUE": "live"}
    assert "BINANCE_API_KEY is missing" in refused(load, capsys, **bare)
    assert load(**bare, VENUE_KEYS_SECRET=SECRET)["PRODUCTION"]


# ------------------------------------------------------------------ production
DEPLOYED = {**PRODUCTION, **NEEDED, **KEYS}


@pytest.mark.parametrize("name", LOOPBACK)
@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1", "127.0.0.1.evil.example", "localhost.example"])
def test_production_speaks_in_clear_to_no_venue_outside(
    load: Load, capsys: pytest.CaptureFixture[str], name: str, host: str
) -> None:
    url = LOOPBACK[name].replace("127.0.0.1", host)
    assert name in refused(load, capsys, **DEPLOYED, VENUE="testnet", **{name: url})


@pytest.mark.parametrize("name", LOOPBACK)
def test_production_speaks_in_clear_to_nobody_about_real_money(
    load: Load, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert name in refused(load, capsys, **DEPLOYED, VENUE="live", **{name: LOOPBACK[name]})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_production_speaks_to_a_venue_on_the_same_machine(load: Load, host: str) -> None:
    own = {name: url.replace("127.0.0.1", host) for name, url in LOOPBACK.items()}
    assert load(**DEPLOYED, VENUE="testnet", **own)["BINANCE_REST_URL"] == own["BINANCE_REST_URL"]


def test_production_begins_no_payouts_that_could_send_nothing(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    live = {**DEPLOYED, "VENUE": "live", "CAUSEWAY_PROCESS": "payouts"}
    assert "BINANCE_WITHDRAW_API_KEY is missing" in refused(load, capsys, **live)
    assert load(**live, **DEEP_KEYS)["PRODUCTION"]
