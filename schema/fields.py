"""Fields that load. Each is a batch resolver of its domain, called once per level of a response.

A batch resolver is ``async def authors_of(ctx, posts) -> list[Neighbour]``: as many results as
parents, in their order. Its field names it (``metadata["batch"]``), so that the executor, which works
breadth-first, gathers what its parents ask for, and calls it directly if ``metadata["arguments"]``
makes its arguments of the field's. While graphql-core executes depth-first, a DataLoader gathers.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, TypeVarTuple, overload

import strawberry
from strawberry.dataloader import DataLoader

from models.visibility import Viewer
from resolvers.context import Context

Info = strawberry.Info[Context, Any]
A = TypeVarTuple("A")
C = TypeVar("C")
P = TypeVar("P")
R = TypeVar("R")
Check = Callable[[C, P], Awaitable[None]]

# Marks a field whose value differs between viewers, so that no event is executed once for all with it.
VIEWER = {"viewer": True}


async def load(
    info: Info, batch: Callable[[Context, Sequence[P], *A], Awaitable[Sequence[R]]], parent: P, *args: *A
) -> R:
    """The result of `batch` for `parent`, asked for together with its siblings' in one call.

    Siblings share a call if their `args`, which can be hashed, are equal.
    """
    ask: Callable[..., Awaitable[R]] | None = getattr(getattr(info, "_raw_info", None), "ask", None)
    if ask is not None:
        return await ask(batch, parent, args)
    ctx = info.context
    key = (batch, args)
    found: tuple[DataLoader[P, R], list[P]] | None = ctx.memo.get(key)
    if found is None:

        async def load_all(parents: list[P]) -> Sequence[R | BaseException]:
            return await batch(ctx, parents, *args)

        # Rows are mutable and have no hash; within one operation identity is enough, as long as no
        # parent goes and leaves its identity to another.
        found = ctx.memo[key] = DataLoader(load_fn=load_all, cache_key_fn=id), []
    loader, parents = found
    parents.append(parent)
    return await loader.load(parent)


@overload
def loaded(
    batch: Callable[[C, Sequence[P]], Awaitable[Sequence[object]]],
    *,
    description: str,
    viewer: bool = False,
    check: Check[C, P] | None = None,
) -> Any: ...
@overload
def loaded(
    batch: Callable[[C, Sequence[P], *A], Awaitable[Sequence[object]]],
    *,
    arguments: Callable[..., tuple[*A]],
    description: str,
    viewer: bool = False,
    check: Check[C, P] | None = None,
) -> Any: ...
def loaded(
    batch: Callable[..., Awaitable[Sequence[object]]],
    *,
    arguments: Callable[..., tuple[Any, ...]] = tuple,
    description: str,
    viewer: bool = False,
    check: Check[Any, Any] | None = None,
) -> Any:
    """A field whose value is `batch`'s result for its parent.

    With `viewer`, the result depends on who asks. `arguments` makes the arguments of `batch` of the field's,
    which are its parameters. `check` is awaited for each parent alone, so that one that is refused takes no
    other's result with it.
    """
    parameters = [] if arguments is tuple else list(inspect.signature(arguments).parameters.values())
    return loading(batch, parameters, arguments, description=description, viewer=viewer, check=check)


def loading(
    batch: Callable[..., Awaitable[Sequence[object]]],
    parameters: Sequence[inspect.Parameter],
    arguments: Callable[..., tuple[Any, ...]],
    *,
    description: str,
    viewer: bool,
    check: Check[Any, Any] | None,
) -> Any:
    """A field with `parameters` that are given to `arguments` by name."""

    async def resolve(root: strawberry.Parent[Any], info: Info, **given: Any) -> Any:
        args = arguments(**given)
        if check is not None:
            await check(info.context, root)
        return await load(info, batch, root, *args)

    resolver: Any = resolve
    own = list(inspect.signature(resolve).parameters.values())[:2]
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    resolver.__signature__ = inspect.Signature([*own, *keywords])
    metadata = {"batch": batch, "viewer": viewer} | ({} if check else {"arguments": arguments})
    return strawberry.field(resolver=resolver, description=description, metadata=metadata)


def permitted(may: Callable[[Viewer, P], bool], *, description: str) -> Any:
    """A field that says whether the viewer may do something with its parent."""

    def resolve(root: strawberry.Parent[Any], info: Info) -> bool:
        return may(info.context.viewer, root)

    def column(info: Any, rows: Sequence[P]) -> list[bool]:
        viewer = info.context.viewer
        return [may(viewer, row) for row in rows]

    return strawberry.field(resolver=resolve, description=description, metadata={"column": column, **VIEWER})
