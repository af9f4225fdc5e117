"""The line to the database breaks, the server ends a session, transactions collide: one transfer, the right answer."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction

from accounts.models import User
from exchange.database import ATTEMPTS, transaction_with_retry
from exchange.errors import Unavailable
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Account, Hold, LedgerException, Transfer
from ledger.services.posting import available, system
from tests.factories import balance, fund, make_market, make_user
from tests.ledger.line import Line
from tests.ledger.test_posting import fill

ORDER = ledger.Cause.ORDER


@pytest.fixture
def alice(committed_db: str) -> User:
    make_market()
    user = make_user()
    fund(user, "USDT", "100")
    return user


@pytest.fixture
def line(alice: User) -> Iterator[Line]:
    """alice's money is in a database at the other end of a line that can break."""
    settings = connections.settings["default"]
    server = {"HOST": settings["HOST"], "PORT": settings["PORT"]}
    with tempfile.TemporaryDirectory(prefix="line-") as folder:
        line = Line(Path(folder), server)
        connection.close()
        settings.update(HOST=folder, PORT="")
        prepare_calls(alice)
        yield line
        connection.close()
        settings.update(server)
        line.close()


def prepare_calls(user: User) -> None:
    """The session has its statements prepared, so that the next thing said is the call itself."""
    fund(user, "BTC", "1")
    ledger.release(cause=ORDER, cause_id=99)


def require_broken(line: Line, said: bytes) -> None:
    """The line broke, and while that was said: the call with its values, not what prepares it."""
    assert line.breaks == "", "the line did not break"
    assert said in line.broke_at, line.broke_at


def pay(user: User, key: str = "1", amount: int = 30) -> ledger.Posted:
    value = Decimal(amount)
    lines = [available(user.pk, "USDT", -value), system(Account.Type.FEES, "USDT", value)]
    return ledger.post(scope="accident", key=key, kind=Transfer.Kind.FEE, lines=lines)


def accidents() -> list[str]:
    return sorted(Transfer.objects.filter(scope="accident").values_list("key", flat=True))


def end_session(owner: psycopg.Connection) -> None:
    """The server ends our session, as an administrator or a restart would."""
    assert connection.connection is not None
    owner.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])


# ------------------------------------------------------------------ lost connections
@pytest.mark.parametrize("where", ["before", "between", "after"])
def test_a_posting_whose_answer_is_lost_is_booked_once_and_answered(
    alice: User, line: Line, where: str
) -> None:
    line.breaks = where
    posted = pay(alice)
    require_broken(line, b"accident")
    assert posted.transfer_id == Transfer.objects.get(scope="accident").pk
    assert pay(alice) == ledger.Posted(posted.transfer_id, is_new=False)
    assert balance(alice, "USDT") == (70, 0)


def test_a_posting_still_at_work_when_the_line_broke_is_waited_for(
    alice: User, line: Line, owner: psycopg.Connection
) -> None:
    """The server goes on with what it was told; who asks again waits behind the key."""
    owner.autocommit = False
    owner.execute("SELECT * FROM ledger_balance FOR UPDATE")
    line.breaks = "between"
    threading.Timer(0.3, owner.commit).start()
    posted = pay(alice)
    require_broken(line, b"accident")
    assert (posted.is_new, accidents()) == (False, ["1"])
    assert balance(alice, "USDT") == (70, 0)


def test_a_session_the_server_ended_before_is_no_matter(alice: User, owner: psycopg.Connection) -> None:
    connection.ensure_connection()
    end_session(owner)
    assert pay(alice).is_new
    assert balance(alice, "USDT") == (70, 0)


def test_a_session_the_server_ends_in_the_middle_books_once(alice: User, owner: psycopg.Connection) -> None:
    strike(owner, "PERFORM pg_terminate_backend(pg_backend_pid())", times=1)
    assert pay(alice).is_new
    assert (accidents(), balance(alice, "USDT")) == (["1"], (70, 0))


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_hold_and_its_release_are_answered_rightly_over_a_broken_line(
    alice: User, line: Line, where: str
) -> None:
    line.breaks = where
    held = ledger.hold(user_id=alice.pk, asset="USDT", amount=Decimal(30), cause=ORDER, cause_id=1)
    require_broken(line, b"ORDER:1")
    assert held == 30
    assert balance(alice, "USDT") == (70, 30)
    prepare_calls(alice)  # once more: the session that had them is lost
    line.breaks = where
    assert ledger.release(cause=ORDER, cause_id=1) == 30
    require_broken(line, b"ORDER")
    assert ledger.release(cause=ORDER, cause_id=1) == 0
    assert balance(alice, "USDT") == (100, 0)


def test_an_uncovered_fill_whose_answer_is_lost_freezes_and_is_put_before_staff(
    alice: User, line: Line
) -> None:
    late = fill(alice, quote_quantity=Decimal(150))
    line.breaks = "after"
    posted = ledger.post_fill(late)
    require_broken(line, late.key.encode())
    assert posted.short == 150 and not posted.is_new
    alice.refresh_from_db()
    assert alice.is_frozen
    assert LedgerException.objects.get().amount == 150
    assert balance(alice, "USDT") == (0, 0)


