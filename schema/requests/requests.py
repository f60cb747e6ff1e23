"""Service requests and their steps, as clients see them."""

from datetime import datetime

import strawberry

from models import requests as rules
from models.requests import RequestRow, StepRow
from resolvers.identity import around
from resolvers.requests import board, following, policies
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Building, Estate, Home, Neighbour
from schema.links import Community, Organisation, Post
from schema.node import Node, fetched_by
from schema.requests.policies import RequestPolicy
from schema.requests.terms import (
    ConfirmedBy,
    NoteVisibility,
    RequestAction,
    RequestParty,
    RequestState,
    WaitingFor,
)


@fetched_by(board.steps_visible_by_ids)
@strawberry.type(description="One step of a service request. Steps are only ever added.")
class RequestStep(Node):
    ordinal: int = strawberry.field(description="Counts the request's steps, from 1 without gaps.")
    created_at: datetime = strawberry.field(description="When it was.")
    action: RequestAction = strawberry.field(description="What was done.")
    from_state: RequestState | None = strawberry.field(description="The state before; null for the first.")
    to_state: RequestState = strawberry.field(description="The state since.")
    party: RequestParty = strawberry.field(description="In which quality somebody did it.")
    visibility: NoteVisibility = strawberry.field(description="Who reads its note.")
    waiting_for: WaitingFor | None = strawberry.field(description="What the request waits for since.")
    rating: int | None = strawberry.field(description="The rating that was given, 1 to 5.")
    officer: Neighbour | None = loaded(
        board.officers_of, description="The officer who did it; null for the reporter and for the clock."
    )
    office: Organisation | None = loaded(
        board.acting_offices_of, description="The office in whose name it was done."
    )
    to_office: Organisation | None = loaded(
        board.receiving_offices_of, description="The office that was given the request, or offered it."
    )
    assignee: Neighbour | None = loaded(
        board.assignees_of, description="The officer whom the request was given to."
    )
    request: "ServiceRequest" = loaded(board.requests_around, description="The request.")
    linked_request: "ServiceRequest | None" = loaded(
        board.linked_by, viewer=True, description="The other request of a merge."
    )
    viewer_note: str | None = loaded(
        board.notes_of, viewer=True, description="The note, if the viewer may read it."
    )

    @strawberry.field(
        description="The note, up to 1,000 characters. Null if not everyone who sees the step may read it;"
        " whoever may read it finds it in `viewerNote`."
    )
    @staticmethod
    def note(root: strawberry.Parent[StepRow]) -> str | None:
        hidden = root.is_public and root.visibility is not NoteVisibility.PUBLIC
        return None if hidden else root.note

    is_type_of = IsA(StepRow)


def on_board_of(root: strawberry.Parent[RequestRow]) -> bool:
    return root.scope_id == root.community_id


def viewer_actions_of(root: strawberry.Parent[RequestRow], info: Info) -> list[RequestAction]:
    return board.actions_of(info.context, root)


def viewer_is_reporter_of(root: strawberry.Parent[RequestRow], info: Info) -> bool:
    return info.context.viewer.account_id == root.reporter_id


def rating_comment_of(root: strawberry.Parent[RequestRow], info: Info) -> str | None:
    return root.rating_comment if rules.can_see_reporter(info.context.viewer, root) else None


def body_of(root: strawberry.Parent[RequestRow], info: Info) -> str | None:
    return root.body if rules.can_see_reporter(info.context.viewer, root) else None


