"""What can be done with times and bookings."""

from datetime import date, datetime

import strawberry

from models.directory.bookings import BookingRow, SlotRow
from models.directory.entries import EntryRow
from resolvers.directory import bookings, slots
from resolvers.directory.slots import Time, Weekly
from schema.directory.bookings import AppointmentSlot, Booking
from schema.directory.entries import DirectoryEntry
from schema.directory.hours import CLOSES, interval_of
from schema.directory.terms import Weekday
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, Result, mutation, payload, shown
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

PROBLEMS = (InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)


@strawberry.input(description="Times one after the other, every week.")
class WeeklySlotsInput:
    day: Weekday = strawberry.field(description="The day on which they are.")
    opens: str = strawberry.field(description="When the first begins, `HH:MM` in China.")
    closes: str = strawberry.field(description="When the last has ended: " + CLOSES)
    minutes: int = strawberry.field(description="How long each is, 5 to 720.")
    capacity: int = strawberry.field(default=1, description="For how many each is, 1 to 1,000.")


@strawberry.input(description="Times of a weekly plan, from one day to another.")
class PlanSlotsInput:
    entry_id: strawberry.ID = strawberry.field(description="The service.")
    from_date: date = strawberry.field(description="The first day.")
    to_date: date = strawberry.field(description="The last day, 62 days in all at most.")
    weekly: list[WeeklySlotsInput] = strawberry.field(description="The plan, 42 lines at most.")


@strawberry.input(description="A time.")
class SlotInput:
    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it ends, 5 minutes to 12 hours later.")
    capacity: int = strawberry.field(default=1, description="For how many it is, 1 to 1,000.")


@strawberry.input(description="Times, one by one.")
class AddSlotsInput:
    entry_id: strawberry.ID = strawberry.field(description="The service.")
    slots: list[SlotInput] = strawberry.field(description="The times, 500 at most.")


@payload("The times are open.")
class OpenSlotsPayload:
    entry: EntryRow = shown(DirectoryEntry, "The service.")
    added: int = strawberry.field(
        description="How many times are new; those that were there are left as they are."
    )


OpenSlotsResult = Result(
    "OpenSlotsResult",
    OpenSlotsPayload,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    description="What came of opening times.",
)


@strawberry.input(description="Which time to close, and why.")
class WithdrawSlotInput:
    slot_id: strawberry.ID = strawberry.field(description="The time.")
    reason: str = strawberry.field(description="Why, for those who booked it, 1 to 300 characters.")


@payload("The time is closed, and what was booked in it is called off.")
class WithdrawSlotPayload:
    slot: SlotRow = shown(AppointmentSlot, "As it is now.")


@strawberry.input(description="Which time to book.")
class BookSlotInput:
    slot_id: strawberry.ID = strawberry.field(description="The time.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    note: str = strawberry.field(
        default="",
        description="What it is about, for the office, up to 300 characters. Document numbers are masked.",
    )


@strawberry.input(description="Which booking to take back.")
class CancelBookingInput:
    booking_id: strawberry.ID = strawberry.field(description="The booking.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    reason: str = strawberry.field(
        default="", description="Why, up to 300 characters; the office must say it."
    )


@strawberry.input(description="Whether somebody came.")
class MarkBookingInput:
    booking_id: strawberry.ID = strawberry.field(description="The booking.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    kept: bool = strawberry.field(description="True for who came, false for who did not.")


@payload("The booking is kept.")
class BookingPayload:
    booking: BookingRow = shown(Booking, "As it is now.")


BookingResult = Result("BookingResult", BookingPayload, *PROBLEMS, description="What came of a booking.")


@strawberry.type
class BookingsMutation:
    @OpenSlotsResult.mutation()
    async def plan_slots(self, info: Info, input: PlanSlotsInput) -> OpenSlotsPayload:
        """Open the times of a weekly plan. On a date with opening hours of its own, those that fit
        in them. For those who keep the entry. Repeating it changes nothing.
        """
        entry, added = await slots.plan(
            info.context,
            entry_id=key_of("entryId", input.entry_id, "DirectoryEntry"),
            first=input.from_date,
            last=input.to_date,
            weekly=[
                Weekly(line.day.value, interval_of(line), line.minutes, line.capacity)
                for line in input.weekly
            ],
        )
        return OpenSlotsPayload(entry=entry, added=added)

    @OpenSlotsResult.mutation()
    async def add_slots(self, info: Info, input: AddSlotsInput) -> OpenSlotsPayload:
        """Open times, one by one. For those who keep the entry. Repeating it changes nothing."""
        entry, added = await slots.add(
            info.context,
            entry_id=key_of("entryId", input.entry_id, "DirectoryEntry"),
            times=[Time(slot.starts_at, slot.ends_at, slot.capacity) for slot in input.slots],
        )
        return OpenSlotsPayload(entry=entry, added=added)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def withdraw_slot(self, info: Info, input: WithdrawSlotInput) -> WithdrawSlotPayload:
        """Close a time; what was booked in it is called off. For those who serve at the office."""
        row = await bookings.withdraw_slot(
            info.context,
            slot_id=key_of("slotId", input.slot_id, "AppointmentSlot"),
            reason=input.reason,
        )
        return WithdrawSlotPayload(slot=row)

    @BookingResult.mutation()
    async def book_slot(self, info: Info, input: BookSlotInput) -> BookingPayload:
        """Take a place in a time. For verified residents and officers of the community; one place in
        a time, three coming times of a service, 20 an hour.
        """
        row = await bookings.book(
            info.context,
            slot_id=key_of("slotId", input.slot_id, "AppointmentSlot"),
            note=input.note,
            key=input.idempotency_key,
        )
        return BookingPayload(booking=row)

    @BookingResult.mutation()
    async def cancel_booking(self, info: Info, input: CancelBookingInput) -> BookingPayload:
        """Take a booking back. For who booked, until it begins; for the office, with a reason."""
        row = await bookings.cancel(
            info.context,
            booking_id=key_of("bookingId", input.booking_id, "Booking"),
            version=input.version,
            reason=input.reason,
        )
        return BookingPayload(booking=row)

    @BookingResult.mutation()
    async def mark_booking(self, info: Info, input: MarkBookingInput) -> BookingPayload:
        """Say whether somebody came, once it has begun. For those who serve at the office."""
        row = await bookings.record_attendance(
            info.context,
            booking_id=key_of("bookingId", input.booking_id, "Booking"),
            version=input.version,
            kept=input.kept,
        )
        return BookingPayload(booking=row)
