"""Every list of the schema is paged, and takes as many statements for many rows as for one.

The lists are found in the schema. What is behind each, and for how many parents at once, is made by
`tests.lists.LISTS`; a list that has no entry there fails.
"""

import base64
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    is_required_argument,
)

from models.audit import AuditRow
from resolvers.context import Context
from resolvers.errors import DomainError
from schema.build import graphql_schema
from schema.node import global_id
from schema.serving.limits import Limits
from schema.serving.operations import Operations
from tests.conftest import opened
from tests.lists import LISTS, Listed, Town, towns
from tests.services import PostgresServer
from tests.world import World, counted

# Counted is what a page takes, however dear it is.
OPERATIONS = Operations(graphql_schema, Limits(cost=10_000_000), introspection=False, expected=(DomainError,))
SOME = 10
PAGING = "$first: Int, $after: String, $last: Int, $before: String"

# Fields that write whenever they are asked for, once for each object, and so are not asked for below a list.
LEFT_OUT = {
    "Organisation.residencyApplications": "a refusal for each organisation but the residents' committee",
    "Organisation.phoneChanges": "a refusal for each organisation but the residents' committee",
    "AuditEntry.subject": "what is counted here adds entries of other subjects; test_audit counts it",
    "Community.auditCsv": "taking it is an entry in the audit log",
    "Organisation.auditCsv": "taking it is an entry in the audit log",
}


def object_types() -> Iterator[GraphQLObjectType]:
    roots = (graphql_schema.mutation_type, graphql_schema.subscription_type)
    for type_ in graphql_schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and type_ not in roots:
            yield type_


def is_connection(field_: GraphQLField) -> bool:
    return get_named_type(field_.type).name.endswith("Connection")


def object_type(name: str) -> GraphQLObjectType:
    found = graphql_schema.type_map[name]
    assert isinstance(found, GraphQLObjectType), name
    return found


def item_of(connection: GraphQLNamedType) -> GraphQLNamedType:
    edge = get_named_type(object_type(connection.name).fields["edges"].type)
    found: GraphQLNamedType = get_named_type(object_type(edge.name).fields["node"].type)
    return found


CONNECTIONS = {
    f"{type_.name}.{name}": field_
    for type_ in object_types()
    for name, field_ in type_.fields.items()
    if is_connection(field_)
}


# Selections


def leaves(type_: GraphQLNamedType) -> str:
    """Everything that a type says without another selection."""
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        plain = [
            name
            for name, field_ in askable(type_).items()
            if not is_composite_type(get_named_type(field_.type))
        ]
        return " ".join(["__typename", *plain])
    return "__typename"


def askable(type_: GraphQLNamedType) -> Mapping[str, GraphQLField]:
    """The fields that can be asked for without knowing anything."""
    if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        return {}
    return {
        name: field_
        for name, field_ in type_.fields.items()
        if f"{type_.name}.{name}" not in LEFT_OUT
        and not any(is_required_argument(argument) for argument in field_.args.values())
    }


def loading(type_: GraphQLNamedType) -> Mapping[str, GraphQLField]:
    """The fields that lead to other objects."""
    return {
        name: field_
        for name, field_ in askable(type_).items()
        if is_composite_type(get_named_type(field_.type))
    }


def below(name: str, field_: GraphQLField, selected: str) -> str:
    """The field with a selection of what it leads to, or of the first two items of the list."""
    if is_connection(field_):
        return f"{name}(first: 2) {{ edges {{ node {{ {selected} }} }} pageInfo {{ hasNextPage }} }}"
    return f"{name} {{ {selected} }}"


def target(field_: GraphQLField) -> GraphQLNamedType:
    found: GraphQLNamedType = get_named_type(field_.type)
    return item_of(found) if is_connection(field_) else found


def near(item: GraphQLNamedType) -> dict[str, str]:
    """For each object that an item leads to, what that says.

    Each selection for itself: whether two that share a loader are gathered into one statement
    depends on how fast the database answers.
    """
    return {name: below(name, field_, leaves(target(field_))) for name, field_ in loading(item).items()}


def far(item: GraphQLNamedType) -> dict[str, str]:
    """For each object that an item leads to, what each object says that it leads to in turn."""
    return {
        f"{name}.{further}": below(name, field_, below(further, there, leaves(target(there))))
        for name, field_ in loading(item).items()
        for further, there in loading(target(field_)).items()
    }


