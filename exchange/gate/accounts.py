"""The accounts we have at the venue: added by whoever runs the processes, enabled and disabled by staff, on record."""

import re
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from exchange.environment import proxy_parts
from exchange.errors import DomainError
from exchange.gate import keys
from exchange.gate.errors import OddName, OddProxy
from exchange.gate.models import VenueAccount
from exchange.office import services as office

if TYPE_CHECKING:
    from accounts.models import User

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def add_account(name: str, *, reason: str, by: "User | None" = None) -> VenueAccount:
    """There is another account, which takes no orders until it has a key and staff enable it. On record."""
    if not NAME.fullmatch(name) or VenueAccount.objects.filter(name=name).exists():
        raise OddName(field="name")
    _require(reason)
    with transaction.atomic():
        account = VenueAccount.objects.create(name=name, venue=settings.VENUE, is_enabled=False)
        office.record(
            by, "gate.account_added", "venue_account", account.pk, after={"name": name}, reason=reason
        )
    return account


def enable_account(account_id: int, *, reason: str, by: "User | None" = None) -> None:
    """The account takes new orders. On record."""
    _set_enabled(account_id, True, reason, by)


def disable_account(account_id: int, *, reason: str, by: "User | None" = None) -> None:
    """The account takes no new orders; what is open in it can be canceled and is followed to its end. On record."""
    _set_enabled(account_id, False, reason, by)


def _set_enabled(account_id: int, is_enabled: bool, reason: str, by: "User | None") -> None:
    _require(reason)
    with transaction.atomic():
        account = VenueAccount.objects.select_for_update().get(pk=account_id)
        if account.is_enabled == is_enabled:
            raise DomainError(_("That is so already."))
        account.is_enabled = is_enabled
        account.save(update_fields=["is_enabled"])
        act = "gate.account_enabled" if is_enabled else "gate.account_disabled"
        office.record(by, act, "venue_account", account.pk, reason=reason)


def set_proxy(account_id: int, *, proxy: str, reason: str, by: "User | None" = None) -> None:
    """The account's calls and its stream leave by http://host:port from now on; empty: directly. On record."""
    if proxy and proxy_parts(proxy) is None:
        raise OddProxy(field="proxy")
    keys.set_proxy(account_id, proxy=proxy, reason=reason, by=by)


def _require(reason: str) -> None:
    if not reason.strip():
        raise DomainError(_("Say why; it is kept on record."), field="reason")
