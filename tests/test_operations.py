from __future__ import annotations

import asyncio
import enum
import gc
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import strawberry
import structlog
from graphql import ExecutionResult, GraphQLError, get_introspection_query
from graphql.execution.values import get_variable_values
from prometheus_client import REGISTRY
from strawberry.directive import DirectiveLocation, DirectiveValue
from structlog.testing import capture_logs
from structlog.typing import EventDict

from schema.execution.plan import Plans
from schema.serving import observability
from schema.serving.limits import Limits
from schema.serving.operations import Operation, Operations
from schema.serving.results import Refusal, Rejected, encode

pytestmark = pytest.mark.anyio

SECRET = "13800138000"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class DomainError(Exception):
    code = "DOMAIN"

    def extensions(self) -> dict[str, Any]:
        return {}


class NotFound(DomainError):
    code = "NOT_FOUND"


class RateLimited(DomainError):
    code = "RATE_LIMITED"

    def extensions(self) -> dict[str, Any]:
        return {"retryAfter": 30, "code": "never this one"}


@dataclass
class Context:
    """Lets a test hold a mutation back, and see what has happened."""

    done: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)


Info = strawberry.Info[Context, None]


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"


@strawberry.input
class Person:
    name: str
    age: int
    colour: Colour | None = None


@strawberry.interface
class Likeable:
    id: strawberry.ID


@strawberry.type
class Post(Likeable):
    body: str

    @strawberry.field(metadata={"viewer": True})
    def viewer_has_liked(self) -> bool:
        return True

    @strawberry.field
    def author(self) -> Post:
        return self


@strawberry.type
class Envelope:
    cursor: str
    post: Post


@strawberry.type
class Query:
    @strawberry.field
    def post(self) -> Post:
        return Post(id=strawberry.ID("1"), body="停水")

    @strawberry.field
    def likeable(self) -> Likeable:
        return Post(id=strawberry.ID("1"), body="停水")

    @strawberry.field
    async def posts(self, first: int = 2) -> list[Post]:
        return [Post(id=strawberry.ID(str(number)), body="停水") for number in range(first)]

    @strawberry.field
    async def endless(self, info: Info) -> None:
        info.context.started.set()
        await info.context.gate.wait()

    @strawberry.field
    def greet(self, person: Person) -> str:
        return f"你好，{person.name}"

    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def half(self, of: float) -> float:
        return of / 2

    @strawberry.field
    def missing(self) -> str | None:
        raise NotFound("No such post")

    @strawberry.field
    async def limited(self) -> str | None:
        raise RateLimited("Slow down")

    @strawberry.field
    def told(self) -> str | None:
        raise GraphQLError("Say please", extensions={"code": "IMPOLITE"})

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError(f"duplicate key: phone={SECRET}")

    @strawberry.field(graphql_type=list[str | None])
    def broken_twice(self) -> Any:
        error = RuntimeError(SECRET)
        return [error, error, error]

    @strawberry.field(graphql_type=int | None)
    def miscounted(self) -> Any:
        return SECRET

    @strawberry.field
    def surrogate(self) -> str:
        return "\ud800"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self, info: Info, name: str) -> str:
        info.context.started.set()
        await info.context.gate.wait()
        info.context.done.append(name)
        return name


class Stream:
    """An async iterable of our own: no generator, and with more to it than events."""

    def __init__(self, after: str | None) -> None:
        self.after = after
        self.topics = ("posts",)

    def __aiter__(self) -> AsyncIterator[Envelope]:
        return self

    async def __anext__(self) -> Envelope:
        raise StopAsyncIteration


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def posts(self, after: str | None = None, first: int = 1) -> AsyncIterator[Envelope]:
        return Stream(after)

    @strawberry.subscription
    def instant(self) -> AsyncIterator[Envelope]:
        return Stream(None)

    @strawberry.subscription
    async def missing(self) -> AsyncIterator[int]:
        raise NotFound("No such topic")

    @strawberry.subscription
    async def broken(self) -> AsyncIterator[int]:
        raise RuntimeError(SECRET)

    @strawberry.subscription(graphql_type=int)
    async def no_stream(self) -> Any:
        return SECRET


