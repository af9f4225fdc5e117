"""Seeded interleavings of what a customer does, what the venue does, and what is heard of it when.

Every choice comes from the seed, so a run that fails is the same when it is run again with it.
"""

import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.test import override_settings
from django.utils import timezone

from accounts.models import User
from exchange.binance.errors import VenueError
from exchange.binance.models import Report
from exchange.errors import DomainError
from ledger.models import Account, Entry, Hold, LedgerException
from orders import services
from orders.models import Fill, Order, Status, VenueOrder
from tests.factories import balance, fund, make_user, publish_book, venue_account
from tests.orders.remote import PRICE, STEP, RemoteOrder, RemoteVenue
from tests.soak.laws import LAWS
from tests.venue import Venue

STEPS, MOST_ORDERS, ROUNDS = 14, 3, 40
ROOM = 1000  # numbers of a seed's own at the venue
BEGINS = {"USDT": Decimal(100000), "BTC": Decimal(2)}
ROAD = ("PENDING", "OPEN", "PARTIALLY_FILLED", "CANCELED", "EXPIRED", "REJECTED", "FILLED")
HERE = {"NEW": Status.OPEN, "EXPIRED_IN_MATCH": Status.EXPIRED}  # other words are the same


class Interleaving:
    """One customer with a few orders; `steps` things happen in an order of the seed's."""

    def __init__(self, wire: Venue, seed: int) -> None:
        self.seed, self.dice = seed, random.Random(seed)
        self.venue = RemoteVenue(wire, self.dice, first_number=(seed % 10**9) * ROOM)
        self.user: User = make_user(f"seed{seed}")
        for asset, amount in BEGINS.items():
            fund(self.user, asset, str(amount))
        self.before = self._at_the_venue()
        self.heard: list[Report] = []
        self.done: Counter[str] = Counter()
        self.reached: dict[int, tuple[int, int, Decimal]] = {}

    def run(self) -> None:
        publish_book()
        acts = {
            self.place: 4,
            self.trade: 5,
            self.end: 1,
            self.cancel: 2,
            self.hear: 6,
            self.lose: 1,
            self.ask: 3,
        }
        for _step in range(STEPS):
            (act,) = self.dice.choices(list(acts), list(acts.values()))
            self.done[act.__name__] += 1
            act()
            self.require_forward()
        self.finish()
        self.require_truth()

    # ------------------------------------------------------------------ what happens
    def place(self) -> None:
        number = self.done["place"]
        if number > MOST_ORDERS:
            return self.trade()
        quantity = self.dice.randrange(2, 50) * STEP * 1000
        side, kind = self.dice.choice(["BUY", "SELL"]), self.dice.choice(["LIMIT", "LIMIT", "MARKET"])
        words: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "side": side,
            "type": kind,
            "nonce": f"{self.seed}-{number}",
        }
        if kind == "LIMIT":
            price = PRICE + self.dice.randrange(-200, 200)
            ticket = services.Ticket(**words, time_in_force="GTC", price=price, quantity=quantity)
        elif side == "BUY" and self.dice.random() < 0.5:
            ticket = services.Ticket(**words, quote_quantity=round(quantity * PRICE, 2))
        else:
            ticket = services.Ticket(**words, quantity=quantity)
        services.place_order(user=self.user, ticket=ticket)
        return None

    def _some(self) -> RemoteOrder | None:
        found = self.venue.open_orders()
        return self.dice.choice(found) if found else None

    def trade(self) -> None:
        if order := self._some():
            self.venue.trade(order)

    def end(self) -> None:
        if order := self._some():
            reason = self.dice.choice(["EXCHANGE_CANCELED", "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"])
            self.venue.end(order, self.dice.choice(["EXPIRED", "CANCELED", "EXPIRED_IN_MATCH"]), reason)

    def cancel(self) -> None:
        orders = list(Order.objects.filter(user=self.user).order_by("id"))
        if orders:
            with suppress(DomainError):  # it has ended, or the venue cannot be asked
                services.cancel_order(user=self.user, order_id=self.dice.choice(orders).pk)

    def hear(self) -> None:
        """Any of what was told and not lost, in any order, and now and then once more."""
        if not self.venue.told:
            return
        report = self.dice.choice(self.venue.told)
        if self.dice.random() < 0.7:
            self.venue.told.remove(report)
        self.heard.append(report)
        self._apply(report)

    def lose(self) -> None:
        if self.venue.told:
            self.venue.told.remove(self.dice.choice(self.venue.told))

    def ask(self) -> None:
        sent = list(VenueOrder.objects.filter(order__user=self.user).order_by("id"))
        if sent:
            self._reconcile(self.dice.choice(sent))

    def _apply(self, report: Report) -> None:
        services.apply_report(venue_account=venue_account(), report=report, source="stream")

    def _reconcile(self, sent: VenueOrder) -> None:
        with suppress(VenueError):
            services.reconcile(venue_order_id=sent.pk)

    def require_forward(self) -> None:
        """No order ever goes back: neither in its state, here and at the venue, nor in what was executed."""
        rows = VenueOrder.objects.filter(order__user=self.user)
        for number, order, sent, executed in rows.values_list(
            "pk", "order__status", "status", "order__cumulative_quantity"
        ):
            now = (ROAD.index(order), ROAD.index(sent), executed)
            before = self.reached.get(number, now)
            assert all(new >= old for new, old in zip(now, before, strict=True)), f"{before} became {now}"
            self.reached[number] = now

    # ------------------------------------------------------------------ and what has become of it
    def finish(self) -> None:
        """Time passes, the venue answers again, and everything that was told is heard once more, however late."""
        self.venue.is_calm = True
        for _round in range(ROUNDS):
            if self._is_settled():
                break
            for sent in VenueOrder.objects.filter(order__user=self.user, order__finished_at=None).order_by(
                "id"
            ):
                self._grow_old(sent)
                self._reconcile(sent)
        late = [*self.heard, *self.venue.told]
        self.dice.shuffle(late)
        for report in late[:4]:
            self._apply(report)

    def _grow_old(self, sent: VenueOrder) -> None:
        """No request with its timestamp can be accepted any more."""
        if sent.status == Status.PENDING:
            long_ago = timezone.now() - timedelta(hours=1)
            VenueOrder.objects.filter(pk=sent.pk).update(timestamp_ms=1, send_by=long_ago)

    def _is_settled(self) -> bool:
        """Every order that has ended has ended here, and every other has a place at the venue."""
        rows = VenueOrder.objects.filter(order__user=self.user, order__finished_at=None)
        return all(self._is_same(sent) and self.venue.orders[sent.client_order_id].is_open for sent in rows)

    def _is_same(self, sent: VenueOrder) -> bool:
        remote = self.venue.orders.get(sent.client_order_id)
        if remote is None:
            return sent.order.status == Status.REJECTED
        is_wished_gone = remote.is_open and sent.order.cancel_requested_at is not None
        return not is_wished_gone and (sent.order.status, sent.order.cumulative_quantity) == (
            HERE.get(remote.status, remote.status), remote.executed,
        )  # fmt: skip

    def require_truth(self) -> None:
        """Orders, fills, balances, holds and the house's accounts are what the venue executed, to the last digit."""
        rows = list(VenueOrder.objects.filter(order__user=self.user).select_related("order"))
        assert all(self._is_same(sent) for sent in rows), [(row.order.status, row.status) for row in rows]
        assert len(rows) == Order.objects.filter(user=self.user).count()
        ours = sorted(
            Fill.objects.filter(order__user=self.user).values_list("trade_id", "quantity", "quote_quantity")
        )
        trades = [row for order in self.venue.orders.values() for row in order.trades]
        assert ours == sorted((row["id"], Decimal(row["qty"]), Decimal(row["quoteQty"])) for row in trades)
        for asset, begin in BEGINS.items():
            held = self._held(asset)
            assert balance(self.user, asset) == (begin + self._moved(asset) - self._fees(asset) - held, held)
        assert self._at_the_venue() == {
            asset: self.before[asset] - self._moved(asset) + self._commission(asset) for asset in self.before
        }
        assert not LedgerException.objects.exists()
        require_laws()

    def _moved(self, asset: str) -> Decimal:
        """What the trades brought of it, or took."""
        total = Decimal(0)
        for order in self.venue.orders.values():
            sign = 1 if (order.side == "BUY") == (asset == "BTC") else -1
            total += {"BTC": sign * order.executed, "USDT": sign * order.quote}.get(asset, Decimal(0))
        return total

    def _fees(self, asset: str) -> Decimal:
        rows = Fill.objects.filter(order__user=self.user, fee_asset_id=asset)
        return sum((row.fee for row in rows), Decimal(0))

    def _commission(self, asset: str) -> Decimal:
        rows = (row for order in self.venue.orders.values() for row in order.trades)
        return sum(
            (Decimal(row["commission"]) for row in rows if row["commissionAsset"] == asset), Decimal(0)
        )

    def _held(self, asset: str) -> Decimal:
        """What open orders may still cost: their hold, less what their trades did."""
        total = Decimal(0)
        for order in self.venue.open_orders():
            buys = order.side == "BUY"
            if asset == ("USDT" if buys else "BTC"):
                whole = order.wanted * (Decimal(order.asked["price"]) if buys else 1)
                total += whole - (order.quote if buys else order.executed)
        rows = Hold.objects.filter(account__owner=self.user, account__asset_id=asset, is_open=True)
        assert sum((row.remaining for row in rows), Decimal(0)) == total
        return total

    def _at_the_venue(self) -> dict[str, Decimal]:
        rows = Entry.objects.filter(account__type=Account.Type.VENUE).order_by()
        sums = dict(rows.values_list("asset_id").annotate(Sum("amount")))
        return {asset: sums.get(asset, Decimal(0)) for asset in ("BTC", "USDT", "BNB")}


def require_laws() -> None:
    """Every law of the books, in SQL of our own."""
    with connection.cursor() as cursor:
        for law, sql in LAWS.items():
            cursor.execute(sql)
            row = cursor.fetchone()
            assert row is None, f"{law}: {row}"


def play(wire: Venue, seed: int) -> Counter[str]:
    """Runs one; what fails says which seed it was. No breaker opens: it would go by the clock and not by the seed."""
    found = Interleaving(wire, seed)
    try:
        with override_settings(BREAKER_FAILURES=10_000):
            found.run()
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    found.done["trades"] = sum(len(order.trades) for order in found.venue.orders.values())
    return found.done
