"""Operations executed as a server does, without a server."""

from dataclasses import replace
from typing import Any

from graphql import ExecutionResult

from resolvers.context import Context
from resolvers.errors import DomainError
from schema.build import graphql_schema
from schema.serving.operations import Operations
from subscriptions.events import Logged
from tests.world import World

OPERATIONS = Operations(graphql_schema, introspection=True, expected=(DomainError,))


async def answered(
    ctx: Context, text: str, root: Logged | None = None, /, **variables: Any
) -> ExecutionResult:
    return await OPERATIONS.execute(OPERATIONS.prepare(text), variables, replace(ctx, memo={}), root=root)


async def run(ctx: Context, text: str, root: Logged | None = None, /, **variables: Any) -> Any:
    """The data of an operation without errors."""
    result = await answered(ctx, text, root, **variables)
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data


async def subscribed(ctx: Context, text: str, /, **variables: Any) -> Any:
    """What a subscription is answered at its start: a request to follow a stream, or a result with errors."""
    return await OPERATIONS.subscribe(OPERATIONS.prepare(text), variables, ctx)


async def refused(ctx: Context, text: str, /, **variables: Any) -> list[str]:
    """The codes of the errors that a subscription is answered."""
    return [error.extensions["code"] for error in (await subscribed(ctx, text, **variables)).errors]


async def sent(world: World, text: str, logged: Logged, /, **variables: Any) -> Any:
    """What followers of a subscription are sent of an event, made once for all of them: without a viewer."""
    assert not OPERATIONS.prepare(text).uses_viewer
    (found,) = (await run(Context(world.services, None), text, logged, **variables)).values()
    return found["event"]
