"""The log of a branch's visits to homes (入户走访): for its officers only."""

from datetime import datetime
from uuid import UUID

from models.base import CommunityTable
from models.party.members import branches_with
from models.powers import Power
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer


class HomeVisitRow(CommunityTable):
    branch_id: UUID = fields.UUIDField()
    home_id: UUID = fields.UUIDField(db_index=True)
    visited_at: datetime = fields.DatetimeField()
    recorded_by_id: UUID = fields.UUIDField()
    # What was said is kept, sealed, with the consent of the household, and not longer than that.
    consented: bool = fields.BooleanField()
    notes_sealed: str | None = fields.TextField(null=True, default=None)
    request_id: UUID | None = fields.UUIDField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "home_visit"
        indexes = (("branch_id", "id"),)


class HomeVisitorRow(CommunityTable):
    """Who went there."""

    visit_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()

    class Meta:
        table = "home_visitor"
        unique_together = (("visit_id", "account_id"),)


VISITS = Order("home-visits", ("id",))


def visible_to(viewer: Viewer) -> Where:
    """The visits (as ``t``) of the branches whose log the viewer keeps."""
    return Where("t.branch_id IN (?)", (branches_with(viewer, Power.LOG_HOME_VISITS),))
