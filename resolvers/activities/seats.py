"""The queue for seats. Whatever changes it holds the activity's row lock, so that one does after the other.

Here an activity's row is kept in step with what is written, and written by `keep` in the end.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from models.activities import (
    ActivityRow,
    ActivityStatus,
    ActivityUpdateKind,
    SignUpRow,
    SignUpState,
    can_sign_up,
)
from models.base import new_id, now
from models.notifications import NotificationKind
from models.storage.rows import columns, execute, select
from models.visibility import viewers
from resolvers import notifications
from resolvers.context import Context
from resolvers.errors import NotFound
from subscriptions.events import Event, Kind, community_topic
from subscriptions.work import Work

BATCH = 100


async def locked(activity_id: UUID) -> ActivityRow:
    """The activity as it stands, behind its row lock until the transaction ends. Raises NotFound.

    Of several, lock the lower id first: then no two transactions wait for each other.
    """
    rows = await select(
        ActivityRow,
        f"UPDATE activity SET version = version WHERE id = ? RETURNING {columns(ActivityRow, 'activity')}",
        activity_id,
    )
    if not rows:
        raise NotFound
    return rows[0]


async def keep(work: Work, row: ActivityRow) -> None:
    """Write the counters of a locked activity, and tell of them."""
    await execute(
        "UPDATE activity SET last_number = ?, seats_taken = ?, going_count = ?, waiting_count = ?,"
        " checked_in_count = ? WHERE id = ? RETURNING id",
        row.last_number,
        row.seats_taken,
        row.going_count,
        row.waiting_count,
        row.checked_in_count,
        row.id,
    )
    work.record(event(Kind.ACTIVITY_COUNTED, row))


def seat(row: ActivityRow, seats: int) -> None:
    """A party of so many comes."""
    row.going_count += 1
    row.seats_taken += seats


def unseat(row: ActivityRow, sign_up: SignUpRow) -> None:
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
                seat(row, waiting.seats)
                coming.append(waiting)
            else:
                stopped = True
                break
        row.waiting_count -= len(coming) + len(gone)
        await become(coming, SignUpState.GOING, at)
        await become(gone, SignUpState.CANCELLED, at)
        moved += coming
        if stopped:
            break
    if moved:
        await tell(work, ctx, row, ActivityUpdateKind.MOVED_UP, [waiting.account_id for waiting in moved])


async def become(sign_ups: Sequence[SignUpRow], state: SignUpState, at: datetime) -> None:
    if sign_ups:
        await execute(
            "UPDATE activity_sign_up SET state = ?, cancelled_at = ?, sequence = sequence + 1, updated_at = ?"
            " WHERE id IN (?) RETURNING id",
            state,
            at if state is SignUpState.CANCELLED else None,
            at,
            [sign_up.id for sign_up in sign_ups],
        )


async def tell(
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
    await execute(
        "INSERT INTO activity_update (id, created_at, community_id, activity_id, kind, note)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        update_id,
        now(),
        row.community_id,
        row.id,
        kind,
        note,
    )
    await notifications.notify(
        work,
        ctx,
        account_ids=sorted(accounts - {ctx.viewer.account_id}),
        community_id=row.community_id,
        kind=NotificationKind.ACTIVITY,
        subject_id=update_id,
    )
    work.record(signed(row, accounts))


async def accounts_of(activity_id: UUID) -> list[UUID]:
    """Everyone who comes or waits."""
    rows = await select(
        SignUpRow,
        f"SELECT {columns(SignUpRow)} FROM activity_sign_up t WHERE t.activity_id = ? AND t.state <> ?",
        activity_id,
        SignUpState.CANCELLED,
    )
    return [row.account_id for row in rows]


def event(kind: Kind, row: ActivityRow) -> Event:
    """What happened to an activity, for all who may see it."""
    return Event(
        community_topic(row.community_id),
        kind,
        row.id,
        audience=frozenset({row.scope_id}),
        thread=row.id,
        facts={"kind": row.kind.value, "host": str(row.host_id)},
    )


def signed(row: ActivityRow, accounts: frozenset[UUID]) -> Event:
    """The sign-ups of these accounts have changed, for nobody but them."""
    return Event(
        community_topic(row.community_id),
        Kind.ACTIVITY_SIGN_UP,
        row.id,
        audience=accounts,
        thread=row.id,
        facts={"kind": row.kind.value, "host": str(row.host_id)},
    )
