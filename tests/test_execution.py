"""schema.execution: columns instead of objects, and graphql-core's results.

The schema here is small and made to be awkward. That results are graphql-core's is asserted by the automatic
comparison (tests/compared.py) as well, for every operation below.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import strawberry
from graphql import GraphQLSchema, build_schema
from prometheus_client import REGISTRY

from schema.execution import plan as plan_module
from schema.execution import run
from schema.execution.type_resolution import IsA
from schema.fields import load, loaded
from schema.serving.operations import Operation, Operations

pytestmark = pytest.mark.anyio


@dataclass
class Context:
    """Notes what was called, with which parents."""

    calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    memo: dict[Any, Any] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    # Who asks.
    name: str = ""


Info = strawberry.Info[Context, Any]
AnyInfo = strawberry.Info[Any, Any]


@dataclass(slots=True)
class PersonRow:
    name: str


@dataclass(slots=True)
class PostRow:
    number: int
    body: str | None
    author: PersonRow


ANN, BEN = PersonRow("Ann"), PersonRow("Ben")
POSTS = [PostRow(1, "one", ANN), PostRow(2, None, BEN), PostRow(3, "three", ANN)]


async def authors_of(ctx: Context, posts: Sequence[PostRow]) -> list[Any]:
    ctx.calls.append(("authors_of", [post.number for post in posts]))
    await asyncio.sleep(0)
    return [post.author for post in posts]


async def following(ctx: Context, posts: Sequence[PostRow]) -> list[list[PostRow]]:
    """The posts after each."""
    ctx.calls.append(("following", [post.number for post in posts]))
    return [POSTS[post.number :] for post in posts]


async def streets_of(ctx: Context, people: Sequence[PersonRow]) -> list[Any]:
    ctx.calls.append(("streets_of", [person.name for person in people]))
    return [f"{person.name} Street" if person is ANN else LookupError("homeless") for person in people]


async def likes_of(ctx: Any, posts: Sequence[PostRow], factor: int) -> list[int]:
    ctx.calls.append((f"likes_of {factor}", [post.number for post in posts]))
    return [post.number * factor for post in posts]


async def mine_of(ctx: Context, posts: Sequence[PostRow]) -> list[bool]:
    ctx.calls.append(("mine_of", [post.number for post in posts]))
    return [post.author.name == ctx.name for post in posts]


async def too_few(_ctx: Context, posts: Sequence[PostRow]) -> list[int]:
    return [0] * (len(posts) - 1)


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Person(Named):
    street: str | None = loaded(streets_of, description="")

    @classmethod
    def is_type_of(cls, obj: Any, _info: Any) -> bool:
        return isinstance(obj, PersonRow)


@strawberry.type
class Post:
    number: int
    body: str | None
    author: Person = loaded(authors_of, description="")
    writer: Named | None = loaded(authors_of, description="")
    lost: int | None = loaded(too_few, description="")
    following: list[Annotated["Post", strawberry.lazy("tests.test_execution")]] = loaded(
        following, description=""
    )
    mine: bool = loaded(mine_of, description="", viewer=True)

    @strawberry.field(metadata={"batch": likes_of})
    @staticmethod
    async def likes(root: strawberry.Parent[PostRow], info: AnyInfo, factor: int = 1) -> int:
        likes: list[int] = [await load(info, likes_of, root, each * factor) for each in (1, 10)]
        return sum(likes)

    @strawberry.field(metadata={"batch": likes_of})
    @staticmethod
    async def slow_likes(root: strawberry.Parent[PostRow], info: AnyInfo) -> int:
        await asyncio.sleep(0)
        return await load(info, likes_of, root, 1)

    @strawberry.field
    def shout(self: Any, info: Info, mark: str = "!") -> str:
        return f"{self.body.upper()}{mark}{info.field_name}"

    @strawberry.field
    async def whisper(self: Any) -> str:
        await asyncio.sleep(0)
        return str(self.body)

    @classmethod
    def is_type_of(cls, obj: Any, _info: Any) -> bool:
        return isinstance(obj, PostRow)


@strawberry.type
class Query:
    @strawberry.field(graphql_type=list[Post])
    async def posts(self) -> list[PostRow]:
        return POSTS

    @strawberry.field(graphql_type=list[Post | Person | None])
    def things(self) -> list[Any]:
        return [*POSTS, ANN, None, 7]

    @strawberry.field(graphql_type=list[list[int | None]])
    def matrix(self) -> Any:
        return ((1, None), [2], ())

    @strawberry.field
    async def blocked(self, info: Info) -> int:
        await info.context.gate.wait()
        return 1

    @strawberry.field
    async def opened(self, info: Info) -> bool:
        info.context.gate.set()
        return True


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def note(self, info: Info, text: str) -> str:
        await asyncio.sleep(0)
        info.context.calls.append((text, []))
        if text == "fail":
            raise ValueError("No.")
        return text

    @strawberry.mutation(graphql_type=Post)
    async def last(self) -> PostRow:
        return POSTS[-1]

    @strawberry.mutation(graphql_type=Post)
    async def publish(self, info: Info) -> PostRow:
        info.context.calls.append(("publish", []))
        return POSTS[0]


SCHEMA: GraphQLSchema = strawberry.Schema(query=Query, mutation=Mutation)._schema
OPERATIONS = Operations(SCHEMA, introspection=True, expected=(ValueError, LookupError))


async def executed(
    query: str, context: Context | None = None, operations: Operations = OPERATIONS, **variables: Any
) -> Any:
    return await operations.execute(operations.prepare(query), variables, context or Context())


async def data(query: str, context: Context | None = None, **variables: Any) -> Any:
    result = await executed(query, context, **variables)
    assert result.errors is None
    return result.data


class TestColumns:
    async def test_a_field_that_loads_is_called_once_for_all(self) -> None:
        context = Context()
        found = await data("{ posts { number author { name } } }", context)
        assert [post["author"]["name"] for post in found["posts"]] == ["Ann", "Ben", "Ann"]
        assert context.calls == [("authors_of", [1, 2, 3])]

    async def test_an_object_met_twice_is_asked_once(self) -> None:
        context = Context()
        await executed("{ posts { author { street } } }", context)
        assert context.calls[1:] == [("streets_of", ["Ann", "Ben"])]

    async def test_fields_that_ask_for_the_same_share_a_call(self) -> None:
        context = Context()
        await data("{ posts { author { name } other: author { __typename } writer { name } } }", context)
        assert context.calls == [("authors_of", [1, 2, 3])]

    async def test_resolvers_that_ask_are_gathered_and_go_on(self) -> None:
        context = Context()
        found = await data("{ posts { likes(factor: 2) } }", context)
        assert [post["likes"] for post in found["posts"]] == [22, 44, 66]
        assert context.calls == [("likes_of 2", [1, 2, 3]), ("likes_of 20", [1, 2, 3])]

    async def test_a_resolver_may_await_anything_before_it_asks(self) -> None:
        found = await data("{ posts { slowLikes whisper } }")
        assert [post["slowLikes"] for post in found["posts"]] == [1, 2, 3]
        assert [post["whisper"] for post in found["posts"]] == ["one", "None", "three"]

    async def test_a_batch_that_gives_too_few_fails_for_all(self) -> None:
        result = await executed("{ posts { lost } }")
        assert result.data == {"posts": [{"lost": None}] * 3}
        assert [error.path for error in result.errors] == [["posts", number, "lost"] for number in range(3)]

    async def test_a_level_is_awaited_together(self) -> None:
        async with asyncio.timeout(5):
            assert await data("{ blocked opened }") == {"blocked": 1, "opened": True}

    async def test_a_call_waits_for_those_below_who_want_the_same(self) -> None:
        context = Context()
        found = await data(
            "{ posts { author { name } following { author { name } following { author { name } } } } }",
            context,
        )
        assert [name for name, _ in context.calls] == ["following", "following", "authors_of"]
        assert context.calls[-1] == ("authors_of", [1, 2, 3])
        first, _, last = found["posts"]
        assert first["author"] == {"name": "Ann"}
        assert [post["author"]["name"] for post in first["following"]] == ["Ben", "Ann"]
        assert first["following"][0]["following"] == [{"author": {"name": "Ann"}}]
        assert last == {"author": {"name": "Ann"}, "following": []}

    async def test_a_call_waits_in_vain_where_there_is_nothing_below(self) -> None:
        context = Context()
        found = await data("mutation { last { author { name } following { author { name } } } }", context)
        assert found == {"last": {"author": {"name": "Ann"}, "following": []}}
        assert context.calls == [("following", [3]), ("authors_of", [3])]

    async def test_what_others_wait_for_does_not_wait(self) -> None:
        context = Context()
        await executed("{ posts { author { street } following { author { street } } } }", context)
        assert context.calls == [
            ("authors_of", [1, 2, 3]),
            ("following", [1, 2, 3]),
            ("authors_of", [2, 3]),
            ("streets_of", ["Ann", "Ben"]),
        ]

    async def test_nothing_amiss_is_built_by_generated_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(_blocks: Any) -> Any:
            raise AssertionError("completed")

        monkeypatch.setattr(run, "complete", never)
        await data(
            "{ posts { number body author { name } likes } matrix __typename __schema { description } }"
        )


class TestResults:
    @pytest.mark.parametrize(
        "query",
        [
            "{ things { __typename ... on Post { number shout } ... on Named { name } } }",
            "{ posts { shout } }",
            '{ posts { body again: body shout(mark: "?") author { street } } matrix }',
            "query ($yes: Boolean! = true) { posts @skip(if: $yes) { number } matrix @include(if: $yes) }",
            """{ posts { ...A ...B } }
               fragment A on Post { author { name } } fragment B on Post { author { street } }""",
            '{ __type(name: "Post") { fields { name type { kind ofType { name } } } } }',
            "query ($mark: String) { posts { shout(mark: $mark) } }",
        ],
    )
    async def test_they_are_graphql_cores(self, query: str) -> None:
        by_plan = await executed(query)
        by_core = await executed(query, operations=Operations(SCHEMA, introspection=True, compiled=False))
        assert by_plan.data == by_core.data
        assert {str(error.path) for error in by_plan.errors or ()} == {
            str(error.path) for error in by_core.errors or ()
        }

    async def test_one_plan_serves_all_values_of_a_condition(self) -> None:
        query = "query ($no: Boolean!) { posts { number body @skip(if: $no) } }"
        for no, keys in ((True, {"number"}), (False, {"number", "body"}), (True, {"number"})):
            assert (await data(query, no=no))["posts"][0].keys() == keys


class TestSharing:
    """Of a query for several contexts, what does not vary is executed once."""

    QUERY = "{ posts { number author { name street } likes(factor: 2) mine } }"

    async def share(self, context: Context) -> tuple[Operation, Any]:
        operation = OPERATIONS.prepare(self.QUERY)
        return operation, await OPERATIONS.share(operation, None, context, None)

    async def test_only_what_varies_is_left(self) -> None:
        everyone, ann, ben = Context(), Context(name="Ann"), Context(name="Ben")
        operation, shared_run = await self.share(everyone)
        assert sorted(name for name, _ in everyone.calls) == [
            "authors_of",
            "likes_of 2",
            "likes_of 20",
            "streets_of",
        ]
        everyone.calls.clear()
        for context, mine in ((ann, [True, False, True]), (ben, [False, True, False])):
            found = await OPERATIONS.execute(operation, None, context, shared_run=shared_run)
            alone = await OPERATIONS.execute(operation, None, Context(name=context.name))
            assert (found.data, found.errors) == (alone.data, alone.errors)
            assert found.data is not None
            assert [post["mine"] for post in found.data["posts"]] == mine
            assert context.calls == [("mine_of", [1, 2, 3])]
        assert not everyone.calls

    async def test_an_error_is_everybodys(self) -> None:
        operation, shared_run = await self.share(Context())
        for name in ("Ann", "Ben"):
            found = await OPERATIONS.execute(operation, None, Context(name=name), shared_run=shared_run)
            assert [error.path for error in found.errors or ()] == [["posts", 1, "author", "street"]]

    async def test_nothing_is_shared_without_a_plan(self) -> None:
        operations = Operations(SCHEMA, introspection=True, compiled=False)
        assert await operations.share(operations.prepare(self.QUERY), None, Context(), None) is None


class TestForgetting:
    async def test_plans_that_have_not_grown_for_longest_are_made_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plan_module, "_STEPS", 12)
        operations = Operations(SCHEMA, introspection=True)
        prepared = [
            operations.prepare(f"query Q{number} {{ posts {{ number body }} }}") for number in range(6)
        ]
        kept = []
        for operation in [*prepared, prepared[0]]:
            result = await operations.execute(operation, None, Context())
            assert result.data is not None
            assert len(result.data["posts"]) == 3
            kept.append([len(each.plans._plans) for each in prepared if not isinstance(each.plans, str)])
        # Each has three steps.
        assert kept[3:] == [[1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1], [1, 0, 0, 1, 1, 1]]


class TestMutations:
    async def test_root_fields_run_one_after_the_other(self) -> None:
        context = Context()
        query = 'mutation { a: note(text: "a") publish { author { name } } b: note(text: "b") }'
        assert await data(query, context) == {"a": "a", "publish": {"author": {"name": "Ann"}}, "b": "b"}
        assert [name for name, _ in context.calls] == ["a", "publish", "authors_of", "b"]

    async def test_none_begins_after_one_that_takes_all_data(self) -> None:
        context = Context()
        result = await executed('mutation { a: note(text: "fail") b: note(text: "b") }', context)
        assert result.data is None
        assert [error.path for error in result.errors] == [["a"]]
        assert context.calls == [("fail", [])]


class TestCancelling:
    async def test_what_is_awaited_is_cancelled(self) -> None:
        before = asyncio.all_tasks()
        running = asyncio.create_task(executed("{ blocked posts { whisper } }"))
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.all_tasks() == before


class TestFallingBack:
    def count(self, reason: str) -> float:
        return REGISTRY.get_sample_value("linli_reference_executions_total", {"reason": reason}) or 0

    async def test_plans_can_be_switched_off(self) -> None:
        before = self.count("switched_off")
        operations = Operations(SCHEMA, introspection=True, compiled=False)
        assert (await executed("{ matrix }", operations=operations)).data == {"matrix": [[1, None], [2], []]}
        assert self.count("switched_off") == before + 1

    async def test_what_no_plan_is_made_for_is_executed_and_counted(self) -> None:
        async def is_type_of(_value: Any, _info: Any) -> bool:
            return True

        schema = build_schema("type Query { thing: Thing } type Thing { name: String }")
        thing: Any = schema.type_map["Thing"]
        thing.is_type_of = is_type_of
        operations = Operations(schema, introspection=True)
        before = self.count("asynchronous_type")
        root = SimpleNamespace(thing=SimpleNamespace(name="it"))
        result = await operations.execute(operations.prepare("{ thing { name } }"), None, None, root)
        assert result.data == {"thing": {"name": "it"}}
        assert self.count("asynchronous_type") == before + 1


# Which type an object is of


@dataclass(slots=True)
class Circle:
    label: str


@dataclass(slots=True)
class Box:
    label: str
    side: int


class Asked(IsA):
    """Counts how often it is asked."""

    __slots__ = ("times",)

    def __init__(self, *classes: type, when: Callable[[Any], bool] | None = None) -> None:
        super().__init__(*classes, when=when)
        self.times = 0

    def __call__(self, value: Any, info: Any) -> bool:
        self.times += 1
        return super().__call__(value, info)


IS_ROUND, IS_SQUARE, IS_OBLONG = (
    Asked(Circle),
    Asked(Box, when=lambda box: box.side == 1),
    Asked(Box, when=lambda box: box.side != 1),
)
SDL = """
    interface Shape { label: String! }
    type Round implements Shape { label: String! }
    type Square implements Shape { label: String! }
    type Oblong implements Shape { label: String! }
    union Any = Round | Square | Oblong
    type Query { shapes: [Shape] some: [Any] round: Round }
