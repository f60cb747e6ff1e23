"""What live delivery has handed over, written in batches.

An emergency reaches thousands of sockets at once: writing a receipt for each would take longer than
the delivery itself.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from models.base import now
from resolvers.notices.receipts import mark_delivered
from subscriptions.work import Committed, unit_of_work

log = structlog.get_logger("linli.deliveries")

# Homes a transaction.
BATCH = 500
GATHER_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
# How often stop() tries to write what is left.
LAST_TRIES = 3


class Deliveries:
    """Marks receipts as delivered, soon after the frame was written to a resident's socket.

    What could not be written is kept and written later: nothing is lost while the process lives.
    """

    def __init__(self, live: Committed) -> None:
        self._live = live
        self._waiting: dict[UUID, set[UUID]] = {}
        self._count = 0
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def handed_over(self, notice_id: UUID, homes: frozenset[UUID]) -> None:
        """A frame that tells of the notice was written to someone who lives in `homes`."""
        if not homes:
            return
        waiting = self._waiting.setdefault(notice_id, set())
        before = len(waiting)
        waiting |= homes
        self._count += len(waiting) - before
        self._some.set()
        if self._count >= BATCH:
            self._full.set()

    async def start(self) -> None:
        """Begin to write what is handed over."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name="deliveries")

    async def stop(self) -> None:
        """Write what is left, then end."""
        self._stopping.set()
        self._some.set()
        self._full.set()
        # The task ends by itself: cancelling it might leave a transaction open.
        if self._task is not None:
            await self._task
            self._task = None

    async def flush(self) -> bool:
        """Write all that waits; whether that succeeded."""
        self._some.clear()
        self._full.clear()
        written = True
        for notice_id in list(self._waiting):
            while written and (waiting := self._waiting.get(notice_id)):
                homes = sorted(waiting)[:BATCH]
                written = await self._write(notice_id, homes)
                if written:
                    # Only these: more may have come meanwhile.
                    waiting.difference_update(homes)
                    self._count -= len(homes)
            if not self._waiting[notice_id]:
                del self._waiting[notice_id]
        return written

    async def _write(self, notice_id: UUID, homes: Sequence[UUID]) -> bool:
        try:
            async with unit_of_work(self._live) as work:
                await mark_delivered(work, notice_id, homes, now())
        except Exception:
            log.exception("deliveries_not_written", notice=str(notice_id), waiting=self._count)
            return False
        return True

    async def _run(self) -> None:
        pause = GATHER_SECONDS
        while not self._stopping.is_set():
            await self._some.wait()
            await wait(self._full, GATHER_SECONDS)
            if await self.flush():
                pause = GATHER_SECONDS
            else:
                # Whatever comes meanwhile, a database that is gone is not asked over and over.
                self._some.set()
                await wait(self._stopping, pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        for _ in range(LAST_TRIES):
            if await self.flush():
                return
            await asyncio.sleep(GATHER_SECONDS)
        log.error("deliveries_lost", waiting=self._count)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until `event` is set, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
