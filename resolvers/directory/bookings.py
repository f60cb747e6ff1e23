"""Booking a time, taking it back, and what the office says became of it.

A slot is locked before its bookings, so that no two transactions wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from models.base import new_id, now
from models.directory import bookings, entries
from models.directory.bookings import (
    BOOKING_STEPS,
    BY_TIME,
    LATEST_BOOKINGS,
    BookingAction,
    BookingRow,
    BookingState,
    BookingStepRow,
    SlotRow,
)
from models.identity import AccountRow, NeighbourRow
from models.messages import Message
from models.notifications import NotificationKind
from models.organisations import OrganisationRow
from models.storage.paging import Page, PageArgs
from models.storage.rows import EVERYTHING, Where, columns, execute, select
from models.storage.tables import by_ids, every, insert
from models.visibility import NOBODY
from resolvers import audit, identity, jobs, limits
from resolvers.checks import check_text
from resolvers.context import Context, Services
from resolvers.directory import slots
from resolvers.errors import Conflict, NotAllowed, NotFound
from resolvers.existing import change_as_read, only
from resolvers.masking import mask
from resolvers.notifications import notify
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, Logged, community_topic
from subscriptions.work import Work

LONGEST_NOTE = 300
BOOKINGS_AN_HOUR = 20
# Of one service by one person, of those to come.
MOST_HELD = 3
REMIND_BEFORE = timedelta(hours=2)
REMIND = "BOOKING_REMIND"

FULL = Message("No place is left at this time")
CHANGED = Message("The booking has changed meanwhile")
ONLY_OFFICE = Message("Only officers of this office may do this")


async def book(ctx: Context, *, slot_id: UUID, note: str, key: str) -> BookingRow:
    """Take a place in a slot; with a key used before, the booking made then.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited, and Conflict if no place is left, or if the viewer
    has one already.
    """
    account_id = ctx.account_id
    slot = await slots.visible(ctx, slot_id)
    if not bookings.can_book(ctx.viewer, slot.community_id):
        raise NotAllowed(Message("Only verified residents and officers of this community may book"))
    note = mask(check_text("note", note, LONGEST_NOTE, least=0))
    booking_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "bookSlot", [slot_id, note], booking_id)
        if earlier is None:
            await limits.check_rate(ctx, "bookSlot", BOOKINGS_AN_HOUR, 3600)
            await take_place(slot)
            await check_held(slot, account_id)
            row = BookingRow(
                id=booking_id,
                created_at=now(),
                community_id=slot.community_id,
                slot_id=slot.id,
                entry_id=slot.entry_id,
                organisation_id=slot.organisation_id,
                account_id=account_id,
                starts_at=slot.starts_at,
                note=note,
                state=BookingState.BOOKED,
                held_key=f"{slot.id}/{account_id}",
            )
            await insert(row)
            await add_step(work, ctx, row, BookingAction.BOOK)
            work.record(await slots.slot_changed(slot))
            if slot.starts_at - REMIND_BEFORE > now():
                await jobs.schedule(REMIND, row.id, slot.starts_at - REMIND_BEFORE)
    return await visible(ctx, earlier or booking_id)


async def take_place(slot: SlotRow) -> None:
    """One place fewer, if one is left: one statement decides, whoever else asks at the moment."""
    at = now()
    shown = entries.published_and_licensed(at)
    taken = await execute(
        "UPDATE appointment_slot SET booked = booked + 1 WHERE id = ? AND booked < capacity"
        " AND withdrawn_at IS NULL AND starts_at > ?"
        f" AND entry_id IN (SELECT t.id FROM directory_entry t WHERE {shown.text}) RETURNING id",
        slot.id,
        at,
        *shown.params,
    )
    if not taken:
        raise Conflict(FULL, slot)


async def check_held(slot: SlotRow, account_id: UUID) -> None:
    """Raises Conflict for who has booked this time, or as many of this service as one may. Behind the
    slot's lock."""
    held = await every(
        BookingRow,
        Where(
            "t.entry_id = ? AND t.account_id = ? AND t.state = ? AND t.starts_at > ?",
            (slot.entry_id, account_id, BookingState.BOOKED, now()),
        ),
    )
    for row in held:
        if row.slot_id == slot.id:
            raise Conflict(Message("You have booked this time already"), row)
    if len(held) >= MOST_HELD:
        raise Conflict(
            Message("You have booked {most} times of this service already", most=MOST_HELD), held[0]
        )


async def cancel(ctx: Context, *, booking_id: UUID, version: int, reason: str = "") -> BookingRow:
    """Take a booking back: before it begins who booked it may, and the office with a reason.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited, Conflict.
    """
    account_id = ctx.account_id
    row = await visible(ctx, booking_id)
    own = row.account_id == account_id
    if not own and not bookings.can_serve(ctx.viewer, row.organisation_id):
        raise await audit.refuse(ctx, "booking.callOff", ONLY_OFFICE, row)
    reason = mask(check_text("reason", reason, LONGEST_NOTE, least=0 if own else 1))
    at = now()
    if own and row.starts_at <= at:
        raise Conflict(Message("It has begun already"), row)
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "cancelBooking", BOOKINGS_AN_HOUR * 3, 3600)
        slot = await give_place(row.slot_id)
        await change_status(row, version, BookingState.CANCELLED, {BookingState.BOOKED})
        await add_step(work, ctx, row, BookingAction.CANCEL if own else BookingAction.CALL_OFF, reason)
        work.record(await slots.slot_changed(slot))
        if not own:
            await audit.record(ctx, "booking.callOff", row, detail=reason)
    return await visible(ctx, booking_id)


