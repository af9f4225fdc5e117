"""An installation of an earlier version is brought up to date with its books as they were."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from exchange.local import suite
from exchange.local.places import CHECKOUT

# What the first version had booked: a deposit of 1,000 and 100 of it held, in two transactions.
BOOKED = """
INSERT INTO markets_asset (code, name, scale, max_amount) VALUES ('USDT', '', 8, 10000000000);
INSERT INTO gate_venueaccount (id, name, venue, is_primary, stream_state, created_at)
  VALUES (1, 'primary', 'paper', true, 'DOWN', now());
INSERT INTO ledger_account (id, type, asset_id, owner_id, venue_account_id)
  VALUES (1, 'VENUE', 'USDT', NULL, 1), (2, 'SUSPENSE', 'USDT', NULL, NULL), (3, 'EQUITY', 'USDT', NULL, NULL);
INSERT INTO ledger_transfer (id, scope, key, request_hash, kind, reference, created_at)
  VALUES (1, 'deposit', '1:a', 'h', 'DEPOSIT', 'DEPOSIT:1', now());
INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount)
  VALUES (1, 1, 'USDT', 'S', -1000), (1, 2, 'USDT', 'S', 1000);
"""
LATER = """
INSERT INTO ledger_transfer (id, scope, key, request_hash, kind, reference, created_at)
  VALUES (2, 'deposit', '1:b', 'h', 'DEPOSIT', 'DEPOSIT:2', now());
INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount)
  VALUES (2, 2, 'USDT', 'S', -1), (2, 3, 'USDT', 'S', 1);
CREATE FUNCTION ledger_lock_hold(p_cause text, p_cause_id bigint) RETURNS TABLE (account_id bigint)
  LANGUAGE sql AS 'SELECT 1::bigint';
"""
# Of a deposit that nobody owned, as the first version named it.
DIFFERS = """
INSERT INTO ledger_ledgerexception (source, key, asset_id, amount, detail, created_at, resolution)
  VALUES ('unattributed deposit', 'unattributed:7', 'USDT', 1000, '{}', now(), '');
"""
FIRST = (("accounts", "0001"), ("gate", "0001"), ("office", "0001"), ("ledger", "0002"))


@pytest.fixture
def first_version() -> Iterator[dict[str, str]]:
    """The environment of a database as the first version left it."""
    name = suite.database_name(os.environ, "upgrade")
    owner = suite.with_database(os.environ[suite.OWNER_URL], name)
    with psycopg.connect(suite.with_database(owner, "postgres"), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
    addresses = {
        "DATABASE_URL": suite.with_database(os.environ[suite.APP_URL], name),
        "DATABASE_OWNER_URL": owner,
    }
    environment = {**os.environ, **addresses}
    manage(environment, *(("migrate", *migration, "--database", "owner") for migration in FIRST))
    with psycopg.connect(owner, autocommit=True) as session:
        for statements in (BOOKED, LATER, DIFFERS):
            with session.transaction():
                session.execute(statements)
    yield environment
    suite.drop_database(os.environ, name)


def manage(environment: dict[str, str], *commands: tuple[str, ...]) -> list[str]:
    """What each command says, one after the other in one process."""
    told = "".join(f"{json.dumps(words)}\n" for words in commands)
    clerk = [sys.executable, "-m", "tests.journeys.clerk"]
    done = subprocess.run(
        clerk, cwd=CHECKOUT, env=environment, input=told, capture_output=True, text=True, check=False
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [status for status, _said in answers] == [0] * len(commands), f"{answers}\n{done.stderr}"
    return [said for _status, said in answers]


def test_the_books_of_the_first_version_are_sealed_and_hold(first_version: dict[str, str]) -> None:
    commands = (("prepare",), ("ledger_seal", "--all"), ("ledger_verify",), ("ledger_rebuild", "--check"))
    assert "2 transfers were sealed" in manage(first_version, *commands)[1]
    with psycopg.connect(first_version["DATABASE_OWNER_URL"]) as session:
        assert session.execute("SELECT key FROM ledger_ledgerexception").fetchall() == [("unattributed:7:",)]
