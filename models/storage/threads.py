"""SQLite connections with threads of their own, so that no long statement keeps the event loop waiting."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from traceback import clear_frames
from typing import Any, TypeVar

from models.storage.driver import sqlite3
from models.storage.settled import settled

T = TypeVar("T")

Work = Callable[[sqlite3.Connection], T]

# Of statements, which Python prepares anew when they have left its cache.
CACHED = 512


def connect(path: str, pragmas: Mapping[str, Any]) -> sqlite3.Connection:
    """A connection. Raises sqlite3.OperationalError."""
    # Used by one thread at a time, which `Connection` sees to.
    connection = sqlite3.connect(
        path, isolation_level=None, cached_statements=CACHED, check_same_thread=False
    )
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name}={value}")
    return connection


class Connection:
    """A connection, to which work goes in one hop: whatever statements it consists of run over there.

    Work that is short may be done without the hop, while there is none over there. Nothing of the
    connection's is left in one thread while the other has it: SQLite does without mutexes (see driver).
    """

    def __init__(self, path: str, pragmas: Mapping[str, Any]) -> None:
        self._path = path
        self._pragmas = pragmas
        self._jobs: SimpleQueue[tuple[asyncio.Future[Any], Work[Any]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        # How much has been submitted and has no result yet.
        # Connecting counts as well.
        self.pending = 1

    async def open(self) -> None:
        """Connect. Raises sqlite3.OperationalError."""
        connected = self._loop.create_future()
        Thread(target=self._live, args=(connected,), name="sqlite", daemon=True).start()
        await settled(connected)

    async def close(self) -> None:
        """Let what was submitted end, and disconnect."""
        if not self._closed:
            last = self.submit(lambda connection: connection.close())
            self._closed = True
            self._jobs.put(None)
            await settled(last)

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        """Run `work` after all that was submitted before it, whether or not anybody awaits the result."""
        if self._closed:
            raise sqlite3.OperationalError("The database is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self.pending += 1
        self._jobs.put((future, work))
        return future

    def busy(self) -> bool:
        """Whether the thread has work."""
        return self.pending > 0

    def at_once(self, work: Work[T]) -> T:
        """The result of work that is short, done while the thread has none. Raises what `work` raises."""
        if self._closed or self._connection is None or self.pending:
            raise sqlite3.OperationalError(
                "The database is closed" if self._closed else "The connection is busy"
            )
        try:
            return work(self._connection)
        except BaseException as error:
            clear_frames(error.__traceback__)
            raise

    def _live(self, connected: asyncio.Future[None]) -> None:
        try:
            connection = connect(self._path, self._pragmas)
        except sqlite3.Error as error:
            self._report(connected, None, error)
            return
        self._connection = connection
        self._report(connected, None, None)
        while (job := self._jobs.get()) is not None:
            future, work = job
            result, failure = None, None
            try:
                result = work(connection)
            except BaseException as error:
                # Its frames hold cursors, which would be freed by whoever is told of it.
                clear_frames(error.__traceback__)
                failure = error
            self._report(future, result, failure)
            del future, work, job, result, failure

    def _report(self, future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
        # The loop may have ended, and with it whoever waited.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, future, result, failure)

    def _settle(self, future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
        self.pending -= 1
        if future.done():
            return
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)
