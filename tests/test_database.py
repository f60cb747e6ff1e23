"""models.database and its clients: nothing that is cancelled or fails leaves the database unusable."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

import pytest
from tortoise.backends.asyncpg.client import TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.exceptions import IntegrityError, TransactionManagementError
from tortoise.migrations.schema_generator.operation_generator import OperationGenerator
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.transactions import in_transaction

from models import database, migrations
from models.events import TopicRow
from models.storage import sqlite
from models.storage.driver import sqlite3
from models.storage.rows import connection, dialect, execute
from models.storage.settled import settled
from tests.world import World

ROOT = Path(__file__).parent.parent
# More than any pool has connections.
OFTEN = 300

READS_THEN_WRITES = """
import asyncio, sys
from tortoise.transactions import in_transaction
from models import database
from models.storage.rows import execute

async def main(url, rounds):
    async with database.database(url):
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(rounds):
            async with in_transaction():
                (row,) = await execute("SELECT seq FROM topic WHERE name = ?", "shared")
                await execute("UPDATE topic SET seq = ? WHERE name = ?", row["seq"] + 1, "shared")

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def add(name: str) -> None:
    await execute("INSERT INTO topic (name, seq, trimmed) VALUES (?, 0, 0)", name)


async def count() -> int:
    (row,) = await execute("SELECT count(*) AS n FROM topic")
    return int(row["n"])


async def usable() -> None:
    """More transactions and queries at once than there are connections, all answered."""

    async def both(number: int) -> None:
        async with in_transaction():
            await add(f"usable {number}")
        await execute("DELETE FROM topic WHERE name = ?", f"usable {number}")

    before = await count()
    async with asyncio.timeout(20):
        await asyncio.gather(*(both(number) for number in range(20)))
    assert await count() == before


async def cancel_after(task: asyncio.Task[Any], turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})


# Cancelling


async def test_queries_cancelled_at_any_moment_leave_the_database_usable(world: World) -> None:
    for number in range(OFTEN):
        task = asyncio.create_task(execute("SELECT count(*) AS n FROM topic WHERE name = ?", "x"))
        await cancel_after(task, number % 12)
    await usable()


async def test_transactions_cancelled_at_any_moment_are_whole_or_nothing(world: World) -> None:
    async def pair(number: int) -> None:
        async with in_transaction():
            await add(f"{number} a")
            await add(f"{number} b")

    for number in range(OFTEN):
        await cancel_after(asyncio.create_task(pair(number)), number % 40)
    await usable()
    names = {row["name"] for row in await execute("SELECT name FROM topic")}
    for number in range(OFTEN):
        assert (f"{number} a" in names) == (f"{number} b" in names)


async def test_many_transactions_cancelled_while_they_wait_for_each_other(world: World) -> None:
    async def one(number: int) -> None:
        async with in_transaction():
            await add(str(number))

    for _ in range(10):
        tasks = [asyncio.create_task(one(number)) for number in range(30)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks)
        assert not any(task.exception() for task in tasks[1::2])
        await execute("DELETE FROM topic WHERE name IN (?)", [str(number) for number in range(30)])
    await usable()


async def test_bulk_writes_cancelled_at_any_moment_leave_no_transaction_open(world: World) -> None:
    async def bulk(number: int) -> None:
        await TopicRow.bulk_create([TopicRow(name=f"{number} {n}", seq=0) for n in range(5)])

    for number in range(60):
        await cancel_after(asyncio.create_task(bulk(number)), number % 20)
    await usable()
    for number in range(60):
        found = await execute("SELECT name FROM topic WHERE name LIKE ?", f"{number} %")
        assert len(found) in (0, 5)


