"""`manage.py paper --port N`: the simulated venue alone, for this platform or any Binance client."""

import errno
import socket
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

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
            "--replay", default="", help="FILE or FILE:SPEED, a recorded session to send again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        listening = self.listen(options["port"])
        folder = options["data_dir"] or Path(settings.DATA_DIR) / "paper"
        venue = Venue(folder, keys_from(options["keys"]) if options["keys"] else None)
        if not options["keys"]:
            for key in venue.keys.values():
                rights = "withdraw" if key.can_withdraw else "trade"
                self.stdout.write(f"{rights} key {key.key} secret {key.secret}")
        replay = self.replay(options["replay"])
        self.stdout.write(f"paper venue ready on http://127.0.0.1:{listening.getsockname()[1]}")
        self.stdout.flush()
        serve(venue, listening, replay)

    @staticmethod
    def listen(port: int) -> socket.socket:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            why = "is taken by another program" if error.errno == errno.EADDRINUSE else str(error)
            raise CommandError(f"127.0.0.1:{port} {why}.", returncode=2) from error
        return listening

    @staticmethod
    def replay(wanted: str) -> Replay | None:
        if not wanted:
            return None
        name, _, speed = wanted.partition(":")
        if not Path(name).is_file():
            raise CommandError(f"there is no recording {name}.", returncode=2)
        return Replay(Path(name), float(speed or 1))
