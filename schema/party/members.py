"""Entering a party branch, belonging to it, leaving it."""

from datetime import datetime
from typing import Annotated

import strawberry

from models import privacy
from models.party.members import (
    ABILITIES,
    PartyAbility,
    PartyApplicationRow,
    PartyApplicationStatus,
    PartyFunction,
    PartyMemberRow,
)
from resolvers import identity
from resolvers.identity import around
from resolvers.party import members
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity import Neighbour
from schema.links import Organisation
from schema.mutations import IDEMPOTENCY_KEY, Result, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
from schema.streams import event
from subscriptions.events import Kind

described(
    PartyFunction,
    "What a member does for the party branch. Its officers, the secretary first, hold appointments.",
    ORGANISATION_LEADER="组织委员: prepares who enters the branch.",
    PUBLICITY_LEADER="宣传委员: spreads the word.",
    DISCIPLINE_LEADER="纪检委员: looks after discipline.",
    STUDY_LEADER="学习委员: looks after the lessons.",
    GROUP_LEADER="党小组长: leads a group of members.",
    MEMBER="党员: none of these.",
)
described(
    PartyAbility,
    "What a member's function carries.",
    SEE_APPLICATIONS="See who applies to the branch; the secretary decides.",
    SEE_LESSON_RECORDS="See which members have finished a lesson.",
)
described(
    PartyApplicationStatus,
    "How far an application to a party branch has come.",
    PENDING="It has not been decided.",
    APPROVED="The applicant was taken into the branch.",
    REJECTED="The secretary has said no, and why.",
    WITHDRAWN="The applicant has taken it back.",
)


@fetched_by(members.applications_visible_by_ids)
@strawberry.type(
    description="A resident's request to be known to a party branch as a member."
    " For the applicant and the officers who decide it."
)
class PartyApplication(Node):
    status: PartyApplicationStatus = strawberry.field(description="How far it has come.")
    created_at: datetime = strawberry.field(description="When it was made.")
    decided_at: datetime | None = strawberry.field(description="When it was decided or withdrawn.")
    version: int = strawberry.field(description="Pass it with a decision, so that none overwrites another.")
    branch: Organisation = loaded(around.branches, description="The branch.")
    applicant: Neighbour = loaded(identity.neighbours_of, description="Who, as neighbours know them.")

    @strawberry.field(description="What the applicant wrote; forgotten as soon as it is decided.")
    @staticmethod
    def statement(root: strawberry.Parent[PartyApplicationRow], info: Info) -> str | None:
        return opened(info, root.statement_sealed)

    @strawberry.field(description="Why it was rejected.")
    @staticmethod
    def reason(root: strawberry.Parent[PartyApplicationRow], info: Info) -> str | None:
        return opened(info, root.reason_sealed)

    is_type_of = IsA(PartyApplicationRow)


def opened(info: Info, sealed: str | None) -> str | None:
    return info.context.services.keys.open(privacy.PARTY, sealed) if sealed else None


@fetched_by(members.members_visible_by_ids)
@strawberry.type(description="A membership in a party branch; for the branch's members and officers.")
class PartyMember(Node):
    function: PartyFunction = strawberry.field(description="What the member does for the branch.")
    created_at: datetime = strawberry.field(description="Since when.")
    ended_at: datetime | None = strawberry.field(description="Until when; null while it holds.")
    version: int = strawberry.field(description="Pass it with a change, so that none overwrites another.")
    branch: Organisation = loaded(around.branches, description="The branch.")
    neighbour: Neighbour = loaded(identity.neighbours_of, description="Who, as neighbours know them.")

    @strawberry.field(description="What the function carries.")
    @staticmethod
    def abilities(root: strawberry.Parent[PartyMemberRow]) -> list[PartyAbility]:
        return sorted(ABILITIES[root.function])

    @strawberry.field(description="Why it ended; for the member and the secretary, who alone see ended ones.")
    @staticmethod
    def end_reason(root: strawberry.Parent[PartyMemberRow], info: Info) -> str | None:
        return opened(info, root.end_reason_sealed)

    is_type_of = IsA(PartyMemberRow)


def with_status(
    status: Annotated[
        PartyApplicationStatus | None, strawberry.argument(description="Only those that are so far.")
    ] = None,
) -> tuple[PartyApplicationStatus | None]:
    return (status,)


@strawberry.type
class OrganisationPartyMembers:
    """What membership adds to an organisation that is a party branch."""

    viewer_party_application: PartyApplication | None = loaded(
        members.own_applications, viewer=True, description="The viewer's newest application to the branch."
    )
    party_members: Connection[PartyMember] = connection(
        members.members_of,
        viewer=True,
        description="Who belongs to the party branch now, for its members and officers; empty for others.",
    )
    party_applications: Connection[PartyApplication] = connection(
        members.applications_of,
        arguments=with_status,
        viewer=True,
        description="The applications to the party branch, the newest first."
        " For its deciders; empty for others.",
    )


@strawberry.type
class ViewerParty:
    """What party branches add to the viewer."""

    party_memberships: list[PartyMember] = loaded(
        members.own_memberships, viewer=True, description="The party branches that the viewer is a member of."
    )


@event(Kind.PARTY_APPLICATION_CHANGED, "Somebody applies to a party branch, or the application was settled.")
class PartyApplicationChanged:
    application: PartyApplication | None = loaded(
        members.applications_of_events,
        viewer=True,
        description="As it is now, for the applicant and those who decide it.",
    )