async def test_settled_work_ends_before_its_caller_is_cancelled() -> None:
    go, ended = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        await go.wait()
        ended.set()
        return 7

    task = asyncio.create_task(settled(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert await settled(work()) == 7


# Failing


async def test_what_fails_is_rolled_back(world: World) -> None:
    async def fail(error: type[Exception]) -> None:
        async with in_transaction():
            await add("gone")
            raise error

    async def twice() -> None:
        async with in_transaction():
            await add("gone")
            await add("gone")

    for error in (ZeroDivisionError, TransactionManagementError):
        with pytest.raises(error):
            await fail(error)
    with pytest.raises(IntegrityError):
        await twice()
    assert await count() == 0
    await usable()


def transaction_class() -> type[TransactionalDBClient]:
    return sqlite.ImmediateTransaction if dialect() == "sqlite" else TransactionWrapper


@pytest.mark.parametrize("step", ["begin", "commit"])
async def test_a_step_that_fails_keeps_neither_lock_nor_connection(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def fail(_self: Any) -> None:
        raise OSError("the connection is gone")

    with monkeypatch.context() as patched:
        patched.setattr(transaction_class(), step, fail)
        for _ in range(20):
            with pytest.raises(OSError, match="gone"):
                async with asyncio.timeout(10), in_transaction():
                    await add("gone")
            # Outside of the block this task is outside of the transaction.
            assert not isinstance(connection(), TransactionalDBClient)
    assert await count() == 0
    await usable()


async def test_a_lock_that_is_not_to_be_had_is_an_error_and_no_end(
    tmp_path: Path, sqlite_template: Path
) -> None:
    path = tmp_path / "linli.db"
    path.write_bytes(sqlite_template.read_bytes())
    async with database.database(f"sqlite://{path}"):
        await execute("PRAGMA busy_timeout = 1")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                with pytest.raises(TransactionManagementError, match="locked"):
                    async with in_transaction():
                        raise AssertionError
            assert await count() == 0
            other.execute("COMMIT")
        await usable()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_server_that_comes_back_is_used_again(world: World) -> None:
    await usable()
    # Waits, up to 20 s each, until they are gone.
    await execute(
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database()"
    )
    for _ in range(20):
        with contextlib.suppress(Exception):
            await count()
    await usable()


# Deleting


async def test_what_was_deleted_is_not_in_the_file_either(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "linli.db"
    path.write_bytes(sqlite_template.read_bytes())
    marker = "to-be-forgotten-" * 8
    for statement, kept in (
        ("INSERT INTO topic (name, seq, trimmed) VALUES (?, 0, 0)", True),
        ("DELETE FROM topic WHERE name = ?", False),
    ):
        async with database.database(f"sqlite://{path}"):
            await execute(statement, marker)
        # Closing has merged the write-ahead log.
        assert not path.with_name("linli.db-wal").exists()
        assert (marker.encode() in path.read_bytes()) is kept


# Several processes


@pytest.mark.parametrize("rounds", [100])
async def test_processes_that_read_then_write_wait_for_each_other(
    tmp_path: Path, sqlite_template: Path, rounds: int
) -> None:
    """With a deferred BEGIN most of these end in "database is locked" or overwrite each other."""
    path = tmp_path / "linli.db"
    path.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite://{path}"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO topic (name, seq, trimmed) VALUES ('shared', 0, 0)")
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", READS_THEN_WRITES, url, str(rounds)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    async with asyncio.timeout(60):
        for process in processes:
            assert process.stdout
            assert await process.stdout.readline() == b"ready\n"
        for _, errors in await asyncio.gather(*(process.communicate(b"go\n") for process in processes)):
            assert errors == b""
    assert [process.returncode for process in processes] == [0, 0]
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT seq FROM topic").fetchone() == (2 * rounds,)


# Opening


@pytest.mark.parametrize("url", ["mysql://x/y", "", "linli.db", "file:///x"])
def test_other_databases_are_refused_without_showing_the_url(url: str) -> None:
    with pytest.raises(ValueError, match="LINLI_DATABASE_URL") as caught:
        database.config(url)
    assert "linli.db" not in str(caught.value)


async def test_migrating_makes_the_directory_and_may_be_repeated(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'deep' / 'er' / 'linli.db'}"
    await database.migrate(url)
    async with database.database(url):
        await add("kept")
    await database.migrate(url)
    async with database.database(url):
        assert await count() == 1


async def test_the_initial_migration_can_be_written_again() -> None:
    async with database.unconnected() as detector:
        models = detector._current_state()
        nothing = State(models={}, apps=StateApps())
        written: dict[str, Any] = {}
        exec(migrations.initial(OperationGenerator(nothing, models).generate()), written)
        made = await written["Migration"]("0001_initial", database.APP).apply(nothing, dry_run=True)
        assert made.models.keys() == models.models.keys()
        assert OperationGenerator(made, models).generate() == []


async def test_a_database_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unable to open"):
        async with asyncio.timeout(10), database.database(f"sqlite://{tmp_path}/none/linli.db"):
            raise AssertionError


# PostgreSQL does so unless it is told otherwise.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_acknowledged_write_is_on_the_disk(world: World) -> None:
    assert [tuple(row.values()) for row in await execute("PRAGMA synchronous")] == [(2,)]
    assert [tuple(row.values()) for row in await execute("PRAGMA journal_mode")] == [("wal",)]
