"""SQLite's driver: Python's `sqlite3`, over a SQLite of our choice where there is one.

pysqlite3 is that very module with a SQLite of its own: the newest, where distributions have one of years ago,
and built for speed. The statements of a page take a sixth less time. Where it has no wheel Python's own does.

Whatever opens a database imports `sqlite3` from here, aiosqlite's connections included: of two SQLites in one
process that have the same file open, one that closes it drops the other's locks, which are the process's
(SQLite, "How To Corrupt", 2.2.1).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        from pysqlite3 import dbapi2 as sqlite3
    except ImportError:
        import sqlite3

__all__ = ["sqlite3"]
