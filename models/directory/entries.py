"""What an organisation says in the directory that it offers."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.base import CommunityTable
from models.directory.hours import Hours
from models.powers import Power, communities_with, has_power
from models.roles import OrganisationKind
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by, public_of


class DirectoryCategory(StrEnum):
    GOVERNMENT_AFFAIRS = "GOVERNMENT_AFFAIRS"
    GRID = "GRID"
    PROPERTY = "PROPERTY"
    CONVENIENCE = "CONVENIENCE"
    NEARBY = "NEARBY"


PUBLIC_SERVICE = frozenset(
    {DirectoryCategory.GOVERNMENT_AFFAIRS, DirectoryCategory.GRID, DirectoryCategory.CONVENIENCE}
)
COMMERCE = frozenset({DirectoryCategory.CONVENIENCE, DirectoryCategory.NEARBY})
ESTATE_CARE = frozenset({DirectoryCategory.PROPERTY, DirectoryCategory.CONVENIENCE})

# In which category a kind of organisation may offer something, so that no shop poses as an office.
OFFERED: dict[OrganisationKind, frozenset[DirectoryCategory]] = {
    OrganisationKind.RESIDENTS_COMMITTEE: PUBLIC_SERVICE | {DirectoryCategory.NEARBY},
    OrganisationKind.OWNERS_COMMITTEE: ESTATE_CARE,
    OrganisationKind.PROPERTY_COMPANY: ESTATE_CARE,
    OrganisationKind.GOVERNMENT: frozenset(
        {DirectoryCategory.GOVERNMENT_AFFAIRS, DirectoryCategory.CONVENIENCE}
    ),
    OrganisationKind.MERCHANT: COMMERCE,
    OrganisationKind.INTERMEDIARY: COMMERCE,
}
# Offices answer for what they do in other ways: a request is rated, an opinion is answered.
RATED = COMMERCE


class EntryRow(CommunityTable):
    organisation_id: UUID = fields.UUIDField()
    # The community's public while it is published, else the organisation. See models.visibility.
    scope_id: UUID = fields.UUIDField()
    # Whether its organisation is a merchant, whose entries are seen as long as a licence holds.
    needs_licence: bool = fields.BooleanField()
    category: DirectoryCategory = fields.CharEnumField(DirectoryCategory, max_length=20)
    name: str = fields.CharField(max_length=80)
    summary: str = fields.TextField()
    place: str = fields.CharField(max_length=120, default="")
    estate_id: UUID | None = fields.UUIDField(null=True, default=None)
    building_id: UUID | None = fields.UUIDField(null=True, default=None)
    # The one grid that it is for, in the category GRID; without one it is for all.
    grid_id: UUID | None = fields.UUIDField(null=True, default=None)
    # The office's, never a person's.
    phone: str = fields.CharField(max_length=24, default="")
    hours: dict[str, Any] = fields.JSONTextField()
    steps: list[str] = fields.JSONTextField()
    documents: list[str] = fields.JSONTextField()
    links: list[list[str]] = fields.JSONTextField()
    published_at: datetime | None = fields.DatetimeField(null=True, default=None)
    rating_sum: int = fields.IntField(default=0)
    rating_count: int = fields.IntField(default=0)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "directory_entry"
        indexes = (
            ("community_id", "id"),
            ("community_id", "category", "id"),
            ("organisation_id", "id"),
        )

    @property
    def opening(self) -> Hours:
        return Hours.from_json(self.hours)

    @property
    def published(self) -> bool:
        return self.published_at is not None


# A directory is read from its beginning; what is near the viewer's home comes before the rest.
NEAR = Order("near-entries", ("id",), descending=False)
FAR = Order("entries", ("id",), descending=False)


def published_and_licensed(at: datetime) -> Where:
    """The entries (as ``t``) that are published and, if a merchant's, licensed at this moment."""
    return Where(
        "t.published_at IS NOT NULL AND (t.needs_licence = ? OR EXISTS"
        " (SELECT 1 FROM merchant_licence l WHERE l.organisation_id = t.organisation_id"
        " AND l.state = 'APPROVED' AND l.expires_at > ?))",
        (False, at),
    )


def visible_to(viewer: Viewer, at: datetime) -> Where:
    """The entries (as ``t``) that the viewer sees at this moment: those shown, the own office's, and
    merchants' for who checks their licences."""
    if not viewer.scopes:
        return NOTHING
    checked = Where("t.published_at IS NOT NULL AND t.needs_licence = ?", (True,)) & Where(
        "t.community_id IN (?)", (communities_with(viewer, Power.LICENSE_MERCHANTS),)
    )
    return (held_by(viewer) & published_and_licensed(at)) | held_by(viewer, "t.organisation_id") | checked


def audience(row: EntryRow) -> frozenset[UUID]:
    """Whoever may see a shown entry, for the event log."""
    return frozenset({public_of(row.community_id), row.organisation_id})


def where_viewer_lives(viewer: Viewer) -> Where:
    """The entries (as ``t``) in an estate where the viewer lives."""
    return held_by(viewer, "t.estate_id")


def where_viewer_does_not_live(viewer: Viewer) -> Where:
    """All others."""
    return (
        Where("t.estate_id IS NULL OR t.estate_id NOT IN (?)", (viewer.scopes,)) if viewer.scopes else NOTHING
    )


def can_keep(viewer: Viewer, organisation_id: UUID) -> bool:
    """May the viewer say in the directory what this organisation offers?"""
    return has_power(viewer, organisation_id, Power.KEEP_DIRECTORY)
