"""The one column type of money."""

from django.db import models


def amount_field(**options: object) -> models.DecimalField:
    """38 digits, 18 of them decimals; the database refuses NaN by name where it matters."""
    return models.DecimalField(max_digits=38, decimal_places=18, **options)  # type: ignore[arg-type]
