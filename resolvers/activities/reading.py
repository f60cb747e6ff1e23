"""Activities and sign-ups as they may be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models import posts
from models.activities import (
    COMING,
    IN_ORDER,
    PAST,
    ActivityKind,
    ActivityRow,
    ActivityUpdateRow,
    SeriesRow,
    SignUpRow,
    SignUpState,
    can_organise,
    organised_by,
    sign_ups_visible_to,
    visible_to,
)
from models.base import now
from models.identity import CommunityRow
from models.storage.paging import Page, PageArgs
from models.storage.rows import EVERYTHING, NOTHING, Where, columns, select
from models.storage.tables import by_ids, every
from resolvers.activities.hosts import note_reading
from resolvers.context import Context
from resolvers.existing import only
from resolvers.paging import pages
from subscriptions.events import Logged


@dataclass(frozen=True, slots=True)
class ActivityCriteria:
    """Which activities of a community; None is any. `at`, or now, divides the coming from the past."""

    at: datetime | None = None
    coming: bool = True
    kinds: frozenset[ActivityKind] | None = None
    host_id: UUID | None = None
    mine: bool = False


async def visible(ctx: Context, activity_id: UUID) -> ActivityRow:
    """The activity. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [activity_id]))


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[ActivityRow | None]:
    """The activities with these ids, None for each that the viewer may not see."""
    return await by_ids(ActivityRow, ids, visible_to(ctx.viewer))


async def following_ids(row: ActivityRow) -> list[UUID]:
    """The activity, and the later ones of its series."""
    if row.series_id is None:
        return [row.id]
    rows = await every(
        ActivityRow,
        Where("t.series_id = ? AND t.starts_at > ?", (row.series_id, row.starts_at)),
        "t.starts_at, t.id",
    )
    return [row.id, *(later.id for later in rows)]


async def activities_of(
    ctx: Context, communities: Sequence[CommunityRow], wanted: ActivityCriteria, args: PageArgs
) -> list[Page[ActivityRow]]:
    """A page of each community's activities that the viewer may see."""
    where = visible_to(ctx.viewer)
    # All that ask in one operation mean the same now.
    at = wanted.at or ctx.memo.setdefault("activities at", now())
    where &= Where("t.ends_at > ?" if wanted.coming else "t.ends_at <= ?", (at,))
    if wanted.kinds is not None:
        where &= posts.equal_to_any("t.kind", wanted.kinds)
    if wanted.host_id is not None:
        where &= Where("t.host_id = ?", (wanted.host_id,))
    if wanted.mine:
        where &= Where(
            "EXISTS (SELECT 1 FROM activity_sign_up s WHERE s.activity_id = t.id AND s.account_id = ?"
            " AND s.state <> ?)",
            (ctx.viewer.account_id, SignUpState.CANCELLED),
        )
    return await pages(
        ActivityRow,
        [community.id for community in communities],
        by="community_id",
        args=args,
        where=where,
        order=COMING if wanted.coming else PAST,
    )


# Series


async def series_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[SeriesRow | None]:
    """The series with these ids, None for each that the viewer may not see."""
    return await series_by_ids(ids, visible_to(ctx.viewer))


async def series_by_ids(ids: Sequence[UUID | None], where: Where = EVERYTHING) -> list[SeriesRow | None]:
    return await by_ids(SeriesRow, ids, where)


async def series_of(_ctx: Context, rows: Sequence[ActivityRow]) -> list[SeriesRow | None]:
    """The series that each activity is an occurrence of."""
    return await series_by_ids([row.series_id for row in rows])


async def occurrences_of(ctx: Context, rows: Sequence[SeriesRow], args: PageArgs) -> list[Page[ActivityRow]]:
    """The occurrences of each series that the viewer may see, in the order of time."""
    return await pages(
        ActivityRow,
        [row.id for row in rows],
        by="series_id",
        args=args,
        where=visible_to(ctx.viewer),
        order=COMING,
    )


# Sign-ups


async def sign_ups_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[SignUpRow | None]:
    """The sign-ups with these ids: the viewer's own, and those to what the viewer organises."""
    where = sign_ups_visible_to(ctx.viewer)
    return await by_ids(SignUpRow, ids, where)


async def sign_up_visible(ctx: Context, sign_up_id: UUID) -> SignUpRow:
    """The sign-up. Raises NotFound unless the viewer may see it."""
    return only(await sign_ups_visible_by_ids(ctx, [sign_up_id]))


