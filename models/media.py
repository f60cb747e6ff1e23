"""Pictures and documents: what was uploaded, by whom, and what it is attached to."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable, now
from models.storage import fields
from models.visibility import Viewer


class MediaKind(StrEnum):
    PICTURE = "PICTURE"
    DOCUMENT = "DOCUMENT"


class MediaRow(CommunityTable):
    """An upload. Its file is found by `digest`, which uploads of the same content share."""

    uploader_id: UUID = fields.UUIDField()
    kind: MediaKind = fields.CharEnumField(MediaKind, max_length=8)
    digest: str = fields.CharField(max_length=64, db_index=True)
    content_type: str = fields.CharField(max_length=40)
    # What a document is saved as.
    name: str = fields.CharField(max_length=120, default="")
    size: int = fields.IntField()
    width: int = fields.IntField(default=0)
    height: int = fields.IntField(default=0)
    # The article, profile, or other thing that shows it. Whoever sees that sees this.
    subject_id: UUID | None = fields.UUIDField(null=True, default=None)
    # When it came to be attached to nothing: at the upload, or when it was taken out of something.
    loose_since: datetime | None = fields.DatetimeField(null=True, default=now)

    class Meta:
        table = "media"
        indexes = (("subject_id", "id"), ("loose_since", "id"), ("uploader_id", "loose_since"))


def can_upload(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer upload something to be shown in this community?"""
    return viewer.belongs_to(community_id)
