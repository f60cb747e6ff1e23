"""Neighbours: the public face of accounts."""

import strawberry

from models.identity import NeighbourOffice as NeighbourOfficeRow
from models.identity import NeighbourRow
from models.roles import OrganisationKind, Role
from resolvers.identity.faces import neighbours_by_id
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.node import Node, fetched_by

described(
    OrganisationKind,
    "What an organisation is to the community.",
    RESIDENTS_COMMITTEE="居委会: leads, verifies residents, publishes notices.",
    OWNERS_COMMITTEE="业委会: puts motions to the owners.",
    PROPERTY_COMPANY="物业: looks after the estate and handles service requests.",
    PARTY_BRANCH="党支部.",
    MERCHANT="商户: a shop in the surroundings.",
    INTERMEDIARY="中介组织.",
    GOVERNMENT="政府: a government window.",
)
described(
    Role,
    "What somebody is in an organisation.",
    ADMIN="Appoints the others, and may do all that officers may.",
    OFFICER="Does the organisation's daily work.",
    GRID_WORKER="Looks after the buildings of one grid.",
)


@strawberry.type(description="An office that a neighbour holds, as everyone in the community knows it.")
class NeighbourOffice:
    organisation: str = strawberry.field(description="The organisation's name.")
    role: Role = strawberry.field(description="What the neighbour is there.")

    is_type_of = IsA(NeighbourOfficeRow)


@fetched_by(neighbours_by_id)
@strawberry.type(
    description="The public face of an account in one community; the same account has another in each."
)
class Neighbour(Node):
    display_name: str = strawberry.field(description="The name that the account chose to be seen under.")
    building: str | None = strawberry.field(
        description="The building that the neighbour lives in, null for one who lives elsewhere."
    )
    office: NeighbourOffice | None = strawberry.field(description="The office held in the community, if any.")

    is_type_of = IsA(NeighbourRow)