@event(Kind.PARTY_MEMBER_CHANGED, "A membership in a party branch has changed or ended.")
class PartyMemberChanged:
    member: PartyMember | None = loaded(
        members.members_of_events, viewer=True, description="As it is now, for the member and the secretary."
    )


@strawberry.input(description="An application to a party branch.")
class ApplyToPartyBranchInput:
    branch_id: strawberry.ID = strawberry.field(description="An organisation of kind PARTY_BRANCH.")
    statement: str = strawberry.field(
        description="What the secretary needs to know, 1 to 1,000 characters; kept sealed,"
        " and only until it is decided."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="Which application to take back.")
class WithdrawPartyApplicationInput:
    application_id: strawberry.ID = strawberry.field(description="The application.")


@strawberry.input(description="Whom to take into the branch.")
class ApprovePartyApplicationInput:
    application_id: strawberry.ID = strawberry.field(description="The application.")
    version: int = strawberry.field(description="Of the application, as it was read.")
    function: PartyFunction = strawberry.field(
        default=PartyFunction.MEMBER, description="What the member will do for the branch."
    )


@strawberry.input(description="Which application to reject, and why.")
class RejectPartyApplicationInput:
    application_id: strawberry.ID = strawberry.field(description="The application.")
    version: int = strawberry.field(description="Of the application, as it was read.")
    reason: str = strawberry.field(description="The message to the applicant, 4 to 300 characters.")


@strawberry.input(description="What a member does for the branch from now on.")
class SetPartyFunctionInput:
    member_id: strawberry.ID = strawberry.field(description="The membership.")
    version: int = strawberry.field(description="Of the membership, as it was read.")
    function: PartyFunction = strawberry.field(description="The function.")


@strawberry.input(description="Which membership to end, and why.")
class EndPartyMembershipInput:
    member_id: strawberry.ID = strawberry.field(description="The membership.")
    version: int = strawberry.field(description="Of the membership, as it was read.")
    reason: str = strawberry.field(description="The message to the member, 4 to 300 characters; kept sealed.")


@payload("The application was made, decided or withdrawn.")
class PartyApplicationPayload:
    application: PartyApplicationRow = shown(PartyApplication, "As it is now.")


@payload("The membership was changed or ended.")
class PartyMemberPayload:
    member: PartyMemberRow = shown(PartyMember, "As it is now.")


APPLYING = (InvalidInput, NotFound, NotAllowed, Conflict, RateLimited)
BELONGING = (InvalidInput, NotFound, NotAllowed, Conflict)
PartyApplicationResult = Result(
    "PartyApplicationResult",
    PartyApplicationPayload,
    *APPLYING,
    description="What came of an application to a branch.",
)
PartyMemberResult = Result(
    "PartyMemberResult", PartyMemberPayload, *BELONGING, description="What came of a change of a membership."
)


@strawberry.type
class PartyMembersMutation:
    @PartyApplicationResult.mutation()
    async def apply_to_party_branch(
        self, info: Info, input: ApplyToPartyBranchInput
    ) -> PartyApplicationPayload:
        """Ask to be known to a party branch as a member. For verified residents of its community."""
        row = await members.apply(
            info.context,
            branch_id=key_of("branchId", input.branch_id, "Organisation"),
            statement=input.statement,
            key=input.idempotency_key,
        )
        return PartyApplicationPayload(application=row)

    @PartyApplicationResult.mutation()
    async def withdraw_party_application(
        self, info: Info, input: WithdrawPartyApplicationInput
    ) -> PartyApplicationPayload:
        """Withdraw an application to a party branch. For the applicant."""
        key = key_of("applicationId", input.application_id, "PartyApplication")
        row = await members.withdraw(info.context, application_id=key)
        return PartyApplicationPayload(application=row)

    @PartyApplicationResult.mutation()
    async def approve_party_application(
        self, info: Info, input: ApprovePartyApplicationInput
    ) -> PartyApplicationPayload:
        """Take an applicant into the party branch. For its secretary."""
        row = await members.approve(
            info.context,
            application_id=key_of("applicationId", input.application_id, "PartyApplication"),
            version=input.version,
            function=input.function,
        )
        return PartyApplicationPayload(application=row)

    @PartyApplicationResult.mutation()
    async def reject_party_application(
        self, info: Info, input: RejectPartyApplicationInput
    ) -> PartyApplicationPayload:
        """Refuse an application to the party branch. For its secretary."""
        row = await members.reject(
            info.context,
            application_id=key_of("applicationId", input.application_id, "PartyApplication"),
            version=input.version,
            reason=input.reason,
        )
        return PartyApplicationPayload(application=row)

    @PartyMemberResult.mutation()
    async def set_party_function(self, info: Info, input: SetPartyFunctionInput) -> PartyMemberPayload:
        """Say what a member does for the party branch. For its secretary."""
        row = await members.set_function(
            info.context,
            member_id=key_of("memberId", input.member_id, "PartyMember"),
            version=input.version,
            function=input.function,
        )
        return PartyMemberPayload(member=row)

    @PartyMemberResult.mutation()
    async def end_party_membership(self, info: Info, input: EndPartyMembershipInput) -> PartyMemberPayload:
        """End a membership in the party branch; what it carried, open streams included, ends within
        seconds. For its secretary, and for the member.
        """
        row = await members.end(
            info.context,
            member_id=key_of("memberId", input.member_id, "PartyMember"),
            version=input.version,
            reason=input.reason,
        )
        return PartyMemberPayload(member=row)
