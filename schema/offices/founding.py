"""The table of powers, and organisations made and renamed."""

import strawberry

from models.organisations import OrganisationRow, can_rename
from models.powers import Power, powers_in_order
from models.roles import OrganisationKind, Role
from resolvers.offices import founding
from schema.fields import Info, permitted
from schema.links import Organisation
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound


@strawberry.type(description="What one role may do in organisations of one kind.")
class OfficePowers:
    kind: OrganisationKind = strawberry.field(description="The kind of organisation.")
    role: Role = strawberry.field(description="The role in it.")
    powers: list[Power] = strawberry.field(description="What it may do; empty for a role without powers.")


@strawberry.type
class PowersQuery:
    @strawberry.field(description="Who may do what: every kind of organisation and every role in it.")
    @staticmethod
    def powers_table() -> list[OfficePowers]:
        return [OfficePowers(kind=kind, role=role, powers=powers) for kind, role, powers in powers_in_order()]


@strawberry.type
class OrganisationVersion:
    """What is needed to rename an organisation."""

    version: int = strawberry.field(description="Raised by every change of the organisation itself.")
    viewer_can_rename: bool = permitted(can_rename, description="Whether the viewer may rename it.")


@strawberry.input(description="An organisation to be made.")
class CreateOrganisationInput:
    community_id: strawberry.ID = strawberry.field(description="The community that it will take part in.")
    kind: OrganisationKind = strawberry.field(description="What it is; not a second residents' committee.")
    name: str = strawberry.field(description="Its name, up to 80 characters, the only one in the community.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@payload("The organisation is there, without officers.")
class CreateOrganisationPayload:
    organisation: OrganisationRow = shown(Organisation, "As it is now.")


@strawberry.input(description="Another name for an organisation.")
class RenameOrganisationInput:
    organisation_id: strawberry.ID = strawberry.field(description="The organisation.")
    version: int = strawberry.field(description="The version that was looked at.")
    name: str = strawberry.field(description="The new name, up to 80 characters.")


@payload("The organisation has its new name.")
class RenameOrganisationPayload:
    organisation: OrganisationRow = shown(Organisation, "As it is now.")


@strawberry.type
class FoundingMutation:
    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def create_organisation(
        self, info: Info, input: CreateOrganisationInput
    ) -> CreateOrganisationPayload:
        """Make an organisation of a community. For administrators of the residents' committee, who
        then invite its first administrator.
        """
        row = await founding.create_organisation(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            kind=input.kind,
            name=input.name,
            key=input.idempotency_key,
        )
        return CreateOrganisationPayload(organisation=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def rename_organisation(
        self, info: Info, input: RenameOrganisationInput
    ) -> RenameOrganisationPayload:
        """Rename an organisation. For its administrators and the residents' committee's."""
        row = await founding.rename_organisation(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            version=input.version,
            name=input.name,
        )
        return RenameOrganisationPayload(organisation=row)
