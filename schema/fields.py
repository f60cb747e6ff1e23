"""Fields that load. Each is a batch resolver of its domain, called once per level of a response.

A batch resolver is ``async def authors_of(ctx, posts) -> list[Neighbour]``: as many results as
parents, in their order. Its field names it (``metadata["batch"]``), so that the executor, which works
breadth-first, gathers what its parents ask for, and calls it directly if ``metadata["arguments"]``
makes its arguments of the field's. While graphql-core executes depth-first, a DataLoader gathers.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from resolvers.context import Context

Info = strawberry.Info[Context, Any]
T = TypeVar("T")
P = TypeVar("P")
Batch = Callable[..., Awaitable[Sequence[Any]]]

# Marks a field whose value differs between viewers, so that no event is executed once for all with it.
VIEWER = {"viewer": True}


async def load(info: Info, batch: Batch, parent: Any, *args: Hashable) -> Any:
    """The result of `batch` for `parent`, asked for together with its siblings' in one call.

    Siblings share a call if their `args` are equal.
    """
    ask = getattr(getattr(info, "_raw_info", None), "ask", None)
    if ask is not None:
        return await ask(batch, parent, args)
    ctx = info.context
    key = (batch, args)
    found: tuple[DataLoader[Any, Any], list[Any]] | None = ctx.memo.get(key)
    if found is None:

        async def load_all(parents: list[Any]) -> Sequence[Any]:
            return await batch(ctx, parents, *args)

        # Rows are mutable and have no hash; within one operation identity is enough, as long as no
        # parent goes and leaves its identity to another.
        found = ctx.memo[key] = DataLoader(load_fn=load_all, cache_key_fn=id), []
    loader, parents = found
    parents.append(parent)
    return await loader.load(parent)


def loaded(batch: Batch, *, description: str, viewer: bool = False) -> Any:
    """A field without arguments whose value is `batch`'s result for its parent.

    With `viewer`, the result depends on who asks.
    """

    async def resolve(root: strawberry.Parent[Any], info: Info) -> Any:
        return await load(info, batch, root)

    return strawberry.field(
        resolver=resolve,
        description=description,
        metadata={"batch": batch, "arguments": tuple, "viewer": viewer},
    )
