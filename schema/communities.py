"""The objects that many domains add to: each contributes a mixin from its own module."""

import strawberry

from models.identity import AccountRow, CommunityRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind
from resolvers.identity.accounts import own_account_by_id
from resolvers.identity.addresses import visible_communities_by_id
from resolvers.organisations import visible_organisations_by_id
from schema.activities import CommunityActivities, ViewerCalendar
from schema.audit import CommunityAudit, OrganisationAudit
from schema.deliberations import CommunityDeliberations
from schema.directory import CommunityDirectory, OrganisationDirectory, ViewerBookings, ViewerHomes
from schema.execution.type_resolution import IsA
from schema.groups import CommunityGroups, ViewerGroups
from schema.identity import (
    CommunityRegister,
    OrganisationApplications,
    OrganisationPhoneChanges,
    ViewerAccount,
    ViewerResidencies,
)
from schema.motions import CommunityMotions
from schema.node import Node, fetched_by
from schema.notices import CommunityNotices, OrganisationNotices, ViewerNotices
from schema.notifications import ViewerInbox
from schema.offices import (
    OrganisationInvitations,
    OrganisationStatistics,
    OrganisationVersion,
    ViewerInvitations,
)
from schema.organisations import CommunityOrganisations, OrganisationMembers, ViewerOffices
from schema.party.articles import OrganisationArticles
from schema.party.lessons import OrganisationPartyLessons
from schema.party.members import OrganisationPartyMembers, ViewerParty
from schema.party.opinions import OrganisationPartyOpinions
from schema.party.pioneers import OrganisationPioneers
from schema.party.visits import OrganisationVisits
from schema.posts import CommunityPosts
from schema.requests import CommunityRequests, OrganisationRequests
from schema.search import CommunitySearch


@fetched_by(visible_communities_by_id)
@strawberry.type(description="The area of one residents' committee, the boundary of all its data.")
class Community(
    Node,
    CommunityRegister,
    CommunityOrganisations,
    CommunityNotices,
    CommunityMotions,
    CommunityPosts,
    CommunityGroups,
    CommunityDeliberations,
    CommunityRequests,
    CommunityDirectory,
    CommunityActivities,
    CommunityAudit,
    CommunitySearch,
):
    name: str = strawberry.field(description="Its name.")

    is_type_of = IsA(CommunityRow)


@fetched_by(visible_organisations_by_id)
@strawberry.type(description="An organisation that takes part in a community.")
class Organisation(
    Node,
    OrganisationMembers,
    OrganisationApplications,
    OrganisationPhoneChanges,
    OrganisationNotices,
    OrganisationRequests,
    OrganisationDirectory,
    OrganisationVersion,
    OrganisationAudit,
    OrganisationInvitations,
    OrganisationStatistics,
    OrganisationPartyMembers,
    OrganisationArticles,
    OrganisationPioneers,
    OrganisationPartyLessons,
    OrganisationPartyOpinions,
    OrganisationVisits,
):
    kind: OrganisationKind = strawberry.field(description="What it is to the community.")
    name: str = strawberry.field(description="Its name.")

    is_type_of = IsA(OrganisationRow)


@fetched_by(own_account_by_id)
@strawberry.type(description="The signed-in account, as only its holder sees it.")
class Viewer(
    Node,
    ViewerAccount,
    ViewerResidencies,
    ViewerHomes,
    ViewerBookings,
    ViewerOffices,
    ViewerInvitations,
    ViewerNotices,
    ViewerInbox,
    ViewerGroups,
    ViewerParty,
    ViewerCalendar,
):
    is_type_of = IsA(AccountRow)
