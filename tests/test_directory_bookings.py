"""Times and bookings: no place is given twice, the office and the resident are told, and nobody else."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models.audit import AuditRow
from models.base import now
from models.directory.bookings import BookingAction, BookingRow, BookingState, BookingStepRow, SlotRow
from models.directory.entries import DirectoryCategory, EntryRow
from models.directory.hours import CHINA, Exceptional, Hours, Interval
from models.directory.licences import LicenceRow
from models.identity import AccountRow
from models.notifications import NotificationRow
from models.roles import Role
from resolvers.directory import bookings, slots
from resolvers.directory.bookings import BookingCriteria
from resolvers.directory.slots import Time, Weekly
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from subscriptions.events import Kind, Logged, community_topic
from tests.directory_scene import PAGE, Scene, new_key
from tests.directory_scene import scene as scene

pytestmark = pytest.mark.anyio

PARALLEL = 20
# A Monday in the past, for what is computed only.
MONDAY = date(2026, 9, 28)


async def open_slot(
    scene: Scene, entry: EntryRow, capacity: int = 1, by: AccountRow | None = None
) -> SlotRow:
    """A time of its own, tomorrow or later."""
    ctx = await scene.world.context(by or scene.admin)
    start = now() + timedelta(days=1, hours=await SlotRow.all().count())
    time = Time(start, start + timedelta(minutes=30), capacity)
    _, added = await slots.add(ctx, entry_id=entry.id, times=[time])
    assert added == 1
    (page,) = await slots.slots_of(ctx, [entry], start - timedelta(seconds=1), False, PAGE)
    return page.items[0]


async def book(scene: Scene, slot: SlotRow, by: AccountRow | None = None, key: str = "") -> BookingRow:
    ctx = await scene.world.context(by or scene.resident)
    return await bookings.book(ctx, slot_id=slot.id, note="办证", key=key or new_key())


async def cancel(scene: Scene, row: BookingRow, by: AccountRow, reason: str = "") -> BookingRow:
    ctx = await scene.world.context(by)
    return await bookings.cancel(ctx, booking_id=row.id, version=row.version, reason=reason)


async def mark(scene: Scene, row: BookingRow, by: AccountRow, kept: bool) -> BookingRow:
    ctx = await scene.world.context(by)
    return await bookings.record_attendance(ctx, booking_id=row.id, version=row.version, kept=kept)


async def begun(row: BookingRow) -> None:
    moment = now() - timedelta(minutes=1)
    await BookingRow.filter(id=row.id).update(starts_at=moment)
    await SlotRow.filter(id=row.slot_id).update(starts_at=moment)


async def told(account: Any) -> list[BookingAction]:
    """The steps in an account's inbox."""
    subjects = [entry.subject_id for entry in await NotificationRow.filter(account_id=account.id)]
    return [step.action for step in await BookingStepRow.filter(id__in=subjects).order_by("id")]


async def happened(scene: Scene, kind: Kind) -> list[Logged]:
    return [
        logged
        for logged in await scene.world.events(community_topic(scene.community.id))
        if logged.event.kind is kind
    ]


# Times


def test_a_weekly_plan_is_cut_into_times() -> None:
    mornings = Weekly(1, Interval(9 * 60, 10 * 60 + 10), 30, 2)
    found = list(slots.times_of_plan(Hours(), MONDAY, MONDAY + timedelta(days=7), [mornings]))
    starts = [time.starts_at.astimezone(CHINA).strftime("%m-%d %H:%M") for time in found]
    assert starts == ["09-28 09:00", "09-28 09:30", "10-05 09:00", "10-05 09:30"]
    assert all(time.ends_at - time.starts_at == timedelta(minutes=30) for time in found)
    assert {time.capacity for time in found} == {2}


