"""models.storage.tables: one class is table and row, read and written by either way, on both databases."""

import asyncio
from dataclasses import asdict, fields, replace
from datetime import datetime
from inspect import isawaitable
from typing import Any
from uuid import UUID

import pytest
from tortoise.exceptions import IncompleteInstanceError
from tortoise.fields import DatetimeField, IntField
from tortoise.transactions import in_transaction

from models.base import Table, new_id, now
from models.matching import PostMatchRow
from models.motions import MotionRow, RulesRow, ScopeKind
from models.posts import LikeRow, PostKind, PostRow, PostState, SubjectKind
from models.storage.rows import NOTHING, Where, columns, select
from models.storage.tables import by_ids, insert, insert_all, locked, one, update
from tests.world import World, counted


def post(**given: Any) -> PostRow:
    ids = {name: new_id() for name in ("community_id", "scope_id", "wall_id", "author_id")}
    return PostRow(**{**ids, "kind": PostKind.TALK, "body": "停水'?", **given})


# What a class promises


def test_what_has_a_default_need_not_be_given() -> None:
    row = post()
    assert (row.state, row.like_count, row.version, row.estate_id) == (PostState.OPEN, 0, 1, None)
    assert isinstance(row.id, UUID)
    assert row.created_at <= now()
    assert row.group_id == row.wall_id


def test_what_has_none_must_be_and_nothing_else_may() -> None:
    like: Any = LikeRow
    with pytest.raises(TypeError, match="required keyword-only argument: 'subject_kind'"):
        like(subject_id=new_id(), account_id=new_id())
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        post(colour="red")


def test_an_annotation_and_its_field_agree() -> None:
    with pytest.raises(TypeError, match="null"):

        class Loose(Table):
            at: datetime = DatetimeField(null=True)

    with pytest.raises(TypeError, match="null"):

        class Strict(Table):
            number: int | None = IntField()


def test_rows_are_equal_if_all_columns_are() -> None:
    row = post()
    assert replace(row) == row
    assert replace(row, body="来水了") != row
    assert replace(row, body="来水了").id == row.id
    assert len({row, replace(row)}) == 1
    assert asdict(row)["body"] == row.body
    assert [field.name for field in fields(PostRow)] == list(asdict(row))


def test_a_row_says_nothing_of_what_it_holds() -> None:
    """As in a log, or in the text of an error."""
    row = post()
    assert row.body not in f"{row} {row!r}"


def test_a_row_is_nothing_to_wait_for() -> None:
    """GraphQL waits for whatever can be awaited; Tortoise's rows could be, and were what came of it."""
    assert not hasattr(PostRow, "__await__")
    assert not isawaitable(post())


# Read and written


async def test_a_row_comes_back_as_it_was_written(world: World) -> None:
    row = post(kind=PostKind.HELP, pinned_at=now(), estate_id=new_id())
    assert await insert(row)
    found = await one(PostRow, row.id)
    assert found == row
    assert found is not row
    (selected,) = await select(PostRow, f"SELECT {columns(PostRow)} FROM post t")
    (through_tortoise,) = await PostRow.all()
    assert selected == through_tortoise == row


async def test_json_comes_back_as_it_was_written(world: World) -> None:
    """Of a column of text, and of one that PostgreSQL keeps as JSON."""
    shared = PostMatchRow(
        community_id=new_id(),
        post_id=new_id(),
        other_id=new_id(),
        score=60,
        words=30,
        place=10,
        time=20,
        shared=["停水'?", "\\"],
    )
    await insert(shared)
    await shared.save()
    assert await one(PostMatchRow, shared.id) == shared == await PostMatchRow.get(id=shared.id)
    rules = RulesRow(
        community_id=new_id(),
        version=1,
        name="规则",
        binding=True,
        quorum={"'?": [1, 2], "of": {"id": str(new_id())}},
        ordinary={},
        special={"of": None},
        changes_allowed=True,
        proxies_allowed=False,
        notice_hours=360,
        most_extensions=0,
        extension_hours=0,
    )
    await insert(rules)
    await rules.save()
    assert await one(RulesRow, rules.id) == rules == await RulesRow.get(id=rules.id)


