"""Checksums inside addresses: a mistyped letter is found before the money is gone. Pure; from the chains' own rules.

Base58Check (Bitcoin), bech32 and bech32m (BIP 173 and 350), EIP-55 (mixed case of Ethereum's addresses).
"""

import hashlib
import re

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
RIPPLE = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
# Networks, by the venue's names, whose plain addresses carry a Base58Check sum.
BASE58_NETWORKS = {"BTC": BASE58, "LTC": BASE58, "DOGE": BASE58, "TRX": BASE58, "XRP": RIPPLE}
_SEGWIT = re.compile(r"(bc|ltc)1[02-9ac-hj-np-z]{11,87}", re.IGNORECASE)
_HEX = re.compile(r"0x[0-9a-fA-F]{40}")
_CHECKSUMS = (1, 0x2BC830A3)  # bech32, bech32m


def is_mistyped(network: str, address: str) -> bool:
    """True when the address carries a checksum that is known for its kind and does not fit the rest."""
    if _HEX.fullmatch(address):
        return not is_eip55(address)
    if network in ("BTC", "LTC") and _SEGWIT.fullmatch(address):
        return not is_bech32(address)
    alphabet = BASE58_NETWORKS.get(network)
    return alphabet is not None and not is_base58check(address, alphabet)


def is_base58check(text: str, alphabet: str = BASE58) -> bool:
    """The last four of 25 bytes are the double SHA-256 of the others."""
    number = 0
    for letter in text:
        digit = alphabet.find(letter)
        if digit < 0:
            return False
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    raw = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    return len(raw) == 25 and hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def is_bech32(text: str) -> bool:
    """The polynomial of BIP 173 over the whole address; one case only."""
    if text not in (text.lower(), text.upper()):
        return False
    prefix, _one, rest = text.lower().rpartition("1")
    values = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    values += [BECH32.index(letter) for letter in rest]
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    # Version 0 is bech32, all later ones are bech32m.
    return check == _CHECKSUMS[BECH32.index(rest[0]) > 0]


def is_eip55(address: str) -> bool:
    """Letters in one case carry no checksum; in mixed case each is upper where the hash's digit is above seven."""
    letters = address[2:]
    if letters in (letters.lower(), letters.upper()):
        return True
    digest = keccak256(letters.lower().encode()).hex()
    return all(
        letter.isdecimal() or letter.isupper() == (int(digit, 16) > 7)
        for letter, digit in zip(letters, digest, strict=False)
    )


# ------------------------------------------------------------------ Keccak-256; hashlib has only its later form
_MASK = (1 << 64) - 1
_ROTATIONS = (1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44)
_LANES = (10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1)


def _round_constants() -> list[int]:
    """From the linear feedback register of FIPS 202, 3.2.5."""
    found, register = [], 1
    for _round in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << (1 << power) - 1
            register = register << 1 ^ (0x171 if register >> 7 else 0)
        found.append(constant)
    return found


_ROUNDS = _round_constants()


def keccak256(message: bytes) -> bytes:
    """The hash Ethereum uses: the sponge of SHA-3 with the padding of its first publication."""
    rate = 136
    padded = bytearray(message) + b"\x01" + bytes(-(len(message) + 1) % rate)
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), rate):
        for lane in range(rate // 8):
            state[lane] ^= int.from_bytes(padded[start + 8 * lane : start + 8 * lane + 8], "little")
        _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _permute(state: list[int]) -> None:
    for constant in _ROUNDS:
        columns = [state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5)]
        for x in range(5):
            mixed = columns[(x + 4) % 5] ^ _rotated(columns[(x + 1) % 5], 1)
            for y in range(0, 25, 5):
                state[x + y] ^= mixed
        moving = state[1]
        for lane, turn in zip(_LANES, _ROTATIONS, strict=True):
            state[lane], moving = _rotated(moving, turn), state[lane]
        for y in range(0, 25, 5):
            row = state[y : y + 5]
            for x in range(5):
                state[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & _MASK)
        state[0] ^= constant


def _rotated(lane: int, turn: int) -> int:
    return (lane << turn | lane >> 64 - turn) & _MASK
