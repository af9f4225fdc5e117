"""The column type of money, and that of transactions."""

from typing import Any

from django.db import models


def amount_field(**options: object) -> models.DecimalField:
    """38 digits, 18 of them decimals; the database refuses NaN by name where it matters."""
    return models.DecimalField(max_digits=38, decimal_places=18, **options)  # type: ignore[arg-type]


class Xid8Field(models.Field):
    """A transaction id of PostgreSQL that never begins anew (`xid8`); a whole number here."""

    def db_type(self, connection: object) -> str:
        return "xid8"

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(int(value))
