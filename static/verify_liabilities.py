"""Checks a proof of liabilities: python verify_liabilities.py proof.json [the published root]

It needs Python 3.10 and nothing else. How the tree is made stands in `ledger/proof.py` of the exchange's source.
"""

import hashlib
import json
import re
import sys


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def check(is_right, sentence):
    if not is_right:
        raise ValueError(sentence)


def in_range(amount):
    check(0 <= amount < 2**127, "an amount or a sum is negative or too large")
    return amount


def units(text):
    """A plain decimal text in units of 10^-18."""
    check(
        isinstance(text, str) and re.fullmatch(r"[0-9]{1,21}(\.[0-9]{1,18})?", text), f"{text!r} is no amount"
    )
    whole, _, rest = text.partition(".")
    return in_range(int(whole + rest.ljust(18, "0")))


def record(digest, amounts, assets):
    check(len(digest) == 32 and len(amounts) == len(assets), "a hash or a vector has a wrong length")
    return digest + b"".join(amount.to_bytes(16, "big") for amount in amounts)


def verify(proof, published):
    """Raises ValueError unless the customer's amounts are part of the totals under the published root."""
    check(proof["format"] == "causeway-liabilities-1", "this is another format")
    assets, position, nonce = proof["assets"], proof["position"], bytes.fromhex(proof["nonce"])
    sums = [units(text) for text in proof["amounts"]]
    customer = sha256(b"\x03", proof["customer"].to_bytes(8, "big"), nonce)
    here = record(sha256(b"\x00", record(customer, sums, assets)), sums, assets)
    for step in proof["path"]:
        amounts = [units(text) for text in step["sums"]]
        beside = record(bytes.fromhex(step["hash"]), amounts, assets)
        sums = [in_range(mine + theirs) for mine, theirs in zip(sums, amounts, strict=True)]
        here = record(sha256(b"\x01", *((beside, here) if position & 1 else (here, beside))), sums, assets)
        position >>= 1
    named = b"".join(bytes([len(code.encode())]) + code.encode() for code in assets)
    root = sha256(b"\x04", len(assets).to_bytes(2, "big"), named, here).hex()
    check(position == 0 and root == published, f"the path leads to the root {root}, not to {published}")
    check(sums == [units(text) for text in proof["totals"]], "the sums at the root are not the totals")


def main(path, *roots):
    with open(path, encoding="utf-8") as file:
        proof = json.load(file)
    verify(proof, roots[0].strip().lower() if roots else proof["root"])
    owed = [
        f"{text} {asset}"
        for text, asset in zip(proof["amounts"], proof["assets"], strict=True)
        if units(text)
    ]
    print(
        f"VERIFIED: the published totals count {', '.join(owed) or 'nothing'} for customer {proof['customer']}."
    )
    print(
        "Totals:",
        ", ".join(f"{text} {asset}" for text, asset in zip(proof["totals"], proof["assets"], strict=True)),
    )
    print(
        "Root:", proof["root"], "" if roots else "(compare it with the published one, or give that as well)"
    )


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (AttributeError, KeyError, OSError, OverflowError, TypeError, ValueError) as error:
        sys.exit(f"NOT VERIFIED: {error}")
