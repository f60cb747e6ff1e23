"""Official word: notices, whom they are for, and whom they reached."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable, Table
from models.powers import Power, has_power, powers_of
from models.roles import OrganisationKind, Role
from models.storage import fields
from models.storage.rows import Where
from models.visibility import Office, Viewer, held_by


class NoticeCategory(StrEnum):
    OUTAGE = "OUTAGE"
    SAFETY = "SAFETY"
    WEATHER = "WEATHER"
    HEALTH = "HEALTH"
    GENERAL = "GENERAL"


# Notices of which categories a kind of organisation may publish; one that is not here, of all.
CATEGORIES: dict[OrganisationKind, frozenset[NoticeCategory]] = {
    OrganisationKind.PROPERTY_COMPANY: frozenset({NoticeCategory.OUTAGE, NoticeCategory.GENERAL}),
}


class Severity(StrEnum):
    """In rising order. EMERGENCY overrides mute and blocks."""

    INFORMATION = "INFORMATION"
    IMPORTANT = "IMPORTANT"
    URGENT = "URGENT"
    EMERGENCY = "EMERGENCY"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)

    def and_above(self) -> "frozenset[Severity]":
        return frozenset(severity for severity in Severity if severity.rank >= self.rank)


class NoticeStatus(StrEnum):
    ACTIVE = "ACTIVE"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"


class AudienceKind(StrEnum):
    COMMUNITY = "COMMUNITY"
    ESTATE = "ESTATE"
    BUILDING = "BUILDING"
    GRID = "GRID"
    ROLE = "ROLE"
    # The publishing office itself: it sees what it sent, and is not counted in reach.
    OFFICE = "OFFICE"


class ReachedHow(StrEnum):
    DOORSTEP = "DOORSTEP"
    TELEPHONE = "TELEPHONE"


class Progress(StrEnum):
    """How far a notice came with one household."""

    TARGETED = "TARGETED"
    DELIVERED = "DELIVERED"
    SEEN = "SEEN"
    IN_PERSON = "IN_PERSON"
    ACKNOWLEDGED = "ACKNOWLEDGED"


class NoticeRow(CommunityTable):
    organisation_id: UUID = fields.UUIDField(db_index=True)
    author_id: UUID = fields.UUIDField()
    # The first notice of a chain of updates; its comments are the chain's comments.
    root_id: UUID = fields.UUIDField(db_index=True)
    # Unique, so that of two updates of one notice only one can be.
    supersedes_id: UUID | None = fields.UUIDField(null=True, default=None, unique=True)
    category: NoticeCategory = fields.CharEnumField(NoticeCategory, max_length=8)
    severity: Severity = fields.CharEnumField(Severity, max_length=12)
    status: NoticeStatus = fields.CharEnumField(NoticeStatus, max_length=12, default=NoticeStatus.ACTIVE)
    title: str = fields.CharField(max_length=80)
    body: str = fields.TextField()
    starts_at: datetime = fields.DatetimeField()
    ends_at: datetime | None = fields.DatetimeField(null=True, default=None)
    cancelled_at: datetime | None = fields.DatetimeField(null=True, default=None)
    cancel_reason: str = fields.CharField(max_length=500, default="")
    comment_count: int = fields.IntField(default=0)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "notice"
        indexes = (("community_id", "id"),)

    def valid_at(self, moment: datetime) -> bool:
        return (
            self.status is NoticeStatus.ACTIVE
            and self.starts_at <= moment
            and (self.ends_at is None or moment < self.ends_at)
        )


class AudienceRow(Table):
    """One scope that a notice is for."""

    notice_id: UUID = fields.UUIDField()
    kind: AudienceKind = fields.CharEnumField(AudienceKind, max_length=10)
    scope_id: UUID = fields.UUIDField()
    label: str = fields.CharField(max_length=140, default="")
    # Of a ROLE only, whose scope is made of them.
    organisation_kind: OrganisationKind | None = fields.CharEnumField(
        OrganisationKind, max_length=24, null=True, default=None
    )
    role: Role | None = fields.CharEnumField(Role, max_length=12, null=True, default=None)

    class Meta:
        table = "notice_audience"
        unique_together = (("notice_id", "scope_id"),)


class ReceiptRow(CommunityTable):
    """How far a notice came with one household. The targeted set is fixed at sending."""

    notice_id: UUID = fields.UUIDField()
    home_id: UUID = fields.UUIDField(db_index=True)
    building_id: UUID = fields.UUIDField()
    delivered_at: datetime | None = fields.DatetimeField(null=True, default=None)
    seen_at: datetime | None = fields.DatetimeField(null=True, default=None)
    acknowledged_at: datetime | None = fields.DatetimeField(null=True, default=None)
    acknowledged_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    reached_at: datetime | None = fields.DatetimeField(null=True, default=None)
    reached_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    reached_how: ReachedHow | None = fields.CharEnumField(ReachedHow, max_length=10, null=True, default=None)
    reached_note: str = fields.CharField(max_length=500, default="")

    class Meta:
        table = "receipt"
        unique_together = (("notice_id", "home_id"),)
        indexes = (("notice_id", "id"), ("notice_id", "building_id", "id"))

    @property
    def progress(self) -> Progress:
        if self.acknowledged_at:
            return Progress.ACKNOWLEDGED
        if self.reached_at:
            return Progress.IN_PERSON
        if self.seen_at:
            return Progress.SEEN
        return Progress.DELIVERED if self.delivered_at else Progress.TARGETED


class BuildingReachRow(Table):
    """Counters of one notice in one building, kept in the transaction that changes a receipt."""

    notice_id: UUID = fields.UUIDField()
    building_id: UUID = fields.UUIDField()
    targeted: int = fields.IntField()
    delivered: int = fields.IntField(default=0)
    seen: int = fields.IntField(default=0)
    acknowledged: int = fields.IntField(default=0)
    # Reached in person and not acknowledged, so that the two add up.
    in_person: int = fields.IntField(default=0)

    class Meta:
        table = "building_reach"
        unique_together = (("notice_id", "building_id"),)
        indexes = (("notice_id", "id"),)

    @property
    def reached(self) -> int:
        return self.acknowledged + self.in_person


def visible_to(viewer: Viewer) -> Where:
    """The notices (as ``t``) that were sent to a scope the viewer holds."""
    held = held_by(viewer, "a.scope_id")
    return Where(
        f"EXISTS (SELECT 1 FROM notice_audience a WHERE a.notice_id = t.id AND {held.text})", held.params
    )


def may_publish(viewer: Viewer, organisation_id: UUID, category: NoticeCategory, severity: Severity) -> bool:
    """May the viewer publish such a notice in the name of this organisation?"""
    office = viewer.offices.get(organisation_id)
    if office is None:
        return False
    needed = {Power.PUBLISH_NOTICES}
    if severity is Severity.EMERGENCY:
        needed.add(Power.PUBLISH_EMERGENCIES)
    allowed = CATEGORIES.get(office.kind)
    return needed <= powers_of(office) and (allowed is None or category in allowed)


def overseeing_offices(viewer: Viewer, notice: NoticeRow) -> list[Office]:
    """The offices through which the viewer follows the notice: of its publisher and the committee."""
    return [
        office
        for office in viewer.offices.values()
        if office.organisation_id == notice.organisation_id
        or (
            office.community_id == notice.community_id and office.kind is OrganisationKind.RESIDENTS_COMMITTEE
        )
    ]


def can_see_reach(viewer: Viewer, notice: NoticeRow) -> bool:
    """May the viewer see whom the notice reached?"""
    return any(
        has_power(viewer, office.organisation_id, Power.SEE_REACH)
        for office in overseeing_offices(viewer, notice)
    )


def can_record_visit(viewer: Viewer, notice: NoticeRow, grid_id: UUID | None) -> bool:
    """May the viewer record that a household in this grid was reached in person?"""
    return any(
        Power.RECORD_VISITS in powers_of(office)
        and (office.roles != {Role.GRID_WORKER} or grid_id in office.grids)
        for office in overseeing_offices(viewer, notice)
    )
