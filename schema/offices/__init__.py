"""The back offices: who may do what, who is invited, grids and their workers, statistics."""

from schema.offices.founding import FoundingMutation, OrganisationVersion, PowersQuery
from schema.offices.grids import GridsMutation
from schema.offices.invitations import InvitationsMutation, OrganisationInvitations, ViewerInvitations
from schema.offices.statistics import OfficeStatistics, OrganisationStatistics

__all__ = [
    "FoundingMutation",
    "GridsMutation",
    "InvitationsMutation",
    "OfficeStatistics",
    "OrganisationInvitations",
    "OrganisationStatistics",
    "OrganisationVersion",
    "PowersQuery",
    "ViewerInvitations",
]
