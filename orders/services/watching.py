"""A stream that pings and says nothing is as good as none: what else is known of our orders shows it."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from exchange.binance.models import Report
from exchange.gate.models import VenueAccount
from orders import queries, rules
from orders.errors import LOST
from orders.models import Status

# Reports of orders whose rows were not looked at yet; those of nobody's orders push each other out.
MOST_EARLY = 10_000


@dataclass
class Told:
    """How far the stream has told of an order; `behind_since` while something else is known to be further."""

    quantity: Decimal = Decimal(0)
    is_closed: bool = False
    behind_since: float | None = None

    def hear(self, quantity: Decimal, status: str) -> None:
        self.quantity = max(self.quantity, quantity)
        self.is_closed = self.is_closed or rules.is_closed(status)

    def is_behind(self, quantity: Decimal, status: str, reason_code: str) -> bool:
        """Trades and ends count. That an order rests is not always told (the later ones of a list), and what the
        venue refused never is; nor is the end of what was taken for gone here."""
        if status == Status.REJECTED:
            return False
        is_end_told = rules.is_closed(status) and reason_code != LOST.code
        return quantity > self.quantity or (is_end_told and not self.is_closed)


class Watch:
    """What the account's stream has told of our orders since it was subscribed, against what the books know of them.

    The venue answers and tells the stream of the same fact; an order that moved here, by an answer or a question, and
    of which the stream says nothing for STREAM_MISSING_SECONDS shows that the stream is deaf.
    """

    def __init__(self, account: VenueAccount) -> None:
        self._account, self._after = account, 0
        self._watched: dict[int, Told] = {}
        self._numbers: dict[str, int] = {}
        self._early: OrderedDict[str, Told] = OrderedDict()

    def begin(self) -> None:
        """What is known now counts as told: it was just asked for."""
        self._watched, self._numbers = {}, {}
        unfinished = queries.unfinished_venue_orders().filter(venue_account=self._account)
        ids = list(unfinished.values_list("pk", flat=True))
        self._after = max(queries.newest_venue_order(), *ids, 0)
        for number, name, status, quantity, _reason in queries.venue_order_states(
            self._account.pk, ids=ids, after=self._after
        ):
            self._told(number, name).hear(quantity, status)

    def hear(self, report: Report) -> None:
        name = report.client_order_id
        if number := self._numbers.get(name):
            told = self._watched[number]
        else:
            told = self._early.setdefault(name, Told())
            while len(self._early) > MOST_EARLY:
                self._early.popitem(last=False)
        told.hear(report.cumulative_quantity, report.status)

    def doubt(self) -> str:
        """Why the stream is not to be trusted; empty while it tells what it should."""
        now, missing = time.monotonic(), 0
        for number, name, status, quantity, reason in queries.venue_order_states(
            self._account.pk, ids=self._watched.keys(), after=self._after
        ):
            self._after = max(self._after, number)
            told = self._told(number, name)
            if told.is_behind(quantity, status, reason):
                told.behind_since = told.behind_since or now
                missing += now - told.behind_since > settings.STREAM_MISSING_SECONDS
            elif rules.is_closed(status):
                del self._watched[number], self._numbers[name]
            else:
                told.behind_since = None
        return f"no event told of {missing} orders that moved" if missing else ""

    def _told(self, number: int, name: str) -> Told:
        if number not in self._watched:
            self._watched[number], self._numbers[name] = self._early.pop(name, Told()), number
        return self._watched[number]