@strawberry.interface
class Seen:
    seen: bool


@strawberry.type
class Letter(Seen):
    seen: bool = strawberry.field(metadata={"viewer": True})


@strawberry.type(name="Query")
class Letters:
    @strawberry.field
    def letter(self) -> Seen:
        return Letter(seen=True)


SCHEMA = strawberry.Schema(Query, Mutation, Subscription)._schema


def operations_with(limits: Limits | None = None, introspection: bool = True) -> Operations:
    return Operations(SCHEMA, limits, introspection=introspection, expected=(DomainError,))


@pytest.fixture
def operations() -> Operations:
    return operations_with()


async def run(operations: Operations, query: str, **variables: Any) -> ExecutionResult:
    return await operations.execute(operations.prepare(query), variables, Context())


def rejected(operations: Operations, query: str, name: str | None = None) -> list[GraphQLError]:
    with pytest.raises(Rejected) as caught:
        operations.prepare(query, name)
    assert caught.value.errors
    assert json.loads(encode(caught.value.result)).keys() == {"errors"}
    return caught.value.errors


def code(error: GraphQLError) -> str:
    assert error.extensions is not None
    return str(error.extensions["code"])


def only_error(result: ExecutionResult) -> GraphQLError:
    assert result.errors is not None
    (error,) = result.errors
    return error


def logged(logs: list[EventDict], event: str) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == event]


