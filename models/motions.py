"""The owners' vote: motions, the rules they are put under, who may vote, and the ballot box.

The law is the Civil Code, article 278. Heads and areas are integers, thresholds exact fractions.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable, Table
from models.organisations import OrganisationKind, Power, has_power, has_power_in
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


class VoteRules(CommunityTable):
    """A version of the rules of voting. Never changed: other rules are another version."""

    version = fields.IntField()
    name = fields.CharField(max_length=80)
    binding = fields.BooleanField()
    quorum: Any = fields.JSONField()
    ordinary: Any = fields.JSONField()
    special: Any = fields.JSONField()
    changes_allowed = fields.BooleanField()
    proxies_allowed = fields.BooleanField()
    notice_hours = fields.IntField()
    most_extensions = fields.IntField()
    extension_hours = fields.IntField()
    adopted_by_id = fields.UUIDField(null=True)

    class Meta:
        table = "vote_rules"
        unique_together = (("community_id", "version"),)


class Motion(CommunityTable):
    organisation_id = fields.UUIDField(db_index=True)
    author_id = fields.UUIDField()
    rules_id = fields.UUIDField()
    scope_kind = fields.CharEnumField(ScopeKind, max_length=10)
    # Estate or buildings, by id.
    scope_ids: Any = fields.JSONField(default=list)
    scope_label = fields.CharField(max_length=200, default="")
    title = fields.CharField(max_length=80)
    body = fields.TextField()
    secret = fields.BooleanField(default=False)
    status = fields.CharEnumField(MotionStatus, max_length=10, default=MotionStatus.DRAFT)
    opens_at = fields.DatetimeField()
    closes_at = fields.DatetimeField()
    first_closes_at = fields.DatetimeField()
    extensions = fields.IntField(default=0)
    announced_at = fields.DatetimeField(null=True)
    opened_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    withdraw_reason = fields.CharField(max_length=500, default="")
    # Frozen at the opening.
    heads = fields.IntField(default=0)
    area_cm2 = fields.BigIntField(default=0)
    snapshot_hash = fields.CharField(max_length=64, default="")
    # Canonical JSON, without personal data.
    snapshot = fields.TextField(default="")
    # The ballot box: appended to behind this row's lock.
    heads_cast = fields.IntField(default=0)
    area_cast_cm2 = fields.BigIntField(default=0)
    entries = fields.IntField(default=0)
    last_hash = fields.CharField(max_length=64, default="")
    result: Any = fields.JSONField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "motion"
        indexes = (("community_id", "id"),)


class MotionItem(Table):
    motion_id = fields.UUIDField()
    position = fields.IntField()
    item_class = fields.CharEnumField(ItemClass, max_length=24)
    title = fields.CharField(max_length=200)
    body = fields.TextField(default="")

    class Meta:
        table = "motion_item"
        unique_together = (("motion_id", "position"),)


class Elector(CommunityTable):
    """One head, with all homes that it has. The number says nothing of who it is."""

    motion_id = fields.UUIDField()
    number = fields.IntField()
    kind = fields.CharEnumField(ElectorKind, max_length=10)
    # Where the head itself is counted, so that buildings add up to the whole.
    building_id = fields.UUIDField()
    area_cm2 = fields.BigIntField()
    # Number in the box of the ballot that counts, and of the other one in a conflict.
    counted = fields.IntField(null=True)
    disputed = fields.IntField(null=True)
    channel = fields.CharEnumField(Channel, max_length=10, null=True)
    voted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "elector"
        unique_together = (("motion_id", "number"),)
        indexes = (("motion_id", "id"),)


class ElectorHome(Table):
    motion_id = fields.UUIDField()
    elector_id = fields.UUIDField(db_index=True)
    home_id = fields.UUIDField()
    building_id = fields.UUIDField()
    number = fields.IntField()
    area_cm2 = fields.BigIntField()

    class Meta:
        table = "elector_home"
        unique_together = (("motion_id", "home_id"),)


class ElectorVoter(Table):
    """Who may cast a head's one ballot: each of its co-owners."""

    motion_id = fields.UUIDField()
    elector_id = fields.UUIDField(db_index=True)
    account_id = fields.UUIDField()

    class Meta:
        table = "elector_voter"
        unique_together = (("account_id", "elector_id"),)


class MotionBuilding(Table):
    """What a building has to cast and has cast, kept in the transaction that casts."""

    motion_id = fields.UUIDField()
    building_id = fields.UUIDField()
    position = fields.IntField()
    heads = fields.IntField()
    area_cm2 = fields.BigIntField()
    heads_cast = fields.IntField(default=0)
    area_cast_cm2 = fields.BigIntField(default=0)

    class Meta:
        table = "motion_building"
        unique_together = (("motion_id", "building_id"),)


class BoxEntry(CommunityTable):
    """An entry of the ballot box. `content` and `hash` are for ever, `standing` follows from the entries."""

    motion_id = fields.UUIDField()
    number = fields.IntField()
    kind = fields.CharEnumField(EntryKind, max_length=10)
    # Canonical JSON, with the hash of the entry before.
    content = fields.TextField()
    hash = fields.CharField(max_length=64)
    elector_id = fields.UUIDField(null=True)
    channel = fields.CharEnumField(Channel, max_length=10, null=True)
    via = fields.CharEnumField(Via, max_length=6, null=True)
    cast_by_id = fields.UUIDField(null=True)
    receipt = fields.CharField(max_length=64, null=True)
    standing = fields.CharEnumField(Standing, max_length=10, null=True)

    class Meta:
        table = "box_entry"
        unique_together = (("motion_id", "number"), ("motion_id", "receipt"))
        indexes = (("cast_by_id", "motion_id"),)


