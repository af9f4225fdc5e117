"""The house covers what it sold or bought by conversions: by orders like everybody's, one at a time, until it is done.

An order of which the venue is silent is waited for, and never repeated: the sweeps of orders find out what became of
it. What is too small to be traded waits for more of it.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import cache, partial

import structlog
from django.conf import settings
from django.db import IntegrityError, close_old_connections, connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints
from exchange.conversions import queries, rules
from exchange.conversions.models import Cover, CoverOrder
from exchange.conversions.services.routes import Leg, least_quantity, most_quantity
from exchange.database import transaction_with_retry
from exchange.errors import Conflict, DomainError
from exchange.money import floor_to_step, plain
from exchange.office import services as office
from ledger import services as ledger
from markets.models import Market
from markets.rules import step_size
from orders import services as orders
from orders.models import Channel, Order, Type

log = structlog.get_logger()
BATCH = 50
LONGEST_WAIT = 60  # seconds between two attempts of one cover
OTHER = {"BUY": "SELL", "SELL": "BUY"}


def cover_positions() -> int:
    """What orders traded is put down to their covers, what is left is tried again, remainders that together can be
    traded are, and staff hear of what is uncovered for long. Gives how many covers were tried."""
    for row in queries.uncounted_orders(timezone.now())[:BATCH]:
        _safely("count", row.pk, partial(_count, row.pk))
    _carry_remainders()
    tried = [cover.pk for cover in queries.due_covers(timezone.now())[:BATCH]]
    for number in tried:
        _safely("try", number, partial(_try, number))
    _alarm()
    return len(tried)


def _safely(what: str, number: int, act: "partial[None]") -> None:
    """One odd row never stops the next."""
    try:
        act()
    except Exception:
        log.exception("cover.failed", what=what, number=number)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="cover")


def cover_soon(covers: list[int]) -> None:
    """Nobody waits for it; what does not come about now the sweep does."""
    if settings.RELAY_THREADS == 0:
        _each(covers)
    else:
        _threads().submit(_in_thread, covers)


def _in_thread(covers: list[int]) -> None:
    close_old_connections()
    try:
        _each(covers)
    finally:
        close_old_connections()


def _each(covers: list[int]) -> None:
    for number in covers:
        _safely("try", number, partial(_try, number))


# ------------------------------------------------------------------ one attempt
def _try(number: int) -> None:
    cover = queries.idle_covers().filter(pk=number).first()
    if cover is None:
        return
    leg = Leg(cover.market, cover.side if cover.left > 0 else OTHER[cover.side])
    try:
        book = orders.sure_book(cover.market)
        quantity = _tradable(cover.market, abs(cover.left), leg.best(book))
        if not quantity:
            _close(cover.pk)
            return
        ticket = orders.Ticket(
            symbol=cover.market_id,
            side=leg.side,
            type=Type.LIMIT,
            time_in_force="IOC",
            price=leg.bound(book),
            quantity=quantity,
            nonce=f"cover-{cover.pk}-{cover.attempts}",
            channel=Channel.HOUSE,
        )
        house = accounts.house_customer()
        orders.place_house_order(house=house, ticket=ticket, hold=partial(_hold, house, cover))
    except IntegrityError:  # somebody else made this attempt
        log.info("cover.taken", cover=cover.pk)
    except DomainError as error:
        _put_off(cover, error)
    else:
        failpoints.hit("convert.covered")


def _tradable(market: Market, left: Decimal, price: Decimal) -> Decimal:
    """How much of it one order may be for; zero when it is too small for the venue."""
    most = most_quantity(market)
    quantity = floor_to_step(min(left, most) if most else left, step_size(market.filters))
    return quantity if quantity >= least_quantity(market, price) else Decimal(0)


class Moved(Conflict):
    code = "moved"
    message = _("Another order for the same cover was first.")


def _hold(house: User, seen: Cover, order: Order, plan: orders.Plan) -> None:
    """Within the transaction that records the order: it is the cover's only one, and paid from the house's position."""
    cover = Cover.objects.select_for_update().get(pk=seen.pk)
    if cover.left != seen.left or not cover.is_open:
        raise Moved()
    CoverOrder.objects.create(cover=cover, order=order)
    ledger.hold_for_cover(
        house_id=house.pk, asset=plan.hold_asset, amount=plan.hold_amount, order_id=order.pk
    )
    cover.attempts += 1
    cover.next_at = timezone.now() + _wait(cover.attempts)
    cover.save(update_fields=["attempts", "next_at"])


def _wait(attempts: int) -> timedelta:
    return timedelta(seconds=min(2 ** min(attempts, 10), LONGEST_WAIT))


def _put_off(cover: Cover, error: DomainError) -> None:
    log.warning("cover.waits", cover=cover.pk, code=error.code)
    Cover.objects.filter(pk=cover.pk, attempts=cover.attempts).update(
        attempts=cover.attempts + 1,
        next_at=timezone.now() + _wait(cover.attempts + 1),
        trouble=f"{error.code}: {error}"[:200],
    )


@transaction_with_retry
def _close(number: int) -> None:
    """What is left is too small to be traded by itself."""
    cover = Cover.objects.select_for_update().get(pk=number)
    cover.is_open, cover.closed_at = False, timezone.now()
    cover.save(update_fields=["is_open", "closed_at"])


# ------------------------------------------------------------------ what came of it
@transaction_with_retry
def _count(number: int) -> None:
    """What the order traded is the cover's, and what it did not need is the house's position again. Once, and once more
    for what is told of it late."""
    _one_at_a_time()
    row = CoverOrder.objects.select_related("order__market").get(pk=number)
    cover = Cover.objects.select_for_update().get(pk=row.cover_id)
    order = row.order
    has_moved = row.counted != order.cumulative_quantity
    row.counted, row.settled_at = order.cumulative_quantity, row.settled_at or timezone.now()
    row.save(update_fields=["counted", "settled_at"])
    _add_up(cover)
    cover.is_open, cover.closed_at = cover.left != 0, None if cover.left else timezone.now()
    if has_moved:
        cover.next_at, cover.trouble = timezone.now(), ""
    elif order.reason:
        cover.trouble = order.reason[:200]
    cover.save()
    key = f"{order.pk}:{plain(order.cumulative_quantity)}"
    for asset in (order.market.base_id, order.market.quote_id):
        ledger.give_back_cover(house_id=order.user_id, asset=asset, key=key)
    log.info("cover.counted", cover=cover.pk, order=order.pk, left=plain(abs(cover.left)))


def _add_up(cover: Cover) -> None:
    done, done_quote = [], []
    for row in cover.cover_orders.select_related("order"):
        sign = 1 if row.order.side == cover.side else -1
        done.append(sign * row.order.cumulative_quantity)
        done_quote.append(sign * row.order.cumulative_quote)
    cover.done, cover.done_quote = rules.total(done), rules.total(done_quote)


def _one_at_a_time() -> None:
    """What is available to the house is given back by one at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('conversions.house', 0))")


