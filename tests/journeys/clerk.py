"""Carries out manage.py commands in one process, for starting Django takes longer than most of them.

A line of JSON gives a command's words; a line of JSON answers with its exit status and everything it said.
"""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    from django.core.management import execute_from_command_line
    from django.db import connections

    for line in sys.stdin:
        said, status = io.StringIO(), 0
        with redirect_stdout(said), redirect_stderr(said):
            try:
                execute_from_command_line(["manage.py", *json.loads(line)])
            except SystemExit as end:
                status = int(end.code or 0)
        connections.close_all()
        print(json.dumps([status, said.getvalue()]), flush=True)


if __name__ == "__main__":
    main()