class SecretChoice(Table):
    """A piece of a secret ballot: one item, one head or a round piece of area, and nothing of whose."""

    motion_id = fields.UUIDField()
    position = fields.IntField()
    choice = fields.CharEnumField(Choice, max_length=7)
    heads = fields.IntField()
    area_cm2 = fields.BigIntField()
    code = fields.CharField(max_length=64)

    class Meta:
        table = "secret_choice"
        unique_together = (("motion_id", "code"),)


class PaperBallot(CommunityTable):
    """A ballot on paper between its two officers. What it says is sealed, and gone once confirmed."""

    motion_id = fields.UUIDField(db_index=True)
    elector_id = fields.UUIDField()
    home_id = fields.UUIDField()
    channel = fields.CharEnumField(Channel, max_length=10)
    photo = fields.CharField(max_length=200, default="")
    choices_sealed = fields.TextField(null=True)
    status = fields.CharEnumField(PaperStatus, max_length=10, default=PaperStatus.ENTERED)
    entered_by_id = fields.UUIDField()
    confirmed_by_id = fields.UUIDField(null=True)
    decided_at = fields.DatetimeField(null=True)
    entry_number = fields.IntField(null=True)

    class Meta:
        table = "paper_ballot"


class VoteProxy(CommunityTable):
    motion_id = fields.UUIDField(db_index=True)
    home_id = fields.UUIDField()
    account_id = fields.UUIDField(db_index=True)
    evidence_sealed = fields.TextField()
    status = fields.CharEnumField(ProxyStatus, max_length=10, default=ProxyStatus.PENDING)
    decided_by_id = fields.UUIDField(null=True)
    decided_at = fields.DatetimeField(null=True)
    reason = fields.CharField(max_length=500, default="")

    class Meta:
        table = "vote_proxy"


@dataclass(slots=True)
class RulesRow:
    id: UUID
    community_id: UUID
    version: int
    name: str
    binding: bool
    quorum: dict[str, Any]
    ordinary: dict[str, Any]
    special: dict[str, Any]
    changes_allowed: bool
    proxies_allowed: bool
    notice_hours: int
    most_extensions: int
    extension_hours: int
    created_at: datetime


@dataclass(slots=True)
class MotionRow:
    id: UUID
    community_id: UUID
    organisation_id: UUID
    author_id: UUID
    rules_id: UUID
    scope_kind: ScopeKind
    scope_ids: list[str]
    scope_label: str
    title: str
    body: str
    secret: bool
    status: MotionStatus
    opens_at: datetime
    closes_at: datetime
    first_closes_at: datetime
    extensions: int
    created_at: datetime
    announced_at: datetime | None
    opened_at: datetime | None
    closed_at: datetime | None
    withdraw_reason: str
    heads: int
    area_cm2: int
    snapshot_hash: str
    heads_cast: int
    area_cast_cm2: int
    entries: int
    last_hash: str
    result: dict[str, Any] | None
    version: int

    def phase_at(self, moment: datetime) -> MotionPhase:
        """Where the motion stands at `moment`; COUNTING from the close until the result is there."""
        if self.status is MotionStatus.ANNOUNCED and moment >= self.opens_at:
            return MotionPhase.OPEN if moment < self.closes_at else MotionPhase.COUNTING
        if self.status is MotionStatus.OPEN and moment >= self.closes_at:
            return MotionPhase.COUNTING
        return MotionPhase(self.status.value)


@dataclass(slots=True)
class ItemRow:
    id: UUID
    motion_id: UUID
    position: int
    item_class: ItemClass
    title: str
    body: str


@dataclass(slots=True)
class ElectorRow:
    id: UUID
    community_id: UUID
    motion_id: UUID
    number: int
    kind: ElectorKind
    building_id: UUID
    area_cm2: int
    counted: int | None
    disputed: int | None
    channel: Channel | None
    voted_at: datetime | None


@dataclass(slots=True)
class ElectorHomeRow:
    id: UUID
    motion_id: UUID
    elector_id: UUID
    home_id: UUID
    building_id: UUID
    number: int
    area_cm2: int


@dataclass(slots=True)
class MotionBuildingRow:
    id: UUID
    motion_id: UUID
    building_id: UUID
    position: int
    heads: int
    area_cm2: int
    heads_cast: int
    area_cast_cm2: int


@dataclass(slots=True)
class EntryRow:
    id: UUID
    community_id: UUID
    motion_id: UUID
    number: int
    kind: EntryKind
    content: str
    hash: str
    elector_id: UUID | None
    channel: Channel | None
    via: Via | None
    cast_by_id: UUID | None
    receipt: str | None
    standing: Standing | None
    created_at: datetime


@dataclass(slots=True)
class SecretChoiceRow:
    position: int
    choice: Choice
    heads: int
    area_cm2: int
    code: str


@dataclass(slots=True)
class PaperRow:
    id: UUID
    community_id: UUID
    motion_id: UUID
    elector_id: UUID
    home_id: UUID
    channel: Channel
    photo: str
    choices_sealed: str | None
    status: PaperStatus
    entered_by_id: UUID
    confirmed_by_id: UUID | None
    created_at: datetime
    decided_at: datetime | None
    entry_number: int | None


@dataclass(slots=True)
class ProxyRow:
    id: UUID
    community_id: UUID
    motion_id: UUID
    home_id: UUID
    account_id: UUID
    evidence_sealed: str
    status: ProxyStatus
    decided_by_id: UUID | None
    decided_at: datetime | None
    reason: str
    created_at: datetime


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
