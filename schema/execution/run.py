"""One execution: columns of values, level by level.

The objects of one shape are a `Block`. Each of its fields gives a column, a value for each object; a field
that leads to objects opens the blocks below it, one for each type met, in which an object that is met
again is the same one. What has to be awaited is put off until nothing else is left to do, and is then
awaited together: that is a level. Fields that ask the same batch resolver for the same share a call.

The response is built at the end, from the innermost blocks outwards, by the shapes' generated code.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine, Hashable, Iterable, Sequence
from functools import lru_cache
from inspect import iscoroutine
from operator import attrgetter
from typing import Any

from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.error import located_error
from graphql.execution.values import VariableValues
from graphql.pyutils import Undefined, is_awaitable, is_iterable

from schema.execution.completion import complete
from schema.execution.field_sources import Attribute, Called, Computed, Loaded, source_of_events
from schema.execution.generated import builder_of
from schema.execution.loading import Batch, LoadRequest, Resumed
from schema.execution.plan import Plan, Plans, Unplanned
from schema.execution.shapes import UNKNOWN_BELOW, Below, Block, Shape, Step


async def execute(plans: Plans, variables: VariableValues, context: Any, root: Any) -> ExecutionResult:
    """The result of an operation. Raises nothing but what cancels."""
    try:
        plan = plans.plan(variables)
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    data: dict[str, Any] = {}
    errors: list[GraphQLError] = []
    for shape in plan.roots:
        run = Run(plan, variables, context, root)
        run.open(shape)
        part, more = await run.result()
        errors += more
        if part is None:
            # Of several mutations, those after one whose failure takes all data are not begun.
            return ExecutionResult(None, errors)
        data.update(part)
    return ExecutionResult(data, errors or None)


class SharedRun:
    """What the executions of a query or of an event for several contexts have in common.

    Made by `share`; `execute` does what is left, the fields that vary and what is below them. An event with
    such a field takes 174 ms for 1,000 accounts, and 747 ms executed by graphql-core for each.
    """

    def __init__(self, run: "Run") -> None:
        self._run = run

    async def execute(self, context: Any) -> ExecutionResult:
        """The result for one context. Raises nothing but what cancels."""
        data, errors = await self._run.continued(context).result()
        return ExecutionResult(data, errors or None)


async def share(plans: Plans, variables: VariableValues, context: Any, root: Any) -> SharedRun | None:
    """What does not vary, executed in a context that must do for all; None if that is not known."""
    try:
        plan = plans.plan(variables)
    except GraphQLError:
        return None
    run = Run(plan, variables, context, root, sharing=True)
    run.open(plan.roots[0])
    await run.fill()
    return SharedRun(run)


class EventSource:
    """The resolver of a subscription with its arguments, for all who subscribe with the same variables.

    Raises Unplanned if only graphql-core can call it, and GraphQLError for arguments that do not fit.
    """

    __slots__ = ("_arguments", "_called", "_plan", "_step", "_variables")

    def __init__(self, plans: Plans, variables: VariableValues) -> None:
        self._plan = plan = plans.plan(variables)
        self._variables = variables
        self._step = step = plan.roots[0].steps[0]
        called = source_of_events(plan.schema, step.field)
        if called is None:
            raise Unplanned("subscription_source")
        self._called = called
        try:
            self._arguments = step.arguments(variables)
        except GraphQLError as error:
            raise located_error(error, step.nodes, [step.key]) from None

    async def open(self, context: Any) -> Any:
        """What the resolver answers, or the ExecutionResult that says why it answers nothing."""
        step, called = self._step, self._called
        info = Resolving(Run(self._plan, self._variables, context, None), step)
        try:
            given = called.converted(self._arguments, info)
            stream = called.call(None, **called.keywords(given, info))
            if is_awaitable(stream):
                stream = await stream
            if not isinstance(stream, AsyncIterable):
                said = f"A subscription's resolver gave a {type(stream).__name__}, which is no stream"
                raise TypeError(said)  # noqa: TRY301 -- handled as what the resolver itself raises
        except Exception as error:
            return ExecutionResult(None, [located_error(error, step.nodes, [step.key])])
        return stream


class Resolving:
    """What a resolver may know of the execution, as in GraphQLResolveInfo; not the path, which is many."""

    __slots__ = ("_run", "_step", "ask", "context", "parent_type")

    def __init__(self, run: "Run", step: Step) -> None:
        self._run = run
        self._step = step
        self.context = run.context
        self.parent_type = step.parent_type
        # How the resolver asks for what is loaded together, if it is run until it does.
        self.ask = LoadRequest if isinstance(step.source, Called) and step.source.asking else None

    @property
    def field_name(self) -> str:
        return self._step.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._step.nodes

    @property
    def return_type(self) -> GraphQLOutputType:
        return self._step.field.type

    @property
    def schema(self) -> GraphQLSchema:
        return self._run.plan.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        return self._run.plan.fragments

    @property
    def operation(self) -> OperationDefinitionNode:
        return self._run.plan.operation

    @property
    def root_value(self) -> Any:
        return self._run.root

    @property
    def variable_values(self) -> VariableValues:
        return self._run.variables

    @property
    def is_awaitable(self) -> Callable[[Any], bool]:
        return is_awaitable


class Run:
    """One execution of one root shape. While it is `sharing`, fields that vary are put off."""

    def __init__(
        self, plan: Plan, variables: VariableValues, context: Any, root: Any, *, sharing: bool = False
    ) -> None:
        self.plan = plan
        self.variables = variables
        self.context = context
        self.root = root
        self.blocks: list[Block] = []
        self._sharing = sharing
        self._put_off: list[tuple[Block, Step]] = []
        self._opened: list[Block] = []
        # What is to be awaited, each with the values that it will await in turn.
        self._awaited: list[tuple[Coroutine[Any, Any, None], Sequence[Any]]] = []
        # The batch resolvers that will be called for what that leads to.
        self._coming: set[Batch] = set()
        self._calls: dict[tuple[Batch, tuple[Hashable, ...]], _Call] = {}

    def open(self, shape: Shape) -> None:
        """Begin with the root."""
        self._open(shape, [self.root], [id(self.root)], {})

    def continued(self, context: Any) -> "Run":
        """This run for one context: the same columns, and those still to come that were put off."""
        run = Run(self.plan, self.variables, context, self.root)
        links: dict[int, dict[int, Any]] = {id(self.blocks[0].link): {}}
        twins: dict[int, Block] = {}
        for block in self.blocks:
            twin = twins[id(block)] = Block(block.shape, block.parents, block.ids, links[id(block.link)])
            twin.columns = block.columns.copy()
            links.update(zip(map(id, block.links), twin.links, strict=True))
            twin.refused = [(links[id(link)], identity, error) for link, identity, error in block.refused]
            run.blocks.append(twin)
        for block, step in self._put_off:
            run._resolve(twins[id(block)], step)
        return run

    async def fill(self) -> None:
        """Resolve, level by level, until there is nothing left."""
        while True:
            while self._opened:
                block = self._opened.pop()
                for step in block.shape.columns:
                    if self._sharing and step.varies:
                        self._put_off.append((block, step))
                    else:
                        self._resolve(block, step)
            if not self._awaited and not self._calls:
                return
            await self._level()

    async def result(self) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
        """The data, or None, and the errors."""
        await self.fill()
        try:
            for block in reversed(self.blocks):
                builder_of(block.shape)(block.ids, block.parents, block.columns, block.links, block.link)
        except Exception:
            return complete(self.blocks)
        return self.blocks[0].link[id(self.root)], []

    async def _level(self) -> None:
        awaited = self._awaited
        for call in self._due():
            awaited.append((call.run(self.context), ()))
        self._awaited, self._coming = [], set()
        works = [work for work, _ in awaited]
        if len(works) > 1 and not self.plan.planner.in_turn:
            await asyncio.gather(*works)
            return
        try:
            while awaited:
                work, _ = awaited.pop(0)
                await work
        finally:
            # Cancelled, it leaves nothing that was to be awaited.
            for work, values in awaited:
                work.close()
                for value in filter(iscoroutine, values):
                    value.close()

    def _due(self) -> list["_Call"]:
        """The calls to be made now.

        The others wait for those who will want the same of what this level leads to, which saves a statement,
        and a feed a twelfth of its time. Nothing waits for them in turn, since nothing is loaded below them.
        """
        coming = self._coming.union(*(call.coming for call in self._calls.values()))
        wanted, self._calls = self._calls, {}
        due = []
        for (batch, args), call in wanted.items():
            if call.ends and not args and batch in coming:
                self._calls[batch, args] = call
            else:
                due.append(call)
        return due

    def _open(self, shape: Shape, parents: list[Any], ids: list[int], link: dict[int, Any]) -> None:
        block = Block(shape, parents, ids, link)
        self.blocks.append(block)
        self._opened.append(block)

    # Resolving

    def _resolve(self, block: Block, step: Step) -> None:
        """Begin to fill a column."""
        source = step.source
        if isinstance(source, Attribute):
            self._arrived(block, step, _attributes(source.name, block.parents))
            return
        info = Resolving(self, step)
        if isinstance(source, Computed):
            column = _computed(source, info, block.parents)
            if step.asked is None and not step.depth:
                block.columns[step.index] = column
            else:
                self._arrived(block, step, column)
            return
        try:
            if isinstance(source, Loaded):
                self._call_of(source.batch, step.given(source, self.variables, info)).add(
                    block.parents, lambda column: self._arrived(block, step, column), step.below
                )
                return
            keywords = step.keywords(source, self.variables, info)
        except Exception as error:
            self._arrived(block, step, [error] * len(block.parents))
            return
        column = _called(source, block.parents, keywords)
        if source.asking:
            self._coming |= step.below.batches
            _Asking(self, block, step, column)
        else:
            self._arrived(block, step, column)

    def _call_of(self, batch: Batch, args: tuple[Hashable, ...]) -> "_Call":
        call = self._calls.get((batch, args))
        if call is None:
            call = self._calls[batch, args] = _Call(batch, args)
        return call

    def load(self, request: LoadRequest, answered: Callable[[Any], None]) -> None:
        """Load with the next level what a resolver asked for."""
        self._call_of(request.batch, request.args).add(
            [request.parent], lambda values: answered(values[0]), UNKNOWN_BELOW
        )

    def wait(self, work: Coroutine[Any, Any, None], values: Sequence[Any] = ()) -> None:
        """Do `work`, which awaits `values`, with the next level."""
        self._awaited.append((work, values))

    # What has arrived

    def _arrived(self, block: Block, step: Step, column: list[Any]) -> None:
        """Take a column's values, and open the blocks below them."""
        if step.depth:
            column = _listed(step, column)
        items = _items(column, step.depth)
        kinds = _kinds(items)
        if any(map(_can_be_awaited, kinds)):
            self._coming |= step.below.batches
            self.wait(self._settle(block, step, column), items)
            return
        block.columns[step.index] = column
        if step.asked is not None:
            self._lead(block, step, items, kinds)

    async def _settle(self, block: Block, step: Step, column: list[Any]) -> None:
        self._arrived(block, step, await _settled(column, step.depth))

    arrived = _arrived

    def _lead(self, block: Block, step: Step, items: list[Any], kinds: set[Any]) -> None:
        """Open a block for each type of the objects that a field led to."""
        link = block.links[step.index]
        if any(map(_is_no_object, kinds)):
            kinds = {kind for kind in kinds if not _is_no_object(kind)}
            items = [item for item in items if type(item) in kinds]
        if not items:
            return
        ids = list(map(id, items))
        if len(set(ids)) < len(ids):
            unique = dict(zip(ids, items, strict=True))
            ids, items = list(unique), list(unique.values())
        asked: Any = step.asked
        known = {kind: self.plan.types.of_class(step.named, kind) for kind in kinds}
        if len(known) == 1 and (type_ := known.popitem()[1]) is not None:
            try:
                shape = asked.of(type_)
            except Exception as error:
                block.refused += [(link, identity, error) for identity in ids]
            else:
                self._open(shape, items, ids, link)
            return
        groups: dict[str, tuple[Shape, list[Any], list[int]]] = {}
        ask = self.plan.types.asked(self.plan, step.named, step.details, Resolving(self, step))
        for identity, item in zip(ids, items, strict=True):
            try:
                type_ = known.get(type(item)) or ask(item)
                group = groups.get(type_.name)
                if group is None:
                    group = groups[type_.name] = asked.of(type_), [], []
            except Exception as error:
                block.refused.append((link, identity, error))
                continue
            group[1].append(item)
            group[2].append(identity)
        for shape, parents, ids in groups.values():
            self._open(shape, parents, ids, link)


