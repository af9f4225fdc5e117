"""What our orders need at the venue, account by account, so that it can be there before they do."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from exchange.gate import runways
from exchange.gate.runways import Place, Use
from ledger import queries as books
from orders import funds

HOUR = timedelta(hours=1)


def watch_prefunding() -> int:
    """How long what lies in each account lasts is on record, and staff hear of what does not; gives how many."""
    needed: defaultdict[Place, Decimal] = defaultdict(Decimal, funds.unsent_needs())
    hourly = books.venue_outflows(since=timezone.now() - HOUR)
    return runways.judge(
        {place: Use(needed[place], hourly.get(place, Decimal(0))) for place in {*needed, *hourly}}
    )
