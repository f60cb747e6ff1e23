"""Organisations, their members, and who appoints them."""

from datetime import datetime

import strawberry

from models.organisations import AppointmentRow, OrganisationRow
from models.powers import Power
from models.roles import Role
from resolvers import identity, organisations
from resolvers.identity import around
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Grid, Neighbour
from schema.links import Community, Organisation
from schema.mutations import mutation, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

described(
    Power,
    "What an office may do beyond what every resident may.",
    VERIFY_RESIDENTS="Approve and reject applications for residency, and record moving out.",
    SEE_RESIDENTS="See who lives in which home, names masked.",
    UNMASK="See personal data in clear, with a reason that is kept.",
    IMPORT_REGISTER="Import the household register.",
    PUBLISH_NOTICES="Publish notices.",
    PUBLISH_EMERGENCIES="Publish notices of severity EMERGENCY.",
    SEE_REACH="See whom a notice has reached.",
    RECORD_VISITS="Record that a household was reached in person.",
    PIN_POSTS="Pin posts above the feed.",
    MODERATE="Hide and settle what breaks the rules.",
    PUT_MOTIONS="Put motions to the owners, and adopt rules for their votes.",
    COUNT_BALLOTS="See which homes have voted, enter paper ballots, decide proxies and conflicts.",
    HANDLE_REQUESTS="Handle service requests.",
    SEE_REQUEST_STATISTICS="See the statistics of service requests.",
    SET_REQUEST_POLICIES="Set the categories and deadlines of service requests.",
    CONVENE="Convene deliberations, move them on, and write their outcome.",
    HOST_ACTIVITIES="Hold activities in the name of the organisation.",
    KEEP_DIRECTORY="Say in the directory what the organisation offers.",
    LICENSE_MERCHANTS="Check the licences of merchants, and decide about their entries.",
    MANAGE_PARTY_MEMBERS="Take members into the party branch, and end their membership.",
    PUBLISH_PARTY_CONTENT="Publish what the party branch has to say, and keep its lessons.",
    ASSIGN_OPINIONS="Say who answers a member's opinion and until when, and see the figures.",
    ANSWER_OPINIONS="Answer members' opinions.",
    LOG_HOME_VISITS="Keep the log of visits to homes.",
    MANAGE_OFFICERS="Grant and revoke roles in the organisation.",
    FOUND_OFFICES="Make organisations of the community, and name their first administrators.",
    MANAGE_GRIDS="Make grids, and say which buildings are in them and who looks after them.",
    SEE_AUDIT="Read the audit log: the own organisation's; the residents' committee, the community's.",
)


@fetched_by(organisations.visible_appointments_by_id)
@strawberry.type(description="An office that somebody holds or held.")
class Appointment(Node):
    organisation: Organisation = loaded(around.organisations, description="Where.")
    role: Role = strawberry.field(description="What the holder is there.")
    holder: Neighbour = loaded(identity.neighbours_of, description="Who, as neighbours know them.")
    grid: Grid | None = loaded(around.grids, description="A grid worker's grid.")
    created_at: datetime = strawberry.field(description="Since when.")
    revoked_at: datetime | None = strawberry.field(description="Until when; null while it is held.")
    version: int = strawberry.field(description="Raised by every change of the appointment.")

    is_type_of = IsA(AppointmentRow)


def viewer_powers_of(root: strawberry.Parent[OrganisationRow], info: Info) -> list[Power]:
    return organisations.powers_held(info.context, root.id)


@strawberry.type
class OrganisationMembers:
    """What offices add to an organisation."""

    community: Community = loaded(around.communities, description="The community that it takes part in.")
    viewer_powers: list[Power] = strawberry.field(
        resolver=viewer_powers_of, description="What the viewer may do in its name.", metadata=VIEWER
    )
    members: Connection[Appointment] = connection(
        organisations.members_of,
        viewer=True,
        description="Who holds which office now, for verified residents and officers of the community.",
    )


@strawberry.type
class CommunityOrganisations:
    """What organisations add to a community."""

    organisations: Connection[Organisation] = connection(
        organisations.organisations_of,
        viewer=True,
        description="The organisations that take part, for those who may look at the community's content.",
    )


@strawberry.type
class ViewerOffices:
    """What offices add to the viewer."""

    offices: list[Appointment] = loaded(
        organisations.offices_held, viewer=True, description="The offices that the account holds."
    )


@strawberry.input(description="Whom to appoint to what. Give either a phone or a neighbour.")
class GrantRoleInput:
    organisation_id: strawberry.ID = strawberry.field(description="Where.")
    role: Role = strawberry.field(description="What the holder will be there.")
    grid_id: strawberry.ID | None = strawberry.field(default=None, description="A grid worker's grid.")
    phone: str | None = strawberry.field(
        default=None, description="The phone of somebody who has signed in before."
    )
    neighbour_id: strawberry.ID | None = strawberry.field(
        default=None, description="A neighbour of the same community."
    )


@payload("The office is held.")
class GrantRolePayload:
    appointment: AppointmentRow = shown(Appointment, "As it is now.")


@strawberry.input(description="Which office to end.")
class RevokeRoleInput:
    appointment_id: strawberry.ID = strawberry.field(description="The appointment.")


@payload("The office is held no longer.")
class RevokeRolePayload:
    appointment: AppointmentRow = shown(Appointment, "As it is now.")


@strawberry.type
class OrganisationsMutation:
    @mutation(InvalidInput, NotFound, NotAllowed, Conflict, RateLimited)
    async def grant_role(self, info: Info, input: GrantRoleInput) -> GrantRolePayload:
        """Appoint somebody to an office. For the organisation's administrators; the residents'
        committee's may name the first administrator of another organisation.
        """
        row = await organisations.grant_role(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            role=input.role,
            grid_id=key_of("gridId", input.grid_id, "Grid") if input.grid_id else None,
            phone=input.phone,
            neighbour_id=key_of("neighbourId", input.neighbour_id, "Neighbour")
            if input.neighbour_id
            else None,
        )
        return GrantRolePayload(appointment=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def revoke_role(self, info: Info, input: RevokeRoleInput) -> RevokeRolePayload:
        """End an appointment. For the organisation's administrators; the last one stays."""
        key = key_of("appointmentId", input.appointment_id, "Appointment")
        row = await organisations.revoke_role(info.context, appointment_id=key)
        return RevokeRolePayload(appointment=row)
