"""The inbox of each account."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable
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


class Notification(CommunityTable):
    account_id = fields.UUIDField()
    kind = fields.CharEnumField(NotificationKind, max_length=12)
    # What it is about: the comment, the notice, the residency application.
    subject_id = fields.UUIDField()
    actor_id = fields.UUIDField(null=True)
    read_at = fields.DatetimeField(null=True)

    class Meta:
        table = "notification"
        unique_together = (("account_id", "subject_id"),)
        indexes = (("account_id", "id"), ("account_id", "read_at"))


@dataclass(slots=True)
class NotificationRow:
    id: UUID
    community_id: UUID
    account_id: UUID
    kind: NotificationKind
    subject_id: UUID
    actor_id: UUID | None
    created_at: datetime
    read_at: datetime | None


def visible_to(viewer: Viewer) -> Where:
    """The entries (as ``t``) of the viewer's own inbox."""
    return Where("t.account_id = ?", (viewer.account_id,)) if viewer.account_id else NOTHING
