"""A socket as websocket-client wants one: with a read buffer, and sends that never wait."""

import errno
import socket
import ssl

READ_BYTES = 64 * 1024
MOST_UNSENT = 1024 * 1024
# RFC 6455, 5.2: the first byte of a text in one frame, and the lengths that stand for a longer one.
TEXT_IN_ONE, LENGTH_IN_TWO, ALL_LENGTHS = 0x81, 126, 125


class Buffered:
    """Stands in as `sock` of a connected WebSocket.

    The library reads a frame in three pieces; here most of them come out of one read of many frames. Of a busy stream
    nearly all are alike, and those are cut out here in one step; the rest is left to it.
    """

    def __init__(self, raw: socket.socket) -> None:
        raw.setblocking(False)
        self._raw = raw
        self._chunk, self._at = b"", 0
        self._unsent = bytearray()

    def fileno(self) -> int:
        return self._raw.fileno()

    def gettimeout(self) -> int:
        return 0  # never waits

    @property
    def is_drained(self) -> bool:
        """Another read would find nothing: a short one took all that there was, also of a TLS record (16 KiB)."""
        return self._at >= len(self._chunk) and len(self._chunk) < READ_BYTES

    def recv(self, size: int) -> bytes:
        """At most so many bytes, none at the end of the connection; BlockingIOError when nothing has come."""
        at = self._at
        if at >= len(self._chunk):
            try:
                self._chunk = self._raw.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                raise BlockingIOError(errno.EAGAIN, "nothing has come") from error
            at = 0
        self._at = at + size
        return self._chunk[at : at + size]

    def plain_text(self) -> bytes | None:
        """The next message when it has come whole, is text in one frame of at most 65,535 bytes, and not masked; None
        when the library is to read it. To be asked between two messages."""
        chunk, at = self._chunk, self._at
        begin, end = at + 2, len(chunk)
        if begin > end or chunk[at] != TEXT_IN_ONE:
            return None
        size = chunk[at + 1]
        if size == LENGTH_IN_TWO and begin + 2 <= end:
            size = chunk[begin] << 8 | chunk[begin + 1]
            begin += 2
        elif size > ALL_LENGTHS:
            return None
        if begin + size > end:
            return None
        self._at = begin + size
        return chunk[begin : begin + size]

    def send(self, content: bytes) -> int:
        """Takes all of it; what the system does not take now goes out with the next `flush`."""
        self._unsent += content
        self.flush()
        if len(self._unsent) > MOST_UNSENT:
            raise OSError(errno.ENOBUFS, "the venue takes nothing any more")
        return len(content)

    def flush(self) -> None:
        while self._unsent:
            try:
                sent = self._raw.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del self._unsent[:sent]

    def close(self) -> None:
        self._raw.close()
