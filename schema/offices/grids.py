"""Grids made, renamed, filled with buildings, and given to workers."""

from typing import Annotated, Any

import strawberry

from resolvers.offices import grids
from schema.fields import Info
from schema.identity import Grid
from schema.node import key_of
from schema.organisations import INPUT, Appointment
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, answering_problems

FOR = "For administrators of the residents' committee."


@strawberry.input(description="A grid to be made.")
class CreateGridInput:
    community_id: strawberry.ID = strawberry.field(description="The community that it will be a part of.")
    name: str = strawberry.field(description="Its name, up to 80 characters, the only one in the community.")
    idempotency_key: str = strawberry.field(description="Repeating the call with it changes nothing.")


@strawberry.type(description="The grid is there, without buildings.")
class CreateGridPayload:
    grid: Grid = strawberry.field(description="As it is now.")


@strawberry.input(description="Another name for a grid.")
class RenameGridInput:
    grid_id: strawberry.ID = strawberry.field(description="The grid.")
    version: int = strawberry.field(description="The version that was looked at.")
    name: str = strawberry.field(description="The new name, up to 80 characters.")


@strawberry.type(description="The grid has its new name.")
class RenameGridPayload:
    grid: Grid = strawberry.field(description="As it is now.")


@strawberry.input(description="Which buildings to put into which grid.")
class AssignBuildingsInput:
    grid_id: strawberry.ID = strawberry.field(description="The grid.")
    version: int = strawberry.field(description="The version that was looked at.")
    building_ids: list[strawberry.ID] = strawberry.field(
        description="1 to 200 buildings of the community; they leave the grid that they are in."
    )


@strawberry.type(description="The buildings are in the grid.")
class AssignBuildingsPayload:
    grid: Grid = strawberry.field(description="As it is now.")


@strawberry.input(description="Which buildings to take out of a grid.")
class ReleaseBuildingsInput:
    grid_id: strawberry.ID = strawberry.field(description="The grid.")
    version: int = strawberry.field(description="The version that was looked at.")
    building_ids: list[strawberry.ID] = strawberry.field(
        description="1 to 200 buildings of the community; those that are not in the grid stay where they are."
    )


@strawberry.type(description="The buildings are in no grid.")
class ReleaseBuildingsPayload:
    grid: Grid = strawberry.field(description="As it is now.")


@strawberry.input(description="Which grid a grid worker looks after from now on.")
class AssignWorkerInput:
    appointment_id: strawberry.ID = strawberry.field(description="The grid worker's appointment.")
    version: int = strawberry.field(description="The version that was looked at.")
    grid_id: strawberry.ID = strawberry.field(description="The grid.")


@strawberry.type(description="The worker looks after the grid.")
class AssignWorkerPayload:
    appointment: Appointment = strawberry.field(description="As it is now.")


CreateGridResult = Annotated[
    CreateGridPayload | InvalidInput | NotFound | NotAllowed | Conflict,
    strawberry.union("CreateGridResult", description="What `createGrid` answers."),
]
RenameGridResult = Annotated[
    RenameGridPayload | InvalidInput | NotFound | NotAllowed | Conflict,
    strawberry.union("RenameGridResult", description="What `renameGrid` answers."),
]
AssignBuildingsResult = Annotated[
    AssignBuildingsPayload | InvalidInput | NotFound | NotAllowed | Conflict,
    strawberry.union("AssignBuildingsResult", description="What `assignBuildings` answers."),
]
ReleaseBuildingsResult = Annotated[
    ReleaseBuildingsPayload | InvalidInput | NotFound | NotAllowed | Conflict,
    strawberry.union("ReleaseBuildingsResult", description="What `releaseBuildings` answers."),
]
AssignWorkerResult = Annotated[
    AssignWorkerPayload | InvalidInput | NotFound | NotAllowed | Conflict,
    strawberry.union("AssignWorkerResult", description="What `assignWorker` answers."),
]


@strawberry.type
class GridsMutation:
    @strawberry.mutation(description=f"Make a grid. {FOR}")
    @answering_problems(InvalidInput, NotFound, NotAllowed, Conflict)
    async def create_grid(self, info: Info, input: Annotated[CreateGridInput, INPUT]) -> CreateGridResult:
        row: Any = await grids.create_grid(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            name=input.name,
            key=input.idempotency_key,
        )
        return CreateGridPayload(grid=row)

    @strawberry.mutation(description=f"Rename a grid. {FOR}")
    @answering_problems(InvalidInput, NotFound, NotAllowed, Conflict)
    async def rename_grid(self, info: Info, input: Annotated[RenameGridInput, INPUT]) -> RenameGridResult:
        row: Any = await grids.rename_grid(
            info.context,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
            version=input.version,
            name=input.name,
        )
        return RenameGridPayload(grid=row)

    @strawberry.mutation(description=f"Put buildings into a grid. {FOR}")
    @answering_problems(InvalidInput, NotFound, NotAllowed, Conflict)
    async def assign_buildings(
        self, info: Info, input: Annotated[AssignBuildingsInput, INPUT]
    ) -> AssignBuildingsResult:
        row: Any = await grids.assign_buildings(
            info.context,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
            version=input.version,
            building_ids=[key_of("buildingIds", id, "Building") for id in input.building_ids],
        )
        return AssignBuildingsPayload(grid=row)

    @strawberry.mutation(description=f"Take buildings out of a grid. {FOR}")
    @answering_problems(InvalidInput, NotFound, NotAllowed, Conflict)
    async def release_buildings(
        self, info: Info, input: Annotated[ReleaseBuildingsInput, INPUT]
    ) -> ReleaseBuildingsResult:
        row: Any = await grids.release_buildings(
            info.context,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
            version=input.version,
            building_ids=[key_of("buildingIds", id, "Building") for id in input.building_ids],
        )
        return ReleaseBuildingsPayload(grid=row)

    @strawberry.mutation(description=f"Give a grid worker another grid. {FOR}")
    @answering_problems(InvalidInput, NotFound, NotAllowed, Conflict)
    async def assign_worker(
        self, info: Info, input: Annotated[AssignWorkerInput, INPUT]
    ) -> AssignWorkerResult:
        row: Any = await grids.assign_worker(
            info.context,
            appointment_id=key_of("appointmentId", input.appointment_id, "Appointment"),
            version=input.version,
            grid_id=key_of("gridId", input.grid_id, "Grid"),
        )
        return AssignWorkerPayload(appointment=row)
