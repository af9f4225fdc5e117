"""What the gate refuses."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotFound, Text, Unavailable


class WrongVenue(DomainError):
    """The database belongs to an installation of another venue kind."""

    code = "wrong_venue"


class MightyRole(DomainError):
    """The process would hold rights that only the preparation of the database needs."""

    code = "mighty_role"


class ListenKeysGone(Exception):
    """The venue is one of those that serve no listen keys any more."""

    is_alarm = True

    def __init__(self) -> None:
        super().__init__("the venue no longer offers listen keys (410 Gone); set BINANCE_USER_STREAM=ws_api")


class Stopped(Unavailable):
    """Staff have stopped new orders; it says which, and what customers may know of the reason."""

    code = "trading_stopped"
    with_reason = _("%(what)s %(reason)s")
    sentences: dict[str, Text] = {
        "EVERYTHING": _("We have stopped all new orders for the moment; open orders can be canceled."),
        "MARKET": _("We have stopped new orders in %(market)s for the moment; open orders can be canceled."),
        "BUY": _("We have stopped new purchases for the moment; open orders can be canceled."),
        "SELL": _("We have stopped new sales for the moment; open orders can be canceled."),
        "BUY MARKET": _(
            "We have stopped new purchases in %(market)s for the moment; open orders can be canceled."
        ),
        "SELL MARKET": _(
            "We have stopped new sales in %(market)s for the moment; open orders can be canceled."
        ),
        "CUSTOMER": _(
            "We have stopped new orders of this account for the moment; open orders can be canceled, and support"
            " will tell more."
        ),
        "API": _("We have stopped orders by the API for the moment; the website takes them."),
        "CANCEL_ONLY": _("For the moment orders can only be canceled."),
        "CANCEL_ONLY MARKET": _("For the moment orders in %(market)s can only be canceled."),
    }

    def __init__(self, *, scope: str, market: str = "", side: str = "", reason: str = "") -> None:
        kind = side or scope
        named = f"{kind} MARKET" if market and kind != "MARKET" else kind
        self._what, self._words, self._reason = self.sentences[named], {"market": market}, reason
        super().__init__()

    def __str__(self) -> str:
        what = str(self._what) % self._words
        return str(self.with_reason) % {"what": what, "reason": self._reason} if self._reason else what


class AlreadyStopped(Conflict):
    code = "already_stopped"
    message = _("A switch for exactly this stands already.")


class AlreadyReleased(Conflict):
    code = "already_released"
    message = _("This switch does not stand any more.")


class ReleaseAsked(Conflict):
    code = "release_asked"
    message = _("Its release was asked for already; somebody else has to confirm it.")


class ReleaseNotAsked(Conflict):
    code = "release_not_asked"
    message = _("Nobody has asked for its release yet.")


class UnknownSwitch(NotFound):
    code = "unknown_switch"


class NoKeysSecret(DomainError):
    code = "no_keys_secret"
    message = _("VENUE_KEYS_SECRET (or its file) is missing; keys cannot be kept or opened without it.")


class CannotOpen(DomainError):
    """None of the secrets opens it, or it was sealed for another account."""

    code = "cannot_open"
    message = _("The key of this account cannot be opened with any secret of VENUE_KEYS_SECRET.")


class OddKey(DomainError):
    code = "odd_key"
    message = _("That is no key as the venue gives them: letters and digits, 128 at most.")


class OddProxy(DomainError):
    code = "odd_proxy"
    message = _("A proxy looks like http://host:port, without a name or a password in it.")


class OddName(DomainError):
    code = "odd_name"
    message = _("A name has up to 32 small letters, digits and dashes, and no other account has it.")


class NoAccount(Unavailable):
    """No venue account can take the order: the house's problem, and not the customer's."""

    code = "cannot_be_executed"
    message = _("This order cannot be executed at the moment; nothing was placed. Please try again later.")

    def __init__(self, *, asset: str, amount: Decimal, is_short: bool) -> None:
        """`is_short`: there are accounts that take orders, and none has enough."""
        self.asset, self.amount, self.is_short = asset, amount, is_short
        super().__init__()
