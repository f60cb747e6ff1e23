"""How far a notice came with each household.

targeted → delivered → seen → acknowledged, or reached in person. Each step implies those before it.
Every change locks its receipts first, in one order for everyone, so that each is counted exactly
once however many come at the same moment, and nobody waits for each other in a circle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.base import new_id, now
from models.messages import Message
from models.notices import NoticeRow, NoticeStatus, ReachedHow, ReceiptRow, can_record_visit
from models.storage import tables
from models.storage.rows import Where, columns, execute, select_one
from models.storage.tables import update
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, NotAllowed, NotFound
from resolvers.existing import existing
from resolvers.notices import audiences, reading
from subscriptions.events import Event, Kind, reach_topic
from subscriptions.work import Work


@dataclass(slots=True)
class Counts:
    """By how much the counters of one building change."""

    delivered: int = 0
    seen: int = 0
    acknowledged: int = 0
    in_person: int = 0


Changes = dict[UUID, Counts]


async def mark_seen(ctx: Context, *, notice_id: UUID) -> NoticeRow:
    """Someone in each of the viewer's targeted homes has the notice before their eyes.

    Raises NotFound, NotAllowed.
    """
    notice = await targeted_at_viewer(ctx, notice_id)
    async with ctx.unit_of_work() as work:
        receipts = [receipt for receipt in await locked(notice_id, ctx.viewer.homes) if not receipt.seen_at]
        changes: Changes = {}
        for receipt in receipts:
            counts = changes.setdefault(receipt.building_id, Counts())
            counts.delivered += receipt.delivered_at is None
            counts.seen += 1
        if receipts:
            at = now()
            await execute(
                "UPDATE receipt SET seen_at = ?, delivered_at = COALESCE(delivered_at, ?) WHERE id IN (?)",
                at,
                at,
                [receipt.id for receipt in receipts],
            )
            await count(work, notice_id, changes)
    return notice


async def acknowledge(ctx: Context, *, notice_id: UUID) -> NoticeRow:
    """The viewer's targeted homes have taken note. Doing it again changes nothing.

    Raises NotFound, NotAllowed, Conflict, with what is current, for a notice that was superseded or
    cancelled: nobody shall believe that they have acknowledged what holds now.
    """
    notice = await targeted_at_viewer(ctx, notice_id)
    if notice.status is not NoticeStatus.ACTIVE:
        raise Conflict(Message("It was updated or cancelled meanwhile"), await reading.current_of(notice))
    async with ctx.unit_of_work() as work:
        receipts = [
            receipt for receipt in await locked(notice_id, ctx.viewer.homes) if not receipt.acknowledged_at
        ]
        changes: Changes = {}
        for receipt in receipts:
            counts = changes.setdefault(receipt.building_id, Counts())
            counts.delivered += receipt.delivered_at is None
            counts.seen += receipt.seen_at is None
            counts.acknowledged += 1
            counts.in_person -= receipt.reached_at is not None
        if receipts:
            at = now()
            await execute(
                "UPDATE receipt SET acknowledged_at = ?, acknowledged_by_id = ?,"
                " seen_at = COALESCE(seen_at, ?), delivered_at = COALESCE(delivered_at, ?) WHERE id IN (?)",
                at,
                ctx.account_id,
                at,
                at,
                [receipt.id for receipt in receipts],
            )
            await count(work, notice_id, changes)
    return notice


async def record_visit(
    ctx: Context, *, notice_id: UUID, home_id: UUID, how: ReachedHow, note: str = ""
) -> ReceiptRow:
    """A household was told in person: it counts as reached, apart from those that acknowledged.

    The first visit stands; recording another one changes nothing. A household that had acknowledged, or
    does so later, counts as acknowledged only. Raises InvalidInput, NotFound, NotAllowed.
    """
    _ = ctx.account_id
    note = check_text("note", note, 500, least=0)
    notice = await reading.visible(ctx, notice_id)
    grid = await execute(
        "SELECT b.grid_id FROM receipt t JOIN building b ON b.id = t.building_id"
        " WHERE t.notice_id = ? AND t.home_id = ?",
        notice_id,
        home_id,
    )
    grid_id = UUID(str(grid[0]["grid_id"])) if grid and grid[0]["grid_id"] else None
    if not can_record_visit(ctx.viewer, notice, grid_id):
        raise await audit.refuse(
            ctx,
            "recordVisit",
            Message("You may record visits in your own grids only"),
            notice,
            subject_id=notice_id,
        )
    if not grid:
        raise NotFound(Message("The notice was not sent to this home"))
    async with ctx.unit_of_work() as work:
        (receipt,) = await locked(notice_id, [home_id])
        if receipt.reached_at is None:
            await update(
                ReceiptRow,
                receipt.id,
                reached_at=now(),
                reached_by_id=ctx.account_id,
                reached_how=how,
                reached_note=note,
            )
            if receipt.acknowledged_at is None:
                await count(work, notice_id, {receipt.building_id: Counts(in_person=1)})
            await audit.record(ctx, "recordVisit", notice, subject_id=receipt.id, detail=how.value)
    return await existing(ReceiptRow, receipt.id)


async def mark_delivered(work: Work, notice_id: UUID, homes: Sequence[UUID], at: datetime) -> None:
    """Live delivery has handed the notice over to someone in each of `homes`, as far as targeted."""
    receipts = [receipt for receipt in await locked(notice_id, homes) if not receipt.delivered_at]
    if not receipts:
        return
    changes: Changes = {}
    for receipt in receipts:
        changes.setdefault(receipt.building_id, Counts()).delivered += 1
    await update(ReceiptRow, Where("id IN (?)", ([receipt.id for receipt in receipts],)), delivered_at=at)
    await count(work, notice_id, changes)


async def targeted_at_viewer(ctx: Context, notice_id: UUID) -> NoticeRow:
    """The notice, if it was sent to a home of the viewer's.

    Raises NotFound if the viewer may not see it, NotAllowed if it was sent to none of their homes.
    """
    _ = ctx.account_id
    notice = await reading.visible(ctx, notice_id)
    ours = await select_one(
        ReceiptRow,
        f"SELECT {columns(ReceiptRow)} FROM receipt t WHERE t.notice_id = ? AND t.home_id IN (?) LIMIT 1",
        notice_id,
        ctx.viewer.homes,
    )
    if ours is None:
        raise NotAllowed(Message("The notice was sent to no home of yours"))
    return notice


async def locked(notice_id: UUID, homes: Iterable[UUID]) -> list[ReceiptRow]:
    """The receipts of `homes` as they are now and stay until the caller's transaction ends."""
    return await tables.locked(
        ReceiptRow, Where("t.notice_id = ? AND t.home_id IN (?)", (notice_id, frozenset(homes)))
    )


async def count(work: Work, notice_id: UUID, changes: Changes) -> None:
    """Move the counters of the buildings, and tell those who watch."""
    at = now()
    params: list[object] = []
    # Rows are locked in the order given.
    for building_id, by in sorted(changes.items()):
        params += [
            new_id(),
            at,
            notice_id,
            building_id,
            0,
            by.delivered,
            by.seen,
            by.acknowledged,
            by.in_person,
        ]
    await execute(
        "INSERT INTO building_reach (id, created_at, notice_id, building_id,"
        " targeted, delivered, seen, acknowledged, in_person)"
        f" VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?, ?)'] * len(changes))}"
        " ON CONFLICT (notice_id, building_id) DO UPDATE SET"
        " delivered = building_reach.delivered + excluded.delivered,"
        " seen = building_reach.seen + excluded.seen,"
        " acknowledged = building_reach.acknowledged + excluded.acknowledged,"
        " in_person = building_reach.in_person + excluded.in_person",
        *params,
    )
    work.record(
        Event(
            reach_topic(notice_id),
            Kind.REACH_CHANGED,
            notice_id,
            audience=audiences.overseers(await audiences.audience_of(notice_id)),
            thread=notice_id,
        )
    )
