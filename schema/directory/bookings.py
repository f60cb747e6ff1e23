"""Times that can be booked, and bookings, as clients see them."""

from datetime import datetime

import strawberry

from models.directory import bookings as rules
from models.directory.bookings import BookingRow, BookingStepRow, SlotRow
from resolvers.directory import bookings, slots
from resolvers.identity import around
from schema.connections import Connection, connection
from schema.directory.terms import BookingAction, BookingState
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Neighbour
from schema.links import DirectoryEntry, Organisation
from schema.node import Node, fetched_by


@fetched_by(slots.visible_by_ids)
@strawberry.type(description="A time at which a service can be visited, with room for so many.")
class AppointmentSlot(Node):
    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it ends.")
    capacity: int = strawberry.field(description="For how many there is room.")
    booked: int = strawberry.field(description="How many have booked it.")
    withdrawn_at: datetime | None = strawberry.field(
        description="When the office closed it; null while it is open."
    )
    entry: DirectoryEntry | None = loaded(
        slots.entries_of, viewer=True, description="The service, as far as the viewer may see it."
    )
    organisation: Organisation = loaded(around.organisations, description="The office.")
    viewer_booking: "Booking | None" = loaded(
        slots.bookings_of_viewer, viewer=True, description="The viewer's booking of it, unless cancelled."
    )

    @strawberry.field(description="How many places are left.")
    @staticmethod
    def free(root: strawberry.Parent[SlotRow]) -> int:
        return 0 if root.withdrawn_at else root.capacity - root.booked

    is_type_of = IsA(SlotRow)


@fetched_by(bookings.steps_visible_by_ids)
@strawberry.type(description="What was done with a booking. Steps are only ever added.")
class BookingStep(Node):
    created_at: datetime = strawberry.field(description="When it was.")
    action: BookingAction = strawberry.field(description="What was done.")
    reason: str = strawberry.field(description="Why; may be empty.")
    officer: Neighbour | None = loaded(
        bookings.officers_of, description="The officer who did it; null for who booked, and for the clock."
    )
    booking: "Booking" = loaded(bookings.bookings_around, description="The booking, as it is now.")

    is_type_of = IsA(BookingStepRow)


def note_of(root: strawberry.Parent[BookingRow], info: Info) -> str | None:
    return root.note if rules.can_see_person(info.context.viewer, root) else None


@fetched_by(bookings.visible_by_ids)
@strawberry.type(
    description="A place that somebody has taken in a slot; seen by who booked it and by the office."
)
class Booking(Node):
    state: BookingState = strawberry.field(description="What has become of it.")
    starts_at: datetime = strawberry.field(description="When it is.")
    created_at: datetime = strawberry.field(description="When it was made.")
    version: int = strawberry.field(description="Raised by every change.")
    slot: AppointmentSlot = loaded(bookings.slots_around, description="The time that was booked.")
    organisation: Organisation = loaded(around.organisations, description="The office.")
    entry: DirectoryEntry | None = loaded(
        slots.entries_of, viewer=True, description="The service, as far as the viewer may see it."
    )
    holder: Neighbour | None = loaded(
        bookings.holders_of,
        viewer=True,
        description="Who booked it, as neighbours know them; for themselves and who serves at the office.",
    )
    note: str | None = strawberry.field(
        resolver=note_of, description="What it is about; for the same.", metadata=VIEWER
    )
    steps: Connection[BookingStep] = connection(
        bookings.steps_of, description="What was done with it, in its order."
    )

    is_type_of = IsA(BookingRow)
