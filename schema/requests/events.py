"""What happens to service requests, live."""

from typing import Annotated

import strawberry

from models import requests as rules
from resolvers.requests import board, queues
from schema.fields import Info, loaded
from schema.links import Organisation
from schema.node import key_of
from schema.requests.requests import RequestStep, ServiceRequest
from schema.streams import Events, event
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream


@event(
    Kind.REQUEST_STEP,
    "A step was added to a service request. In a post's thread, to the request that was made of the post.",
)
class RequestStepAdded:
    step: RequestStep | None = loaded(board.steps_of_events, description="The step.")
    request: ServiceRequest | None = loaded(
        board.requests_of_step_events, description="The request as it is now."
    )


@event(Kind.REQUEST_FOLLOWED, "More neighbours, or fewer, follow a service request.")
class RequestFollowersChanged:
    request: ServiceRequest | None = loaded(board.requests_of_events, description="The request as it is now.")


@event(Kind.REQUEST_QUEUED, "A service request came into an office's queue, moved in it, or left it.")
class OfficeQueueChanged:
    request: ServiceRequest | None = loaded(board.requests_of_events, description="The request as it is now.")
    organisation: Organisation | None = loaded(board.offices_of_events, description="The office.")


REQUEST_EVENTS = Events(
    "RequestEvent",
    RequestStepAdded,
    RequestFollowersChanged,
    description="What happens to one service request.",
)
OFFICE_QUEUE_EVENTS = Events(
    "OfficeQueueEvent", OfficeQueueChanged, description="What happens to one office's queue."
)


@strawberry.type
class RequestsSubscription:
    @REQUEST_EVENTS.subscription
    async def request_events(
        self,
        info: Info,
        request_id: Annotated[strawberry.ID, strawberry.argument(description="The request.")],
    ) -> Stream:
        """What happens to a service request: each step, and who follows it."""
        _ = info.context.account_id
        row = await board.visible(info.context, key_of("requestId", request_id, "ServiceRequest"))
        return Stream(
            topic=community_topic(row.community_id),
            kinds=REQUEST_EVENTS.kinds,
            requires=rules.audience(row),
            filters=frozenset({("request", frozenset({str(row.id)}))}),
        )

    @OFFICE_QUEUE_EVENTS.subscription
    async def office_queue_events(
        self,
        info: Info,
        organisation_id: Annotated[strawberry.ID, strawberry.argument(description="The office.")],
    ) -> Stream:
        """What happens to an office's queue. For those who handle its requests."""
        office = await queues.followed_queue(
            info.context, key_of("organisationId", organisation_id, "Organisation")
        )
        return Stream(
            topic=community_topic(office.community_id),
            kinds=OFFICE_QUEUE_EVENTS.kinds,
            requires=frozenset({office.id}),
            thread=office.id,
        )
