"""No request may be larger than what any form of ours needs, whatever its reader does with it."""

from typing import IO

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

# Well above the largest file that is accepted, so that a person who sends one too large still gets a sentence.
MOST_BYTES = 24 * 1024 * 1024


class Bounded(FileUploadHandler):
    """Refuses before the first byte is read; everything else is left to the handlers after it."""

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: dict[str, str],
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        if content_length > MOST_BYTES:
            raise RequestDataTooBig("a request body larger than any form of ours needs")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile | None:
        return None
