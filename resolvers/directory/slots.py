"""The times at which a service can be visited."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from models.base import now
from models.directory import bookings, entries
from models.directory.bookings import SLOTS, BookingRow, SlotRow
from models.directory.entries import EntryRow
from models.directory.hours import CHINA, DAY, Hours, Interval
from models.messages import Message
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where
from models.storage.tables import by_ids, every, insert
from resolvers import audit, limits
from resolvers.context import Context
from resolvers.directory import entries as keeping
from resolvers.directory import listing
from resolvers.errors import InvalidInput
from resolvers.existing import only
from resolvers.paging import pages
from subscriptions.events import Event, Kind, Logged, event_about

MOST_DAYS = 62
MOST_SLOTS = 500
MOST_PLANS = 42
LARGEST = 1000
LONGEST = timedelta(hours=12)
FURTHEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Times of `minutes` each, one after the other in an interval of every week."""

    day: int
    interval: Interval
    minutes: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Time:
    starts_at: datetime
    ends_at: datetime
    capacity: int


async def plan(
    ctx: Context, *, entry_id: UUID, first: date, last: date, weekly: Sequence[Weekly]
) -> tuple[EntryRow, int]:
    """Open the times of a weekly plan from one day to another; how many are new.

    On a date with opening hours of its own only what fits in these. Times that are there already, and
    those in the past, are left as they are. Raises InvalidInput, NotFound, NotAllowed, RateLimited.
    """
    row, _ = await keeping.editable(ctx, entry_id, "directory.planSlots")
    if not 0 <= (last - first).days < MOST_DAYS:
        raise InvalidInput(toDate=Message("From 1 to {most} days", most=MOST_DAYS))
    if not 1 <= len(weekly) <= MOST_PLANS:
        raise InvalidInput(weekly=Message("From 1 to {most} times a week", most=MOST_PLANS))
    for number in weekly:
        check_capacity(number.capacity)
        if not 5 <= number.minutes <= LONGEST.total_seconds() // 60:
            raise InvalidInput(minutes=Message("From 5 minutes to 12 hours"))
    times = list(times_of_plan(row.opening, first, last, weekly))
    return await open_times(ctx, row, times)


def times_of_plan(hours: Hours, first: date, last: date, weekly: Sequence[Weekly]) -> Iterator[Time]:
    """The times of a weekly plan, in their order within each day."""
    for number in range((last - first).days + 1):
        day = first + number * DAY
        midnight = datetime.combine(day, time(), CHINA)
        for found in weekly:
            if found.day != day.isoweekday():
                continue
            step = timedelta(minutes=found.minutes)
            start = midnight + timedelta(minutes=found.interval.opens)
            while start + step <= midnight + timedelta(minutes=found.interval.closes):
                if day not in hours.exceptions or hours.covers(start, start + step):
                    yield Time(start, start + step, found.capacity)
                start += step


async def add(ctx: Context, *, entry_id: UUID, times: Sequence[Time]) -> tuple[EntryRow, int]:
    """Open these times; how many are new. Raises InvalidInput, NotFound, NotAllowed, RateLimited."""
    row, _ = await keeping.editable(ctx, entry_id, "directory.addSlots")
    if not times:
        raise InvalidInput(slots=Message("Must not be empty"))
    at = now()
    for found in times:
        check_capacity(found.capacity)
        if not timedelta(minutes=5) <= found.ends_at - found.starts_at <= LONGEST:
            raise InvalidInput(endsAt=Message("From 5 minutes to 12 hours"))
        if found.starts_at <= at:
            raise InvalidInput(startsAt=Message("Must be in the future"))
    return await open_times(ctx, row, times)


def check_capacity(capacity: int) -> None:
    if not 1 <= capacity <= LARGEST:
        raise InvalidInput(capacity=Message("From 1 to {most}", most=LARGEST))