@fetched_by(board.visible_by_ids)
@strawberry.type(
    description="A case that a resident brought to an office (报修 / 诉求 / 建议 / 办事),"
    " with its public progress. Neighbours see what, where and how far; never whose."
)
class ServiceRequest(Node):
    number: int = strawberry.field(description="Counts the community's requests, from 1.")
    category: str = strawberry.field(description="The category's code, as in `REPAIR`.")
    title: str = strawberry.field(description="What it is about, for everyone.")
    area: str = strawberry.field(description="Where, in words; may be empty.")
    state: RequestState = strawberry.field(description="How far it is.")
    waiting_for: WaitingFor | None = strawberry.field(description="What it waits for, while it does.")
    version: int = strawberry.field(
        description="Grows with each step but notes; what officers and the reporter do asks for it."
    )
    step_count: int = strawberry.field(description="How many steps it has, those of the offices included.")
    follower_count: int = strawberry.field(description="How many neighbours it concerns as well.")
    created_at: datetime = strawberry.field(description="When it was reported.")
    accept_by: datetime = strawberry.field(description="Until when the office accepts it.")
    resolve_by: datetime = strawberry.field(
        description="Until when the office resolves it; later by what the clock has stood still."
    )
    due_at: datetime | None = strawberry.field(
        description="The deadline that runs now. Null while the office waits for the resident,"
        " the reporter has to confirm, or it is closed."
    )
    overdue: bool = strawberry.field(description="Whether that deadline is over.")
    escalated_at: datetime | None = strawberry.field(
        description="When the residents' committee was told that it is overdue, if it ever was."
    )
    done_at: datetime | None = strawberry.field(description="When the office said that it is done.")
    confirm_by: datetime | None = strawberry.field(
        description="While it is done: when it will count as confirmed, unless the reporter returns it."
    )
    confirm_reminded_at: datetime | None = strawberry.field(
        description="When the reporter was reminded of that."
    )
    confirmed_by: ConfirmedBy | None = strawberry.field(description="How it was confirmed, if it is.")
    closed_at: datetime | None = strawberry.field(description="When it was confirmed, withdrawn or merged.")
    rating: int | None = strawberry.field(description="How satisfied the reporter is, 1 to 5.")
    policy: RequestPolicy = loaded(
        policies.policies_around, description="The policy that it was opened under."
    )
    community: Community = loaded(around.communities, description="The community it belongs to.")
    estate: Estate | None = loaded(around.estates, description="The estate it is about.")
    building: Building | None = loaded(around.buildings, description="The building it is about.")
    office: Organisation = loaded(board.offices_of, description="The office that has it.")
    offered_to: Organisation | None = loaded(
        board.offered_to, description="The office that it is offered to."
    )
    assignee: Neighbour | None = loaded(board.assignees_of, description="The officer who is to do it.")
    post: Post | None = loaded(
        board.posts_of, viewer=True, description="The complaint of the feed that it was made of."
    )
    duplicate_of: "ServiceRequest | None" = loaded(
        board.originals_of, viewer=True, description="The request in which it goes on."
    )
    home: Home | None = loaded(
        board.homes_of,
        viewer=True,
        description="The home it is about; for the reporter and the offices. Others see the building.",
    )
    reporter: Neighbour | None = loaded(
        board.reporters_of,
        viewer=True,
        description="Who reported it; for the reporter and the offices.",
    )
    reporter_phone: str | None = loaded(
        board.contacts_of, viewer=True, description="The reporter's phone, masked; for the same."
    )
    viewer_follows: bool = loaded(
        following.followed_by_viewer, viewer=True, description="Whether the viewer follows it."
    )
    body: str | None = strawberry.field(
        resolver=body_of,
        description="What exactly was said; for the reporter and the offices.",
        metadata=VIEWER,
    )
    rating_comment: str | None = strawberry.field(
        resolver=rating_comment_of,
        description="What the reporter said with the rating; for the reporter and the offices.",
        metadata=VIEWER,
    )
    viewer_is_reporter: bool = strawberry.field(
        resolver=viewer_is_reporter_of, description="Whether the viewer reported it.", metadata=VIEWER
    )
    viewer_actions: list[RequestAction] = strawberry.field(
        resolver=viewer_actions_of, description="What the viewer may do with it now.", metadata=VIEWER
    )
    on_board: bool = strawberry.field(resolver=on_board_of, description="Whether it is on the public board.")
    steps: Connection[RequestStep] = connection(
        board.steps_of, viewer=True, description="Its steps that the viewer may see, in their order."
    )
    duplicates: Connection["ServiceRequest"] = connection(
        board.duplicates_of,
        viewer=True,
        description="The requests that were merged into it, the newest first.",
    )

    is_type_of = IsA(RequestRow)