# What is below an item is the same whatever list it is in, and is read in the first.
FIRST_OF_THEIR_KIND = {
    item_of(get_named_type(field_.type)).name: name for name, field_ in reversed(CONNECTIONS.items())
}.values()


# Asking


@dataclass
class Asked:
    """One list below its parents, as the asker of a town reads it."""

    name: str
    entry: Listed
    town: Town
    ids: Sequence[str]

    @property
    def field(self) -> GraphQLField:
        found: GraphQLField = CONNECTIONS[self.name]
        return found

    @property
    def item(self) -> GraphQLNamedType:
        return item_of(get_named_type(self.field.type))

    def document(self, selected: str) -> str:
        type_name, name = self.name.split(".")
        paging = [f"{size}: ${size}" for size in ("first", "after", "last", "before")]
        arguments = ", ".join([*filter(None, [self.entry.arguments(self.town)]), *paging])
        text = (
            f"{name}({arguments}) {{ edges {{ cursor node {{ {selected} }} }}"
            " pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
        )
        if type_name == "Query":
            return f"query Page({PAGING}) {{ {text} }}"
        if type_name == "Viewer":
            return f"query Page({PAGING}) {{ viewer {{ {text} }} }}"
        node, *way = self.entry.within or (type_name,)
        for step in reversed(way):
            text = f"{step} {{ {text} }}"
        return f"query Page($ids: [ID!]!, {PAGING}) {{ nodes(ids: $ids) {{ ... on {node} {{ {text} }} }} }}"

    async def context(self) -> Context:
        return await self.town.world.context(self.town.asker)

    async def pages(self, selected: str = "__typename", **paging: Any) -> list[Any]:
        """The page of each parent."""
        text = self.document(selected)
        variables = {"ids": [*self.ids], **paging} if "$ids" in text else paging
        result = await OPERATIONS.execute(OPERATIONS.prepare(text), variables, await self.context())
        assert result.errors is None, (self.name, selected, result.errors[:3])
        data: Any = result.data
        type_name, name = self.name.split(".")
        if type_name == "Query":
            return [data[name]]
        if type_name == "Viewer":
            return [data["viewer"][name]]
        assert None not in data["nodes"], f"{self.name}: the asker does not see the parent"
        found = data["nodes"]
        for step in (*self.entry.within[1:], name):
            found = [parent[step] for parent in found]
        assert None not in found, f"{self.name}: the asker may not see the list"
        return list(found)

    async def page(self, selected: str = "__typename", **paging: Any) -> Any:
        (found,) = await self.pages(selected, **paging)
        return found

    async def count(self, selected: str, **paging: Any) -> list[str]:
        """The statements that a page takes, whatever it takes to know the asker."""
        context = await self.context()
        text = self.document(selected)
        variables = {"ids": [*self.ids], **paging} if "$ids" in text else paging
        operation = OPERATIONS.prepare(text)
        async with counted() as queries:
            result = await OPERATIONS.execute(operation, variables, context)
        assert result.errors is None, (self.name, selected, result.errors[:3])
        return queries.statements

    async def walk(self, most: int, *, backward: bool) -> list[str]:
        """The cursors of all pages, one after the other, in the order of the list."""
        wanted, beyond, more, end = (
            ("last", "before", "hasPreviousPage", "startCursor")
            if backward
            else ("first", "after", "hasNextPage", "endCursor")
        )
        seen: list[str] = []
        paging: dict[str, Any] = {wanted: most}
        while True:
            page = await self.page(**paging)
            cursors = [edge["cursor"] for edge in page["edges"]]
            seen = cursors + seen if backward else seen + cursors
            assert page["pageInfo"]["startCursor"] == cursors[0]
            assert page["pageInfo"]["endCursor"] == cursors[-1]
            if not page["pageInfo"][more]:
                return seen
            assert len(cursors) == most
            paging[beyond] = page["pageInfo"][end]


def place(cursor: str) -> list[Any]:
    """What a cursor says of the item's place."""
    _, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return [next(iter(value.values())) if isinstance(value, dict) else value for value in key]


# Tests


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("counts") / "linli.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite://{path}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database("counts", template=request.getfixturevalue("postgres_template"))


@dataclass(frozen=True)
class Size:
    """How many are many."""

    rows: int
    page: int
    parents: int


