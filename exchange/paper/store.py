"""What must outlive the process: written before an answer leaves, as text, in one SQLite file."""

import json
import sqlite3
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rows (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS candles (symbol TEXT, interval TEXT, open_ms INTEGER, body TEXT NOT NULL,
  PRIMARY KEY (symbol, interval, open_ms)) WITHOUT ROWID;
"""


class Store:
    """Rows of several kinds, each a JSON body under its id; `put` gathers, `commit` makes it lasting."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        # Made in one thread and then used by the server's alone.
        self._base = sqlite3.connect(
            str(path) if path else ":memory:", isolation_level=None, check_same_thread=False
        )
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        self._base.executescript(_TABLES)
        self._pending: dict[tuple[str, str], Any] = {}

    def put(self, kind: str, row_id: object, body: Any) -> None:
        self._pending[(kind, str(row_id))] = body

    def commit(self) -> None:
        """Everything put since the last time is on the disk, or nothing of it is."""
        if not self._pending:
            return
        rows = [(kind, row_id, json.dumps(body)) for (kind, row_id), body in self._pending.items()]
        self._pending.clear()
        self._base.execute("BEGIN IMMEDIATE")
        self._base.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)
        self._base.execute("COMMIT")

    def rows(self, kind: str) -> list[Any]:
        found = self._base.execute("SELECT body FROM rows WHERE kind = ?", (kind,))
        return [json.loads(body) for (body,) in found]

    def fact(self, name: str) -> Any:
        found = self._base.execute("SELECT body FROM facts WHERE name = ?", (name,)).fetchone()
        return json.loads(found[0]) if found else None

    def put_fact(self, name: str, body: Any) -> None:
        self._base.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(body)))

    def note(self, facts: dict[str, Any], candles: list[tuple[str, str, int, list[Any]]]) -> None:
        """What the world looks like now, at one time."""
        self._base.execute("BEGIN IMMEDIATE")
        self._base.executemany(
            "INSERT OR REPLACE INTO facts VALUES (?, ?)",
            [(name, json.dumps(body)) for name, body in facts.items()],
        )
        self._base.executemany(
            "INSERT OR REPLACE INTO candles VALUES (?, ?, ?, ?)",
            [(*row[:3], json.dumps(row[3])) for row in candles],
        )
        self._base.execute("COMMIT")

    def candles(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> dict[int, list[Any]]:
        found = self._base.execute(
            "SELECT open_ms, body FROM candles WHERE symbol = ? AND interval = ? AND open_ms BETWEEN ? AND ?",
            (symbol, interval, start_ms, end_ms),
        )
        return {open_ms: json.loads(body) for open_ms, body in found}

    def close(self) -> None:
        self._base.close()
