"""Activities: what an organisation or a group holds, who comes, who waits, who was there.

Seats are given in the order of a queue: whoever signs up gets the activity's next number, and a seat while
nobody waits and there is one. What becomes free goes to the lowest number that waits; if that party is too
large for it, everyone behind waits with it. So nobody is overtaken, and the counters of the activity,
which change behind its row lock, never say more than its capacity.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable, Table
from models.memberships import MemberRole, members_of
from models.powers import Power, has_power, powers_of
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by, public_of


class ActivityKind(StrEnum):
    CULTURE = "CULTURE"
    SPORT = "SPORT"
    VOLUNTEERING = "VOLUNTEERING"
    LECTURE = "LECTURE"
    HEALTH = "HEALTH"
    CHILDREN = "CHILDREN"
    MARKET = "MARKET"
    PARTY = "PARTY"
    OTHER = "OTHER"


class HostKind(StrEnum):
    ORGANISATION = "ORGANISATION"
    GROUP = "GROUP"


class ActivityAudience(StrEnum):
    """Who may see an activity; only verified residents, officers and members sign up."""

    MEMBERS = "MEMBERS"
    NEIGHBOURS = "NEIGHBOURS"
    PUBLIC = "PUBLIC"


class ActivityStatus(StrEnum):
    SCHEDULED = "SCHEDULED"
    CANCELLED = "CANCELLED"


class SignUpState(StrEnum):
    GOING = "GOING"
    WAITING = "WAITING"
    CANCELLED = "CANCELLED"


class CheckInBy(StrEnum):
    CODE = "CODE"
    ORGANISER = "ORGANISER"


class ActivityUpdateKind(StrEnum):
    CHANGED = "CHANGED"
    CANCELLED = "CANCELLED"
    MOVED_UP = "MOVED_UP"
    REMINDER = "REMINDER"


class SeriesRow(CommunityTable):
    """A rule by which an activity recurs. Its occurrences are activities, made with it."""

    # Of its first occurrence.
    scope_id: UUID = fields.UUIDField()
    # As RFC 5545 writes it, in the time of Shanghai.
    rule: str = fields.CharField(max_length=120)

    class Meta:
        table = "activity_series"


class ActivityRow(CommunityTable):
    # Whoever holds this scope may see it; see models.visibility.
    scope_id: UUID = fields.UUIDField()
    audience: ActivityAudience = fields.CharEnumField(ActivityAudience, max_length=12)
    host_kind: HostKind = fields.CharEnumField(HostKind, max_length=12)
    host_id: UUID = fields.UUIDField()
    creator_id: UUID = fields.UUIDField()
    series_id: UUID | None = fields.UUIDField(null=True, default=None)
    kind: ActivityKind = fields.CharEnumField(ActivityKind, max_length=12)
    title: str = fields.CharField(max_length=80)
    description: str = fields.TextField()
    place: str = fields.CharField(max_length=120)
    online_url: str | None = fields.CharField(max_length=500, null=True, default=None)
    starts_at: datetime = fields.DatetimeField()
    ends_at: datetime = fields.DatetimeField()
    sign_up_opens_at: datetime = fields.DatetimeField()
    sign_up_closes_at: datetime = fields.DatetimeField()
    capacity: int | None = fields.IntField(null=True, default=None)
    most_companions: int = fields.IntField(default=0)
    status: ActivityStatus = fields.CharEnumField(
        ActivityStatus, max_length=12, default=ActivityStatus.SCHEDULED
    )
    cancel_reason: str | None = fields.TextField(null=True, default=None)
    cancelled_at: datetime | None = fields.DatetimeField(null=True, default=None)
    version: int = fields.IntField(default=1)
    # Counts what concerns a calendar, as RFC 5545 asks.
    sequence: int = fields.IntField(default=0)
    updated_at: datetime = fields.DatetimeField()
    # The last number given out in the queue.
    last_number: int = fields.IntField(default=0)
    # Seats of those who come, companions included, and how many sign-ups those are.
    seats_taken: int = fields.IntField(default=0)
    going_count: int = fields.IntField(default=0)
    waiting_count: int = fields.IntField(default=0)
    checked_in_count: int = fields.IntField(default=0)

    class Meta:
        table = "activity"
        indexes = (
            ("community_id", "starts_at", "id"),
            ("community_id", "kind", "starts_at", "id"),
            ("host_id", "starts_at", "id"),
            ("series_id", "starts_at", "id"),
        )

    @property
    def seats_left(self) -> int | None:
        """None where there is no limit."""
        return None if self.capacity is None else self.capacity - self.seats_taken

    def has_room_for(self, seats: int) -> bool:
        return self.capacity is None or self.seats_taken + seats <= self.capacity


class SignUpRow(CommunityTable):
    """One row for each account and activity: whoever comes back gets the same one, and a new number."""

    activity_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    state: SignUpState = fields.CharEnumField(SignUpState, max_length=12)
    companions: int = fields.IntField(default=0)
    number: int = fields.IntField()
    signed_up_at: datetime = fields.DatetimeField()
    cancelled_at: datetime | None = fields.DatetimeField(null=True, default=None)
    checked_in_at: datetime | None = fields.DatetimeField(null=True, default=None)
    checked_in_by: CheckInBy | None = fields.CharEnumField(CheckInBy, max_length=12, null=True, default=None)
    sequence: int = fields.IntField(default=0)
    updated_at: datetime = fields.DatetimeField()

    class Meta:
        table = "activity_sign_up"
        unique_together = (("activity_id", "account_id"), ("activity_id", "number"))
        indexes = (("account_id", "activity_id"), ("activity_id", "state", "number"))

    @property
    def seats(self) -> int:
        return 1 + self.companions


class ActivityUpdateRow(CommunityTable):
    """Something that those who signed up are told of."""

    activity_id: UUID = fields.UUIDField()
    kind: ActivityUpdateKind = fields.CharEnumField(ActivityUpdateKind, max_length=12)
    note: str = fields.TextField(default="")

    class Meta:
        table = "activity_update"
        indexes = (("activity_id", "id"),)


class CalendarFeedRow(Table):
    """The one calendar address of an account. Of its token only a keyed hash is kept."""

    account_id: UUID = fields.UUIDField(unique=True)
    token_index: str = fields.CharField(max_length=64, unique=True)

    class Meta:
        table = "calendar_feed"


COMING = Order("coming-activities", ("starts_at", "id"), descending=False)
PAST = Order("past-activities", ("starts_at", "id"))
# The queue.
IN_ORDER = Order("sign-ups", ("number", "id"), descending=False)


def scope_of(audience: ActivityAudience, community_id: UUID, host_id: UUID) -> UUID:
    match audience:
        case ActivityAudience.MEMBERS:
            return members_of(host_id)
        case ActivityAudience.NEIGHBOURS:
            return community_id
        case ActivityAudience.PUBLIC:
            return public_of(community_id)


def visible_to(viewer: Viewer) -> Where:
    """The activities (as ``t``), and series, whose audience the viewer is in."""
    return held_by(viewer)


def sign_ups_visible_to(viewer: Viewer) -> Where:
    """The sign-ups (as ``t``) of the viewer, and to what the viewer organises, as far as that may be seen."""
    if viewer.account_id is None:
        return NOTHING
    return Where(
        "EXISTS (SELECT 1 FROM activity a WHERE a.id = t.activity_id AND a.scope_id IN (?)"
        " AND (t.account_id = ? OR a.host_id IN (?)))",
        (viewer.scopes, viewer.account_id, organised_by(viewer)),
    )


def organised_by(viewer: Viewer) -> set[UUID]:
    """The hosts in whose name the viewer holds activities."""
    offices = {o.organisation_id for o in viewer.offices.values() if Power.HOST_ACTIVITIES in powers_of(o)}
    return offices | {host_id for host_id, role in viewer.memberships.items() if leads(role)}


def leads(role: MemberRole | None) -> bool:
    return role in (MemberRole.OWNER, MemberRole.MODERATOR)


def can_host(viewer: Viewer, host_kind: HostKind, host_id: UUID) -> bool:
    """May the viewer hold activities in the name of this host?"""
    if host_kind is HostKind.ORGANISATION:
        return has_power(viewer, host_id, Power.HOST_ACTIVITIES)
    return leads(viewer.memberships.get(host_id))


def can_organise(viewer: Viewer, row: ActivityRow) -> bool:
    """May the viewer change and cancel this, see who comes, and check them in?"""
    return can_host(viewer, row.host_kind, row.host_id)


def can_sign_up(viewer: Viewer, row: ActivityRow) -> bool:
    """May the viewer come at all, seats and hours aside?"""
    return viewer.belongs_to(row.community_id) and viewer.may_see(frozenset({row.scope_id}))
