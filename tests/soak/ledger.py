"""`make soak-ledger SECONDS_=600`: every kind of transfer from several processes, against an auditor, for a long time.

SEED=… repeats a run's choices; WORKERS=… says how many processes. The last line is one JSON object.
"""

import os
import subprocess
import sys

from exchange.local import suite
from tests.verdict import verdict


def main() -> int:
    seconds, workers = os.environ.get("SECONDS_", "600"), os.environ.get("WORKERS", "4")
    command = [sys.executable, "-m", "tests.soak.crowd", "--cuts", "--seconds", seconds, "--workers", workers]
    if seed := os.environ.get("SEED"):
        command += ["--seed", seed]
    with suite.serving_tests(os.environ):
        suite.enter_worker(os.environ, "gw0")
        suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(verdict(main, soak="ledger"))
