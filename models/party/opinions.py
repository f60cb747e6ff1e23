"""Opinions and suggestions of a branch's members (意见建议): numbered, with an owner, a date, an answer."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable
from models.memberships import members_of
from models.party.members import belongs_to_branch
from models.powers import Power, has_power
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer, public_of


class PartyOpinionTopic(StrEnum):
    PARTY_WORK = "PARTY_WORK"
    LIVELIHOOD = "LIVELIHOOD"
    ENVIRONMENT = "ENVIRONMENT"
    SAFETY = "SAFETY"
    SERVICES = "SERVICES"
    CULTURE = "CULTURE"
    OTHER = "OTHER"


class PartyOpinionState(StrEnum):
    SUBMITTED = "SUBMITTED"
    ASSIGNED = "ASSIGNED"
    ANSWERED = "ANSWERED"
    WITHDRAWN = "WITHDRAWN"


class PartyOpinionReach(StrEnum):
    """Who may read an opinion once it is answered, from few to many."""

    PRIVATE = "PRIVATE"
    MEMBERS = "MEMBERS"
    PUBLIC = "PUBLIC"


class PartyOpinionAction(StrEnum):
    SUBMIT = "SUBMIT"
    ASSIGN = "ASSIGN"
    ANSWER = "ANSWER"
    CORRECT = "CORRECT"
    WITHDRAW = "WITHDRAW"
    # What nobody does, but the clock.
    REMIND = "REMIND"
    ESCALATE = "ESCALATE"


REACH = list(PartyOpinionReach)
# For the member and the office; whoever reads an answer later need not know that it was late.
INTERNAL = frozenset({PartyOpinionAction.REMIND, PartyOpinionAction.ESCALATE})


class PartyOpinionRow(CommunityTable):
    branch_id: UUID = fields.UUIDField()
    # Beside the member, whoever holds this scope may see it: the branch's office until it is answered.
    scope_id: UUID = fields.UUIDField()
    author_id: UUID = fields.UUIDField(db_index=True)
    year: int = fields.IntField()
    number: int = fields.IntField()
    topic: PartyOpinionTopic = fields.CharEnumField(PartyOpinionTopic, max_length=12)
    title: str = fields.CharField(max_length=80)
    body: str = fields.TextField()
    # How far the member lets it go, and whether members learn whose it is.
    reach: PartyOpinionReach = fields.CharEnumField(PartyOpinionReach, max_length=8)
    named: bool = fields.BooleanField(default=False)
    state: PartyOpinionState = fields.CharEnumField(
        PartyOpinionState, max_length=10, default=PartyOpinionState.SUBMITTED
    )
    owner_id: UUID | None = fields.UUIDField(null=True, default=None)
    due_at: datetime | None = fields.DatetimeField(null=True, default=None)
    reminded_for: datetime | None = fields.DatetimeField(null=True, default=None)
    escalated_at: datetime | None = fields.DatetimeField(null=True, default=None)
    answer: str = fields.TextField(default="")
    answered_at: datetime | None = fields.DatetimeField(null=True, default=None)
    corrected_at: datetime | None = fields.DatetimeField(null=True, default=None)
    published: PartyOpinionReach | None = fields.CharEnumField(
        PartyOpinionReach, max_length=8, null=True, default=None
    )
    step_count: int = fields.IntField(default=0)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "party_opinion"
        unique_together = (("branch_id", "year", "number"),)
        indexes = (("branch_id", "id"),)


class PartyOpinionNumberRow(CommunityTable):
    """The last number that a branch has given in a year."""

    branch_id: UUID = fields.UUIDField()
    year: int = fields.IntField()
    last_number: int = fields.IntField()

    class Meta:
        table = "party_opinion_number"
        unique_together = (("branch_id", "year"),)


class PartyOpinionStepRow(CommunityTable):
    opinion_id: UUID = fields.UUIDField()
    ordinal: int = fields.IntField()
    action: PartyOpinionAction = fields.CharEnumField(PartyOpinionAction, max_length=10)
    # Who did it, unless it was the member or the clock.
    officer_id: UUID | None = fields.UUIDField(null=True, default=None)
    owner_id: UUID | None = fields.UUIDField(null=True, default=None)
    due_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "party_opinion_step"
        unique_together = (("opinion_id", "ordinal"),)


OPINIONS = Order("party-opinions", ("id",))


def scope_of(row: PartyOpinionRow, published: PartyOpinionReach | None) -> UUID:
    """Who may see an opinion that is published so far."""
    match published:
        case PartyOpinionReach.MEMBERS:
            return members_of(row.branch_id)
        case PartyOpinionReach.PUBLIC:
            return public_of(row.community_id)
    return row.branch_id


def visible_to(viewer: Viewer) -> Where:
    """The opinions (as ``t``) of the viewer, of the branch's office, and those published to the viewer."""
    own = Where("t.author_id = ? AND t.community_id IN (?)", (viewer.account_id, viewer.communities))
    offices = frozenset(viewer.offices)
    return own | Where("t.scope_id IN (?) OR t.branch_id IN (?)", (viewer.scopes, offices))


def audience(row: PartyOpinionRow) -> frozenset[UUID]:
    """Who may see this opinion, as scopes: what `visible_to` says, in memory."""
    return frozenset({row.author_id, row.branch_id, row.scope_id})


def is_concerned(viewer: Viewer, row: PartyOpinionRow) -> bool:
    """Is it the viewer's own opinion, or does the viewer work in the branch's office?"""
    return viewer.account_id == row.author_id or row.branch_id in viewer.offices


def can_see_author(viewer: Viewer, row: PartyOpinionRow) -> bool:
    """May the viewer know whose opinion this is? Members may, if the author wants it so; others never."""
    return is_concerned(viewer, row) or (row.named and belongs_to_branch(viewer, row.branch_id))


def can_assign(viewer: Viewer, branch_id: UUID) -> bool:
    """May the viewer say who answers in this branch, and see the figures?"""
    return has_power(viewer, branch_id, Power.ASSIGN_OPINIONS)


def can_answer(viewer: Viewer, row: PartyOpinionRow) -> bool:
    """May the viewer answer this? Its owner may, and who assigns."""
    if not has_power(viewer, row.branch_id, Power.ANSWER_OPINIONS):
        return False
    return row.owner_id == viewer.account_id or can_assign(viewer, row.branch_id)
