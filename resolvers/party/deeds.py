"""What a pioneer promises, and what a pioneer has done."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from models.base import new_id, now
from models.media import MediaRow
from models.messages import Message
from models.party.audience import can_publish
from models.party.pioneers import (
    DEEDS,
    PLEDGES,
    DeedRow,
    PioneerRow,
    PledgeRow,
    PledgeState,
    can_take_down,
    is_member_shown,
    visible_to,
)
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute
from models.storage.tables import by_ids, insert, update
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed, NotFound
from resolvers.existing import only
from resolvers.masking import mask
from resolvers.media import attaching
from resolvers.paging import pages
from resolvers.party import contents, pioneers
from resolvers.retries import earlier_result
from subscriptions.events import Kind
from subscriptions.work import Work

LONGEST_PLEDGE = 200
LONGEST_DEED = 500
# Of each, in a profile.
MOST = 100


async def pledge(ctx: Context, *, pioneer_id: UUID, body: str, key: str) -> PledgeRow:
    """Promise something, as whom the profile shows; with a key used before, the pledge made then.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    _ = ctx.account_id
    body = mask(check_text("body", body, LONGEST_PLEDGE))
    row = await pioneers.visible(ctx, pioneer_id)
    if not is_member_shown(ctx.viewer, row):
        raise NotAllowed(Message("Pioneers make their own pledges"))
    pledge_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "addPioneerPledge", [pioneer_id, body], pledge_id)
        if earlier is None:
            await check_room("pioneer_pledge", pioneer_id)
            await insert(PledgeRow(id=pledge_id, community_id=row.community_id, pioneer_id=row.id, body=body))
            pioneer_changed(work, row)
    return await visible_pledge(ctx, earlier or pledge_id)


async def set_pledge_state(ctx: Context, *, pledge_id: UUID, state: PledgeState) -> PledgeRow:
    """Say that a pledge is kept, or not yet. For the branch: nobody praises themselves.

    Raises NotFound, NotAllowed (and keeps the attempt). To say what is so already changes nothing.
    """
    found = await visible_pledge(ctx, pledge_id)
    row = await pioneers.editable(ctx, found.pioneer_id, "party.pioneer.pledge")
    async with ctx.unit_of_work() as work:
        changed = await update(
            PledgeRow,
            Where("id = ? AND state <> ?", (pledge_id, state)),
            state=state,
            kept_at=now() if state is PledgeState.KEPT else None,
        )
        if changed:
            await audit.record(ctx, "party.pioneer.pledge", row)
            pioneer_changed(work, row)
    return await visible_pledge(ctx, pledge_id)


async def add_deed(
    ctx: Context, *, pioneer_id: UUID, done_on: date, body: str, picture_id: UUID | None, key: str
) -> DeedRow:
    """Tell of something that a pioneer did; with a key used before, the deed told then.

    Raises InvalidInput, NotFound, NotAllowed (and keeps the attempt), Conflict.
    """
    body = mask(check_text("body", body, LONGEST_DEED))
    # Somewhere it is tomorrow already.
    if done_on.toordinal() > now().date().toordinal() + 1:
        raise InvalidInput(doneOn=Message("Must not be in the future"))
    row = await pioneers.editable(ctx, pioneer_id, "party.pioneer.deed")
    deed_id = new_id()
    async with ctx.unit_of_work() as work:
        told = [pioneer_id, done_on, body, picture_id]
        earlier = await earlier_result(ctx, key, "addPioneerDeed", told, deed_id)
        if earlier is None:
            await check_room("pioneer_deed", pioneer_id)
            if picture_id:
                wanted = [("pictureId", picture_id)]
                await attaching.attach(ctx, community_id=row.community_id, subject_id=deed_id, wanted=wanted)
            await insert(
                DeedRow(
                    id=deed_id,
                    community_id=row.community_id,
                    pioneer_id=row.id,
                    done_on=done_on,
                    body=body,
                    picture_id=picture_id,
                )
            )
            await audit.record(ctx, "party.pioneer.deed", row)
            pioneer_changed(work, row)
    return await visible_deed(ctx, earlier or deed_id)


async def remove_deed(ctx: Context, *, deed_id: UUID) -> PioneerRow:
    """Take a deed away, as the branch or as whom it is told of. Raises NotFound, NotAllowed."""
    found = await visible_deed(ctx, deed_id)
    row = await pioneers.visible(ctx, found.pioneer_id)
    if not can_take_down(ctx.viewer, row):
        # Keeps the attempt, and refuses it.
        await pioneers.editable(ctx, row.id, "party.pioneer.deed")
    async with ctx.unit_of_work() as work:
        removed = await execute("DELETE FROM pioneer_deed WHERE id = ? RETURNING id", deed_id)
        if not removed:
            raise NotFound
        await attaching.release(deed_id)
        if can_publish(ctx.viewer, row.branch_id):
            await audit.record(ctx, "party.pioneer.deed", row)
        pioneer_changed(work, row)
    return row


async def check_room(table: str, pioneer_id: UUID) -> None:
    (found,) = await execute(f"SELECT count(*) AS n FROM {table} WHERE pioneer_id = ?", pioneer_id)
    if int(found["n"]) >= MOST:
        raise NotAllowed(Message("The profile has as many as it can hold"))


def pioneer_changed(work: Work, row: PioneerRow) -> None:
    """Whoever sees the profile reads it anew."""
    if row.publish_at is not None:
        work.record(contents.event(Kind.BRANCH_CHANGED, row))


# Reading


def of_visible(ctx: Context) -> Where:
    seen = visible_to(ctx.viewer)
    return Where(f"t.pioneer_id IN (SELECT t.id FROM pioneer t WHERE {seen.text})", seen.params)


async def visible_pledges_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PledgeRow | None]:
    """The pledges of profiles that the viewer may see, None for each of the others."""
    where = of_visible(ctx)
    return await by_ids(PledgeRow, ids, where)


async def visible_pledge(ctx: Context, pledge_id: UUID) -> PledgeRow:
    return only(await visible_pledges_by_ids(ctx, [pledge_id]))


async def visible_deeds_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[DeedRow | None]:
    """The deeds in profiles that the viewer may see, None for each of the others."""
    where = of_visible(ctx)
    return await by_ids(DeedRow, ids, where)


async def visible_deed(ctx: Context, deed_id: UUID) -> DeedRow:
    return only(await visible_deeds_by_ids(ctx, [deed_id]))


async def pledges_of(_ctx: Context, rows: Sequence[PioneerRow], args: PageArgs) -> list[Page[PledgeRow]]:
    """A page of what each pioneer promised, in order."""
    ids = [row.id for row in rows]
    return await pages(PledgeRow, ids, by="pioneer_id", args=args, order=PLEDGES)


async def deeds_of(_ctx: Context, rows: Sequence[PioneerRow], args: PageArgs) -> list[Page[DeedRow]]:
    """A page of what each pioneer did, the last told first."""
    return await pages(DeedRow, [row.id for row in rows], by="pioneer_id", args=args, order=DEEDS)


async def pictures_of(_ctx: Context, rows: Sequence[DeedRow]) -> list[MediaRow | None]:
    return await by_ids(MediaRow, [row.picture_id for row in rows])
