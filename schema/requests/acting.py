"""What is done with a service request that is open."""

import strawberry

from models.requests import RequestRow, StepRow
from schema.mutations import IDEMPOTENCY_KEY, Result, payload, shown
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
from schema.requests.requests import RequestStep, ServiceRequest
from schema.requests.terms import NoteVisibility, WaitingFor

NOTE = "Up to 1,000 characters. Numbers of documents and bank cards in it are masked."


@strawberry.input(description="Something to do with a service request.")
class RequestActInput:
    request_id: strawberry.ID = strawberry.field(description="The request.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    note: str = strawberry.field(default="", description=NOTE)
    visibility: NoteVisibility | None = strawberry.field(
        default=None,
        description="Who reads the note; left out, everyone for an office's, the offices for the reporter's.",
    )


@strawberry.input(description="Something to do with a service request, and why.")
class RequestReasonInput:
    request_id: strawberry.ID = strawberry.field(description="The request.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    note: str = strawberry.field(description="Why, or what was done. " + NOTE)
    visibility: NoteVisibility | None = strawberry.field(
        default=None,
        description="Who reads the note; the reporter always does."
        " By default everyone reads an office's, and the offices the reporter's.",
    )


@strawberry.input(description="To whom a service request is given.")
class AssignRequestInput(RequestActInput):
    assignee_id: strawberry.ID | None = strawberry.field(
        default=None, description="The officer, a neighbour; left out, the viewer."
    )


@strawberry.input(description="What a service request waits for.")
class WaitRequestInput(RequestReasonInput):
    waiting_for: WaitingFor = strawberry.field(description="What it waits for.")


@strawberry.input(description="To which office a service request is offered.")
class HandOverRequestInput(RequestReasonInput):
    office_id: strawberry.ID = strawberry.field(description="The office.")


@strawberry.input(description="With which request a service request goes on.")
class MergeRequestInput(RequestActInput):
    into_id: strawberry.ID = strawberry.field(description="The request that takes it in.")


@strawberry.input(description="A note on a service request.")
class AddRequestNoteInput:
    request_id: strawberry.ID = strawberry.field(description="The request.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    note: str = strawberry.field(description="1 to 1,000 characters.")
    visibility: NoteVisibility | None = strawberry.field(
        default=None, description="Who reads it; left out, everyone for an office's, the offices for others'."
    )


@strawberry.input(description="How satisfied the reporter is.")
class RateRequestInput:
    request_id: strawberry.ID = strawberry.field(description="The request, confirmed.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    rating: int = strawberry.field(description="1 to 5.")
    comment: str = strawberry.field(default="", description="For the offices; up to 500 characters.")


@payload("It is done, and in the request's history.")
class RequestActPayload:
    request: RequestRow = shown(ServiceRequest, "As it is now.")
    step: StepRow | None = shown(RequestStep | None, "The step that was added.")


RequestActResult = Result(
    "RequestActResult",
    RequestActPayload,
    InvalidInput,
    NotAllowed,
    NotFound,
    Conflict,
    RateLimited,
    description="What came of doing something with a service request.",
)


@strawberry.input(description="Whether a service request concerns the viewer as well.")
class SetRequestFollowingInput:
    request_id: strawberry.ID = strawberry.field(description="The request.")
    on: bool = strawberry.field(description="True to follow it, false to follow it no longer.")


@payload("The viewer follows the request, or not, as asked for.")
class SetRequestFollowingPayload:
    request: RequestRow = shown(ServiceRequest, "As it is now.")