class _Call:
    """One call of a batch resolver, for all that want it."""

    def __init__(self, batch: Batch, args: tuple[Hashable, ...]) -> None:
        self._batch = batch
        self._args = args
        self._wanting: list[tuple[Sequence[Any], Callable[[list[Any]], None]]] = []
        # What its results lead to.
        self.coming: frozenset[Batch] = frozenset()
        self.ends = True

    def add(self, parents: Sequence[Any], answered: Callable[[list[Any]], None], below: Below) -> None:
        self._wanting.append((parents, answered))
        self.coming |= below.batches
        self.ends = self.ends and below.ends

    async def run(self, context: Any) -> None:
        if len(self._wanting) == 1:
            parents, answered = self._wanting[0]
            answered(await self._load(context, parents))
            return
        unique = {id(parent): parent for parents, _ in self._wanting for parent in parents}
        values = await self._load(context, list(unique.values()))
        found = dict(zip(unique, values, strict=True))
        for parents, answered in self._wanting:
            answered([found[id(parent)] for parent in parents])

    async def _load(self, context: Any, parents: Sequence[Any]) -> list[Any]:
        try:
            values = list(await self._batch(context, parents, *self._args))
            if len(values) != len(parents):
                said = f"{self._batch!r} gave {len(values)} results for {len(parents)} parents"
                raise RuntimeError(said)  # noqa: TRY301 -- handled as what the resolver itself raises
        except Exception as error:
            return [error] * len(parents)
        return values


