"""What conversions refuse."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotFound, Unavailable
from exchange.money import plain


class SameAsset(DomainError):
    code = "same_asset"
    message = _("Choose two different assets.")

    def __init__(self) -> None:
        super().__init__(field="to_asset")


class UnknownConversionAsset(NotFound):
    code = "unknown_asset"
    message = _("There is no such asset to convert.")


class OneAmount(DomainError):
    code = "one_amount"
    message = _("Say what you give or what you want to get, and not both.")

    def __init__(self) -> None:
        super().__init__(field="from_amount")


class AmountTooPrecise(DomainError):
    code = "too_precise"
    message = _("Too many decimal places; nearest %(nearest)s.")

    def __init__(self, *, field: str, nearest: Decimal) -> None:
        self.nearest = plain(nearest)
        super().__init__(field=field, nearest=self.nearest)


class NoRoute(DomainError):
    code = "no_route"
    message = _("These two assets cannot be converted into each other at the moment.")

    def __init__(self) -> None:
        super().__init__(field="to_asset")


class TooSmall(DomainError):
    code = "too_small"
    message = _("Too small to be converted: at least about %(nearest)s %(asset)s.")

    def __init__(self, *, field: str, least: Decimal, asset: str) -> None:
        self.nearest = plain(least)
        super().__init__(field=field, nearest=self.nearest, asset=asset)


class TooLarge(DomainError):
    code = "too_large"
    message = _("A conversion of yours may be worth %(most)s %(asset)s.")

    def __init__(self, *, field: str, most: Decimal, asset: str) -> None:
        super().__init__(field=field, most=plain(most), asset=asset)


class BeyondDepth(DomainError):
    code = "beyond_depth"
    message = _("The market is not deep enough for so much at a firm price; try a smaller amount.")


class HouseIsFull(Unavailable):
    code = "house_is_full"
    message = _(
        "The house takes no more of %(asset)s at a firm price for the moment. Try again soon, or trade it."
    )


class TooManyQuotes(Conflict):
    code = "too_many_quotes"
    status = 429
    message = _("You have %(most)s quotes that still stand; use one, or wait a few seconds.")


class UnknownQuote(NotFound):
    code = "unknown_quote"
    message = _("There is no such quote.")


class UnknownConversion(NotFound):
    code = "unknown_conversion"
    message = _("There is no such conversion.")


class QuoteExpired(Conflict):
    code = "quote_expired"
    message = _("This quote has expired; nothing was converted. Ask for a new one.")


class AlreadyEnded(Conflict):
    code = "already_ended"
    message = _("This margin has ended already.")
