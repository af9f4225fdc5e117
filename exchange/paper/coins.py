"""The coins and networks of the wallet, in the shape of the real capital configuration."""

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange.paper.accounts import Account, text
from exchange.paper.errors import ApiError

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@dataclass(frozen=True)
class Network:
    """One way of a coin. Credited after `confirmations`; free to leave again after `unlock` of them."""

    code: str
    name: str
    regex: str
    start: str  # how addresses begin
    length: int
    alphabet: str
    confirmations: int
    unlock: int
    fee: str
    least: str
    multiple: str = "0.00000001"
    memo: str = ""

    @property
    def dust(self) -> str:
        """The smallest deposit that is credited."""
        return text(1000 * Decimal(self.multiple))

    def address(self, seed: str) -> str:
        """The same address each time for the same seed."""
        number = int(hashlib.sha512(seed.encode()).hexdigest(), 16)
        letters = ""
        while len(self.start + letters) < self.length:
            number, rest = divmod(number, len(self.alphabet))
            letters += self.alphabet[rest]
        return self.start + letters

    def accepts(self, address: str) -> bool:
        return re.fullmatch(self.regex, address) is not None


def _evm(
    code: str, name: str, fee: str, least: str, confirmations: int, multiple: str = "0.00000001"
) -> Network:
    regex = "^(0x)[0-9A-Fa-f]{40}$"
    unlock = 64 if code == "ETH" else confirmations
    return Network(
        code, name, regex, "0x", 42, "0123456789abcdef", confirmations, unlock, fee, least, multiple
    )


def _tron(name: str, fee: str, least: str, multiple: str) -> Network:
    return Network("TRX", name, "^T[1-9A-HJ-NP-Za-km-z]{33}$", "T", 34, ALPHABET, 1, 1, fee, least, multiple)


BSC, ERC20 = "BNB Smart Chain (BEP20)", "Ethereum (ERC20)"
COINS: dict[str, tuple[str, tuple[Network, ...]]] = {
    "USDT": ("TetherUS", (
        _tron("Tron (TRC20)", "1", "10", "0.000001"), _evm("ETH", ERC20, "4", "10", 6, "0.000001"),
        _evm("BSC", BSC, "0.3", "10", 5))),
    "BTC": ("Bitcoin", (
        Network("BTC", "Bitcoin", "^[13][a-km-zA-HJ-NP-Z1-9]{25,34}$|^[(bc1q)|(bc1p)][0-9A-Za-z]{37,62}$", "bc1q", 42,
                BECH32, 1, 2, "0.00015", "0.001"),
        _evm("BSC", BSC, "0.0000066", "0.0000132", 5))),
    "ETH": ("Ethereum", (_evm("ETH", ERC20, "0.0012", "0.01", 6), _evm("BSC", BSC, "0.000056", "0.00011", 5))),
    "BNB": ("BNB", (_evm("BSC", BSC, "0.0005", "0.01", 5),)),
    "SOL": ("Solana", (Network("SOL", "Solana", "^[1-9A-HJ-NP-Za-km-z]{32,44}$", "", 44, ALPHABET, 1, 1, "0.005",
                               "0.1"),)),
    "XRP": ("XRP", (Network("XRP", "XRP", "^r[1-9A-HJ-NP-Za-km-z]{25,34}$", "r", 34, ALPHABET, 1, 1, "0.2", "20",
                            "0.000001", "^((?!0)[0-9]{1,10})$"),)),
    "ADA": ("Cardano", (Network("ADA", "Cardano", "^(([0-9A-Za-z]{57,59})|([0-9A-Za-z]{100,104}))$", "addr1", 58,
                                BECH32, 30, 30, "0.8", "2", "0.000001"),)),
    "DOGE": ("Dogecoin", (Network("DOGE", "dogecoin", "^(D|A|9)[a-km-zA-HJ-NP-Z1-9]{33,34}$", "D", 34, ALPHABET, 50,
                                  50, "4", "10"),)),
    "TRX": ("TRON", (_tron("Tron (TRC20)", "1", "2", "0.000001"),)),
    "LTC": ("Litecoin", (Network("LTC", "Litecoin", "^(L|M)[A-Za-z0-9]{33}$|^(ltc1)[0-9A-Za-z]{39}$", "L", 34,
                                 ALPHABET, 3, 4, "0.0001", "0.002"),)),
    "LINK": ("ChainLink", (_evm("ETH", ERC20, "0.3", "0.6", 6), _evm("BSC", BSC, "0.013", "0.026", 5))),
    "AVAX": ("Avalanche", (_evm("AVAXC", "AVAX C-Chain", "0.008", "0.016", 12),)),
    "DOT": ("Polkadot", (Network("DOT", "Polkadot", "^(1)[0-9a-z-A-Z]{44,50}$", "1", 47, ALPHABET, 1, 1, "0.08",
                                 "1.5"),)),
    # A coin without a market, on a network whose addresses many share.
    "ATOM": ("Cosmos", (Network("ATOM", "Cosmos", "^(cosmos1)[0-9a-z]{38}$", "cosmos1", 45, BECH32, 2, 4, "0.01", "0.2",
                                "0.000001", "^[0-9A-Za-z\\-_]{1,120}$"),)),
}  # fmt: skip


def find(coin: str, code: str) -> Network:
    """The coin's network; its default without a code."""
    networks = COINS.get(coin, ("", ()))[1]
    if not networks:
        raise ApiError(-4018, "We do not have the currency.")
    found = next((network for network in networks if code in ("", network.code)), None)
    if found is None:
        raise ApiError(-4019, "The current currency is not open for withdrawal on this network.")
    return found


def configuration(account: Account, withdrawing: dict[str, Decimal]) -> list[dict[str, Any]]:
    """GET /sapi/v1/capital/config/getall."""
    return [
        {
            "coin": coin,
            "depositAllEnable": True,
            "withdrawAllEnable": True,
            "name": name,
            "free": text(account.balance(coin).free),
            "locked": text(account.balance(coin).locked),
            "freeze": "0",
            "withdrawing": text(withdrawing.get(coin, Decimal(0))),
            "ipoing": "0",
            "ipoable": "0",
            "storage": "0",
            "isLegalMoney": False,
            "trading": True,
            "networkList": [_shown(coin, network, network is networks[0]) for network in networks],
        }
        for coin, (name, networks) in COINS.items()
    ]


def _shown(coin: str, network: Network, is_default: bool) -> dict[str, Any]:
    return {
        "network": network.code,
        "coin": coin,
        "withdrawIntegerMultiple": network.multiple,
        "isDefault": is_default,
        "depositEnable": True,
        "withdrawEnable": True,
        "depositDesc": "",
        "withdrawDesc": "",
        "specialTips": "",
        "name": network.name,
        "resetAddressStatus": False,
        "addressRegex": network.regex,
        "memoRegex": network.memo,
        "withdrawFee": network.fee,
        "withdrawMin": network.least,
        "withdrawMax": "9999999",
        "withdrawInternalMin": network.multiple,
        "depositDust": network.dust,
        "minConfirm": network.confirmations,
        "unLockConfirm": network.unlock,
        "sameAddress": bool(network.memo),
        "withdrawTag": bool(network.memo),
        "estimatedArrivalTime": 1,
        "busy": False,
        "contractAddressUrl": "",
        "contractAddress": "",
        "denomination": 1,
    }
