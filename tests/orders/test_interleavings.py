"""Facts about orders in any order: COUNT seeded interleavings from SEED on, the books balanced after each."""

import os
from collections import Counter
from collections.abc import Callable

from markets.models import Market
from tests.factories import venue_account
from tests.orders.interleaving import play
from tests.venue import Venue

SEED, COUNT = int(os.environ.get("SEED", "5000")), int(os.environ.get("COUNT", "80"))


def test_the_books_are_right_whatever_happens_in_whatever_order(
    market: Market, venue: Venue, figure: Callable[[str], None]
) -> None:
    venue_account()
    done: Counter[str] = Counter()
    for seed in range(SEED, SEED + COUNT):
        done += play(venue, seed)
    assert done["trades"] > COUNT
    figure(
        f"{COUNT} interleavings from seed {SEED}: "
        + ", ".join(f"{count} × {act}" for act, count in sorted(done.items()))
    )
