"""The public register of places: communities, estates, grids, buildings, homes.

Any signed-in account may read it, since who applies for a home must find it. Who lives where is no
part of it.
"""

import re
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from models.identity import (
    BuildingRow,
    CommunityRow,
    EstateRow,
    GridRow,
    HomeRow,
    may_look_into,
)
from models.organisations import OrganisationRow
from models.storage.paging import OLDEST, BadPage, Page, PageArgs, beyond, key_of, pages_of, sequence
from models.storage.rows import EVERYTHING, columns, containing, select
from models.storage.tables import by_ids
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotFound, Unauthenticated
from resolvers.identity import around
from resolvers.paging import pages

R = TypeVar("R")


# What the register holds under these ids; for fields of rows that the viewer was shown already.


async def communities_by_id(_ctx: Context, ids: Sequence[UUID | None]) -> list[CommunityRow | None]:
    return await by_ids(CommunityRow, ids)


async def estates_by_id(_ctx: Context, ids: Sequence[UUID | None]) -> list[EstateRow | None]:
    return await by_ids(EstateRow, ids)


async def grids_by_id(_ctx: Context, ids: Sequence[UUID | None]) -> list[GridRow | None]:
    return await by_ids(GridRow, ids)


async def buildings_by_id(_ctx: Context, ids: Sequence[UUID | None]) -> list[BuildingRow | None]:
    return await by_ids(BuildingRow, ids)


async def homes_by_id(_ctx: Context, ids: Sequence[UUID | None]) -> list[HomeRow | None]:
    return await by_ids(HomeRow, ids)


async def organisations_by_id(_ctx: Context, ids: Sequence[UUID | None]) -> list[OrganisationRow | None]:
    return await by_ids(OrganisationRow, ids)


# The same, for ids that a client sent: nothing without an account.


async def visible_communities_by_id(ctx: Context, ids: Sequence[UUID]) -> list[CommunityRow | None]:
    return await communities_by_id(ctx, ids if ctx.viewer.account_id else [None] * len(ids))


async def visible_estates_by_id(ctx: Context, ids: Sequence[UUID]) -> list[EstateRow | None]:
    return await estates_by_id(ctx, ids if ctx.viewer.account_id else [None] * len(ids))


async def visible_grids_by_id(ctx: Context, ids: Sequence[UUID]) -> list[GridRow | None]:
    return await grids_by_id(ctx, ids if ctx.viewer.account_id else [None] * len(ids))


async def visible_buildings_by_id(ctx: Context, ids: Sequence[UUID]) -> list[BuildingRow | None]:
    return await buildings_by_id(ctx, ids if ctx.viewer.account_id else [None] * len(ids))


async def visible_homes_by_id(ctx: Context, ids: Sequence[UUID]) -> list[HomeRow | None]:
    return await homes_by_id(ctx, ids if ctx.viewer.account_id else [None] * len(ids))


async def community_visible(ctx: Context, community_id: UUID) -> CommunityRow:
    """The community, for whoever may look at its public content. Raises NotFound."""
    (found,) = await communities_by_id(ctx, [community_id])
    if found is None or not may_look_into(ctx.viewer, community_id):
        raise NotFound
    return found


async def communities(ctx: Context, args: PageArgs, name: str | None = None) -> Page[CommunityRow]:
    """All communities, those whose name holds `name`. Raises Unauthenticated, InvalidInput."""
    if ctx.viewer.account_id is None:
        raise Unauthenticated
    where = EVERYTHING
    if name is not None:
        where = containing("t.name", name)
    try:
        for cursor, field, forward in ((args.after, "after", True), (args.before, "before", False)):
            if cursor is not None:
                where &= beyond(OLDEST, key_of(CommunityRow, OLDEST, cursor, field), forward=forward)
    except BadPage as error:
        raise InvalidInput(error.message, **{error.field: error.message}) from error
    rows = await select(
        CommunityRow,
        f"SELECT {columns(CommunityRow)} FROM community t WHERE {where.text}"
        f" ORDER BY {sequence(OLDEST, args, 't')} LIMIT {args.size + 1}",
        *where.params,
    )
    (page,) = pages_of([rows], args, OLDEST)
    return page


async def estates_of(
    _ctx: Context, communities: Sequence[CommunityRow], args: PageArgs
) -> list[Page[EstateRow]]:
    """The estates of each community."""
    ids = [row.id for row in communities]
    return await pages(EstateRow, ids, by="community_id", args=args, order=OLDEST)


async def grids_of(_ctx: Context, communities: Sequence[CommunityRow], args: PageArgs) -> list[Page[GridRow]]:
    """The grids of each community."""
    ids = [row.id for row in communities]
    return await pages(GridRow, ids, by="community_id", args=args, order=OLDEST)


async def buildings_of(
    _ctx: Context, estates: Sequence[EstateRow], args: PageArgs
) -> list[Page[BuildingRow]]:
    """The buildings of each estate."""
    ids = [row.id for row in estates]
    return await pages(BuildingRow, ids, by="estate_id", args=args, order=OLDEST)


async def homes_of(_ctx: Context, buildings: Sequence[BuildingRow], args: PageArgs) -> list[Page[HomeRow]]:
    """The homes of each building."""
    ids = [row.id for row in buildings]
    return await pages(HomeRow, ids, by="building_id", args=args, order=OLDEST)


async def labels_of(ctx: Context, homes: Sequence[HomeRow]) -> list[str]:
    """What each home is called, as on its door: ``3-2-501``."""
    buildings = await around.buildings(ctx, homes)
    return [
        label(building.name if building else "", home.unit, home.number)
        for home, building in zip(homes, buildings, strict=True)
    ]


def label(building: str, unit: str, number: str) -> str:
    """``3号楼``, ``2``, ``501`` → ``3-2-501``; a home without a unit has two parts."""
    short = re.sub(r"(号楼|号|楼|栋|幢|座)$", "", building) or building
    return "-".join(part for part in (short, unit, number) if part)
