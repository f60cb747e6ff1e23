"""Operations made at random, by the thousand, executed by a plan and by graphql-core.

Over the demo community the automatic comparison (tests/compared.py) sees to it. Over a small schema, made
to go wrong wherever it can, results and errors are compared here, in order and word by word.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    execute,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from demo.community import seed
from models.identity import AccountRow, ResidencyRow
from resolvers.errors import DomainError
from schema.build import graphql_schema
from schema.execution import Planner, completion, run, share
from schema.execution import execute as execute_plan
from schema.serving.limits import Limits
from schema.serving.operations import Operations
from schema.serving.results import Rejected
from tests import compared
from tests.operations_made import Maker, plain
from tests.soak import sized, soak
from tests.world import World

# graphql-core leaves coroutines behind where a null takes all that is beside it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

# A schema where everything goes wrong

AWKWARD = build_schema(
    """
    interface Node { id: ID! name: String next: Node sure: Node! others(first: Int = 2): [Node] }
    interface Sized implements Node {
      id: ID! name: String next: Node sure: Node! others(first: Int = 2): [Node] size: Int!
    }
    type A implements Node {
      id: ID! name: String next: Node sure: Node! others(first: Int = 2): [Node] b: B bs: [B!]! colour: Colour
      matrix: [[Int!]]! grid: [[Thing]!]
    }
    type B implements Node & Sized {
      id: ID! name: String next: B sure: A! others(first: Int = 2): [Node] size: Int! thing: Thing
      things(of: [Colour!]): [Thing!] ratio: Float
    }
    type C { name: String! yes: Boolean a: A! colours: [Colour!]! thing: Thing! }
    union Thing = A | B | C
    enum Colour { RED GREEN }
    type Query {
      a: A b: B! c: C node: Node sure: Node! sized: [Sized!] thing: Thing things: [Thing]! grid: [[[C!]]!]
      number(of: Int! = 3, colour: Colour): Int names: [String!]
    }
    """
)


@dataclass(frozen=True, slots=True)
class Thing:
    type_name: str
    key: int


@dataclass
class Later:
    """Can be awaited, and makes no fuss if it is not."""

    value: Any

    def __await__(self) -> Generator[None, None, Any]:
        yield
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@dataclass
class Awkward:
    """Gives each field of each object a value that depends on nothing but a seed and the arguments."""

    seed: int
    healthy: bool
    awaitable: bool
    things: dict[tuple[str, int], Thing] = field(default_factory=dict)

    def value(self, source: Any, info: Any, **arguments: Any) -> Any:
        about = f"{self.seed} {source and (source.type_name, source.key)} {info.field_name} {arguments}"
        random = Random(hashlib.md5(about.encode()).digest())
        if not self.healthy and random.random() < 0.05:
            raise ValueError(f"no {info.field_name}")
        value = self.made(info.return_type, random)
        if self.awaitable and random.random() < 0.3:
            return Later(value)
        return value

    def made(self, type_: Any, random: Random) -> Any:
        if not self.healthy and random.random() < 0.04:
            return random.choice((None, ValueError("given"), {"an": "object"}, "text", 1 << 40))
        if is_non_null_type(type_):
            return self.made(type_.of_type, random)
        if random.random() < 0.1:
            return None
        if is_list_type(type_):
            items = [self.made(type_.of_type, random) for _ in range(random.randint(0, 3))]
            if self.awaitable and random.random() < 0.2:
                return self.one_by_one(items)
            if self.awaitable and random.random() < 0.2:
                return [Later(item) for item in items]
            return random.choice((list, tuple, iter))(items)
        return self.leaf(type_, random) if is_leaf_type(type_) else self.object(type_, random)

    async def one_by_one(self, items: list[Any]) -> AsyncIterator[Any]:
        for item in items:
            yield item

    def leaf(self, type_: Any, random: Random) -> Any:
        values: dict[str, list[Any]] = {
            "ID": ["x", 7],
            "String": ["text", "停水", True],
            "Int": [0, 5, -3, True],
            "Float": [0.5, 2, float("nan") if not self.healthy else 1.5],
            "Boolean": [True, False],
            "Colour": ["RED", "GREEN"],
        }
        return random.choice(values[type_.name])

    def object(self, type_: Any, random: Random) -> Thing:
        names = (
            [possible.name for possible in AWKWARD.get_possible_types(type_)]
            if is_abstract_type(type_)
            else [type_.name]
        )
        if not self.healthy and random.random() < 0.05:
            names = ["A", "C", "Colour", "Nothing"]
        key = random.choice(names), random.randint(0, 4)
        return self.things.setdefault(key, Thing(*key))


class Rows:
    """Resolves every field of the schema by the world of the moment."""

    world: Awkward


def resolve(source: Any, info: Any, **arguments: Any) -> Any:
    return Rows.world.value(source, info, **arguments)


def awkward_schema() -> GraphQLSchema:
    for type_ in AWKWARD.type_map.values():
        if is_abstract_type(type_):
            type_.resolve_type = lambda value, _info, _type: getattr(value, "type_name", None)
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field_ in type_.fields.values():
                field_.resolve = resolve
    is_b: Callable[[Any, Any], bool] = lambda value, _info: getattr(value, "type_name", "") == "B"  # noqa: E731
    b: Any = AWKWARD.type_map["B"]
    b.is_type_of = is_b
    return AWKWARD


SCHEMA = awkward_schema()
PLANNER = Planner(SCHEMA)
CASES = 100
ROUNDS = sized(3, 30)


def made(seed_: int) -> tuple[Any, dict[str, Any]]:
    maker = Maker(SCHEMA, Random(seed_), plain, depth=5, width=5)
    document = parse(maker.text)
    wrong = validate(SCHEMA, document, specified_rules)
    # Variables in places of several types, and fields that cannot be merged, are not worth avoiding.
    return (None, {}) if wrong else (document, maker.variables)


def told(result: ExecutionResult) -> Any:
    return result.data, [(error.message, error.path, error.locations) for error in result.errors or ()]


def coerced(document: Any, variables: dict[str, Any]) -> VariableValues:
    found = get_variable_values(
        SCHEMA, document.definitions[0].variable_definitions or (), variables, None, True
    )
    assert isinstance(found, VariableValues)
    return found


async def by_plan(document: Any, variables: dict[str, Any]) -> ExecutionResult:
    plans = PLANNER.plans(document, document.definitions[0])
    return await execute_plan(plans, coerced(document, variables), None, None)


FIELDS = [
    (type_.name, name)
    for type_ in SCHEMA.type_map.values()
    if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
    for name in type_.fields
]


@soak
@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("healthy", [True, False])
async def test_an_awkward_schema_gives_the_same(
    round_: int, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed: list[Any] = []
    original = completion.complete

    def complete(blocks: Any) -> Any:
        completed.append(blocks)
        return original(blocks)

    monkeypatch.setattr(run, "complete", complete)
    compared_ = 0
    for case in range(CASES):
        number = round_ * CASES + case
        document, variables = made(number)
        if document is None:
            continue
        Rows.world = Awkward(number, healthy, awaitable=False)
        reference = execute(SCHEMA, document, variable_values=variables, hide_suggestions=True)
        assert isinstance(reference, ExecutionResult)
        completed.clear()
        result = await by_plan(document, variables)
        assert told(result) == told(reference), number
        assert bool(completed) == bool(result.errors), number
        compared_ += 1
    assert compared_ > CASES / 3


@soak
@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_an_awkward_asynchronous_schema_gives_the_same(round_: int) -> None:
    for case in range(CASES):
        number = round_ * CASES + case
        document, variables = made(number)
        if document is None:
            continue
        Rows.world = Awkward(number, number % 2 == 0, awaitable=True)
        reference: Any = execute(SCHEMA, document, variable_values=variables, hide_suggestions=True)
        reference = reference if isinstance(reference, ExecutionResult) else await reference
        result = await by_plan(document, variables)
        assert compared.same(result, reference), (number, told(result), told(reference))


@soak
@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_what_is_shared_and_what_is_left_make_the_same(round_: int) -> None:
    """Whichever fields vary, and however often the rest is executed."""
    compared_ = 0
    for case in range(CASES):
        number = round_ * CASES + case
        document, variables = made(number)
        if document is None:
            continue
        random = Random(number)
        planner = Planner(SCHEMA, varying=frozenset(random.sample(FIELDS, random.randrange(len(FIELDS)))))
        Rows.world = Awkward(number, number % 2 == 0, awaitable=number % 3 == 0)
        plans = planner.plans(document, document.definitions[0])
        reference = await execute_plan(plans, coerced(document, variables), None, None)
        shared_run = await share(plans, coerced(document, variables), None, None)
        if shared_run is None:
            assert reference.data is None
            continue
        for _ in range(2):
            result = await shared_run.execute(None)
            assert compared.same(result, reference), (number, told(result), told(reference))
        compared_ += 1
    assert compared_ > CASES / 3


# The demo community

OPERATIONS = Operations(
    graphql_schema,
    Limits(cost=10**9, depth=50, aliases=500, directives=500, root_fields=100, nesting=60),
    introspection=True,
    expected=(DomainError,),
)
DEMO = sized(200, 2_000)


@soak
async def test_the_demo_community_gives_the_same(world: World) -> None:
    """Results and errors alike; ids that operations found are what later ones ask for."""
    await seed(world.services)
    random = Random(1)
    accounts = await AccountRow.all()
    resident = await AccountRow.get(id=(await ResidencyRow.all().order_by("id"))[0].account_id)
    ids: list[str] = []

    def value(random: Random, owner: str, type_: Any) -> str:
        name = owner.rpartition(".")[2]
        if type_.name == "ID" and ids and random.random() < 0.9:
            return f'"{random.choice(ids)}"'
        if name in ("first", "last"):
            return str(random.randint(1, 3))
        return plain(random, owner, type_)

    def gather(data: Any) -> None:
        for inner in data.values() if isinstance(data, dict) else data:
            if isinstance(inner, dict | list):
                gather(inner)
        if isinstance(data, dict) and isinstance(data.get("id"), str):
            ids.append(data["id"])

    answered = 0
    lists = " ".join(
        f"{name}(first: 20) {{ edges {{ node {{ id }} }} }}"
        for name in ("posts", "notices", "groups", "activities")
    )
    start = f"{{ communities(first: 5) {{ edges {{ node {{ id {lists} }} }} }} }}"
    for number in range(DEMO):
        text = start if number == 0 else Maker(graphql_schema, random, value, depth=7).text
        context = await world.context(random.choice([None, *accounts]) if number else resident)
        try:
            operation = OPERATIONS.prepare(text)
        except Rejected:
            continue
        result = await OPERATIONS.execute(operation, {}, context)
        answered += result.data is not None
        if result.data is not None:
            gather(result.data)
    assert answered > DEMO / 8
    assert len(ids) > 20
