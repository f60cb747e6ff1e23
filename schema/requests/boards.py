"""Where service requests are listed: a community's progress board, an office's queue."""

from datetime import datetime
from typing import Annotated

import strawberry

from models import requests as rules
from models.base import now
from models.identity import CommunityRow
from models.messages import Message
from models.organisations import OrganisationRow
from resolvers.errors import InvalidInput as BadInput
from resolvers.requests import board, policies, queues, statistics
from resolvers.requests.board import RequestCriteria
from resolvers.requests.queues import QueueCounts
from resolvers.requests.statistics import Period
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, load, loaded
from schema.node import key_of
from schema.requests.policies import RequestPolicy
from schema.requests.requests import ServiceRequest
from schema.requests.statistics import RequestStatistics
from schema.requests.terms import RequestBucket, RequestState


@strawberry.input(description="Which service requests; what is left out is any.")
class RequestFilter:
    states: list[RequestState] | None = strawberry.field(default=None, description="In one of these states.")
    categories: list[str] | None = strawberry.field(default=None, description="In one of these categories.")
    office: strawberry.ID | None = strawberry.field(default=None, description="That this office has.")
    building: strawberry.ID | None = strawberry.field(default=None, description="About this building.")
    estate: strawberry.ID | None = strawberry.field(default=None, description="About this estate.")
    overdue: bool | None = strawberry.field(default=None, description="Overdue ones, or the others.")
    open: bool | None = strawberry.field(default=None, description="Open ones, or closed ones.")
    mine: bool = strawberry.field(default=False, description="Only those that the viewer reported.")
    followed: bool = strawberry.field(default=False, description="Only those that the viewer follows.")

    def wanted(self) -> RequestCriteria:
        """Raises InvalidInput."""
        if self.categories is not None and len(self.categories) > MOST_CATEGORIES:
            raise BadInput(categories=Message("At most {most}", most=MOST_CATEGORIES))
        return RequestCriteria(
            states=None if self.states is None else frozenset(self.states),
            categories=None if self.categories is None else frozenset(self.categories),
            office_id=key_of("office", self.office, "Organisation") if self.office else None,
            building_id=key_of("building", self.building, "Building") if self.building else None,
            estate_id=key_of("estate", self.estate, "Estate") if self.estate else None,
            overdue=self.overdue,
            open=self.open,
            mine=self.mine,
            followed=self.followed,
        )


MOST_CATEGORIES = 100


def requests_wanted(
    filter: Annotated[
        RequestFilter | None, strawberry.argument(description="Only these; left out, all.")
    ] = None,
) -> tuple[RequestCriteria]:
    return (filter.wanted() if filter else RequestCriteria(),)


@strawberry.type
class CommunityRequests:
    """What service requests add to a community."""

    request_policies: list[RequestPolicy] = loaded(
        policies.policies_of,
        viewer=True,
        description="The categories of service requests, each with the policy that holds for new ones.",
    )
    requests: Connection[ServiceRequest] = connection(
        board.board_of,
        arguments=requests_wanted,
        viewer=True,
        description="The progress board: its service requests that the viewer may see, the newest first.",
    )

    @strawberry.field(
        description="Whether the viewer may report and follow service requests here.", metadata=VIEWER
    )
    @staticmethod
    def viewer_can_report(root: strawberry.Parent[CommunityRow], info: Info) -> bool:
        return rules.can_report(info.context.viewer, root.id)


@strawberry.type(description="How many service requests are in each part of an office's queue.")
class RequestCounts:
    to_accept: int = strawberry.field(description="New ones, to accept or to hand over.")
    handed_over_to_us: int = strawberry.field(description="Offered by another office.")
    in_hand: int = strawberry.field(description="Accepted, assigned or in progress.")
    waiting: int = strawberry.field(description="Waiting for the resident, for parts or for others.")
    returned: int = strawberry.field(description="Returned by the reporter.")
    overdue: int = strawberry.field(description="Past the deadline that runs now, in whichever state.")
    handed_over: int = strawberry.field(description="Offered to another office, which has not answered.")
    to_confirm: int = strawberry.field(description="Done, for the reporter to confirm.")
    escalated: int = strawberry.field(description="Open ones of any office that were overdue.")

    is_type_of = IsA(QueueCounts)


def of_queue(
    bucket: Annotated[RequestBucket, strawberry.argument(description="Which part.")],
    assigned_to_me: Annotated[
        bool, strawberry.argument(description="Only those that the viewer is to do.")
    ] = False,
) -> tuple[RequestBucket, bool]:
    return bucket, assigned_to_me


@strawberry.type
class OrganisationRequests:
    """What service requests add to an organisation."""

    request_counts: RequestCounts | None = loaded(
        queues.counts_of,
        viewer=True,
        description="How long its queue is; null for those who do not handle its requests.",
    )
    request_queue: Connection[ServiceRequest] = connection(
        queues.queue_of,
        arguments=of_queue,
        viewer=True,
        description="A part of its queue, the longest waiting first."
        " For officers who handle its requests; empty for others.",
    )

    @strawberry.field(
        description="How it answers, resolves and satisfies."
        " For its officers and the residents' committee; null for others.",
        graphql_type=RequestStatistics | None,
        metadata={"batch": statistics.statistics_of, **VIEWER},
    )
    @staticmethod
    async def request_statistics(
        root: strawberry.Parent[OrganisationRow],
        info: Info,
        since: Annotated[datetime, strawberry.argument(description="Received from then on.")],
        until: Annotated[
            datetime | None, strawberry.argument(description="Received before then; left out, until now.")
        ] = None,
        building: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only about this building.")
        ] = None,
        category: Annotated[str | None, strawberry.argument(description="Only in this category.")] = None,
    ) -> statistics.Statistics | None:
        for name, moment in (("since", since), ("until", until)):
            if moment is not None and moment.tzinfo is None:
                raise BadInput(**{name: Message("Needs a time zone")})
        building_id = key_of("building", building, "Building") if building else None
        # All that ask in one operation mean the same now.
        until = until or info.context.memo.setdefault("request statistics until", now())
        period = Period(since, until, building_id, category)
        return await load(info, statistics.statistics_of, root, period)
