"""The one connection that writes, and whose turn it is.

Units of work take the writer in turn. Those that wait for it share a transaction: each is a savepoint that
is rolled back alone if it fails, and the last to come commits for all, so that many writes cost one fsync:
twice as many comments a second under load. None is acknowledged before that commit. Who waits when a
transaction could end finds it open and joins; a ticket in the same queue makes sure that it ends.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from models.storage.connections import connect, in_thread
from models.storage.driver import sqlite3
from models.storage.settled import settled

# How many units of work share a commit at most, and for how long it may be put off: the first to end
# waits for the last.
MOST_SHARED = 64
LONGEST_SHARED = 0.05
# How far a statement has come is counted in so many steps of SQLite's machine.
STEPS = 10_000


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
        self.connection = in_thread(partial(self._connect, path, pragmas))
        # One statement at a time, so that before each it is known whether the transaction is still open.
        self.statement = asyncio.Lock()
        # How far the present statement has come, in STEPS.
        self.stretches = 0
        self.group: Group | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    def _connect(self, path: str, pragmas: Mapping[str, Any]) -> sqlite3.Connection:
        self.plain = connect(path, pragmas)
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
