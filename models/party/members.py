"""Who belongs to a party branch, and as what.

Membership in the party is sensitive personal data (PIPL, article 28). Whoever is neither a member nor an
officer of the branch learns nothing of it: not who, not how many, not that there are any.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable
from models.memberships import members_of
from models.powers import Power, powers_of
from models.roles import OrganisationKind
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer


class PartyFunction(StrEnum):
    """What a member does for the branch. Its offices are appointments, as everywhere."""

    ORGANISATION_LEADER = "ORGANISATION_LEADER"
    PUBLICITY_LEADER = "PUBLICITY_LEADER"
    DISCIPLINE_LEADER = "DISCIPLINE_LEADER"
    STUDY_LEADER = "STUDY_LEADER"
    GROUP_LEADER = "GROUP_LEADER"
    MEMBER = "MEMBER"


class PartyAbility(StrEnum):
    """What a member may do in the branch beyond what every member may."""

    SEE_APPLICATIONS = "SEE_APPLICATIONS"
    SEE_LESSON_RECORDS = "SEE_LESSON_RECORDS"


# Which function carries what. What is not here no function carries.
ABILITIES: dict[PartyFunction, frozenset[PartyAbility]] = {
    PartyFunction.ORGANISATION_LEADER: frozenset({PartyAbility.SEE_APPLICATIONS}),
    PartyFunction.PUBLICITY_LEADER: frozenset(),
    PartyFunction.DISCIPLINE_LEADER: frozenset(),
    PartyFunction.STUDY_LEADER: frozenset({PartyAbility.SEE_LESSON_RECORDS}),
    PartyFunction.GROUP_LEADER: frozenset({PartyAbility.SEE_LESSON_RECORDS}),
    PartyFunction.MEMBER: frozenset(),
}


class PartyApplicationStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class PartyApplicationRow(CommunityTable):
    """That a resident asks to be known to the branch as a member. What was said goes when it is decided."""

    branch_id: UUID = fields.UUIDField(db_index=True)
    account_id: UUID = fields.UUIDField(db_index=True)
    statement_sealed: str | None = fields.TextField(null=True, default=None)
    # Of branch and account while it is pending, so that there is one at most.
    open_key: UUID | None = fields.UUIDField(null=True, default=None, unique=True)
    status: PartyApplicationStatus = fields.CharEnumField(
        PartyApplicationStatus, max_length=10, default=PartyApplicationStatus.PENDING
    )
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)
    reason_sealed: str | None = fields.TextField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "party_application"


class PartyMemberRow(CommunityTable):
    """One membership from its beginning to its end. The rights that go with it are in `membership`."""

    branch_id: UUID = fields.UUIDField(db_index=True)
    account_id: UUID = fields.UUIDField(db_index=True)
    function: PartyFunction = fields.CharEnumField(PartyFunction, max_length=20, default=PartyFunction.MEMBER)
    ended_at: datetime | None = fields.DatetimeField(null=True, default=None)
    end_reason_sealed: str | None = fields.TextField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "party_member"


MEMBERS = Order("party-members", ("id",), descending=False)
APPLICATIONS = Order("party-applications", ("id",))


def belongs_to_branch(viewer: Viewer, branch_id: UUID) -> bool:
    """Is the viewer a member or an officer of this branch?"""
    return members_of(branch_id) in viewer.scopes


def branches_of(viewer: Viewer) -> frozenset[UUID]:
    """What the viewer is a member of, and the branches in which the viewer holds an office."""
    offices = {
        office.organisation_id
        for office in viewer.offices.values()
        if office.kind is OrganisationKind.PARTY_BRANCH
    }
    return frozenset(viewer.memberships) | offices


def branches_with(viewer: Viewer, power: Power) -> frozenset[UUID]:
    """The branches in whose name the viewer may do this."""
    return frozenset(
        office.organisation_id
        for office in viewer.offices.values()
        if office.kind is OrganisationKind.PARTY_BRANCH and power in powers_of(office)
    )


def of_branches_with_ability(viewer: Viewer, ability: PartyAbility) -> Where:
    """The rows (as ``t``, with a ``branch_id``) of branches in which the viewer's function carries this."""
    carrying = [function for function in PartyFunction if ability in ABILITIES[function]]
    return Where(
        "EXISTS (SELECT 1 FROM party_member m WHERE m.branch_id = t.branch_id AND m.ended_at IS NULL"
        " AND m.account_id = ? AND m.function IN (?) AND m.branch_id IN (?))",
        (viewer.account_id, carrying, branches_of(viewer)),
    )


def members_visible_to(viewer: Viewer) -> Where:
    """Memberships (as ``t``) that hold now, for members and officers of the branch. One's own, always."""
    own = Where("t.account_id = ? AND t.community_id IN (?)", (viewer.account_id, viewer.communities))
    managed = Where("t.branch_id IN (?)", (branches_with(viewer, Power.MANAGE_PARTY_MEMBERS),))
    return own | managed | Where("t.ended_at IS NULL AND t.branch_id IN (?)", (branches_of(viewer),))


def applications_visible_to(viewer: Viewer) -> Where:
    """Applications (as ``t``) for the applicant and for who leads the branch."""
    own = Where("t.account_id = ?", (viewer.account_id,))
    return own | applications_decided_by(viewer)


def applications_decided_by(viewer: Viewer) -> Where:
    """The applications to the branches that the viewer leads, or keeps the members of."""
    managed = Where("t.branch_id IN (?)", (branches_with(viewer, Power.MANAGE_PARTY_MEMBERS),))
    return managed | of_branches_with_ability(viewer, PartyAbility.SEE_APPLICATIONS)
