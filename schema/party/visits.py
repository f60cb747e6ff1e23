"""The log of a party branch's visits to homes, as its officers see it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from models.party.visits import HomeVisitRow
from models.requests import RequestRow
from resolvers.identity import around
from resolvers.party import visits
from resolvers.party.visits import Visit
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity import Home, Neighbour
from schema.links import Organisation
from schema.mutations import IDEMPOTENCY_KEY, Result, mutation, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
from schema.requests.requests import ServiceRequest
from schema.requests.terms import RequestState


@strawberry.type(description="How far the case is that was made of a visit.")
class HomeVisitFollowUp:
    number: int = strawberry.field(description="The service request's number in the community.")
    title: str = strawberry.field(description="What it is about.")
    state: RequestState = strawberry.field(description="How far it is.")
    due_at: datetime | None = strawberry.field(description="The deadline that runs now.")
    closed_at: datetime | None = strawberry.field(description="When it was closed.")

    is_type_of = IsA(RequestRow)


@fetched_by(visits.visible_by_ids)
@strawberry.type(description="A visit to a home (入户走访); for officers who keep the branch's log.")
class HomeVisit(Node):
    visited_at: datetime = strawberry.field(description="When it was.")
    created_at: datetime = strawberry.field(description="When it was written down.")
    consented: bool = strawberry.field(
        description="Whether the household agrees that what it said is kept; otherwise only the fact is."
    )
    version: int = strawberry.field(description="Pass it with a change, so that none overwrites another.")
    branch: Organisation = loaded(around.branches, description="The branch.")
    home: Home = loaded(around.homes, description="Where.")
    visitors: list[Neighbour] = loaded(visits.visitors_of, description="Who went there.")
    recorded_by: Neighbour = loaded(visits.recorders_of, description="Who wrote it down.")
    follow_up: HomeVisitFollowUp | None = loaded(
        visits.requests_of, description="How far the case is that was made of it, if one was."
    )
    request: ServiceRequest | None = loaded(
        visits.requests_seen, viewer=True, description="That case itself, where the viewer may see it."
    )

    @strawberry.field(description="Whether there are notes. `readVisitNotes` gives them, and is audited.")
    @staticmethod
    def has_notes(root: strawberry.Parent[HomeVisitRow]) -> bool:
        return root.notes_sealed is not None

    is_type_of = IsA(HomeVisitRow)


HomeArgument = Annotated[strawberry.ID | None, strawberry.argument(description="Only those to this home.")]


def to_home(home_id: HomeArgument = None) -> tuple[UUID | None]:
    return (key_of("homeId", home_id, "Home") if home_id else None,)


@strawberry.type
class OrganisationVisits:
    """What visits add to an organisation that is a party branch."""

    home_visits: Connection[HomeVisit] = connection(
        visits.visits_of,
        arguments=to_home,
        viewer=True,
        description="The party branch's visits to homes, the latest written first."
        " For officers who keep its log; empty for others.",
    )


@strawberry.input(description="A visit to a home.")
class RecordHomeVisitInput:
    branch_id: strawberry.ID = strawberry.field(description="The party branch.")
    home_id: strawberry.ID = strawberry.field(description="Where.")
    visited_at: datetime = strawberry.field(description="When, within the past year.")
    visitor_ids: list[strawberry.ID] = strawberry.field(
        description="Who went there: 1 to 10 neighbours who are officers or members of the branch."
    )
    consented: bool = strawberry.field(
        description="Whether the household agrees that what it said is kept. Without it, no notes."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    notes: str = strawberry.field(
        default="", description="What was said, up to 2,000 characters; kept sealed."
    )


@strawberry.input(description="Of which visit the household does not want its words kept any more.")
class WithdrawVisitConsentInput:
    visit_id: strawberry.ID = strawberry.field(description="The visit.")
    version: int = strawberry.field(description="Of the visit, as it was read.")


@strawberry.input(description="Of which visit to read the notes, and why.")
class ReadVisitNotesInput:
    visit_id: strawberry.ID = strawberry.field(description="The visit.")
    reason: str = strawberry.field(description="4 to 300 characters; kept in the audit log.")


@strawberry.input(description="What to make of a visit.")
class OpenRequestFromVisitInput:
    visit_id: strawberry.ID = strawberry.field(description="The visit.")
    category: str = strawberry.field(description="The code of one of the community's `requestPolicies`.")
    title: str = strawberry.field(
        description="What it is about, 1 to 80 characters, without names: neighbours may see it."
    )
    body: str = strawberry.field(description="What exactly, for the offices; 1 to 2,000 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@payload("The visit was written down or changed.")
class HomeVisitPayload:
    visit: HomeVisitRow = shown(HomeVisit, "As it is now.")


@payload("The notes, in clear.")
class ReadVisitNotesPayload:
    visit: HomeVisitRow = shown(HomeVisit, "The visit.")
    notes: str | None = strawberry.field(description="What was said; null if nothing is kept.")


PROBLEMS = (InvalidInput, NotFound, NotAllowed, Conflict, RateLimited)
HomeVisitResult = Result(
    "HomeVisitResult",
    HomeVisitPayload,
    *PROBLEMS,
    description="What came of writing a visit down or changing it.",
)


@strawberry.type
class VisitsMutation:
    @HomeVisitResult.mutation()
    async def record_home_visit(self, info: Info, input: RecordHomeVisitInput) -> HomeVisitPayload:
        """Write a visit to a home down. For officers who keep the party branch's log."""
        row = await visits.record(
            info.context,
            branch_id=key_of("branchId", input.branch_id, "Organisation"),
            visit=Visit(
                home_id=key_of("homeId", input.home_id, "Home"),
                visited_at=input.visited_at,
                visitor_ids=tuple(key_of("visitorIds", id, "Neighbour") for id in input.visitor_ids),
                consented=input.consented,
                notes=input.notes,
            ),
            key=input.idempotency_key,
        )
        return HomeVisitPayload(visit=row)

    @HomeVisitResult.mutation()
    async def withdraw_visit_consent(self, info: Info, input: WithdrawVisitConsentInput) -> HomeVisitPayload:
        """The household does not want its words kept any more: the notes are gone for good. For
        officers who keep the party branch's log.
        """
        key = key_of("visitId", input.visit_id, "HomeVisit")
        row = await visits.withdraw_consent(info.context, visit_id=key, version=input.version)
        return HomeVisitPayload(visit=row)

    @mutation(InvalidInput, NotFound)
    async def read_visit_notes(self, info: Info, input: ReadVisitNotesInput) -> ReadVisitNotesPayload:
        """Read the notes of a visit; that and the reason go into the audit log. For officers who
        keep the party branch's log.
        """
        key = key_of("visitId", input.visit_id, "HomeVisit")
        row, notes = await visits.read_notes(info.context, visit_id=key, reason=input.reason)
        return ReadVisitNotesPayload(visit=row, notes=notes)

    @HomeVisitResult.mutation()
    async def open_request_from_visit(self, info: Info, input: OpenRequestFromVisitInput) -> HomeVisitPayload:
        """Make a service request of a visit, one at most; the officer is its reporter. For officers
        who keep the party branch's log.
        """
        row = await visits.open_request(
            info.context,
            visit_id=key_of("visitId", input.visit_id, "HomeVisit"),
            category=input.category,
            title=input.title,
            body=input.body,
            key=input.idempotency_key,
        )
        return HomeVisitPayload(visit=row)
