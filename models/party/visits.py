"""The log of a branch's visits to homes (入户走访): for its officers only."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable
from models.organisations import Power
from models.party.members import branches_with
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer


class HomeVisit(CommunityTable):
    branch_id = fields.UUIDField()
    home_id = fields.UUIDField(db_index=True)
    visited_at = fields.DatetimeField()
    recorded_by_id = fields.UUIDField()
    # What was said is kept, sealed, with the consent of the household, and not longer than that.
    consented = fields.BooleanField()
    notes_sealed = fields.TextField(null=True)
    request_id = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "home_visit"
        indexes = (("branch_id", "id"),)


class HomeVisitor(CommunityTable):
    """Who went there."""

    visit_id = fields.UUIDField()
    account_id = fields.UUIDField()

    class Meta:
        table = "home_visitor"
        unique_together = (("visit_id", "account_id"),)


@dataclass(slots=True)
class HomeVisitRow:
    id: UUID
    community_id: UUID
    branch_id: UUID
    home_id: UUID
    visited_at: datetime
    recorded_by_id: UUID
    consented: bool
    notes_sealed: str | None
    request_id: UUID | None
    created_at: datetime
    version: int


VISITS = Order("home-visits", ("id",))


def visible_to(viewer: Viewer) -> Where:
    """The visits (as ``t``) of the branches whose log the viewer keeps."""
    return Where("t.branch_id IN (?)", (branches_with(viewer, Power.LOG_HOME_VISITS),))
