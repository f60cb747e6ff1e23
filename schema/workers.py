"""Who looks after a grid, and so after a home."""

import strawberry

from resolvers.directory import listing
from resolvers.offices import grids
from schema.fields import loaded
from schema.links import Appointment, DirectoryEntry

WHO = "for verified residents and officers of the community; empty for everyone else."


@strawberry.type
class GridWorkers:
    """What offices add to a grid."""

    version: int = strawberry.field(description="Raised by every change of its name or its buildings.")
    workers: list[Appointment] = loaded(
        grids.workers_of, description=f"Who looks after it now, {WHO}", viewer=True
    )


@strawberry.type
class HomeWorkers:
    """What offices add to a home."""

    grid_workers: list[Appointment] = loaded(
        grids.workers_of_homes, description=f"Who looks after the grid that it is in, {WHO}", viewer=True
    )
    grid_services: list[DirectoryEntry] = loaded(
        listing.grid_services_of,
        description="How to reach its grid: the directory's entries for this grid, then those for all."
        " For those who may look at the community.",
        viewer=True,
    )
