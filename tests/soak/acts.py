"""What people do all day, by dice, through the ledger's services; each act is reported with what was answered."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import IntegrityError
from django.db.models import Sum

from exchange.errors import Unavailable
from exchange.money import plain
from exchange.office import services as office
from exchange.office.errors import AlreadyDecided
from exchange.office.models import Approval
from ledger import services as ledger
from ledger.errors import BadPosting, KeyReused
from ledger.models import Entry, Transfer
from ledger.services.posting import ConsumeHold, Line, ReleaseHold, available, customer, held, system
from tests.soak.auditor import Event
from tests.soak.hand import MARKETS, SCALES, ZERO, Booked, Hand, Kind, Own, Surprise


class Actor(Hand):
    def __init__(self, seed: int, number: int, customers: list[int], staff: list[int]) -> None:
        super().__init__(seed, number, customers, staff)
        self.acts: list[tuple[Callable[[], list[Event]], int]] = [
            (self.deposit, 6), (self.sweep, 3), (self.place, 12), (self.trade, 14), (self.cancel, 4),
            (self.trade_late, 4), (self.cross, 5), (self.charge, 3), (self.take_commission, 2), (self.orphan, 1),
            (self.withdraw, 5), (self.finish_withdrawal, 5), (self.adjust, 2), (self.reverse, 2), (self.repeat, 4),
            (self.err, 4),
        ]  # fmt: skip

    def act(self) -> list[Event]:
        """One act, chosen by the dice, as the auditor hears of it."""
        self.count += 1
        (chosen,) = self.dice.choices(
            [act for act, _weight in self.acts], [weight for _act, weight in self.acts]
        )
        try:
            events = chosen()
        except Unavailable:
            self.figures["unavailable"] += 1
            return []
        self.figures.update(f"{event.act} {event.answer}" for event in events)
        return events

    # ------------------------------------------------------------------ money in
    def deposit(self) -> list[Event]:
        user, asset = self.somebody()
        place = self.dice.choice([Kind.VENUE, Kind.CUSTODY])
        amount = self.some(asset, Decimal(10) ** self.dice.randint(0, 12))
        where = self.venue if place == Kind.VENUE else None
        self.lines(
            "deposit", Transfer.Kind.DEPOSIT, system(place, asset, -amount, where), available(user, asset, amount),
            customers=((user, asset, amount),), house=((str(place), asset, -amount),),
        )  # fmt: skip
        if place == Kind.CUSTODY:
            self.in_custody.append((asset, amount))
        return [
            Event(
                "deposit",
                "done",
                {"user": user, "asset": asset, "amount": plain(amount), "place": str(place)},
            )
        ]

    def sweep(self) -> list[Event]:
        if not self.in_custody:
            return self.deposit()
        asset, amount = self.in_custody.pop()
        lines = [system(Kind.VENUE, asset, -amount, self.venue), system(Kind.CUSTODY, asset, amount)]
        self.lines("sweep", Transfer.Kind.SWEEP, *lines)
        return [Event("sweep", "done", {"asset": asset, "amount": plain(amount)})]

    # ------------------------------------------------------------------ orders
    def hold(self, cause: str, own: Own) -> list[Event]:
        def ask() -> object:
            return ledger.hold(
                user_id=own.user, asset=own.asset, amount=own.remaining, cause=ledger.Cause(cause), cause_id=own.number
            )  # fmt: skip

        event = self.may("hold", ask, (own.user, own.asset), own.remaining, cause=cause, cause_id=own.number)
        if event.answer == "done":
            (self.withdrawals if cause == "WITHDRAWAL" else self.orders).append(own)
        return [event]

    def place(self) -> list[Event]:
        market, side = self.dice.choice(MARKETS), self.dice.choice(["BUY", "SELL"])
        user, asset = self.dice.choice(self.customers), market[side == "BUY"]
        own = Own(self.cause_id, user, asset, self.wish(user, asset), side, market)
        # Of a list either order may trade, each under its own number and from the list's one hold.
        own.cause = self.dice.choice(["ORDER", "ORDER", "ORDER", "LIST"])
        return self.hold(own.cause, own)

    def trade(self) -> list[Event]:
        order = self.pick(self.orders, is_open=True)
        return self.fill(order, self.some(order.asset, order.remaining)) if order else self.place()

    def trade_late(self) -> list[Event]:
        """The venue traded more than is still held, or after all was given back."""
        order = self.pick(self.orders)
        return (
            self.fill(order, order.remaining + self.some(order.asset, Decimal(100)))
            if order
            else self.place()
        )

    def fill(self, order: Own, cost: Decimal) -> list[Event]:
        base, quote = order.market
        other = self.some(base if order.side == "BUY" else quote, Decimal(1000))
        quantity, total = (other, cost) if order.side == "BUY" else (cost, other)
        fee = self.fee(base if order.side == "BUY" else quote, other)
        asset, commission = self.commission(order.market)
        is_last = self.dice.random() < 0.3
        posting = ledger.FillPosting(
            self.key, order.user, self.venue, order.number, order.side, base, quote, quantity, total, fee, commission,
            asset, order.number if order.cause == "LIST" else None,
        )  # fmt: skip
        posted = self.post(lambda: ledger.post_fill(posting, is_last=is_last))
        order.remaining -= min(cost, order.remaining)
        if is_last:
            order.is_open, order.remaining = False, ZERO
        facts = {
            "user": order.user, "cause": order.cause, "order": order.number, "side": order.side, "base": base,
            "quote": quote,
            "quantity": plain(quantity), "quote_quantity": plain(total), "fee": plain(fee),
            "commission": plain(commission), "commission_asset": asset, "is_last": is_last,
        }  # fmt: skip
        slippage = self.slippage(posted, order.asset) if posted.short else ZERO
        self.figures["the house paid"] += slippage > 0
        return [Event("fill", "done", facts, {"short": plain(posted.short), "slippage": plain(slippage)})]

    def slippage(self, posted: ledger.Posted, asset: str) -> Decimal:
        """What the house paid of a late trade; it pays nothing while the customer has something."""
        found = Entry.objects.filter(transfer_id=posted.transfer_id, asset_id=asset)
        paid = self.answered(
            lambda: found.filter(account__type=Kind.SLIPPAGE).aggregate(total=Sum("amount"))["total"]
        )
        spilled = self.answered(
            lambda: found.filter(bucket="A").values_list("balance_after", flat=True).first()
        )
        if paid and spilled:
            raise Surprise(f"the house paid {-paid} {asset} while the customer kept {spilled}")
        return -(paid or ZERO)

    def cancel(self) -> list[Event]:
        order = self.pick(self.orders)
        return self.release(order.cause, order) if order else self.place()

    def release(self, cause: str, own: Own) -> list[Event]:
        amount = self.answered(lambda: ledger.release(cause=ledger.Cause(cause), cause_id=own.number))
        own.is_open, own.remaining = False, ZERO
        return [Event("release", "done", {"cause": cause, "cause_id": own.number}, {"amount": plain(amount)})]

    def cross(self) -> list[Event]:
        bid = self.pick(self.orders, is_open=True, side="BUY", cause="ORDER")
        ask = bid and self.pick(self.orders, is_open=True, side="SELL", market=bid.market, cause="ORDER")
        if not (bid and ask and bid.remaining and ask.remaining):
            return self.place()
        base, quote = bid.market
        quantity, total = self.some(base, ask.remaining), self.some(quote, bid.remaining)
        sides = [
            ledger.CrossSide(own.user, own.number, self.fee(asset, amount), self.dice.random() < 0.3)
            for own, asset, amount in ((bid, base, quantity), (ask, quote, total))
        ]
        key = self.key
        self.post(
            lambda: ledger.post_cross(
                key=key, buyer=sides[0], seller=sides[1], base=base, quote=quote, quantity=quantity,
                quote_quantity=total,
            )
        )  # fmt: skip
        facts: dict[str, Any] = {
            "base": base,
            "quote": quote,
            "quantity": plain(quantity),
            "quote_quantity": plain(total),
        }
        for name, own, side, cost in (("buyer", bid, sides[0], total), ("seller", ask, sides[1], quantity)):
            facts |= {name: own.user, f"{name}_order": own.number, f"{name}_fee": plain(side.fee)}
            facts[f"{name}_is_last"] = side.is_last
            own.is_open, own.remaining = not side.is_last, ZERO if side.is_last else own.remaining - cost
        return [Event("cross", "done", facts)]

    # ------------------------------------------------------------------ the house
    def charge(self) -> list[Event]:
        (user, asset), key = self.somebody(), self.key
        amount, is_dust = self.wish(user, asset), self.dice.random() < 0.5

        def ask() -> ledger.Posted:
            if is_dust:
                return ledger.post_dust(key=key, user_id=user, asset=asset, amount=amount)
            return ledger.post_fee(key=key, user_id=user, asset=asset, amount=amount, reference="card")

        to = "ROUNDING" if is_dust else "FEES"
        undo = {"customers": ((user, asset, -amount),), "house": ((to, asset, amount),)}
        return [self.may("charge", lambda: self.post(ask, **undo), (user, asset), amount, to=to)]

    def take_commission(self) -> list[Event]:
        asset, amount = "BNB", self.some("BNB", Decimal("0.5"))
        lines = [system(Kind.VENUE, asset, amount, self.venue), system(Kind.COMMISSION, asset, -amount)]
        self.lines("commission", Transfer.Kind.COMMISSION, *lines)
        return [Event("commission", "done", {"commission_asset": asset, "commission": plain(amount)})]

    def orphan(self) -> list[Event]:
        market, side, key = self.dice.choice(MARKETS), self.dice.choice(["BUY", "SELL"]), self.key
        (base, quote), (asset, commission) = market, self.commission(market)
        quantity, total = self.some(base, Decimal(5)), self.some(quote, Decimal(500))
        self.post(
            lambda: ledger.post_orphan_fill(
                key=key, venue_account_id=self.venue, side=side, base=base, quote=quote, quantity=quantity,
                quote_quantity=total, commission=commission, commission_asset=asset, detail={},
            )
        )  # fmt: skip
        facts = {
            "side": side, "base": base, "quote": quote, "quantity": plain(quantity), "quote_quantity": plain(total),
            "commission": plain(commission), "commission_asset": asset,
        }  # fmt: skip
        return [Event("orphan", "done", facts)]

    # ------------------------------------------------------------------ money out
    def withdraw(self) -> list[Event]:
        user, asset = self.somebody()
        return self.hold("WITHDRAWAL", Own(self.cause_id, user, asset, self.wish(user, asset)))

    def finish_withdrawal(self) -> list[Event]:
        """Sent and settled, or refused or failed and given back."""
        own = self.pick(self.withdrawals, is_open=True)
        if own is None:
            return self.withdraw()
        if self.dice.random() < 0.4:
            return self.release("WITHDRAWAL", own)
        amount, payer = own.remaining, customer(own.user, own.asset)
        cost = amount + self.dice.choice([-1, 1]) * self.some(own.asset, amount / 100)
        number, cause = own.number, ledger.Cause.WITHDRAWAL
        ours = system(Kind.FEES if amount > cost else Kind.NETWORK_FEES, own.asset, amount - cost)
        lines = [held(own.user, own.asset, -amount), system(Kind.VENUE, own.asset, cost, self.venue), ours]
        self.post(
            lambda: ledger.post(
                scope="withdrawal", key=str(number), kind=Transfer.Kind.WITHDRAWAL, lines=lines,
                holds=[ConsumeHold(payer, cause, number, amount), ReleaseHold(payer, cause, number)],
            )
        )  # fmt: skip
        own.is_open, own.remaining = False, ZERO
        facts = {"cause_id": number, "asset": own.asset, "amount": plain(amount), "cost": plain(cost)}
        return [Event("sent", "done", facts)]

    # ------------------------------------------------------------------ four eyes
    def adjust(self) -> list[Event]:
        (user, asset), sign = self.somebody(), self.dice.choice([1, -1])
        amount = sign * self.wish(user, asset)
        lines = [available(user, asset, amount), system(Kind.EQUITY, asset, -amount)]
        asked = self.answered(
            lambda: ledger.ask_posting(category="soak", lines=lines, reason="dice", by=self.carol)
        )
        return self.carried_out(
            asked.pk, ((user, asset, amount),), (("EQUITY", asset, -amount),), can_be_undone=True
        )

    def reverse(self) -> list[Event]:
        if not self.undoable:
            return self.adjust()
        undone = self.undoable.pop(self.dice.randrange(len(self.undoable)))
        asked = self.answered(
            lambda: ledger.ask_reversal(transfer_id=undone.transfer_id, reason="dice", by=self.carol)
        )
        customers = tuple((user, asset, -amount) for user, asset, amount in undone.customers)
        house = tuple((kind, asset, -amount) for kind, asset, amount in undone.house)
        return self.carried_out(asked.pk, customers, house)

    def carried_out(
        self,
        asked: int,
        customers: tuple[tuple[int, str, Decimal], ...],
        house: tuple[tuple[str, str, Decimal], ...],
        *,
        can_be_undone: bool = False,
    ) -> list[Event]:
        self.answered(lambda: self.grant(asked))
        approval = self.answered(lambda: self.decided(asked))
        facts = {
            "customers": [(user, asset, plain(amount)) for user, asset, amount in customers],
            "house": [(kind, asset, plain(amount)) for kind, asset, amount in house],
            "needs": [(user, asset, plain(-amount)) for user, asset, amount in customers if amount < 0],
        }
        if approval.status != Approval.Status.USED:
            return [Event("correct", "refused", facts)]
        if can_be_undone:
            transfer = self.answered(lambda: Transfer.objects.get(approval_id=asked))
            self.undoable.append(Booked(transfer.pk, lambda: ledger.Posted(0, False), customers, house))
        return [Event("correct", "done", facts)]

    def grant(self, asked: int) -> None:
        try:
            office.grant(asked, by=self.dave)
        except AlreadyDecided:
            return  # by us, and the answer was lost

    def decided(self, asked: int) -> Approval:
        """Whoever's sweep carries it out."""
        while True:
            ledger.carry_out_approvals()
            approval = Approval.objects.get(pk=asked)
            if approval.status != Approval.Status.GRANTED:
                return approval

    # ------------------------------------------------------------------ what must change nothing
    def repeat(self) -> list[Event]:
        if not self.booked:
            return self.deposit()
        booked = self.dice.choice(self.booked)
        again = self.answered(booked.again)
        if (again.transfer_id, again.is_new) != (booked.transfer_id, False):
            raise Surprise(f"a repeat of transfer {booked.transfer_id} gave {again}")
        return [Event("repeat", "nothing new", {"transfer": booked.transfer_id})]

    def err(self) -> list[Event]:
        """What the ledger must refuse."""
        (user, asset), order = self.somebody(), self.pick(self.orders)
        one, unit = Decimal(1), Decimal(1).scaleb(-SCALES[asset] - 1)
        wrong: list[list[Line]] = [
            [available(user, asset, one), system(Kind.FEES, asset, -one - one)],
            [available(user, asset, unit), system(Kind.FEES, asset, -unit)],
            [available(user, asset, -one), held(user, asset, one)],
            [available(10**9, asset, one), system(Kind.FEES, asset, -one)],
        ]
        try:
            if order and self.dice.random() < 0.3:
                self.answered(lambda: self.pay_too_much(order))
            else:
                self.lines("wrong", Transfer.Kind.FEE, *self.dice.choice(wrong))
        except (BadPosting, IntegrityError):
            return [Event("err", "refused", {})]
        except KeyReused as error:
            raise Surprise("a key of this hand's own was used") from error
        raise Surprise("what is wrong was booked")

    def pay_too_much(self, order: Own) -> ledger.Posted:
        much = order.remaining + 1
        return ledger.post(
            scope="wrong", key=self.key, kind=Transfer.Kind.FILL,
            lines=[held(order.user, order.asset, -much), system(Kind.FEES, order.asset, much)],
            holds=[ConsumeHold(customer(order.user, order.asset), ledger.Cause(order.cause), order.number, much)],
        )  # fmt: skip
