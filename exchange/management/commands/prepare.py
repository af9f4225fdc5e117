"""`manage.py prepare`: the owner brings the schema up to date and leaves the application its rights."""

import re
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections, transaction
from django.db.backends.utils import CursorWrapper

from exchange.errors import DomainError
from exchange.gate import services as gate

# The functions always in their latest form, then who may call them and write what.
AFTER_MIGRATIONS = (
    "ledger/sql/post.sql",
    "ledger/sql/seal.sql",
    "ledger/sql/privileges.sql",
    "orders/sql/privileges.sql",
)
CREATED = re.compile(r"CREATE OR REPLACE FUNCTION (\w+)")
TABLE_RIGHTS, SEQUENCE_RIGHTS = "SELECT, INSERT, UPDATE, DELETE", "USAGE, SELECT"


class Command(BaseCommand):
    help = "As the owner: migrate and grant the application role its rights; then remember the venue's kind."
    # The checks look at the database as the application, which has no rights yet on the first start.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in connections.databases:
            raise CommandError(
                "DATABASE_OWNER_URL is missing; only the owner can prepare the database.", returncode=2
            )
        try:
            self._migrate()
            gate.remember_venue()
            gate.ensure_primary_account()
        except DatabaseError as error:
            raise CommandError(
                f"the database refuses: {' '.join(str(error).split())}", returncode=2
            ) from error
        except DomainError as error:
            raise CommandError(str(error), returncode=2) from error

    def _migrate(self) -> None:
        with connections["owner"].cursor() as cursor:
            _require_modest_role(cursor)
            app = connections["owner"].ops.quote_name(settings.APP_ROLE)
            _default_rights(cursor, app)
        call_command("migrate", database="owner", interactive=False, verbosity=0)
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            _rights_on_what_exists(cursor, app)
            texts = [(settings.BASE_DIR / name).read_text() for name in AFTER_MIGRATIONS]
            _drop_functions(cursor, CREATED.findall("".join(texts)))
            for text in texts:
                cursor.execute(text.replace(":app", app))


def _drop_functions(cursor: CursorWrapper, names: list[str]) -> None:
    """Earlier forms give way first: what a function takes and gives cannot be replaced."""
    cursor.execute(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND proname = ANY (%s)",
        [names],
    )
    for (signature,) in cursor.fetchall():
        cursor.execute(f"DROP FUNCTION {signature}")


def _require_modest_role(cursor: CursorWrapper) -> None:
    """The application's role is not the owner's and rules nothing."""
    cursor.execute(
        "SELECT rolsuper, rolname = current_user FROM pg_roles WHERE rolname = %s", [settings.APP_ROLE]
    )
    found = cursor.fetchone()
    if found is None:
        raise CommandError(
            f"the role {settings.APP_ROLE!r} of DATABASE_URL does not exist in the database.", returncode=2
        )
    if any(found):
        raise CommandError(
            f"the role {settings.APP_ROLE!r} of DATABASE_URL is a superuser or the owner itself; "
            "the application needs a role of its own.",
            returncode=2,
        )


def _default_rights(cursor: CursorWrapper, app: str) -> None:
    cursor.execute(f"GRANT USAGE ON SCHEMA public TO {app}")
    for what, rights in (("TABLES", TABLE_RIGHTS), ("SEQUENCES", SEQUENCE_RIGHTS)):
        cursor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON {what} TO {app}")


def _rights_on_what_exists(cursor: CursorWrapper, app: str) -> None:
    for what, rights in (("TABLES", TABLE_RIGHTS), ("SEQUENCES", SEQUENCE_RIGHTS)):
        cursor.execute(f"GRANT {rights} ON ALL {what} IN SCHEMA public TO {app}")
    cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {app}")
