"""models.storage.sqlite: units of work that wait for the one writer share its commit, and nothing else."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError
from tortoise.transactions import in_transaction

from models import database
from models.storage import sqlite
from models.storage import writer as writing
from models.storage.driver import sqlite3
from models.storage.rows import connection, execute
from subscriptions.bus import Hint
from subscriptions.events import Event, Kind
from subscriptions.work import unit_of_work
from tests.world import World

TOPIC = "writer"
# Of what an authorizer is asked about (sqlite.org/c3ref/c_alter_table.html).
SQLITE_TRANSACTION = 22


@pytest.fixture
def database_file(tmp_path: Path, sqlite_template: Path) -> Path:
    path = tmp_path / "linli.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


@pytest.fixture(autouse=True)
async def world(database_file: Path) -> AsyncIterator[World]:
    async with database.database(f"sqlite://{database_file}"):
        yield World()


def client() -> sqlite.ImmediateSqliteClient:
    found: Any = connection()
    found = getattr(found, "_parent", found)
    assert isinstance(found, sqlite.ImmediateSqliteClient)
    return found


def writer() -> writing.Writer:
    found = client().writer
    assert found is not None
    return found


class Traced:
    """The statements that the writer's connection ran."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    @property
    def commits(self) -> int:
        return self.statements.count("COMMIT")

    async def __aenter__(self) -> "Traced":
        await writer().connection.set_trace_callback(self.statements.append)
        return self

    async def __aexit__(self, *_: object) -> None:
        nothing: Any = None
        await writer().connection.set_trace_callback(nothing)


async def add(name: str) -> None:
    await execute("INSERT INTO topic (name, seq, trimmed) VALUES (?, 0, 0)", name)


async def unit(name: str) -> None:
    async with in_transaction():
        await add(f"{name} a")
        await add(f"{name} b")


def on_disk(path: Path) -> set[str]:
    """What another process sees."""
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM topic")}


async def test_those_who_wait_share_a_commit_and_none_is_told_before_it(database_file: Path) -> None:
    async def told(number: int) -> None:
        await unit(f"{number}")
        assert {f"{number} a", f"{number} b"} <= on_disk(database_file)

    async with Traced() as traced:
        await asyncio.gather(*(told(number) for number in range(40)))
    assert traced.commits <= 3
    assert writer().idle
    assert len(on_disk(database_file)) == 80


async def test_no_more_share_a_commit_than_may() -> None:
    async with Traced() as traced:
        await asyncio.gather(*(unit(f"{number}") for number in range(3 * writing.MOST_SHARED)))
    assert traced.commits >= 3


async def test_who_is_alone_commits_at_once() -> None:
    async with Traced() as traced:
        for number in range(3):
            await unit(f"{number}")
            assert writer().idle
    assert traced.commits == 3


async def test_one_that_fails_is_rolled_back_alone(database_file: Path) -> None:
    async def failing(number: int) -> None:
        async with in_transaction():
            await add(f"bad {number}")
            if number % 2:
                raise ZeroDivisionError
            await add(f"bad {number}")

    results = await asyncio.gather(
        *(failing(number) if number % 3 else unit(f"{number}") for number in range(30)),
        return_exceptions=True,
    )
    for number, result in enumerate(results):
        expected = type(None) if number % 3 == 0 else ZeroDivisionError if number % 2 else IntegrityError
        assert isinstance(result, expected)
    assert on_disk(database_file) == {f"{number} {x}" for number in range(0, 30, 3) for x in "ab"}
    assert writer().idle


async def test_a_part_that_fails_is_rolled_back_within_its_unit(database_file: Path) -> None:
    async def part(number: int) -> None:
        async with in_transaction():
            await add(f"{number} part")
            async with in_transaction():
                await add(f"{number} part of a part")
            await add(f"{number}")

    async def one(number: int) -> None:
        async with in_transaction():
            await add(f"{number}")
            with pytest.raises(IntegrityError):
                await part(number)
            async with in_transaction():
                await add(f"{number} other")

    await asyncio.gather(*(one(number) for number in range(8)))
    assert on_disk(database_file) == {f"{number}{x}" for number in range(8) for x in ("", " other")}


async def test_single_statements_share_as_well(database_file: Path) -> None:
    async with Traced() as traced:
        results = await asyncio.gather(
            *(add(f"{number // 2}") for number in range(20)), return_exceptions=True
        )
    assert sum(isinstance(result, IntegrityError) for result in results) == 10
    assert traced.commits <= 3
    assert on_disk(database_file) == {f"{number}" for number in range(10)}


