"""Offices offered to phones."""

from datetime import datetime

import strawberry

from models.organisations import InvitationRow, InvitationStatus
from models.roles import Role
from resolvers.identity import around
from resolvers.offices import invitations
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity import Grid, Neighbour
from schema.links import Organisation
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.organisations import Appointment
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

described(
    InvitationStatus,
    "What has become of an invitation.",
    OPEN="It waits for an answer.",
    ACCEPTED="The office is taken.",
    DECLINED="The office is not wanted.",
    REVOKED="It was taken back.",
    EXPIRED="Nobody answered in time.",
)


@fetched_by(invitations.visible_by_ids)
@strawberry.type(description="An office offered to whoever has a phone.")
class OfficeInvitation(Node):
    organisation: Organisation = loaded(around.organisations, description="Where.")
    role: Role = strawberry.field(description="What the holder will be there.")
    grid: Grid | None = loaded(around.grids, description="A grid worker's grid.")
    masked_phone: str | None = loaded(
        invitations.masked_phones,
        description="To whom, masked; null once it is decided, when it is forgotten.",
    )
    status: InvitationStatus = strawberry.field(description="What has become of it.")
    invited_by: Neighbour = loaded(
        invitations.inviters_of, description="Who invited, as neighbours know them."
    )
    created_at: datetime = strawberry.field(description="Since when.")
    expires_at: datetime = strawberry.field(description="Until when it can be accepted.")
    decided_at: datetime | None = strawberry.field(description="When it was decided, if it is.")
    appointment: Appointment | None = loaded(invitations.appointments_of, description="What came of it.")

    is_type_of = IsA(InvitationRow)


@strawberry.type
class OrganisationInvitations:
    """What invitations add to an organisation."""

    invitations: Connection[OfficeInvitation] | None = connection(
        invitations.invitations_of,
        viewer=True,
        description="Whom it has invited, the newest first."
        " For its administrators and the residents' committee's; null for others.",
    )


@strawberry.type
class ViewerInvitations:
    """What invitations add to the viewer."""

    invitations: list[OfficeInvitation] = loaded(
        invitations.offers_to, viewer=True, description="The offices that the account's phone is offered now."
    )


@strawberry.input(description="Which office to offer to whom.")
class InviteOfficerInput:
    organisation_id: strawberry.ID = strawberry.field(description="Where.")
    role: Role = strawberry.field(description="What the holder will be there.")
    grid_id: strawberry.ID | None = strawberry.field(default=None, description="A grid worker's grid.")
    phone: str = strawberry.field(description="A mobile phone, whose owner need not have signed in yet.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@payload("The office is offered, and a message is on its way to the phone.")
class InviteOfficerPayload:
    invitation: InvitationRow = shown(OfficeInvitation, "As it is now.")


@strawberry.input(description="Which offer to accept.")
class AcceptInvitationInput:
    invitation_id: strawberry.ID = strawberry.field(description="The invitation.")


@payload("The viewer holds the office.")
class AcceptInvitationPayload:
    invitation: InvitationRow = shown(OfficeInvitation, "As it is now.")


@strawberry.input(description="Which offer to decline.")
class DeclineInvitationInput:
    invitation_id: strawberry.ID = strawberry.field(description="The invitation.")


@payload("The office is not taken.")
class DeclineInvitationPayload:
    invitation: InvitationRow = shown(OfficeInvitation, "As it is now.")


@strawberry.input(description="Which offer to take back.")
class RevokeInvitationInput:
    invitation_id: strawberry.ID = strawberry.field(description="The invitation.")


@payload("The office is no longer offered.")
class RevokeInvitationPayload:
    invitation: InvitationRow = shown(OfficeInvitation, "As it is now.")


@strawberry.type
class InvitationsMutation:
    @mutation(InvalidInput, NotFound, NotAllowed, Conflict, RateLimited)
    async def invite_officer(self, info: Info, input: InviteOfficerInput) -> InviteOfficerPayload:
        """Offer an office to whoever has a phone, for 7 days. For the organisation's administrators;
        the residents' committee's may invite the first administrator of another organisation.
        """
        row = await invitations.invite(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            role=input.role,
            grid_id=key_of("gridId", input.grid_id, "Grid") if input.grid_id else None,
            phone=input.phone,
            key=input.idempotency_key,
        )
        return InviteOfficerPayload(invitation=row)

    @mutation(InvalidInput, NotFound, Conflict)
    async def accept_invitation(self, info: Info, input: AcceptInvitationInput) -> AcceptInvitationPayload:
        """Take an office that the viewer's phone is offered."""
        key = key_of("invitationId", input.invitation_id, "OfficeInvitation")
        row = await invitations.accept(info.context, invitation_id=key)
        return AcceptInvitationPayload(invitation=row)

    @mutation(InvalidInput, NotFound, Conflict)
    async def decline_invitation(self, info: Info, input: DeclineInvitationInput) -> DeclineInvitationPayload:
        """Decline an office that the viewer's phone is offered."""
        key = key_of("invitationId", input.invitation_id, "OfficeInvitation")
        row = await invitations.decline(info.context, invitation_id=key)
        return DeclineInvitationPayload(invitation=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def revoke_invitation(self, info: Info, input: RevokeInvitationInput) -> RevokeInvitationPayload:
        """Take an open invitation back. For those who may invite."""
        key = key_of("invitationId", input.invitation_id, "OfficeInvitation")
        row = await invitations.revoke(info.context, invitation_id=key)
        return RevokeInvitationPayload(invitation=row)
