"""Uploads of every sort: readable ones, dangerous ones, broken ones."""

import struct
import zlib
from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 400), **options: object) -> bytes:
    drawn = BytesIO()
    Image.new("RGB", size, (90, 120, 160)).save(drawn, kind, **options)
    return drawn.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few bytes that says it is 900 megapixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def upload(content: bytes, name: str = "passport.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)
