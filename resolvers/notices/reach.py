"""Whom a notice reached, in exact integers, and the round to those whom it did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.identity import NeighbourRow
from models.messages import Message
from models.notices import (
    BuildingReachRow,
    NoticeRow,
    Progress,
    ReceiptRow,
    can_see_reach,
    overseeing_offices,
)
from models.storage.paging import OLDEST, Page, PageArgs
from models.storage.rows import Where, select
from models.storage.tables import by_ids
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import NotAllowed
from resolvers.identity import faces_of
from resolvers.notices import audiences, reading
from resolvers.notices.words import PROGRESS
from resolvers.paging import pages
from resolvers.tables import table
from subscriptions.events import Logged

UNREACHED = Where("t.acknowledged_at IS NULL AND t.reached_at IS NULL")
VISITED = Where("t.reached_at IS NOT NULL")

HEADS = (
    Message("Estate"),
    Message("Building"),
    Message("Unit"),
    Message("Home"),
    Message("Progress"),
)


@dataclass(slots=True)
class Reach:
    """How far a notice came, over all of its homes."""

    notice_id: UUID
    targeted: int = 0
    delivered: int = 0
    seen: int = 0
    acknowledged: int = 0
    in_person: int = 0

    @property
    def reached(self) -> int:
        return self.acknowledged + self.in_person


@dataclass(slots=True)
class UnreachedRow:
    notice_id: UUID
    estate: str
    building: str
    unit: str
    number: str
    progress: Progress


NOT_YOURS = Message("Only the publisher and the residents' committee see whom a notice reached")


async def check_may_see(ctx: Context, notice: NoticeRow) -> None:
    """Raises NotAllowed for those whom the reach of `notice` does not concern, and keeps the attempt.

    Of one operation one attempt is kept, of however many notices it asks.
    """
    if can_see_reach(ctx.viewer, notice):
        return
    if ctx.memo.setdefault(("reach refused", notice.community_id), notice.id) != notice.id:
        raise NotAllowed(NOT_YOURS)
    raise await audit.refuse(ctx, "reach", NOT_YOURS, notice)


async def check_may_follow(ctx: Context, notice_id: UUID) -> frozenset[UUID]:
    """The offices of which one must be held to follow the reach of a notice.

    Raises Unauthenticated, NotFound or NotAllowed.
    """
    _ = ctx.account_id
    notice = await reading.visible(ctx, notice_id)
    await check_may_see(ctx, notice)
    await audit.note_reading(ctx, "reachEvents", [notice])
    return audiences.overseers(await audiences.audience_of(notice_id))


async def reaches_by_id(_ctx: Context, ids: Sequence[UUID]) -> list[Reach]:
    """The reach of each notice, by one statement."""
    rows = await select(
        Reach,
        "SELECT notice_id, SUM(targeted) AS targeted, SUM(delivered) AS delivered, SUM(seen) AS seen,"
        " SUM(acknowledged) AS acknowledged, SUM(in_person) AS in_person"
        " FROM building_reach WHERE notice_id IN (?) GROUP BY notice_id",
        set(ids),
    )
    found = {row.notice_id: row for row in rows}
    return [found.get(notice_id) or Reach(notice_id) for notice_id in ids]


async def reaches_of(ctx: Context, notices: Sequence[NoticeRow]) -> list[Reach]:
    return await reaches_by_id(ctx, [notice.id for notice in notices])


async def reaches_of_events(ctx: Context, events: Sequence[Logged]) -> list[Reach]:
    return await reaches_by_id(ctx, [logged.event.subject for logged in events])


async def buildings_of(
    _ctx: Context, reaches: Sequence[Reach], args: PageArgs
) -> list[Page[BuildingReachRow]]:
    """For each reach its buildings, in the order of a walk."""
    return await pages(
        BuildingReachRow,
        [reach.notice_id for reach in reaches],
        by="notice_id",
        args=args,
        order=OLDEST,
    )


async def note(ctx: Context, action: str, reaches: Sequence[Reach]) -> None:
    """Keep that the viewer reads which households these are; of who follows, it was kept at the start."""
    if ctx.holder is None:
        return
    notices = await by_ids(NoticeRow, [reach.notice_id for reach in reaches])
    await audit.note_reading(ctx, action, [notice for notice in notices if notice])


async def unreached(
    ctx: Context, reaches: Sequence[Reach], building_id: UUID | None, grid_id: UUID | None, args: PageArgs
) -> list[Page[ReceiptRow]]:
    """For each reach the homes that nobody answered from or was met in, in the order of a walk."""
    await note(ctx, "unreached", reaches)
    where = UNREACHED
    if building_id is not None:
        where &= Where("t.building_id = ?", (building_id,))
    if grid_id is not None:
        where &= in_grids([grid_id])
    return await receipts(reaches, args, where)


async def visited(ctx: Context, reaches: Sequence[Reach], args: PageArgs) -> list[Page[ReceiptRow]]:
    """For each reach the homes where somebody was told in person."""
    await note(ctx, "visited", reaches)
    return await receipts(reaches, args, VISITED)


async def rounds_of(ctx: Context, notices: Sequence[NoticeRow], args: PageArgs) -> list[Page[ReceiptRow]]:
    """For each notice the unreached homes in the viewer's own grids."""
    await audit.note_reading(
        ctx, "round", [notice for notice in notices if overseeing_offices(ctx.viewer, notice)]
    )
    grids = {
        grid
        for notice in notices
        for office in overseeing_offices(ctx.viewer, notice)
        for grid in office.grids
    }
    return await receipts([Reach(notice.id) for notice in notices], args, UNREACHED & in_grids(grids))


def in_grids(grids: Any) -> Where:
    return Where("t.building_id IN (SELECT id FROM building WHERE grid_id IN (?))", (list(grids),))


async def receipts(reaches: Sequence[Reach], args: PageArgs, where: Where) -> list[Page[ReceiptRow]]:
    return await pages(
        ReceiptRow,
        [reach.notice_id for reach in reaches],
        by="notice_id",
        args=args,
        where=where,
        order=OLDEST,
    )


async def visitors_of(ctx: Context, rows: Sequence[ReceiptRow]) -> list[NeighbourRow | None]:
    """Who reached each household in person, if somebody did."""
    return await faces_of(ctx, [(row.reached_by_id, row.community_id) for row in rows])


async def exports_of(ctx: Context, reaches: Sequence[Reach]) -> list[str]:
    """For each reach all unreached homes as CSV, for the paper round: addresses only, no person."""
    await note(ctx, "unreachedCsv", reaches)
    rows = await select(
        UnreachedRow,
        "SELECT t.notice_id, e.name AS estate, b.name AS building, h.unit, h.number,"
        " CASE WHEN t.seen_at IS NOT NULL THEN 'SEEN' WHEN t.delivered_at IS NOT NULL THEN 'DELIVERED'"
        " ELSE 'TARGETED' END AS progress"
        " FROM receipt t JOIN home h ON h.id = t.home_id JOIN building b ON b.id = t.building_id"
        " JOIN estate e ON e.id = b.estate_id"
        f" WHERE t.notice_id IN (?) AND {UNREACHED.text} ORDER BY t.id",
        {reach.notice_id for reach in reaches},
    )
    found: dict[UUID, list[UnreachedRow]] = {}
    for row in rows:
        found.setdefault(row.notice_id, []).append(row)
    return [table(ctx.language, HEADS, map(cells, found.get(reach.notice_id, []))) for reach in reaches]


def cells(row: UnreachedRow) -> Sequence[object]:
    return row.estate, row.building, row.unit, row.number, PROGRESS[row.progress]
