"""Communities, their estates and homes, the people in them, and how people sign in."""

import functools
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from asyncpg.pgproto import pgproto
from tortoise import fields

from models.base import CommunityTable, Table, now
from models.organisations import Power, Role, has_power_in, powers_of
from models.storage.rows import MOST_IDS, NOTHING, Where
from models.visibility import Viewer, public_of


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


class SessionEnd(StrEnum):
    SIGNED_OUT = "SIGNED_OUT"
    SIGNED_OUT_EVERYWHERE = "SIGNED_OUT_EVERYWHERE"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105


class Community(Table):
    name = fields.CharField(max_length=80, unique=True)

    class Meta:
        table = "community"


class Estate(CommunityTable):
    name = fields.CharField(max_length=80)
    address = fields.CharField(max_length=200, default="")

    class Meta:
        table = "estate"
        unique_together = (("community_id", "name"),)


class Grid(CommunityTable):
    name = fields.CharField(max_length=80)
    version = fields.IntField(default=1)

    class Meta:
        table = "grid"
        unique_together = (("community_id", "name"),)


class Building(CommunityTable):
    estate_id = fields.UUIDField(db_index=True)
    grid_id = fields.UUIDField(null=True, db_index=True)
    name = fields.CharField(max_length=40)

    class Meta:
        table = "building"
        unique_together = (("estate_id", "name"),)


class Home(CommunityTable):
    building_id = fields.UUIDField()
    unit = fields.CharField(max_length=20)
    number = fields.CharField(max_length=20)
    # Exclusive area; an integer, so that votes by area are exact.
    area_cm2 = fields.BigIntField()

    class Meta:
        table = "home"
        unique_together = (("building_id", "unit", "number"),)


class Account(Table):
    phone_index = fields.CharField(max_length=64, unique=True)
    phone_sealed = fields.TextField()
    display_name = fields.CharField(max_length=30)
    language = fields.CharField(max_length=10, default="zh-Hans")
    password_hash = fields.CharField(max_length=200, null=True)
    real_name_sealed = fields.TextField(null=True)
    document_sealed = fields.TextField(null=True)
    document_index = fields.CharField(max_length=64, null=True, db_index=True)

    class Meta:
        table = "account"


class Session(Table):
    account_id = fields.UUIDField(db_index=True)
    device = fields.CharField(max_length=120)
    # Digests only: whoever reads the table can not sign in with it.
    refresh_digest = fields.CharField(max_length=64, unique=True)
    previous_digest = fields.CharField(max_length=64, null=True)
    refreshed_at = fields.DatetimeField(default=now)
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    end = fields.CharEnumField(SessionEnd, null=True, max_length=24)

    class Meta:
        table = "session"


class OneTimeCode(Table):
    phone_index = fields.CharField(max_length=64, db_index=True)
    digest = fields.CharField(max_length=64)
    expires_at = fields.DatetimeField()
    attempts = fields.IntField(default=0)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "one_time_code"


class RateCount(Table):
    """How often something was tried in one window of time."""

    key = fields.CharField(max_length=120)
    window = fields.BigIntField()
    count = fields.IntField(default=0)

    class Meta:
        table = "rate_count"
        unique_together = (("key", "window"),)


class Residency(CommunityTable):
    account_id = fields.UUIDField(db_index=True)
    home_id = fields.UUIDField(db_index=True)
    relation = fields.CharEnumField(Relation, max_length=12)
    since = fields.DatetimeField(default=now)
    until = fields.DatetimeField(null=True)
    approved_by_id = fields.UUIDField(null=True)

    class Meta:
        table = "residency"


class ResidencyApplication(CommunityTable):
    account_id = fields.UUIDField(db_index=True)
    home_id = fields.UUIDField()
    relation = fields.CharEnumField(Relation, max_length=12)
    status = fields.CharEnumField(ApplicationStatus, max_length=12, default=ApplicationStatus.PENDING)
    # All four are personal, and gone once it is decided.
    real_name_sealed = fields.TextField(null=True)
    document_sealed = fields.TextField(null=True)
    document_index = fields.CharField(max_length=64, null=True)
    evidence_sealed = fields.TextField(null=True)
    decided_at = fields.DatetimeField(null=True)
    decided_by_id = fields.UUIDField(null=True)
    reason = fields.CharField(max_length=500, default="")
    version = fields.IntField(default=1)

    class Meta:
        table = "residency_application"
        indexes = (("community_id", "status", "id"),)


