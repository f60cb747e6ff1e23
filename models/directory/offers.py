"""What an organisation offers for a while. An offer runs from its beginning to its end by itself."""

from datetime import datetime
from uuid import UUID

from models.base import CommunityTable
from models.directory import entries
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer, held_by


class OfferRow(CommunityTable):
    entry_id: UUID = fields.UUIDField()
    organisation_id: UUID = fields.UUIDField()
    title: str = fields.CharField(max_length=80)
    body: str = fields.TextField()
    price_fen: int | None = fields.IntField(null=True, default=None)
    starts_at: datetime = fields.DatetimeField()
    ends_at: datetime = fields.DatetimeField()
    # Before that, if its organisation took it back.
    withdrawn_at: datetime | None = fields.DatetimeField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "offer"
        indexes = (("entry_id", "id"), ("community_id", "id"))

    def runs(self, at: datetime) -> bool:
        return self.withdrawn_at is None and self.starts_at <= at < self.ends_at


OFFERS = Order("offers", ("id",))


def running(at: datetime) -> Where:
    """The offers (as ``t``) that run at this moment."""
    return Where("t.withdrawn_at IS NULL AND t.starts_at <= ? AND t.ends_at > ?", (at, at))


def visible_to(viewer: Viewer, at: datetime) -> Where:
    """The offers (as ``t``) that the viewer sees: those that run, of entries that are seen; and the own
    office's."""
    return held_by(viewer, "t.organisation_id") | (
        running(at) & entries_where(entries.visible_to(viewer, at))
    )


def running_of_shown_entries(at: datetime) -> Where:
    """The offers (as ``t``) that run, of entries that are shown to the community's public."""
    return running(at) & entries_where(entries.published_and_licensed(at))


def entries_where(where: Where) -> Where:
    """What belongs to an entry for which this holds. The inner ``t`` is the entry."""
    return Where(f"t.entry_id IN (SELECT t.id FROM directory_entry t WHERE {where.text})", where.params)
