"""SQLite connections with threads of their own: what a connection has is one thread's at a time."""

import asyncio
import ctypes
import sys
import weakref
from pathlib import Path

from models.storage.driver import sqlite3
from models.storage.threads import Connection

READWRITE_CREATE = 0x2 | 0x4
KEPT: list["weakref.ref[sqlite3.Cursor]"] = []


def fail(connection: sqlite3.Connection) -> None:
    cursor = connection.execute("SELECT 1 UNION ALL SELECT 2")
    KEPT.append(weakref.ref(cursor))
    assert cursor.fetchone() == (1,)
    raise sqlite3.OperationalError("in the middle of a statement")


async def test_what_fails_leaves_no_cursor_to_whoever_is_told(tmp_path: Path) -> None:
    KEPT.clear()
    connection = Connection(str(tmp_path / "some.db"), {})
    await connection.open()
    errors = []
    for do in (connection.submit, connection.at_once):
        try:
            found = do(fail)
            assert isinstance(found, asyncio.Future)
            await found
        except sqlite3.OperationalError as error:
            errors.append(error)
    # The errors are still here, with their tracebacks.
    assert [str(error) for error in errors] == ["in the middle of a statement"] * 2
    assert all(error.__traceback__ for error in errors)
    assert [kept() for kept in KEPT] == [None, None]
    await connection.close()


def test_a_sqlite_of_our_own_does_without_mutexes() -> None:
    own = sys.modules.get("pysqlite3._sqlite3")
    library = ctypes.CDLL((own or sys.modules["_sqlite3"]).__file__)
    library.sqlite3_db_mutex.restype = ctypes.c_void_p
    handle = ctypes.c_void_p()
    assert library.sqlite3_open_v2(b":memory:", ctypes.byref(handle), READWRITE_CREATE, None) == 0
    assert (library.sqlite3_db_mutex(handle) is None) == (own is not None)
    library.sqlite3_close(handle)
