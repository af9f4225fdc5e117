"""What a market stream's socket makes of bytes: pieces of frames, fragments, pings, TLS."""

import asyncio
import datetime
import ipaddress
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exchange.binance.market_streams import MarketStreams, Pace, buffered
from tests.exchange.binance.sockets import running, until, venue

TEXT, CONTINUED, PING, LAST = 0x1, 0x0, 0x9, 0x80


def framed(payload: bytes, opcode: int = TEXT, last: int = LAST) -> bytes:
    """A frame as a server sends it (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    elif size < 1 << 16:
        length = b"\x7e" + size.to_bytes(2, "big")
    else:
        length = b"\x7f" + size.to_bytes(8, "big")
    return bytes([last | opcode]) + length + payload


def event(number: int, size: int = 0) -> bytes:
    return b'{"stream":"a@trade","data":{"n":%d,"x":"%s"}}' % (number, b"y" * size)


def frames_of(
    pieces: list[bytes], count: int, tls: ssl.SSLContext | None = None
) -> tuple[list[bytes], list[bytes]]:
    """What `on_frame` is given when the venue writes these pieces one by one, and the payloads of our pongs."""
    frames: list[bytes] = []
    pongs: list[bytes] = []

    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        asked = await socket.receive_json()
        await socket.send_json({"result": None, "id": asked["id"]})
        transport: Any = request.transport
        for piece in pieces:
            transport.write(piece)
            await asyncio.sleep(0.03)
        async for message in socket:
            if message.type == WSMsgType.PONG:
                pongs.append(bytes(message.data))

    with venue(serve, tls) as url:
        streams = MarketStreams(
            base_url=url,
            on_frame=frames.append,
            on_up=lambda names: None,
            on_down=lambda names, reason: frames.append(reason.encode()),
            on_tick=lambda: None,
            pace=Pace(first_wait=0.02),
        )
        streams.want(["a@trade"])
        with running(streams):
            until(lambda: len(frames) >= count)
            time.sleep(0.05)
    return frames, pongs


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for 127.0.0.1, signed by itself, which the client is told to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, encoding = tmp_path / "venue.pem", serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem.write_bytes(certificate.public_bytes(encoding) + key.private_bytes(encoding, *plain))
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


def cut(content: bytes, *at: int) -> list[bytes]:
    return [content[start:end] for start, end in zip((0, *at), (*at, len(content)), strict=True)]


PIECES = cut(framed(event(1, 300)) + framed(event(2)), 1, 2, 3, 4, 50, 345)


def test_a_frame_may_come_in_pieces() -> None:
    frames, _pongs = frames_of(PIECES, 2)
    assert frames == [event(1, 300), event(2)]


def test_a_frame_may_be_cut_before_a_byte_that_could_begin_another() -> None:
    """0x81 begins a text in one frame, and is the second half of some letters."""
    sent = '{"stream":"a@trade","data":"\u00c1\u0005abcde, and more"}'.encode()
    for before in (b"", framed(event(1))):
        content = before + framed(sent) + framed(event(2))
        frames, _pongs = frames_of(cut(content, content.index(b"\xc3\x81") + 1), 2 + bool(before))
        assert frames == [event(1)] * bool(before) + [sent, event(2)]


def test_many_frames_of_one_read_come_without_another() -> None:
    sent = [event(number) for number in range(1200)]
    frames, _pongs = frames_of([b"".join(map(framed, sent))], len(sent))
    assert frames == sent


def test_a_frame_may_come_in_pieces_of_tls_records(tls: ssl.SSLContext) -> None:
    frames, _pongs = frames_of(PIECES, 2, tls)
    assert frames == [event(1, 300), event(2)]


@pytest.mark.parametrize("read_bytes", [buffered.READ_BYTES, 1000])
def test_many_frames_at_once_and_large_ones_come_whole_over_tls(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, read_bytes: int
) -> None:
    monkeypatch.setattr(buffered, "READ_BYTES", read_bytes)
    sent = [event(number, 150) for number in range(3000)] + [event(3000, 1_000_000), event(3001)]
    frames, _pongs = frames_of([b"".join(map(framed, sent))], len(sent), tls)
    assert frames == sent


def test_a_venue_that_nobody_vouches_for_is_not_listened_to(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEBSOCKET_CLIENT_CA_BUNDLE")
    frames: list[bytes] = []

    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        frames.append(b"it was let in")

    with venue(serve, tls) as url:
        streams = MarketStreams(
            base_url=url,
            on_frame=frames.append,
            on_up=lambda names: None,
            on_down=lambda names, reason: None,
            on_tick=lambda: None,
            pace=Pace(first_wait=0.02),
        )
        streams.want(["a@trade"])
        with running(streams):
            time.sleep(0.3)
    assert frames == []


def test_fragments_are_put_together_and_pings_between_them_answered_with_their_payload() -> None:
    whole = event(1, 40)
    pieces = [
        framed(whole[:10], last=0) + framed(b"first", PING) + framed(whole[10:20], CONTINUED, last=0),
        framed(b"second", PING),
        framed(whole[20:], CONTINUED) + framed(event(2)),
    ]
    frames, pongs = frames_of(pieces, 2)
    assert frames == [whole, event(2)]
    assert pongs == [b"first", b"second"]


@pytest.mark.parametrize(
    "nonsense", [framed(b"", 0x3), framed(b"loose", CONTINUED), framed(b"x" * 200, PING), b"\xf1\x00"]
)
def test_what_is_not_the_protocol_ends_the_connection_and_another_is_made(nonsense: bytes) -> None:
    frames, _pongs = frames_of([framed(event(1)) + nonsense], 3)
    assert frames[0] == event(1)
    assert not frames[1].startswith(b"{")
    assert frames[2] == event(1)