def test_a_plan_keeps_to_the_hours_of_a_holiday() -> None:
    mornings = Weekly(1, Interval(9 * 60, 12 * 60), 60, 1)
    half = Hours({}, {MONDAY: Exceptional((Interval(10 * 60, 11 * 60 + 30),))})
    (only,) = slots.times_of_plan(half, MONDAY, MONDAY, [mornings])
    assert only.starts_at == datetime(2026, 9, 28, 2, tzinfo=UTC)
    assert not list(slots.times_of_plan(Hours({}, {MONDAY: Exceptional(())}), MONDAY, MONDAY, [mornings]))


async def test_planning_again_adds_nothing_and_what_was_withdrawn_comes_back(scene: Scene) -> None:
    entry = await scene.office_entry()
    ctx = await scene.world.context(scene.admin)
    first = now().astimezone(CHINA).date() + timedelta(days=1)
    weekly = [Weekly(day, Interval(9 * 60, 11 * 60), 60, 3) for day in range(1, 8)]

    async def plan() -> int:
        last = first + timedelta(days=6)
        return (await slots.plan(ctx, entry_id=entry.id, first=first, last=last, weekly=weekly))[1]

    assert await plan() == 14
    assert await plan() == 0
    (page,) = await slots.slots_of(ctx, [entry], None, True, PAGE)
    assert len(page.items) == 14
    await bookings.withdraw_slot(ctx, slot_id=page.items[0].id, reason="开会")
    (fewer,) = await slots.slots_of(ctx, [entry], None, False, PAGE)
    assert len(fewer.items) == 13
    assert await plan() == 1
    assert [entry.action for entry in await AuditRow.filter(action="directory.openSlots")] == [
        "directory.openSlots"
    ] * 2


async def test_who_keeps_no_entry_opens_no_time(scene: Scene) -> None:
    entry = await scene.office_entry()
    start = now() + timedelta(days=1)
    times = [Time(start, start + timedelta(hours=1), 1)]
    for by in (scene.resident, scene.merchant):
        with pytest.raises(NotAllowed):
            await slots.add(await scene.world.context(by), entry_id=entry.id, times=times)
    with pytest.raises(NotFound):
        await slots.add(await scene.world.context(scene.stranger), entry_id=entry.id, times=times)
    ctx = await scene.world.context(scene.admin)
    for wrong in (
        replace(times[0], capacity=0),
        replace(times[0], ends_at=start),
        replace(times[0], starts_at=now() - timedelta(hours=1)),
    ):
        with pytest.raises(InvalidInput):
            await slots.add(ctx, entry_id=entry.id, times=[wrong])
    assert not await SlotRow.exists()


# Bookings


async def test_a_booking_is_confirmed_and_the_office_sees_it(scene: Scene) -> None:
    slot = await open_slot(scene, await scene.office_entry(), capacity=2)
    row = await book(scene, slot)
    assert row.state is BookingState.BOOKED
    assert (await SlotRow.get()).booked == 1
    assert await told(scene.resident) == [BookingAction.BOOK]
    (own,) = await happened(scene, Kind.BOOKING_STEP)
    (office,) = await happened(scene, Kind.OFFICE_BOOKING)
    assert own.event.audience == {scene.resident.id}
    assert office.event.audience == {scene.committee.id}
    assert len(await happened(scene, Kind.SLOT_CHANGED)) == 1

    clerk = await scene.world.context(scene.clerk)
    (page,) = await bookings.bookings_of_offices(clerk, [scene.committee], BookingCriteria(), PAGE)
    assert page.items == [row]
    (holder,) = await bookings.holders_of(clerk, [row])
    assert holder is not None
    assert holder.display_name == scene.resident.display_name
    (mine,) = await bookings.bookings_of_accounts(
        await scene.world.context(scene.resident), [account_row(scene.resident)], BookingCriteria(), PAGE
    )
    assert mine.items == [row]


def account_row(account: AccountRow) -> AccountRow:
    return account


