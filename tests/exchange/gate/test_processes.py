"""Several processes before one venue: what one of them is told all obey."""

from collections import Counter
from collections.abc import Callable

from exchange.gate.models import Ban
from tests.exchange.gate.contests import ask_through_a_ban
from tests.exchange.paper.people import serving
from tests.factories import venue_account
from tests.orders.stage import quiet_venue
from tests.race import race

# What has left before the others can know of a ban is on its way.
ON_THEIR_WAY_MS = 50


def test_four_processes_are_silent_during_a_ban_though_redis_forgets_it(
    committed_db: str, figure: Callable[[str], None]
) -> None:
    venue_account()
    venue = quiet_venue()
    with serving(venue) as url:
        told = race(ask_through_a_ban, 4, url=url, seconds=3.5, ban=0.5, flush=1.2, ban_ms=2000)
    outcomes: Counter[str] = sum((Counter(one) for one in told), Counter())
    inside = list(venue.limits.inside_ms)
    late = [ms for ms in inside if ms > ON_THEIR_WAY_MS]
    figure(
        f"four processes, a ban of 2 s, a flush within: {dict(outcomes)}; on their way {inside}, later {late}"
    )
    assert late == []
    assert len(inside) <= 3
    assert outcomes["answered"] > 100 and outcomes["Banned"] > 400
    assert Ban.objects.exists()
