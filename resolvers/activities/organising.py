"""Creating, editing and cancelling activities, one or all that follow in a series."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.activities import (
    ActivityRow,
    ActivityStatus,
    ActivityUpdateKind,
    HostKind,
    SeriesRow,
    SignUpState,
    can_organise,
    scope_of,
)
from models.base import new_id, now
from models.messages import Message
from models.storage.rows import execute
from models.storage.tables import by_ids, insert
from resolvers import limits
from resolvers.activities import hosts, reading, recurring, reminders, sign_ups
from resolvers.activities.drafts import ActivityDraft, checked
from resolvers.activities.hosts import Host
from resolvers.activities.recurring import Recurrence
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import locked
from resolvers.masking import mask
from resolvers.retries import earlier_result
from subscriptions.events import Kind
from subscriptions.work import Work

CREATED_A_DAY = 30
EDITS_A_MINUTE = 30
LONGEST_REASON = 300

CHANGED = Message("The activity has changed meanwhile")

# What an activity has of a draft, and what the occurrences of a series share of it.
SHARED = ("kind", "title", "description", "place", "online_url", "capacity", "most_companions")
TIMES = {
    "starts_at": "startsAt",
    "ends_at": "endsAt",
    "sign_up_opens_at": "signUpOpensAt",
    "sign_up_closes_at": "signUpClosesAt",
}
# Of these those who signed up are told.
TOLD = ("starts_at", "ends_at", "place", "online_url")


class Extent(StrEnum):
    """What of a series is meant."""

    ONE = "ONE"
    FOLLOWING = "FOLLOWING"


async def create(
    ctx: Context,
    *,
    host_id: UUID,
    draft: ActivityDraft,
    key: str,
    repeats: Recurrence | None = None,
    host_kind: HostKind = HostKind.ORGANISATION,
) -> ActivityRow:
    """Announce an activity in the name of a host, or a series, of which the first occurrence is returned.

    With a key used before, the one announced then. Raises InvalidInput, NotFound, NotAllowed (and keeps the
    attempt), Conflict (the key was used for something else), RateLimited.
    """
    _ = ctx.account_id
    host = await hosts.host_for_viewer(ctx, host_kind, host_id)
    hosts.check_audience(host, draft.audience)
    at = now()
    body = [host_id, draft, repeats]
    draft = checked(draft, at)
    rule = recurring.rule_of(repeats, draft.starts_at) if repeats else None
    starts = recurring.occurrences(rule, draft.starts_at) if rule else [draft.starts_at]
    activity_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "createActivity", body, activity_id)
        if earlier is None:
            await limits.check_rate(ctx, "createActivity", CREATED_A_DAY, 86_400)
            series_id = await insert_series(host, draft, rule, at) if rule else None
            for number, starts_at in enumerate(starts):
                id = new_id() if number else activity_id
                row = row_of(ctx, host, moved_to(draft, starts_at), series_id, id, at)
                await insert(row)
                await reminders.schedule(row, at)
                work.record(sign_ups.event(Kind.ACTIVITY_PUBLISHED, row))
                if not number:
                    await hosts.audit_act(ctx, "activity.create", row, detail=rule or "")
    return await reading.visible(ctx, earlier or activity_id)


def moved_to(draft: ActivityDraft, starts_at: datetime) -> ActivityDraft:
    """The draft for an occurrence that starts then. Sign-up that is open for the first is open for all."""
    by = starts_at - draft.starts_at
    opens = draft.sign_up_opens_at
    return replace(
        draft,
        starts_at=starts_at,
        ends_at=draft.ends_at + by,
        sign_up_opens_at=opens + by if opens and opens > now() else opens,
        sign_up_closes_at=draft.sign_up_closes_at and draft.sign_up_closes_at + by,
    )


def row_of(
    ctx: Context, host: Host, draft: ActivityDraft, series_id: UUID | None, activity_id: UUID, at: datetime
) -> ActivityRow:
    return ActivityRow(
        id=activity_id,
        created_at=at,
        community_id=host.community_id,
        scope_id=scope_of(draft.audience, host.community_id, host.id),
        audience=draft.audience,
        host_kind=host.kind,
        host_id=host.id,
        creator_id=ctx.account_id,
        series_id=series_id,
        kind=draft.kind,
        title=draft.title,
        description=draft.description,
        place=draft.place,
        online_url=draft.online_url,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        sign_up_opens_at=draft.sign_up_opens_at or at,
        sign_up_closes_at=draft.sign_up_closes_at or draft.starts_at,
        capacity=draft.capacity,
        most_companions=draft.most_companions,
        status=ActivityStatus.SCHEDULED,
        cancel_reason=None,
        cancelled_at=None,
        version=1,
        sequence=0,
        updated_at=at,
        last_number=0,
        seats_taken=0,
        going_count=0,
        waiting_count=0,
        checked_in_count=0,
    )


async def insert_series(host: Host, draft: ActivityDraft, rule: str, at: datetime) -> UUID:
    series_id = new_id()
    await insert(
        SeriesRow(
            id=series_id,
            created_at=at,
            community_id=host.community_id,
            scope_id=scope_of(draft.audience, host.community_id, host.id),
            rule=rule,
        )
    )
    return series_id


# Editing


async def edit(
    ctx: Context,
    *,
    activity_id: UUID,
    version: int,
    changes: Mapping[str, Any],
    extent: Extent = Extent.ONE,
) -> ActivityRow:
    """Change what `changes` names of `Draft`, but its audience.

    Those who come or wait are told of another time or place. Of the following occurrences hours move by as
    much as this one's. Raises InvalidInput, NotFound, NotAllowed, Conflict (edited meanwhile), RateLimited.
    To say what is so already changes nothing.
    """
    row = await organised_by_viewer(ctx, "activity.edit", activity_id)
    refuse_over(row)
    wanted = with_changes(row, row, changes)
    if wanted == row and extent is Extent.ONE:
        return row

    async def amend(work: Work, current: ActivityRow) -> None:
        await write_changes(work, ctx, current, with_changes(current, row, changes))

    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "editActivity", EDITS_A_MINUTE, 60)
        await change_each(work, row, version, extent, amend)
        await hosts.audit_act(ctx, "activity.edit", row, detail=", ".join(sorted(changes)))
    return await reading.visible(ctx, activity_id)


def with_changes(current: ActivityRow, edited: ActivityRow, changes: Mapping[str, Any]) -> ActivityRow:
    """An occurrence with the changes that were made to the one edited. Raises InvalidInput."""
    values = {name: changes[name] for name in SHARED if name in changes}
    for name, field in TIMES.items():
        if name in changes:
            if changes[name].tzinfo is None:
                raise InvalidInput(**{field: Message("Needs a time zone")})
            values[name] = getattr(current, name) + (changes[name] - getattr(edited, name))
    # What closes at the start goes on doing so.
    if current.sign_up_closes_at == current.starts_at:
        values.setdefault("sign_up_closes_at", None)
    draft = replace(
        ActivityDraft(
            **{name: getattr(current, name) for name in (*SHARED, *TIMES)}, audience=current.audience
        ),
        **values,
    )
    draft = checked(draft, now(), begins=draft.starts_at != current.starts_at)
    return replace(current, **{name: getattr(draft, name) for name in (*SHARED, *TIMES)})


async def write_changes(work: Work, ctx: Context, current: ActivityRow, wanted: ActivityRow) -> None:
    """Write a locked activity's new values, and let people move up into what has become free."""
    if wanted == current:
        return
    await refuse_too_small(wanted)
    at = now()
    names = [*SHARED, *TIMES]
    await execute(
        f"UPDATE activity SET {', '.join(f'{name} = ?' for name in names)}, version = version + 1,"
        " sequence = sequence + 1, updated_at = ? WHERE id = ? RETURNING id",
        *(getattr(wanted, name) for name in names),
        at,
        wanted.id,
    )
    if any(getattr(wanted, name) != getattr(current, name) for name in TOLD):
        people = await sign_ups.accounts_signed_up(wanted.id)
        await sign_ups.send_update(work, ctx, wanted, ActivityUpdateKind.CHANGED, people)
    work.record(sign_ups.event(Kind.ACTIVITY_CHANGED, wanted))
    before = copy.copy(wanted)
    await sign_ups.move_up(work, ctx, wanted, at)
    if wanted != before:
        await sign_ups.write_counters(work, wanted)