"""


def shapes() -> tuple[Operations, list[Any]]:
    """A schema whose types say by class what is of them, and objects that it shows."""
    schema = build_schema(SDL)
    types: Any = schema.type_map
    for name, is_type_of in (("Round", IS_ROUND), ("Square", IS_SQUARE), ("Oblong", IS_OBLONG)):
        is_type_of.times = 0
        types[name].is_type_of = is_type_of
    for name in ("Shape", "Any"):
        # As for Strawberry's, whose own way of finding the type asks each type in turn.
        schema.type_map[name].extensions["strawberry-definition"] = SimpleNamespace(resolve_type=None)
    shown: list[Any] = []
    types["Query"].fields["shapes"].resolve = lambda *_: shown
    types["Query"].fields["some"].resolve = lambda *_: shown
    types["Query"].fields["round"].resolve = lambda *_: shown[0]
    return Operations(schema, introspection=False), shown


@pytest.mark.parametrize("where", ["shapes", "some"])
async def test_what_follows_from_the_class_is_not_asked_of_each(where: str) -> None:
    operations, shown = shapes()
    operation = operations.prepare(f"{{ {where} {{ __typename ... on Round {{ label }} }} }}")
    assert not isinstance(operation.plans, str)
    types = operation.plans._planner.types
    named = operations.schema.type_map["Shape" if where == "shapes" else "Any"]
    assert types.of_class(named, Circle) is operations.schema.type_map["Round"]
    assert types.of_class(named, Box) is None
    assert types.of_class(named, PersonRow) is None
    # One may say itself what it is.
    assert types.of_class(named, dict) is None
    assert types.of_class(named, SimpleNamespace) is None
    assert IS_ROUND.times == 0
    shown[:] = [Circle("a"), Box("b", 1), Circle("c"), Box("d", 2)]
    result = await operations.execute(operation, None, Context())
    assert result.errors is None
    assert result.data is not None
    assert [each["__typename"] for each in result.data[where]] == ["Round", "Square", "Round", "Oblong"]


async def test_an_object_of_no_type_of_its_field_is_an_error() -> None:
    operations, shown = shapes()
    shown[:] = [Box("b", 1)]
    result = await operations.execute(operations.prepare("{ round { label } }"), None, Context())
    assert result.data == {"round": None}
    (error,) = result.errors or []
    assert error.path == ["round"]


# Columns that are made at once


async def test_a_column_made_at_once_fails_for_those_alone_that_it_fails_for() -> None:
    def lengths(_info: Any, posts: Sequence[Any]) -> list[int]:
        return [len(post.body) for post in posts]

    @strawberry.type
    class Measured:
        @strawberry.field(metadata={"column": lengths})
        def length(self: Any) -> int | None:
            return len(self.body)

    @strawberry.type
    class Measures:
        @strawberry.field(graphql_type=list[Measured])
        def posts(self) -> list[PostRow]:
            return POSTS

    operations = Operations(
        strawberry.Schema(query=Measures)._schema, introspection=False, expected=(TypeError,)
    )
    result = await executed("{ posts { length } }", operations=operations)
    assert result.data == {"posts": [{"length": 3}, {"length": None}, {"length": 5}]}
    assert [error.path for error in result.errors] == [["posts", 1, "length"]]


# What a level awaits, one after the other


IN_TURN = Operations(SCHEMA, introspection=True, expected=(ValueError, LookupError), in_turn=True)


async def test_levels_in_turn_come_to_the_same() -> None:
    query = "{ posts { number author { name street } writer { name } likes whisper } }"
    side_by_side, in_turn = Context(), Context()
    expected = await executed(query, side_by_side)
    found = await executed(query, in_turn, IN_TURN)
    assert found.formatted == expected.formatted
    assert sorted(map(str, in_turn.calls)) == sorted(map(str, side_by_side.calls))


async def test_a_level_in_turn_that_is_cancelled_leaves_nothing_unawaited() -> None:
    context = Context()
    task = asyncio.create_task(executed("{ blocked posts { number } opened }", context, IN_TURN))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
