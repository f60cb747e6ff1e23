"""Relay connections over keyset pages."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, TypeVarTuple, overload

import strawberry

from models.storage.paging import BadPage, Order, Page, PageArgs
from resolvers.context import Context
from resolvers.errors import InvalidInput
from resolvers.paging import edge_cursor
from schema.fields import Check, Info, load, loading

A = TypeVarTuple("A")
P = TypeVar("P")
T = TypeVar("T")

First = Annotated[int | None, strawberry.argument(description="The first so many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Only what follows this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="The last so many, 1 to 100.")]
Before = Annotated[str | None, strawberry.argument(description="Only what precedes this cursor.")]


def page_args(
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    *,
    look_ahead: bool = True,
) -> PageArgs:
    """Raises InvalidInput unless exactly one of `first` and `last` is given, from 1 to 100."""
    try:
        return PageArgs(first, after, last, before, look_ahead)
    except BadPage as error:
        raise InvalidInput(error.message, **{error.field: error.message}) from error


# The arguments of a list.
PAGING = {
    name: parameter
    for name, parameter in inspect.signature(page_args).parameters.items()
    if name != "look_ahead"
}


@overload
def connection(
    batch: Callable[[Context, Sequence[P], PageArgs], Awaitable[Sequence[Page[Any] | None]]],
    *,
    description: str,
    viewer: bool = False,
    check: Check[Context, P] | None = None,
) -> Any: ...
@overload
def connection(
    batch: Callable[[Context, Sequence[P], *A, PageArgs], Awaitable[Sequence[Page[Any] | None]]],
    *,
    arguments: Callable[..., tuple[*A]],
    description: str,
    viewer: bool = False,
    check: Check[Context, P] | None = None,
) -> Any: ...
def connection(
    batch: Callable[..., Awaitable[Sequence[Page[Any] | None]]],
    *,
    arguments: Callable[..., tuple[Any, ...]] = tuple,
    description: str,
    viewer: bool = False,
    check: Check[Context, Any] | None = None,
) -> Any:
    """A field whose value is a page of `batch`'s for its parent.

    The arguments of `batch` are those that `arguments` makes, and the page's at last; those of the field are
    the parameters of `arguments`, and those of paging. For `viewer` and `check` see `loaded`.
    """

    def paged(*, selected: frozenset[str] | None = None, **given: Any) -> tuple[Any, ...]:
        asked = {name: given.pop(name) for name in PAGING if name in given}
        # Whether more follows is found out only for who asks.
        page = page_args(**asked, look_ahead=selected is None or "pageInfo" in selected)
        return *arguments(**given), page

    added = [] if arguments is tuple else list(inspect.signature(arguments).parameters.values())
    parameters = [*added, *PAGING.values()]
    return loading(batch, parameters, paged, description=description, viewer=viewer, check=check)


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


def edge(
    batch: Callable[[Context, Sequence[P]], Awaitable[Sequence[object | None]]],
    order: Order,
    *,
    description: str,
) -> Any:
    """A field whose value is the edge of `batch`'s result for its parent, in lists of this order."""

    async def resolve(root: strawberry.Parent[Any], info: Info) -> Edge[object] | None:
        row = await load(info, batch, root)
        return None if row is None else Edge(node=row, cursor=edge_cursor(order, row))

    return strawberry.field(resolver=resolve, description=description, metadata={"batch": batch})
