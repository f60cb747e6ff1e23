"""Pictures and documents: what was uploaded, by whom, and what it is attached to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable, now
from models.visibility import Viewer


class MediaKind(StrEnum):
    PICTURE = "PICTURE"
    DOCUMENT = "DOCUMENT"


class Media(CommunityTable):
    """An upload. Its file is found by `digest`, which uploads of the same content share."""

    uploader_id = fields.UUIDField()
    kind = fields.CharEnumField(MediaKind, max_length=8)
    digest = fields.CharField(max_length=64, db_index=True)
    content_type = fields.CharField(max_length=40)
    # What a document is saved as.
    name = fields.CharField(max_length=120, default="")
    size = fields.IntField()
    width = fields.IntField(default=0)
    height = fields.IntField(default=0)
    # The article, profile, or other thing that shows it. Whoever sees that sees this.
    subject_id = fields.UUIDField(null=True)
    # When it came to be attached to nothing: at the upload, or when it was taken out of something.
    loose_since = fields.DatetimeField(null=True, default=now)

    class Meta:
        table = "media"
        indexes = (("subject_id", "id"), ("loose_since", "id"), ("uploader_id", "loose_since"))


@dataclass(slots=True)
class MediaRow:
    id: UUID
    community_id: UUID
    kind: MediaKind
    digest: str
    content_type: str
    name: str
    size: int
    width: int
    height: int
    subject_id: UUID | None
    created_at: datetime


def can_upload(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer upload something to be shown in this community?"""
    return viewer.belongs_to(community_id)
