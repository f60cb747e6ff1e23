"""Pioneers (党员先锋): members of a branch that it shows to others, if they agree."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable, Table
from models.party.audience import BranchAudience, can_publish, of_own_office
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by


class PioneerState(StrEnum):
    PROPOSED = "PROPOSED"
    AGREED = "AGREED"
    PUBLISHED = "PUBLISHED"


class PledgeState(StrEnum):
    MADE = "MADE"
    KEPT = "KEPT"


class Pioneer(CommunityTable):
    """One for each member of a branch. It is out while it has `publish_at`, which needs the consent."""

    # Whoever holds this scope may see it while it is out.
    scope_id = fields.UUIDField()
    audience = fields.CharEnumField(BranchAudience, max_length=8)
    branch_id = fields.UUIDField()
    # The member.
    account_id = fields.UUIDField()
    author_id = fields.UUIDField()
    headline = fields.CharField(max_length=80)
    # Markdown, and the HTML that it makes, in which pictures have no address yet.
    story = fields.TextField()
    html = fields.TextField()
    portrait_id = fields.UUIDField(null=True)
    # To this version of the text.
    consented_at = fields.DatetimeField(null=True)
    publish_at = fields.DatetimeField(null=True)
    post_id = fields.UUIDField(null=True)
    thank_count = fields.IntField(default=0)
    version = fields.IntField(default=1)

    class Meta:
        table = "pioneer"
        unique_together = (("branch_id", "account_id"),)
        indexes = (("branch_id", "id"),)


class PioneerPledge(CommunityTable):
    pioneer_id = fields.UUIDField()
    body = fields.CharField(max_length=200)
    state = fields.CharEnumField(PledgeState, max_length=4, default=PledgeState.MADE)
    kept_at = fields.DatetimeField(null=True)

    class Meta:
        table = "pioneer_pledge"
        indexes = (("pioneer_id", "id"),)


class PioneerDeed(CommunityTable):
    pioneer_id = fields.UUIDField()
    done_on = fields.DateField()
    body = fields.CharField(max_length=500)
    picture_id = fields.UUIDField(null=True)

    class Meta:
        table = "pioneer_deed"
        indexes = (("pioneer_id", "id"),)


class PioneerThank(Table):
    pioneer_id = fields.UUIDField()
    account_id = fields.UUIDField()

    class Meta:
        table = "pioneer_thank"
        unique_together = (("pioneer_id", "account_id"),)


@dataclass(slots=True)
class PioneerRow:
    id: UUID
    created_at: datetime
    community_id: UUID
    scope_id: UUID
    audience: BranchAudience
    branch_id: UUID
    account_id: UUID
    author_id: UUID
    headline: str
    story: str
    html: str
    portrait_id: UUID | None
    consented_at: datetime | None
    publish_at: datetime | None
    post_id: UUID | None
    thank_count: int
    version: int

    @property
    def state(self) -> PioneerState:
        if self.publish_at is not None:
            return PioneerState.PUBLISHED
        return PioneerState.PROPOSED if self.consented_at is None else PioneerState.AGREED


@dataclass(slots=True)
class PledgeRow:
    id: UUID
    created_at: datetime
    community_id: UUID
    pioneer_id: UUID
    body: str
    state: PledgeState
    kept_at: datetime | None


@dataclass(slots=True)
class DeedRow:
    id: UUID
    created_at: datetime
    community_id: UUID
    pioneer_id: UUID
    done_on: date
    body: str
    picture_id: UUID | None


NEWEST_PIONEERS = Order("pioneers", ("id",))
PLEDGES = Order("pioneer-pledges", ("id",), descending=False)
DEEDS = Order("pioneer-deeds", ("id",))

OUT = Where("t.publish_at IS NOT NULL")


def visible_to(viewer: Viewer) -> Where:
    """The profiles (as ``t``) that are out for the viewer; to the office and to the member, all."""
    own = Where("t.account_id = ?", (viewer.account_id,)) if viewer.account_id else NOTHING
    return (OUT & held_by(viewer)) | of_own_office(viewer) | own


def is_member_shown(viewer: Viewer, row: PioneerRow) -> bool:
    """Is the viewer whom the profile shows?"""
    return viewer.account_id == row.account_id


def can_thank(viewer: Viewer, row: PioneerRow) -> bool:
    """May the viewer thank this pioneer?"""
    shown = row.publish_at is not None and row.scope_id in viewer.scopes
    return shown and viewer.belongs_to(row.community_id) and not is_member_shown(viewer, row)


def can_take_down(viewer: Viewer, row: PioneerRow) -> bool:
    """May the viewer take the profile, or a deed in it, out of view?"""
    return is_member_shown(viewer, row) or can_publish(viewer, row.branch_id)
