"""Tortoise's SQLite client with the transactions that a server needs.

There is one connection that writes, and beside it a few that read: aiosqlite's, each with a thread, to
which a statement is one hop. But most statements take less time than the hop and back, so they run at once,
on the event loop: a read on a plain connection of the loop's own, a write on the writer's while its thread
has nothing to do. That saves a third of a page's computing, and a quarter of a comment's. A read that takes
longer is broken off and done again in a thread, where all of its kind go from then on. A write cannot be
broken off: one runs at once if the last of its kind was short. What may wait for a lock or for the disk,
the begin and the commit, is always done in the thread.

Units of work take the writer in turn. Those that wait for it share a transaction: each is a savepoint that
is rolled back alone if it fails, and the last to come commits for all, so that many writes cost one fsync:
twice as many comments a second under load. None is acknowledged before that commit. Who waits when a
transaction could end finds it open and joins; a ticket in the same queue makes sure that it ends.

Tortoise opens transactions with a deferred ``BEGIN``: two processes that read and then write fail
with "database is locked", whatever the busy time-out. Here every transaction takes the write lock
when it begins. And whatever fails or is cancelled on the way, a transaction that was begun is ended,
and the turn given on: Tortoise leaves both to the next one who comes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import aiosqlite
from asyncpg.pgproto import pgproto
from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError

from models.storage.driver import sqlite3
from models.storage.rows import text_of
from models.storage.settled import settled

T = TypeVar("T")

# The names of the columns, the rows in their order, and how many rows were changed.
Found = tuple[tuple[str, ...], Sequence[Sequence[Any]], int]

READERS = 2
# How many units of work share a commit at most, and for how long it may be put off: the first to end
# waits for the last.
MOST_SHARED = 64
LONGEST_SHARED = 0.05

# What a statement may take on the event loop, in steps of SQLite's machine: a millisecond or two.
STEPS, MOST_STRETCHES = 10_000, 5
# So many statements may follow each other before others have their turn on the loop.
MOST_AT_ONCE = 64
MOST_KNOWN = 2_000

READS = ("SELECT", "WITH", "VALUES", "EXPLAIN")
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")

# Of statements, which Python prepares anew when they have left its cache.
CACHED = 512
# Of rows that aiosqlite's cursors would fetch in one hop; none are used.
CHUNK = 64


sqlite3.register_adapter(UUID, str)
sqlite3.register_adapter(pgproto.UUID, str)
sqlite3.register_adapter(datetime, text_of)


def connect(path: str, pragmas: Mapping[str, Any]) -> sqlite3.Connection:
    """A connection. Raises sqlite3.OperationalError."""
    # Of the writer's, loop and thread take turns.
    connection = sqlite3.connect(
        path, isolation_level=None, cached_statements=CACHED, check_same_thread=False
    )
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name}={value}")
    return connection


def read(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement that changes nothing gives, at once."""
    cursor = connection.execute(text, values)
    return tuple([column[0] for column in cursor.description or ()]), cursor.fetchall(), 0


