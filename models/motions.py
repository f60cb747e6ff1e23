"""The owners' vote: motions, the rules they are put under, who may vote, and the ballot box.

The law is the Civil Code, article 278. Heads and areas are integers, thresholds exact fractions.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.base import CommunityTable, Table
from models.powers import Power, has_power, has_power_in
from models.roles import OrganisationKind
from models.storage import fields
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by


class ItemClass(StrEnum):
    """What an item is in law, in the order of article 278, paragraph 1."""

    ASSEMBLY_RULES = "ASSEMBLY_RULES"
    MANAGEMENT_CONVENTION = "MANAGEMENT_CONVENTION"
    COMMITTEE_ELECTION = "COMMITTEE_ELECTION"
    PROPERTY_MANAGER = "PROPERTY_MANAGER"
    USE_OF_FUNDS = "USE_OF_FUNDS"
    RAISING_FUNDS = "RAISING_FUNDS"
    REBUILDING = "REBUILDING"
    COMMON_PARTS = "COMMON_PARTS"
    OTHER_MATTERS = "OTHER_MATTERS"

    @property
    def number(self) -> int:
        """The item's number in article 278, 1 to 9."""
        return list(ItemClass).index(self) + 1

    @property
    def special(self) -> bool:
        """Whether three quarters must agree: items 6 to 8."""
        return 6 <= self.number <= 8


class MotionStatus(StrEnum):
    DRAFT = "DRAFT"
    ANNOUNCED = "ANNOUNCED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    WITHDRAWN = "WITHDRAWN"


class MotionPhase(StrEnum):
    """Where a motion stands by the clock, however promptly scheduled work is done."""

    DRAFT = "DRAFT"
    ANNOUNCED = "ANNOUNCED"
    OPEN = "OPEN"
    COUNTING = "COUNTING"
    CLOSED = "CLOSED"
    WITHDRAWN = "WITHDRAWN"


class ScopeKind(StrEnum):
    COMMUNITY = "COMMUNITY"
    ESTATE = "ESTATE"
    BUILDINGS = "BUILDINGS"


class Choice(StrEnum):
    YES = "YES"
    NO = "NO"
    ABSTAIN = "ABSTAIN"


class Channel(StrEnum):
    ONLINE = "ONLINE"
    PAPER = "PAPER"
    DOORSTEP = "DOORSTEP"


class Via(StrEnum):
    """In which quality somebody casts a head's ballot."""

    OWNER = "OWNER"
    PROXY = "PROXY"
    OFFICE = "OFFICE"


class ElectorKind(StrEnum):
    OWNER = "OWNER"
    DEVELOPER = "DEVELOPER"
    UNKNOWN = "UNKNOWN"


class EntryKind(StrEnum):
    BALLOT = "BALLOT"
    RESOLUTION = "RESOLUTION"
    EXTENSION = "EXTENSION"


class Standing(StrEnum):
    COUNTED = "COUNTED"
    SUPERSEDED = "SUPERSEDED"
    DISPUTED = "DISPUTED"
    SET_ASIDE = "SET_ASIDE"


class PaperStatus(StrEnum):
    ENTERED = "ENTERED"
    CONFIRMED = "CONFIRMED"
    DISCREPANT = "DISCREPANT"


class ProxyStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"


class RulesRow(CommunityTable):
    """A version of the rules of voting. Never changed: other rules are another version."""

    version: int = fields.IntField()
    name: str = fields.CharField(max_length=80)
    binding: bool = fields.BooleanField()
    quorum: dict[str, Any] = fields.JSONField()
    ordinary: dict[str, Any] = fields.JSONField()
    special: dict[str, Any] = fields.JSONField()
    changes_allowed: bool = fields.BooleanField()
    proxies_allowed: bool = fields.BooleanField()
    notice_hours: int = fields.IntField()
    most_extensions: int = fields.IntField()
    extension_hours: int = fields.IntField()
    adopted_by_id: UUID | None = fields.UUIDField(null=True, default=None)

    class Meta:
        table = "vote_rules"
        unique_together = (("community_id", "version"),)


