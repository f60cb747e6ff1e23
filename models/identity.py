"""Communities, their estates and homes, the people in them, and how people sign in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from asyncpg.pgproto import pgproto

from models import pseudonyms
from models.base import CommunityTable, Table, now
from models.powers import Power, communities_with, has_power_in
from models.roles import Role
from models.storage import fields
from models.storage.rows import MOST_IDS, NOTHING, Where
from models.visibility import Viewer, public_of

# So long the residents' committee still knows who has moved out; then what they were verified with is erased.
FORMER_RESIDENTS_KNOWN = timedelta(days=2 * 365)


class Relation(StrEnum):
    OWNER = "OWNER"
    CO_OWNER = "CO_OWNER"
    FAMILY = "FAMILY"
    TENANT = "TENANT"


class ApplicationStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class PhoneChangeStatus(StrEnum):
    PROPOSED = "PROPOSED"
    DONE = "DONE"
    REFUSED = "REFUSED"


class SessionEnd(StrEnum):
    SIGNED_OUT = "SIGNED_OUT"
    SIGNED_OUT_EVERYWHERE = "SIGNED_OUT_EVERYWHERE"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105
    PHONE_CHANGED = "PHONE_CHANGED"


class CommunityRow(Table):
    name: str = fields.CharField(max_length=80, unique=True)

    class Meta:
        table = "community"


class EstateRow(CommunityTable):
    name: str = fields.CharField(max_length=80)
    address: str = fields.CharField(max_length=200, default="")

    class Meta:
        table = "estate"
        unique_together = (("community_id", "name"),)


class GridRow(CommunityTable):
    name: str = fields.CharField(max_length=80)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "grid"
        unique_together = (("community_id", "name"),)


class BuildingRow(CommunityTable):
    estate_id: UUID = fields.UUIDField(db_index=True)
    grid_id: UUID | None = fields.UUIDField(null=True, default=None, db_index=True)
    name: str = fields.CharField(max_length=40)

    class Meta:
        table = "building"
        unique_together = (("estate_id", "name"),)


class HomeRow(CommunityTable):
    building_id: UUID = fields.UUIDField()
    unit: str = fields.CharField(max_length=20)
    number: str = fields.CharField(max_length=20)
    # Exclusive area; an integer, so that votes by area are exact.
    area_cm2: int = fields.BigIntField()

    class Meta:
        table = "home"
        unique_together = (("building_id", "unit", "number"),)


class AccountRow(Table):
    phone_index: str = fields.CharField(max_length=64, unique=True)
    phone_sealed: str = fields.TextField()
    display_name: str = fields.CharField(max_length=30)
    language: str = fields.CharField(max_length=10, default="zh-Hans")
    password_hash: str | None = fields.CharField(max_length=200, null=True, default=None)
    real_name_sealed: str | None = fields.TextField(null=True, default=None)
    document_sealed: str | None = fields.TextField(null=True, default=None)
    document_index: str | None = fields.CharField(max_length=64, null=True, default=None, db_index=True)

    class Meta:
        table = "account"


class SessionRow(Table):
    account_id: UUID = fields.UUIDField(db_index=True)
    device: str = fields.CharField(max_length=120)
    # Digests only: whoever reads the table can not sign in with it.
    refresh_digest: str = fields.CharField(max_length=64, unique=True)
    previous_digest: str | None = fields.CharField(max_length=64, null=True, default=None)
    refreshed_at: datetime = fields.DatetimeField(default=now)
    expires_at: datetime = fields.DatetimeField()
    ended_at: datetime | None = fields.DatetimeField(null=True, default=None)
    end: SessionEnd | None = fields.CharEnumField(SessionEnd, null=True, default=None, max_length=24)

    class Meta:
        table = "session"


class OneTimeCodeRow(Table):
    phone_index: str = fields.CharField(max_length=64, db_index=True)
    digest: str = fields.CharField(max_length=64)
    expires_at: datetime = fields.DatetimeField()
    attempts: int = fields.IntField(default=0)
    used_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "one_time_code"


class RateCountRow(Table):
    """How often something was tried in one window of time."""

    key: str = fields.CharField(max_length=120)
    window: int = fields.BigIntField()
    count: int = fields.IntField(default=0)

    class Meta:
        table = "rate_count"
        unique_together = (("key", "window"),)


class ResidencyRow(CommunityTable):
    account_id: UUID = fields.UUIDField(db_index=True)
    home_id: UUID = fields.UUIDField(db_index=True)
    relation: Relation = fields.CharEnumField(Relation, max_length=12)
    since: datetime = fields.DatetimeField(default=now)
    until: datetime | None = fields.DatetimeField(null=True, default=None)
    approved_by_id: UUID | None = fields.UUIDField(null=True, default=None)

    class Meta:
        table = "residency"


class ApplicationRow(CommunityTable):
    account_id: UUID = fields.UUIDField(db_index=True)
    home_id: UUID = fields.UUIDField()
    relation: Relation = fields.CharEnumField(Relation, max_length=12)
    status: ApplicationStatus = fields.CharEnumField(
        ApplicationStatus, max_length=12, default=ApplicationStatus.PENDING
    )
    # All four are personal, and gone once it is decided.
    real_name_sealed: str | None = fields.TextField(null=True, default=None)
    document_sealed: str | None = fields.TextField(null=True, default=None)
    document_index: str | None = fields.CharField(max_length=64, null=True, default=None)
    evidence_sealed: str | None = fields.TextField(null=True, default=None)
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)
    decided_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    reason: str = fields.CharField(max_length=500, default="")
    version: int = fields.IntField(default=1)

    class Meta:
        table = "residency_application"
        indexes = (("community_id", "status", "id"),)


class PhoneChangeRow(CommunityTable):
    """That officers give an account another phone, for somebody who has lost the old one."""

    account_id: UUID = fields.UUIDField(db_index=True)
    residency_id: UUID = fields.UUIDField()
    status: PhoneChangeStatus = fields.CharEnumField(
        PhoneChangeStatus, max_length=12, default=PhoneChangeStatus.PROPOSED
    )
    # The new one; gone once it is decided.
    phone_sealed: str | None = fields.TextField(null=True, default=None)
    reason: str = fields.CharField(max_length=300)
    proposed_by_id: UUID = fields.UUIDField()
    decided_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "phone_change"
        indexes = (("community_id", "status", "id"),)


class HouseholdEntryRow(CommunityTable):
    """A line of the imported household register: who is known to live where."""

    home_id: UUID = fields.UUIDField(db_index=True)
    relation: Relation = fields.CharEnumField(Relation, max_length=12)
    real_name_sealed: str = fields.TextField()
    document_index: str = fields.CharField(max_length=64, db_index=True)
    phone_index: str | None = fields.CharField(max_length=64, null=True, default=None)
    imported_by_id: UUID = fields.UUIDField()

    class Meta:
        table = "household_entry"
        unique_together = (("home_id", "document_index"),)


class HouseholdImportRow(CommunityTable):
    """What became of an imported file. Its problems name lines and never repeat what is in them."""

    organisation_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    rows_read: int = fields.IntField()
    imported: int = fields.IntField()
    unchanged: int = fields.IntField()
    homes_added: int = fields.IntField()
    approved: int = fields.IntField()
    problems: list[dict[str, Any]] = fields.JSONField(default=list)

    class Meta:
        table = "household_import"


@dataclass(slots=True)
class NeighbourOffice:
    organisation_id: UUID
    organisation: str
    role: Role


@dataclass(slots=True)
class NeighbourRow:
    """The public face of an account in one community."""

    account_id: UUID
    community_id: UUID
    display_name: str
    # The building of the current residency; None for who lives elsewhere.
    building: str | None
    office: NeighbourOffice | None

    @property
    def id(self) -> UUID:
        return neighbour_key(self.community_id, self.account_id)


@pseudonyms.remembered(MOST_IDS)
def neighbour_key(community_id: UUID, account_id: UUID) -> UUID:
    """The id of an account's face in a community: another in each, and nobody else can tell whose."""
    return pgproto.UUID(pseudonyms.enciphered(f"neighbour/{community_id}", account_id.bytes))


