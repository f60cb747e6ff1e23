"""Which clock runs, and what happens when it ends: reminders, escalation, confirmation by time.

Until a case is accepted the time to accept runs, from the moment in which the office received it; then
the time to resolve, from the same moment. The clock stands still while the case is not the office's to
move: while it waits for the resident, while the reporter has not answered what is done, and while it is
closed. What it stood still is added to the deadline.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from models.base import now
from models.posts import PostState
from models.requests import (
    TO_ACCEPT,
    WITH_OFFICE,
    ConfirmedBy,
    NoteVisibility,
    PolicyRow,
    RequestAction,
    RequestParty,
    RequestRow,
    RequestState,
    WaitingFor,
)
from models.storage.rows import execute
from models.visibility import NOBODY
from resolvers import jobs
from resolvers.context import Context, Services
from resolvers.existing import existing, locked
from resolvers.requests import steps
from resolvers.requests.steps import StepFacts
from subscriptions.work import Work

REMIND = "REQUEST_REMIND"
ESCALATE = "REQUEST_ESCALATE"
REMIND_TO_CONFIRM = "REQUEST_REMIND_TO_CONFIRM"
CONFIRM = "REQUEST_CONFIRM"
JOBS = (REMIND, ESCALATE, REMIND_TO_CONFIRM, CONFIRM)

NO_TIME = timedelta(0)


def deadline(row: RequestRow) -> datetime | None:
    """The deadline that runs in this state; None while the clock stands still."""
    if row.state in TO_ACCEPT:
        return row.accept_by
    waits = row.state is RequestState.WAITING and row.waiting_for is WaitingFor.RESIDENT
    return row.resolve_by if row.state in WITH_OFFICE and not waits else None


def with_clock(row: RequestRow, at: datetime) -> tuple[RequestRow, timedelta]:
    """The case with its clock as its new state has it, and how long the clock had stood still."""
    if deadline(row) is None:
        # It stands still already, or from now on.
        return replace(row, due_at=None, paused_at=row.paused_at or at), NO_TIME
    stood = at - row.paused_at if row.paused_at else NO_TIME
    row = replace(row, resolve_by=row.resolve_by + stood, paused_at=None)
    return replace(row, due_at=deadline(row)), stood


async def keep_time(row: RequestRow, policy: PolicyRow, stood: timedelta) -> None:
    """Write the clock of a case that has changed: the office's time, and what is to be done when it ends.

    `forget` was called before the case was locked.
    """
    if stood:
        await execute(
            "UPDATE request_tenure SET resolve_by = ?, paused_seconds = paused_seconds + ?"
            " WHERE id = ? RETURNING id",
            row.resolve_by,
            int(stood.total_seconds()),
            row.tenure_id,
        )
    if row.due_at is not None:
        if row.reminded_for != row.due_at:
            await jobs.schedule(REMIND, row.id, reminder(row.due_at, policy))
        if row.escalated_for != row.due_at:
            await jobs.schedule(ESCALATE, row.id, row.due_at)
    if row.confirm_by is not None:
        before = timedelta(seconds=policy.confirm_remind_seconds)
        await jobs.schedule(REMIND_TO_CONFIRM, row.id, row.confirm_by - before)
        await jobs.schedule(CONFIRM, row.id, row.confirm_by)


def reminder(due_at: datetime, policy: PolicyRow) -> datetime:
    return due_at - timedelta(seconds=policy.remind_seconds)


async def forget(request_id: UUID) -> None:
    """Unschedule what a case's clock would do.

    Call it before locking the case: a job locks itself and then its case, and who does it the other way
    round would wait for ever.
    """
    await jobs.unschedule(request_id, *JOBS)


def by_clock(action: RequestAction, visibility: NoteVisibility = NoteVisibility.PUBLIC) -> StepFacts:
    return StepFacts(action=action, party=RequestParty.SYSTEM, visibility=visibility)


# Each looks at the case anew, behind its lock, and does nothing if that was done or is no longer due. So they
# may come late, early, or twice.


@jobs.does(REMIND)
async def remind(services: Services, work: Work, request_id: UUID) -> None:
    """Tell the office that a deadline comes near."""
    row = await locked(RequestRow, request_id)
    at = now()
    if row.due_at is None or row.due_at <= at or row.reminded_for == row.due_at:
        return
    if reminder(row.due_at, await existing(PolicyRow, row.policy_id)) > at:
        return
    after = replace(row, reminded_for=row.due_at)
    told = by_clock(RequestAction.REMIND, NoteVisibility.OFFICES)
    await steps.add_step(work, Context(services, NOBODY), row, after, told, now())


@jobs.does(ESCALATE)
async def escalate(services: Services, work: Work, request_id: UUID) -> None:
    """Bring an overdue case before the residents' committee."""
    row = await locked(RequestRow, request_id)
    at = now()
    if row.due_at is None or row.due_at > at or row.escalated_for == row.due_at:
        return
    after = replace(row, escalated_at=row.escalated_at or at, escalated_for=row.due_at)
    await execute(
        "UPDATE request_tenure SET escalations = escalations + 1 WHERE id = ? RETURNING id",
        row.offered_tenure_id or row.tenure_id,
    )
    await steps.add_step(work, Context(services, NOBODY), row, after, by_clock(RequestAction.ESCALATE), at)


@jobs.does(REMIND_TO_CONFIRM)
async def remind_to_confirm(services: Services, work: Work, request_id: UUID) -> None:
    """Tell the reporter that what is done will count as confirmed."""
    row = await locked(RequestRow, request_id)
    policy = await existing(PolicyRow, row.policy_id)
    if row.state is not RequestState.DONE or row.confirm_by is None or row.confirm_reminded_at:
        return
    if row.confirm_by - timedelta(seconds=policy.confirm_remind_seconds) > now():
        return
    await say_reminder(services, work, row, row.confirm_by)


async def say_reminder(services: Services, work: Work, row: RequestRow, confirm_by: datetime) -> None:
    at = now()
    after = replace(row, confirm_reminded_at=at, confirm_by=confirm_by)
    told = by_clock(RequestAction.REMIND, NoteVisibility.REPORTER)
    await steps.add_step(work, Context(services, NOBODY), row, after, told, at)


@jobs.does(CONFIRM)
async def confirm(services: Services, work: Work, request_id: UUID) -> None:
    """Take silence for consent, visibly, and never without the reminder a while before."""
    row = await locked(RequestRow, request_id)
    at = now()
    if row.state is not RequestState.DONE or row.confirm_by is None or row.confirm_by > at:
        return
    if row.confirm_reminded_at is None:
        policy = await existing(PolicyRow, row.policy_id)
        later = at + timedelta(seconds=policy.confirm_remind_seconds)
        await say_reminder(services, work, row, later)
        await jobs.schedule(CONFIRM, row.id, later)
        return
    after = replace(
        row,
        state=RequestState.CONFIRMED,
        confirmed_by=ConfirmedBy.TIME,
        confirm_by=None,
        closed_at=at,
    )
    after = await steps.add_step(
        work, Context(services, NOBODY), row, after, by_clock(RequestAction.CONFIRM_BY_TIME), at
    )
    await steps.settle_post(work, after, PostState.RESOLVED)
