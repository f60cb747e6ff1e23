"""Grids: which buildings are in each, and who looks after them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.base import new_id
from models.identity import CommunityRow, GridRow, HomeRow
from models.messages import Message
from models.organisations import AppointmentRow, OrganisationRow, can_manage_grids
from models.powers import Power
from models.roles import Role
from models.storage.rows import Where, execute, select, select_ids
from models.storage.tables import every, insert, one
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotFound
from resolvers.existing import locked, only
from resolvers.identity.addresses import community_visible, grids_by_id
from resolvers.offices.founding import TAKEN, check_free, check_name, raise_version
from resolvers.organisations import appointment, visible_appointments_by_id
from resolvers.retries import earlier_result
from subscriptions.events import STANDING, Event, Kind
from subscriptions.work import Work

MOST_BUILDINGS = 200
ONLY_ADMINISTRATORS = Message("Only administrators of the residents' committee may do this")


async def create_grid(ctx: Context, *, community_id: UUID, name: str, key: str) -> GridRow:
    """Make a grid without buildings. Raises Conflict, NotFound, NotAllowed, InvalidInput."""
    _ = ctx.account_id
    await community_visible(ctx, community_id)
    if not can_manage_grids(ctx.viewer, community_id):
        raise await audit.refuse(ctx, "createGrid", ONLY_ADMINISTRATORS, community_id=community_id)
    name = check_name(name)
    grid_id = new_id()
    async with ctx.unit_of_work():
        earlier = await earlier_result(ctx, key, "createGrid", [community_id, name], grid_id)
        if earlier is None:
            made = await insert(
                GridRow(id=grid_id, community_id=community_id, name=name), "(community_id, name) DO NOTHING"
            )
            if not made:
                raise InvalidInput(name=TAKEN)
            await audit.record(
                ctx,
                "createGrid",
                community_id=community_id,
                power=Power.MANAGE_GRIDS,
                subject_id=grid_id,
                detail=name,
            )
    return await grid(ctx, earlier or grid_id)


async def rename_grid(ctx: Context, *, grid_id: UUID, version: int, name: str) -> GridRow:
    """Give a grid another name. Raises NotFound, NotAllowed, InvalidInput, Conflict."""
    row = await editable(ctx, grid_id, "renameGrid")
    name = check_name(name)
    async with ctx.unit_of_work():
        await locked(CommunityRow, row.community_id)
        await check_free("grid", row.community_id, name, row.id)
        await raise_version("grid", row, version, name)
        await audit.record(ctx, "renameGrid", row, power=Power.MANAGE_GRIDS, detail=name)
    return await grid(ctx, row.id)


async def assign_buildings(
    ctx: Context, *, grid_id: UUID, version: int, building_ids: Sequence[UUID]
) -> GridRow:
    """Put buildings into a grid, out of whichever they are in.

    What their residents hold changes with it. Raises NotFound, NotAllowed, InvalidInput, Conflict.
    """
    row = await editable(ctx, grid_id, "assignBuildings")
    ids = await check_buildings(row.community_id, building_ids)
    async with ctx.unit_of_work() as work:
        await locked(CommunityRow, row.community_id)
        await raise_version("grid", row, version)
        # Whoever looks at the grids that lose them has seen something else.
        await execute(
            "UPDATE grid SET version = version + 1 WHERE id <> ? AND id IN"
            " (SELECT grid_id FROM building WHERE id IN (?)) RETURNING id",
            row.id,
            ids,
        )
        moved = await execute(
            "UPDATE building SET grid_id = ? WHERE id IN (?) AND (grid_id IS NULL OR grid_id <> ?)"
            " RETURNING id",
            row.id,
            ids,
            row.id,
        )
        await tell_residents(work, moved)
        await audit.record(
            ctx,
            "assignBuildings",
            row,
            power=Power.MANAGE_GRIDS,
            detail=Message("{count} buildings", count=len(moved)),
        )
    return await grid(ctx, row.id)


async def release_buildings(
    ctx: Context, *, grid_id: UUID, version: int, building_ids: Sequence[UUID]
) -> GridRow:
    """Take buildings out of a grid. Raises NotFound, NotAllowed, InvalidInput, Conflict."""
    row = await editable(ctx, grid_id, "releaseBuildings")
    ids = await check_buildings(row.community_id, building_ids)
    async with ctx.unit_of_work() as work:
        await locked(CommunityRow, row.community_id)
        await raise_version("grid", row, version)
        moved = await execute(
            "UPDATE building SET grid_id = NULL WHERE id IN (?) AND grid_id = ? RETURNING id", ids, row.id
        )
        await tell_residents(work, moved)
        await audit.record(
            ctx,
            "releaseBuildings",
            row,
            power=Power.MANAGE_GRIDS,
            detail=Message("{count} buildings", count=len(moved)),
        )
    return await grid(ctx, row.id)


async def assign_worker(ctx: Context, *, appointment_id: UUID, version: int, grid_id: UUID) -> AppointmentRow:
    """Give a grid worker another grid. Raises NotFound, NotAllowed, InvalidInput, Conflict."""
    _ = ctx.account_id
    held = only(await visible_appointments_by_id(ctx, [appointment_id]))
    if not can_manage_grids(ctx.viewer, held.community_id):
        raise await audit.refuse(ctx, "assignWorker", ONLY_ADMINISTRATORS, held, power=Power.MANAGE_GRIDS)
    if held.role is not Role.GRID_WORKER:
        raise InvalidInput(appointmentId=Message("Only a grid worker has a grid"))
    (wanted,) = await grids_by_id(ctx, [grid_id])
    if wanted is None or wanted.community_id != held.community_id:
        raise InvalidInput(gridId=Message("A grid worker has a grid of the community"))
    async with ctx.unit_of_work() as work:
        await locked(OrganisationRow, held.organisation_id)
        twice = await one(
            AppointmentRow,
            Where(
                "t.organisation_id = ? AND t.account_id = ? AND t.grid_id = ? AND t.revoked_at IS NULL"
                " AND t.id <> ?",
                (held.organisation_id, held.account_id, grid_id, held.id),
            ),
        )
        if twice:
            raise Conflict(Message("The worker looks after this grid already"), twice)
        changed = await execute(
            "UPDATE appointment SET grid_id = ?, version = version + 1"
            " WHERE id = ? AND version = ? AND revoked_at IS NULL RETURNING id",
            grid_id,
            held.id,
            version,
        )
        if not changed:
            raise Conflict(Message("It has been changed meanwhile"), held)
        work.record(Event(STANDING, Kind.STANDING_CHANGED, held.account_id))
        await audit.record(ctx, "assignWorker", held, power=Power.MANAGE_GRIDS, detail=wanted.name)
    return await appointment(held.id)


async def editable(ctx: Context, grid_id: UUID, action: str) -> GridRow:
    """The grid, for who may change it. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await grid(ctx, grid_id)
    if not can_manage_grids(ctx.viewer, row.community_id):
        # The register of places is public, and so is the grid; who belongs elsewhere learns no more.
        if not ctx.viewer.belongs_to(row.community_id):
            raise NotFound
        raise await audit.refuse(ctx, action, ONLY_ADMINISTRATORS, row)
    return row


