"""Which asset on which network a page is about."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from ledger import queries
from ledger.forms import RouteForm
from ledger.models import Network


def chosen_route(
    request: HttpRequest, among: QuerySet[Network] | None = None
) -> tuple[str, list[Network], Network | None]:
    """The asset in the address, its networks, and the one chosen or the only one."""
    form = RouteForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {"asset": "", "network": ""}
    networks = list(_of(among, wanted["asset"])) if wanted["asset"] else []
    chosen = next((network for network in networks if network.code == wanted["network"]), None)
    return wanted["asset"], networks, chosen or (networks[0] if len(networks) == 1 else None)


def _of(among: QuerySet[Network] | None, asset: str) -> QuerySet[Network]:
    return queries.networks(asset) if among is None else among.filter(asset_id=asset)


def route_context(request: HttpRequest, flag: str, among: QuerySet[Network] | None = None) -> dict[str, Any]:
    asset, networks, chosen = chosen_route(request, among)
    offered = queries.networks() if among is None else among
    assets = sorted({network.asset_id for network in offered if getattr(network, flag)})
    return {"asset": asset, "assets": assets, "networks": networks, "network": chosen}
