"""Grids made, renamed, filled with buildings, and given to workers."""

import strawberry

from models.identity import GridRow
from models.organisations import AppointmentRow
from resolvers.offices import grids
from schema.fields import Info
from schema.identity import Grid
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import key_of
from schema.organisations import Appointment
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound

FOR = "For administrators of the residents' committee."


@strawberry.input(description="A grid to be made.")
class CreateGridInput:
    community_id: strawberry.ID = strawberry.field(description="The community that it will be a part of.")
    name: str = strawberry.field(description="Its name, up to 80 characters, the only one in the community.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@payload("The grid is there, without buildings.")
class CreateGridPayload:
    grid: GridRow = shown(Grid, "As it is now.")


@strawberry.input(description="Another name for a grid.")
class RenameGridInput:
    grid_id: strawberry.ID = strawberry.field(description="The grid.")
    version: int = strawberry.field(description="The version that was looked at.")
    name: str = strawberry.field(description="The new name, up to 80 characters.")


@payload("The grid has its new name.")
class RenameGridPayload:
    grid: GridRow = shown(Grid, "As it is now.")


@strawberry.input(description="Which buildings to put into which grid.")
class AssignBuildingsInput:
    grid_id: strawberry.ID = strawberry.field(description="The grid.")
    version: int = strawberry.field(description="The version that was looked at.")
    building_ids: list[strawberry.ID] = strawberry.field(
        description="1 to 200 buildings of the community; they leave the grid that they are in."
    )


@payload("The buildings are in the grid.")
class AssignBuildingsPayload:
    grid: GridRow = shown(Grid, "As it is now.")


@strawberry.input(description="Which buildings to take out of a grid.")
class ReleaseBuildingsInput:
    grid_id: strawberry.ID = strawberry.field(description="The grid.")
    version: int = strawberry.field(description="The version that was looked at.")
    building_ids: list[strawberry.ID] = strawberry.field(
        description="1 to 200 buildings of the community; those that are not in the grid stay where they are."
    )


@payload("The buildings are in no grid.")
class ReleaseBuildingsPayload:
    grid: GridRow = shown(Grid, "As it is now.")


@strawberry.input(description="Which grid a grid worker looks after from now on.")
class AssignWorkerInput:
    appointment_id: strawberry.ID = strawberry.field(description="The grid worker's appointment.")
    version: int = strawberry.field(description="The version that was looked at.")
    grid_id: strawberry.ID = strawberry.field(description="The grid.")


@payload("The worker looks after the grid.")
class AssignWorkerPayload:
    appointment: AppointmentRow = shown(Appointment, "As it is now.")


@strawberry.type
class GridsMutation:
    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def create_grid(self, info: Info, input: CreateGridInput) -> CreateGridPayload:
        """Make a grid. For administrators of the residents' committee."""
        row = await grids.create_grid(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            name=input.name,
            key=input.idempotency_key,
        )
        return CreateGridPayload(grid=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def rename_grid(self, info: Info, input: RenameGridInput) -> RenameGridPayload:
        """Rename a grid. For administrators of the residents' committee."""
        row = await grids.rename_grid(
            info.context,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
            version=input.version,
            name=input.name,
        )
        return RenameGridPayload(grid=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def assign_buildings(self, info: Info, input: AssignBuildingsInput) -> AssignBuildingsPayload:
        """Put buildings into a grid. For administrators of the residents' committee."""
        row = await grids.assign_buildings(
            info.context,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
            version=input.version,
            building_ids=[key_of("buildingIds", id, "Building") for id in input.building_ids],
        )
        return AssignBuildingsPayload(grid=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def release_buildings(self, info: Info, input: ReleaseBuildingsInput) -> ReleaseBuildingsPayload:
        """Take buildings out of a grid. For administrators of the residents' committee."""
        row = await grids.release_buildings(
            info.context,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
            version=input.version,
            building_ids=[key_of("buildingIds", id, "Building") for id in input.building_ids],
        )
        return ReleaseBuildingsPayload(grid=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def assign_worker(self, info: Info, input: AssignWorkerInput) -> AssignWorkerPayload:
        """Give a grid worker another grid. For administrators of the residents' committee."""
        row = await grids.assign_worker(
            info.context,
            appointment_id=key_of("appointmentId", input.appointment_id, "Appointment"),
            version=input.version,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
        )
        return AssignWorkerPayload(appointment=row)
