"""`manage.py paper --port N`: the simulated venue alone, for this platform or any Binance client."""

import errno
import socket
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from exchange.memory import collect_seldom
from exchange.paper.crowd import MOST_MARKETS
from exchange.paper.replay import Replay
from exchange.paper.server import serve
from exchange.paper.venue import Venue, keys_from


class Command(BaseCommand):
    help = "Serve a simulated Binance Spot venue on loopback."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, required=True, help="0 chooses a free one")
        parser.add_argument("--data-dir", type=Path, default=None, help="default: DATA_DIR/paper")
        parser.add_argument("--keys", type=Path, default=None, help="JSON with a trade and a withdraw key")
        parser.add_argument(
            "--replay",
            nargs="+",
            default=[],
            metavar="FILE",
            help="a recorded session to send again: its files, or their folder; FILE:SPEED at the end for another pace,"
            " 0 for as fast as it can be sent",
        )
        parser.add_argument(
            "--replay-now",
            action="store_true",
            help="times of its events become those at which they are sent",
        )
        parser.add_argument(
            "--crowd",
            type=int,
            metavar="N",
            default=settings.PAPER_CROWD,
            help="so many markets more, as busy as real ones, on which nobody can trade; default: PAPER_CROWD",
        )
        parser.add_argument(
            "--sor", action="store_true", help="a second market of bitcoin, and smart order routing over both"
        )
        parser.add_argument(
            "--listen-keys",
            action="store_true",
            default=settings.BINANCE_USER_STREAM == "listen_key",
            help="serve listen keys, which the exchange has no more; default: when BINANCE_USER_STREAM wants them",
        )
        parser.add_argument("--pace", type=float, default=1.0, help="seconds between confirmations")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["crowd"] <= MOST_MARKETS:
            raise CommandError(
                f"--crowd is {options['crowd']}; it must be from 0 to {MOST_MARKETS}.", returncode=2
            )
        keys = read_keys(options["keys"])
        replay = read_replay(options["replay"], is_now=options["replay_now"])
        listening = listen(options["port"])
        folder = options["data_dir"] or Path(settings.DATA_DIR) / "paper"
        venue = Venue(
            folder, keys, replay=replay, crowd=options["crowd"], pace=options["pace"], routed=options["sor"]
        )
        venue.listen_keys.are_served = options["listen_keys"]
        if keys is None:
            for key in venue.keys.values():
                rights = "withdraw" if key.can_withdraw else "trade"
                self.stdout.write(f"{rights} key {key.key} secret {key.secret}")
        collect_seldom()
        serve(venue, listening, ready=lambda: self.tell_ready(listening))

    def tell_ready(self, listening: socket.socket) -> None:
        self.stdout.write(f"paper venue ready on http://127.0.0.1:{listening.getsockname()[1]}")
        self.stdout.flush()


def listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "is taken by another program" if taken else f"cannot be used: {error}"
        raise CommandError(f"127.0.0.1:{port} {why}.", returncode=2) from error
    return listening


def read_keys(file: Path | None) -> dict[str, dict[str, str]] | None:
    if file is None:
        return None
    try:
        return keys_from(file)
    except (OSError, ValueError) as error:
        raise CommandError(f"the keys in {file} cannot be used: {error}.", returncode=2) from error


def read_replay(wanted: list[str], *, is_now: bool = False) -> Replay | None:
    if not wanted:
        return None
    name, colon, speed = wanted[-1].rpartition(":")
    if not colon or not speed.replace(".", "", 1).isdigit():
        name, speed = wanted[-1], "1"
    files = [*map(Path, wanted[:-1]), Path(name)]
    try:
        return Replay(*files, speed=float(speed), is_now=is_now)
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"the recording {name} cannot be used: {error}.", returncode=2) from error
