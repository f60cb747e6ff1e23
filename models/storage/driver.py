"""SQLite's driver: Python's `sqlite3`, over a SQLite of our choice where there is one.

pysqlite3 is that very module with a SQLite of its own: the newest, where distributions have one of years ago,
and built for speed. The statements of a page take a sixth less time. Where it has no wheel Python's own does.

That SQLite is told to do without mutexes ("multi-thread", sqlite.org/threadsafe.html), a twentieth of a
page's time: each connection, with its cursors, belongs to one thread at a time (models.storage.threads).
Python's own keeps them, since others in the process may use it otherwise.

Whatever opens a database imports `sqlite3` from here: of two SQLites in one process that have the same file
open, one that closes it drops the other's locks, which are the process's (SQLite, "How To Corrupt", 2.2.1).
"""

import ctypes
from typing import TYPE_CHECKING

MULTITHREAD = 2


def without_mutexes(library: ctypes.CDLL) -> None:
    """Set the threading mode of a SQLite with which nothing has been opened yet."""
    library.sqlite3_shutdown()
    library.sqlite3_config(MULTITHREAD)
    library.sqlite3_initialize()


if TYPE_CHECKING:
    import sqlite3
else:
    try:
        from pysqlite3 import _sqlite3
        from pysqlite3 import dbapi2 as sqlite3
    except ImportError:
        import sqlite3
    else:
        without_mutexes(ctypes.CDLL(_sqlite3.__file__))

__all__ = ["sqlite3"]