class HouseholdEntry(CommunityTable):
    """A line of the imported household register: who is known to live where."""

    home_id = fields.UUIDField(db_index=True)
    relation = fields.CharEnumField(Relation, max_length=12)
    real_name_sealed = fields.TextField()
    document_index = fields.CharField(max_length=64, db_index=True)
    phone_index = fields.CharField(max_length=64, null=True)
    imported_by_id = fields.UUIDField()

    class Meta:
        table = "household_entry"
        unique_together = (("home_id", "document_index"),)


class HouseholdImport(CommunityTable):
    """What became of an imported file. Its problems name lines and never repeat what is in them."""

    organisation_id = fields.UUIDField()
    account_id = fields.UUIDField()
    rows_read = fields.IntField()
    imported = fields.IntField()
    unchanged = fields.IntField()
    homes_added = fields.IntField()
    approved = fields.IntField()
    problems: Any = fields.JSONField(default=list)

    class Meta:
        table = "household_import"


@dataclass(slots=True)
class CommunityRow:
    id: UUID
    name: str
    created_at: datetime


@dataclass(slots=True)
class EstateRow:
    id: UUID
    community_id: UUID
    name: str
    address: str


@dataclass(slots=True)
class GridRow:
    id: UUID
    community_id: UUID
    name: str
    version: int


@dataclass(slots=True)
class BuildingRow:
    id: UUID
    community_id: UUID
    estate_id: UUID
    grid_id: UUID | None
    name: str


@dataclass(slots=True)
class HomeRow:
    id: UUID
    community_id: UUID
    building_id: UUID
    unit: str
    number: str
    area_cm2: int


@dataclass(slots=True)
class AccountRow:
    """An account as its own holder sees it."""

    id: UUID
    phone_sealed: str
    display_name: str
    language: str
    password_hash: str | None
    created_at: datetime


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


@functools.lru_cache(maxsize=MOST_IDS)
def neighbour_key(community_id: UUID, account_id: UUID) -> UUID:
    """The id of an account's face in a community: one account has another in each community.

    It is its own inverse: with the community's id it gives the account's id back.
    """
    return pgproto.UUID((community_id.int ^ account_id.int).to_bytes(16, "big"))


@dataclass(slots=True)
class SessionRow:
    id: UUID
    account_id: UUID
    device: str
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class ResidencyRow:
    id: UUID
    community_id: UUID
    account_id: UUID
    home_id: UUID
    relation: Relation
    since: datetime
    until: datetime | None


@dataclass(slots=True)
class ApplicationRow:
    id: UUID
    community_id: UUID
    account_id: UUID
    home_id: UUID
    relation: Relation
    status: ApplicationStatus
    real_name_sealed: str | None
    document_sealed: str | None
    evidence_sealed: str | None
    created_at: datetime
    decided_at: datetime | None
    reason: str
    version: int


@dataclass(slots=True)
class HouseholdImportRow:
    id: UUID
    community_id: UUID
    organisation_id: UUID
    rows_read: int
    imported: int
    unchanged: int
    homes_added: int
    approved: int
    problems: list[dict[str, Any]]
    created_at: datetime


def may_look_into(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer look at what everyone in this community may look at?"""
    return viewer.may_see(frozenset({community_id, public_of(community_id)}))


def application_visible_to(viewer: Viewer) -> Where:
    """An applicant sees the own applications; who verifies residents sees those of the community."""
    verified = {
        office.community_id
        for office in viewer.offices.values()
        if Power.VERIFY_RESIDENTS in powers_of(office)
    }
    own = Where("t.account_id = ?", (viewer.account_id,)) if viewer.account_id else NOTHING
    return own | Where("t.community_id IN (?)", (verified,))


def residency_visible_to(viewer: Viewer) -> Where:
    """Residents see their own residencies; who may see residents, those of the community."""
    seen = {
        office.community_id for office in viewer.offices.values() if Power.SEE_RESIDENTS in powers_of(office)
    }
    own = Where("t.account_id = ?", (viewer.account_id,)) if viewer.account_id else NOTHING
    return own | Where("t.community_id IN (?)", (seen,))


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