@pseudonyms.remembered(MOST_IDS)
def account_behind(community_id: UUID, key: UUID) -> UUID:
    """The account whose face has this key in a community, or the id of no account."""
    return pgproto.UUID(pseudonyms.deciphered(f"neighbour/{community_id}", key.bytes))


def may_look_into(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer look at what everyone in this community may look at?"""
    return viewer.may_see(frozenset({community_id, public_of(community_id)}))


def application_visible_to(viewer: Viewer) -> Where:
    """An applicant sees the own applications; who verifies residents sees those of the community."""
    own = Where("t.account_id = ?", (viewer.account_id,)) if viewer.account_id else NOTHING
    return own | Where("t.community_id IN (?)", (communities_with(viewer, Power.VERIFY_RESIDENTS),))


def phone_change_visible_to(viewer: Viewer) -> Where:
    """Who verifies residents sees the changes of phones in the community."""
    return Where("t.community_id IN (?)", (communities_with(viewer, Power.VERIFY_RESIDENTS),))


def residency_visible_to(viewer: Viewer) -> Where:
    """Residents see their own residencies; who may see residents, those of the community."""
    own = Where("t.account_id = ?", (viewer.account_id,)) if viewer.account_id else NOTHING
    return own | Where("t.community_id IN (?)", (communities_with(viewer, Power.SEE_RESIDENTS),))


def can_decide(viewer: Viewer, application: ApplicationRow) -> bool:
    """May the viewer approve or reject this application? Nobody decides the own one."""
    return viewer.account_id != application.account_id and has_power_in(
        viewer, application.community_id, Power.VERIFY_RESIDENTS
    )


def can_withdraw(viewer: Viewer, application: ApplicationRow) -> bool:
    """May the viewer withdraw this application?"""
    return viewer.account_id == application.account_id


def can_end(viewer: Viewer, residency: ResidencyRow) -> bool:
    """May the viewer record that this resident has moved out?"""
    return viewer.account_id == residency.account_id or has_power_in(
        viewer, residency.community_id, Power.VERIFY_RESIDENTS
    )