class MotionRow(CommunityTable):
    organisation_id: UUID = fields.UUIDField(db_index=True)
    author_id: UUID = fields.UUIDField()
    rules_id: UUID = fields.UUIDField()
    scope_kind: ScopeKind = fields.CharEnumField(ScopeKind, max_length=10)
    # Estate or buildings, by id.
    scope_ids: list[str] = fields.JSONField(default=list)
    scope_label: str = fields.CharField(max_length=200, default="")
    title: str = fields.CharField(max_length=80)
    body: str = fields.TextField()
    secret: bool = fields.BooleanField(default=False)
    status: MotionStatus = fields.CharEnumField(MotionStatus, max_length=10, default=MotionStatus.DRAFT)
    opens_at: datetime = fields.DatetimeField()
    closes_at: datetime = fields.DatetimeField()
    first_closes_at: datetime = fields.DatetimeField()
    extensions: int = fields.IntField(default=0)
    announced_at: datetime | None = fields.DatetimeField(null=True, default=None)
    opened_at: datetime | None = fields.DatetimeField(null=True, default=None)
    closed_at: datetime | None = fields.DatetimeField(null=True, default=None)
    withdraw_reason: str = fields.CharField(max_length=500, default="")
    # Frozen at the opening.
    heads: int = fields.IntField(default=0)
    area_cm2: int = fields.BigIntField(default=0)
    snapshot_hash: str = fields.CharField(max_length=64, default="")
    # Canonical JSON, without personal data.
    snapshot = fields.TextField(default="")
    # The ballot box: appended to behind this row's lock.
    heads_cast: int = fields.IntField(default=0)
    area_cast_cm2: int = fields.BigIntField(default=0)
    entries: int = fields.IntField(default=0)
    last_hash: str = fields.CharField(max_length=64, default="")
    result: dict[str, Any] | None = fields.JSONField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "motion"
        indexes = (("community_id", "id"),)

    def phase_at(self, moment: datetime) -> MotionPhase:
        """Where the motion stands at `moment`; COUNTING from the close until the result is there."""
        if self.status is MotionStatus.ANNOUNCED and moment >= self.opens_at:
            return MotionPhase.OPEN if moment < self.closes_at else MotionPhase.COUNTING
        if self.status is MotionStatus.OPEN and moment >= self.closes_at:
            return MotionPhase.COUNTING
        return MotionPhase(self.status.value)


class ItemRow(Table):
    motion_id: UUID = fields.UUIDField()
    position: int = fields.IntField()
    item_class: ItemClass = fields.CharEnumField(ItemClass, max_length=24)
    title: str = fields.CharField(max_length=200)
    body: str = fields.TextField(default="")

    class Meta:
        table = "motion_item"
        unique_together = (("motion_id", "position"),)


class ElectorRow(CommunityTable):
    """One head, with all homes that it has. The number says nothing of who it is."""

    motion_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    kind: ElectorKind = fields.CharEnumField(ElectorKind, max_length=10)
    # Where the head itself is counted, so that buildings add up to the whole.
    building_id: UUID = fields.UUIDField()
    area_cm2: int = fields.BigIntField()
    # Number in the box of the ballot that counts, and of the other one in a conflict.
    counted: int | None = fields.IntField(null=True, default=None)
    disputed: int | None = fields.IntField(null=True, default=None)
    channel: Channel | None = fields.CharEnumField(Channel, max_length=10, null=True, default=None)
    voted_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "elector"
        unique_together = (("motion_id", "number"),)
        indexes = (("motion_id", "id"),)


class ElectorHomeRow(Table):
    motion_id: UUID = fields.UUIDField()
    elector_id: UUID = fields.UUIDField(db_index=True)
    home_id: UUID = fields.UUIDField()
    building_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    area_cm2: int = fields.BigIntField()

    class Meta:
        table = "elector_home"
        unique_together = (("motion_id", "home_id"),)


class ElectorVoterRow(Table):
    """Who may cast a head's one ballot: each of its co-owners."""

    motion_id: UUID = fields.UUIDField()
    elector_id: UUID = fields.UUIDField(db_index=True)
    account_id: UUID = fields.UUIDField()

    class Meta:
        table = "elector_voter"
        unique_together = (("account_id", "elector_id"),)


class MotionBuildingRow(Table):
    """What a building has to cast and has cast, kept in the transaction that casts."""

    motion_id: UUID = fields.UUIDField()
    building_id: UUID = fields.UUIDField()
    position: int = fields.IntField()
    heads: int = fields.IntField()
    area_cm2: int = fields.BigIntField()
    heads_cast: int = fields.IntField(default=0)
    area_cast_cm2: int = fields.BigIntField(default=0)

    class Meta:
        table = "motion_building"
        unique_together = (("motion_id", "building_id"),)


