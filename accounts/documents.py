"""Uploaded proofs: looked at by their content, made harmless, kept encrypted outside every web root."""

import contextlib
import os
import uuid
import warnings
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, UnidentifiedImageError

from accounts import secrets
from accounts.errors import DocumentRefused

MOST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 50_000_000
# Pictures are kept no larger than a person needs to read them.
LONGEST_SIDE = 3000
JPEG_QUALITY = 88
PDF_TAIL = 2048


@dataclass(frozen=True)
class Proof:
    """What may be kept: for a picture not the upload but a fresh drawing of it, without its hidden parts."""

    content: bytes
    content_type: str

    @property
    def digest(self) -> str:
        return sha256(self.content).hexdigest()


def inspect(content: bytes) -> Proof:
    """The upload as a proof; refuses what is too large, empty, or neither JPEG, PNG nor PDF by its content."""
    if len(content) > MOST_BYTES:
        raise DocumentRefused(_("This file is larger than 8 MB."), field="file")
    if content.startswith(b"%PDF-"):
        return _pdf(content)
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        return Proof(_redrawn(content), "image/jpeg")
    raise DocumentRefused(field="file")


def _pdf(content: bytes) -> Proof:
    if b"%%EOF" not in content[-PDF_TAIL:]:
        raise DocumentRefused(_("This PDF is incomplete."), field="file")
    return Proof(content, "application/pdf")


def _redrawn(content: bytes) -> bytes:
    try:
        with warnings.catch_warnings():
            # Our own limit speaks; Pillow's warning at a higher one would only go to the log.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            _require_readable(content)
            return _draw_again(content)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DocumentRefused(_("This picture is damaged and cannot be read."), field="file") from error


def _require_readable(content: bytes) -> None:
    with Image.open(BytesIO(content), formats=("JPEG", "PNG")) as image:
        if image.width * image.height > MOST_PIXELS:
            raise DocumentRefused(
                _("This picture has too many pixels. Send at most 50 megapixels."), field="file"
            )
        image.verify()


def _draw_again(content: bytes) -> bytes:
    drawn = BytesIO()
    with Image.open(BytesIO(content), formats=("JPEG", "PNG")) as image:
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(image).convert("RGB")
        # On a fresh sheet: an image carries its comments and places along into what it is saved as.
        sheet = Image.new("RGB", upright.size)
        sheet.paste(upright)
        sheet.save(drawn, "JPEG", quality=JPEG_QUALITY)
    return drawn.getvalue()


def keep(proof: Proof) -> str:
    """The proof lies encrypted on disk, under the random name given back."""
    name = uuid.uuid4().hex
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.encrypt(proof.content))
        file.flush()
        os.fsync(file.fileno())
    return name


def load(name: str) -> bytes:
    """The proof as it was kept."""
    return secrets.decrypt((_folder() / name).read_bytes())


def forget(name: str) -> None:
    """The file is gone; nothing happens when it was already."""
    with contextlib.suppress(FileNotFoundError):
        (_folder() / name).unlink()


def _folder() -> Path:
    return Path(settings.PRIVATE_DIR) / "documents"