async def open_times(ctx: Context, row: EntryRow, times: Sequence[Time]) -> tuple[EntryRow, int]:
    at = now()
    coming = [found for found in times if found.starts_at > at]
    if len(coming) > MOST_SLOTS:
        raise InvalidInput(slots=Message("At most {most} times at once", most=MOST_SLOTS))
    if any(found.starts_at > at + FURTHEST for found in coming):
        raise InvalidInput(startsAt=Message("Is too far in the future"))
    added = 0
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "keepDirectory", keeping.CHANGES_AN_HOUR, 3600)
        for found in coming:
            added += await insert(
                SlotRow(
                    created_at=at,
                    community_id=row.community_id,
                    entry_id=row.id,
                    organisation_id=row.organisation_id,
                    starts_at=found.starts_at,
                    ends_at=found.ends_at,
                    capacity=found.capacity,
                ),
                "(entry_id, starts_at) DO UPDATE SET ends_at = excluded.ends_at,"
                " capacity = excluded.capacity, withdrawn_at = NULL"
                " WHERE appointment_slot.withdrawn_at IS NOT NULL",
            )
        if added:
            await audit.record(ctx, "directory.openSlots", row, detail=f"{added}")
            work.record(await keeping.event_of(Kind.ENTRY_CHANGED, row))
    return await listing.visible(ctx, row.id), added


async def slot_changed(slot: SlotRow) -> Event:
    """That more or fewer places are left in a slot, for whoever sees its entry."""
    (shown,) = await by_ids(EntryRow, [slot.entry_id], entries.published_and_licensed(now()))
    return event_about(
        Kind.SLOT_CHANGED,
        slot,
        entries.audience(shown) if shown else frozenset({slot.organisation_id}),
        thread=slot.entry_id,
    )


# Reading


def of_visible_entries(ctx: Context) -> Where:
    """The slots (as ``t``) that the viewer sees: the open ones of visible entries, and the own office's."""
    where = entries.visible_to(ctx.viewer, now())
    return Where("t.organisation_id IN (?)", (ctx.viewer.scopes,)) | (
        Where("t.withdrawn_at IS NULL")
        & Where(f"t.entry_id IN (SELECT t.id FROM directory_entry t WHERE {where.text})", where.params)
    )


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[SlotRow | None]:
    """The slots with these ids, None for each that the viewer may not see."""
    return await by_ids(SlotRow, ids, of_visible_entries(ctx))


async def visible(ctx: Context, slot_id: UUID) -> SlotRow:
    """The slot. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [slot_id]))


async def slots_of_events(_ctx: Context, events: Sequence[Logged]) -> list[SlotRow | None]:
    """The slot that each event is about. Whoever delivers an event has checked its audience."""
    rows = await by_ids(SlotRow, [logged.event.subject for logged in events])
    shown = {
        row.id
        for row in await by_ids(
            EntryRow, [row.entry_id for row in rows if row], entries.published_and_licensed(now())
        )
        if row
    }
    return [
        row if row and (row.entry_id in shown or logged.event.audience == {row.organisation_id}) else None
        for row, logged in zip(rows, events, strict=True)
    ]


async def slots_of(
    ctx: Context, rows: Sequence[EntryRow], since: datetime | None, free: bool, args: PageArgs
) -> list[Page[SlotRow]]:
    """The open times of each entry that begin from now, or from `since`, in their order.

    Raises InvalidInput.
    """
    where = Where("t.withdrawn_at IS NULL AND t.starts_at > ?", (since or listing.moment(ctx),))
    if free:
        where &= Where("t.booked < t.capacity")
    ids = [row.id for row in rows]
    return await pages(SlotRow, ids, by="entry_id", args=args, where=where, order=SLOTS)


async def entries_of(ctx: Context, rows: Sequence[SlotRow | BookingRow]) -> list[EntryRow | None]:
    """The entry of each, as far as the viewer sees it."""
    return await listing.visible_by_ids(ctx, [row.entry_id for row in rows])


async def bookings_of_viewer(ctx: Context, rows: Sequence[SlotRow]) -> list[BookingRow | None]:
    """The booking that the viewer holds in each slot."""
    held = await every(
        BookingRow,
        Where(
            "t.slot_id IN (?) AND t.account_id = ? AND t.state <> ?",
            ({row.id for row in rows}, ctx.viewer.account_id, bookings.BookingState.CANCELLED),
        ),
    )
    found = {row.slot_id: row for row in held}
    return [found.get(row.id) for row in rows]
