"""What can be done with service requests."""

from typing import Any

import strawberry

from models.requests import BOARD, RequestRow
from resolvers.paging import edge_cursor
from resolvers.requests import board, following, handling, opening, policies
from resolvers.requests.handling import Act
from resolvers.requests.opening import Place, RequestDraft
from resolvers.requests.policies import Setting
from schema.connections import Edge
from schema.fields import Info
from schema.mutations import mutation
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
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
    WaitRequestInput,
)
from schema.requests.opening import (
    OpenRequestFromPostInput,
    OpenRequestPayload,
    OpenRequestResult,
    SubmitRequestInput,
)
from schema.requests.policies import SetRequestPolicyInput, SetRequestPolicyPayload
from schema.requests.terms import RequestAction

PROBLEMS = (InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)


def opened(row: RequestRow) -> OpenRequestPayload:
    return OpenRequestPayload(request_edge=Edge(node=row, cursor=edge_cursor(BOARD, row)))


async def acted(
    info: Info, input: RequestActInput | RequestReasonInput, action: RequestAction, **more: Any
) -> RequestActPayload:
    act = Act(action=action, note=input.note, visibility=input.visibility, **more)
    return await perform(info, input.request_id, act, input.idempotency_key, input.version)


async def perform(
    info: Info, request_id: str, act: Act, key: str, version: int | None = None
) -> RequestActPayload:
    row, step_id = await handling.act(
        info.context,
        request_id=key_of("requestId", request_id, "ServiceRequest"),
        act=act,
        key=key,
        version=version,
    )
    steps = await board.steps_visible_by_ids(info.context, [step_id])
    return RequestActPayload(request=row, step=steps[0])


