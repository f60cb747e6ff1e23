"""Tortoise's SQLite client with the transactions that a server needs.

There is one connection that writes, and beside it a few that read: aiosqlite's, each with a thread, to
which a statement is one hop. But most statements take less time than the hop and back, so they run at once,
on the event loop: a read on a plain connection of the loop's own, a write on the writer's while its thread
has nothing to do. That saves a third of a page's computing, and a quarter of a comment's. A read that takes
longer is broken off and done again in a thread, where all of its kind go from then on. A write cannot be
broken off: one runs at once if the last of its kind was short. What may wait for a lock or for the disk,
the begin and the commit, is always done in the thread.

Units of work take the writer in turn and share its transactions (models.storage.writer).

Tortoise opens transactions with a deferred ``BEGIN``: two processes that read and then write fail
with "database is locked", whatever the busy time-out. Here every transaction takes the write lock
when it begins. And whatever fails or is cancelled on the way, a transaction that was begun is ended,
and the turn given on: Tortoise leaves both to the next one who comes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, TypeVar

import aiosqlite
from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError

from models.storage.connections import (
    Found,
    connect,
    fetched,
    fetched_in_thread,
    in_thread,
    read,
    read_in_thread,
)
from models.storage.driver import sqlite3
from models.storage.settled import settled
from models.storage.writer import STEPS, Writer

T = TypeVar("T")

READERS = 2
# What a statement may take on the event loop, in STEPS of SQLite's machine: a millisecond or two.
MOST_STRETCHES = 5
# So many statements may follow each other before others have their turn on the loop.
MOST_AT_ONCE = 64
MOST_KNOWN = 2_000

READS = ("SELECT", "WITH", "VALUES", "EXPLAIN")
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


def translated(error: sqlite3.Error) -> Exception:
    """An error as the ORM's users know it."""
    if isinstance(error, sqlite3.OperationalError):
        return OperationalError(error)
    return IntegrityError(error) if isinstance(error, sqlite3.IntegrityError) else error


class Pace:
    """Which statements are short enough for the event loop, by their text."""

    def __init__(self) -> None:
        # Reads that were not, and writes that were.
        self.long: set[str] = set()
        self.short: set[str] = set()
        self._at_once = 0

    def too_long(self, text: str) -> None:
        if len(self.long) >= MOST_KNOWN:
            self.long.clear()
        self.long.add(text)

    def took(self, text: str, stretches: int) -> None:
        """Remember what a statement that writes took."""
        if stretches > MOST_STRETCHES:
            self.short.discard(text)
        elif text not in self.short:
            if len(self.short) >= MOST_KNOWN:
                self.short.clear()
            self.short.add(text)

    def crowded(self) -> bool:
        """Whether so much has run at once that others should have their turn on the loop first."""
        if self._at_once == 0:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._at_once += 1
        return self._at_once > MOST_AT_ONCE

    def _next_turn(self) -> None:
        self._at_once = 0


class Statements(SqliteClient):
    """What the ORM and models.storage.rows ask for, each in one hop at most."""

    def _check_loop(self) -> bool:
        # A client lives as long as the loop that opened it: database.database sees to that.
        return True

    async def run(self, text: str, values: Sequence[Any]) -> Found:
        """Execute a statement where it belongs."""
        raise NotImplementedError

    async def fetch(
        self, text: str, values: Sequence[Any]
    ) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
        """The names of the columns, and the rows in their order."""
        names, rows, _ = await self.run(text, values)
        return names, rows

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        names, rows, _ = await self.run(query, values or ())
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[dict[str, Any]]]:
        names, rows, changed = await self.run(query, values or ())
        return changed or len(rows), [dict(zip(names, row, strict=True)) for row in rows]