async def test_a_read_sees_what_its_reader_has_written_and_nothing_of_what_is_under_way() -> None:
    async def seen(name: str) -> bool:
        return bool(await execute("SELECT name FROM topic WHERE name = ?", name))

    halfway, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with in_transaction():
            await add("slow")
            assert await seen("slow")
            halfway.set()
            await go.wait()

    task = asyncio.create_task(slow())
    await halfway.wait()
    # The writer is taken, and reading goes on.
    assert not await seen("slow")
    go.set()
    await task
    assert await seen("slow")
    for number in range(50):
        await add(f"{number}")
        assert await seen(f"{number}")


async def test_a_read_that_takes_long_leaves_the_event_loop_to_others() -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    counting = f"{numbers} SELECT count(*) AS n FROM n"
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    task = asyncio.create_task(others())
    for _ in range(2):
        before = turns
        assert await execute(counting, 2_000_000) == [{"n": 2_000_000}]
        assert turns > before + 5
    task.cancel()
    # However often a short one is asked, it stays short.
    for _ in range(3_000):
        assert await execute("SELECT count(*) AS n FROM topic WHERE name = ?", "x") == [{"n": 0}]
    assert len(client().pace.long) == 1


class Where:
    """The threads in which a statement's function `here` was called."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def here(self) -> int:
        self.threads.append(threading.get_ident())
        return 1

    async def __aenter__(self) -> "Where":
        await writer().connection.create_function("here", 0, self.here)
        return self

    async def __aexit__(self, *_: object) -> None: ...


RAISE = "UPDATE topic SET trimmed = trimmed + here() WHERE name = ?"


async def raised_and_taken_back() -> None:
    async with in_transaction():
        await execute(RAISE, "here")
        raise ZeroDivisionError


async def test_a_write_runs_at_once_if_the_last_one_was_short() -> None:
    loop = threading.get_ident()
    async with Where() as where:
        async with in_transaction():
            await execute("INSERT INTO topic (name, seq, trimmed) VALUES (?, 0, 0)", "here")
            for _ in range(3):
                await execute(RAISE, "here")
        assert where.threads[0] != loop
        assert where.threads[1:] == [loop, loop]
        # Whoever is rolled back takes it back wherever it was written.
        with pytest.raises(ZeroDivisionError):
            await raised_and_taken_back()
    assert await execute("SELECT trimmed FROM topic WHERE name = ?", "here") == [{"trimmed": 3}]


async def test_a_write_that_took_long_goes_back_to_the_thread() -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    raise_after = f"{RAISE} AND ({numbers} SELECT count(*) FROM n) > 0"
    loop = threading.get_ident()
    async with Where() as where, in_transaction():
        await execute("INSERT INTO topic (name, seq, trimmed) VALUES (?, 0, 0)", "here")
        await execute(raise_after, "here", 1)
        await execute(raise_after, "here", 200_000)
        await execute(raise_after, "here", 1)
    assert [thread == loop for thread in where.threads] == [False, True, False]


async def test_a_write_waits_for_what_the_thread_is_doing() -> None:
    release = threading.Event()
    double = "UPDATE topic SET trimmed = trimmed * 2 WHERE name = ?"
    await writer().connection.create_function("wait", 0, lambda: 5 * release.wait(10))
    async with in_transaction():
        await execute("INSERT INTO topic (name, seq, trimmed) VALUES (?, 0, 0)", "order")
        for _ in range(2):
            await execute(double, "order")
        assert double in client().pace.short
        under_way = asyncio.create_task(execute("UPDATE topic SET trimmed = wait() WHERE name = ?", "order"))
        await asyncio.sleep(0)
        doubled = asyncio.create_task(execute(double, "order"))
        await asyncio.sleep(0.05)
        assert not under_way.done()
        release.set()
        await asyncio.gather(under_way, doubled)
    assert await execute("SELECT trimmed FROM topic WHERE name = ?", "order") == [{"trimmed": 10}]


async def test_long_reads_that_nobody_waits_for_take_no_reader_away() -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    counting = f"{numbers} SELECT count(*) AS n FROM n"
    await execute(counting, 500_000)
    for turns in range(3 * sqlite.READERS):
        reads = [asyncio.create_task(execute(counting, 200_000)) for _ in range(sqlite.READERS + 1)]
        await asyncio.sleep(turns * 0.005)
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
    async with asyncio.timeout(10):
        found = await asyncio.gather(*(execute(counting, number) for number in range(1, 9)))
    assert found == [[{"n": number}] for number in range(1, 9)]


async def test_there_is_one_sqlite_in_the_process() -> None:
    assert isinstance(writer().plain, sqlite3.Connection)
    assert (await execute("SELECT sqlite_version() AS v"))[0]["v"] == sqlite3.sqlite_version
    async with in_transaction():
        assert (await execute("SELECT sqlite_version() AS v"))[0]["v"] == sqlite3.sqlite_version


async def test_many_reads_in_a_row_leave_the_event_loop_to_others() -> None:
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    for _ in range(2 * sqlite.MOST_AT_ONCE):
        await execute("SELECT 1 AS n")
    assert turned.is_set()


async def test_events_stand_in_the_order_of_their_commits(world: World) -> None:
    hints: list[Hint] = []

    class Live:
        def committed(self, more: Any) -> None:
            hints.extend(more)

    async def one(number: int) -> None:
        async with unit_of_work(Live()) as work:
            work.record(Event(TOPIC, Kind.POST_CREATED, world_id))
            if number % 5 == 0:
                raise ZeroDivisionError

    world_id = (await world.community()).id
    results = await asyncio.gather(*(one(number) for number in range(30)), return_exceptions=True)
    assert sum(isinstance(result, ZeroDivisionError) for result in results) == 6
    logged = await world.events(TOPIC)
    assert [it.seq for it in logged] == list(range(1, 25))
    assert sorted(hint.seq for hint in hints) == list(range(1, 25))


# Accidents


def forbid_commit(action: int, statement: str, *_: object) -> int:
    forbidden = action == SQLITE_TRANSACTION and statement == "COMMIT"
    return sqlite3.SQLITE_DENY if forbidden else sqlite3.SQLITE_OK


async def test_a_commit_that_fails_fails_for_all(database_file: Path) -> None:
    connection = writer().connection
    await connection.set_authorizer(forbid_commit)
    results = await asyncio.gather(*(unit(f"{number}") for number in range(10)), return_exceptions=True)
    assert all(isinstance(result, TransactionManagementError) for result in results)
    assert on_disk(database_file) == set()
    await connection.set_authorizer(None)
    await unit("after")
    assert len(on_disk(database_file)) == 2


async def test_a_transaction_that_the_database_gives_up_is_an_error_for_all_in_it(
    database_file: Path,
) -> None:
    """As a full disk does: everything is rolled back, and what follows must not be committed without it."""

    connection = writer().connection

    async def full() -> None:
        async with in_transaction():
            await add("full")
            await connection.execute_fetchall("ROLLBACK")
            with pytest.raises(OperationalError, match="rolled back"):
                await add("left over")

    tasks = [asyncio.create_task(unit(f"{number}")) for number in range(3)]
    tasks += [asyncio.create_task(full())]
    tasks += [asyncio.create_task(unit(f"{number}")) for number in range(3, 6)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    survivors = {
        f"{n} {x}"
        for n, result in zip((0, 1, 2, None, 3, 4, 5), results, strict=True)
        if not result
        for x in "ab"
    }
    assert on_disk(database_file) == survivors
    assert isinstance(results[3], TransactionManagementError)
    assert not any(name.startswith(("full", "left")) for name in survivors)
    await unit("after")
    assert writer().idle


async def test_a_commit_does_not_depend_on_who_was_to_come_next(database_file: Path) -> None:
    for turns in range(60):
        first = asyncio.create_task(unit(f"first {turns}"))
        others = [asyncio.create_task(unit(f"other {turns} {number}")) for number in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in others:
            task.cancel()
        async with asyncio.timeout(10):
            await first
            await asyncio.wait(others)
        assert f"first {turns} b" in on_disk(database_file)
    names = on_disk(database_file)
    assert all((f"{name[:-2]} a" in names) == (f"{name[:-2]} b" in names) for name in names)
    await unit("last")
    assert writer().idle


async def test_closing_ends_whatever_is_under_way(database_file: Path) -> None:
    halfway = asyncio.Event()

    async def hanging() -> None:
        async with in_transaction():
            await add("never")
            halfway.set()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(hanging())
    await halfway.wait()
    client = connection()
    assert isinstance(client, sqlite.ImmediateSqliteClient)
    async with asyncio.timeout(10):
        await client.close()
        waiting.cancel()
        await asyncio.wait({waiting})
    assert on_disk(database_file) == set()
