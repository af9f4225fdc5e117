"""What is left when a soak is over: books and orders against the venue's, and how unknown outcomes were resolved."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from tests.journeys.site import Site

FINAL = "('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED')"
BOOKS = (
    "SELECT e.asset_id, -sum(e.amount) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
    " WHERE a.type IN ('VENUE', 'CUSTODY') GROUP BY 1"
)
# The venue is silent, an end was asked for, a hold is being handed over, an order that could begin or end waits on, or
# one that is open has nothing at the venue.
UNSETTLED = (
    "SELECT o.id, o.status FROM orders_order o WHERE o.finished_at IS NULL"
    " AND (o.status = 'PENDING' OR o.cancel_requested_at IS NOT NULL OR o.extra_hold IS NOT NULL"
    " OR (o.status = 'WAITING' AND EXISTS (SELECT FROM orders_order w WHERE w.order_list_id = o.order_list_id"
    " AND w.leg = 'WORKING' AND w.finished_at IS NOT NULL))"
    " OR (o.status <> 'WAITING' AND NOT EXISTS (SELECT FROM orders_venueorder v WHERE v.order_id = o.id"
    f" AND v.status NOT IN {FINAL})))"
)
# Open at the venue is what we say is open, as large as we say and as far.
OPEN = (
    "SELECT v.client_order_id, v.quantity, v.cumulative_quantity FROM orders_venueorder v"
    f" JOIN orders_order o ON o.id = v.order_id WHERE o.finished_at IS NULL AND v.status NOT IN {FINAL}"
)
# What waits for a first order waits here; the two that cancel each other are a list there too.
LISTS = (
    "SELECT DISTINCT l.client_order_id FROM orders_orderlist l JOIN orders_order o ON o.order_list_id = l.id"
    " WHERE o.leg IN ('ABOVE', 'BELOW') AND o.status <> 'WAITING' AND o.finished_at IS NULL"
)
# Every hold that is left, with what is at the venue for it.
HOLDS = (
    "SELECT h.cause || ' ' || h.cause_id, v.client_order_id FROM ledger_hold h LEFT JOIN orders_order o"
    " ON o.finished_at IS NULL AND CASE h.cause WHEN 'LIST' THEN o.order_list_id = h.cause_id"
    " AND o.leg IN ('ABOVE', 'BELOW') ELSE o.id = h.cause_id END"
    " LEFT JOIN orders_venueorder v ON v.order_id = o.id"
    " WHERE h.is_open AND h.cause IN ('ORDER', 'LIST', 'CHANGE')"
)
HELD = (
    "SELECT a.asset_id, sum(h.remaining) FROM ledger_hold h JOIN ledger_account a ON a.id = h.account_id"
    " WHERE h.is_open AND h.cause IN ('ORDER', 'LIST', 'CHANGE') GROUP BY 1"
)
QUOTE = "USDT"
FILLED = (
    "SELECT o.id FROM orders_order o LEFT JOIN orders_fill f ON f.order_id = o.id GROUP BY o.id"
    " HAVING o.cumulative_quantity <> coalesce(sum(f.quantity), 0)"
)
# Of two orders of which one cancels the other only one ever trades.
BOTH = (
    "SELECT order_list_id FROM orders_order WHERE leg IN ('ABOVE', 'BELOW') AND cumulative_quantity > 0"
    " GROUP BY 1 HAVING count(*) > 1"
)
# Refusals that say only that we do not know what was meant.
UNTOLD = "SELECT id, reason_code FROM orders_order WHERE reason_code IN ('our_mistake', 'refused_by_venue')"
KIND = (
    "CASE WHEN l.kind IS NOT NULL THEN l.kind WHEN o.replaces_id IS NOT NULL THEN 'in another''s place'"
    " WHEN o.iceberg_quantity IS NOT NULL THEN 'iceberg' WHEN o.trailing_delta IS NOT NULL THEN 'trailing'"
    " ELSE o.type END"
)
ENDED = (
    f"SELECT {KIND}, o.status, count(*) FROM orders_order o"
    " LEFT JOIN orders_orderlist l ON l.id = o.order_list_id GROUP BY 1, 2 ORDER BY 1, 3 DESC"
)
ANSWERED = (
    f"SELECT {KIND}, extract(epoch FROM max(v.answered_at - v.sent_at)) FROM orders_venueorder v"
    " JOIN orders_order o ON o.id = v.order_id LEFT JOIN orders_orderlist l ON l.id = o.order_list_id"
    " WHERE o.id = ANY(%s) GROUP BY o.id, 1"
)
SILENT = re.compile(r"event=order\.unknown .*?\border=(\d+)")
SILENT_AMENDS = re.compile(r"event=order\.amend_unknown ")
SILENT_CANCELS = re.compile(r"event=order\.cancel_unknown ")
# What no fault at the venue explains.
BROKEN = re.compile(
    r"event=(order\.(?:relay_failed|reconcile_failed|lives_beside_the_one_it_replaces|not_ours|not_bookable)"
    r"|list\.follow_failed|stream\.trades_failed) .*"
)


class Venue(Protocol):
    """What is true there, and what it tells the platform's own account."""

    def state(self) -> dict[str, Any]: ...
    def open_orders(self) -> dict[str, tuple[Decimal, Decimal]]: ...
    def open_lists(self) -> set[str]: ...


@dataclass(frozen=True)
class Reckoned:
    """What is not as it has to be, in words, and by asset what the venue has more than the books."""

    wrong: list[str]
    apart: dict[str, Decimal]


def rows(site: Site, query: str, *values: object) -> list[tuple[Any, ...]]:
    with site.database() as connection:
        return connection.execute(query.encode(), list(values)).fetchall()