async def refuse_too_small(wanted: ActivityRow) -> None:
    """Raises InvalidInput for a capacity below what is taken, or too small for a party that waits."""
    if wanted.capacity is None:
        return
    if wanted.capacity < wanted.seats_taken:
        raise InvalidInput(capacity=Message("More seats than that have been taken"))
    (largest,) = await execute(
        "SELECT coalesce(max(companions), 0) AS companions FROM activity_sign_up"
        " WHERE activity_id = ? AND state = ?",
        wanted.id,
        SignUpState.WAITING,
    )
    if wanted.capacity <= largest["companions"]:
        raise InvalidInput(capacity=Message("Somebody on the waiting list has more companions than that"))


# Cancelling


async def cancel(
    ctx: Context, *, activity_id: UUID, version: int, reason: str, extent: Extent = Extent.ONE
) -> ActivityRow:
    """Call an activity off, with the reason that everyone who comes or waits is told.

    Raises InvalidInput, NotFound, NotAllowed, Conflict (edited or cancelled meanwhile), RateLimited.
    """
    reason = mask(check_text("reason", reason, LONGEST_REASON))
    row = await organised_by_viewer(ctx, "activity.cancel", activity_id)
    refuse_over(row)

    async def call_off(work: Work, current: ActivityRow) -> None:
        at = now()
        await execute(
            "UPDATE activity SET status = ?, cancel_reason = ?, cancelled_at = ?, version = version + 1,"
            " sequence = sequence + 1, updated_at = ? WHERE id = ? RETURNING id",
            ActivityStatus.CANCELLED,
            reason,
            at,
            at,
            current.id,
        )
        people = await sign_ups.accounts_signed_up(current.id)
        await sign_ups.send_update(work, ctx, current, ActivityUpdateKind.CANCELLED, people, note=reason)
        work.record(sign_ups.event(Kind.ACTIVITY_CANCELLED, current))

    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "editActivity", EDITS_A_MINUTE, 60)
        await change_each(work, row, version, extent, call_off)
        await hosts.audit_act(ctx, "activity.cancel", row, detail=reason)
    return await reading.visible(ctx, activity_id)