class ImmediateSqliteClient(Statements):
    """Reads go to the readers, which see whatever has been committed; writes take their turn."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.writer: Writer | None = None
        self.pace = Pace()
        self._opened = AsyncExitStack()
        # Those that have nothing to do, the last one used first.
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._at_hand: sqlite3.Connection | None = None
        self._stretches = 0

    async def create_connection(self, with_db: bool) -> None:
        async with self._lock, AsyncExitStack() as opened:
            if self.writer is not None:
                return
            writer = Writer(self.filename, self.pragmas)
            await opened.enter_async_context(writer.connection)
            reading = {**self.pragmas, "query_only": "ON"}
            for _ in range(READERS):
                reader = in_thread(partial(connect, self.filename, reading))
                self._readers.put_nowait(await opened.enter_async_context(reader))
            # Who must wait for a lock does so in a thread.
            self._at_hand = connect(self.filename, {**reading, "busy_timeout": 0})
            self._at_hand.set_progress_handler(self._takes_long, STEPS)
            opened.callback(self._at_hand.close)
            self._opened = opened.pop_all()
            self.writer = writer
            await self._post_connect()

    async def close(self) -> None:
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.lose()
            self._at_hand = None
            self._readers = asyncio.LifoQueue()
            await self._opened.aclose()

    async def connected(self) -> Writer:
        if self.writer is None:
            await self.create_connection(with_db=True)
        if self.writer is None:
            raise OperationalError("The database is closed")
        return self.writer

    def _in_transaction(self) -> "ImmediateTransactionContext":
        return ImmediateTransactionContext(ImmediateTransaction(self))

    async def run(self, text: str, values: Sequence[Any]) -> Found:
        writer = self.writer or await self.connected()
        if text.startswith(READS):
            try:
                found = None if text in self.pace.long else await self._read_at_once(text, values)
                return found or await self._read_in_thread(text, values)
            except sqlite3.Error as error:
                raise translated(error) from error
        if text.startswith(WRITES) and not writer.idle:
            async with self._in_transaction() as transaction:
                return await transaction.run(text, values)
        return await self._alone(lambda connection: fetched_in_thread(connection, text, values))

    async def _read_at_once(self, text: str, values: Sequence[Any]) -> Found | None:
        """The result of a read that is short; None if it is not."""
        if self.pace.crowded():
            await asyncio.sleep(0)
        if self._at_hand is None:
            raise sqlite3.OperationalError("The database is closed")
        self._stretches = 0
        try:
            return read(self._at_hand, text, values)
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorcode & 0xFF
            if code not in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if code == sqlite3.SQLITE_INTERRUPT:
                self.pace.too_long(text)
            return None

    def _takes_long(self) -> bool:
        self._stretches += 1
        return self._stretches > MOST_STRETCHES

    async def _read_in_thread(self, text: str, values: Sequence[Any]) -> Found:
        readers = self._readers
        reader = await readers.get()
        reading = asyncio.ensure_future(read_in_thread(reader, text, values))
        # Also if nobody waits for it any more, not before it has ended.
        reading.add_done_callback(lambda _: readers.put_nowait(reader))
        return await asyncio.shield(reading)

    async def _alone(self, work: Callable[[aiosqlite.Connection], Awaitable[T]]) -> T:
        """Have `work` done by the writer outside of any transaction."""
        writer = await self.connected()
        await writer.take_turn()
        try:
            if writer.group is not None:
                await writer.commit(writer.group)
            return await settled(work(writer.connection))
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            await writer.pass_on()

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        async with self._in_transaction() as transaction:
            return await transaction.execute_insert(query, values)

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)

    async def execute_script(self, query: str) -> None:
        await self._alone(lambda connection: connection.executescript(query))


class ImmediateTransaction(Statements, TransactionalDBClient):
    """A unit of work, while it has the turn."""

    _parent: ImmediateSqliteClient
    writer: Writer

    def __init__(self, parent: ImmediateSqliteClient) -> None:
        self.capabilities = parent.capabilities
        self.connection_name = parent.connection_name
        self.fetch_inserted = parent.fetch_inserted
        self.log = parent.log
        self._parent = parent
        self._finalized = False
        self._saved = False

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(self)

    async def run(self, text: str, values: Sequence[Any]) -> Found:
        writer, pace = self.writer, self._parent.pace
        async with writer.statement:
            try:
                self._save()
                writer.stretches = 0
                if text in pace.short:
                    if pace.crowded():
                        await asyncio.sleep(0)
                    found = fetched(writer.plain, text, values)
                else:
                    found = await settled(fetched_in_thread(writer.connection, text, values))
            except sqlite3.Error as error:
                raise translated(error) from error
            pace.took(text, writer.stretches)
            return found

    async def _in_thread(self, work: Callable[[aiosqlite.Connection], Awaitable[T]]) -> T:
        async with self.writer.statement:
            try:
                self._save()
                return await settled(work(self.writer.connection))
            except sqlite3.Error as error:
                raise translated(error) from error

    def _save(self) -> None:
        self.writer.check_open()
        if not self._saved:
            self._saved = True
            self.writer.save()

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        row = await self._in_thread(lambda connection: connection.execute_insert(query, values))
        return int(row[0]) if row else 0

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        # However short a statement is, so many of them may not be.
        await self._in_thread(lambda connection: connection.executemany(query, values))

    async def execute_script(self, query: str) -> None:
        await self._in_thread(lambda connection: connection.executescript(query))

    async def begin(self) -> None:
        """Take the write lock, whose turn it is."""
        try:
            await self.writer.begin()
        except sqlite3.OperationalError as error:
            raise TransactionManagementError(error) from error

    async def commit(self) -> None:
        """Leave what was written to the transaction, whose commit is still to come."""
        self._end()
        if self.writer.group is not None:
            self.writer.group.size += 1

    async def rollback(self) -> None:
        """Take back what this unit of work has written."""
        self._end()
        if self._saved:
            await settled(self.writer.undo())

    def _end(self) -> None:
        if self._finalized:
            raise TransactionManagementError("The transaction has ended already")
        self._finalized = True

    # Of one name: the latest of them is meant, and they end in the reverse order.

    async def savepoint(self) -> None:
        await self.run("SAVEPOINT block", ())

    async def savepoint_rollback(self) -> None:
        await self.run("ROLLBACK TO block", ())
        await self.run("RELEASE block", ())

    async def release_savepoint(self) -> None:
        await self.run("RELEASE block", ())


class ImmediateTransactionContext(TransactionContext):
    client: ImmediateTransaction

    def __init__(self, client: ImmediateTransaction) -> None:
        self.client = client
        self.connection_name = client.connection_name

    async def __aenter__(self) -> ImmediateTransaction:
        writer = self.client.writer = await self.client._parent.connected()
        await writer.take_turn()
        try:
            await self.client.begin()
        except BaseException:
            await writer.pass_on()
            raise
        self.group = writer.group
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        get_connections().reset(self.token)
        try:
            if exc_type is None and not self.client._finalized:
                await self.client.commit()
        finally:
            try:
                if not self.client._finalized:
                    await self.client.rollback()
            finally:
                await self.client.writer.pass_on()
        if exc_type is None and self.group is not None:
            error = await settled(self.group.ended)
            if error is not None:
                raise TransactionManagementError(error) from error


def get_client_class(_db_info: dict[str, Any]) -> type[SqliteClient]:
    """Called by Tortoise for the engine ``models.storage.sqlite``."""
    return ImmediateSqliteClient
