"""What can be done with service requests."""

from typing import Annotated, Any

import strawberry

from models.requests import BOARD
from resolvers.paging import edge_cursor
from resolvers.requests import board, following, handling, opening, policies
from resolvers.requests.handling import Act
from resolvers.requests.opening import Place, RequestDraft
from resolvers.requests.policies import Setting
from schema.connections import Edge
from schema.fields import Info
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited, answering_problems
from schema.requests.acting import (
    AddRequestNoteInput,
    AssignRequestInput,
    HandOverRequestInput,
    MergeRequestInput,
    RateRequestInput,
    RequestActInput,
    RequestActPayload,
    RequestActResult,
    RequestReasonInput,
    SetRequestFollowingInput,
    SetRequestFollowingPayload,
    SetRequestFollowingResult,
    WaitRequestInput,
)
from schema.requests.opening import (
    OpenRequestFromPostInput,
    OpenRequestPayload,
    OpenRequestResult,
    SubmitRequestInput,
)
from schema.requests.policies import SetRequestPolicyInput, SetRequestPolicyPayload, SetRequestPolicyResult
from schema.requests.terms import RequestAction

INPUT = strawberry.argument(description="What to do.")
PROBLEMS = (InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)


def opened(row: Any) -> OpenRequestPayload:
    return OpenRequestPayload(request_edge=Edge(node=row, cursor=edge_cursor(BOARD, row)))


async def acted(
    info: Info, input: RequestActInput | RequestReasonInput, action: RequestAction, **more: Any
) -> RequestActPayload:
    act = Act(action=action, note=input.note, visibility=input.visibility, **more)
    return await perform(info, input.request_id, act, input.idempotency_key, input.version)


async def perform(
    info: Info, request_id: str, act: Act, key: str, version: int | None = None
) -> RequestActPayload:
    row: Any
    row, step_id = await handling.act(
        info.context,
        request_id=key_of("requestId", request_id, "ServiceRequest"),
        act=act,
        key=key,
        version=version,
    )
    steps: list[Any] = await board.steps_visible_by_ids(info.context, [step_id])
    return RequestActPayload(request=row, step=steps[0])