class TestPrepare:
    async def test_what_is_known_of_an_operation(self, operations: Operations) -> None:
        operation = operations.prepare("query Q { post { id } }")
        assert (operation.kind, operation.name, operation.uses_viewer) == ("query", "Q", False)
        assert operations.prepare('mutation { write(name: "x") }').kind == "mutation"
        assert operations.prepare("subscription { instant { cursor } }").kind == "subscription"

    async def test_the_same_text_is_prepared_once(self, operations: Operations) -> None:
        query = "query Q { post { id } }"
        assert operations.prepare(query) is operations.prepare(str(query))
        assert operations.prepare(query, "Q").digest == operations.prepare(query).digest
        assert operations.prepare(query + " ").digest != operations.prepare(query).digest

    async def test_what_is_remembered_is_bounded(self) -> None:
        operations = operations_with(Limits(cached_operations=3))
        first = operations.prepare("{ a0: post { id } }")
        operations.keep(kept := "query Kept { post { id } }")
        ours = operations.prepare(kept)
        for number in range(1, 4):
            operations.prepare(f"{{ a{number}: post {{ id }} }}")
        assert len(operations._prepared) == 3
        assert operations.prepare("{ a0: post { id } }") is not first
        assert operations.prepare(kept) is operations.prepare(kept, "Kept") is ours
        operations = operations_with(Limits(cached_bytes=5_000))
        for number in range(100):
            operations.prepare(f"{{ a{number}: post {{ id }} }} # {'x' * 1_000}")
            rejected(operations, f"{{ a{number}: post }} # {'x' * 1_000}")
        assert len(operations._prepared) == 3
        assert 0 < operations._prepared.weight <= 5_000

    async def test_refusals_are_remembered_and_stay_the_same(self, operations: Operations) -> None:
        first = rejected(operations, "{ nowhere }")
        assert rejected(operations, "{ nowhere }") == first
        assert first[0].__traceback__ is None

    @pytest.mark.parametrize(
        "query", ["", "{", "{ post { id }", '{ echo(text: "\\uD800") }', "\x00", '{ a(x: "', "水"]
    )
    async def test_syntax(self, operations: Operations, query: str) -> None:
        (error,) = rejected(operations, query)
        assert code(error) == "GRAPHQL_PARSE_FAILED"

    @pytest.mark.parametrize("query", ['{ echo(text: "\ud800") }', "{ post { id } } # \udfff", "\ud800"])
    async def test_lone_surrogates_in_the_text(self, operations: Operations, query: str) -> None:
        (error,) = rejected(operations, query)
        assert code(error) == "GRAPHQL_PARSE_FAILED"

    async def test_validation_gives_no_hints(self, operations: Operations) -> None:
        queries = (
            "{ pots { id } }",
            "{ post { bodi } }",
            '{ echo(txt: "a") }',
            "{ post { ...on Pots { id } } }",
            '{ greet(person: {nam: "a", age: 1}) }',
            '{ greet(person: {name: "a", age: 1, colour: RAD}) }',
            "query($p: Persn) { post { id } }",
            "{ post { id @skp } }",
        )
        for query in queries:
            errors = rejected(operations, query)
            assert {code(error) for error in errors} == {"GRAPHQL_VALIDATION_FAILED"}, query
            assert all("did you mean" not in error.message.lower() for error in errors)
            assert errors[0].locations

    async def test_a_subscription_has_one_root_field(self, operations: Operations) -> None:
        errors = rejected(operations, "subscription { instant { cursor } posts { cursor } }")
        assert code(errors[0]) == "GRAPHQL_VALIDATION_FAILED"

    async def test_which_operation(self, operations: Operations) -> None:
        query = 'query A { post { id } } mutation B { write(name: "b") }'
        (error,) = rejected(operations, query)
        assert code(error) == "OPERATION_RESOLUTION_FAILED"
        assert error.message == "The document has several operations; name one of them."
        assert operations.prepare(query, "B").kind == "mutation"
        assert operations.prepare(query, "A").digest != operations.prepare(query, "B").digest
        for name in ("C", "", "\ud800", "x" * 1_000_000):
            (error,) = rejected(operations, query, name)
            assert code(error) in ("OPERATION_RESOLUTION_FAILED", "GRAPHQL_PARSE_FAILED")
            assert len(error.message) < 100
        assert (
            code(rejected(operations, "fragment F on Query { post { id } }")[0])
            == "OPERATION_RESOLUTION_FAILED"
        )

    async def test_introspection_can_be_off(self) -> None:
        errors = rejected(operations_with(introspection=False), "{ __schema { types { name } } }")
        assert code(errors[0]) == "GRAPHQL_VALIDATION_FAILED"
        operations_with(introspection=False).prepare("{ __typename post { __typename } }")
        result = await run(operations_with(), get_introspection_query())
        assert result.errors is None

    async def test_limits(self, operations: Operations) -> None:
        deep = "{ post " + "{ author " * 100_000 + "{ id }" + " }" * 100_001
        for query in (deep[:30_000], deep, "{ post { id } } #" + "x" * 40_000, "{" + "a " * 7_000 + "}"):
            (error, *_) = rejected(operations, query)
            assert code(error) in ("TOO_COMPLEX", "GRAPHQL_PARSE_FAILED")
        (error,) = rejected(operations, "{ post " + "{ author " * 20 + "{ id }" + " }" * 21)
        assert (error.extensions or {})["limit"] == "depth"

    async def test_what_is_forgotten_is_freed(self) -> None:
        """Also where the collector would not look for long, as in a server."""
        operations = operations_with(Limits(cached_operations=10))

        def plans() -> int:
            return sum(isinstance(known, Plans) for known in gc.get_objects())

        gc.collect()
        before = plans()
        gc.disable()
        try:
            for n in range(1_000):
                operations.prepare(f"query Q{n} {{ post {{ id author {{ id }} }} }}")
        finally:
            gc.enable()
        assert plans() - before <= 310

    async def test_a_document_of_many_definitions_is_refused(self, operations: Operations) -> None:
        text = " ".join(f"query Q{n} {{ post {{ id }} }}" for n in range(101))
        with pytest.raises(Rejected) as refused:
            operations.prepare(text, "Q0")
        (error,) = refused.value.errors
        assert error.extensions == {
            "code": "TOO_COMPLEX",
            "limit": "definitions",
            "maximum": 100,
            "actual": 101,
        }

    async def test_validation_of_many_equal_fields_is_given_up_early(self, operations: Operations) -> None:
        (error,) = rejected(operations, "{ post { " + "author { id } " * 590 + "} }")
        assert "Validation aborted" in error.message or "error limit" in error.message