async def test_a_booking_is_nobody_elses(scene: Scene) -> None:
    """A grid worker of the same office learns that there is one, and neither whose nor what about."""
    row = await book(scene, await open_slot(scene, await scene.office_entry()))
    worker = await scene.world.context(
        await scene.world.officer(scene.committee, Role.GRID_WORKER, scene.grid)
    )
    assert await bookings.visible_by_ids(worker, [row.id]) == [row]
    assert await bookings.holders_of(worker, [row]) == [None]
    (page,) = await bookings.bookings_of_offices(worker, [scene.committee], BookingCriteria(), PAGE)
    assert page.items == []
    with pytest.raises(NotAllowed):
        await bookings.followable(worker, scene.committee.id)
    (step,) = await BookingStepRow.all()
    for by in (scene.neighbour, scene.merchant, scene.stranger):
        ctx = await scene.world.context(by)
        assert await bookings.visible_by_ids(ctx, [row.id]) == [None]
        assert await bookings.steps_visible_by_ids(ctx, [step.id]) == [None]
        with pytest.raises(NotFound):
            await bookings.cancel(ctx, booking_id=row.id, version=1)
        with pytest.raises(NotFound):
            await bookings.record_attendance(ctx, booking_id=row.id, version=1, kept=True)
    assert (await BookingRow.get()).state is BookingState.BOOKED


async def test_only_members_book_and_only_what_they_see(scene: Scene) -> None:
    slot = await open_slot(scene, await scene.office_entry())
    hidden = await open_slot(
        scene, await scene.create(scene.admin, scene.committee, category=DirectoryCategory.GRID)
    )
    with pytest.raises(NotFound):
        await book(scene, slot, scene.stranger)
    with pytest.raises(NotFound):
        await book(scene, hidden)
    # The own office sees it, and still nobody can be booked in.
    with pytest.raises(Conflict):
        await book(scene, hidden, scene.admin)
    assert not await BookingRow.exists()


async def test_many_at_once_get_no_more_than_there_is(scene: Scene) -> None:
    slot = await open_slot(scene, await scene.office_entry(), capacity=3)
    people = [await scene.world.resident(scene.home) for _ in range(PARALLEL)]
    found = await asyncio.gather(*(book(scene, slot, by) for by in people), return_exceptions=True)
    made = [it for it in found if isinstance(it, BookingRow)]
    assert len(made) == 3
    assert all(isinstance(it, Conflict) for it in found if not isinstance(it, BookingRow))
    kept = await SlotRow.get()
    assert kept.booked == 3 == await BookingRow.filter(state=BookingState.BOOKED).count()


async def test_one_person_has_one_place_in_a_time_and_three_of_a_service(scene: Scene) -> None:
    entry = await scene.office_entry()
    slot = await open_slot(scene, entry, capacity=5)
    found = await asyncio.gather(*(book(scene, slot) for _ in range(5)), return_exceptions=True)
    (made,) = [it for it in found if isinstance(it, BookingRow)]
    with pytest.raises(Conflict) as refused:
        await book(scene, slot)
    assert refused.value.current == made.id
    assert (await SlotRow.get()).booked == 1
    for _ in range(2):
        await book(scene, await open_slot(scene, entry))
    with pytest.raises(Conflict):
        await book(scene, await open_slot(scene, entry))


async def test_a_retry_takes_one_place(scene: Scene) -> None:
    slot = await open_slot(scene, await scene.office_entry(), capacity=5)
    key = new_key()
    once = await book(scene, slot, key=key)
    assert await book(scene, slot, key=key) == once
    assert (await SlotRow.get()).booked == 1
    assert await told(scene.resident) == [BookingAction.BOOK]


