"""Pioneers (党员先锋): members of a branch that it shows to others, if they agree."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable, Table
from models.party.audience import BranchAudience, can_publish, of_own_office
from models.storage import fields
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


class PioneerRow(CommunityTable):
    """One for each member of a branch. It is out while it has `publish_at`, which needs the consent."""

    # Whoever holds this scope may see it while it is out.
    scope_id: UUID = fields.UUIDField()
    audience: BranchAudience = fields.CharEnumField(BranchAudience, max_length=8)
    branch_id: UUID = fields.UUIDField()
    # The member.
    account_id: UUID = fields.UUIDField()
    author_id: UUID = fields.UUIDField()
    headline: str = fields.CharField(max_length=80)
    # Markdown, and the HTML that it makes, in which pictures have no address yet.
    story: str = fields.TextField()
    html: str = fields.TextField()
    portrait_id: UUID | None = fields.UUIDField(null=True, default=None)
    # To this version of the text.
    consented_at: datetime | None = fields.DatetimeField(null=True, default=None)
    publish_at: datetime | None = fields.DatetimeField(null=True, default=None)
    post_id: UUID | None = fields.UUIDField(null=True, default=None)
    thank_count: int = fields.IntField(default=0)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "pioneer"
        unique_together = (("branch_id", "account_id"),)
        indexes = (("branch_id", "id"),)

    @property
    def state(self) -> PioneerState:
        if self.publish_at is not None:
            return PioneerState.PUBLISHED
        return PioneerState.PROPOSED if self.consented_at is None else PioneerState.AGREED


class PledgeRow(CommunityTable):
    pioneer_id: UUID = fields.UUIDField()
    body: str = fields.CharField(max_length=200)
    state: PledgeState = fields.CharEnumField(PledgeState, max_length=4, default=PledgeState.MADE)
    kept_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "pioneer_pledge"
        indexes = (("pioneer_id", "id"),)


class DeedRow(CommunityTable):
    pioneer_id: UUID = fields.UUIDField()
    done_on: date = fields.DateField()
    body: str = fields.CharField(max_length=500)
    picture_id: UUID | None = fields.UUIDField(null=True, default=None)

    class Meta:
        table = "pioneer_deed"
        indexes = (("pioneer_id", "id"),)


class PioneerThankRow(Table):
    pioneer_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()

    class Meta:
        table = "pioneer_thank"
        unique_together = (("pioneer_id", "account_id"),)


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
