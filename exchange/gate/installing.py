"""What an installation is: its account at the venue, the kind of venue it belongs to, and who its processes act as."""

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from exchange.database import rules_the_database
from exchange.errors import DomainError
from exchange.gate.errors import MightyRole, WrongVenue
from exchange.gate.models import Installation, VenueAccount
from exchange.office import services as office

if TYPE_CHECKING:
    from accounts.models import User

log = structlog.get_logger()
PRIMARY = "primary"


def ensure_primary_account() -> VenueAccount:
    """There is a row for the account whose keys the settings name."""
    return VenueAccount.objects.get_or_create(
        name=PRIMARY, defaults={"venue": settings.VENUE, "is_primary": True}
    )[0]


@transaction.atomic
def set_deposit_strategy(
    account_id: int, *, strategy: str, fallback: str, by: "User", reason: str
) -> VenueAccount:
    """Deposits are told apart this way from now on; addresses that were given stay their owners'. On record.

    Refuses a way that does not exist, the same way twice, and a change without a reason.
    """
    if strategy not in VenueAccount.Deposits.values or fallback not in ["", *VenueAccount.Deposits.values]:
        raise DomainError(_("Choose one of the ways that are offered."), field="strategy")
    if fallback == strategy:
        raise DomainError(_("Choose another way to fall back to, or none."), field="fallback")
    if not reason.strip():
        raise DomainError(_("Say why; it is kept on record."), field="reason")
    account = VenueAccount.objects.select_for_update().get(pk=account_id)
    before: dict[str, object] = {"strategies": account.deposit_strategies}
    account.deposit_strategy, account.deposit_fallback = strategy, fallback
    account.save(update_fields=["deposit_strategy", "deposit_fallback"])
    after: dict[str, object] = {"strategies": account.deposit_strategies}
    subject = ("venue_account", account.pk)
    office.record(by, "gate.deposit_strategy", *subject, before=before, after=after, reason=reason)
    return account


@transaction.atomic
def remember_venue() -> None:
    """The database knows its venue kind from its first start; raises WrongVenue for another one."""
    known = Installation.objects.get_or_create(pk=1, defaults={"venue": settings.VENUE})[0].venue
    if known != settings.VENUE:
        raise WrongVenue(
            f"this database belongs to a {known} installation and cannot be used with VENUE={settings.VENUE}"
        )


def require_modest_role() -> None:
    """The application's role cannot change the laws of the books; raises MightyRole for an owner or a superuser."""
    if rules_the_database():
        raise MightyRole(
            f"the role {settings.APP_ROLE!r} of DATABASE_URL is a superuser or acts as the tables' owner; "
            "in production a process wants the application's own role"
        )


def refuse_unfit_database() -> None:
    """Ends a process whose database is of another venue kind, or in production obeys its role: a sentence, status 2.

    A database that cannot be asked yet is no reason: the process waits for it like for everything else.
    """
    try:
        remember_venue()
        if settings.PRODUCTION:
            require_modest_role()
    except (WrongVenue, MightyRole) as error:
        print(f"causeway: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from error
    except DatabaseError as error:
        log.warning("gate.database_not_looked_at", error=type(error).__name__)


def wait_without_key(sentence: str) -> NoReturn:
    """Says once what cannot be done, and waits to be ended: whoever looks after a process would start it for ever."""
    print(f"causeway: {sentence}", file=sys.stderr, flush=True)
    while True:
        signal.pause()
