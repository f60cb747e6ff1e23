"""What activities add to a community."""

from typing import Annotated

import strawberry

from resolvers.activities import reading
from resolvers.activities.reading import ActivityCriteria
from schema.activities.activities import Activity
from schema.activities.terms import ActivityKind
from schema.connections import Connection, connection
from schema.node import key_of

HOSTS = ("Organisation", "Group")


def wanted_of(
    past: Annotated[bool, strawberry.argument(description="Those that are over.")] = False,
    kinds: Annotated[
        list[ActivityKind] | None, strawberry.argument(description="Only of these kinds.")
    ] = None,
    host: Annotated[
        strawberry.ID | None, strawberry.argument(description="Only those held by this host.")
    ] = None,
    mine: Annotated[
        bool, strawberry.argument(description="Only those that the viewer has signed up for.")
    ] = False,
) -> tuple[ActivityCriteria]:
    wanted = ActivityCriteria(
        coming=not past,
        kinds=None if kinds is None else frozenset(kinds),
        host_id=None if host is None else key_of("host", host, *HOSTS),
        mine=mine,
    )
    return (wanted,)


@strawberry.type
class CommunityActivities:
    """What activities add to a community."""

    activities: Connection[Activity] = connection(
        reading.activities_of,
        arguments=wanted_of,
        viewer=True,
        description="Its activities that the viewer may see: those not over, the next one first,"
        " or those that are over, the last one first.",
    )