# ------------------------------------------------------------------ what is too small
def _carry_remainders() -> None:
    by_market: dict[str, list[Cover]] = {}
    for cover in queries.remainders():
        by_market.setdefault(cover.market_id, []).append(cover)
    for covers in by_market.values():
        _safely("carry", covers[0].pk, partial(_carry, covers))


def _carry(covers: list[Cover]) -> None:
    """Remainders of one market that together are large enough are one cover; those that cancel each other out, none."""
    market = covers[0].market
    amount = rules.total(cover.exposure for cover in covers)
    side = "SELL" if amount > 0 else "BUY"
    if amount:
        try:
            price = Leg(market, side).best(orders.sure_book(market))
        except DomainError:  # nobody can say whether it is enough; it waits
            return
        if not _tradable(market, abs(amount), price):
            return
    _take_over(market, side, [cover.pk for cover in covers])


@transaction_with_retry
def _take_over(market: Market, side: str, numbers: list[int]) -> None:
    covers = list(
        Cover.objects.select_for_update(of=("self",)).filter(pk__in=numbers, is_open=False).order_by("pk")
    )
    amount = rules.total(cover.exposure for cover in covers)
    if amount and ("SELL" if amount > 0 else "BUY") != side:
        return  # one of them moved meanwhile
    for cover in covers:
        cover.carried = rules.total([cover.carried, cover.left])
        cover.save(update_fields=["carried"])
    if amount:
        new = Cover.objects.create(
            market=market, side=side, quantity=abs(amount), next_at=timezone.now(), conversion=None
        )
        log.info("cover.carried", cover=new.pk, market=market.symbol, remainders=len(covers))


# ------------------------------------------------------------------ what lasts too long
def _alarm() -> None:
    before = timezone.now() - timedelta(seconds=settings.CONVERT_ALARM_SECONDS)
    for cover in queries.uncovered_since(before)[:BATCH]:
        if not Cover.objects.filter(pk=cover.pk, alarmed_at__isnull=True).update(alarmed_at=timezone.now()):
            continue
        log.error("cover.overdue", cover=cover.pk, market=cover.market_id)
        words = {
            "side": cover.side, "left": plain(abs(cover.left)), "asset": cover.market.base_id,
            "market": cover.market_id, "why": cover.trouble or "–",
        }  # fmt: skip
        office.tell_staff(
            "conversion.uncovered",
            _("A conversion is not covered at the venue"),
            _("%(side)s %(left)s %(asset)s in %(market)s is still to be traded. Latest: %(why)s"),
            words,
        )
