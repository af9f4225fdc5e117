"""What is left when a soak is over: books and orders against the venue's, and how unknown outcomes were resolved."""

import re
import statistics
from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from tests.journeys.site import Site

BOOKS = (
    "SELECT e.asset_id, -sum(e.amount) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
    " WHERE a.type IN ('VENUE', 'CUSTODY') GROUP BY 1"
)
UNSETTLED = (
    "SELECT id, status FROM orders_order WHERE finished_at IS NULL"
    " AND (status = 'PENDING' OR cancel_requested_at IS NOT NULL)"
)
# Open at the venue is what we say is open.
OPEN = (
    "SELECT v.client_order_id FROM orders_venueorder v JOIN orders_order o ON o.id = v.order_id"
    " WHERE o.finished_at IS NULL"
)
HELD_FOR_NOTHING = (
    "SELECT h.id FROM ledger_hold h JOIN orders_order o ON o.id = h.cause_id"
    " WHERE h.cause = 'ORDER' AND h.is_open AND o.finished_at IS NOT NULL"
)
FILLED = (
    "SELECT o.id FROM orders_order o LEFT JOIN orders_fill f ON f.order_id = o.id GROUP BY o.id"
    " HAVING o.cumulative_quantity <> coalesce(sum(f.quantity), 0)"
)
ANSWERED = "SELECT order_id, extract(epoch FROM answered_at - sent_at) FROM orders_venueorder WHERE order_id = ANY(%s)"
SILENT = re.compile(r"event=order\.unknown .*?\border=(\d+)")


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


def complaints(site: Site, state: dict[str, Any], strangers: Collection[str] = ()) -> list[str]:
    """What is not as it has to be, in words; nothing when all is well."""
    main = next(row for row in state["accounts"] if row["id"] == state["main"])
    ours, theirs = {row[0] for row in rows(site, OPEN)}, set(main["open_orders"])
    (fills,) = rows(site, "SELECT count(*) FROM orders_fill")[0]
    (told,) = rows(site, "SELECT count(*) FROM ledger_ledgerexception")[0]
    found = [
        f"{count} {asset} differ" for asset, count in differences(site, state, strangers).items() if count
    ]
    found += [f"order {number} is {word}" for number, word in rows(site, UNSETTLED)]
    found += [f"{name} is open here and not there" for name in sorted(ours - theirs)]
    found += [f"{name} is open there and not here" for name in sorted(theirs - ours)]
    found += [f"{fills} fills of {main['trades']} trades"] if fills != main["trades"] else []
    found += [f"hold {row[0]} is for nothing" for row in rows(site, HELD_FOR_NOTHING)]
    found += [f"the fills of order {row[0]} do not add up" for row in rows(site, FILLED)]
    found += [f"{told} exceptions are put before staff"] if told else []
    found += [f"the trial balance of {asset} is {amount}" for asset, amount in site.trial_balance().items()]
    return found


def unknowns(site: Site) -> dict[str, Any]:
    """Orders whose answer never came, and the seconds until their outcome was known."""
    numbers = sorted({int(number) for number in SILENT.findall(site.output)})
    seconds = sorted(float(row[1]) for row in rows(site, ANSWERED, numbers) if row[1] is not None)
    if not seconds:
        return {"unknowns": len(numbers), "unknowns_resolved": 0}
    return {
        "unknowns": len(numbers),
        "unknowns_resolved": len(seconds),
        "unknown_p50_s": round(statistics.median(seconds), 2),
        "unknown_p95_s": round(seconds[int(len(seconds) * 0.95)], 2),
        "unknown_longest_s": round(seconds[-1], 2),
    }