@strawberry.type
class RequestsMutation:
    @strawberry.mutation(
        description="Report something to the office that handles it. For verified residents and officers of"
        " the community; 10 an hour."
    )
    @answering_problems(*PROBLEMS)
    async def submit_request(
        self, info: Info, input: Annotated[SubmitRequestInput, INPUT]
    ) -> OpenRequestResult:
        place = input.place.place() if input.place else Place()
        row = await opening.submit(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            draft=RequestDraft(input.category, input.title, input.body, place),
            key=input.idempotency_key,
        )
        return opened(row)

    @strawberry.mutation(
        description="Make a service request of a complaint; its steps then appear inside the post's thread."
        " For the post's author, and for offices that handle requests."
    )
    @answering_problems(*PROBLEMS)
    async def open_request_from_post(
        self, info: Info, input: Annotated[OpenRequestFromPostInput, INPUT]
    ) -> OpenRequestResult:
        row = await opening.open_from_post(
            info.context,
            post_id=key_of("postId", input.post_id, "Post"),
            category=input.category,
            title=input.title,
            place=input.place.place() if input.place else Place(),
            key=input.idempotency_key,
        )
        return opened(row)

    @strawberry.mutation(description="Accept a request. For the office that has it.")
    @answering_problems(*PROBLEMS)
    async def accept_request(self, info: Info, input: Annotated[RequestActInput, INPUT]) -> RequestActResult:
        return await acted(info, input, RequestAction.ACCEPT)

    @strawberry.mutation(description="Give a request to an officer. For the office that has it.")
    @answering_problems(*PROBLEMS)
    async def assign_request(
        self, info: Info, input: Annotated[AssignRequestInput, INPUT]
    ) -> RequestActResult:
        assignee = key_of("assigneeId", input.assignee_id, "Neighbour") if input.assignee_id else None
        return await acted(info, input, RequestAction.ASSIGN, assignee=assignee)

    @strawberry.mutation(description="Begin, or go on after waiting. For the office that has it.")
    @answering_problems(*PROBLEMS)
    async def start_request(self, info: Info, input: Annotated[RequestActInput, INPUT]) -> RequestActResult:
        return await acted(info, input, RequestAction.START)

    @strawberry.mutation(description="Record a visit. For the office that has it.")
    @answering_problems(*PROBLEMS)
    async def record_request_visit(
        self, info: Info, input: Annotated[RequestActInput, INPUT]
    ) -> RequestActResult:
        return await acted(info, input, RequestAction.VISIT)

    @strawberry.mutation(
        description="Say what a request waits for. While it waits for the resident, the time to resolve"
        " stands still. For the office that has it."
    )
    @answering_problems(*PROBLEMS)
    async def wait_request(self, info: Info, input: Annotated[WaitRequestInput, INPUT]) -> RequestActResult:
        return await acted(info, input, RequestAction.WAIT, waiting_for=input.waiting_for)

    @strawberry.mutation(
        description="Say that a request is done; the reporter confirms or returns it. For the office that"
        " has it."
    )
    @answering_problems(*PROBLEMS)
    async def finish_request(
        self, info: Info, input: Annotated[RequestReasonInput, INPUT]
    ) -> RequestActResult:
        return await acted(info, input, RequestAction.FINISH)

    @strawberry.mutation(
        description="Offer a request to another office, which accepts or refuses. For the office that has"
        " it, and for the residents' committee once it was escalated."
    )
    @answering_problems(*PROBLEMS)
    async def hand_over_request(
        self, info: Info, input: Annotated[HandOverRequestInput, INPUT]
    ) -> RequestActResult:
        office = key_of("officeId", input.office_id, "Organisation")
        return await acted(info, input, RequestAction.HAND_OVER, to_office_id=office)

    @strawberry.mutation(description="Accept a request that another office offers.")
    @answering_problems(*PROBLEMS)
    async def take_over_request(
        self, info: Info, input: Annotated[RequestActInput, INPUT]
    ) -> RequestActResult:
        return await acted(info, input, RequestAction.TAKE_OVER)

    @strawberry.mutation(
        description="Refuse a request that another office offers: it goes to the residents' committee."
    )
    @answering_problems(*PROBLEMS)
    async def refuse_request(
        self, info: Info, input: Annotated[RequestReasonInput, INPUT]
    ) -> RequestActResult:
        return await acted(info, input, RequestAction.REFUSE)

    @strawberry.mutation(description="Take back a request that another office has not answered.")
    @answering_problems(*PROBLEMS)
    async def recall_request(self, info: Info, input: Annotated[RequestActInput, INPUT]) -> RequestActResult:
        return await acted(info, input, RequestAction.RECALL)

    @strawberry.mutation(
        description="Say that a request is the same matter as another, in which it goes on: its reporter and"
        " followers follow that one. For the office that has it."
    )
    @answering_problems(*PROBLEMS)
    async def merge_request(self, info: Info, input: Annotated[MergeRequestInput, INPUT]) -> RequestActResult:
        into = key_of("intoId", input.into_id, "ServiceRequest")
        return await acted(info, input, RequestAction.MERGE, into_id=into)

    @strawberry.mutation(description="Confirm that a request is done. For its reporter.")
    @answering_problems(*PROBLEMS)
    async def confirm_request(self, info: Info, input: Annotated[RequestActInput, INPUT]) -> RequestActResult:
        return await acted(info, input, RequestAction.CONFIRM)

    @strawberry.mutation(
        description="Say that a request is not done, or not the same matter as the one it was merged into:"
        " the office has it again. For its reporter, for a while after it was confirmed, too."
    )
    @answering_problems(*PROBLEMS)
    async def return_request(
        self, info: Info, input: Annotated[RequestReasonInput, INPUT]
    ) -> RequestActResult:
        return await acted(info, input, RequestAction.RETURN)

    @strawberry.mutation(description="Take a request back. For its reporter.")
    @answering_problems(*PROBLEMS)
    async def withdraw_request(
        self, info: Info, input: Annotated[RequestActInput, INPUT]
    ) -> RequestActResult:
        return await acted(info, input, RequestAction.WITHDRAW)

    @strawberry.mutation(
        description="Write something down on a request. For its reporter and the offices concerned."
    )
    @answering_problems(*PROBLEMS)
    async def add_request_note(
        self, info: Info, input: Annotated[AddRequestNoteInput, INPUT]
    ) -> RequestActResult:
        act = Act(action=RequestAction.NOTE, note=input.note, visibility=input.visibility)
        return await perform(info, input.request_id, act, input.idempotency_key)

    @strawberry.mutation(
        description="Say how satisfied one is with a confirmed request; again to change one's mind. For its"
        " reporter."
    )
    @answering_problems(*PROBLEMS)
    async def rate_request(self, info: Info, input: Annotated[RateRequestInput, INPUT]) -> RequestActResult:
        act = Act(action=RequestAction.RATE, note=input.comment, rating=input.rating)
        return await perform(info, input.request_id, act, input.idempotency_key)

    @strawberry.mutation(
        description="Me too: follow a request and get every change of it, or no longer. For verified"
        " residents and officers of the community."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def set_request_following(
        self, info: Info, input: Annotated[SetRequestFollowingInput, INPUT]
    ) -> SetRequestFollowingResult:
        key = key_of("requestId", input.request_id, "ServiceRequest")
        row: Any = await following.set_following(info.context, request_id=key, on=input.on)
        return SetRequestFollowingPayload(request=row)

    @strawberry.mutation(
        description="Set how a category of service requests is handled from now on. For administrators of the"
        " residents' committee."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def set_request_policy(
        self, info: Info, input: Annotated[SetRequestPolicyInput, INPUT]
    ) -> SetRequestPolicyResult:
        setting = Setting(
            name=input.name,
            office_kind=input.office_kind,
            accept_seconds=input.accept_seconds,
            resolve_seconds=input.resolve_seconds,
            remind_seconds=input.remind_seconds,
            confirm_seconds=input.confirm_seconds,
            confirm_remind_seconds=input.confirm_remind_seconds,
            reopen_seconds=input.reopen_seconds,
            on_board=input.on_board,
            retired=input.retired,
        )
        row: Any = await policies.set_policy(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            code=input.code,
            setting=setting,
            version=input.version,
        )
        return SetRequestPolicyPayload(policy=row)
