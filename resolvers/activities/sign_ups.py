"""Signing up, and off again; the queue for seats. To ask for what is so already changes nothing.

Whatever changes the queue holds the activity's row lock, so that one does after the other. Behind it an
activity's row is kept in step with what is written, and written by `write_counters` in the end.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from models.activities import (
    ActivityRow,
    ActivityStatus,
    ActivityUpdateKind,
    ActivityUpdateRow,
    SignUpRow,
    SignUpState,
    can_sign_up,
)
from models.base import new_id, now
from models.messages import Message
from models.notifications import NotificationKind
from models.storage.rows import Where, columns, execute, select
from models.storage.tables import every, insert, one, update
from models.visibility import viewers
from resolvers import limits, notifications
from resolvers.activities import reading
from resolvers.context import Context
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from resolvers.existing import locked
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, event_about
from subscriptions.work import Work

BATCH = 100
SIGN_UPS_A_MINUTE = 30


async def sign_up(
    ctx: Context, *, activity_id: UUID, companions: int, key: str, whole_series: bool = False
) -> list[SignUpRow]:
    """Ask for seats for the viewer and so many companions; there is one, or the viewer waits.

    With `whole_series`, at each later occurrence as well that takes sign-ups. Returns the viewer's sign-ups,
    this activity's first. Raises InvalidInput, NotFound, NotAllowed (also outside of the hours of sign-up),
    Conflict (more companions than there are seats left for), RateLimited.
    """
    account_id = ctx.account_id
    row = await reading.visible(ctx, activity_id)
    if not can_sign_up(ctx.viewer, row):
        raise NotAllowed(Message("Only verified residents and officers of this community may sign up"))
    occurrences = [row.id]
    async with ctx.unit_of_work() as work:
        body = [activity_id, companions, whole_series]
        if whole_series:
            occurrences = await reading.following_ids(row)
        if await earlier_result(ctx, key, "signUpForActivity", body, activity_id) is None:
            await limits.check_rate(ctx, "signUpForActivity", SIGN_UPS_A_MINUTE, 60)
            for occurrence_id in sorted(occurrences):
                try:
                    await enter(work, ctx, await locked(ActivityRow, occurrence_id), account_id, companions)
                except DomainError:
                    # Nothing is written of an occurrence that cannot be had.
                    if occurrence_id == activity_id:
                        raise
    return await reading.own_sign_ups(ctx, occurrences)


async def enter(work: Work, ctx: Context, row: ActivityRow, account_id: UUID, companions: int) -> None:
    """Enter an account into the queue of a locked activity. Raises InvalidInput, NotAllowed, Conflict."""
    at = now()
    refuse_outside_hours(row, at)
    if not 0 <= companions <= row.most_companions:
        raise InvalidInput(companions=Message("At most {most}", most=row.most_companions))
    mine = await sign_up_of(row.id, account_id)
    if mine is None or mine.state is SignUpState.CANCELLED:
        await add_to_queue(row, account_id, companions, at)
    elif mine.companions != companions:
        await change_companions(row, mine, companions, at)
    else:
        return
    work.record(sign_ups_changed(row, frozenset({account_id})))
    await move_up(work, ctx, row, at)
    await write_counters(work, row)


def refuse_outside_hours(row: ActivityRow, at: datetime) -> None:
    if row.status is ActivityStatus.CANCELLED:
        raise NotAllowed(Message("The activity is cancelled"))
    if at < row.sign_up_opens_at:
        raise NotAllowed(Message("Sign-up has not opened yet"))
    if at >= row.sign_up_closes_at:
        raise NotAllowed(Message("Sign-up is closed"))


async def add_to_queue(row: ActivityRow, account_id: UUID, companions: int, at: datetime) -> None:
    """Take the next number, and a seat if nobody waits and there is one."""
    party = 1 + companions
    coming = not row.waiting_count and row.has_room_for(party)
    row.last_number += 1
    if coming:
        take_seats(row, party)
    else:
        row.waiting_count += 1
    await insert(
        SignUpRow(
            created_at=at,
            community_id=row.community_id,
            activity_id=row.id,
            account_id=account_id,
            state=SignUpState.GOING if coming else SignUpState.WAITING,
            companions=companions,
            number=row.last_number,
            signed_up_at=at,
            updated_at=at,
        ),
        "(activity_id, account_id) DO UPDATE SET state = excluded.state,"
        " companions = excluded.companions, number = excluded.number, signed_up_at = excluded.signed_up_at,"
        " cancelled_at = NULL, checked_in_at = NULL, checked_in_by = NULL,"
        " sequence = activity_sign_up.sequence + 1, updated_at = excluded.updated_at",
    )


async def change_companions(row: ActivityRow, mine: SignUpRow, companions: int, at: datetime) -> None:
    """Bring more companions, or fewer, at the place that one has."""
    more = companions - mine.companions
    if more > 0 and (row.waiting_count or not row.has_room_for(more)):
        raise Conflict(
            Message("There are not so many seats left; to wait for them, cancel and sign up again"), row
        )
    await execute(
        "UPDATE activity_sign_up SET companions = ?, sequence = sequence + 1, updated_at = ?"
        " WHERE id = ? RETURNING id",
        companions,
        at,
        mine.id,
    )
    if mine.state is SignUpState.GOING:
        row.seats_taken += more


async def cancel_sign_up(ctx: Context, *, activity_id: UUID, whole_series: bool = False) -> list[SignUpRow]:
    """Come no more, or wait no more; who waits moves up. With `whole_series`, at later occurrences neither.

    Raises NotFound (also where the viewer has never signed up), NotAllowed once it has begun.
    """
    account_id = ctx.account_id
    row = await reading.visible(ctx, activity_id)
    if await sign_up_of(row.id, account_id) is None:
        raise NotFound
    occurrences = [row.id]
    async with ctx.unit_of_work() as work:
        if whole_series:
            occurrences = await reading.following_ids(row)
        for occurrence_id in sorted(occurrences):
            await leave(work, ctx, await locked(ActivityRow, occurrence_id), account_id)
    return await reading.own_sign_ups(ctx, occurrences)


async def leave(work: Work, ctx: Context, row: ActivityRow, account_id: UUID) -> None:
    """Take an account out of the queue of a locked activity. Raises NotAllowed."""
    mine, at = await sign_up_of(row.id, account_id), now()
    if mine is None or mine.state is SignUpState.CANCELLED:
        return
    if at >= row.starts_at:
        raise NotAllowed(Message("The activity has begun"))
    if mine.state is SignUpState.GOING:
        free_seats(row, mine)
    else:
        row.waiting_count -= 1
    await set_state([mine], SignUpState.CANCELLED, at)
    work.record(sign_ups_changed(row, frozenset({account_id})))
    await move_up(work, ctx, row, at)
    await write_counters(work, row)


async def sign_up_of(activity_id: UUID, account_id: UUID) -> SignUpRow | None:
    return await one(SignUpRow, Where("t.activity_id = ? AND t.account_id = ?", (activity_id, account_id)))


# The queue for seats


async def write_counters(work: Work, row: ActivityRow) -> None:
    """Write the counters of a locked activity, and tell of them."""
    await update(
        ActivityRow,
        row.id,
        last_number=row.last_number,
        seats_taken=row.seats_taken,
        going_count=row.going_count,
        waiting_count=row.waiting_count,
        checked_in_count=row.checked_in_count,
    )
    work.record(event(Kind.ACTIVITY_COUNTED, row))


def take_seats(row: ActivityRow, seats: int) -> None:
    """A party of so many comes."""
    row.going_count += 1
    row.seats_taken += seats


def free_seats(row: ActivityRow, sign_up: SignUpRow) -> None:
    """A party comes no more."""
    row.going_count -= 1
    row.seats_taken -= sign_up.seats
    row.checked_in_count -= sign_up.checked_in_at is not None


async def move_up(work: Work, ctx: Context, row: ActivityRow, at: datetime) -> None:
    """Give what is free of a locked activity to those who wait, in their order, and tell them.

    Who may no longer come leaves the queue.
    """
    if row.status is not ActivityStatus.SCHEDULED or at >= row.ends_at:
        return
    moved: list[SignUpRow] = []
    while row.waiting_count and row.has_room_for(1):
        queue = await select(
            SignUpRow,
            f"SELECT {columns(SignUpRow)} FROM activity_sign_up t WHERE t.activity_id = ? AND t.state = ?"
            f" ORDER BY t.number LIMIT {BATCH}",
            row.id,
            SignUpState.WAITING,
        )
        standing = await viewers({waiting.account_id: None for waiting in queue})
        coming, gone, stopped = [], [], False
        for waiting in queue:
            if not can_sign_up(standing[waiting.account_id], row):
                gone.append(waiting)
            elif row.has_room_for(waiting.seats):
                take_seats(row, waiting.seats)
                coming.append(waiting)
            else:
                stopped = True
                break
        row.waiting_count -= len(coming) + len(gone)
        await set_state(coming, SignUpState.GOING, at)
        await set_state(gone, SignUpState.CANCELLED, at)
        moved += coming
        if stopped:
            break
    if moved:
        await send_update(
            work, ctx, row, ActivityUpdateKind.MOVED_UP, [waiting.account_id for waiting in moved]
        )


async def set_state(sign_ups: Sequence[SignUpRow], state: SignUpState, at: datetime) -> None:
    if sign_ups:
        await execute(
            "UPDATE activity_sign_up SET state = ?, cancelled_at = ?, sequence = sequence + 1, updated_at = ?"
            " WHERE id IN (?) RETURNING id",
            state,
            at if state is SignUpState.CANCELLED else None,
            at,
            [sign_up.id for sign_up in sign_ups],
        )


async def send_update(
    work: Work,
    ctx: Context,
    row: ActivityRow,
    kind: ActivityUpdateKind,
    account_ids: Iterable[UUID],
    note: str = "",
) -> None:
    """Put an update of the activity into these inboxes, and have their apps read the sign-up anew."""
    accounts = frozenset(account_ids)
    if not accounts:
        return
    update_id = new_id()
    await insert(
        ActivityUpdateRow(
            id=update_id, community_id=row.community_id, activity_id=row.id, kind=kind, note=note
        )
    )
    await notifications.notify(
        work,
        ctx,
        NotificationKind.ACTIVITY,
        sorted(accounts - {ctx.viewer.account_id}),
        row,
        subject_id=update_id,
    )
    work.record(sign_ups_changed(row, accounts))


async def accounts_signed_up(activity_id: UUID) -> list[UUID]:
    """Everyone who comes or waits."""
    rows = await every(
        SignUpRow, Where("t.activity_id = ? AND t.state <> ?", (activity_id, SignUpState.CANCELLED))
    )
    return [row.account_id for row in rows]


def event(kind: Kind, row: ActivityRow) -> Event:
    """What happened to an activity, for all who may see it."""
    return event_about(
        kind, row, {row.scope_id}, thread=row.id, facts={"kind": row.kind.value, "host": str(row.host_id)}
    )


def sign_ups_changed(row: ActivityRow, accounts: frozenset[UUID]) -> Event:
    """The sign-ups of these accounts have changed, for nobody but them."""
    return event_about(
        Kind.ACTIVITY_SIGN_UP,
        row,
        accounts,
        thread=row.id,
        facts={"kind": row.kind.value, "host": str(row.host_id)},
    )
