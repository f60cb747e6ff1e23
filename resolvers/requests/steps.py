"""How a case and its history are written, and who is told: one place for people and for the clock."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from uuid import UUID

from models import requests
from models.base import new_id
from models.deliberations import ExecutionKind
from models.memberships import still_in_community
from models.notifications import NotificationKind
from models.posts import PostRow, PostState
from models.powers import Power
from models.requests import NoteVisibility, RequestAction, RequestParty, RequestRow, StepRow, WaitingFor
from models.storage.rows import Where, execute, select_ids
from models.storage.tables import by_ids, insert, update
from resolvers import notifications
from resolvers import posts as feed
from resolvers.context import Context
from resolvers.deliberations import executions
from resolvers.organisations import officers_with
from subscriptions.events import Event, Kind, event_about
from subscriptions.work import Work

# What changes the case itself; every viewer of the case sees these.
PRIVATE = frozenset({RequestAction.NOTE, RequestAction.REMIND})


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What a step says beside the states that it leads from and to."""

    action: RequestAction
    party: RequestParty
    actor_id: UUID | None = None
    office_id: UUID | None = None
    note: str = ""
    visibility: NoteVisibility = NoteVisibility.PUBLIC
    to_office_id: UUID | None = None
    assignee_id: UUID | None = None
    linked_request_id: UUID | None = None
    waiting_for: WaitingFor | None = None
    rating: int | None = None


async def write(
    work: Work,
    ctx: Context,
    before: RequestRow,
    after: RequestRow,
    told: StepFacts,
    at: datetime,
    step_id: UUID,
) -> RequestRow:
    """Write what has become of a locked case, with the step that made it so; returns the case."""
    changed = told.action not in PRIVATE
    after = replace(after, step_count=before.step_count + 1, version=before.version + (1 if changed else 0))
    await save(before, after)
    await add(work, ctx, before, after, told, at, step_id)
    return after


async def save(before: RequestRow, after: RequestRow) -> None:
    """Write the columns in which the two differ."""
    changes = {
        field.name: getattr(after, field.name)
        for field in fields(RequestRow)
        if getattr(after, field.name) != getattr(before, field.name)
    }
    settings = ", ".join(f"{name} = ?" for name in changes)
    await execute(
        f"UPDATE service_request SET {settings} WHERE id = ? RETURNING id", *changes.values(), after.id
    )


async def add(
    work: Work,
    ctx: Context,
    before: RequestRow | None,
    after: RequestRow,
    told: StepFacts,
    at: datetime,
    step_id: UUID,
) -> None:
    """Append a step to a case's history, and tell whom it concerns."""
    step = StepRow(
        id=step_id,
        created_at=at,
        community_id=after.community_id,
        request_id=after.id,
        ordinal=after.step_count,
        from_state=before.state if before else None,
        to_state=after.state,
        is_public=told.action not in PRIVATE or told.visibility is NoteVisibility.PUBLIC,
        **asdict(told),
    )
    await insert(step)
    work.record(event(before, after, step), *queue_events(before, after))
    if before is not None and step.is_public:
        await executions.link_changed(work, ExecutionKind.REQUEST, after.id)
    await notifications.notify(
        work, ctx, NotificationKind.REQUEST, await recipients(after, step), step, actor_id=step.actor_id
    )


def event(before: RequestRow | None, after: RequestRow, step: StepRow) -> Event:
    """Of a case made of a post each step happens inside the post's thread."""
    if step.is_public:
        audience = requests.audience(after) | (requests.audience(before) if before else frozenset())
    else:
        audience = requests.readers(after, step.visibility)
    return event_about(
        Kind.REQUEST_STEP, step, audience, thread=after.post_id or after.id, facts={"request": str(after.id)}
    )


def queue_events(before: RequestRow | None, after: RequestRow) -> Iterable[Event]:
    """Each office whose queue the case is in, or was in."""
    concerned: set[UUID] = set()
    for row in (before, after):
        if row is not None:
            concerned |= {office for office in (row.office_id, row.offered_to_id) if office}
            concerned |= {row.overseer_id} if row.overseer_id and row.escalated_at else set()
    for office in sorted(concerned):
        yield event_about(Kind.REQUEST_QUEUED, after, {office}, thread=office)


# Whose turn it is afterwards: the office of the case is told, and not only the reporter.
FOR_OFFICE = frozenset(
    {
        RequestAction.SUBMIT,
        RequestAction.HAND_OVER,
        RequestAction.REFUSE,
        RequestAction.RETURN,
        RequestAction.ESCALATE,
    }
)


def is_for_office(step: StepRow) -> bool:
    match step.action:
        case RequestAction.NOTE:
            return step.party is RequestParty.REPORTER
        case RequestAction.REMIND:
            return step.visibility is NoteVisibility.OFFICES
    return step.action in FOR_OFFICE


async def recipients(after: RequestRow, step: StepRow) -> list[UUID]:
    """Whose inbox the step goes into."""
    told: list[UUID] = []
    if step.visibility is not NoteVisibility.OFFICES or step.action not in PRIVATE:
        told.append(after.reporter_id)
    if step.is_public:
        told += await followers(after)
    if is_for_office(step):
        told += (
            [after.assignee_id]
            if after.assignee_id
            else await officers_with(after.holder_id, Power.HANDLE_REQUESTS)
        )
    elif step.action is RequestAction.ASSIGN and after.assignee_id:
        told.append(after.assignee_id)
    if step.action is RequestAction.ESCALATE and after.overseer_id:
        told += await officers_with(after.overseer_id, Power.HANDLE_REQUESTS)
    return told


async def followers(row: RequestRow) -> list[UUID]:
    """Who follows the case and still belongs to the community."""
    if not row.follower_count:
        return []
    return await select_ids(
        "SELECT f.account_id FROM request_follower f WHERE f.request_id = ?"
        f" AND {still_in_community('f')} ORDER BY f.id",
        row.id,
    )


async def settle_post(work: Work, row: RequestRow, state: PostState) -> None:
    """Say of the complaint that a case was made of that its matter is settled, or open again."""
    if row.post_id is None:
        return
    changed = await update(
        PostRow, Where("id = ? AND state <> ? AND deleted_at IS NULL", (row.post_id, state)), state=state
    )
    if changed:
        await tell_post(work, row.post_id)


async def tell_post(work: Work, post_id: UUID) -> None:
    """Those who follow the feed read the post anew."""
    (post,) = await by_ids(PostRow, [post_id], Where("t.deleted_at IS NULL"))
    if post is not None:
        work.record(feed.event(Kind.POST_CHANGED, post))


async def add_step(
    work: Work, ctx: Context, before: RequestRow, after: RequestRow, told: StepFacts, at: datetime
) -> RequestRow:
    """As `write`, for a step that no client asked for."""
    return await write(work, ctx, before, after, told, at, new_id())