async def test_of_rows_that_exclude_each_other_one_is_written(world: World) -> None:
    like = LikeRow(subject_kind=SubjectKind.POST, subject_id=new_id(), account_id=new_id())
    again = replace(like, id=new_id())
    unless = "(subject_id, account_id) DO NOTHING"
    assert await insert(like, unless)
    assert not await insert(again, unless)
    assert await LikeRow.all() == [like]


async def test_many_are_written_at_once(world: World) -> None:
    rows = [post(body=f"{number}") for number in range(50)]
    await insert_all(rows)
    await insert_all([])
    ids = [rows[3].id, new_id(), None, rows[1].id, rows[3].id]
    assert await by_ids(PostRow, ids) == [rows[3], None, None, rows[1], rows[3]]
    assert await by_ids(PostRow, ids, Where("t.body = ? OR t.body = ?", ("1", "2"))) == [
        None,
        None,
        None,
        rows[1],
        None,
    ]
    async with counted() as none:
        assert await by_ids(PostRow, [None]) == [None]
    assert none.count == 0
    assert await one(PostRow, NOTHING) is None


async def test_columns_are_set(world: World) -> None:
    rows = [post(), post()]
    await insert_all(rows)
    assert await update(PostRow, rows[0].id, body="来水了", pinned_at=None, state=PostState.RESOLVED) == 1
    assert await update(PostRow, Where("t.body = ?", ("停水'?",)), version=2) == 1
    assert await update(PostRow, new_id(), version=2) == 0
    assert await by_ids(PostRow, [row.id for row in rows]) == [
        replace(rows[0], body="来水了", state=PostState.RESOLVED),
        replace(rows[1], version=2),
    ]
    with pytest.raises(TypeError, match="colour"):
        await update(PostRow, rows[0].id, colour="red")


async def test_a_locked_row_stays_as_it_is(world: World) -> None:
    row = post()
    await insert(row)
    held = asyncio.Event()
    order: list[str] = []

    async def hold() -> None:
        async with in_transaction():
            assert await locked(PostRow, row.id) == [row]
            held.set()
            await asyncio.sleep(0.1)
            order.append("held")

    async def change() -> None:
        await held.wait()
        async with in_transaction():
            await locked(PostRow, Where("t.id IN (?)", ([row.id],)))
            order.append("changed")

    await asyncio.gather(hold(), change())
    assert order == ["held", "changed"]


# Under Tortoise's own API


async def test_a_row_of_explicit_sql_is_saved_as_one_of_tortoise(world: World) -> None:
    await insert(post())
    (row,) = await select(PostRow, f"SELECT {columns(PostRow)} FROM post t")
    row.body = "来水了"
    await row.save()
    assert await PostRow.all() == [row]
    await update(PostRow, row.id, body="又停了")
    await row.refresh_from_db()
    assert row.body == "又停了"
    await row.delete()
    assert await PostRow.all() == []


async def test_a_new_row_is_saved_once_by_either(world: World) -> None:
    written, saved = post(), post()
    await insert(written)
    written.body = "来水了"
    await written.save()
    await saved.save()
    assert await by_ids(PostRow, [written.id, saved.id]) == [written, saved]


async def test_what_is_not_read_with_a_row_is_not_written_over(world: World) -> None:
    assert "t.snapshot," not in columns(MotionRow)
    ids = dict.fromkeys(("community_id", "organisation_id", "author_id", "rules_id"), new_id())
    times = dict.fromkeys(("opens_at", "closes_at", "first_closes_at"), now())
    values: dict[str, Any] = {**ids, **times, "scope_kind": ScopeKind.ESTATE, "title": "电梯", "body": "更换"}
    made = await MotionRow.create(**values, snapshot='{"heads": []}')
    row = await one(MotionRow, made.id)
    assert row is not None
    with pytest.raises(IncompleteInstanceError):
        await row.save()
    row.title = "更换电梯"
    await row.save(update_fields=["title"])
    (kept,) = await MotionRow.all().values("title", "snapshot")
    assert kept == {"title": "更换电梯", "snapshot": '{"heads": []}'}
