"""Assets in which the books and the venue differ by too much take no new orders and withdrawals."""

from ledger import queries
from ledger.errors import AssetStopped


def require_asset_open(*assets: str) -> None:
    """Refuses an asset in which an unexplained difference above the limit stands; canceling never asks."""
    stopped = queries.stopped_assets()
    for asset in assets:
        if asset in stopped:
            raise AssetStopped(asset=asset)
