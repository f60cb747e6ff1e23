"""The one pipeline that every operation takes, over HTTP, WebSocket and SSE alike.

    prepare   text → Operation: parsed, limited, validated, remembered; raises Rejected
    execute   Operation, variables, context → ExecutionResult, for a query, a mutation or one event
    subscribe Operation, variables, context → source events, or the result that says why there are none
    encode    ExecutionResult → JSON text

Whatever goes wrong comes out as a GraphQL error with a code (schema.serving.results).
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import inspect
import time
from collections.abc import AsyncIterable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from graphql.execution import (
    Executor,
    create_source_event_stream,
    execute_root_selection_set,
    execute_subscription_event,
)
from graphql.execution.values import VariableValues, get_variable_values
from graphql.validation.rules import overlapping_fields_can_be_merged

from models.messages import Message
from resolvers.errors import RateLimited
from schema import execution
from schema.serving import observability
from schema.serving.analysis import definition_of, resume_variable_of, uses_viewer, viewer_fields_of
from schema.serving.last_used import LastUsed
from schema.serving.limits import (
    Cost,
    Limits,
    Survey,
    check_cost,
    check_document,
    check_text,
    check_values,
    page_sizes,
)
from schema.serving.results import (
    BAD_USER_INPUT,
    INTERNAL,
    PARSE_FAILED,
    UNRESOLVED,
    VALIDATION_FAILED,
    Refusal,
    Rejected,
    coded,
    counted,
    error_of,
    is_meant_for_clients,
    located,
    origin_of,
    without_value,
)

Kind = Literal["query", "mutation", "subscription"]

_KINDS: Final[dict[OperationType, Kind]] = {
    OperationType.QUERY: "query",
    OperationType.MUTATION: "mutation",
    OperationType.SUBSCRIPTION: "subscription",
}
_NAME_SHOWN: Final = 64
# Variables that are remembered with their operations, of all together, if they are no longer than this.
_MOST_BOUND: Final = 1_000
_BOUND_BYTES: Final = 1_000
# So many new documents leave some 15 MB to the collector, which in a server looks at old things too rarely.
# It takes a tenth of a second then, paid for by who sends so many.
_COLLECTED: Final = 300

log = structlog.get_logger("linli.operations")


@dataclass(slots=True, eq=False)
class BoundVariables:
    """Variables that fit an operation, as the schema has them; and the subscription's source with them."""

    values: VariableValues
    source: execution.EventSource | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operation that has passed parsing, limits and validation: all that is known before the variables.

    `digest` tells operations apart by text and name. `uses_viewer` is false only if every selected field is
    the same for all who may see it. `resume_variable` is the variable that holds a subscription's cursor and
    nothing else, so that operations which differ in it alone are the same. `plans` says how it is executed,
    or why graphql-core executes it. `bound` are the variables that it was executed with lately, by their
    JSON: those of a feed, of a thread, are the same for many.
    """

    document: DocumentNode
    name: str | None
    kind: Kind
    digest: str
    uses_viewer: bool
    resume_variable: str | None
    cost: Cost
    plans: execution.Plans | str
    bound: dict[bytes, BoundVariables] = field(default_factory=dict)


class Operations:
    """All operations on one schema.

    `expected` are the exceptions whose message and `code` clients may see; every other exception is masked
    and logged. `running` holds the mutations under way, which no disconnect and no `complete` can cancel.
    Unless `compiled`, graphql-core executes everything; with `in_turn`, what a level of a plan
    awaits is awaited one after the other.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits | None = None,
        *,
        introspection: bool,
        expected: tuple[type[Exception], ...] = (),
        compiled: bool = True,
        in_turn: bool = False,
    ) -> None:
        self.schema = schema
        self.limits = limits or Limits()
        self.expected = expected
        self.running: set[asyncio.Task[ExecutionResult]] = set()
        self._rules = [*specified_rules]
        if not introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)
        self._sizes = page_sizes(schema, self.limits)
        self._viewer_fields = viewer_fields_of(schema)
        self._planner = (
            execution.Planner(schema, in_turn=in_turn, varying=self._viewer_fields) if compiled else None
        )
        self._prepared: LastUsed[tuple[str, str | None], Operation | list[GraphQLError]] = LastUsed(
            self.limits.cached_operations, self.limits.cached_bytes, lambda key, _: _weight(key)
        )
        self._kept: dict[tuple[str, str | None], Operation] = {}
        self._bound_count = 0
        self._uncollected = 0
        # The only knob there is for this.
        overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = self.limits.validation_budget

    # Preparing

    def prepare(self, query: str, operation_name: str | None = None) -> Operation:
        """The operation of that name, or the only one, in `query`. Raises Rejected."""
        known = self.known(query, operation_name)
        if known is not None:
            return known
        refused = self._check(query, operation_name)
        if refused is not None:
            raise counted(Rejected([refused]))
        made: Operation | list[GraphQLError]
        try:
            made = self._prepare(query, operation_name)
        except Rejected as rejected:
            made = rejected.errors
        self._prepared.put((query, operation_name), made)
        self._collect()
        if isinstance(made, Operation):
            return made
        raise counted(Rejected(made))

    def known(self, query: str, operation_name: str | None = None) -> Operation | None:
        """The same if it is remembered, which takes no time. Raises Rejected if its refusal is."""
        key = (query, operation_name)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        known = self._prepared.get(key)
        if known is None or isinstance(known, Operation):
            return known
        raise counted(Rejected(known))

    def is_known(self, query: str, operation_name: str | None = None) -> bool:
        """Whether it, or its refusal, is remembered."""
        return (query, operation_name) in self._kept or (query, operation_name) in self._prepared

    def _collect(self) -> None:
        """Have what was forgotten freed, now and then: documents and plans refer to themselves."""
        self._uncollected += 1
        if self._uncollected >= _COLLECTED:
            self._uncollected = 0
            gc.collect()

    def keep(self, query: str) -> None:
        """Prepare the only operation in `query` now, and never forget it. Raises Rejected."""
        operation = self.prepare(query)
        self._kept[query, None] = self._kept[query, operation.name] = operation

    def _check(self, query: str, operation_name: str | None) -> GraphQLError | None:
        # These refusals are cheap, and what they refuse may be too large to remember.
        for text in (query, operation_name or ""):
            if not _is_unicode(text):
                return error_of(
                    Message("The query text has characters that are no Unicode text."), PARSE_FAILED
                )
        if len(operation_name or "") > self.limits.text_bytes:
            return error_of(Message("The operation's name is too long."), UNRESOLVED)
        return check_text(query, self.limits)

    def _prepare(self, query: str, operation_name: str | None) -> Operation:
        try:
            document = parse(query, max_lexical_tokens=self.limits.tokens, max_comments=self.limits.comments)
        except GraphQLSyntaxError as error:
            raise Rejected([coded(error, PARSE_FAILED)]) from None
        many = check_document(document, self.limits)
        if many is not None:
            raise Rejected([many])
        definition = definition_of(document, operation_name)
        survey = Survey(document, definition, self.limits, self.schema, self._sizes)
        if survey.errors:
            raise Rejected(survey.errors)
        errors = validate(
            self.schema,
            document,
            self._rules,
            max_errors=self.limits.validation_errors,
            hide_suggestions=True,
        )
        if errors:
            raise Rejected([coded(error, VALIDATION_FAILED) for error in errors])
        name = definition.name.value if definition.name else None
        return Operation(
            document=document,
            name=name,
            kind=_KINDS[definition.operation],
            digest=hashlib.sha256(f"{query}\0{name or ''}".encode()).hexdigest(),
            uses_viewer=uses_viewer(self.schema, self._viewer_fields, document, definition),
            resume_variable=resume_variable_of(document, definition),
            cost=survey.cost,
            plans=self._plans(document, definition),
        )

    def _plans(self, document: DocumentNode, definition: OperationDefinitionNode) -> execution.Plans | str:
        if self._planner is None:
            return "switched_off"
        try:
            return self._planner.plans(document, definition)
        except execution.Unplanned as unplanned:
            return unplanned.reason

    # Executing

    async def execute(
        self,
        operation: Operation,
        variables: Mapping[str, Any] | None,
        context: Any,
        root: Any = None,
        shared_run: execution.SharedRun | None = None,
    ) -> ExecutionResult:
        """Execute a query, a mutation or, with `root` the event, a subscription's operation for one event;
        with `shared_run` only what `share` has left of it.

        Never raises but for cancellation. A mutation that has begun goes on to its end even if the caller is
        cancelled: cancelled in the middle of opening a transaction it would leave the connection locked.
        """
        if operation.kind != "mutation":
            return await self._execute(operation, variables, context, root, shared_run)
        task = asyncio.create_task(self._execute(operation, variables, context, root))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return await asyncio.shield(task)

    async def share(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Any, root: Any
    ) -> execution.SharedRun | None:
        """What is the same for all who may see an event, executed in a context without a viewer.

        None if there is no plan for the operation. Raises nothing but what cancels.
        """
        if isinstance(operation.plans, str):
            return None
        bound = self._bind(operation, operation.plans, variables)
        if isinstance(bound, Refusal):
            return None
        return await execution.share(operation.plans, bound.values, context, root)

    async def subscribe(self, operation: Operation, variables: Mapping[str, Any] | None, context: Any) -> Any:
        """What a subscription's resolver answered, or the result with the errors."""
        started = time.perf_counter()
        result: Any
        try:
            result = await self._subscribed(operation, variables, context)
        except Exception as error:
            result = ExecutionResult(None, [GraphQLError(str(error), original_error=error)])
        if isinstance(result, ExecutionResult) and not isinstance(result, Refusal):
            result = Refusal(self._presentable(result.errors or []))
        self._report(operation, "subscription", result, time.perf_counter() - started)
        return result

    async def drain(self) -> None:
        """Wait until no mutation is under way."""
        while self.running:
            await asyncio.wait(self.running)

    async def _execute(
        self,
        operation: Operation,
        variables: Mapping[str, Any] | None,
        context: Any,
        root: Any,
        shared_run: execution.SharedRun | None = None,
    ) -> ExecutionResult:
        started = time.perf_counter()
        try:
            if isinstance(operation.plans, str):
                result = await self._by_graphql_core(operation, variables, context, root, operation.plans)
            else:
                result = await self._by_plan(operation, operation.plans, variables, context, root, shared_run)
        except Exception as error:
            result = ExecutionResult(None, [GraphQLError(str(error), original_error=error)])
        if result.errors and not isinstance(result, Refusal):
            result.errors = self._presentable(result.errors)
        kind = "event" if operation.kind == "subscription" else operation.kind
        self._report(operation, kind, result, time.perf_counter() - started)
        return result

    async def _by_plan(
        self,
        operation: Operation,
        plans: execution.Plans,
        variables: Mapping[str, Any] | None,
        context: Any,
        root: Any,
        shared_run: execution.SharedRun | None = None,
    ) -> ExecutionResult:
        if shared_run is not None:
            return await shared_run.execute(context)
        bound = self._bind(operation, plans, variables)
        if isinstance(bound, Refusal):
            return bound
        return await execution.execute(plans, bound.values, context, root)

    async def _subscribed(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Any
    ) -> Any:
        with suppress(execution.Unplanned):
            source = self._source(operation, variables)
            return source if isinstance(source, ExecutionResult) else await source.open(context)
        executor = self._executor(operation, variables, context, None)
        if isinstance(executor, list):
            return Refusal(executor)
        stream = create_source_event_stream(executor)
        return await stream if inspect.isawaitable(stream) else stream

    def _source(
        self, operation: Operation, variables: Mapping[str, Any] | None
    ) -> execution.EventSource | ExecutionResult:
        """What thousands subscribe to with the same variables, made once. Raises Unplanned."""
        if isinstance(operation.plans, str):
            raise execution.Unplanned(operation.plans)
        bound = self._bind(operation, operation.plans, variables)
        if isinstance(bound, Refusal):
            return bound
        if bound.source is None:
            try:
                bound.source = execution.EventSource(operation.plans, bound.values)
            except GraphQLError as error:
                return ExecutionResult(None, [error])
        return bound.source

    def _bind(
        self, operation: Operation, plans: execution.Plans, variables: Mapping[str, Any] | None
    ) -> BoundVariables | Refusal:
        text = _text_of(variables)
        if text is None:
            return Refusal([_no_text()])
        if len(text) > self.limits.values and (many := check_values(variables, self.limits)) is not None:
            return Refusal([many])
        known = operation.bound.get(text)
        if known is not None:
            return known
        coerced = get_variable_values(
            self.schema,
            plans.operation.variable_definitions or (),
            dict(variables) if variables else {},
            max_errors=self.limits.validation_errors,
            hide_suggestions=True,
        )
        if isinstance(coerced, list):
            return Refusal([without_value(error) for error in coerced])
        if (costly := check_cost(operation.cost, coerced.coerced, self.limits)) is not None:
            return Refusal([costly])
        bound = BoundVariables(coerced)
        # No two mutations are the same, and what they say need not stay in memory.
        if operation.kind != "mutation" and len(text) <= _BOUND_BYTES:
            self._remember_bound(operation, text, bound)
        return bound

    def _remember_bound(self, operation: Operation, text: bytes, bound: BoundVariables) -> None:
        if self._bound_count >= _MOST_BOUND:
            self._bound_count = 0
            for known in (*self._prepared.values(), *self._kept.values()):
                if isinstance(known, Operation):
                    known.bound.clear()
        self._bound_count += 1
        operation.bound[text] = bound

    async def _by_graphql_core(
        self,
        operation: Operation,
        variables: Mapping[str, Any] | None,
        context: Any,
        root: Any,
        reason: str,
    ) -> ExecutionResult:
        observability.REFERENCE.labels(reason).inc()
        executor = self._executor(operation, variables, context, root)
        if isinstance(executor, list):
            return Refusal(executor)
        run = execute_subscription_event if operation.kind == "subscription" else execute_root_selection_set
        running = run(executor)
        return await running if inspect.isawaitable(running) else running

    def _executor(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Any, root: Any
    ) -> Executor[Any] | list[GraphQLError]:
        if root is None and _text_of(variables) is None:
            return [_no_text()]
        if root is None and (many := check_values(variables, self.limits)) is not None:
            return [many]
        executor = Executor.build(
            self.schema,
            operation.document,
            root_value=root,
            context_value=context,
            raw_variable_values=dict(variables) if variables else None,
            operation_name=operation.name,
            max_coercion_errors=self.limits.validation_errors,
            hide_suggestions=True,
        )
        if isinstance(executor, list):
            return [without_value(error) for error in executor]
        costly = check_cost(operation.cost, executor.variable_values.coerced, self.limits)
        return executor if costly is None else [costly]

    # Errors

    def _presentable(self, errors: Iterable[GraphQLError]) -> list[GraphQLError]:
        """What clients may see of these errors of execution; unexpected ones are logged, each cause once."""
        shown: list[GraphQLError] = []
        ids: dict[int, str] = {}
        for error in errors:
            origin = origin_of(error)
            if isinstance(origin, self.expected):
                shown.append(self._domain(error, origin))
            elif isinstance(origin, GraphQLError) and is_meant_for_clients(origin):
                shown.append(coded(error, BAD_USER_INPUT))
            else:
                shown.append(self.masked(origin, error, ids))
        return shown

    def domain_error(self, error: Exception) -> GraphQLError | None:
        """The GraphQL error for a domain error raised outside of execution; None for any other exception."""
        return self._domain(None, error) if isinstance(error, self.expected) else None

    def rate_limited(self, seconds: int) -> Rejected:
        """The refusal of who is to come back after so many seconds."""
        error = self._domain(None, RateLimited(seconds))
        return counted(Rejected([error], 429, {"retry-after": str(seconds)}))

    def _domain(self, at: GraphQLError | None, error: Exception) -> GraphQLError:
        more = getattr(error, "extensions", None)
        extensions = {
            **(more() if callable(more) else {}),
            "code": str(getattr(error, "code", BAD_USER_INPUT)),
        }
        return located(at, getattr(error, "message", str(error)) or extensions["code"], extensions)

    def masked(
        self, error: Exception, at: GraphQLError | None = None, ids: dict[int, str] | None = None
    ) -> GraphQLError:
        """An error that says nothing but an id, under which `error` is in the log with its traceback."""
        ids = {} if ids is None else ids
        id_ = ids.get(id(error))
        if id_ is None:
            id_ = ids[id(error)] = observability.REQUEST_ID.get() or observability.new_request_id()
            path = ".".join(part for part in (at.path if at else None) or () if isinstance(part, str))
            log.error("internal_error", id=id_, path=path, exc_info=error)
        return located(at, Message("Internal error"), {"code": INTERNAL, "id": id_})

    def _report(
        self,
        operation: Operation,
        kind: str,
        result: ExecutionResult | AsyncIterable[Any],
        seconds: float,
    ) -> None:
        errors = result.errors if isinstance(result, ExecutionResult) else None
        codes = sorted({str((error.extensions or {}).get("code")) for error in errors}) if errors else []
        if isinstance(result, Refusal):
            outcome = "refused"
        elif INTERNAL in codes:
            outcome = "internal"
        else:
            outcome = "failed" if codes else "ok"
        observability.observe(kind, outcome, seconds)
        if kind == "event" and outcome == "ok":
            return
        log.info(
            "operation",
            kind=kind,
            name=operation.name[:_NAME_SHOWN] if operation.name else None,
            digest=operation.digest,
            # Rounding to digits takes a hundred times as long.
            duration_ms=round(seconds * 100_000) / 100,
            outcome=outcome,
            codes=codes,
        )


def _text_of(variables: Mapping[str, Any] | None) -> bytes | None:
    """None for variables that nothing could store or answer with: lone surrogates, extreme nesting."""
    try:
        return orjson.dumps(variables or {})
    except TypeError:
        return None


def _no_text() -> GraphQLError:
    message = Message("The variables have characters that are no Unicode text, or are nested too deep.")
    return error_of(message, BAD_USER_INPUT)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _weight(key: tuple[str, str | None]) -> int:
    # A remembered operation is more than its text, however short that is.
    return 500 + len(key[0]) + len(key[1] or "")
