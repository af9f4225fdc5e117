"""python -m exchange.local run | test [pytest arguments] | check | manage COMMAND ..."""

import sys
from collections.abc import Callable

from exchange.local.places import CannotStart

USAGE = "usage: python -m exchange.local run | test [pytest arguments] | check | manage COMMAND [arguments]"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run"]:
            from exchange.local.run import run

            return run()
        case ["test", *rest]:
            from exchange.local.suite import run_suite

            return run_suite(rest)
        case ["check"]:
            from exchange.local.check import run_checks

            return run_checks()
        case ["manage", command, *rest]:
            from exchange.local.run import manage

            return manage([command, *rest])
    print(USAGE, file=sys.stderr)
    return 2


def refusing(start: Callable[[], int]) -> int:
    """The start's exit status; a refusal is one sentence and status 2."""
    try:
        return start()
    except CannotStart as refusal:
        print(f"causeway: {refusal}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(refusing(lambda: main(sys.argv[1:])))
