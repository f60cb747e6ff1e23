"""Estates, buildings, homes and grids: the register of places that any signed-in account may read."""

import strawberry

from models.identity import BuildingRow, EstateRow, GridRow, HomeRow
from resolvers.identity import addresses, around
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity.residencies import HomeResidents
from schema.node import Node, fetched_by
from schema.workers import GridWorkers, HomeWorkers


@fetched_by(addresses.visible_grids_by_id)
@strawberry.type(description="A group of buildings with one named worker.")
class Grid(Node, GridWorkers):
    name: str = strawberry.field(description="Its name.")

    is_type_of = IsA(GridRow)


@fetched_by(addresses.visible_homes_by_id)
@strawberry.type(description="A home: what one household lives in and an owner votes for.")
class Home(Node, HomeResidents, HomeWorkers):
    unit: str = strawberry.field(description="The unit, empty in a building without units.")
    number: str = strawberry.field(description="The number inside the unit.")
    area_cm2: int = strawberry.field(description="The exclusive area in square centimetres, exact.")
    label: str = loaded(addresses.labels_of, description="Building, unit and number, as in `3-2-501`.")
    building: "Building" = loaded(around.buildings, description="The building it is in.")

    is_type_of = IsA(HomeRow)


@fetched_by(addresses.visible_buildings_by_id)
@strawberry.type(description="A building of an estate.")
class Building(Node):
    name: str = strawberry.field(description="Its name, as in `3号楼`.")
    estate: "Estate" = loaded(around.estates, description="The estate it belongs to.")
    grid: Grid | None = loaded(around.grids, description="The grid it is in, if any.")
    homes: Connection[Home] = connection(addresses.homes_of, description="Its homes.")

    is_type_of = IsA(BuildingRow)


@fetched_by(addresses.visible_estates_by_id)
@strawberry.type(description="A housing estate inside a community.")
class Estate(Node):
    name: str = strawberry.field(description="Its name.")
    address: str = strawberry.field(description="Where it is; may be empty.")
    buildings: Connection[Building] = connection(addresses.buildings_of, description="Its buildings.")

    is_type_of = IsA(EstateRow)


@strawberry.type
class CommunityRegister:
    """What the register adds to a community."""

    estates: Connection[Estate] = connection(addresses.estates_of, description="Its estates.")
    grids: Connection[Grid] = connection(addresses.grids_of, description="Its grids.")
