"""What residents think of what they were served, and what the organisation answers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable
from models.organisations import Power, has_power_in
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by

HIGHEST = 5


class EntryRating(CommunityTable):
    """One of each resident for each entry. A hidden one counts for nothing."""

    entry_id = fields.UUIDField()
    organisation_id = fields.UUIDField()
    author_id = fields.UUIDField()
    stars = fields.IntField()
    body = fields.TextField()
    edited_at = fields.DatetimeField(null=True)
    reply = fields.TextField(null=True)
    replied_at = fields.DatetimeField(null=True)
    hidden_at = fields.DatetimeField(null=True)
    hidden_reason = fields.CharField(max_length=300, default="")
    version = fields.IntField(default=1)

    class Meta:
        table = "entry_rating"
        unique_together = (("entry_id", "author_id"),)
        indexes = (("entry_id", "id"),)


@dataclass(slots=True)
class RatingRow:
    id: UUID
    created_at: datetime
    community_id: UUID
    entry_id: UUID
    organisation_id: UUID
    author_id: UUID
    stars: int
    body: str
    edited_at: datetime | None
    reply: str | None
    replied_at: datetime | None
    hidden_at: datetime | None
    hidden_reason: str
    version: int


RATINGS = Order("entry-ratings", ("id",))


def communities_moderated_by(viewer: Viewer) -> frozenset[UUID]:
    """The communities in which the viewer hides what breaks the rules."""
    return frozenset(community_id for community_id in viewer.communities if can_hide(viewer, community_id))


def visible_to(viewer: Viewer) -> Where:
    """The ratings (as ``t``) that the viewer sees: those of the own community; hidden ones, the own and
    for who hides them."""
    if not viewer.communities:
        return NOTHING
    kept = Where("t.hidden_at IS NULL")
    kept |= held_by(viewer, "t.author_id") | Where(
        "t.community_id IN (?)", (communities_moderated_by(viewer),)
    )
    return held_by(viewer, "t.community_id") & kept


def can_hide(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer hide ratings in this community?"""
    return has_power_in(viewer, community_id, Power.MODERATE)
