"""Connections are made in threads of their own, so that a slow one stops nobody; and not too many of them."""

import threading

import websocket


class Attempts:
    """At most so many connections within so many seconds, over all sockets."""

    def __init__(self, most: int, within: float) -> None:
        self._most, self.within = most, within
        # When they were made: replaced as a whole, so that any thread may look.
        self.made: tuple[float, ...] = ()

    def take(self, now: float) -> bool:
        """Whether one more may be made now; it then counts as made."""
        self.made = tuple(at for at in self.made if now - at <= self.within)
        if len(self.made) >= self._most:
            return False
        self.made = (*self.made, now)
        return True


class Attempt:
    """One connection that is being made: over when there is a `socket` or an `error`."""

    def __init__(self, url: str, *, seconds: float, now: float) -> None:
        self.socket: websocket.WebSocket | None = None
        self.error = ""
        self._url, self._seconds, self._give_up_at = url, seconds, now + seconds
        self._lock, self._is_abandoned = threading.Lock(), False
        threading.Thread(target=self._connect, name="market-streams-connect", daemon=True).start()

    def _connect(self) -> None:
        try:
            socket = websocket.create_connection(
                self._url, timeout=self._seconds, skip_utf8_validation=True, enable_multithread=False
            )
        except Exception as error:  # the outermost of this thread: whatever it is, there is no connection
            self.error = str(error) or type(error).__name__
            return
        with self._lock:
            if self._is_abandoned:
                socket.close(timeout=0)
            else:
                self.socket = socket

    def is_over(self, now: float) -> bool:
        if self.socket is None and not self.error and now >= self._give_up_at:
            self.abandon()
            self.error = "no connection in time"
        return self.socket is not None or bool(self.error)

    def abandon(self) -> None:
        """Nobody waits for it any more; a socket that comes of it yet is closed."""
        with self._lock:
            self._is_abandoned = True
            if self.socket is not None:
                self.socket.close(timeout=0)
                self.socket = None
