"""How an opinion and its history are written, and who is told: one place for people and for the clock."""

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime
from uuid import UUID

from models.base import new_id
from models.messages import Message
from models.notifications import NotificationKind
from models.party import opinions as rules
from models.party.opinions import (
    INTERNAL,
    PartyOpinionAction,
    PartyOpinionRow,
    PartyOpinionState,
    PartyOpinionStepRow,
)
from models.powers import Power
from models.storage.rows import execute
from models.storage.tables import insert
from resolvers import notifications
from resolvers.context import Context
from resolvers.errors import Conflict
from resolvers.existing import locked
from resolvers.organisations import officers_with
from subscriptions.events import Event, Kind, event_about
from subscriptions.work import Work

CHANGED = Message("It has been changed meanwhile")


async def locked_at(opinion_id: UUID, version: int, *states: PartyOpinionState) -> PartyOpinionRow:
    """As `locked`. Raises NotFound, and Conflict unless it still is as the client has read it."""
    row = await locked(PartyOpinionRow, opinion_id)
    if row.version != version or row.state not in states:
        raise Conflict(CHANGED, row)
    return row


async def write(
    work: Work,
    ctx: Context,
    before: PartyOpinionRow,
    after: PartyOpinionRow,
    action: PartyOpinionAction,
    at: datetime,
    officer_id: UUID | None = None,
) -> PartyOpinionRow:
    """Write what has become of a locked opinion, with the step that made it so; returns the opinion."""
    after = replace(
        after,
        step_count=before.step_count + 1,
        version=before.version + (0 if action in INTERNAL else 1),
    )
    changes = {
        field.name: getattr(after, field.name)
        for field in fields(PartyOpinionRow)
        if getattr(after, field.name) != getattr(before, field.name)
    }
    settings = ", ".join(f"{name} = ?" for name in changes)
    await execute(
        f"UPDATE party_opinion SET {settings} WHERE id = ? RETURNING id", *changes.values(), after.id
    )
    await add_step(work, ctx, after, action, at, officer_id)
    return after


async def add_step(
    work: Work,
    ctx: Context,
    row: PartyOpinionRow,
    action: PartyOpinionAction,
    at: datetime,
    officer_id: UUID | None = None,
) -> None:
    """Append a step to an opinion's history, and tell whom it concerns."""
    step = PartyOpinionStepRow(
        id=new_id(),
        created_at=at,
        community_id=row.community_id,
        opinion_id=row.id,
        ordinal=row.step_count,
        action=action,
        officer_id=officer_id,
        owner_id=row.owner_id,
        due_at=row.due_at,
    )
    await insert(step)
    work.record(event(row, step))
    # Of a member's own act nobody learns here whose it is.
    await notifications.notify(
        work, ctx, NotificationKind.OPINION, await recipients(row, step), step, actor_id=officer_id
    )


def event(row: PartyOpinionRow, step: PartyOpinionStepRow) -> Event:
    answered = step.action in (PartyOpinionAction.ANSWER, PartyOpinionAction.CORRECT)
    internal = step.action in INTERNAL
    return event_about(
        Kind.PARTY_OPINION_ANSWERED if answered else Kind.PARTY_OPINION_STEP,
        step,
        frozenset({row.branch_id}) if internal else rules.audience(row),
        thread=row.id,
        facts={"branch": str(row.branch_id)},
    )


async def recipients(row: PartyOpinionRow, step: PartyOpinionStepRow) -> Iterable[UUID]:
    """Whose inbox the step goes into."""
    owner = [row.owner_id] if row.owner_id else []
    assigning = await officers_with(row.branch_id, Power.ASSIGN_OPINIONS)
    match step.action:
        case PartyOpinionAction.SUBMIT:
            # Not the secretary whose own opinion it is.
            return [account_id for account_id in assigning if account_id != row.author_id]
        case PartyOpinionAction.ASSIGN:
            return [*owner, row.author_id]
        case PartyOpinionAction.REMIND:
            return owner or assigning
        case PartyOpinionAction.ESCALATE:
            return [*owner, *assigning]
        case PartyOpinionAction.WITHDRAW:
            return owner or assigning
    return [row.author_id]