async def give_place(slot_id: UUID) -> SlotRow:
    (slot,) = await select(
        SlotRow,
        "UPDATE appointment_slot SET booked = booked - 1 WHERE id = ?"
        f" RETURNING {columns(SlotRow, 'appointment_slot')}",
        slot_id,
    )
    return slot


async def change_status(row: BookingRow, version: int, to: BookingState, of: set[BookingState]) -> None:
    """Raises Conflict, and so undoes all, unless the booking is as it was read."""
    still = Where("t.state IN (?)", (of,))
    await change_as_read(row, version, CHANGED, still, state=to, held_key=None)


async def record_attendance(ctx: Context, *, booking_id: UUID, version: int, kept: bool) -> BookingRow:
    """Say whether somebody came. For the office, from the beginning on; it may correct itself.

    Raises NotFound, NotAllowed, Conflict.
    """
    _ = ctx.account_id
    row = await visible(ctx, booking_id)
    if not bookings.can_serve(ctx.viewer, row.organisation_id):
        raise await audit.refuse(ctx, "booking.mark", ONLY_OFFICE, row)
    to = BookingState.KEPT if kept else BookingState.MISSED
    if row.starts_at > now():
        raise Conflict(Message("It has not begun yet"), row)
    async with ctx.unit_of_work() as work:
        of = {BookingState.BOOKED, BookingState.KEPT, BookingState.MISSED} - {to}
        await change_status(row, version, to, of)
        await add_step(work, ctx, row, BookingAction.KEEP if kept else BookingAction.MISS)
        await audit.record(ctx, "booking.mark", row, detail=to.value)
    return await visible(ctx, booking_id)


async def withdraw_slot(ctx: Context, *, slot_id: UUID, reason: str) -> SlotRow:
    """Close a slot, and call off what was booked in it; who booked is told the reason.

    Raises InvalidInput, NotFound, NotAllowed, and Conflict for one that is closed.
    """
    _ = ctx.account_id
    slot = await slots.visible(ctx, slot_id)
    if not bookings.can_serve(ctx.viewer, slot.organisation_id):
        raise await audit.refuse(ctx, "directory.withdrawSlot", ONLY_OFFICE, slot)
    reason = mask(check_text("reason", reason, LONGEST_NOTE))
    async with ctx.unit_of_work() as work:
        closed = await execute(
            "UPDATE appointment_slot SET withdrawn_at = ?, booked = 0"
            " WHERE id = ? AND withdrawn_at IS NULL RETURNING id",
            now(),
            slot.id,
        )
        if not closed:
            raise Conflict(Message("This time is withdrawn already"), slot)
        called_off = await select(
            BookingRow,
            "UPDATE booking SET state = ?, held_key = ?, version = version + 1"
            f" WHERE slot_id = ? AND state = ? RETURNING {columns(BookingRow, 'booking')}",
            BookingState.CANCELLED,
            None,
            slot.id,
            BookingState.BOOKED,
        )
        for row in called_off:
            await add_step(work, ctx, row, BookingAction.CALL_OFF, reason)
        work.record(await slots.slot_changed(slot))
        await audit.record(ctx, "directory.withdrawSlot", slot, detail=reason)
    return await slots.visible(ctx, slot_id)


# What is written and told


# These are put into the inbox of who booked, even if it was their own act: a booking is confirmed.
TOLD = frozenset({BookingAction.BOOK, BookingAction.CALL_OFF, BookingAction.MISS, BookingAction.REMIND})


async def add_step(
    work: Work, ctx: Context, row: BookingRow, action: BookingAction, reason: str = ""
) -> None:
    """Write what was done with a booking, and tell of it: who booked, and the office."""
    step = BookingStepRow(
        id=new_id(),
        created_at=now(),
        community_id=row.community_id,
        booking_id=row.id,
        action=action,
        actor_id=ctx.viewer.account_id,
        reason=reason,
    )
    await insert(step)
    topic = community_topic(row.community_id)
    office = row.organisation_id
    work.record(
        Event(topic, Kind.BOOKING_STEP, step.id, audience=frozenset({row.account_id}), thread=row.id),
        Event(topic, Kind.OFFICE_BOOKING, step.id, audience=frozenset({office}), thread=office),
    )
    if action in TOLD:
        await notify(
            work,
            ctx,
            NotificationKind.BOOKING,
            [row.account_id],
            step,
            actor_id=None if action is BookingAction.BOOK else step.actor_id,
        )