async def test_a_cancelled_place_is_free_again(scene: Scene) -> None:
    slot = await open_slot(scene, await scene.office_entry())
    row = await cancel(scene, await book(scene, slot), scene.resident)
    assert row.state is BookingState.CANCELLED
    with pytest.raises(Conflict):
        await cancel(scene, row, scene.resident)
    assert (await SlotRow.get()).booked == 0
    await book(scene, slot, scene.neighbour)
    with pytest.raises(Conflict):
        await book(scene, slot)
    # Nobody is told by inbox of the own act, the office is live.
    assert await told(scene.resident) == [BookingAction.BOOK]
    assert len(await happened(scene, Kind.OFFICE_BOOKING)) == 3


async def test_the_office_calls_off_with_a_reason(scene: Scene) -> None:
    row = await book(scene, await open_slot(scene, await scene.office_entry()))
    with pytest.raises(InvalidInput):
        await cancel(scene, row, scene.clerk)
    row = await cancel(scene, row, scene.clerk, "系统升级")
    assert row.state is BookingState.CANCELLED
    assert await told(scene.resident) == [BookingAction.BOOK, BookingAction.CALL_OFF]
    step = await BookingStepRow.get(action=BookingAction.CALL_OFF)
    assert step.reason == "系统升级"
    assert await AuditRow.filter(action="booking.callOff", refused=False).count() == 1


async def test_withdrawing_a_time_calls_off_all_that_was_booked(scene: Scene) -> None:
    slot = await open_slot(scene, await scene.office_entry(), capacity=2)
    await book(scene, slot)
    await book(scene, slot, scene.neighbour)
    with pytest.raises(NotAllowed):
        await bookings.withdraw_slot(
            await scene.world.context(scene.resident), slot_id=slot.id, reason="不想去了"
        )
    ctx = await scene.world.context(scene.clerk)
    await bookings.withdraw_slot(ctx, slot_id=slot.id, reason="停电")
    assert await BookingRow.filter(state=BookingState.CANCELLED, held_key=None).count() == 2
    for account in (scene.resident, scene.neighbour):
        assert await told(account) == [BookingAction.BOOK, BookingAction.CALL_OFF]
    with pytest.raises(NotFound):
        await book(scene, slot)
    with pytest.raises(Conflict):
        await bookings.withdraw_slot(ctx, slot_id=slot.id, reason="停电")


async def test_who_came_and_who_did_not(scene: Scene) -> None:
    row = await book(scene, await open_slot(scene, await scene.office_entry()))
    with pytest.raises(Conflict):
        await mark(scene, row, scene.clerk, kept=True)
    await begun(row)
    with pytest.raises(Conflict):
        await cancel(scene, row, scene.resident)
    with pytest.raises(NotAllowed):
        await mark(scene, row, scene.resident, kept=True)
    missed = await mark(scene, row, scene.clerk, kept=False)
    assert missed.state is BookingState.MISSED
    with pytest.raises(Conflict):
        await mark(scene, row, scene.clerk, kept=True)
    assert (await mark(scene, missed, scene.clerk, kept=True)).state is BookingState.KEPT
    assert await told(scene.resident) == [BookingAction.BOOK, BookingAction.MISS]


async def test_the_clock_reminds_who_still_has_a_booking(scene: Scene) -> None:
    entry = await scene.office_entry()
    await book(scene, await open_slot(scene, entry))
    cancelled = await book(scene, await open_slot(scene, entry), scene.neighbour)
    await cancel(scene, cancelled, scene.neighbour)
    await scene.hurry(bookings.REMIND)
    assert await told(scene.resident) == [BookingAction.BOOK, BookingAction.REMIND]
    assert await told(scene.neighbour) == [BookingAction.BOOK]


async def test_nothing_is_booked_with_a_merchant_whose_licence_is_over(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    slot = await open_slot(scene, entry, by=scene.merchant)
    await LicenceRow.all().update(expires_at=now())
    with pytest.raises(NotFound):
        await book(scene, slot)
    with pytest.raises(Conflict):
        await bookings.take_place(slot)
    assert (await SlotRow.get()).booked == 0
