"""What orders refuse, and how the venue's refusals are told to a customer (binance.md 12)."""

from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotFound, Unavailable
from exchange.money import plain

Text = str | Promise


class BadTicket(DomainError):
    code = "bad_ticket"
    message = _("This order cannot be understood.")


class TooPrecise(DomainError):
    code = "too_precise"
    message = _("Too many decimal places; nearest %(nearest)s.")

    def __init__(self, *, field: str, nearest: Decimal) -> None:
        self.nearest = plain(nearest)
        super().__init__(field=field, nearest=self.nearest)


class MarketClosed(Unavailable):
    code = "market_closed"
    status = 409
    message = _("This market takes no new orders at the moment.")


class MarketGone(Conflict):
    code = "market_gone"
    message = _(
        "The venue does not have this market any more; what became of the order is being looked into."
    )


class PricesDelayed(Unavailable):
    code = "prices_delayed"
    message = _("Prices are delayed at the moment; orders wait until they are live again.")


class PricesUnsure(Unavailable):
    code = "prices_unsure"
    message = _(
        "Prices are unsure at the moment: the book and the last trades differ too much. Orders wait until they agree."
    )


class FarFromPrice(DomainError):
    code = "far_from_price"
    above = _("That is far above the market, which is at %(market)s: at most %(nearest)s.")
    below = _("That is far below the market, which is at %(market)s: at least %(nearest)s.")

    def __init__(self, *, is_above: bool, market: Decimal, nearest: Decimal) -> None:
        self.nearest = plain(nearest)
        sentence = self.above if is_above else self.below
        super().__init__(sentence, field="price", market=plain(market), nearest=self.nearest)


class TooManyOpen(Conflict):
    code = "too_many_open"
    sentences = {
        "every": _("You may have %(most)s open orders in this market; cancel one first."),
        "stops": _("You may have %(most)s open stops in this market; cancel one first."),
        "icebergs": _("You may have %(most)s orders that hide a part in this market; cancel one first."),
        "lists": _("You may have %(most)s open pairs in this market; cancel one first."),
    }

    everywhere = {
        "every": _("You may have %(most)s open orders in all markets together; cancel one first."),
        "stops": _("You may have %(most)s open stops in all markets together; cancel one first."),
        "icebergs": _(
            "You may have %(most)s orders that hide a part in all markets together; cancel one first."
        ),
        "lists": _("You may have %(most)s open pairs in all markets together; cancel one first."),
    }

    def __init__(self, *, kind: str, most: int, is_everywhere: bool = False) -> None:
        super().__init__((self.everywhere if is_everywhere else self.sentences)[kind], most=most)


class TooMuchOfAnAsset(Conflict):
    code = "too_much_of_an_asset"
    message = _(
        "You may have %(most)s %(asset)s with what your open orders are buying; buy less, or cancel one first."
    )


class OrderTooLarge(DomainError):
    code = "order_too_large"
    message = _("An order of yours may be worth %(most)s %(asset)s; nearest %(nearest)s.")

    def __init__(self, *, field: str, most: Decimal, asset: str, nearest: Decimal) -> None:
        self.nearest = plain(nearest)
        super().__init__(field=field, most=plain(most), asset=asset, nearest=self.nearest)


class NoLiquidity(DomainError):
    code = "no_liquidity"
    message = _("There is nobody on the other side of the book right now.")


class NotOffered(DomainError):
    code = "not_offered"
    message = _("This market does not offer that.")


class WouldTrigger(DomainError):
    code = "would_trigger"
    above = _("The stop price must be above the last price, %(last)s: it would trigger at once.")
    below = _("The stop price must be below the last price, %(last)s: it would trigger at once.")

    def __init__(self, *, is_above: bool, last: Decimal) -> None:
        super().__init__(self.above if is_above else self.below, field="stop_price", last=plain(last))


class PricesCross(DomainError):
    code = "prices_cross"
    above = _("The prices of the upper order must be above the last price, %(last)s.")
    below = _("The prices of the lower order must be below the last price, %(last)s.")

    def __init__(self, *, is_above: bool, last: Decimal, field: str) -> None:
        super().__init__(self.above if is_above else self.below, field=field, last=plain(last))


class UnknownOrderList(NotFound):
    code = "unknown_order_list"
    message = _("There is no such list of orders.")


class NonceReused(Conflict):
    code = "nonce_reused"
    message = _("This order id was already used for a different order.")


class UnknownPair(DomainError):
    code = "unknown_pair"
    message = _("There is no market between these two.")


class NobodyThere(DomainError):
    code = "nobody_there"
    message = _("Nobody is there to trade with any more.")


class PartUnsent(DomainError):
    """Of the second of an order's two trades."""

    code = "second_part_unsent"
    message = _("It could not be sent to the market in time.")


class UnknownOrder(NotFound):
    code = "unknown_order"
    message = _("There is no such order.")


class OrderIsClosed(Conflict):
    code = "order_is_closed"
    message = _("This order is already closed.")


class ChangeUnderWay(Conflict):
    code = "change_under_way"
    message = _("This order is being placed, changed or canceled just now; look at it again in a moment.")


class InAList(Conflict):
    code = "in_a_list"
    message = _("An order of a list cannot be changed; cancel the list and place another.")


class OrderMoved(Conflict):
    code = "order_moved"
    message = _("The order has moved on meanwhile; look at it again.")


class NothingChanges(DomainError):
    code = "no_change"
    message = _("Nothing would change.")


class OnlyLess(DomainError):
    code = "only_less"
    message = _("The amount of an order can only become smaller; it is %(nearest)s.")

    def __init__(self, *, nearest: Decimal) -> None:
        self.nearest = plain(nearest)
        super().__init__(field="quantity", nearest=self.nearest)


class AlreadyFilled(DomainError):
    code = "already_filled"
    message = _("%(filled)s has been filled already; cancel the order to keep it at that.")

    def __init__(self, *, filled: Decimal, nearest: Decimal) -> None:
        self.nearest = plain(nearest)
        super().__init__(field="quantity", filled=plain(filled))


class AmendedTooOften(Conflict):
    code = "amended_too_often"
    message = _("This order can no longer be changed.")


class NotChanged(Conflict):
    """The venue's refusal to change an order, in our words."""

    def __init__(self, code: str, sentence: Text) -> None:
        self.code = code
        super().__init__(sentence)


class TryChangeAgain(Unavailable):
    code = "try_again"
    message = _("The order could not be changed just now. Please try again.")


class VenueUnreachable(Unavailable):
    code = "venue_unreachable"
    message = _("The market cannot be reached at the moment; nothing was placed. Please try again.")


class VenuePaused(Unavailable):
    code = "venue_paused"
    message = _(
        "New orders are paused for a moment, because the market does not answer as it should; nothing was placed."
        " Please try again shortly."
    )


class Busy(Unavailable):
    """There was no room at the venue for a moment: nothing is recorded, and nothing held."""

    code = "busy"
    message = _("The exchange is busy right now; nothing was placed. Please try again.")

    def __init__(self, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__()
