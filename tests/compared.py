"""Every operation that a plan executes, executed by graphql-core as well, with results that must be the same.

Two comparisons:

- *Replayed*, whatever the operation: graphql-core executes it with the very values that the plan's resolvers
  gave, a mutation's too, and so without anything happening twice. Data and errors must be equal, in order,
  with messages, paths and locations; so must what the plan's own completion makes of these values.
- *Executed again*, a query or an event that wrote nothing: graphql-core calls the resolvers itself, in its
  own way, in a context of its own. What another task wrote meanwhile may tell the results apart, so a
  difference counts if it is there three times.

What the database is makes no difference to either, so SQLite alone is enough.
"""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from graphql import ExecutionResult, GraphQLError
from graphql.execution import Executor, execute_root_selection_set, execute_subscription_event
from tortoise.backends.base.client import BaseDBAsyncClient

from resolvers.context import Context
from schema.execution import SharedRun, run
from schema.execution.completion import complete
from schema.serving.operations import Operation, Operations
from schema.serving.results import Refusal

TIMES = 3
DATABASES = ("models.storage.sqlite", "models.storage.postgres")
WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass
class Watched:
    """What happens during one execution."""

    runs: list[run.Run] = field(default_factory=list)
    given_up: int = 0
    written: list[str] = field(default_factory=list)


watched: ContextVar[Watched | None] = ContextVar("watched", default=None)
# Whether graphql-core is executing something once more, which nobody should count.
again: ContextVar[bool] = ContextVar("again", default=False)
# Whether to compare at all.
wanted = True
differences: list[str] = []
# Where a server process leaves what it finds.
kept: list[Path] = []

_by_plan = Operations._by_plan
_result = run.Run.result


@contextmanager
def comparing() -> Iterator[None]:
    """Compare whatever is executed meanwhile; `differences` has what was found."""
    begin()
    try:
        yield
    finally:
        _replace(_by_plan, _result, complete)


def begin() -> None:
    _watch_writes()
    _replace(_compared, _watched_result, _watched_complete)


def _replace(by_plan: Any, result: Any, completed: Any) -> None:
    operations: Any = Operations
    operations._by_plan = by_plan
    running: Any = run
    running.Run.result = result
    running.complete = completed


def prelude(path: Path) -> str:
    """What a server process runs before it serves, so that it leaves what differs in the file at `path`."""
    return f"from tests import compared; compared.begin_in_server({str(path)!r})"


def begin_in_server(path: str) -> None:
    """Compare whatever this process executes, and leave what is found in the file at `path`."""
    kept.append(Path(path))
    begin()


async def _watched_result(self: run.Run) -> Any:
    if (watching := watched.get()) is not None:
        watching.runs.append(self)
    return await _result(self)


def _watched_complete(blocks: Any) -> Any:
    if (watching := watched.get()) is not None:
        watching.given_up += 1
    return complete(blocks)


def _watch_writes() -> None:
    for module in DATABASES:
        importlib.import_module(module)
    for kind in _all_subclasses(BaseDBAsyncClient):
        for name in ("execute_query", "fetch", "execute_insert", "execute_many"):
            if name in vars(kind):
                setattr(kind, name, _watching_writes(vars(kind)[name]))


def _all_subclasses(kind: type) -> Iterator[type]:
    below: type
    for below in kind.__subclasses__():
        yield below
        yield from _all_subclasses(below)


def _watching_writes(original: Any) -> Any:
    async def watching(self: Any, query: str, *args: Any, **options: Any) -> Any:
        if (seen := watched.get()) is not None and query.lstrip().upper().startswith(WRITES):
            seen.written.append(query)
        return await original(self, query, *args, **options)

    return watching


async def _compared(
    self: Operations,
    operation: Operation,
    plans: Any,
    variables: Mapping[str, Any] | None,
    context: Any,
    root: Any,
    shared_run: SharedRun | None = None,
) -> ExecutionResult:
    if not wanted:
        return await _by_plan(self, operation, plans, variables, context, root, shared_run)

    async def by_plan(context: Any, shared_run: SharedRun | None = None) -> tuple[ExecutionResult, Watched]:
        watching = Watched()
        token = watched.set(watching)
        try:
            return await _by_plan(self, operation, plans, variables, context, root, shared_run), watching
        finally:
            watched.reset(token)

    result, watching = await by_plan(context, shared_run)
    if isinstance(result, Refusal):
        refused = self._executor(operation, variables, context, root)
        if not isinstance(refused, list) or _told(refused) != _told(result.errors):
            _differ(operation, variables, "refused", result, refused)
        return result
    replayed = _replayed(self, operation, variables, context, root, watching)
    if _outcome(replayed) != _outcome(result):
        _differ(operation, variables, "replayed", result, replayed)
    completed = _completed(watching)
    if _outcome(completed) != _outcome(result):
        _differ(operation, variables, "completed", result, completed)
    if watching.given_up and not result.errors:
        _differ(operation, variables, "given up for nothing", result, replayed)
    if isinstance(context, Context) and operation.kind != "mutation" and not watching.written:
        await _executed_again(self, operation, variables, root, context, result, by_plan)
    return result


