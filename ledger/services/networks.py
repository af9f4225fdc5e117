"""The networks assets travel on, as the venue describes them."""

from django.conf import settings
from django.utils import timezone

from exchange.binance.wallet import CoinConfig, NetworkConfig
from exchange.gate import services as gate
from ledger.models import Network
from markets.models import Asset


def has_wallet() -> bool:
    """Testnet and demo have no wallet: nothing can be deposited or withdrawn there."""
    return bool(settings.BINANCE_SAPI_URL and gate.key_of(gate.primary_account()))


def synchronise_networks() -> int:
    """Every network of every asset we list is as the venue says; gives how many."""
    if not has_wallet():
        return 0
    coins = gate.call(gate.primary_account(), gate.Kind.WALLET, None, lambda rest: rest.capital_config())
    known = set(Asset.objects.values_list("code", flat=True))
    return sum(_store(coin) for coin in coins if coin.asset in known)


def synchronise_first_networks() -> int:
    """A new installation knows its networks as soon as its assets: deposits do not wait for the minute's sweep."""
    if Network.objects.exists() or not Asset.objects.exists():
        return 0
    return synchronise_networks()


def _store(coin: CoinConfig) -> int:
    now = timezone.now()
    for config in coin.networks:
        Network.objects.update_or_create(
            asset_id=coin.asset, code=config.network, defaults={**_fields(config), "seen_at": now}
        )
    gone = Network.objects.filter(asset_id=coin.asset).exclude(
        code__in=[item.network for item in coin.networks]
    )
    gone.update(deposit_enabled=False, withdraw_enabled=False)
    if coin.name:
        Asset.objects.filter(code=coin.asset, name="").update(name=coin.name[:80])
    return len(coin.networks)


def _fields(config: NetworkConfig) -> dict[str, object]:
    return {
        "name": config.name[:80],
        "is_default": config.is_default,
        "deposit_enabled": config.deposit_enabled,
        "withdraw_enabled": config.withdraw_enabled,
        "deposit_note": config.deposit_note[:300],
        "withdraw_note": config.withdraw_note[:300],
        "needs_tag": config.needs_tag,
        "address_regex": config.address_regex[:500],
        "tag_regex": config.tag_regex[:500],
        "withdraw_fee": config.withdraw_fee,
        "withdraw_min": config.withdraw_min,
        "withdraw_max": config.withdraw_max,
        "withdraw_multiple": config.withdraw_multiple,
        "confirmations": config.confirmations,
        "unlock_confirmations": config.unlock_confirmations,
        "deposit_min": config.deposit_min,
        "arrival_minutes": config.arrival_minutes,
    }
