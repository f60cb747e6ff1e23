"""Whom something of a party branch is for: its members, or whoever may look at the community."""

from enum import StrEnum
from uuid import UUID

from models.memberships import members_of
from models.organisations import OrganisationRow
from models.party.members import branches_with
from models.powers import Power, has_power
from models.storage.rows import Where
from models.visibility import Viewer, public_of


class BranchAudience(StrEnum):
    PUBLIC = "PUBLIC"
    MEMBERS = "MEMBERS"


def scope_of(audience: BranchAudience, branch: OrganisationRow) -> UUID:
    """The scope of which one must be held to see what is for this audience."""
    return members_of(branch.id) if audience is BranchAudience.MEMBERS else public_of(branch.community_id)


def can_publish(viewer: Viewer, branch_id: UUID) -> bool:
    """May the viewer write and publish in the name of this branch, and see what is not published?"""
    return has_power(viewer, branch_id, Power.PUBLISH_PARTY_CONTENT)


def of_own_office(viewer: Viewer) -> Where:
    """The rows (as ``t``) of branches that the viewer publishes for."""
    return Where("t.branch_id IN (?)", (branches_with(viewer, Power.PUBLISH_PARTY_CONTENT),))
