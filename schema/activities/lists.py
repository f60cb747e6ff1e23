"""What activities add to a community."""

from typing import Annotated

import strawberry

from models.base import now
from models.identity import CommunityRow
from resolvers.activities import reading
from resolvers.activities.reading import ActivityCriteria
from schema.activities.activities import Activity
from schema.activities.terms import ActivityKind
from schema.connections import After, Before, Connection, First, Last, page_args
from schema.fields import VIEWER, Info, load
from schema.node import key_of

HOSTS = ("Organisation", "Group")


@strawberry.type
class CommunityActivities:
    """What activities add to a community."""

    @strawberry.field(
        description="Its activities that the viewer may see: those that are not over, the next one first, or"
        " those that are, the last one first.",
        metadata={"batch": reading.activities_of, **VIEWER},
    )
    @staticmethod
    async def activities(
        root: strawberry.Parent[CommunityRow],
        info: Info,
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
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Activity]:
        wanted = ActivityCriteria(
            # All that ask in one operation mean the same now.
            at=info.context.memo.setdefault("activities at", now()),
            coming=not past,
            kinds=None if kinds is None else frozenset(kinds),
            host_id=None if host is None else key_of("host", host, *HOSTS),
            mine=mine,
        )
        args = page_args(first, after, last, before)
        return await load(info, reading.activities_of, root, wanted, args)  # type: ignore[no-any-return]
