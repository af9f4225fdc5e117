"""A race is run by real processes in the database of its test, and what goes wrong in one is told and is no other's."""

import os
import signal

import pytest
from django.db import connection

from tests.factories import make_user
from tests.race import Runner, race


def look(runner: Runner) -> tuple[int, list[str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM accounts_user")
        return os.getpid(), [email for (email,) in cursor.fetchall()]


def stumble(runner: Runner) -> int:
    return 1 // runner.number


def end_the_judge(runner: Runner) -> None:
    os.kill(os.getppid(), signal.SIGKILL)


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_runners_are_processes_that_see_what_their_test_committed(committed_db: str, name: str) -> None:
    make_user(name)
    told = race(look, 3)
    assert [emails for _pid, emails in told] == [[f"{name}@example.com"]] * 3
    assert len({pid for pid, _emails in told} | {os.getpid()}) == 4


def test_a_race_that_is_not_judged_fails_and_the_next_one_is_run(committed_db: str) -> None:
    with pytest.raises(AssertionError, match=r"no result of .*end_the_judge"):
        race(end_the_judge, 1)
    assert race(stumble, 2) == ["ZeroDivisionError", 1]