@strawberry.type
class RequestsMutation:
    @OpenRequestResult.mutation()
    async def submit_request(self, info: Info, input: SubmitRequestInput) -> OpenRequestPayload:
        """Report something to the office that handles it. For verified residents and officers of the
        community; 10 an hour.
        """
        place = input.place.place() if input.place else Place()
        row = await opening.submit(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            draft=RequestDraft(input.category, input.title, input.body, place),
            key=input.idempotency_key,
        )
        return opened(row)

    @OpenRequestResult.mutation()
    async def open_request_from_post(self, info: Info, input: OpenRequestFromPostInput) -> OpenRequestPayload:
        """Make a service request of a complaint; its steps then appear inside the post's thread. For
        the post's author, and for offices that handle requests.
        """
        row = await opening.open_from_post(
            info.context,
            post_id=key_of("postId", input.post_id, "Post"),
            category=input.category,
            title=input.title,
            place=input.place.place() if input.place else Place(),
            key=input.idempotency_key,
        )
        return opened(row)

    @RequestActResult.mutation()
    async def accept_request(self, info: Info, input: RequestActInput) -> RequestActPayload:
        """Accept a request. For the office that has it."""
        return await acted(info, input, RequestAction.ACCEPT)

    @RequestActResult.mutation()
    async def assign_request(self, info: Info, input: AssignRequestInput) -> RequestActPayload:
        """Give a request to an officer. For the office that has it."""
        assignee = key_of("assigneeId", input.assignee_id, "Neighbour") if input.assignee_id else None
        return await acted(info, input, RequestAction.ASSIGN, assignee=assignee)

    @RequestActResult.mutation()
    async def start_request(self, info: Info, input: RequestActInput) -> RequestActPayload:
        """Begin, or go on after waiting. For the office that has it."""
        return await acted(info, input, RequestAction.START)

    @RequestActResult.mutation()
    async def record_request_visit(self, info: Info, input: RequestActInput) -> RequestActPayload:
        """Record a visit. For the office that has it."""
        return await acted(info, input, RequestAction.VISIT)

    @RequestActResult.mutation()
    async def wait_request(self, info: Info, input: WaitRequestInput) -> RequestActPayload:
        """Say what a request waits for. While it waits for the resident, the time to resolve stands
        still. For the office that has it.
        """
        return await acted(info, input, RequestAction.WAIT, waiting_for=input.waiting_for)

    @RequestActResult.mutation()
    async def finish_request(self, info: Info, input: RequestReasonInput) -> RequestActPayload:
        """Say that a request is done; the reporter confirms or returns it. For the office that has it."""
        return await acted(info, input, RequestAction.FINISH)

    @RequestActResult.mutation()
    async def hand_over_request(self, info: Info, input: HandOverRequestInput) -> RequestActPayload:
        """Offer a request to another office, which accepts or refuses. For the office that has it,
        and for the residents' committee once it was escalated.
        """
        office = key_of("officeId", input.office_id, "Organisation")
        return await acted(info, input, RequestAction.HAND_OVER, to_office_id=office)

    @RequestActResult.mutation()
    async def take_over_request(self, info: Info, input: RequestActInput) -> RequestActPayload:
        """Accept a request that another office offers."""
        return await acted(info, input, RequestAction.TAKE_OVER)

    @RequestActResult.mutation()
    async def refuse_request(self, info: Info, input: RequestReasonInput) -> RequestActPayload:
        """Refuse a request that another office offers: it goes to the residents' committee."""
        return await acted(info, input, RequestAction.REFUSE)

    @RequestActResult.mutation()
    async def recall_request(self, info: Info, input: RequestActInput) -> RequestActPayload:
        """Take back a request that another office has not answered."""
        return await acted(info, input, RequestAction.RECALL)

    @RequestActResult.mutation()
    async def merge_request(self, info: Info, input: MergeRequestInput) -> RequestActPayload:
        """Say that a request is the same matter as another, in which it goes on: its reporter and
        followers follow that one. For the office that has it.
        """
        into = key_of("intoId", input.into_id, "ServiceRequest")
        return await acted(info, input, RequestAction.MERGE, into_id=into)

    @RequestActResult.mutation()
    async def confirm_request(self, info: Info, input: RequestActInput) -> RequestActPayload:
        """Confirm that a request is done. For its reporter."""
        return await acted(info, input, RequestAction.CONFIRM)

    @RequestActResult.mutation()
    async def return_request(self, info: Info, input: RequestReasonInput) -> RequestActPayload:
        """Say that a request is not done, or not the same matter as the one it was merged into: the
        office has it again. For its reporter, for a while after it was confirmed, too.
        """
        return await acted(info, input, RequestAction.RETURN)

    @RequestActResult.mutation()
    async def withdraw_request(self, info: Info, input: RequestActInput) -> RequestActPayload:
        """Take a request back. For its reporter."""
        return await acted(info, input, RequestAction.WITHDRAW)

    @RequestActResult.mutation()
    async def add_request_note(self, info: Info, input: AddRequestNoteInput) -> RequestActPayload:
        """Write something down on a request. For its reporter and the offices concerned."""
        act = Act(action=RequestAction.NOTE, note=input.note, visibility=input.visibility)
        return await perform(info, input.request_id, act, input.idempotency_key)

    @RequestActResult.mutation()
    async def rate_request(self, info: Info, input: RateRequestInput) -> RequestActPayload:
        """Say how satisfied one is with a confirmed request; again to change one's mind. For its reporter."""
        act = Act(action=RequestAction.RATE, note=input.comment, rating=input.rating)
        return await perform(info, input.request_id, act, input.idempotency_key)

    @mutation(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def set_request_following(
        self, info: Info, input: SetRequestFollowingInput
    ) -> SetRequestFollowingPayload:
        """Me too: follow a request and get every change of it, or no longer. For verified residents
        and officers of the community.
        """
        key = key_of("requestId", input.request_id, "ServiceRequest")
        row = await following.set_following(info.context, request_id=key, on=input.on)
        return SetRequestFollowingPayload(request=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def set_request_policy(self, info: Info, input: SetRequestPolicyInput) -> SetRequestPolicyPayload:
        """Set how a category of service requests is handled from now on. For administrators of the
        residents' committee.
        """
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
        row = await policies.set_policy(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            code=input.code,
            setting=setting,
            version=input.version,
        )
        return SetRequestPolicyPayload(policy=row)