@jobs.does(REMIND)
async def remind(services: Services, work: Work, booking_id: UUID) -> None:
    """Remind somebody of what they have booked, if they still have."""
    (row,) = await by_ids(BookingRow, [booking_id])
    if row and row.state is BookingState.BOOKED and row.starts_at > now():
        await add_step(work, Context(services, NOBODY), row, BookingAction.REMIND)


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[BookingRow | None]:
    """The bookings with these ids, None for each that the viewer may not see."""
    return await by_ids(BookingRow, ids, bookings.visible_to(ctx.viewer))


async def visible(ctx: Context, booking_id: UUID) -> BookingRow:
    """The booking. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [booking_id]))


async def steps_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[BookingStepRow | None]:
    """The steps with these ids of bookings that the viewer sees, None for each of the others."""
    steps = await steps_by_ids(ids)
    seen = {row.id for row in await visible_by_ids(ctx, [step.booking_id for step in steps if step]) if row}
    return [step if step and step.booking_id in seen else None for step in steps]


async def steps_by_ids(ids: Sequence[UUID]) -> list[BookingStepRow | None]:
    return await by_ids(BookingStepRow, ids)


async def steps_of_events(_ctx: Context, events: Sequence[Logged]) -> list[BookingStepRow | None]:
    """The step that each event tells of. Whoever delivers an event has checked its audience."""
    return await steps_by_ids([logged.event.subject for logged in events])


async def bookings_around(_ctx: Context, rows: Sequence[BookingStepRow]) -> list[BookingRow | None]:
    """The booking of each step."""
    return await by_ids(BookingRow, [row.booking_id for row in rows])


async def steps_of(_ctx: Context, rows: Sequence[BookingRow], args: PageArgs) -> list[Page[BookingStepRow]]:
    """What was done with each booking, in its order."""
    ids = [row.id for row in rows]
    return await pages(BookingStepRow, ids, by="booking_id", args=args, order=BOOKING_STEPS)


async def officers_of(ctx: Context, rows: Sequence[BookingStepRow]) -> list[NeighbourRow | None]:
    """The officer who did each step; None for who booked, and for the clock."""
    holders = {
        row.id: row.account_id
        for row in await by_ids(BookingRow, [row.booking_id for row in rows])
        if row is not None
    }
    others = [None if row.actor_id == holders.get(row.booking_id) else row.actor_id for row in rows]
    return await identity.faces_of(
        ctx, [(actor_id, row.community_id) for row, actor_id in zip(rows, others, strict=True)]
    )


async def slots_around(_ctx: Context, rows: Sequence[BookingRow]) -> list[SlotRow | None]:
    """The slot of each booking."""
    return await by_ids(SlotRow, [row.slot_id for row in rows])


async def holders_of(ctx: Context, rows: Sequence[BookingRow]) -> list[NeighbourRow | None]:
    """Who booked each, for themselves and the office."""
    pairs = [
        (row.account_id if bookings.can_see_person(ctx.viewer, row) else None, row.community_id)
        for row in rows
    ]
    return await identity.faces_of(ctx, pairs)


@dataclass(frozen=True, slots=True)
class BookingCriteria:
    """Which bookings; None is any."""

    states: frozenset[BookingState] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def where(self) -> Where:
        found = EVERYTHING
        if self.states is not None:
            found &= Where("t.state IN (?)", (sorted(self.states),))
        if self.since is not None:
            found &= Where("t.starts_at >= ?", (self.since,))
        if self.until is not None:
            found &= Where("t.starts_at < ?", (self.until,))
        return found


async def bookings_of_offices(
    ctx: Context, organisations: Sequence[OrganisationRow], wanted: BookingCriteria, args: PageArgs
) -> list[Page[BookingRow]]:
    """What is booked with each office, in the order of time; empty for who does not serve there."""

    def serves(row: OrganisationRow) -> bool:
        return bookings.can_serve(ctx.viewer, row.id)

    await audit.note_reading(ctx, "bookings", organisations, serves)
    served = {row.id for row in organisations if serves(row)}
    return await pages(
        BookingRow,
        [row.id for row in organisations],
        by="organisation_id",
        args=args,
        where=wanted.where() & Where("t.organisation_id IN (?)", (served,)),
        order=BY_TIME,
    )


async def bookings_of_accounts(
    ctx: Context, accounts: Sequence[AccountRow], wanted: BookingCriteria, args: PageArgs
) -> list[Page[BookingRow]]:
    """What each account has booked, the latest time first; empty but for the viewer's own."""
    return await pages(
        BookingRow,
        [row.id for row in accounts],
        by="account_id",
        args=args,
        where=wanted.where() & Where("t.account_id = ?", (ctx.account_id,)),
        order=LATEST_BOOKINGS,
    )


async def followable(ctx: Context, organisation_id: UUID) -> OrganisationRow:
    """The office whose bookings the viewer may follow. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    (office,) = await identity.organisations_by_id(ctx, [organisation_id])
    if office is None or not ctx.viewer.belongs_to(office.community_id):
        raise NotFound
    if not bookings.can_serve(ctx.viewer, office.id):
        raise await audit.refuse(ctx, "booking.follow", ONLY_OFFICE, office)
    await audit.note_reading(ctx, "booking.follow", [office])
    return office
