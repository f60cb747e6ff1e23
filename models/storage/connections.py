"""SQLite's connections: plain ones, and aiosqlite's over them, which a statement reaches in one hop."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import aiosqlite
from asyncpg.pgproto import pgproto

from models.storage.driver import sqlite3
from models.storage.rows import text_of

# The names of the columns, the rows in their order, and how many rows were changed.
Found = tuple[tuple[str, ...], Sequence[Sequence[Any]], int]

# Of statements, which Python prepares anew when they have left its cache.
CACHED = 512
# Of rows that aiosqlite's cursors would fetch in one hop; none are used.
CHUNK = 64


sqlite3.register_adapter(UUID, str)
sqlite3.register_adapter(pgproto.UUID, str)
sqlite3.register_adapter(datetime, text_of)


def connect(path: str, pragmas: Mapping[str, Any]) -> sqlite3.Connection:
    """A connection. Raises sqlite3.OperationalError."""
    # Of the writer's, loop and thread take turns.
    connection = sqlite3.connect(
        path, isolation_level=None, cached_statements=CACHED, check_same_thread=False
    )
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name}={value}")
    return connection


def read(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement that changes nothing gives, at once."""
    cursor = connection.execute(text, values)
    return tuple([column[0] for column in cursor.description or ()]), cursor.fetchall(), 0


def fetched(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement gives, at once."""
    before = connection.total_changes
    names, rows, _ = read(connection, text, values)
    return names, rows, connection.total_changes - before


async def read_in_thread(connection: aiosqlite.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement that changes nothing gives, in one hop."""
    rows = list(await connection.execute_fetchall(text, values))
    # What comes from a thread knows the names of its columns.
    return tuple(rows[0].keys()) if rows else (), rows, 0


async def fetched_in_thread(connection: aiosqlite.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement gives, in one hop."""
    before = connection.total_changes
    names, rows, _ = await read_in_thread(connection, text, values)
    return names, rows, connection.total_changes - before


def in_thread(connect: Callable[[], sqlite3.Connection]) -> aiosqlite.Connection:
    """What `connect` makes, in a thread of its own; to be opened and closed as a context."""

    def connector() -> sqlite3.Connection:
        connection = connect()
        connection.row_factory = sqlite3.Row
        return connection

    return aiosqlite.Connection(connector, CHUNK)
