"""The times at which a service can be visited, and who has booked them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable
from models.powers import Power, has_power
from models.storage import fields
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


class SlotRow(CommunityTable):
    """A time, with room for so many. `booked` never exceeds `capacity`: one statement raises it."""

    entry_id: UUID = fields.UUIDField()
    organisation_id: UUID = fields.UUIDField()
    starts_at: datetime = fields.DatetimeField()
    ends_at: datetime = fields.DatetimeField()
    capacity: int = fields.IntField()
    booked: int = fields.IntField(default=0)
    withdrawn_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "appointment_slot"
        unique_together = (("entry_id", "starts_at"),)


class BookingRow(CommunityTable):
    slot_id: UUID = fields.UUIDField(db_index=True)
    entry_id: UUID = fields.UUIDField()
    organisation_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    starts_at: datetime = fields.DatetimeField()
    # Between who booked it and the office.
    note: str = fields.CharField(max_length=300, default="")
    state: BookingState = fields.CharEnumField(BookingState, max_length=12, default=BookingState.BOOKED)
    # The slot and the account while it is booked, so that nobody holds two places of one.
    held_key: str | None = fields.CharField(max_length=80, null=True, default=None, unique=True)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "booking"
        indexes = (("organisation_id", "starts_at", "id"), ("account_id", "starts_at", "id"))


class BookingStepRow(CommunityTable):
    """What was done with a booking: append-only."""

    booking_id: UUID = fields.UUIDField()
    action: BookingAction = fields.CharEnumField(BookingAction, max_length=8)
    actor_id: UUID | None = fields.UUIDField(null=True, default=None)
    reason: str = fields.CharField(max_length=300, default="")

    class Meta:
        table = "booking_step"
        indexes = (("booking_id", "id"),)


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
