"""Motions as the viewer may see them. Nothing here tells of a direction before the close."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.base import now
from models.identity import CommunityRow, HomeRow, NeighbourRow
from models.messages import Message
from models.motions import (
    BoxEntryRow,
    ElectorHomeRow,
    ElectorRow,
    ItemRow,
    MotionBuildingRow,
    MotionPhase,
    MotionRow,
    MotionStatus,
    PaperRow,
    ProxyRow,
    ProxyStatus,
    RulesRow,
    Via,
    can_count,
    visible_to,
)
from models.storage.paging import OLDEST, Order, Page, PageArgs
from models.storage.rows import EVERYTHING, Where, select, select_ids
from models.storage.tables import by_ids, every, lists
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import NotAllowed, NotFound
from resolvers.existing import only
from resolvers.identity import (
    community_visible,
    faces_of,
    homes_by_id,
    neighbours,
)
from resolvers.motions.electorate import OWNERS
from resolvers.paging import pages
from subscriptions.events import Logged

NUMBERS = Order("number", ("number",), descending=False)
WALK = Order("walk", ("position",), descending=False)


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[MotionRow | None]:
    return await by_ids(MotionRow, ids, visible_to(ctx.viewer))


async def visible(ctx: Context, motion_id: UUID) -> MotionRow:
    """Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [motion_id]))


async def motion(motion_id: UUID) -> MotionRow:
    """The motion itself, for those who have asked before whether it may be seen."""
    return only(await by_ids(MotionRow, [motion_id]))


async def subjects_of(_ctx: Context, events: Sequence[Logged]) -> list[MotionRow | None]:
    """The motion that each event is about, for those whom the event was for."""
    return await by_ids(MotionRow, [logged.event.subject for logged in events])


async def motions_of_communities(
    ctx: Context,
    communities: Sequence[CommunityRow],
    statuses: frozenset[MotionStatus] | None,
    args: PageArgs,
) -> list[Page[MotionRow]]:
    """For each community its motions that the viewer may see, newest first."""
    where = visible_to(ctx.viewer)
    if statuses is not None:
        where &= Where("t.status IN (?)", (statuses,))
    return await pages(MotionRow, [row.id for row in communities], by="community_id", args=args, where=where)


async def items_of(_ctx: Context, motions: Sequence[MotionRow]) -> list[list[ItemRow]]:
    return await items([row.id for row in motions])


async def items(motion_ids: Sequence[UUID]) -> list[list[ItemRow]]:
    return await lists(ItemRow, motion_ids, by="motion_id", order="t.position")


async def items_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[ItemRow | None]:
    """The items with these ids of motions that the viewer may see."""
    rows = await every(ItemRow, Where("t.id IN (?)", (set(ids),)))
    seen = {row.id for row in await visible_by_ids(ctx, [row.motion_id for row in rows]) if row}
    found = {row.id: row for row in rows if row.motion_id in seen}
    return [found.get(id) for id in ids]


async def rules_of(_ctx: Context, motions: Sequence[MotionRow]) -> list[RulesRow]:
    """The rules that each motion is under."""
    rows = await every(RulesRow, Where("t.id IN (?)", ({row.rules_id for row in motions},)))
    found = {row.id: row for row in rows}
    return [found[row.rules_id] for row in motions]


async def buildings_of(
    _ctx: Context, motions: Sequence[MotionRow], args: PageArgs
) -> list[Page[MotionBuildingRow]]:
    """Who has taken part in each building, in the order of a walk."""
    return await pages(
        MotionBuildingRow,
        [row.id for row in motions],
        by="motion_id",
        args=args,
        order=WALK,
    )


# The viewer's own vote


@dataclass(slots=True)
class OwnHead:
    """A head for which the viewer may cast the ballot."""

    elector: ElectorRow
    motion: MotionRow
    via: Via


@dataclass(slots=True)
class Entitlement:
    motion_id: UUID
    elector_id: UUID
    via: Via


