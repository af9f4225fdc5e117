"""Sockets to a venue, and a book rebuilt from its stream alone, by the documented rule."""

import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

import websocket


class Socket:
    """One connection; what it receives is kept in order by a thread."""

    def __init__(self, url: str, path: str) -> None:
        self._socket = websocket.create_connection(url.replace("http", "ws") + path, timeout=20)
        self.texts: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while text := self._socket.recv():
                self.texts.append(str(text))
        except (websocket.WebSocketException, OSError):
            return

    @property
    def frames(self) -> list[Any]:
        return [json.loads(text) for text in list(self.texts)]

    def send(self, **body: Any) -> None:
        self._socket.send(json.dumps(body))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Events of a kind, taken out of whatever wraps them."""
        events = [
            frame.get("data") or frame.get("event") or frame
            for frame in self.frames
            if isinstance(frame, dict)
        ]
        return [event for event in events if isinstance(event, dict) and event.get("e") == kind]

    def close(self) -> None:
        self._socket.close()
        self._thread.join(5)


class Rebuilt:
    """A book that knows only the stream and one snapshot."""

    def __init__(self, events: list[dict[str, Any]], snapshot: dict[str, Any]) -> None:
        self.sides = {side: dict(snapshot[side]) for side in ("bids", "asks")}
        self.update_id = snapshot["lastUpdateId"]
        for event in events:
            self.apply(event)

    def apply(self, event: dict[str, Any]) -> None:
        if event["u"] <= self.update_id:
            return
        assert event["U"] <= self.update_id + 1, "an event was lost"
        for side, rows in (("bids", event["b"]), ("asks", event["a"])):
            for price, quantity in rows:
                if float(quantity):
                    self.sides[side][price] = quantity
                else:
                    self.sides[side].pop(price, None)
        self.update_id = event["u"]

    def best(self, side: str) -> float:
        choose: Callable[..., float] = max if side == "bids" else min
        return choose(float(price) for price in self.sides[side])

    @property
    def is_crossed(self) -> bool:
        return self.best("bids") >= self.best("asks")


def is_continuous(events: list[dict[str, Any]]) -> bool:
    return all(later["U"] == earlier["u"] + 1 for earlier, later in itertools.pairwise(events))
