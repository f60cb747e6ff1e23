"""Tortoise's SQLite client with the transactions that a server needs.

There is one connection that writes, and beside it a few that read. Most statements take less time than
the hop to another thread and back, so they run at once, on the event loop. A read that takes longer is
broken off and done again in a thread, where all of its kind go from then on. A write cannot be broken
off: one runs at once if the last of its kind was short. What may wait for a lock or for the disk, the
begin and the commit, is always done in a thread.

Units of work take the writer in turn. Those that wait for it share a transaction: each is a savepoint
that is rolled back alone if it fails, and the last to come commits for all, so that many writes cost
one fsync. None is acknowledged before that commit. Who waits when a transaction could end finds it
open and joins; a ticket in the same queue makes sure that it ends.

Tortoise opens transactions with a deferred ``BEGIN``: two processes that read and then write fail
with "database is locked", whatever the busy time-out. Here every transaction takes the write lock
when it begins. And whatever fails or is cancelled on the way, a transaction that was begun is ended,
and the turn given on: Tortoise leaves both to the next one who comes.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from time import perf_counter
from typing import Any, TypeVar
from uuid import UUID

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
from models.storage.threads import Connection, Work, connect

T = TypeVar("T")

READERS = 2
# How many units of work share a commit at most, and for how long it may be put off: the first to end
# waits for the last.
MOST_SHARED = 64
LONGEST_SHARED = 0.05

# What a read may take on the event loop, in steps of SQLite's machine: a millisecond or two.
STEPS, MOST_STRETCHES = 10_000, 5
# So many reads may follow each other before others have their turn on the loop.
MOST_AT_ONCE = 64
MOST_KNOWN = 2_000
# What a statement that writes may have taken, in seconds, so that the next one runs on the event loop.
SHORT = 0.001

READS = ("SELECT", "WITH", "VALUES", "EXPLAIN")
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
PENDING = attrgetter("pending")


sqlite3.register_adapter(UUID, str)
sqlite3.register_adapter(pgproto.UUID, str)
sqlite3.register_adapter(datetime, text_of)


# What runs in a connection's thread


def begin(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")


def commit(connection: sqlite3.Connection) -> None:
    check_open(connection)
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def release(connection: sqlite3.Connection) -> None:
    # What fails here has rolled back everything, which the commit will find.
    with suppress(sqlite3.Error):
        connection.execute("RELEASE unit")


def undo(connection: sqlite3.Connection) -> bool:
    """Roll back one unit of work; whether the transaction still has those before it."""
    if not connection.in_transaction:
        return False
    try:
        connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        return False
    return True


def check_open(connection: sqlite3.Connection) -> None:
    # A full disk, for one, rolls back everything; what came next would be committed without the rest.
    if not connection.in_transaction:
        raise sqlite3.OperationalError("The transaction has been rolled back")


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
        self.size = 0
        self.ticket: asyncio.Task[None] | None = None


class Writer:
    """The connection that writes, and whose turn it is."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.group: Group | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

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
            begun = self.connection.submit(begin)
            try:
                await settled(begun)
            finally:
                if begun.exception() is None:
                    self.group = Group()

    async def commit(self, group: Group) -> None:
        """Commit for all of the group, and tell them."""
        self.group = None
        try:
            committed = self.connection.submit(commit)
        except sqlite3.Error as error:
            group.ended.set_result(error)
            return
        try:
            with suppress(sqlite3.Error):
                await settled(committed)
        finally:
            group.ended.set_result(committed.exception())

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

    def took(self, text: str, seconds: float) -> None:
        """Remember how long a statement that writes took. May be called by the thread that it ran in."""
        if seconds > SHORT or text == "MANY":
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
    """What the ORM and models.storage.rows ask for, each in one hop."""

    def _check_loop(self) -> bool:
        # A client lives as long as the loop that opened it: database.database sees to that.
        return True

    async def run(self, text: str, work: Work[T]) -> T:
        """Have `work`, which executes `text`, done where it belongs."""
        raise NotImplementedError

    async def fetch(
        self, text: str, values: Sequence[Any]
    ) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
        """The names of the columns, and the rows in their order."""

        def work(connection: sqlite3.Connection) -> tuple[tuple[str, ...], list[Any]]:
            cursor = connection.execute(text, values)
            return tuple([column[0] for column in cursor.description or ()]), cursor.fetchall()

        return await self.run(text, work)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        names, rows = await self.fetch(query, values or ())
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[dict[str, Any]]]:
        def work(connection: sqlite3.Connection) -> tuple[int, list[dict[str, Any]]]:
            before = connection.total_changes
            cursor = connection.execute(query, values or ())
            names = [column[0] for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            return connection.total_changes - before or len(rows), rows

        return await self.run(query, work)

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        return await self.run(query, lambda connection: connection.execute(query, values).lastrowid or 0)

    async def execute_script(self, query: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.executescript(query)

        await self.run("SCRIPT", work)


class ImmediateSqliteClient(Statements):
    """Reads go to the readers, which see whatever has been committed; writes take their turn."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.writer: Writer | None = None
        self.pace = Pace()
        self._readers: list[Connection] = []
        self._at_hand: sqlite3.Connection | None = None
        self._stretches = 0

    async def create_connection(self, with_db: bool) -> None:
        async with self._lock:
            if self.writer is not None:
                return
            writer = Connection(self.filename, self.pragmas)
            await writer.open()
            for _ in range(READERS):
                reader = Connection(self.filename, {**self.pragmas, "query_only": "ON"})
                await reader.open()
                self._readers.append(reader)
            # Who must wait for a lock does so in a thread.
            self._at_hand = connect(self.filename, {**self.pragmas, "query_only": "ON", "busy_timeout": 0})
            self._at_hand.set_progress_handler(self._takes_long, STEPS)
            self.writer = Writer(writer)
            await self._post_connect()

    async def close(self) -> None:
        writer, self.writer = self.writer, None
        readers, self._readers = self._readers, []
        if self._at_hand is not None:
            self._at_hand.close()
            self._at_hand = None
        if writer is not None:
            writer.lose()
            readers.append(writer.connection)
        for connection in readers:
            await connection.close()

    async def connected(self) -> Writer:
        if self.writer is None:
            await self.create_connection(with_db=True)
        if self.writer is None:
            raise OperationalError("The database is closed")
        return self.writer

    def _in_transaction(self) -> "ImmediateTransactionContext":
        return ImmediateTransactionContext(ImmediateTransaction(self))

    async def run(self, text: str, work: Work[T]) -> T:
        try:
            if text.startswith(READS):
                if text not in self.pace.long and (found := await self._read_at_once(work, text)):
                    return found[0]
                return await min(self._readers, key=PENDING).submit(work)
            writer = self.writer or await self.connected()
            if text.startswith(WRITES) and not writer.idle:
                async with self._in_transaction() as transaction:
                    return await transaction.run(text, work)
            await writer.take_turn()
            try:
                if writer.group is not None:
                    await writer.commit(writer.group)
                return await writer.connection.submit(work)
            finally:
                await writer.pass_on()
        except sqlite3.Error as error:
            raise translated(error) from error

    async def _read_at_once(self, work: Work[T], text: str) -> tuple[T] | None:
        """The result of a read that is short; None if it is not."""
        if self._at_hand is None:
            await self.connected()
        if self.pace.crowded():
            await asyncio.sleep(0)
        if self._at_hand is None:
            raise sqlite3.OperationalError("The database is closed")
        self._stretches = 0
        try:
            return (work(self._at_hand),)
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

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)


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

    async def run(self, text: str, work: Work[T]) -> T:
        try:
            return await self._run(text, work)
        except sqlite3.Error as error:
            raise translated(error) from error

    async def _run(self, text: str, work: Work[T]) -> T:
        first, self._saved = not self._saved, True
        pace = self._parent.pace

        def guarded(connection: sqlite3.Connection) -> T:
            check_open(connection)
            if first:
                connection.execute("SAVEPOINT unit")
            began = perf_counter()
            found = work(connection)
            pace.took(text, perf_counter() - began)
            return found

        connection = self.writer.connection
        if text not in pace.short or connection.busy():
            return await connection.submit(guarded)
        if pace.crowded():
            await asyncio.sleep(0)
            if connection.busy():
                return await connection.submit(guarded)
        return connection.at_once(guarded)

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(query, values)

        # However short a statement is, so many of them may not be.
        await self.run("MANY", work)

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
        if self._saved:
            if self.writer.connection.busy():
                self.writer.connection.submit(release)
            else:
                self.writer.connection.at_once(release)

    async def rollback(self) -> None:
        """Take back what this unit of work has written."""
        self._end()
        # A database that is closed has rolled back.
        if not self._saved or self._parent.writer is not self.writer:
            return
        undone = self.writer.connection.submit(undo)
        try:
            await settled(undone)
        finally:
            if undone.exception() is not None or not undone.result():
                self.writer.lose()

    def _end(self) -> None:
        if self._finalized:
            raise TransactionManagementError("The transaction has ended already")
        self._finalized = True

    # Of one name: the latest of them is meant, and they end in the reverse order.

    async def savepoint(self) -> None:
        await self.fetch("SAVEPOINT block", ())

    async def savepoint_rollback(self) -> None:
        await self.fetch("ROLLBACK TO block", ())
        await self.fetch("RELEASE block", ())

    async def release_savepoint(self) -> None:
        await self.fetch("RELEASE block", ())


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
