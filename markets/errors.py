"""What markets refuse."""

from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from exchange.errors import DomainError, NotFound
from exchange.money import plain


class UnknownMarket(NotFound):
    code = "unknown_market"
    message = _("There is no such market.")


class UnknownInterval(DomainError):
    code = "unknown_interval"
    message = _("There is no such candle interval.")


class UnknownStep(DomainError):
    code = "unknown_step"
    message = _("The book of this market is not grouped by this step.")


class UnknownTimeZone(DomainError):
    code = "unknown_time_zone"
    message = _("Give hours and minutes from -12:00 to +14:00, in quarters of an hour, such as 8 or 05:45.")


class FilterViolation(DomainError):
    """An order that the venue's own filter would refuse; `nearest` is the closest value it would take."""

    code = "filter"

    def __init__(
        self,
        message: str | Promise,
        *,
        code: str,
        field: str,
        nearest: Decimal | None = None,
        **params: object,
    ) -> None:
        super().__init__(message, field=field, **params)
        self.code = code
        self.nearest = None if nearest is None else plain(nearest)
        self.params["nearest"] = self.nearest


class OffTick(FilterViolation):
    def __init__(self, field: str, tick: Decimal, nearest: Decimal) -> None:
        super().__init__(
            _("The price must be a multiple of %(step)s; nearest %(nearest)s."),
            code="off_tick",
            field=field,
            nearest=nearest,
            step=plain(tick),
        )


class OffStep(FilterViolation):
    def __init__(self, field: str, step: Decimal, nearest: Decimal) -> None:
        super().__init__(
            _("The amount must be a multiple of %(step)s; nearest %(nearest)s."),
            code="off_step",
            field=field,
            nearest=nearest,
            step=plain(step),
        )


class TooLow(FilterViolation):
    def __init__(self, code: str, field: str, least: Decimal, nearest: Decimal) -> None:
        super().__init__(
            _("Too small: at least %(limit)s."), code=code, field=field, nearest=nearest, limit=plain(least)
        )


class TooHigh(FilterViolation):
    def __init__(self, code: str, field: str, most: Decimal, nearest: Decimal) -> None:
        super().__init__(
            _("Too large: at most %(limit)s."), code=code, field=field, nearest=nearest, limit=plain(most)
        )


class BelowMinNotional(FilterViolation):
    def __init__(self, field: str, least: Decimal, value: Decimal, nearest: Decimal | None) -> None:
        super().__init__(
            _("The order's value is %(value)s; it must be at least %(limit)s."),
            code="below_min_notional",
            field=field,
            nearest=nearest,
            limit=plain(least),
            value=plain(value),
        )


class AboveMaxNotional(FilterViolation):
    def __init__(self, field: str, most: Decimal, value: Decimal, nearest: Decimal | None) -> None:
        super().__init__(
            _("The order's value is %(value)s; it may be at most %(limit)s."),
            code="above_max_notional",
            field=field,
            nearest=nearest,
            limit=plain(most),
            value=plain(value),
        )


class FarFromMarket(FilterViolation):
    """`high` is None when the filter has no upper bound."""

    def __init__(self, low: Decimal, high: Decimal | None, nearest: Decimal) -> None:
        if high is None:
            message = _("The price is too far from the market: at least %(low)s.")
        else:
            message = _("The price is too far from the market: from %(low)s to %(high)s.")
        super().__init__(
            message,
            code="far_from_market",
            field="price",
            nearest=nearest,
            low=plain(low),
            high="" if high is None else plain(high),
        )


class OddTrailingDelta(FilterViolation):
    """Bounds and nearest value are basis points; people read percent. A `high` of zero is no bound."""

    def __init__(self, low: Decimal, high: Decimal, nearest: Decimal) -> None:
        if high:
            message = _("The trailing distance must be from %(low)s%% to %(high)s%%.")
        else:
            message = _("The trailing distance must be at least %(low)s%%.")
        super().__init__(
            message,
            code="trailing_delta",
            field="trailing_delta",
            nearest=nearest,
            low=plain(low / 100),
            high=plain(high / 100),
        )
