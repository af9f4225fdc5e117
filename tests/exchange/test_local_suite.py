"""What tests stand on: a database of the worker's own, as the application's role; commits stay inside a test."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import ProgrammingError, connection, connections

from exchange.local import suite
from exchange.local.places import CHECKOUT


def name_of_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_tests_run_as_the_application_and_not_as_the_owner() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (settings.APP_ROLE, False, False)


@pytest.mark.django_db
def test_the_application_cannot_change_the_schema() -> None:
    with (
        pytest.raises(ProgrammingError, match="must be owner"),
        connection.cursor() as cursor,
    ):
        cursor.execute("ALTER TABLE django_session ADD COLUMN more int")


@pytest.mark.django_db
def test_the_application_cannot_rewrite_the_history_of_migrations() -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations")


@pytest.mark.django_db
@pytest.mark.parametrize("time", [1, 2])
def test_an_ordinary_test_is_rolled_back(time: int) -> None:
    assert not ContentType.objects.filter(app_label="trace").exists()
    ContentType.objects.create(app_label="trace", model="trace")


@pytest.mark.parametrize("time", [1, 2])
def test_a_commit_is_seen_by_threads_and_by_no_later_test(committed_db: str, time: int) -> None:
    assert not ContentType.objects.filter(app_label="trace").exists()
    thread = threading.Thread(target=_create_and_close)
    thread.start()
    thread.join()
    assert ContentType.objects.filter(app_label="trace").count() == 1


def _create_and_close() -> None:
    ContentType.objects.create(app_label="trace", model="trace")
    connections.close_all()


def test_a_child_process_finds_the_database_of_a_committing_test(committed_db: str) -> None:
    _create_and_close()
    count = (
        "from django.contrib.contenttypes.models import ContentType;"
        "print(ContentType.objects.filter(app_label='trace').count())"
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", count], capture_output=True, check=True
    )
    assert done.stdout.strip() == b"1"


def test_the_database_of_a_committing_test_is_gone_after_it(request: pytest.FixtureRequest) -> None:
    assert settings.DATABASES["default"]["NAME"] == connection.settings_dict["NAME"]
    assert os.environ["DATABASE_URL"].split("?")[0].endswith(str(connection.settings_dict["NAME"]))


@pytest.mark.django_db
def test_the_owner_stands_beside_in_the_same_database(owner: psycopg.Connection) -> None:
    assert owner.info.dbname == name_of_database()
    assert owner.info.user != settings.APP_ROLE


@pytest.mark.parametrize("time", [1, 2])
def test_the_cache_is_empty_at_first(time: int) -> None:
    assert cache.get("trace") is None
    cache.set("trace", 1)


def test_a_figure_is_printed_at_the_end_of_the_run(tmp_path: Path) -> None:
    """What a test only prints is swallowed by pytest when it passes, and by its worker in any case."""
    (tmp_path / "test_toy.py").write_text("def test_toy(figure):\n    figure('7 hits of a point')\n")
    (tmp_path / "conftest.py").write_text((CHECKOUT / "tests" / "conftest.py").read_text())
    servers = {"DATABASE_URL": suite.APP_URL, "DATABASE_OWNER_URL": suite.OWNER_URL, "REDIS_URL": suite.REDIS}
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "1", "--rootdir", str(tmp_path), str(tmp_path / "test_toy.py"),
         "-c", str(CHECKOUT / "pyproject.toml"), "-p", "no:cacheprovider"],
        cwd=CHECKOUT, env={**alone, **{name: os.environ[given] for name, given in servers.items()}},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "test_toy.py::test_toy: 7 hits of a point" in done.stdout


def test_a_named_place_for_temporary_files_is_where_the_servers_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    assert suite.quick_place() == Path(tempfile.gettempdir())