async def entitlements(account_id: UUID, motion_ids: Sequence[UUID]) -> list[Entitlement]:
    """For which heads the account may cast, as one of the owners or by an approved proxy."""
    rows = await select(
        Entitlement,
        "SELECT v.motion_id, v.elector_id, 'OWNER' AS via FROM elector_voter v"
        " WHERE v.account_id = ? AND v.motion_id IN (?)"
        " UNION SELECT h.motion_id, h.elector_id, 'PROXY' AS via FROM vote_proxy p"
        " JOIN elector_home h ON h.motion_id = p.motion_id AND h.home_id = p.home_id"
        " WHERE p.account_id = ? AND p.motion_id IN (?) AND p.status = ?",
        account_id,
        set(motion_ids),
        account_id,
        set(motion_ids),
        ProxyStatus.APPROVED,
    )
    # An owner needs no proxy.
    owned = {row.elector_id for row in rows if row.via is Via.OWNER}
    return [row for row in rows if row.via is Via.OWNER or row.elector_id not in owned]


async def own_heads_of(ctx: Context, motions: Sequence[MotionRow]) -> list[list[OwnHead]]:
    """For each motion the heads for which the viewer may vote; none before the opening."""
    entitled = (
        await entitlements(ctx.account_id, [row.id for row in motions]) if ctx.viewer.account_id else []
    )
    rows = await every(ElectorRow, Where("t.id IN (?)", ({row.elector_id for row in entitled},)), "t.number")
    by_id = {row.id: row for row in motions}
    via = {row.elector_id: row.via for row in entitled}
    found: dict[UUID, list[OwnHead]] = {}
    for row in rows:
        found.setdefault(row.motion_id, []).append(OwnHead(row, by_id[row.motion_id], via[row.id]))
    return [found.get(row.id, []) for row in motions]


async def homes_of_heads(ctx: Context, heads: Sequence[OwnHead]) -> list[list[HomeRow]]:
    return await homes_of_electors(ctx, [head.elector for head in heads])


async def homes_of_electors(ctx: Context, electors: Sequence[ElectorRow]) -> list[list[HomeRow]]:
    """The homes of each head."""
    rows = await every(ElectorHomeRow, Where("t.elector_id IN (?)", ({row.id for row in electors},)))
    homes = await homes_by_id(ctx, [row.home_id for row in rows])
    found: dict[UUID, list[HomeRow]] = {}
    for row, home in zip(rows, homes, strict=True):
        if home is not None:
            found.setdefault(row.elector_id, []).append(home)
    return [found.get(row.id, []) for row in electors]


# The office's side: that a home has voted, never how


async def check_may_count(ctx: Context, row: MotionRow) -> None:
    """Raises NotAllowed, and keeps the attempt, unless the viewer may see who has voted."""
    if not can_count(ctx.viewer, row):
        raise await audit.refuse(
            ctx, "motion.roll", Message("Only officers who count the ballots see who has voted"), row
        )


@dataclass(frozen=True, slots=True)
class RollFilter:
    voted: bool | None = None
    disputed: bool | None = None

    @property
    def where(self) -> Where:
        where = EVERYTHING
        if self.voted is not None:
            where &= Where("t.counted IS NOT NULL" if self.voted else "t.counted IS NULL")
        if self.disputed is not None:
            where &= Where("t.disputed IS NOT NULL" if self.disputed else "t.disputed IS NULL")
        return where


async def rolls_of(
    ctx: Context, motions: Sequence[MotionRow], wanted: RollFilter, args: PageArgs
) -> list[Page[ElectorRow]]:
    """The heads of each motion, by number."""
    await audit.note_reading(ctx, "motion.roll", motions)
    return await pages(
        ElectorRow,
        [row.id for row in motions],
        by="motion_id",
        args=args,
        where=wanted.where,
        order=NUMBERS,
    )


async def rival_ballots_of(_ctx: Context, electors: Sequence[ElectorRow]) -> list[list[BoxEntryRow]]:
    """For each head in conflict its two ballots, the one that counts first."""
    pairs = {
        (row.motion_id, number)
        for row in electors
        if row.disputed is not None
        for number in (row.counted, row.disputed)
    }
    rows = await every(
        BoxEntryRow,
        Where(
            "t.motion_id IN (?) AND t.number IN (?)",
            ({motion_id for motion_id, _ in pairs}, {number for _, number in pairs}),
        ),
        "t.number",
    )
    found = {(row.motion_id, row.number): row for row in rows}
    return [
        [found[row.motion_id, number] for number in (row.counted, row.disputed) if number is not None]
        if row.disputed is not None
        else []
        for row in electors
    ]