async def grid(ctx: Context, grid_id: UUID) -> GridRow:
    return only(await grids_by_id(ctx, [grid_id]))


async def check_buildings(community_id: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """The buildings, each once. Raises InvalidInput unless all are in the community."""
    wanted = list(dict.fromkeys(ids))
    if not 1 <= len(wanted) <= MOST_BUILDINGS:
        raise InvalidInput(buildingIds=Message("From 1 to {most} buildings", most=MOST_BUILDINGS))
    found = await execute(
        "SELECT id FROM building WHERE community_id = ? AND id IN (?)", community_id, wanted
    )
    if len(found) < len(wanted):
        raise InvalidInput(buildingIds=Message("Holds a place that is not in the community"))
    return wanted


async def tell_residents(work: Work, buildings: Sequence[dict[str, object]]) -> None:
    """Have every process look again at who lives in these buildings: they hold another grid now."""
    residents = await select_ids(
        "SELECT DISTINCT r.account_id FROM residency r JOIN home h ON h.id = r.home_id"
        " WHERE r.until IS NULL AND h.building_id IN (?)",
        [building["id"] for building in buildings],
    )
    work.record(*(Event(STANDING, Kind.STANDING_CHANGED, account_id) for account_id in residents))


# Reading


async def workers_of(ctx: Context, grids: Sequence[GridRow]) -> list[list[AppointmentRow]]:
    """Who looks after each grid now, for verified residents and officers of its community."""
    return await workers(ctx, [row.id for row in grids])


async def workers(ctx: Context, grids: Sequence[UUID | None]) -> list[list[AppointmentRow]]:
    rows = await every(
        AppointmentRow,
        Where(
            "t.grid_id IN (?) AND t.revoked_at IS NULL AND t.community_id IN (?)",
            ({grid_id for grid_id in grids if grid_id}, ctx.viewer.communities),
        ),
    )
    return [[row for row in rows if grid_id and row.grid_id == grid_id] for grid_id in grids]


@dataclass(slots=True)
class InGrid:
    id: UUID
    grid_id: UUID | None


async def workers_of_homes(ctx: Context, homes: Sequence[HomeRow]) -> list[list[AppointmentRow]]:
    """Who looks after the grid that each home is in, for verified residents and officers."""
    buildings = await select(
        InGrid, "SELECT id, grid_id FROM building WHERE id IN (?)", {home.building_id for home in homes}
    )
    grid_of = {row.id: row.grid_id for row in buildings}
    return await workers(ctx, [grid_of.get(home.building_id) for home in homes])
