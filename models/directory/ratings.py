"""What residents think of what they were served, and what the organisation answers."""

from datetime import datetime
from uuid import UUID

from models.base import CommunityTable
from models.powers import Power, communities_with, has_power_in
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by

HIGHEST = 5


class RatingRow(CommunityTable):
    """One of each resident for each entry. A hidden one counts for nothing."""

    entry_id: UUID = fields.UUIDField()
    organisation_id: UUID = fields.UUIDField()
    author_id: UUID = fields.UUIDField()
    stars: int = fields.IntField()
    body: str = fields.TextField()
    edited_at: datetime | None = fields.DatetimeField(null=True, default=None)
    reply: str | None = fields.TextField(null=True, default=None)
    replied_at: datetime | None = fields.DatetimeField(null=True, default=None)
    hidden_at: datetime | None = fields.DatetimeField(null=True, default=None)
    hidden_reason: str = fields.CharField(max_length=300, default="")
    version: int = fields.IntField(default=1)

    class Meta:
        table = "entry_rating"
        unique_together = (("entry_id", "author_id"),)
        indexes = (("entry_id", "id"),)


RATINGS = Order("entry-ratings", ("id",))


def visible_to(viewer: Viewer) -> Where:
    """The ratings (as ``t``) that the viewer sees: those of the own community; hidden ones, the own and
    for who hides them."""
    if not viewer.communities:
        return NOTHING
    kept = Where("t.hidden_at IS NULL")
    kept |= held_by(viewer, "t.author_id") | Where(
        "t.community_id IN (?)", (communities_with(viewer, Power.MODERATE),)
    )
    return held_by(viewer, "t.community_id") & kept


def can_hide(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer hide ratings in this community?"""
    return has_power_in(viewer, community_id, Power.MODERATE)
