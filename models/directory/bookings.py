"""The times at which a service can be visited, and who has booked them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable
from models.organisations import Power, has_power
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by


class BookingState(StrEnum):
    BOOKED = "BOOKED"
    CANCELLED = "CANCELLED"
    KEPT = "KEPT"
    MISSED = "MISSED"


class BookingAction(StrEnum):
    BOOK = "BOOK"
    CANCEL = "CANCEL"
    # The office's own act.
    CALL_OFF = "CALL_OFF"
    KEEP = "KEEP"
    MISS = "MISS"
    # By the clock.
    REMIND = "REMIND"


class AppointmentSlot(CommunityTable):
    """A time, with room for so many. `booked` never exceeds `capacity`: one statement raises it."""

    entry_id = fields.UUIDField()
    organisation_id = fields.UUIDField()
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    capacity = fields.IntField()
    booked = fields.IntField(default=0)
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "appointment_slot"
        unique_together = (("entry_id", "starts_at"),)


class Booking(CommunityTable):
    slot_id = fields.UUIDField(db_index=True)
    entry_id = fields.UUIDField()
    organisation_id = fields.UUIDField()
    account_id = fields.UUIDField()
    starts_at = fields.DatetimeField()
    # Between who booked it and the office.
    note = fields.CharField(max_length=300, default="")
    state = fields.CharEnumField(BookingState, max_length=12, default=BookingState.BOOKED)
    # The slot and the account while it is booked, so that nobody holds two places of one.
    held_key = fields.CharField(max_length=80, null=True, unique=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "booking"
        indexes = (("organisation_id", "starts_at", "id"), ("account_id", "starts_at", "id"))


class BookingStep(CommunityTable):
    """What was done with a booking: append-only."""

    booking_id = fields.UUIDField()
    action = fields.CharEnumField(BookingAction, max_length=8)
    actor_id = fields.UUIDField(null=True)
    reason = fields.CharField(max_length=300, default="")

    class Meta:
        table = "booking_step"
        indexes = (("booking_id", "id"),)


@dataclass(slots=True)
class SlotRow:
    id: UUID
    created_at: datetime
    community_id: UUID
    entry_id: UUID
    organisation_id: UUID
    starts_at: datetime
    ends_at: datetime
    capacity: int
    booked: int
    withdrawn_at: datetime | None


@dataclass(slots=True)
class BookingRow:
    id: UUID
    created_at: datetime
    community_id: UUID
    slot_id: UUID
    entry_id: UUID
    organisation_id: UUID
    account_id: UUID
    starts_at: datetime
    note: str
    state: BookingState
    version: int


@dataclass(slots=True)
class BookingStepRow:
    id: UUID
    created_at: datetime
    community_id: UUID
    booking_id: UUID
    action: BookingAction
    actor_id: UUID | None
    reason: str


SLOTS = Order("slots", ("starts_at", "id"), descending=False)
BY_TIME = Order("bookings", ("starts_at", "id"), descending=False)
LATEST_BOOKINGS = Order("own-bookings", ("starts_at", "id"))
BOOKING_STEPS = Order("booking-steps", ("id",), descending=False)


def visible_to(viewer: Viewer) -> Where:
    """The bookings of the viewer, and of the offices that the viewer works in."""
    if not viewer.scopes:
        return NOTHING
    return held_by(viewer, "t.account_id") | held_by(viewer, "t.organisation_id")


def can_book(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer book something in this community?"""
    return viewer.belongs_to(community_id)


def can_serve(viewer: Viewer, organisation_id: UUID) -> bool:
    """May the viewer see who has booked with this office, and say what became of it?"""
    return has_power(viewer, organisation_id, Power.KEEP_DIRECTORY)


def can_see_person(viewer: Viewer, row: BookingRow) -> bool:
    """May the viewer see whose booking it is, and what it is about?"""
    return viewer.account_id == row.account_id or can_serve(viewer, row.organisation_id)
