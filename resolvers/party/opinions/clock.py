"""Reminders and escalation: an opinion without an owner, an answer that is due.

Each job looks at the opinion anew, behind its lock, and does nothing if that is no longer due: it may come
late, early, or twice.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from models.base import now
from models.party.opinions import PartyOpinionAction, PartyOpinionRow, PartyOpinionState
from models.visibility import NOBODY
from resolvers import jobs
from resolvers.context import Context, Services
from resolvers.existing import locked
from resolvers.party.opinions import steps
from subscriptions.work import Work

UNASSIGNED = "OPINION_UNASSIGNED"
REMIND = "OPINION_REMIND"
ESCALATE = "OPINION_ESCALATE"
TO_ASSIGN = timedelta(days=3)
BEFORE_DUE = timedelta(days=1)


async def wait_for_owner(row: PartyOpinionRow) -> None:
    """Call it in the transaction that submits an opinion."""
    await jobs.schedule(UNASSIGNED, row.id, row.created_at + TO_ASSIGN)


async def wait_for_answer(row: PartyOpinionRow) -> None:
    """Call it in the transaction that assigns an opinion."""
    if row.due_at is not None:
        await jobs.schedule(REMIND, row.id, row.due_at - BEFORE_DUE)
        await jobs.schedule(ESCALATE, row.id, row.due_at)


async def unschedule_reminders(opinion_id: UUID) -> None:
    """Unschedule all. Call it before locking the opinion: a job locks itself first, and then its opinion."""
    await jobs.unschedule(opinion_id, UNASSIGNED, REMIND, ESCALATE)


@jobs.does(UNASSIGNED)
async def remind_to_assign(services: Services, work: Work, opinion_id: UUID) -> None:
    """Tell the secretary that an opinion has no owner."""
    row = await locked(PartyOpinionRow, opinion_id)
    if row.state is PartyOpinionState.SUBMITTED and row.created_at + TO_ASSIGN <= now():
        await steps.write(work, Context(services, NOBODY), row, row, PartyOpinionAction.REMIND, now())


@jobs.does(REMIND)
async def remind(services: Services, work: Work, opinion_id: UUID) -> None:
    """Tell the owner that the answer will be due."""
    row = await locked(PartyOpinionRow, opinion_id)
    at = now()
    if row.state is not PartyOpinionState.ASSIGNED or row.due_at is None or row.reminded_for == row.due_at:
        return
    if row.due_at - BEFORE_DUE <= at < row.due_at:
        after = replace(row, reminded_for=row.due_at)
        await steps.write(work, Context(services, NOBODY), row, after, PartyOpinionAction.REMIND, at)


@jobs.does(ESCALATE)
async def escalate(services: Services, work: Work, opinion_id: UUID) -> None:
    """Tell the secretary that an answer is overdue."""
    row = await locked(PartyOpinionRow, opinion_id)
    at = now()
    if row.state is not PartyOpinionState.ASSIGNED or row.due_at is None or row.due_at > at:
        return
    if row.escalated_at is None or row.escalated_at < row.due_at:
        after = replace(row, escalated_at=at)
        await steps.write(work, Context(services, NOBODY), row, after, PartyOpinionAction.ESCALATE, at)
