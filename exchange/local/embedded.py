"""The embedded servers a run needs, answering under a supervisor while it lasts."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from exchange.local import places
from exchange.local.servers import APP_ROLE, OWNER_ROLE, Postgres, Valkey, binaries
from exchange.local.supervisor import Supervisor, Unit

AS_IT_IS: Mapping[str, str] = {}


@dataclass
class Addresses:
    """Where the embedded servers answer; empty for one that was not wanted."""

    app: str = ""
    owner: str = ""
    redis: str = ""


@contextlib.contextmanager
def embedded_servers(
    supervisor: Supervisor,
    *,
    state: Path,
    postgres: bool,
    valkey: bool,
    settings: Mapping[str, str] = AS_IT_IS,
) -> Iterator[Addresses]:
    """The wanted servers answer; at the end all processes under the supervisor are gone, the servers last.

    The settings are PostgreSQL's own, beside or in place of ours.
    """
    addresses = Addresses()
    with contextlib.ExitStack() as stack:
        user = places.server_user()
        sockets = stack.enter_context(places.run_folder(state, user))
        programs = binaries(state, user)
        stack.callback(supervisor.stop)
        if postgres:
            database = Postgres(state=state, sockets=sockets, user=user, programs=programs, settings=settings)
            _start(supervisor, database)
            database.make_roles()
            addresses.app, addresses.owner = database.address(APP_ROLE), database.address(OWNER_ROLE)
        if valkey:
            store = Valkey(state=state, sockets=sockets, user=user, programs=programs)
            _start(supervisor, store)
            addresses.redis = store.address()
        yield addresses


def _start(supervisor: Supervisor, server: Postgres | Valkey) -> None:
    process = server.start()
    unit = Unit(server.name, server.start, stop_signal=server.stop_signal, is_server=True)
    supervisor.adopt(unit, process)
    server.require_ready(process, is_unwanted=lambda: supervisor.is_stopping)