def fetched(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement gives, at once."""
    before = connection.total_changes
    names, rows, _ = read(connection, text, values)
    return names, rows, connection.total_changes - before


async def read_in_thread(connection: aiosqlite.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement that changes nothing gives, in one hop."""
    rows = list(await connection.execute_fetchall(text, values))
    # They are `sqlite3.Row`s, which know their columns.
    return tuple(rows[0].keys()) if rows else (), rows, 0


async def fetched_in_thread(connection: aiosqlite.Connection, text: str, values: Sequence[Any]) -> Found:
    """What a statement gives, in one hop."""
    before = connection.total_changes
    names, rows, _ = await read_in_thread(connection, text, values)
    return names, rows, connection.total_changes - before


def named_rows(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.row_factory = sqlite3.Row
    return connection


def translated(error: sqlite3.Error) -> Exception:
    """An error as the ORM's users know it."""
    if isinstance(error, sqlite3.OperationalError):
        return OperationalError(error)
    return IntegrityError(error) if isinstance(error, sqlite3.IntegrityError) else error


class Group:
    """Units of work that share a transaction; `ended` is the error that its commit failed with, or None."""

    __slots__ = ("began", "ended", "size", "ticket")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.began = loop.time()
        self.ended: asyncio.Future[BaseException | None] = loop.create_future()
        # How many have ended and are to be committed.
        self.size = 0
        self.ticket: asyncio.Task[None] | None = None


class Writer:
    """The connection that writes, and whose turn it is."""

    # The same connection without a thread, for what runs at once.
    plain: sqlite3.Connection

    def __init__(self, path: str, pragmas: Mapping[str, Any]) -> None:
        self.connection = aiosqlite.Connection(partial(self._connect, path, pragmas), CHUNK)
        # One statement at a time, so that before each it is known whether the transaction is still open.
        self.statement = asyncio.Lock()
        # How far the present statement has come, in STEPS.
        self.stretches = 0
        self.group: Group | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    def _connect(self, path: str, pragmas: Mapping[str, Any]) -> sqlite3.Connection:
        self.plain = named_rows(connect(path, pragmas))
        self.plain.set_progress_handler(self._count, STEPS)
        return self.plain

    def _count(self) -> bool:
        self.stretches += 1
        return False

    @property
    def idle(self) -> bool:
        return self.group is None and not self._turn.locked()

    async def take_turn(self) -> None:
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1

    async def pass_on(self) -> None:
        """Let the next one have the turn, in this transaction or after its commit."""
        group = self.group
        try:
            if group is None:
                return
            if not self._waiting or group.size >= MOST_SHARED or self._is_old(group):
                await self.commit(group)
            elif group.ticket is None:
                # Behind all who wait now: whoever is cancelled meanwhile, the transaction ends.
                group.ticket = asyncio.create_task(self._commit_in_turn(group))
        finally:
            self._turn.release()

    async def begin(self) -> None:
        """Open a transaction unless one is open. Raises sqlite3.OperationalError."""
        if self.group is None:
            await settled(self._begin())

    async def _begin(self) -> None:
        await self.connection.execute_fetchall("BEGIN IMMEDIATE")
        self.group = Group()

    def save(self) -> None:
        """Begin a unit of work that can be taken back alone: of the first in the transaction, all can."""
        if self.group is not None and self.group.size:
            self.plain.execute("SAVEPOINT unit")

    async def undo(self) -> None:
        """Take back what the unit of work has written, and if that fails, all of the transaction."""
        if self.group is None:
            return
        if self.group.size:
            with suppress(sqlite3.Error):
                await self.connection.execute_fetchall("ROLLBACK TO unit")
                return
        self.lose()
        await self._roll_back()

    async def commit(self, group: Group) -> None:
        """Commit for all of the group, and tell them."""
        self.group = None
        await settled(self._commit(group))

    async def _commit(self, group: Group) -> None:
        failed: Exception | None = None
        try:
            await self.connection.execute_fetchall("COMMIT")
        except Exception as error:
            failed = error
            await self._roll_back()
        finally:
            group.ended.set_result(failed)

    async def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self.plain.in_transaction:
                await self.connection.execute_fetchall("ROLLBACK")

    def check_open(self) -> None:
        # A full disk, for one, rolls back everything; what came next would be committed without the rest.
        if self.group is None or not self.plain.in_transaction:
            raise sqlite3.OperationalError("The transaction has been rolled back")

    def lose(self) -> None:
        """The transaction is gone, and with it what all of the group have written."""
        group, self.group = self.group, None
        if group is not None:
            group.ended.set_result(sqlite3.OperationalError("The transaction has been rolled back"))

    async def _commit_in_turn(self, group: Group) -> None:
        try:
            async with self._turn:
                if self.group is group:
                    await self.commit(group)
        finally:
            # Cancelled, it leaves the commit to whoever has the turn.
            group.ticket = None

    @staticmethod
    def _is_old(group: Group) -> bool:
        return asyncio.get_running_loop().time() - group.began > LONGEST_SHARED


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
                reader = aiosqlite.Connection(lambda: named_rows(connect(self.filename, reading)), CHUNK)
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
