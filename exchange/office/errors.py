"""What the office refuses."""

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, NotAllowed, NotFound


class AlreadyDecided(Conflict):
    code = "already_decided"
    message = _("This request was decided already.")


class OwnRequest(NotAllowed):
    code = "own_request"
    message = _("Somebody else must decide what you asked for.")


class OwnMoney(NotAllowed):
    code = "own_money"
    message = _("Nobody decides about money of their own.")


class UnknownApproval(NotFound):
    code = "unknown_approval"
