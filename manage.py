#!/usr/bin/env python
"""Causeway's command line."""

import os
import secrets
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")
    if sys.argv[1:2] == ["paper"]:  # the simulated venue runs alone: it has no use for any of these
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")
        os.environ.setdefault("REDIS_URL", "redis://localhost/0")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