class _Asking:
    """A column of coroutines that ask for what is loaded together; each goes on when it is answered."""

    def __init__(self, run: Run, block: Block, step: Step, coroutines: list[Any]) -> None:
        self._run = run
        self._block = block
        self._step = step
        self._column = coroutines
        self._open = len(coroutines)
        for index, coroutine in enumerate(list(coroutines)):
            if isinstance(coroutine, Exception):
                self._done(index, coroutine)
            else:
                self._go_on(index, coroutine, None)

    def _go_on(self, index: int, coroutine: Any, value: Any) -> None:
        try:
            go_on = coroutine.throw if isinstance(value, Exception) else coroutine.send
            awaited = go_on(value)
        except StopIteration as end:
            self._done(index, end.value)
        except Exception as error:
            self._done(index, error)
        else:
            if isinstance(awaited, LoadRequest):
                self._run.load(awaited, lambda answer: self._go_on(index, coroutine, answer))
            else:
                self._run.wait(self._finish(index, Resumed(coroutine, awaited, self._run.context)))

    async def _finish(self, index: int, rest: Resumed) -> None:
        try:
            value = await rest
        except Exception as error:
            value = error
        self._done(index, value)

    def _done(self, index: int, value: Any) -> None:
        self._column[index] = value
        self._open -= 1
        if not self._open:
            self._run.arrived(self._block, self._step, self._column)


