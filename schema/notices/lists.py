"""The notices of a community, of an office and of the viewer."""

from typing import Annotated

import strawberry

from models.identity import AccountRow
from models.notices import NoticeRow
from models.storage.paging import Page
from resolvers.notices import reading
from schema.connections import After, Before, Connection, First, Last, connection, page_args
from schema.fields import VIEWER, Info
from schema.node import key_of
from schema.notices.notices import Notice
from schema.notices.terms import NoticeCategory, NoticeStatus, Severity

StatusArg = Annotated[NoticeStatus | None, strawberry.argument(description="Only those with this status.")]
SeveritiesArg = Annotated[
    list[Severity] | None, strawberry.argument(description="Only those of these severities.")
]
CategoryArg = Annotated[
    NoticeCategory | None, strawberry.argument(description="Only those of this category.")
]
CommunityArg = Annotated[strawberry.ID, strawberry.argument(description="The community's id.")]
MinSeverityArg = Annotated[
    Severity, strawberry.argument(description="Only those at least as urgent as this.")
]


def filters(
    status: StatusArg = None, severities: SeveritiesArg = None, category: CategoryArg = None
) -> tuple[reading.Filters]:
    chosen = None if severities is None else frozenset(severities)
    return (reading.Filters(status, chosen, category),)


@strawberry.type
class CommunityNotices:
    """What notices add to a community."""

    notices: Connection[Notice] = connection(
        reading.notices_of_communities,
        arguments=filters,
        viewer=True,
        description="The notices that were sent to the viewer or an office of theirs, newest first.",
    )


@strawberry.type
class OrganisationNotices:
    """What notices add to an organisation."""

    notices: Connection[Notice] = connection(
        reading.notices_of_organisations,
        arguments=filters,
        viewer=True,
        description="The notices that it published, as far as the viewer may see them, newest first.",
    )


@strawberry.type
class ViewerNotices:
    """What notices add to the viewer."""

    @strawberry.field(
        graphql_type=Connection[Notice],
        description="The notices in force for the viewer now, newest first.",
        metadata=VIEWER,
    )
    @staticmethod
    async def active_notices(
        root: strawberry.Parent[AccountRow],
        info: Info,
        community_id: CommunityArg,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Page[NoticeRow]:
        args = page_args(first, after, last, before)
        community = key_of("communityId", community_id, "Community")
        return await reading.active(info.context, community, args)

    @strawberry.field(
        graphql_type=Connection[Notice],
        description="The standing notices to the viewer's homes that nobody there has acknowledged,"
        " newest first. A client that missed everything shows these.",
        metadata=VIEWER,
    )
    @staticmethod
    async def unacknowledged_notices(
        root: strawberry.Parent[AccountRow],
        info: Info,
        community_id: CommunityArg,
        min_severity: MinSeverityArg = Severity.INFORMATION,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Page[NoticeRow]:
        args = page_args(first, after, last, before)
        community = key_of("communityId", community_id, "Community")
        return await reading.unacknowledged(info.context, community, min_severity.and_above(), args)
