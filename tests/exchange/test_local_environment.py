"""Which process finds which settings: computed without starting anything."""

import json
import stat
from pathlib import Path

import pytest

from exchange.local.environment import VENUE_ADDRESSES, Environment, read_environment, wanted_port
from exchange.local.places import CannotStart, installation_secrets, logins
from exchange.local.suite import with_database, with_number

WITHDRAW = "BINANCE_WITHDRAW_API_KEY"


def environment(state: Path, **given: str) -> Environment:
    return read_environment({"PATH": "/usr/bin", **given}, state=state, port=8000)


def test_a_paper_site_points_every_process_at_its_own_venue(tmp_path: Path) -> None:
    found = environment(tmp_path).of("executions")
    port = found["PAPER_PORT"]
    assert found["VENUE"] == "paper"
    assert found["BINANCE_REST_URL"] == found["BINANCE_SAPI_URL"] == f"http://127.0.0.1:{port}"
    assert found["BINANCE_STREAM_URL"] == f"ws://127.0.0.1:{port}"
    assert found["BINANCE_WS_API_URL"] == f"ws://127.0.0.1:{port}/ws-api/v3"


def test_the_paper_venue_knows_the_keys_the_processes_sign_with(tmp_path: Path) -> None:
    made = environment(tmp_path)
    file = Path(made.common["PAPER_KEYS"])
    keys = json.loads(file.read_text())
    assert keys["trade"] == {
        "key": made.of("web")["BINANCE_API_KEY"],
        "secret": made.of("web")["BINANCE_API_SECRET"],
    }
    assert keys["withdraw"]["key"] == made.of("payouts")[WITHDRAW]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "process", ["web", "worker", "beat", "markets", "executions", "paper", "prepare", "demo"]
)
def test_no_process_but_payouts_is_given_the_withdrawal_key(tmp_path: Path, process: str) -> None:
    assert WITHDRAW not in environment(tmp_path, **{WITHDRAW: "given"}).of(process)


@pytest.mark.parametrize("process", ["web", "worker", "payouts", "manage"])
def test_no_process_but_prepare_is_given_the_owner(tmp_path: Path, process: str) -> None:
    made = environment(tmp_path, DATABASE_URL="postgresql://a@h/x", DATABASE_OWNER_URL="postgresql://o@h/x")
    assert "DATABASE_OWNER_URL" not in made.of(process)
    assert made.of("prepare")["DATABASE_OWNER_URL"] == "postgresql://o@h/x"


def test_a_venue_that_was_named_gets_no_paper_venue_beside_it(tmp_path: Path) -> None:
    made = environment(tmp_path, VENUE="testnet", BINANCE_API_KEY="mine", BINANCE_WITHDRAW_API_KEY="deep")
    assert made.paper_address is None
    assert made.of("web")["BINANCE_API_KEY"] == "mine"
    assert made.of("payouts")[WITHDRAW] == "deep"


def test_a_paper_venue_elsewhere_is_used_as_it_is(tmp_path: Path) -> None:
    own = dict.fromkeys(VENUE_ADDRESSES, "http://127.0.0.1:9100")
    made = environment(tmp_path, **own)
    assert made.paper_address is None
    assert made.of("web").items() >= own.items()


def test_real_keys_never_reach_the_paper_venue(tmp_path: Path) -> None:
    found = environment(tmp_path, BINANCE_API_KEY="real", BINANCE_PRIVATE_KEY_FILE="/real").of("web")
    assert found["BINANCE_API_KEY"] != "real"
    assert "BINANCE_PRIVATE_KEY_FILE" not in found


def test_an_empty_variable_counts_as_none(tmp_path: Path) -> None:
    made = environment(tmp_path, DATABASE_URL="", REDIS_URL=" ", VENUE="")
    assert made.needs_postgres
    assert made.needs_redis
    assert made.of("web")["VENUE"] == "paper"


def test_a_secret_key_that_was_given_is_used(tmp_path: Path) -> None:
    assert environment(tmp_path, SECRET_KEY="given").of("web")["SECRET_KEY"] == "given"


@pytest.mark.parametrize(
    ("venue", "note"), [("paper", "verified, and funded at the paper venue"), ("testnet", "verified")]
)
def test_the_greeting_says_that_alice_is_funded_where_she_is(tmp_path: Path, venue: str, note: str) -> None:
    known = installation_secrets(tmp_path)
    mail, password, said = logins(known, venue=venue)[0].split(maxsplit=2)
    assert (mail, password, said) == ("alice@example.com", known["DEMO_PASSWORD_ALICE"], note)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80a", "８０００"])
def test_an_odd_port_is_refused(text: str) -> None:
    with pytest.raises(CannotStart):
        wanted_port({"PORT": text})


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("unix:///run/x/valkey.sock?db=1", "unix:///run/x/valkey.sock?db=4"),
        ("redis://:secret@host:6379", "redis://:secret@host:6379/3"),
        ("rediss://host:6379/2?timeout=1", "rediss://host:6379/5?timeout=1"),
    ],
)
def test_workers_get_redis_databases_of_their_own(url: str, moved: str) -> None:
    assert with_number(url, 3) == moved


def test_another_database_of_the_same_server_keeps_the_socket() -> None:
    assert with_database("postgresql://app@/one?host=/run/x", "two") == "postgresql://app@/two?host=/run/x"
