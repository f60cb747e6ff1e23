"""The inbox of each account."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable
from models.storage import fields
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer


class NotificationKind(StrEnum):
    COMMENT = "COMMENT"
    REPLY = "REPLY"
    NOTICE = "NOTICE"
    RESIDENCY = "RESIDENCY"
    MOTION = "MOTION"
    REQUEST = "REQUEST"
    DELIBERATION = "DELIBERATION"
    STATEMENT = "STATEMENT"
    MATCH = "MATCH"
    MENTION = "MENTION"
    GROUP_POST = "GROUP_POST"
    GROUP_JOIN = "GROUP_JOIN"
    GROUP_INVITE = "GROUP_INVITE"
    GROUP_STEP = "GROUP_STEP"
    PARTY_ENTRY = "PARTY_ENTRY"
    PARTY_MEMBER = "PARTY_MEMBER"
    PARTY_NEWS = "PARTY_NEWS"
    PARTY_AFFAIR = "PARTY_AFFAIR"
    PIONEER = "PIONEER"
    PARTY_LESSON = "PARTY_LESSON"
    OPINION = "OPINION"
    LICENCE = "LICENCE"
    BOOKING = "BOOKING"
    RATING = "RATING"
    ACTIVITY = "ACTIVITY"


class NotificationRow(CommunityTable):
    account_id: UUID = fields.UUIDField()
    kind: NotificationKind = fields.CharEnumField(NotificationKind, max_length=12)
    # What it is about: the comment, the notice, the residency application.
    subject_id: UUID = fields.UUIDField()
    actor_id: UUID | None = fields.UUIDField(null=True, default=None)
    read_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "notification"
        unique_together = (("account_id", "subject_id"),)
        indexes = (("account_id", "id"), ("account_id", "read_at"))


def visible_to(viewer: Viewer) -> Where:
    """The entries (as ``t``) of the viewer's own inbox."""
    return Where("t.account_id = ?", (viewer.account_id,)) if viewer.account_id else NOTHING
