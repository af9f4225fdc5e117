"""The venue's own test vectors (V1–V4), and Ed25519 ones that two libraries agree on (E1–E3)."""

from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange.binance.signing import Ed25519Key, HmacKey, encode, signed_params, signed_query, socket_payload

API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
HMAC = HmacKey(API_KEY, "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j")
PRIVATE = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
FULL_WIDTH = "１２３４５６"
V1 = [
    ("symbol", "LTCBTC"), ("side", "BUY"), ("type", "LIMIT"), ("timeInForce", "GTC"), ("quantity", "1"),
    ("price", "0.1"), ("recvWindow", "5000"), ("timestamp", "1499827319559"),
]  # fmt: skip
V2 = [("symbol", FULL_WIDTH), *V1[1:]]
V3 = {
    "apiKey": API_KEY, "price": "52000.00", "quantity": "0.01000000", "recvWindow": 100, "side": "SELL",
    "symbol": "BTCUSDT", "timeInForce": "GTC", "timestamp": 1645423376532, "type": "LIMIT",
}  # fmt: skip
V4 = {
    **V3,
    "price": "0.10000000",
    "quantity": "1.00000000",
    "recvWindow": 5000,
    "side": "BUY",
    "symbol": FULL_WIDTH,
}
E1 = [
    ("symbol", "BTCUSDT"), ("side", "SELL"), ("type", "LIMIT"), ("timeInForce", "GTC"), ("quantity", "1"),
    ("price", "0.2"), ("timestamp", "1668481559918"), ("recvWindow", "5000"),
]  # fmt: skip
E1_SIGNATURE = "XtZirsmmi0noRzUfkqktvkVfxpkq/WtbLg2UOL3QGYdUBZVlqOBEMuEVw8zioY93N54NcKj9UuAXQEa9zgTDBg=="
E2_SIGNATURE = "FWYdifsZ1T+XvAR4JXeCD399kQM9CBUnEKjWb0+jS1X00g+LgvtR8uBv2T7dn1gFf9GPIhHnYlM+6vBsJOnMDA=="
E3_SIGNATURE = "Ws+5m/CMnpkko0uBFxGTZ2+fjqqBXsUjRiaz173fPhXTkhoDBYNZ6wcYNeWItdrGn1pvG7vkwx2fhmJdAZ3KDQ=="
E3_API_KEY = "4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO"


@pytest.mark.parametrize(
    ("parameters", "signature"),
    [
        (V1, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (V2, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    ],
    ids=["V1", "V2"],
)
def test_rest_payloads_are_signed_as_they_are_sent(parameters: list[tuple[str, str]], signature: str) -> None:
    assert signed_query(parameters, HMAC) == f"{encode(parameters)}&signature={signature}"


@pytest.mark.parametrize(
    ("parameters", "signature"),
    [
        (V3, "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"),
        (V4, "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd"),
    ],
    ids=["V3", "V4"],
)
def test_socket_payloads_are_sorted_and_not_encoded(parameters: dict[str, object], signature: str) -> None:
    given = {name: value for name, value in parameters.items() if name != "apiKey"}
    assert signed_params(given, HMAC)["signature"] == signature


@pytest.mark.parametrize(
    ("parameters", "signature"),
    [(E1, E1_SIGNATURE), ([("symbol", FULL_WIDTH), *E1[1:]], E2_SIGNATURE)],
    ids=["E1", "E2"],
)
def test_ed25519_signs_rest_payloads(parameters: list[tuple[str, str]], signature: str) -> None:
    signed = signed_query(parameters, Ed25519Key("key", PRIVATE))
    assert signed.endswith("&signature=" + quote(signature, safe=""))


def test_ed25519_signs_socket_payloads_e3() -> None:
    given = {name: value for name, value in V3.items() if name != "apiKey"}
    assert signed_params(given, Ed25519Key(E3_API_KEY, PRIVATE))["signature"] == E3_SIGNATURE


def test_the_payload_of_a_socket_request_is_its_sorted_parameters() -> None:
    assert socket_payload({"b": 2, "a": "x y"}) == "a=x y&b=2"


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert Ed25519Key.from_file("key", str(file)).sign(encode(E1)) == E1_SIGNATURE


def test_a_file_with_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    rsa = generate_private_key(public_exponent=65537, key_size=2048)
    file.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ValueError, match="Ed25519"):
        Ed25519Key.from_file("key", str(file))


def test_keys_do_not_show_their_secrets() -> None:
    assert "NhqPtmd" not in repr(HMAC) + str(vars(HMAC.__class__))
