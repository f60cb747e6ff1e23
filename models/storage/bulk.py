"""Writing thousands of rows at once."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from models.storage.rows import bind, connection


async def insert_all(table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert `rows`, whose values are those of the columns `names`, in the caller's transaction.

    One prepared statement runs for all: PostgreSQL takes half of the time of long lists of VALUES.
    """
    values = [[item.value if isinstance(item, Enum) else item for item in row] for row in rows]
    if not values:
        return
    db = connection()
    marks = ", ".join("?" for _ in names)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    text, _ = bind(db.capabilities.dialect, statement, values[0])
    await db.execute_many(text, values)