async def own_sign_ups(ctx: Context, activity_ids: Sequence[UUID]) -> list[SignUpRow]:
    """The viewer's sign-ups to these activities, in their order."""
    own = Where("t.account_id = ?", (ctx.account_id,))
    found = await by_ids(SignUpRow, activity_ids, own, by="activity_id")
    return [row for row in found if row]


async def viewer_sign_ups_of(ctx: Context, rows: Sequence[ActivityRow]) -> list[SignUpRow | None]:
    """The viewer's sign-up to each activity, also one taken back."""
    if ctx.viewer.account_id is None:
        return [None] * len(rows)
    own = Where("t.account_id = ?", (ctx.account_id,))
    return await by_ids(SignUpRow, [row.id for row in rows], own, by="activity_id")


async def online_urls_of(ctx: Context, rows: Sequence[ActivityRow]) -> list[str | None]:
    """The address of each activity that is online, for those who come and those who organise it."""
    mine = await viewer_sign_ups_of(ctx, rows)
    return [
        row.online_url
        if can_organise(ctx.viewer, row) or (sign_up and sign_up.state is SignUpState.GOING)
        else None
        for row, sign_up in zip(rows, mine, strict=True)
    ]


async def sign_ups_of(
    ctx: Context, rows: Sequence[ActivityRow], states: frozenset[SignUpState], args: PageArgs
) -> list[Page[SignUpRow]]:
    """Who has signed up for each activity, in the order of the queue, for its organisers."""
    await note_reading(ctx, "signUps", rows)
    hosts = organised_by(ctx.viewer)
    mine = {row.id for row in rows if row.host_id in hosts}
    return await pages(
        SignUpRow,
        [row.id for row in rows],
        by="activity_id",
        args=args,
        where=Where("t.activity_id IN (?) AND t.state IN (?)", (mine, states)) if mine else NOTHING,
        order=IN_ORDER,
    )


async def activities_around(_ctx: Context, rows: Sequence[SignUpRow]) -> list[ActivityRow | None]:
    """The activity of each sign-up."""
    return await by_ids(ActivityRow, [row.activity_id for row in rows])


@dataclass(slots=True)
class Place:
    id: UUID
    place: int


async def waiting_places_of(_ctx: Context, rows: Sequence[SignUpRow]) -> list[int | None]:
    """The place of each in the waiting list, from 1; None for who does not wait."""
    found = await select(
        Place,
        "SELECT t.id, (SELECT count(*) FROM activity_sign_up o WHERE o.activity_id = t.activity_id"
        " AND o.state = ? AND o.number <= t.number) AS place FROM activity_sign_up t"
        " WHERE t.id IN (?) AND t.state = ?",
        SignUpState.WAITING,
        [row.id for row in rows],
        SignUpState.WAITING,
    )
    places = {row.id: row.place for row in found}
    return [places.get(row.id) for row in rows]


# Updates and events


async def updates_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[ActivityUpdateRow | None]:
    """The updates with these ids of activities that the viewer may see."""
    where = visible_to(ctx.viewer)
    rows = await select(
        ActivityUpdateRow,
        f"SELECT {columns(ActivityUpdateRow, 'u')} FROM activity_update u"
        f" JOIN activity t ON t.id = u.activity_id WHERE u.id IN (?) AND {where.text}",
        list(dict.fromkeys(ids)),
        *where.params,
    )
    found = {row.id: row for row in rows}
    return [found.get(key) for key in ids]


async def updated_activities_of(_ctx: Context, rows: Sequence[ActivityUpdateRow]) -> list[ActivityRow | None]:
    """The activity of each update."""
    return await by_ids(ActivityRow, [row.activity_id for row in rows])


async def activities_of_events(_ctx: Context, events: Sequence[Logged]) -> list[ActivityRow | None]:
    """The activity that each event is about: whoever delivers it has checked its audience."""
    return await by_ids(ActivityRow, [logged.event.subject for logged in events])


async def sign_ups_of_events(ctx: Context, events: Sequence[Logged]) -> list[SignUpRow | None]:
    """The viewer's sign-up to the activity that each event is about."""
    mine = await own_sign_ups(ctx, list({logged.event.subject for logged in events}))
    found = {sign_up.activity_id: sign_up for sign_up in mine}
    return [found.get(logged.event.subject) for logged in events]
