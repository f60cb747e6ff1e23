"""Rows as use cases answer them: one that is not there is not found."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from models.base import Table
from models.messages import Message
from models.storage import tables
from models.storage.rows import EVERYTHING, Where
from models.storage.tables import Row
from resolvers.errors import Conflict, NotFound

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


async def change_as_read(
    row: Table, version: int, conflict: Message, still: Where = EVERYTHING, **values: Any
) -> None:
    """Set these columns of a row that the client has read at `version`, in the caller's transaction.

    Raises Conflict, and so undoes all, if it is another by now, or not as `still` (on ``t``) says any more.
    """
    same = Where("t.id = ? AND t.version = ?", (row.id, version)) & still
    if not await tables.update(type(row), same, version=version + 1, **values):
        raise Conflict(conflict, row)
