"""Rows as use cases answer them: one that is not there is not found."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from models.storage import tables
from models.storage.rows import Where
from models.storage.tables import Row
from resolvers.errors import NotFound

R = TypeVar("R", bound=Row)
T = TypeVar("T")


def only(found: Sequence[T | None]) -> T:
    """The one row of a look-up by one id. Raises NotFound if it is not there, or not for the viewer."""
    (row,) = found
    if row is None:
        raise NotFound
    return row


async def existing(row: type[R], where: UUID | Where) -> R:
    """As `models.storage.tables.one`, whoever asks. Raises NotFound."""
    found = await tables.one(row, where)
    if found is None:
        raise NotFound
    return found


async def locked(row: type[R], where: UUID | Where) -> R:
    """The row as it is, and stays until the caller's transaction ends. Raises NotFound."""
    found = await tables.locked(row, where)
    if not found:
        raise NotFound
    return found[0]
