"""The steps of a deliberation: append-only, numbered without gaps, told live and to those who take part."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from models.base import new_id
from models.deliberations import (
    STEPS,
    DeliberationAction,
    DeliberationPhase,
    DeliberationRow,
    DeliberationStepRow,
    ExecutionRow,
    ExecutionState,
    audience,
    visible_to,
)
from models.identity import NeighbourRow
from models.notifications import NotificationKind
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute, select_ids
from models.storage.tables import by_ids, insert
from resolvers import identity, notifications
from resolvers.context import Context
from resolvers.paging import pages
from subscriptions.events import Event, Kind, Logged, event_about
from subscriptions.work import Work


def event(kind: Kind, row: DeliberationRow, subject: UUID, scopes: frozenset[UUID] | None = None) -> Event:
    """Something that happened in a deliberation, for whoever may see that (or for `scopes`)."""
    return event_about(kind, row, audience(row) if scopes is None else scopes, subject=subject, thread=row.id)


async def record(
    work: Work,
    ctx: Context,
    row: DeliberationRow,
    action: DeliberationAction,
    *,
    note: str = "",
    from_phase: DeliberationPhase | None = None,
    to_phase: DeliberationPhase | None = None,
    item: ExecutionRow | None = None,
    state: ExecutionState | None = None,
    told: Iterable[UUID] = (),
    by_clock: bool = False,
) -> UUID:
    """Append a step in the caller's transaction, audit it, and tell `told`; `row` is as it is after it."""
    step_id = new_id()
    actor_id = None if by_clock else ctx.viewer.account_id
    (counted,) = await execute(
        "UPDATE deliberation SET step_count = step_count + 1 WHERE id = ? RETURNING step_count", row.id
    )
    await insert(
        DeliberationStepRow(
            id=step_id,
            community_id=row.community_id,
            deliberation_id=row.id,
            ordinal=int(counted["step_count"]),
            action=action,
            from_phase=from_phase,
            to_phase=to_phase,
            actor_id=actor_id,
            item_id=item.id if item else None,
            item_state=state,
            note=note,
        )
    )
    work.record(event(Kind.DELIBERATION_STEP, row, step_id))
    await notifications.notify(
        work, ctx, NotificationKind.DELIBERATION, told, row, subject_id=step_id, actor_id=actor_id
    )
    return step_id


async def participants(row: DeliberationRow) -> list[UUID]:
    """Whoever proposed it, or has commented, made a statement, or voted."""
    taking_part = await select_ids(
        "SELECT s.author_id AS account_id FROM statement s WHERE s.deliberation_id = ?"
        " UNION SELECT v.account_id FROM statement_vote v WHERE v.deliberation_id = ?"
        " UNION SELECT c.author_id FROM comment c WHERE c.subject_id = ? AND c.deleted_at IS NULL",
        row.id,
        row.id,
        row.id,
    )
    # Who has moved away is told nothing more.
    there = await members_of_community(row.community_id)
    return sorted(there.intersection({row.author_id, *taking_part}))


async def members_of_community(community_id: UUID) -> set[UUID]:
    """Who lives in the community or holds an office in it now."""
    rows = await select_ids(
        "SELECT r.account_id FROM residency r WHERE r.until IS NULL AND r.community_id = ?"
        " UNION SELECT a.account_id FROM appointment a WHERE a.revoked_at IS NULL AND a.community_id = ?",
        community_id,
        community_id,
    )
    return set(rows)


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[DeliberationStepRow | None]:
    """The steps of deliberations that the viewer may see, None for each of the others."""
    seen = visible_to(ctx.viewer)
    return await by_ids(
        DeliberationStepRow,
        ids,
        Where(
            f"t.deliberation_id IN (SELECT t.id FROM deliberation t WHERE {seen.text})",
            seen.params,
        ),
    )


async def steps_of_events(_ctx: Context, events: Sequence[Logged]) -> list[DeliberationStepRow | None]:
    """The step that each event is."""
    return await by_ids(DeliberationStepRow, [logged.event.subject for logged in events])


async def steps_of(
    _ctx: Context, rows: Sequence[DeliberationRow], args: PageArgs
) -> list[Page[DeliberationStepRow]]:
    """A page of each deliberation's steps, in order."""
    keys = [row.id for row in rows]
    return await pages(DeliberationStepRow, keys, by="deliberation_id", args=args, order=STEPS)


async def actors_of(ctx: Context, rows: Sequence[DeliberationStepRow]) -> list[NeighbourRow | None]:
    """Who took each step, None for the clock."""
    return await identity.faces_of(ctx, [(row.actor_id, row.community_id) for row in rows])
