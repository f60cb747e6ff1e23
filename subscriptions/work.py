"""The unit of work: what a mutation writes, what is audited of it and the events that tell of it commit
together.

Row locks are taken in one order, so that no two transactions wait for each other: first whatever the
mutation writes, then the heads of the audit log's chains, then the topics of the event log.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from tortoise.transactions import in_transaction

from models import audit
from models.audit import Act
from subscriptions import log
from subscriptions.bus import Hint
from subscriptions.events import Event


class Committed(Protocol):
    """Whoever is told, after a commit, where the topics stand."""

    def committed(self, hints: Sequence[Hint]) -> None: ...


@dataclass(slots=True)
class Work:
    """One transaction under way."""

    events: list[Event] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    def record(self, *events: Event) -> None:
        """Put events into the log with this transaction, or not at all."""
        self.events += events

    def audit(self, act: Act) -> None:
        """Put an entry into the audit log with this transaction, or not at all."""
        self.acts.append(act)


UNDER_WAY: ContextVar[Work | None] = ContextVar("work", default=None)


def under_way() -> Work | None:
    """The unit of work that this task is in, if any."""
    return UNDER_WAY.get()


@asynccontextmanager
async def unit_of_work(live: Committed) -> AsyncIterator[Work]:
    """A transaction. Its events are in the log if and only if its writes are in the tables.

    Never open one in a task that may be cancelled: operations runs each mutation in a task of its
    own.
    """
    work = Work()
    async with in_transaction():
        token = UNDER_WAY.set(work)
        try:
            yield work
        finally:
            UNDER_WAY.reset(token)
        await audit.append(work.acts)
        hints = await log.append(work.events)
    if hints:
        live.committed(hints)
