"""Fields the rows of orders are made of."""

from django.db import models


def amount_field(**options: object) -> models.DecimalField:
    return models.DecimalField(max_digits=38, decimal_places=18, **options)  # type: ignore[arg-type]