@pytest.fixture
def size(shared_url: str) -> Size:
    """Large on one database: how many statements there are is decided before they are made for another."""
    return Size(300, 100, 20) if shared_url.startswith("sqlite") else Size(5, 2, 3)


@pytest.fixture(scope="module")
async def streets(shared_url: str, anyio_backend: str) -> AsyncIterator[World]:
    """One database for all lists; each has towns and an asker of its own."""
    async with opened(shared_url) as world:
        yield world


def entry_of(name: str) -> Listed:
    assert name in LISTS, (
        f"{name} is a list that nobody has made rows for: add it to LISTS in tests/lists.py, so that it is"
        " held to one number of statements"
    )
    return LISTS[name]


def test_every_list_is_known() -> None:
    """Every list has rows to count with, and there is none that the schema has not."""
    for name in CONNECTIONS:
        entry_of(name)
    assert LISTS.keys() <= CONNECTIONS.keys()


@pytest.mark.parametrize("name", CONNECTIONS)
async def test_many_rows_take_the_statements_of_one(streets: World, size: Size, name: str) -> None:
    entry = entry_of(name)
    (town,) = await towns(streets, await streets.account(), 1)
    parent = await entry.parent(town)
    asked = Asked(name, entry, town, [global_id((entry.within or name.split("."))[0], parent)])
    sized = [(size.page, "itself", leaves(asked.item))]
    if name in FIRST_OF_THEIR_KIND:
        sized += [(size.page, of, text) for of, text in near(asked.item).items()]
        sized += [(SOME, of, text) for of, text in far(asked.item).items()]

    await entry.rows(town, parent, range(1))
    assert len((await asked.page(first=size.page))["edges"]) == min(entry.already + 1, size.page)
    one = {of: await asked.count(text, first=first) for first, of, text in sized}

    await entry.rows(town, parent, range(1, size.rows))
    page = await asked.page(first=size.page)
    assert len(page["edges"]) == size.page
    assert page["pageInfo"]["hasNextPage"]
    for first, of, text in sized:
        many = await asked.count(text, first=first)
        assert len(many) == len(one[of]), difference(name, of, one[of], many)

    forward = await asked.walk(size.page, backward=False)
    there = entry.already + size.rows
    if name == "Community.auditLog":
        # What this test has read of people is entered, too.
        there = await AuditRow.filter(chain=parent).count()
    assert len(forward) == len(set(forward)) == there
    places = [place(cursor) for cursor in forward]
    assert places in (sorted(places), sorted(places, reverse=True)), f"{name} is in no order"
    assert await asked.walk(size.page, backward=True) == forward


def difference(name: str, of: str, few: list[str], many: list[str]) -> str:
    counts: dict[str, int] = {}
    for statement in many:
        counts[statement[:160]] = counts.get(statement[:160], 0) + 1
    for statement in few:
        counts[statement[:160]] = counts.get(statement[:160], 0) - 1
    more = "\n".join(f"  {n:+} {statement}" for statement, n in counts.items() if n)
    return f"{name} with {of}: {len(few)} statements, and then {len(many)}:\n{more}"


@pytest.mark.parametrize(
    "name", [name for name in CONNECTIONS if name.split(".")[0] not in ("Query", "Viewer")]
)
async def test_many_parents_take_the_statements_of_one(streets: World, size: Size, name: str) -> None:
    entry = entry_of(name)
    made = await towns(streets, await streets.account(), size.parents if entry.one_a_town else 1)
    made = made if entry.one_a_town else made * size.parents
    parents = [await entry.parent(town) for town in made]
    for number, (town, parent) in enumerate(zip(made, parents, strict=True)):
        start = 0 if entry.one_a_town else 3 * number
        await entry.rows(town, parent, range(start, start + 3))
    type_name = (entry.within or name.split("."))[0]
    ids = [global_id(type_name, parent) for parent in parents]
    one, many = Asked(name, entry, made[0], ids[:1]), Asked(name, entry, made[0], ids)
    for page in await many.pages(first=2):
        assert len(page["edges"]) == 2
        assert page["pageInfo"]["hasNextPage"]
    for text in ("__typename", leaves(one.item)):
        few = await one.count(text, first=2)
        lot = await many.count(text, first=2)
        assert len(few) == len(lot), difference(name, "one parent and many", few, lot)
