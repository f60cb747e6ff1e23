"""What is seen of opinions: all by the member and the office, the answer by those to whom it is published."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.identity import NeighbourRow
from models.organisations import OrganisationRow
from models.party import opinions as rules
from models.party.opinions import (
    INTERNAL,
    OPINIONS,
    PartyOpinionRow,
    PartyOpinionState,
    PartyOpinionStepRow,
    PartyOpinionTopic,
)
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where
from models.storage.tables import by_ids, every
from resolvers.context import Context
from resolvers.existing import only
from resolvers.identity.faces import faces_of
from resolvers.paging import pages
from subscriptions.events import Logged


@dataclass(frozen=True, slots=True)
class OpinionCriteria:
    """Which opinions of a branch; None is any."""

    state: PartyOpinionState | None = None
    topic: PartyOpinionTopic | None = None
    mine: bool = False
    owned: bool = False


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PartyOpinionRow | None]:
    """The opinions with these ids, None for each that the viewer may not see."""
    return await by_ids(PartyOpinionRow, ids, rules.visible_to(ctx.viewer))


async def visible(ctx: Context, opinion_id: UUID) -> PartyOpinionRow:
    """The opinion. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [opinion_id]))


async def opinions_of(
    ctx: Context, branches: Sequence[OrganisationRow], wanted: OpinionCriteria, args: PageArgs
) -> list[Page[PartyOpinionRow]]:
    """The opinions of each branch that the viewer may see, the newest first."""
    where = rules.visible_to(ctx.viewer)
    if wanted.state is not None:
        where &= Where("t.state = ?", (wanted.state,))
    if wanted.topic is not None:
        where &= Where("t.topic = ?", (wanted.topic,))
    if wanted.mine:
        where &= Where("t.author_id = ?", (ctx.viewer.account_id,))
    if wanted.owned:
        where &= Where("t.owner_id = ?", (ctx.viewer.account_id,))
    ids = [branch.id for branch in branches]
    return await pages(PartyOpinionRow, ids, by="branch_id", args=args, where=where, order=OPINIONS)


async def owners_of(
    ctx: Context, rows: Sequence[PartyOpinionRow | PartyOpinionStepRow]
) -> list[NeighbourRow | None]:
    """The officer who answers each."""
    return await faces_of(ctx, [(row.owner_id, row.community_id) for row in rows])


async def authors_of(ctx: Context, rows: Sequence[PartyOpinionRow]) -> list[NeighbourRow | None]:
    """Whose each is, as far as the viewer may know."""
    seen = [row.author_id if rules.can_see_author(ctx.viewer, row) else None for row in rows]
    return await faces_of(ctx, [(author, row.community_id) for author, row in zip(seen, rows, strict=True)])


# Steps


async def steps_by_ids(ids: Sequence[UUID]) -> list[PartyOpinionStepRow | None]:
    return await by_ids(PartyOpinionStepRow, ids)


async def steps_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PartyOpinionStepRow | None]:
    """The steps with these ids, None for each that the viewer may not see."""
    steps = await steps_by_ids(ids)
    found = await visible_by_ids(ctx, [step.opinion_id for step in steps if step])
    seen = {row.id: row for row in found if row}
    return [
        step if step and step.opinion_id in seen and step_shown(ctx, seen[step.opinion_id], step) else None
        for step in steps
    ]


def step_shown(ctx: Context, row: PartyOpinionRow, step: PartyOpinionStepRow) -> bool:
    return step.action not in INTERNAL or row.branch_id in ctx.viewer.offices


async def steps_of(ctx: Context, rows: Sequence[PartyOpinionRow]) -> list[list[PartyOpinionStepRow]]:
    """The steps of each that the viewer may see, in their order."""
    steps = await every(
        PartyOpinionStepRow, Where("t.opinion_id IN (?)", ({row.id for row in rows},)), "t.ordinal"
    )
    return [
        [step for step in steps if step.opinion_id == row.id and step_shown(ctx, row, step)] for row in rows
    ]


async def officers_of(ctx: Context, steps: Sequence[PartyOpinionStepRow]) -> list[NeighbourRow | None]:
    """The officer who did each."""
    return await faces_of(ctx, [(step.officer_id, step.community_id) for step in steps])


async def opinions_around(
    _ctx: Context, steps: Sequence[PartyOpinionStepRow]
) -> list[PartyOpinionRow | None]:
    """The opinion of each step."""
    return await by_ids(PartyOpinionRow, [step.opinion_id for step in steps])


# Events


async def steps_of_events(_ctx: Context, events: Sequence[Logged]) -> list[PartyOpinionStepRow | None]:
    return await steps_by_ids([logged.event.subject for logged in events])


async def opinions_of_events(_ctx: Context, events: Sequence[Logged]) -> list[PartyOpinionRow | None]:
    """The opinion of each event as it is now, unless it is for fewer people by now."""
    rows = await by_ids(PartyOpinionRow, [logged.event.thread for logged in events if logged.event.thread])
    found = {row.id: row for row in rows if row}
    opinions = [found.get(logged.event.thread) if logged.event.thread else None for logged in events]
    return [
        row if row and logged.event.audience <= rules.audience(row) else None
        for row, logged in zip(opinions, events, strict=True)
    ]