async def _executed_again(
    self: Operations,
    operation: Operation,
    variables: Any,
    root: Any,
    context: Context,
    result: ExecutionResult,
    by_plan: Any,
) -> None:
    token = again.set(True)
    try:
        for attempt in range(1, TIMES + 1):
            fresh = dataclasses.replace(context, memo={})
            reference = await self._by_graphql_core(operation, variables, fresh, root, "compared")
            if same(result, reference):
                return
            if attempt == TIMES:
                _differ(operation, variables, "executed again", result, reference)
            else:
                result, _ = await by_plan(dataclasses.replace(context, memo={}))
    finally:
        again.reset(token)


def _replayed(
    self: Operations, operation: Operation, variables: Any, context: Any, root: Any, watching: Watched
) -> ExecutionResult:
    values: dict[tuple[int, str, int], Any] = {}
    for one in watching.runs:
        for block in one.blocks:
            for step in block.shape.columns:
                column = block.columns[step.index]
                for parent, value in zip(block.parents, column, strict=True):
                    values[id(parent), block.shape.type.name, id(step.nodes[0])] = value

    def replay(resolve: Any, source: Any, info: Any, **arguments: Any) -> Any:
        key = (id(source), info.parent_type.name, id(info.field_nodes[0]))
        if key not in values:
            return resolve(source, info, **arguments)
        if isinstance(values[key], Exception):
            raise values[key]
        return values[key]

    executor = Executor.build(
        self.schema,
        operation.document,
        root_value=root,
        context_value=context,
        raw_variable_values=dict(variables) if variables else None,
        operation_name=operation.name,
        middleware=[replay],
        hide_suggestions=True,
    )
    assert not isinstance(executor, list)
    run_ = execute_subscription_event if operation.kind == "subscription" else execute_root_selection_set
    replayed = run_(executor)
    assert isinstance(replayed, ExecutionResult), "a resolver was called that the plan had not called"
    return replayed


def _completed(watching: Watched) -> ExecutionResult:
    data: dict[str, Any] = {}
    errors: list[GraphQLError] = []
    for one in watching.runs:
        part, more = complete(one.blocks)
        errors += more
        if part is None:
            return ExecutionResult(None, errors)
        data.update(part)
    return ExecutionResult(data, errors or None)


# Results


def _told(errors: list[GraphQLError] | None) -> list[Any]:
    return [(error.message, error.path, error.locations) for error in errors or ()]


def _outcome(result: ExecutionResult) -> Any:
    return _sent(result.data), _told(result.errors)


def _sent(data: Any) -> Any:
    """What a client is sent, to the order of the entries; the data as they are if JSON does not have them."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return data


def same(one: ExecutionResult, other: ExecutionResult) -> bool:
    """Whether two executions came to the same.

    Where several errors make the same place null, it is a matter of timing which of them is told.
    """
    return _sent(one.data) == _sent(other.data) and _by_place(one) == _by_place(other)


def _by_place(result: ExecutionResult) -> dict[tuple[Any, ...], Any]:
    places: dict[tuple[Any, ...], Any] = {}
    for error in result.errors or ():
        place = _null_above(result.data, error.path or [])
        exact = list(place) == error.path
        places[place] = (error.message, error.locations) if exact else None
    return places


def _null_above(data: Any, path: list[Any]) -> tuple[Any, ...]:
    """The place, on the way to an error, that it made null."""
    place: list[Any] = []
    for key in path:
        if data is None:
            break
        place.append(key)
        data = data[key]
    return tuple(place)


def _differ(operation: Operation, variables: Any, how: str, one: Any, other: Any) -> None:
    text = operation.document.loc.source.body if operation.document.loc else operation.name
    found = f"{how}\n{text}\n{variables}\nby the plan: {_shown(one)}\notherwise: {_shown(other)}"
    differences.append(found)
    for path in kept:
        with path.open("a") as file:
            file.write(f"{found}\n\n")


def _shown(result: Any) -> str:
    return f"{result.data}\n{_told(result.errors)}" if isinstance(result, ExecutionResult) else f"{result}"
