"""`make bench-books`: a market's book against the plain one and four others, raw frames in, the same frames for all.

Ours is what the markets process does with a frame: it reads it, checks every text, follows the rule, applies the
levels, looks whether the book is crossed or too shallow, and notes what is to be published.
"""

import logging
import os
import sys
from importlib.util import find_spec

import structlog

from exchange.local.check import ADDRESSES
from tests.verdict import verdict

ROUNDS = int(os.environ.get("ROUNDS", "7"))
FRAMES = int(os.environ.get("FRAMES", "2000"))
SEED = int(os.environ.get("SEED", "1"))
PEERS = ("order_book", "binance", "cryptofeed", "ccxt")


def main() -> int:
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}; `make bench-books` makes .venv-peers")
    silence()
    os.environ.update({**ADDRESSES, "VENUE": "paper", "DJANGO_SETTINGS_MODULE": "exchange.settings"})
    from markets.stream.following import DEEP
    from tests.bench.book_rounds import OURS, Bench

    print(f"{DEEP} levels a side, as the markets process keeps them:\n")
    Bench(rounds=ROUNDS, frames=FRAMES, seed=SEED, depth=DEEP, names=(OURS,)).play()
    print("\nThe deepest book that the venue gives:\n")
    return Bench(rounds=ROUNDS, frames=FRAMES, seed=SEED).run()


def silence() -> None:
    """Nobody is told of messages, as in a process that logs warnings only."""
    logging.disable(logging.INFO)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


if __name__ == "__main__":
    sys.exit(verdict(main, bench="books"))