class BoxEntryRow(CommunityTable):
    """An entry of the ballot box. `content` and `hash` are for ever, `standing` follows from the entries."""

    motion_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    kind: EntryKind = fields.CharEnumField(EntryKind, max_length=10)
    # Canonical JSON, with the hash of the entry before.
    content: str = fields.TextField()
    hash: str = fields.CharField(max_length=64)
    elector_id: UUID | None = fields.UUIDField(null=True, default=None)
    channel: Channel | None = fields.CharEnumField(Channel, max_length=10, null=True, default=None)
    via: Via | None = fields.CharEnumField(Via, max_length=6, null=True, default=None)
    cast_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    receipt: str | None = fields.CharField(max_length=64, null=True, default=None)
    standing: Standing | None = fields.CharEnumField(Standing, max_length=10, null=True, default=None)

    class Meta:
        table = "box_entry"
        unique_together = (("motion_id", "number"), ("motion_id", "receipt"))
        indexes = (("cast_by_id", "motion_id"),)


class SecretChoiceRow(Table):
    """A piece of a secret ballot: one item, one head or a round piece of area, and nothing of whose."""

    motion_id: UUID = fields.UUIDField()
    position: int = fields.IntField()
    choice: Choice = fields.CharEnumField(Choice, max_length=7)
    heads: int = fields.IntField()
    area_cm2: int = fields.BigIntField()
    code: str = fields.CharField(max_length=64)

    class Meta:
        table = "secret_choice"
        unique_together = (("motion_id", "code"),)


class PaperRow(CommunityTable):
    """A ballot on paper between its two officers. What it says is sealed, and gone once confirmed."""

    motion_id: UUID = fields.UUIDField(db_index=True)
    elector_id: UUID = fields.UUIDField()
    home_id: UUID = fields.UUIDField()
    channel: Channel = fields.CharEnumField(Channel, max_length=10)
    photo: str = fields.CharField(max_length=200, default="")
    choices_sealed: str | None = fields.TextField(null=True, default=None)
    status: PaperStatus = fields.CharEnumField(PaperStatus, max_length=10, default=PaperStatus.ENTERED)
    entered_by_id: UUID = fields.UUIDField()
    confirmed_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)
    entry_number: int | None = fields.IntField(null=True, default=None)

    class Meta:
        table = "paper_ballot"


class ProxyRow(CommunityTable):
    motion_id: UUID = fields.UUIDField(db_index=True)
    home_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField(db_index=True)
    evidence_sealed: str = fields.TextField()
    status: ProxyStatus = fields.CharEnumField(ProxyStatus, max_length=10, default=ProxyStatus.PENDING)
    decided_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)
    reason: str = fields.CharField(max_length=500, default="")

    class Meta:
        table = "vote_proxy"


def visible_to(viewer: Viewer) -> Where:
    """The motions (as ``t``) of the viewer's communities, and those that they have a vote in.

    A draft is seen by the organisation that writes it. Who has sold and moved away after the opening still
    votes, and so still sees the motion.
    """
    if viewer.account_id is None:
        return NOTHING
    members = held_by(viewer, "t.community_id")
    office = held_by(viewer, "t.organisation_id")
    voter = Where(
        "EXISTS (SELECT 1 FROM elector_voter v WHERE v.motion_id = t.id AND v.account_id = ?)",
        (viewer.account_id,),
    )
    return (Where("t.announced_at IS NOT NULL") & (members | voter)) | office


def can_put_motions(viewer: Viewer, organisation_id: UUID) -> bool:
    """May the viewer write, announce and withdraw motions in the name of this organisation?"""
    return has_power(viewer, organisation_id, Power.PUT_MOTIONS)


def can_count(viewer: Viewer, motion: MotionRow) -> bool:
    """May the viewer see who has voted, enter paper ballots, and decide proxies and conflicts?"""
    return has_power_in(viewer, motion.community_id, Power.COUNT_BALLOTS)


# Who convenes; the residents' committee only where no owners' committee sits.
CONVENORS = (OrganisationKind.OWNERS_COMMITTEE, OrganisationKind.RESIDENTS_COMMITTEE)