# Both


async def organised_by_viewer(ctx: Context, action: str, activity_id: UUID) -> ActivityRow:
    """The activity, if the viewer organises it. Raises NotFound, NotAllowed, which is audited."""
    _ = ctx.account_id
    row = await reading.visible(ctx, activity_id)
    if not can_organise(ctx.viewer, row):
        raise await hosts.refusal(ctx, action, row.host_kind, row.community_id, row.host_id, row.id)
    return row


def refuse_over(row: ActivityRow) -> None:
    if row.status is ActivityStatus.CANCELLED:
        raise NotAllowed(Message("The activity is cancelled"))
    if now() >= row.ends_at:
        raise NotAllowed(Message("The activity is over"))


async def change_each(
    work: Work,
    row: ActivityRow,
    version: int,
    extent: Extent,
    act: Callable[[Work, ActivityRow], Any],
) -> None:
    """Do `act` with the locked activity as it was read, and with those that follow it and still stand.

    Raises NotFound, and Conflict if it is another version by now.
    """
    ids = await reading.following_ids(row) if extent is Extent.FOLLOWING else [row.id]
    await reminders.unschedule_reminders(ids)
    rows: Sequence[ActivityRow] = [await locked(ActivityRow, id) for id in sorted(ids)]
    for current in rows:
        if current.id == row.id and current.version != version:
            raise Conflict(CHANGED, row)
    for current in rows:
        if current.status is ActivityStatus.SCHEDULED:
            await act(work, current)
            # As it has become.
            (after,) = await by_ids(ActivityRow, [current.id])
            if after is not None and after.status is ActivityStatus.SCHEDULED:
                await reminders.schedule(after, now())
