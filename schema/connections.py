"""Relay connections over keyset pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from models.storage.paging import BadPage, Order, Page, PageArgs
from resolvers.errors import InvalidInput

T = TypeVar("T")

First = Annotated[int | None, strawberry.argument(description="The first so many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Only what follows this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="The last so many, 1 to 100.")]
Before = Annotated[str | None, strawberry.argument(description="Only what precedes this cursor.")]


def page_args(
    first: int | None,
    after: str | None,
    last: int | None = None,
    before: str | None = None,
    *,
    look_ahead: bool = True,
) -> PageArgs:
    """Raises InvalidInput unless exactly one of `first` and `last` is given, from 1 to 100."""
    try:
        return PageArgs(first, after, last, before, look_ahead)
    except BadPage as error:
        raise InvalidInput(error.message, **{error.field: error.message}) from error


def listed(
    order: Any,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    selected: frozenset[str] | None = None,
) -> tuple[PageArgs, Order]:
    """The arguments of a batch resolver of pages, from those of a field whose order can be chosen.

    Whether more follows is found out only for who asks.
    """
    look_ahead = selected is None or "pageInfo" in selected
    return page_args(first, after, last, before, look_ahead=look_ahead), order.by


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows.")
    has_previous_page: bool = strawberry.field(description="Whether more precedes.")
    start_cursor: str | None = strawberry.field(description="The first edge's cursor.")
    end_cursor: str | None = strawberry.field(description="The last edge's cursor.")


@strawberry.type(description="An item of a list, with its place there.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The item.")
    cursor: str = strawberry.field(description="Its place, for `after` and `before`.")


@dataclass(slots=True, eq=False)
class Placed:
    """An edge whose cursor is made when it is asked for."""

    node: Any
    place: int
    cursors: Sequence[str]

    @property
    def cursor(self) -> str:
        return self.cursors[self.place]


def resolve_edges(root: strawberry.Parent[Page[Any]]) -> list[Any]:
    return [Placed(item, place, root.cursors) for place, item in enumerate(root.items)]


def resolve_page_info(root: strawberry.Parent[Page[Any]]) -> PageInfo:
    return PageInfo(
        has_next_page=root.has_next_page,
        has_previous_page=root.has_previous_page,
        start_cursor=root.cursors[0] if root.cursors else None,
        end_cursor=root.cursors[-1] if root.cursors else None,
    )


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(resolver=resolve_edges, description="The page's items.")
    page_info: PageInfo = strawberry.field(
        resolver=resolve_page_info, description="Where this page stands in the list."
    )