# Columns


def _attributes(name: str, parents: Sequence[Any]) -> list[Any]:
    read = attrgetter(name)
    try:
        return [read(parent) for parent in parents]
    except Exception:
        return [_attempt(read, parent) for parent in parents]


def _computed(source: Computed, info: Any, parents: Sequence[Any]) -> list[Any]:
    try:
        return source.column(info, parents)
    except Exception:
        return [_attempt(lambda each: source.column(info, [each])[0], parent) for parent in parents]


def _attempt(read: Callable[[Any], Any], parent: Any) -> Any:
    try:
        return read(parent)
    except Exception as error:
        return error


def _called(source: Called, parents: Sequence[Any], keywords: dict[str, Any]) -> list[Any]:
    call = source.call
    column: list[Any] = []
    for parent in parents:
        try:
            column.append(call(parent, **keywords) if keywords else call(parent))
        except Exception as error:
            column.append(error)
    return column


def _listed(step: Step, column: list[Any]) -> list[Any]:
    """The column with lists for whatever can be iterated."""
    if step.depth == 1 and _kinds(column) <= {list, type(None)}:
        return column
    return [_as_list(step, value, step.depth) for value in column]


def _as_list(step: Step, value: Any, depth: int) -> Any:
    if not depth or value is None or value is Undefined or isinstance(value, Exception):
        return value
    if is_awaitable(value):
        return value
    if hasattr(value, "__aiter__"):
        return _collected(value)
    if not is_iterable(value):
        return GraphQLError(
            f"Expected Iterable, but did not find one for field '{step.parent_type}.{step.name}'."
        )
    try:
        return [_as_list(step, item, depth - 1) for item in value]
    except Exception as error:
        return error


def _items(values: Iterable[Any], depth: int) -> list[Any]:
    """All that is in lists of lists `depth` deep, and what stands there instead of a list."""
    items = values if isinstance(values, list) else list(values)
    for _ in range(depth):
        flat: list[Any] = []
        for value in items:
            if type(value) is list:
                flat += value
            elif value is not None:
                flat.append(value)
        items = flat
    return items


def _kinds(values: Iterable[Any]) -> set[Any]:
    return set(map(type, values))


@lru_cache(maxsize=1000)
def _can_be_awaited(kind: Hashable) -> bool:
    return hasattr(kind, "__await__")


@lru_cache(maxsize=1000)
def _is_no_object(kind: Any) -> bool:
    return issubclass(kind, type(None) | type(Undefined) | Exception)


async def _settled(values: list[Any], depth: int) -> list[Any]:
    """The values, and those in lists `depth` deep, with what came of each that could be awaited."""
    if len(values) == 1:
        return [await _settle(values[0], depth)]
    return list(await asyncio.gather(*(_settle(value, depth) for value in values)))


async def _settle(value: Any, depth: int) -> Any:
    try:
        if is_awaitable(value):
            return await value
        if depth and type(value) is list:
            return await _settled(value, depth - 1)
    except Exception as error:
        return error
    return value


async def _collected(iterable: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in iterable]