def test_a_fill_told_again_does_not_freeze_a_customer_who_was_let_go(alice: User) -> None:
    late = fill(alice, quote_quantity=Decimal(150))
    ledger.post_fill(late)
    User.objects.update(is_frozen=False)
    assert ledger.post_fill(late).short == 150
    alice.refresh_from_db()
    assert not alice.is_frozen


def test_a_session_lost_inside_a_larger_transaction_leaves_nothing_of_it(
    alice: User, owner: psycopg.Connection
) -> None:
    @transaction_with_retry
    def both() -> None:
        pay(alice, "first")
        end_session(owner)
        pay(alice, "second")

    with pytest.raises(OperationalError):
        both()
    assert (accidents(), balance(alice, "USDT")) == ([], (100, 0))
    assert pay(alice, "afterwards").is_new


def test_a_larger_transaction_whose_commit_is_lost_can_be_repeated_whole(alice: User, line: Line) -> None:
    def both(breaks: str = "") -> list[bool]:
        with transaction.atomic():
            done = [pay(alice, "first").is_new, pay(alice, "second").is_new]
            line.breaks = breaks  # the next thing said is COMMIT
        return done

    with pytest.raises(OperationalError):
        both(breaks="after")
    require_broken(line, b"COMMIT")
    assert both() == [False, False]
    assert (accidents(), balance(alice, "USDT")) == (["first", "second"], (40, 0))


# ------------------------------------------------------------------ collisions
def strike(owner: psycopg.Connection, act: str, times: int) -> None:
    """So many INSERTs of entries, from now on, end in the act; a sequence counts, which no rollback takes back."""
    owner.execute("DROP SEQUENCE IF EXISTS strikes")
    owner.execute("CREATE SEQUENCE strikes")
    owner.execute("GRANT USAGE ON SEQUENCE strikes TO PUBLIC")
    owner.execute(
        "CREATE OR REPLACE FUNCTION struck() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        f" IF nextval('public.strikes') <= {times} THEN {act}; END IF; RETURN NULL; END $$"
    )
    owner.execute(
        "CREATE OR REPLACE TRIGGER struck AFTER INSERT ON ledger_entry"
        " FOR EACH STATEMENT EXECUTE FUNCTION struck()"
    )


def strikes(owner: psycopg.Connection) -> int:
    row = owner.execute("SELECT last_value FROM strikes").fetchone()
    assert row is not None
    return int(row[0])


def collide(state: str) -> str:
    return f"RAISE EXCEPTION 'collided' USING ERRCODE = '{state}'"


STATES = ["40001", "40P01", "55P03"]
ALWAYS = 1_000_000
Act = Callable[[User, int], Any]


def hold(user: User, number: int) -> Decimal:
    return ledger.hold(user_id=user.pk, asset="USDT", amount=Decimal(10), cause=ORDER, cause_id=number)


@transaction_with_retry
def hold_in_a_larger_transaction(user: User, number: int) -> None:
    LedgerException.objects.create(source="test", key=f"larger {number}")
    hold(user, number)


@pytest.mark.parametrize("act", [hold, hold_in_a_larger_transaction], ids=lambda act: act.__name__)
def test_what_collides_a_few_times_is_done_once_and_what_always_does_is_given_up_whole(
    alice: User, owner: psycopg.Connection, act: Act
) -> None:
    for number, state in enumerate(STATES, start=1):
        strike(owner, collide(state), times=ALWAYS)
        with pytest.raises(Unavailable, match="try again"):
            act(alice, number)
        assert strikes(owner) == ATTEMPTS
        assert Hold.objects.count() == number - 1
        strike(owner, collide(state), times=ATTEMPTS - 1)
        act(alice, number)
        assert strikes(owner) == ATTEMPTS
        assert balance(alice, "USDT") == (100 - 10 * number, 10 * number)
    assert LedgerException.objects.count() == (3 if act is hold_in_a_larger_transaction else 0)
    assert books.first_broken_row() == ""


def test_a_balance_somebody_keeps_locked_is_waited_for_in_bounds(
    alice: User, owner: psycopg.Connection
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '20ms'")
    owner.autocommit = False
    owner.execute("SELECT * FROM ledger_balance FOR UPDATE")
    with pytest.raises(Unavailable):
        hold(alice, 1)
    owner.commit()
    hold(alice, 1)
    assert balance(alice, "USDT") == (90, 10)


def test_an_error_that_will_not_pass_is_not_tried_again(alice: User, owner: psycopg.Connection) -> None:
    strike(owner, collide("53100"), times=ALWAYS)
    with pytest.raises(OperationalError):
        hold(alice, 1)
    assert strikes(owner) == 1
