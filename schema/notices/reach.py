"""Whom a notice reached, as the offices see it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from models.notices import BuildingReachRow, ReceiptRow
from resolvers.identity import around
from resolvers.notices import reach as reaches
from resolvers.notices.reach import Reach as ReachFound
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Building, Home, Neighbour
from schema.node import key_of
from schema.notices.terms import Progress, ReachedHow


@strawberry.type(description="How far a notice came with one household.")
class Receipt:
    home: Home = loaded(around.homes, description="The household's home.")
    building: Building = loaded(around.buildings, description="The home's building.")
    progress: Progress = strawberry.field(description="How far it came.")
    delivered_at: datetime | None = strawberry.field(description="When it first arrived on a device.")
    seen_at: datetime | None = strawberry.field(description="When it was first on a screen.")
    acknowledged_at: datetime | None = strawberry.field(description="When somebody there acknowledged it.")
    reached_at: datetime | None = strawberry.field(description="When they were told in person.")
    reached_how: ReachedHow | None = strawberry.field(description="How they were told in person.")
    reached_by: Neighbour | None = loaded(reaches.visitors_of, description="Who told them in person.")

    is_type_of = IsA(ReceiptRow)


@strawberry.type(
    description="Whom a notice reached in one building. Household counts; a share is `reached` of `targeted`."
)
class BuildingReach:
    building: Building = loaded(around.buildings, description="The building.")
    targeted: int = strawberry.field(description="Households it was sent to, fixed at sending.")
    delivered: int = strawberry.field(description="Of these, where it arrived on a device.")
    seen: int = strawberry.field(description="Of these, where it was on a screen.")
    acknowledged: int = strawberry.field(description="Of these, where somebody acknowledged it.")
    in_person: int = strawberry.field(
        description="Of these, where somebody was told in person and nobody acknowledged."
    )
    reached: int = strawberry.field(description="`acknowledged` and `inPerson` together.")

    is_type_of = IsA(BuildingReachRow)


def within(
    building_id: Annotated[
        strawberry.ID | None, strawberry.argument(description="Only in this building.")
    ] = None,
    grid_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only in this grid.")] = None,
) -> tuple[UUID | None, UUID | None]:
    building = key_of("buildingId", building_id, "Building") if building_id else None
    grid = key_of("gridId", grid_id, "Grid") if grid_id else None
    return building, grid


@strawberry.type(
    description="Whom a notice reached. Household counts, exact; a share is `reached` of `targeted`."
)
class Reach:
    targeted: int = strawberry.field(description="Households it was sent to, fixed at sending.")
    delivered: int = strawberry.field(description="Of these, where it arrived on a device.")
    seen: int = strawberry.field(description="Of these, where it was on a screen.")
    acknowledged: int = strawberry.field(description="Of these, where somebody acknowledged it.")
    in_person: int = strawberry.field(
        description="Of these, where somebody was told in person and nobody acknowledged."
    )
    reached: int = strawberry.field(description="`acknowledged` and `inPerson` together.")
    unreached_csv: str = loaded(
        reaches.exports_of,
        description="All households not reached, as CSV for a round on paper: addresses only, no person.",
        viewer=True,
    )
    by_building: Connection[BuildingReach] = connection(
        reaches.buildings_of, description="The same per building, in the order of a walk."
    )
    unreached: Connection[Receipt] = connection(
        reaches.unreached,
        arguments=within,
        description="The households neither acknowledged nor told in person, in the order of a walk.",
    )
    visits: Connection["Visit"] = connection(
        reaches.visited, description="The households that somebody told in person, acknowledged since or not."
    )

    is_type_of = IsA(ReachFound)


def resolve_how(root: strawberry.Parent[ReceiptRow]) -> ReachedHow | None:
    return root.reached_how


def resolve_note(root: strawberry.Parent[ReceiptRow]) -> str:
    return root.reached_note


@strawberry.type(description="That a household was told of a notice in person, as the offices see it.")
class Visit:
    home: Home = loaded(around.homes, description="The household's home.")
    building: Building = loaded(around.buildings, description="The home's building.")
    how: ReachedHow | None = strawberry.field(resolver=resolve_how, description="How they were told.")
    visitor: Neighbour | None = loaded(reaches.visitors_of, description="Who told them.")
    note: str = strawberry.field(resolver=resolve_note, description="What the visitor noted; may be empty.")
    reached_at: datetime | None = strawberry.field(description="When they were told.")
    acknowledged_at: datetime | None = strawberry.field(
        description="When somebody there acknowledged the notice, if they did; then it counts as that."
    )

    is_type_of = IsA(ReceiptRow)
