"""The two sites on the two server programs, started as the product starts its own."""

import os
import re
import resource
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from exchange.local.environment import free_port
from exchange.local.places import CHECKOUT
from exchange.local.processes import spawn

PEER = "tests.bench.fanout.peer:application"
UVICORN = (
    "uvicorn --loop uvloop --no-access-log --log-level warning --host 127.0.0.1 --port ${PORT} --backlog 4096"
)
# What the crowd and the visitors call the site.
HOST = "testserver"
READY_SECONDS = 60
MOST_FILES = 12_000


@dataclass
class Site:
    """One server process."""

    name: str
    audience: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start(name: str, *, environment: dict[str, str]) -> Site:
    """ "daphne", "uvicorn": the product; "daphne group", "uvicorn group": the textbook's site."""
    program, _space, group = name.partition(" ")
    port = free_port()
    command = daphne() if program == "daphne" else f"python -m {UVICORN} exchange.asgi:application"
    if group:
        command = command.replace("exchange.asgi:application", PEER)
    environment = {
        **environment,
        "PORT": str(port),
        "ALLOWED_HOSTS": HOST,
        "PATH": f"{os.path.dirname(sys.executable)}:{environment['PATH']}",
    }
    words = ["/bin/sh", "-c", f"exec {command}"]
    process = spawn(words, env=environment, cwd=CHECKOUT, output=sys.stderr)
    site = Site(name, "group" if group else "feed", port, process)
    wait_ready(site)
    return site


def daphne() -> str:
    """The web process's line in the Procfile."""
    return re.findall(r"^web: (.*)$", (CHECKOUT / "Procfile").read_text(), re.MULTILINE)[0]


def wait_ready(site: Site) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if site.process.poll() is not None:
            raise SystemExit(f"{site.name} ended with status {site.process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", site.port), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{site.name} does not answer")


def allow_many_files() -> None:
    """Each socket is a file, in the server and in the crowd."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MOST_FILES:
        raise SystemExit(f"a process may open {hard} files here; this needs {MOST_FILES}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, hard))
