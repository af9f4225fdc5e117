"""A site of small shell processes under the real launcher, for tests that kill and stop things.

python -m tests.exchange.toy_site PROCFILE
"""

import os
import sys
from functools import partial
from pathlib import Path

from exchange.local import places
from exchange.local.__main__ import refusing
from exchange.local.environment import read_environment, require_free, wanted_port
from exchange.local.run import run_processes, servers
from exchange.local.supervisor import MakeWatch, Supervisor, standard_output


def main(procfile: Path) -> int:
    port = wanted_port(os.environ)
    state = places.state_folder()
    with places.locked(state):
        require_free(port)
        environment = read_environment(os.environ, state=state, port=port)
        supervisor = Supervisor(standard_output(), MakeWatch())
        with supervisor.signals(), servers(supervisor, environment, state=state):
            run_processes(supervisor, environment, procfile=procfile)
            supervisor.terminal.say("toy", "ready " + environment.common["DATABASE_URL"])
            while not supervisor.is_stopping:
                supervisor.step()
    return 0


if __name__ == "__main__":
    sys.exit(refusing(partial(main, Path(sys.argv[1]))))
