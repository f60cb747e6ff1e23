"""What happens to service requests, live."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from models import requests as rules
from resolvers.requests import board, queues
from schema.fields import Info, loaded
from schema.node import key_of
from schema.requests.policies import OrganisationType
from schema.requests.requests import RequestStep, ServiceRequest
from schema.streams import AFTER, Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream


@strawberry.type(
    description="Something happened to a service request: a step was added. Inside a post's thread, to the"
    " request that was made of the post."
)
class RequestStepAdded:
    is_type_of = of_kind(Kind.REQUEST_STEP)
    step: RequestStep | None = loaded(board.steps_of_events, description="The step.")
    request: ServiceRequest | None = loaded(
        board.requests_of_step_events, description="The request as it is now."
    )


@strawberry.type(description="More neighbours, or fewer, follow a service request.")
class RequestFollowersChanged:
    is_type_of = of_kind(Kind.REQUEST_FOLLOWED)
    request: ServiceRequest | None = loaded(board.requests_of_events, description="The request as it is now.")


@strawberry.type(description="A service request came into an office's queue, moved in it, or left it.")
class OfficeQueueChanged:
    is_type_of = of_kind(Kind.REQUEST_QUEUED)
    request: ServiceRequest | None = loaded(board.requests_of_events, description="The request as it is now.")
    organisation: OrganisationType | None = loaded(board.offices_of_events, description="The office.")


RequestEvent = Annotated[
    RequestStepAdded | RequestFollowersChanged | StreamOpened | StreamReset,
    strawberry.union("RequestEvent", description="What happens to one service request."),
]
OfficeQueueEvent = Annotated[
    OfficeQueueChanged | StreamOpened | StreamReset,
    strawberry.union("OfficeQueueEvent", description="What happens to one office's queue."),
]
REQUEST_KINDS = frozenset({Kind.REQUEST_STEP, Kind.REQUEST_FOLLOWED})
AfterEvent = Annotated[str | None, strawberry.argument(description=AFTER)]


@strawberry.type
class RequestsSubscription:
    @strawberry.subscription(description="What happens to a service request: each step, and who follows it.")
    async def request_events(
        self,
        info: Info,
        request_id: Annotated[strawberry.ID, strawberry.argument(description="The request.")],
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[RequestEvent], None]:
        _ = info.context.account_id
        row = await board.visible(info.context, key_of("requestId", request_id, "ServiceRequest"))
        stream = Stream(
            topic=community_topic(row.community_id),
            kinds=REQUEST_KINDS,
            requires=rules.audience(row),
            filters=frozenset({("request", frozenset({str(row.id)}))}),
        )
        return follow(stream, after)  # type: ignore[no-any-return]

    @strawberry.subscription(
        description="What happens to an office's queue. For those who handle its requests."
    )
    async def office_queue_events(
        self,
        info: Info,
        organisation_id: Annotated[strawberry.ID, strawberry.argument(description="The office.")],
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[OfficeQueueEvent], None]:
        office = await queues.followed_queue(
            info.context, key_of("organisationId", organisation_id, "Organisation")
        )
        stream = Stream(
            topic=community_topic(office.community_id),
            kinds=frozenset({Kind.REQUEST_QUEUED}),
            requires=frozenset({office.id}),
            thread=office.id,
        )
        return follow(stream, after)  # type: ignore[no-any-return]
