"""Who was there: by the code that the organiser shows, or by the organiser's hand.

The code is six digits of a keyed hash of the activity and the minutes, so that it is kept nowhere, changes
by itself, and a photo of it is soon worth nothing.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models.activities import (
    ActivityRow,
    ActivityStatus,
    CheckInBy,
    SignUpRow,
    SignUpState,
    can_organise,
)
from models.base import now
from models.messages import Message
from models.storage.rows import Where
from models.storage.tables import every, update
from resolvers import identity, limits
from resolvers.activities import hosts, reading, sign_ups
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.existing import locked
from resolvers.limits import Limit
from resolvers.tables import beijing_time, table
from subscriptions.work import Work

DIGITS = 6
ROTATES = timedelta(minutes=2)
# Around the activity, in which people may check in.
EARLY = timedelta(hours=2)
LATE = timedelta(hours=2)
GUESSES = (Limit(5, 60), Limit(20, 3600))
# Of all who guess at one activity.
ALL_GUESSES = Limit(2000, 3600)

HEADS = (
    Message("Display name"),
    Message("Building"),
    Message("State"),
    Message("Companions"),
    Message("Signed up at"),
    Message("Checked in at"),
    Message("Checked in by"),
)
STATES = {SignUpState.GOING: Message("Going"), SignUpState.WAITING: Message("Waiting")}
WAYS = {CheckInBy.CODE: Message("Code"), CheckInBy.ORGANISER: Message("Organiser")}


@dataclass(frozen=True, slots=True)
class CheckInCode:
    """What the organiser shows now, and until when it is shown."""

    code: str
    until: datetime


def code_at(ctx: Context, activity_id: UUID, period: int) -> str:
    digest = ctx.services.keys.index("activity-check-in", f"{activity_id}/{period}")
    return f"{int(digest, 16) % 10**DIGITS:0{DIGITS}}"


def period_of(at: datetime) -> int:
    return int(at.timestamp()) // int(ROTATES.total_seconds())


async def codes_of(ctx: Context, rows: Sequence[ActivityRow]) -> list[CheckInCode | None]:
    """The code of each activity that the viewer organises, while people may check in."""
    at = now()
    period = period_of(at)
    until = datetime.fromtimestamp((period + 1) * ROTATES.total_seconds(), UTC)
    return [
        CheckInCode(code_at(ctx, row.id, period), until)
        if can_organise(ctx.viewer, row) and takes_place(row, at)
        else None
        for row in rows
    ]


def takes_place(row: ActivityRow, at: datetime) -> bool:
    """Whether people may check in."""
    return row.status is ActivityStatus.SCHEDULED and row.starts_at - EARLY <= at < row.ends_at + LATE


async def check_in(ctx: Context, *, activity_id: UUID, code: str) -> SignUpRow:
    """Say that one is there, by the code shown now or just before. To say it again changes nothing.

    Raises NotFound, NotAllowed (nobody who comes, or not at this hour), InvalidInput (not the code),
    RateLimited.
    """
    account_id = ctx.account_id
    row = await reading.visible(ctx, activity_id)
    refuse_elsewhen(row)
    # Outside of the transaction: a wrong guess stays counted.
    await limits.check(f"checkIn/{account_id}", *GUESSES)
    await limits.check(f"checkIn/{row.id}", ALL_GUESSES)
    period = period_of(now())
    given = check_text("code", code, 20).encode()
    current, before = (code_at(ctx, row.id, shown).encode() for shown in (period, period - 1))
    if not hmac.compare_digest(given, current) | hmac.compare_digest(given, before):
        raise InvalidInput(code=Message("Is not the code shown now"))
    async with ctx.unit_of_work() as work:
        row = await locked(ActivityRow, activity_id)
        mine = await sign_ups.sign_up_of(row.id, account_id)
        if mine is None or mine.state is not SignUpState.GOING:
            raise NotAllowed(Message("Only people with a seat can check in"))
        await record_attendance(work, row, mine, CheckInBy.CODE)
    return await reading.sign_up_visible(ctx, mine.id)


async def set_attendance(ctx: Context, *, sign_up_id: UUID, attended: bool) -> SignUpRow:
    """Check somebody in, or take that back, as the organiser; audited. To say what is so changes nothing.

    Raises NotFound, NotAllowed.
    """
    _ = ctx.account_id
    sign_up = await reading.sign_up_visible(ctx, sign_up_id)
    row = await reading.visible(ctx, sign_up.activity_id)
    if not can_organise(ctx.viewer, row):
        raise await hosts.refusal(
            ctx, "activity.attendance", row.host_kind, row.community_id, row.host_id, row.id
        )
    if row.status is ActivityStatus.CANCELLED:
        raise NotAllowed(Message("The activity is cancelled"))
    if now() < row.starts_at - EARLY:
        raise NotAllowed(Message("Check-in begins two hours before the start"))
    async with ctx.unit_of_work() as work:
        row = await locked(ActivityRow, row.id)
        current = await sign_ups.sign_up_of(row.id, sign_up.account_id)
        if current is None or current.state is not SignUpState.GOING:
            raise NotAllowed(Message("Only people with a seat can check in"))
        if await record_attendance(work, row, current, CheckInBy.ORGANISER if attended else None):
            await hosts.audit_act(ctx, "activity.attendance", row, detail=str(attended).lower())
    return await reading.sign_up_visible(ctx, sign_up_id)


def refuse_elsewhen(row: ActivityRow) -> None:
    if row.status is ActivityStatus.CANCELLED:
        raise NotAllowed(Message("The activity is cancelled"))
    if not takes_place(row, now()):
        raise NotAllowed(
            Message("Check-in is open from two hours before the start to two hours after the end")
        )


async def record_attendance(work: Work, row: ActivityRow, sign_up: SignUpRow, by: CheckInBy | None) -> bool:
    """Write that somebody was there, or, by nobody, was not; whether that is new."""
    if (sign_up.checked_in_at is not None) == (by is not None):
        return False
    row.checked_in_count += 1 if by else -1
    await update(SignUpRow, sign_up.id, checked_in_at=now() if by else None, checked_in_by=by)
    work.record(sign_ups.sign_ups_changed(row, frozenset({sign_up.account_id})))
    await sign_ups.write_counters(work, row)
    return True


def no_shows(row: ActivityRow) -> int | None:
    """How many parties had seats and did not come; None until it is over."""
    over = row.status is ActivityStatus.SCHEDULED and now() >= row.ends_at
    return row.going_count - row.checked_in_count if over else None


async def lists_of(ctx: Context, rows: Sequence[ActivityRow]) -> list[str | None]:
    """Who comes and who waits, as CSV and in the order of the queue; None but for the organisers."""
    await hosts.note_reading(ctx, "attendanceCsv", rows)
    mine = [row.id for row in rows if can_organise(ctx.viewer, row)]
    found = await every(
        SignUpRow,
        Where("t.activity_id IN (?) AND t.state <> ?", (mine, SignUpState.CANCELLED)),
        "t.activity_id, t.number",
    )
    faces = await identity.neighbours(ctx, [(row.account_id, row.community_id) for row in found])
    lines: dict[UUID, list[Sequence[object]]] = {id: [] for id in mine}
    for row, face in zip(found, faces, strict=True):
        lines[row.activity_id].append(
            (
                face.display_name,
                face.building,
                STATES[row.state],
                row.companions,
                beijing_time(row.signed_up_at),
                row.checked_in_at and beijing_time(row.checked_in_at),
                row.checked_in_by and WAYS[row.checked_in_by],
            )
        )
    return [table(ctx.language, HEADS, lines[row.id]) if row.id in lines else None for row in rows]
