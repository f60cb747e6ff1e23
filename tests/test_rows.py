"""models.storage.rows: placeholders, and values that come back as they were written, on both databases."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import new_id, now
from models.identity import Relation
from models.storage.rows import EVERYTHING, NOTHING, Where, bind, execute, select, select_one
from subscriptions import log
from subscriptions.events import Event, Kind
from tests.world import World, counted

TOPIC = "rows"


@dataclass(slots=True)
class Taken:
    """A residency, with most kinds of columns that there are."""

    id: UUID
    home_id: UUID
    relation: Relation
    since: datetime
    until: datetime | None


# Placeholders


def test_placeholders_are_numbered_for_postgres_and_kept_for_sqlite() -> None:
    assert bind("postgres", "a = ? AND b = ?", [1, "x"]) == ("a = $1 AND b = $2", [1, "x"])
    assert bind("sqlite", "a = ? AND b = ?", [1, "x"]) == ("a = ? AND b = ?", [1, "x"])


def test_postgres_takes_a_collection_as_one_array() -> None:
    text, values = bind("postgres", "a IN (?) AND b = ? AND c IN (?)", [[1, 2], 3, (4,)])
    assert text == "a = ANY($1) AND b = $2 AND c = ANY($3)"
    assert values == [[1, 2], 3, [4]]


def test_sqlite_gets_a_collection_filled_up_so_that_few_texts_differ() -> None:
    assert bind("sqlite", "a IN (?) AND b = ?", [[1, 2, 3], 4]) == (
        "a IN (?, ?, ?, ?) AND b = ?",
        [1, 2, 3, 3, 4],
    )
    assert bind("sqlite", "a IN (?)", [{1}]) == ("a IN (?)", [1])
    texts = {bind("sqlite", "a IN (?)", [range_of])[0] for range_of in ([0] * n for n in range(1, 65))}
    assert len(texts) == 7


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_other_collections_expand_where_they_stand(dialect: str) -> None:
    text, values = bind(dialect, "a NOT IN (?) AND f(?)", [[1, 2, 3], (4, 5)])
    assert re.sub(r"\$\d", "?", text) == "a NOT IN (?, ?, ?) AND f(?, ?)"
    assert values == [1, 2, 3, 4, 5]


def test_enums_are_bound_by_value() -> None:
    assert bind("sqlite", "?, ?", [Relation.OWNER, [Kind.POST_CREATED]])[1] == ["OWNER", "POST_CREATED"]


@pytest.mark.parametrize(("statement", "params"), [("?", []), ("", [1]), ("? ?", [1]), ("?", [1, 2])])
def test_placeholders_and_parameters_must_match(statement: str, params: list[Any]) -> None:
    with pytest.raises(ValueError, match="placeholders"):
        bind("sqlite", statement, params)


@given(
    params=st.lists(
        st.one_of(st.integers(), st.text(), st.lists(st.integers()), st.frozensets(st.text())), max_size=8
    )
)
def test_no_value_is_ever_part_of_the_text(params: list[Any]) -> None:
    statement = " | ".join("?" for _ in params)
    text, values = bind("postgres", statement, params)
    flat = [item for p in params for item in (p if isinstance(p, list | frozenset) else [p])]
    assert values == flat
    assert text.count("$") == len(flat)
    assert set(text) <= set("$0123456789 |,NUL")


def test_conditions_join_with_their_parameters_in_order() -> None:
    joined = (Where("a = ?", (1,)) | Where("b = ?", (2,))) & Where("c = ?", (3,))
    assert joined == Where("((a = ?) OR (b = ?)) AND (c = ?)", (1, 2, 3))


# On the databases


async def test_an_empty_collection_matches_nothing(world: World) -> None:
    await log.append([Event(TOPIC, Kind.POST_CREATED, new_id())])
    count = "SELECT count(*) AS n FROM event WHERE topic IN (?)"
    assert (await execute(count, []))[0]["n"] == 0
    assert (await execute(count, [TOPIC]))[0]["n"] == 1
    for where, n in ((EVERYTHING, 1), (NOTHING, 0)):
        assert (await execute(f"SELECT count(*) AS n FROM event WHERE {where.text}", *where.params))[0][
            "n"
        ] == n


async def test_values_come_back_as_they_were_written(world: World) -> None:
    community = await world.community()
    home = await world.home(await world.building(await world.estate(community)))
    account = await world.resident(home, Relation.TENANT)
    statement = "SELECT id, home_id, relation, since, until FROM residency WHERE account_id = ?"
    row = await select_one(Taken, statement, account.id)
    assert row is not None
    assert isinstance(row.id, UUID)
    assert row.home_id == home.id
    assert row.relation is Relation.TENANT
    assert row.since.tzinfo is not None
    assert row.until is None
    assert row.since.utcoffset() == timedelta(0)
    # A moment of another zone is the same moment.
    moved = datetime(2026, 3, 1, 8, 0, tzinfo=timezone(timedelta(hours=8)))
    await execute("UPDATE residency SET until = ? WHERE id = ?", moved, row.id)
    row = await select_one(Taken, statement, account.id)
    assert row is not None
    assert row.until == moved
    assert row.until is not None
    assert row.until.utcoffset() == timedelta(0)


async def test_none_is_found_where_there_is_nothing(world: World) -> None:
    assert await select_one(Taken, "SELECT * FROM residency WHERE id = ?", new_id()) is None


async def test_json_and_text_keep_every_character(world: World) -> None:
    facts = {"name": "停水'\";--?$1 \U0001f6b0", "quote": "\\"}
    thread = new_id()
    scopes = frozenset({new_id(), new_id()})
    await log.append([Event(TOPIC, Kind.POST_CREATED, thread, scopes, thread, facts)])
    (found,) = await log.read(TOPIC, 0, 10)
    assert found.event.facts == facts
    assert found.event.audience == scopes
    assert found.event.thread == found.event.subject == thread
    assert found.event.kind is Kind.POST_CREATED


@pytest.mark.parametrize("hours", [-11, 0, 8])
async def test_moments_compare_by_time_whatever_their_zone(world: World, hours: int) -> None:
    """SQLite keeps moments as text: 08:00+08:00 must not come after 07:00+00:00."""
    community = await world.community()
    account = await world.neighbour(community)
    base = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
    zone = timezone(timedelta(hours=hours))
    await execute("UPDATE residency SET until = ? WHERE account_id = ?", base, account.id)
    count = "SELECT count(*) AS n FROM residency WHERE account_id = ? AND until < ?"
    for microseconds, n in ((-1, 0), (0, 0), (1, 1), (1_000_000, 1)):
        moment = (base + timedelta(microseconds=microseconds)).astimezone(zone)
        assert (await execute(count, account.id, moment))[0]["n"] == n


async def test_moments_written_by_both_ways_are_alike(world: World) -> None:
    """The ORM and explicit SQL write the same columns."""
    moment = now().replace(microsecond=0)
    community = await world.community()
    account = await world.neighbour(community)
    from models.identity import ResidencyRow

    await ResidencyRow.filter(account_id=account.id).update(since=moment)
    rows = await execute(
        "SELECT count(*) AS n FROM residency WHERE account_id = ? AND since = ?", account.id, moment
    )
    assert rows[0]["n"] == 1


async def test_one_statement_each(world: World) -> None:
    async with counted() as queries:
        await select(
            Taken, "SELECT id, home_id, relation, since, until FROM residency WHERE id IN (?)", [new_id()]
        )
    assert queries.count == 1


@dataclass(frozen=True)
class Fixed:
    number: int
    text: str


@dataclass(slots=True)
class Checked:
    number: int
    twice: int = 0

    def __post_init__(self) -> None:
        self.twice += self.number


async def test_a_row_that_cannot_be_changed_and_one_that_looks_at_itself(world: World) -> None:
    statement = "SELECT 'x' AS text, 2 AS number, 4 AS twice"
    (fixed,) = await select(Fixed, statement)
    assert fixed == Fixed(2, "x")
    (checked,) = await select(Checked, statement)
    assert (checked.number, checked.twice) == (2, 6)
