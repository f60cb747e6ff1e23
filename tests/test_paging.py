"""models.storage.paging: every page equals the one that a list in memory would give."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import new_id
from models.storage.paging import BadPage, Order, Page, PageArgs, cursor_of, key_of, pages
from models.storage.rows import Where, execute
from tests.world import World, counted

# The idempotency table has what is wanted here: a parent, a text, a moment and a unique id.
TABLE = "idempotent_call"


@dataclass(slots=True)
class Call:
    id: UUID
    account_id: UUID
    action: str
    created_at: datetime


BY_ID = Order("by-id", ("id",))
BY_TEXT = Order("by-text", ("action", "id"))
BY_TIME = Order("by-time", ("created_at", "id"), descending=False)
ORDERS = [BY_ID, BY_TEXT, BY_TIME]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


async def fill(counts: Sequence[int]) -> tuple[list[UUID], list[Call]]:
    """A parent for each number, with so many rows, whose sort keys are often equal."""
    parents = [new_id() for _ in counts]
    rows = [
        Call(
            id=uuid4(),
            account_id=parent,
            action="acb"[number % 3],
            # Whole seconds, and fractions of them: SQLite compares text.
            created_at=EPOCH + timedelta(milliseconds=500 * (number * 7 % 5)),
        )
        for parent, count in zip(parents, counts, strict=True)
        for number in range(count)
    ]
    for start in range(0, len(rows), 100):
        chunk = rows[start : start + 100]
        await execute(
            f"INSERT INTO {TABLE} (id, created_at, account_id, key, action, digest, result_id)"
            f" VALUES {', '.join('(?, ?, ?, ?, ?, ?, ?)' for _ in chunk)}",
            *[
                value
                for row in chunk
                for value in (
                    row.id,
                    row.created_at,
                    row.account_id,
                    row.id.hex,
                    row.action,
                    "0" * 64,
                    row.id,
                )
            ],
        )
    return parents, rows


def listed(rows: Sequence[Call], parent: UUID, order: Order) -> list[Call]:
    def key(row: Call) -> tuple[Any, ...]:
        return tuple(
            str(value) if isinstance(value, UUID) else value
            for value in (getattr(row, name) for name in order.keys)
        )

    return sorted((r for r in rows if r.account_id == parent), key=key, reverse=order.descending)


def model(rows: list[Call], args: PageArgs, order: Order) -> list[Call]:
    """What Relay says, done naively."""
    cursors = [cursor_of(order, row) for row in rows]
    start = 0 if args.after is None else cursors.index(args.after) + 1
    stop = len(rows) if args.before is None else cursors.index(args.before)
    within = rows[start:stop] if start < stop else []
    return within[: args.first] if args.first is not None else within[-args.size :]


async def read(parents: Sequence[UUID], args: PageArgs, order: Order, **more: Any) -> list[Page[Call]]:
    return await pages(Call, parents, table=TABLE, by="account_id", args=args, order=order, **more)


COUNTS = [0, 1, 5, 12]


async def test_pages_equal_the_model(world: World) -> None:
    """All sizes and cursors that matter, forward and backward, for one parent and for several."""
    parents, rows = await fill(COUNTS)
    for order in ORDERS:
        for parent in parents:
            mine = listed(rows, parent, order)
            cursors = [None, *(cursor_of(order, row) for row in mine[:: max(1, len(mine) // 4)])]
            for after in cursors:
                for before in cursors:
                    for size in (1, 3, 100):
                        for args in (
                            PageArgs(first=size, after=after, before=before),
                            PageArgs(last=size, after=after, before=before),
                        ):
                            if after and before and size != 3:
                                continue  # rarely used together: one size suffices
                            alone, *_ = await read([parent], args, order)
                            assert alone.items == model(mine, args, order), (order, args)
                            assert list(alone.cursors) == [cursor_of(order, row) for row in alone.items]


async def test_each_of_many_parents_gets_its_own_page(world: World) -> None:
    parents, rows = await fill(COUNTS)
    wanted = [parents[3], new_id(), parents[0], parents[2], parents[3], parents[1]]
    for order in ORDERS:
        for args in (PageArgs(first=4), PageArgs(last=4), PageArgs(first=100)):
            found = await read(wanted, args, order)
            assert [page.items for page in found] == [
                model(listed(rows, parent, order), args, order) for parent in wanted
            ]
    cursor = cursor_of(BY_TEXT, listed(rows, parents[3], BY_TEXT)[5])
    for args in (PageArgs(first=3, after=cursor), PageArgs(last=3, before=cursor)):
        several = await read(parents, args, BY_TEXT)
        singly = [(await read([parent], args, BY_TEXT))[0] for parent in parents]
        assert [p.items for p in several] == [p.items for p in singly]


async def test_walking_visits_everything_once_in_both_directions(world: World) -> None:
    (parent,), rows = await fill([23])
    for order in ORDERS:
        expected = listed(rows, parent, order)
        seen: list[Call] = []
        after: str | None = None
        while True:
            (page,) = await read([parent], PageArgs(first=4, after=after), order)
            seen += page.items
            assert page.has_previous_page is (after is not None)
            if not page.has_next_page:
                break
            after = page.cursors[-1]
        assert seen == expected
        back: list[Call] = []
        before: str | None = None
        while True:
            (page,) = await read([parent], PageArgs(last=4, before=before), order)
            back = page.items + back
            assert page.has_next_page is (before is not None)
            if not page.has_previous_page:
                break
            before = page.cursors[0]
        assert back == expected


async def test_a_page_that_is_just_full_has_no_next(world: World) -> None:
    (parent,), _ = await fill([5])
    (page,) = await read([parent], PageArgs(first=5), BY_ID)
    assert (len(page.items), page.has_next_page) == (5, False)
    (page,) = await read([parent], PageArgs(first=4), BY_ID)
    assert (len(page.items), page.has_next_page) == (4, True)


async def test_a_condition_holds_within_each_page(world: World) -> None:
    parents, rows = await fill([9, 9])
    where = Where("t.action IN (?)", (["a", "b"],))
    found = await read(parents, PageArgs(first=4), BY_TEXT, where=where)
    for parent, page in zip(parents, found, strict=True):
        mine = [row for row in listed(rows, parent, BY_TEXT) if row.action in "ab"]
        assert page.items == mine[:4]
        assert page.has_next_page


async def test_rows_that_came_and_went_meanwhile_disturb_no_page(world: World) -> None:
    (parent,), rows = await fill([10])
    mine = listed(rows, parent, BY_ID)
    (page,) = await read([parent], PageArgs(first=4), BY_ID)
    await execute(f"DELETE FROM {TABLE} WHERE id = ?", page.items[-1].id)
    (page,) = await read([parent], PageArgs(first=100, after=page.cursors[-1]), BY_ID)
    assert page.items == mine[4:]


@pytest.mark.parametrize("parents", [0, 1, 300])
async def test_one_statement_whatever_the_number_of_parents(world: World, parents: int) -> None:
    ids, _ = await fill([1] * parents)
    async with counted() as queries:
        found = await read(ids, PageArgs(first=3), BY_ID)
    assert [len(page.items) for page in found] == [1] * parents
    assert queries.count == 1


# Arguments and cursors


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({}, "first"),
        ({"first": 1, "last": 1}, "first"),
        ({"first": 0}, "first"),
        ({"first": -1}, "first"),
        ({"first": 101}, "first"),
        ({"last": 0}, "last"),
        ({"last": 101}, "last"),
    ],
)
def test_sizes_out_of_range_are_refused(args: dict[str, Any], field: str) -> None:
    with pytest.raises(BadPage) as caught:
        PageArgs(**args)
    assert caught.value.field == field


def made(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(parts)).encode()).decode().rstrip("=")


FORGED = [
    "",
    "x",
    "!!!!",
    "停水",
    "A" * 5000,
    base64.b64encode(b"\xff\xfe").decode(),
    base64.b64encode(b"null").decode(),
    base64.b64encode(b"7").decode(),
    base64.b64encode(b"{}").decode(),
    base64.b64encode(b'"by-text"').decode(),
    base64.b64encode(b"[" * 20_000).decode(),
    made(),
    made("by-text"),
    made("by-id", {"u": str(uuid4())}),
    made("by-text", "a"),
    made("by-text", "a", {"u": str(uuid4())}, 1),
    made("by-text", "a", "b"),
    made("by-text", "a", str(uuid4())),
    made("by-text", "a", {"u": 7}),
    made("by-text", "a", {"u": "x"}),
    made("by-text", "a", {}),
    made("by-text", "a", None),
    made("by-text", 1, {"u": str(uuid4())}),
    made("by-text", True, {"u": str(uuid4())}),
    made("by-text", 1.5, {"u": str(uuid4())}),
    made("by-text", None, {"u": str(uuid4())}),
    made("by-text", ["a"], {"u": str(uuid4())}),
    made("by-text", "\0", {"u": str(uuid4())}),
    made("by-text", "\ud800", {"u": str(uuid4())}),
    made("by-text", {"t": "2026-01-01T00:00:00+00:00"}, {"u": str(uuid4())}),
]


async def test_a_forged_cursor_is_refused(world: World) -> None:
    for cursor in FORGED:
        for args, field in (
            (PageArgs(first=1, after=cursor), "after"),
            (PageArgs(last=1, before=cursor), "before"),
        ):
            with pytest.raises(BadPage) as caught:
                await read([new_id()], args, BY_TEXT)
            assert caught.value.field == field


async def test_a_forged_moment_is_refused(world: World) -> None:
    for moment in (
        *("2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00", "soon"),
        *(7, None),
    ):
        cursor = made("by-time", {"t": moment}, {"u": str(uuid4())})
        with pytest.raises(BadPage):
            await read([new_id()], PageArgs(first=1, after=cursor), BY_TIME)


@dataclass(slots=True)
class Versioned:
    id: UUID
    account_id: UUID
    version: int


BY_VERSION = Order("by-version", ("version", "id"))


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1, 10**4000, True, 1.0, "1"], ids=range(6))
def test_a_number_that_fits_no_column_is_refused(number: Any) -> None:
    with pytest.raises(BadPage):
        key_of(Versioned, BY_VERSION, made("by-version", number, {"u": str(uuid4())}), "after")


async def test_the_largest_numbers_are_read(world: World) -> None:
    """Columns may be narrower than the number in a cursor."""
    account = await world.account()
    for number in ((1 << 63) - 1, -(1 << 63), 1 << 40, 0):
        cursor = cursor_of(BY_VERSION, Versioned(account.id, account.id, number))
        assert key_of(Versioned, BY_VERSION, cursor, "after") == (number, account.id)
        for args in (PageArgs(first=1, after=cursor), PageArgs(last=1, before=cursor)):
            for parents in ([account.id], [account.id, new_id()]):
                found = await pages(
                    Versioned,
                    parents,
                    table="residency_application",
                    by="account_id",
                    args=args,
                    order=BY_VERSION,
                )
                assert [page.items for page in found] == [[] for _ in parents]


@given(
    text=st.text(), number=st.integers(-(1 << 63), (1 << 63) - 1), moment=st.datetimes(timezones=st.just(UTC))
)
def test_cursors_hold_every_key(text: str, number: int, moment: datetime) -> None:
    try:
        text.encode()
        valid = "\0" not in text
    except UnicodeEncodeError:
        valid = False
    order = Order("any", ("action", "number", "created_at", "id"))
    row = Wide(new_id(), text, number, moment)
    cursor = cursor_of(order, row)
    assert cursor.isascii()
    if valid:
        assert key_of(Wide, order, cursor, "after") == (text, number, moment, row.id)


@given(cursor=st.one_of(st.text(), st.binary().map(lambda b: base64.urlsafe_b64encode(b).decode())))
def test_no_text_is_a_fault(cursor: str) -> None:
    with pytest.raises(BadPage):
        key_of(Call, BY_TEXT, cursor, "after")


@dataclass(slots=True)
class Wide:
    id: UUID
    action: str
    number: int
    created_at: datetime
