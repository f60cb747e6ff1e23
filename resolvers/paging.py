"""Pages as use cases answer them: a cursor that is none is the client's mistake."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from models.storage import paging
from models.storage.paging import NEWEST, BadPage, Order, Page, PageArgs
from models.storage.rows import EVERYTHING, Where
from resolvers.errors import InvalidInput

R = TypeVar("R")


async def pages(
    row: type[R],
    parents: Sequence[UUID],
    *,
    by: str,
    args: PageArgs,
    where: Where = EVERYTHING,
    order: Order = NEWEST,
    table: str = "",
) -> list[Page[R]]:
    """As `models.storage.paging.pages`. Raises InvalidInput for a cursor of another list."""
    try:
        return await paging.pages(row, parents, by=by, args=args, where=where, order=order, table=table)
    except BadPage as error:
        raise InvalidInput(error.message, **{error.field: error.message}) from error


def edge_cursor(order: Order, row: object) -> str:
    """The cursor of `row` in lists of this order."""
    return paging.cursor_of(order, row)
