"""Signing up, and off again. To ask for what is so already changes nothing."""

from datetime import datetime
from uuid import UUID

from models.activities import ActivityRow, ActivityStatus, SignUpRow, SignUpState, can_sign_up
from models.base import new_id, now
from models.storage.rows import columns, execute, select_one
from resolvers import limits
from resolvers.activities import reading, seats
from resolvers.context import Context
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from resolvers.retries import earlier_result
from subscriptions.work import Work

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
        raise NotAllowed("Only verified residents and officers of this community may sign up")
    occurrences = [row.id]
    async with ctx.unit_of_work() as work:
        body = [activity_id, companions, whole_series]
        if whole_series:
            occurrences = await reading.following_ids(row)
        if await earlier_result(ctx, key, "signUpForActivity", body, activity_id) is None:
            await limits.check_rate(ctx, "signUpForActivity", SIGN_UPS_A_MINUTE, 60)
            for occurrence_id in sorted(occurrences):
                try:
                    await enter(work, ctx, await seats.locked(occurrence_id), account_id, companions)
                except DomainError:
                    # Nothing is written of an occurrence that cannot be had.
                    if occurrence_id == activity_id:
                        raise
    return await reading.own_sign_ups(ctx, occurrences)


async def enter(work: Work, ctx: Context, row: ActivityRow, account_id: UUID, companions: int) -> None:
    """Enter an account into the queue of a locked activity."""
    at = now()
    refuse_outside_hours(row, at)
    if not 0 <= companions <= row.most_companions:
        raise InvalidInput(companions=f"At most {row.most_companions}")
    mine = await sign_up_of(row.id, account_id)
    if mine is None or mine.state is SignUpState.CANCELLED:
        await join(row, account_id, companions, at)
    elif mine.companions != companions:
        await bring(row, mine, companions, at)
    else:
        return
    work.record(seats.signed(row, frozenset({account_id})))
    await seats.move_up(work, ctx, row, at)
    await seats.keep(work, row)


def refuse_outside_hours(row: ActivityRow, at: datetime) -> None:
    if row.status is ActivityStatus.CANCELLED:
        raise NotAllowed("The activity is cancelled")
    if at < row.sign_up_opens_at:
        raise NotAllowed("Sign-up has not opened yet")
    if at >= row.sign_up_closes_at:
        raise NotAllowed("Sign-up is closed")


async def join(row: ActivityRow, account_id: UUID, companions: int, at: datetime) -> None:
    """Take the next number, and a seat if nobody waits and there is one."""
    party = 1 + companions
    coming = not row.waiting_count and row.has_room_for(party)
    row.last_number += 1
    if coming:
        seats.seat(row, party)
    else:
        row.waiting_count += 1
    await execute(
        "INSERT INTO activity_sign_up (id, created_at, community_id, activity_id, account_id, state,"
        " companions, number, signed_up_at, sequence, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"
        " ON CONFLICT (activity_id, account_id) DO UPDATE SET state = excluded.state,"
        " companions = excluded.companions, number = excluded.number, signed_up_at = excluded.signed_up_at,"
        " cancelled_at = NULL, checked_in_at = NULL, checked_in_by = NULL,"
        " sequence = activity_sign_up.sequence + 1, updated_at = excluded.updated_at RETURNING id",
        new_id(),
        at,
        row.community_id,
        row.id,
        account_id,
        SignUpState.GOING if coming else SignUpState.WAITING,
        companions,
        row.last_number,
        at,
        at,
    )


async def bring(row: ActivityRow, mine: SignUpRow, companions: int, at: datetime) -> None:
    """Bring more companions, or fewer, at the place that one has."""
    more = companions - mine.companions
    if more > 0 and (row.waiting_count or not row.has_room_for(more)):
        raise Conflict("There are not so many seats left; sign off and sign up anew to wait for them", row.id)
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
            await leave(work, ctx, await seats.locked(occurrence_id), account_id)
    return await reading.own_sign_ups(ctx, occurrences)


async def leave(work: Work, ctx: Context, row: ActivityRow, account_id: UUID) -> None:
    """Take an account out of the queue of a locked activity."""
    mine, at = await sign_up_of(row.id, account_id), now()
    if mine is None or mine.state is SignUpState.CANCELLED:
        return
    if at >= row.starts_at:
        raise NotAllowed("The activity has begun")
    if mine.state is SignUpState.GOING:
        seats.unseat(row, mine)
    else:
        row.waiting_count -= 1
    await seats.become([mine], SignUpState.CANCELLED, at)
    work.record(seats.signed(row, frozenset({account_id})))
    await seats.move_up(work, ctx, row, at)
    await seats.keep(work, row)


async def sign_up_of(activity_id: UUID, account_id: UUID) -> SignUpRow | None:
    return await select_one(
        SignUpRow,
        f"SELECT {columns(SignUpRow)} FROM activity_sign_up t WHERE t.activity_id = ? AND t.account_id = ?",
        activity_id,
        account_id,
    )