class TestViewer:
    @pytest.mark.parametrize(
        ("query", "uses"),
        [
            ("{ post { id body } }", False),
            ("{ post { viewerHasLiked } }", True),
            ("{ post { author { author { viewerHasLiked } } } }", True),
            (
                "{ post { ...A } } fragment A on Post { ...B } fragment B on Post { viewerHasLiked }",
                True,
            ),
            ("{ post { ...A } } fragment A on Post { ...B } fragment B on Post { id }", False),
            ("{ likeable { ...on Post { viewerHasLiked } } }", True),
            ("{ likeable { id __typename } }", False),
            ("subscription { instant { post { viewerHasLiked } } }", True),
        ],
    )
    async def test_transitively(self, operations: Operations, query: str, uses: bool) -> None:
        assert operations.prepare(query).uses_viewer is uses

    async def test_each_operation_of_a_document_for_itself(self, operations: Operations) -> None:
        query = "query A { post { ...F } } query B { post { id } } fragment F on Post { viewerHasLiked }"
        assert operations.prepare(query, "A").uses_viewer
        assert not operations.prepare(query, "B").uses_viewer

    async def test_a_field_of_an_interface_does_when_it_does_in_one_type(self) -> None:
        schema = strawberry.Schema(Letters, types=[Letter])._schema
        assert Operations(schema, introspection=False).prepare("{ letter { seen } }").uses_viewer


class TestResumeVariable:
    @pytest.mark.parametrize(
        ("query", "variable"),
        [
            ("subscription($c: String) { posts(after: $c) { cursor } }", "c"),
            (
                "subscription($c: String) { ...S } fragment S on Subscription { posts(after: $c) {cursor} }",
                "c",
            ),
            ("subscription { posts { cursor } }", None),
            ('subscription { posts(after: "x") { cursor } }', None),
            ("subscription($c: String!) { posts(after: $c) { cursor @tag(c: $c) } }", None),
            ("query($c: String!) { echo(text: $c) }", None),
        ],
    )
    async def test_found_only_where_it_is_the_cursor_alone(self, query: str, variable: str | None) -> None:
        @strawberry.directive(locations=[DirectiveLocation.FIELD])
        def tag(value: DirectiveValue[str], c: str) -> str:
            return value

        schema = strawberry.Schema(Query, Mutation, Subscription, directives=[tag])._schema
        assert Operations(schema, introspection=False).prepare(query).resume_variable == variable