async def papers_of(ctx: Context, motions: Sequence[MotionRow], args: PageArgs) -> list[Page[PaperRow]]:
    await audit.note_reading(ctx, "motion.papers", motions)
    return await pages(PaperRow, [row.id for row in motions], by="motion_id", args=args, order=OLDEST)


async def proxies_of(
    ctx: Context, motions: Sequence[MotionRow], status: ProxyStatus | None, args: PageArgs
) -> list[Page[ProxyRow]]:
    """The proxies asked for: all for who decides them, else by the viewer or for a home of theirs."""
    counted = {row.id for row in motions if can_count(ctx.viewer, row)}
    await audit.note_reading(ctx, "motion.proxies", [row for row in motions if row.id in counted])
    where = Where("t.motion_id IN (?)", (counted,)) | proxies_visible_to(ctx)
    if status is not None:
        where &= Where("t.status = ?", (status,))
    return await pages(
        ProxyRow,
        [row.id for row in motions],
        by="motion_id",
        args=args,
        where=where,
        order=OLDEST,
    )


async def enterers_of(ctx: Context, rows: Sequence[PaperRow]) -> list[NeighbourRow]:
    return await neighbours(ctx, [(row.entered_by_id, row.community_id) for row in rows])


async def confirmers_of(ctx: Context, rows: Sequence[PaperRow]) -> list[NeighbourRow | None]:
    return await faces_of(ctx, [(row.confirmed_by_id, row.community_id) for row in rows])


async def papers_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PaperRow | None]:
    """The paper ballots with these ids, for who counts in their community."""
    rows = await every(PaperRow, Where("t.id IN (?)", (set(ids),)))
    motions = {row.id: row for row in await by_ids(MotionRow, [row.motion_id for row in rows]) if row}
    found = {row.id: row for row in rows if can_count(ctx.viewer, motions[row.motion_id])}
    return [found.get(id) for id in ids]


def proxies_visible_to(ctx: Context) -> Where:
    """The proxies (as ``t``) that the viewer asked for, or that are for a home that the viewer owns."""
    return Where(
        "t.account_id = ? OR t.home_id IN (SELECT r.home_id FROM residency r"
        " WHERE r.account_id = ? AND r.until IS NULL AND r.relation IN (?))",
        (ctx.viewer.account_id, ctx.viewer.account_id, OWNERS),
    )


async def proxies_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[ProxyRow | None]:
    """The proxies with these ids that the viewer asked for, is represented by, or decides."""
    if ctx.viewer.account_id is None:
        return [None] * len(ids)
    rows = await every(ProxyRow, Where("t.id IN (?)", (set(ids),)))
    where = proxies_visible_to(ctx)
    own = await select_ids(
        f"SELECT t.id FROM vote_proxy t WHERE t.id IN (?) AND ({where.text})",
        set(ids),
        *where.params,
    )
    mine = set(own)
    motions = {row.id: row for row in await by_ids(MotionRow, [row.motion_id for row in rows]) if row}
    found = {row.id: row for row in rows if row.id in mine or can_count(ctx.viewer, motions[row.motion_id])}
    return [found.get(id) for id in ids]


async def followable(ctx: Context, community_id: UUID, motion_id: UUID | None) -> frozenset[UUID]:
    """The scope that must be held as long as a stream of motions is open.

    Raises Unauthenticated, NotFound, and NotAllowed for those who are not verified in the community.
    """
    _ = ctx.account_id
    await community_visible(ctx, community_id)
    if not ctx.viewer.belongs_to(community_id):
        raise NotAllowed(Message("Only verified residents and officers follow motions"))
    if motion_id is not None and (await visible(ctx, motion_id)).community_id != community_id:
        raise NotFound
    return frozenset({community_id})


def phase(row: MotionRow) -> MotionPhase:
    return row.phase_at(now())
