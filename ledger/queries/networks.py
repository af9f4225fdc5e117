"""The ways an asset can travel."""

from typing import TYPE_CHECKING

from django.db.models import QuerySet

from ledger.errors import UnknownNetwork
from ledger.models import (
    Network,
)

if TYPE_CHECKING:
    pass


def network(asset: str, code: str) -> Network:
    """Raises UnknownNetwork."""
    found = Network.objects.filter(asset_id=asset, code=code).first()
    if found is None:
        raise UnknownNetwork(field="network")
    return found


def networks(asset: str | None = None) -> QuerySet[Network]:
    """The ways an asset can travel, the venue's default first."""
    found = Network.objects.order_by("asset_id", "-is_default", "code")
    return found.filter(asset_id=asset) if asset else found