class TestExecute:
    async def test_a_query(self, operations: Operations) -> None:
        result = await run(operations, "query($n: Int!) { posts(first: $n) { id } }", n=2)
        assert json.loads(encode(result)) == {"data": {"posts": [{"id": "0"}, {"id": "1"}]}}

    async def test_domain_errors_keep_their_code(self, operations: Operations) -> None:
        result = await run(operations, "{ missing limited }")
        assert result.data == {"missing": None, "limited": None}
        assert json.loads(encode(result))["errors"] == [
            {
                "message": "No such post",
                "locations": [{"line": 1, "column": 3}],
                "path": ["missing"],
                "extensions": {"code": "NOT_FOUND"},
            },
            {
                "message": "Slow down",
                "locations": [{"line": 1, "column": 11}],
                "path": ["limited"],
                "extensions": {"code": "RATE_LIMITED", "retryAfter": 30},
            },
        ]

    async def test_errors_with_a_code_of_their_own_pass(self, operations: Operations) -> None:
        error = only_error(await run(operations, "{ told }"))
        assert (error.message, code(error)) == ("Say please", "IMPOLITE")

    @pytest.mark.parametrize("query", ["{ broken }", "{ miscounted }"])
    async def test_other_errors_are_masked_and_logged(self, operations: Operations, query: str) -> None:
        with capture_logs() as logs:
            result = await run(operations, query)
        error = only_error(result)
        (entry,) = logged(logs, "internal_error")
        assert error.message == "Internal error"
        assert error.path
        assert error.extensions == {"code": "INTERNAL", "id": entry["id"]}
        assert error.original_error is None
        assert isinstance(entry.pop("exc_info"), Exception)
        assert SECRET not in repr(entry)
        assert SECRET not in encode(result)
        (line,) = logged(logs, "operation")
        assert (line["outcome"], line["codes"]) == ("internal", ["INTERNAL"])

    async def test_one_cause_is_logged_once(self, operations: Operations) -> None:
        with capture_logs() as logs:
            result = await run(operations, "{ brokenTwice }")
        assert result.errors is not None
        assert len(result.errors) == 3
        assert len(logged(logs, "internal_error")) == 1

    async def test_the_requests_id_is_that_of_the_error(self, operations: Operations) -> None:
        before = observability.REQUEST_ID.set("req-1")
        with capture_logs():
            error = only_error(await run(operations, "{ broken }"))
        observability.REQUEST_ID.reset(before)
        assert (error.extensions or {})["id"] == "req-1"

    async def test_the_log_has_no_values(self, operations: Operations) -> None:
        with capture_logs() as logs:
            await run(operations, "query Hello($t: String!) { echo(text: $t) }", t=SECRET)
        (line,) = logs
        assert (line["name"], line["kind"], line["outcome"], line["codes"]) == ("Hello", "query", "ok", [])
        assert line["duration_ms"] >= 0
        assert len(line["digest"]) == 64
        assert SECRET not in repr(line)

    @pytest.mark.parametrize(
        ("person", "said"),
        [
            ({"name": {"phone": SECRET}, "age": 1}, "at .name: String cannot represent a non string value."),
            ({"name": "x", "age": SECRET}, "at .age: Int cannot represent non-integer value."),
            ({"name": "x", "age": 10**12}, "at .age: Int cannot represent non 32-bit signed integer value."),
            ({"name": SECRET}, ": Expected value of type 'Person' to include required field 'age'."),
            ({"name": SECRET, "age": 1, "agee": 1}, "not to include unknown field 'agee'."),
            ({"name": "x", "age": 1, SECRET: 1}, ": Expected value of type 'Person'."),
            ({"name": "x", "age": 1, "colour": SECRET}, "at .colour: Expected a value of the enum 'Colour'."),
            ({"name": None, "age": 1}, "at .name: Expected value of non-null type 'String!' not to be null."),
            (SECRET, "Expected value of type 'Person' to be an object."),
            ([SECRET], "Expected value of type 'Person' to be an object."),
        ],
    )
    async def test_variables_that_do_not_fit(self, operations: Operations, person: object, said: str) -> None:
        result = await run(operations, "query($p: Person!) { greet(person: $p) }", p=person)
        assert isinstance(result, Refusal)
        text = encode(result)
        assert json.loads(text).keys() == {"errors"}
        assert SECRET not in text
        assert result.errors is not None
        assert {code(error) for error in result.errors} == {"BAD_USER_INPUT"}
        assert said in result.errors[0].message
        assert result.errors[0].message.startswith("Variable '$p' has invalid value")

    async def test_the_same_variables_are_worked_out_once(
        self, operations: Operations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worked_out: list[Any] = []

        def counted(schema: Any, definitions: Any, given: dict[str, Any], **options: Any) -> Any:
            worked_out.append(given)
            return get_variable_values(schema, definitions, given, **options)

        monkeypatch.setattr("schema.serving.operations.get_variable_values", counted)
        query = "query($n: Float!) { half(of: $n) }"
        for number in (1, 1, 3, 1, 3):
            assert (await run(operations, query, n=number)).data == {"half": number / 2}
        assert worked_out == [{"n": 1}, {"n": 3}]
        # What is no number is not taken for one that looks the same.
        for other in (True, "1"):
            assert isinstance(await run(operations, query, n=other), Refusal)
        assert len(worked_out) == 4

    async def test_what_mutations_and_long_variables_say_is_not_remembered(
        self, operations: Operations
    ) -> None:
        for kind, query, text in (
            ("mutation", "mutation($t: String!) { write(name: $t) }", "x"),
            ("query", "query($t: String!) { echo(text: $t) }", "x" * 1_000),
        ):
            context = Context()
            context.gate.set()
            prepared = operations.prepare(query)
            assert not (await operations.execute(prepared, {"t": text}, context)).errors
            assert (prepared.kind, prepared.bound) == (kind, {})

    async def test_the_variables_remembered_are_bounded(
        self, operations: Operations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("schema.serving.operations._MOST_BOUND", 3)
        queries = [f"query Q{number}($t: String!) {{ echo(text: $t) }}" for number in range(2)]
        operations.keep(queries[1])
        for number in range(10):
            for query in queries:
                assert (await run(operations, query, t=f"{number}")).data == {"echo": f"{number}"}
                assert sum(len(operations.prepare(known).bound) for known in queries) <= 3

    async def test_missing_and_superfluous_variables(self, operations: Operations) -> None:
        query = "query($t: String!) { echo(text: $t) }"
        assert code(only_error(await run(operations, query))) == "BAD_USER_INPUT"
        assert (await run(operations, query, t="a", other=1)).data == {"echo": "a"}

    @pytest.mark.parametrize("value", ["\ud800", ["\udfff"], {"\ud800": 1}])
    async def test_lone_surrogates_in_variables(self, operations: Operations, value: object) -> None:
        result = await run(operations, "query($t: String!) { echo(text: $t) }", t=value)
        assert code(only_error(result)) == "BAD_USER_INPUT"
        assert json.loads(encode(result)).keys() == {"errors"}

    async def test_deep_variables(self, operations: Operations) -> None:
        value: Any = "x"
        for _ in range(100_000):
            value = [value]
        result = await run(operations, "query($t: String!) { echo(text: $t) }", t=value)
        assert code(only_error(result)) == "BAD_USER_INPUT"

    async def test_the_cost_depends_on_the_variables(self, operations: Operations) -> None:
        query = "query($n: Int!) { posts(first: $n) { id author { id } } }"
        assert not (await run(operations, query, n=3)).errors
        result = await run(operations, query, n=1_000_000)
        assert isinstance(result, Refusal)
        assert code(only_error(result)) == "TOO_COMPLEX"

    @pytest.mark.parametrize(
        "value", ["x" * 200_000, ["x"] * 10_001, [["x"] * 200] * 50, {"a": ["x"] * 10_001}]
    )
    async def test_many_values_are_refused_and_long_ones_are_not(
        self, operations: Operations, value: object
    ) -> None:
        result = await run(operations, "query($t: String!) { echo(text: $t) }", t=value)
        if isinstance(value, str):
            assert result.data == {"echo": value}
        else:
            assert isinstance(result, Refusal)
            assert only_error(result).extensions == {
                "code": "TOO_COMPLEX",
                "limit": "values",
                "maximum": 10_000,
            }

    async def test_an_answer_that_is_no_json_is_masked(self, operations: Operations) -> None:
        with capture_logs() as logs:
            body = json.loads(encode(await run(operations, "{ surrogate }")))
        assert body["data"] is None
        assert body["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert len(logged(logs, "internal_error")) == 1

    async def test_metrics(self, operations: Operations) -> None:
        def count(kind: str, outcome: str) -> float:
            return (
                REGISTRY.get_sample_value("linli_operations_total", {"kind": kind, "outcome": outcome}) or 0
            )

        before = [count("query", outcome) for outcome in ("ok", "failed", "internal", "refused")]
        refused = count("unknown", "refused")
        for query in ("{ post { id } }", "{ missing }", "{ broken }"):
            await run(operations, query)
        await run(operations, "query($t: String!) { echo(text: $t) }")
        rejected(operations, "{")
        after = [count("query", outcome) for outcome in ("ok", "failed", "internal", "refused")]
        assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1, 1]
        assert count("unknown", "refused") == refused + 1
        text = observability.metrics_response().body
        assert b'linli_operation_seconds_bucket{kind="query",le="0.05"}' in bytes(text)


class TestMutations:
    async def test_a_mutation_outlives_its_caller(self, operations: Operations) -> None:
        context = Context()
        operation = operations.prepare('mutation { write(name: "a") }')
        caller = asyncio.create_task(operations.execute(operation, None, context))
        await context.started.wait()
        assert len(operations.running) == 1
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert context.done == []
        draining = asyncio.create_task(operations.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        context.gate.set()
        await draining
        assert context.done == ["a"]
        assert operations.running == set()

    async def test_300_cancelled_the_moment_they_start(self, operations: Operations) -> None:
        context = Context()
        context.gate.set()
        operation = operations.prepare("mutation($n: String!) { write(name: $n) }")
        callers = [
            asyncio.create_task(operations.execute(operation, {"n": str(number)}, context))
            for number in range(300)
        ]
        await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await operations.drain()
        assert sorted(context.done, key=int) == [str(number) for number in range(300)]

    async def test_its_result(self, operations: Operations) -> None:
        context = Context()
        context.gate.set()
        operation = operations.prepare('mutation { write(name: "a") }')
        assert (await operations.execute(operation, {}, context)).data == {"write": "a"}

    async def test_a_query_is_cancelled(self, operations: Operations) -> None:
        context = Context()
        caller = asyncio.create_task(operations.execute(operations.prepare("{ endless }"), None, context))
        await context.started.wait()
        assert operations.running == set()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller


class TestSubscribe:
    async def subscribe(self, operations: Operations, query: str, **variables: Any) -> Any:
        return await operations.subscribe(operations.prepare(query), variables, Context())

    async def test_the_source_itself_comes_back(self, operations: Operations) -> None:
        query = "subscription($c: String) { posts(after: $c) { cursor } }"
        stream = await self.subscribe(operations, query, c="42")
        assert isinstance(stream, Stream)
        assert stream.after == "42"
        assert isinstance(await self.subscribe(operations, "subscription { instant { cursor } }"), Stream)

    async def test_an_event_is_executed_as_the_root(self, operations: Operations) -> None:
        operation: Operation = operations.prepare("subscription { s: posts { cursor post { id body } } }")
        event = Envelope(cursor="7", post=Post(id=strawberry.ID("1"), body="停水"))
        with capture_logs() as logs:
            result = await operations.execute(operation, None, Context(), event)
        assert json.loads(encode(result)) == {
            "data": {"s": {"cursor": "7", "post": {"id": "1", "body": "停水"}}}
        }
        assert logs == []

    @pytest.mark.parametrize(
        ("field_", "expected"), [("missing", "NOT_FOUND"), ("broken", "INTERNAL"), ("noStream", "INTERNAL")]
    )
    async def test_errors(self, operations: Operations, field_: str, expected: str) -> None:
        with capture_logs() as logs:
            result = await self.subscribe(operations, f"subscription {{ {field_} }}")
        assert isinstance(result, Refusal)
        error = only_error(result)
        assert code(error) == expected
        assert error.path == [field_]
        assert error.locations
        assert SECRET not in encode(result)
        assert len(logged(logs, "internal_error")) == (expected == "INTERNAL")

    async def test_variables_and_cost_are_checked(self, operations: Operations) -> None:
        query = "subscription($n: Int!) { posts(first: $n) { cursor post { id } } }"
        assert code(only_error(await self.subscribe(operations, query, n=SECRET))) == "BAD_USER_INPUT"
        assert code(only_error(await self.subscribe(operations, query, n=1_000_000))) == "TOO_COMPLEX"


def fail() -> None:
    try:
        int(SECRET + "x")
    except ValueError as cause:
        raise RuntimeError(SECRET) from cause


class TestLogging:
    def logger_output(self, capsys: pytest.CaptureFixture[str], production: bool) -> str:
        configured = structlog.get_config()
        try:
            observability.configure_logging(production=production)
            try:
                fail()
            except RuntimeError as error:
                structlog.get_logger().error("internal_error", id="x", exc_info=error)
            return capsys.readouterr().out
        finally:
            structlog.configure(**configured)

    async def test_production_logs_json_without_messages_of_exceptions(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = self.logger_output(capsys, production=True)
        entry = json.loads(out)
        assert entry["event"] == "internal_error"
        assert entry["level"] == "error"
        assert entry["timestamp"].endswith("Z")
        assert "builtins.ValueError\nthen:\n" in entry["exception"]
        assert entry["exception"].endswith("builtins.RuntimeError\n")
        assert "test_operations.py" in entry["exception"]
        assert SECRET not in out

    async def test_demo_logs_for_reading(self, capsys: pytest.CaptureFixture[str]) -> None:
        out = self.logger_output(capsys, production=False)
        assert "internal_error" in out
        assert "RuntimeError" in out
