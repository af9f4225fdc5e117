"""A line to PostgreSQL that can break: every byte goes through, until a test says where it stops."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

READY = b"Z\x00\x00\x00\x05I"  # ReadyForQuery outside a transaction: what was asked is committed or refused
BLOCK = 65536


class Line:
    """Listens as a server's socket in the folder; `breaks` says what happens to the next question, once.

    before   it never reaches the server
    between  the server gets it, and the line is cut at once
    after    the server has done it, and the answer is lost
    """

    def __init__(self, folder: Path, server: dict[str, Any]) -> None:
        self.server = server
        self.breaks = ""
        self.broke_at = b""  # the question during which it broke last
        self._muted: socket.socket | None = None  # the server whose answer is lost
        self._done = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client, self._dial()), daemon=True).start()

    def _dial(self) -> socket.socket:
        host, port = str(self.server["HOST"] or "127.0.0.1"), str(self.server["PORT"] or "5432")
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        answers = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        answers.start()
        with suppress(OSError):
            while question := client.recv(BLOCK):
                broken, self.breaks = self.breaks, ""
                self.broke_at = question if broken else self.broke_at
                if broken == "after":
                    self._lose_answer(server, question)
                elif broken == "between":
                    server.sendall(question)
                elif not broken:
                    server.sendall(question)
                    continue
                break
        _cut(client, server)

    def _pump(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while answer := server.recv(BLOCK):
                if self._muted is server:
                    if answer.endswith(READY):
                        self._done.set()
                    continue
                client.sendall(answer)

    def _lose_answer(self, server: socket.socket, question: bytes) -> None:
        self._done.clear()
        self._muted = server
        server.sendall(question)
        assert self._done.wait(10), "the server did not answer"


def _cut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
