"""Who looks after a grid, and so after a home."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.offices import grids
from schema.fields import loaded

if TYPE_CHECKING:
    from schema.organisations import Appointment

WHO = "for verified residents and officers of the community; empty for everyone else."


@strawberry.type
class GridWorkers:
    """What offices add to a grid."""

    version: int = strawberry.field(description="Raised by every change of its name or its buildings.")
    workers: list[Annotated["Appointment", strawberry.lazy("schema.organisations")]] = loaded(
        grids.workers_of, description=f"Who looks after it now, {WHO}", viewer=True
    )


@strawberry.type
class HomeWorkers:
    """What offices add to a home."""

    grid_workers: list[Annotated["Appointment", strawberry.lazy("schema.organisations")]] = loaded(
        grids.workers_of_homes, description=f"Who looks after the grid that it is in, {WHO}", viewer=True
    )