def differences(site: Site, state: dict[str, Any], strangers: Collection[str] = ()) -> dict[str, Decimal]:
    """By asset, what the venue has for us and the books do not say; `strangers` are accounts of others there."""
    ours: dict[str, Decimal] = dict(rows(site, BOOKS))
    theirs: dict[str, Decimal] = defaultdict(Decimal)
    for account in state["accounts"]:
        for asset, amounts in account["balances"].items() if account["email"] not in strangers else ():
            theirs[asset] += sum(map(Decimal, amounts), Decimal(0))
    return {
        asset: theirs.get(asset, Decimal(0)) - ours.get(asset, Decimal(0))
        for asset in sorted({*ours, *theirs})
        if theirs.get(asset) or ours.get(asset)
    }


def reckon(site: Site, venue: Venue, strangers: Collection[str] = ()) -> Reckoned:
    """What is wrong now. What the venue tells its customers is dear, and asked only when nothing else is wrong."""
    state = venue.state()
    apart = differences(site, state, strangers)
    main = next(row for row in state["accounts"] if row["id"] == state["main"])
    wrong = [f"{count} {asset} differ" for asset, count in apart.items() if count]
    wrong += [*_of_books(site, main), *_of_orders(site, main), *_of_holds(site, main)]
    return Reckoned(wrong or list(_of_what_it_tells(site, venue)), apart)


def _of_books(site: Site, main: dict[str, Any]) -> Iterator[str]:
    (fills,) = rows(site, "SELECT count(*) FROM orders_fill")[0]
    (told,) = rows(site, "SELECT count(*) FROM ledger_ledgerexception")[0]
    if fills != main["trades"]:
        yield f"{fills} fills of {main['trades']} trades"
    if told:
        yield f"{told} exceptions are put before staff"
    yield from (f"the fills of order {row[0]} do not add up" for row in rows(site, FILLED))
    yield from (f"the trial balance of {asset} is {amount}" for asset, amount in site.trial_balance().items())


def _of_orders(site: Site, main: dict[str, Any]) -> Iterator[str]:
    ours, theirs = {row[0] for row in rows(site, OPEN)}, set(main["open_orders"])
    yield from (f"order {number} is {word}" for number, word in rows(site, UNSETTLED))
    yield from (f"{name} is open here and not there" for name in sorted(ours - theirs))
    yield from (f"{name} is open there and not here" for name in sorted(theirs - ours))
    yield from (f"both orders of list {row[0]} have traded" for row in rows(site, BOTH))
    yield from (f"order {number} was told: {code}" for number, code in rows(site, UNTOLD))


def _of_holds(site: Site, main: dict[str, Any]) -> Iterator[str]:
    """Each is for something that is open at the venue, and all are what the venue has locked."""
    theirs, causes = set(main["open_orders"]), defaultdict(set)
    for cause, name in rows(site, HOLDS):
        causes[cause].add(name)
    yield from (f"the hold for {cause} is for nothing" for cause in causes if not causes[cause] & theirs)
    held: dict[str, Decimal] = dict(rows(site, HELD))
    for asset in sorted({*held, *main["balances"]}):
        here, there = held.get(asset, Decimal(0)), Decimal(main["balances"].get(asset, ["0", "0"])[1])
        # Who buys keeps held what a better price has left over, until the order ends.
        if here < there if asset == QUOTE else here != there:
            yield f"{here} {asset} are held, and {there} are locked there"


def _of_what_it_tells(site: Site, venue: Venue) -> Iterator[str]:
    ours, theirs = {name: (whole, done) for name, whole, done in rows(site, OPEN)}, venue.open_orders()
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            yield f"{name} is {ours.get(name)} here and {theirs.get(name)} there"
    lists, lists_there = {row[0] for row in rows(site, LISTS)}, venue.open_lists()
    yield from (f"list {name} is open here and not there" for name in sorted(lists - lists_there))
    yield from (f"list {name} is open there and not here" for name in sorted(lists_there - lists))


# ------------------------------------------------------------------ what happened
def unknowns(site: Site) -> dict[str, Any]:
    """Orders whose answer never came, and the seconds until their outcome was known."""
    said = site.output
    numbers = sorted({int(number) for number in SILENT.findall(said)})
    found = rows(site, ANSWERED, numbers)
    seconds = sorted(float(row[1]) for row in found if row[1] is not None)
    kinds = Counter(str(row[0]) for row in found)
    figures: dict[str, Any] = {
        "unknowns": len(numbers), "unknowns_resolved": len(seconds),
        "unknown_lists": sum(kinds[kind] for kind in ("OCO", "OTO", "OTOCO")),
        "unknown_changes": kinds["in another's place"],
        "unknown_amends": len(SILENT_AMENDS.findall(said)),
        "unknown_cancels": len(SILENT_CANCELS.findall(said)),
    }  # fmt: skip
    if seconds:
        figures |= {
            "unknown_p50_s": round(statistics.median(seconds), 2),
            "unknown_p95_s": round(seconds[int(len(seconds) * 0.95)], 2),
            "unknown_longest_s": round(seconds[-1], 2),
        }
    return figures


def broken(site: Site) -> list[str]:
    """What the processes said and never should have to say."""
    return [found.group(0)[:300] for found in BROKEN.finditer(site.output)]


def ended(site: Site) -> dict[str, str]:
    """By kind of order, how many ended in which way."""
    found: dict[str, list[str]] = defaultdict(list)
    for kind, status, count in rows(site, ENDED):
        found[kind].append(f"{count} {status}")
    return {kind: ", ".join(words) for kind, words in found.items()}
