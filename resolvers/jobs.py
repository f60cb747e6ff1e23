"""Scheduled work: deadlines, reminders, closings. Done once, by whichever process comes first.

A job is marked done in the transaction that does it, behind a row lock: a process killed in the middle
leaves it undone, and two processes at once do it one time. The lease only keeps them from trying in vain.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from models.base import now
from models.jobs import JobRow
from models.storage.rows import Where, columns, connection, execute, select
from models.storage.tables import insert, update
from resolvers.context import Services
from subscriptions.work import Work, unit_of_work

LEASE = timedelta(seconds=60)
AT_ONCE = 20
LOOK_SECONDS = 1.0
MOST_ATTEMPTS = 12

RUN = Counter(
    "linli_jobs_total", "Scheduled jobs by kind and outcome (done, failed, given_up).", ("kind", "outcome")
)
OVERDUE = Gauge("linli_jobs_overdue_seconds", "How long the oldest undone job has been due.")

logger = structlog.get_logger("linli.jobs")

Handler = Callable[[Services, Work, UUID], Awaitable[None]]
HANDLERS: dict[str, Handler] = {}


def does(kind: str) -> Callable[[Handler], Handler]:
    """Register what does jobs of `kind`. It runs in a unit of work and must look at its subject anew:
    what was true when the job was made may no longer be."""

    def register(handler: Handler) -> Handler:
        HANDLERS[kind] = handler
        return handler

    return register


Preparation = Callable[[Services, UUID], Awaitable[Handler]]
PREPARATIONS: dict[str, Preparation] = {}


def prepares(kind: str) -> Callable[[Preparation], Preparation]:
    """Register what prepares jobs of `kind`, for work too long for a transaction.

    It runs before one, and gives what then does the job in it.
    """

    def register(preparation: Preparation) -> Preparation:
        PREPARATIONS[kind] = preparation
        return preparation

    return register


async def schedule(kind: str, subject_id: UUID, due_at: datetime) -> None:
    """Have `kind` done for a subject at `due_at`; call it in the transaction that makes it necessary."""
    await insert(JobRow(kind=kind, subject_id=subject_id, due_at=due_at))


async def unschedule(subject_id: UUID, *kinds: str) -> None:
    """Forget what is still to be done for a subject."""
    await execute(
        "DELETE FROM job WHERE subject_id = ? AND kind IN (?) AND done_at IS NULL RETURNING id",
        subject_id,
        kinds,
    )


class Worker:
    """Does what is due, as long as the process lives."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the job in hand, and no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                # Not cancelled in the middle of a transaction: that would keep its connection locked.
                working = asyncio.ensure_future(self.work())
                try:
                    more = await asyncio.shield(working)
                except asyncio.CancelledError:
                    await working
                    raise
            except Exception as error:
                # The database is away; what is due stays due.
                logger.warning("jobs_unreachable", error=type(error).__name__)
                more = False
            if not more:
                await asyncio.sleep(LOOK_SECONDS)

    async def work(self) -> bool:
        """Do what is due now; whether there was anything."""
        jobs = await claim()
        for job in jobs:
            try:
                if await self.do(job):
                    RUN.labels(job.kind, "done").inc()
            except Exception as error:
                await put_off(job)
                gave_up = job.attempts + 1 >= MOST_ATTEMPTS
                RUN.labels(job.kind, "given_up" if gave_up else "failed").inc()
                logger.exception(
                    "job_failed", kind=job.kind, id=str(job.id), given_up=gave_up, error=type(error).__name__
                )
        return bool(jobs)

    async def do(self, job: JobRow) -> bool:
        """Do one job, unless another process has; whether it was done here."""
        prepare = PREPARATIONS.get(job.kind)
        handler = await prepare(self.services, job.subject_id) if prepare else HANDLERS[job.kind]
        async with unit_of_work(self.services.live) as work:
            mine = await update(JobRow, Where("id = ? AND done_at IS NULL", (job.id,)), done_at=now())
            if mine:
                await handler(self.services, work, job.subject_id)
            return bool(mine)


async def claim() -> list[JobRow]:
    """The oldest jobs that are due, ours for a minute."""
    at = now()
    locking = " FOR UPDATE SKIP LOCKED" if connection().capabilities.dialect == "postgres" else ""
    jobs = await select(
        JobRow,
        "UPDATE job SET claimed_until = ? WHERE id IN (SELECT id FROM job WHERE done_at IS NULL"
        " AND given_up_at IS NULL AND due_at <= ? AND (claimed_until IS NULL OR claimed_until < ?)"
        f" ORDER BY due_at LIMIT {AT_ONCE}{locking}) RETURNING {columns(JobRow, 'job')}",
        at + LEASE,
        at,
        at,
    )
    OVERDUE.set(max(((at - job.due_at).total_seconds() for job in jobs), default=0))
    return sorted(jobs, key=lambda job: job.due_at)


async def put_off(job: JobRow) -> None:
    """Try a failed job again later, and later each time; give it up in the end."""
    attempts = job.attempts + 1
    await execute(
        "UPDATE job SET attempts = ?, claimed_until = NULL, due_at = ?, given_up_at = ?"
        " WHERE id = ? RETURNING id",
        attempts,
        now() + timedelta(seconds=2**attempts),
        now() if attempts >= MOST_ATTEMPTS else None,
        job.id,
    )
