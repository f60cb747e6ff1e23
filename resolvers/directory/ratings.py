"""What residents think of a service, what its organisation answers, and what breaks the rules.

An entry's sum and count change with its ratings, behind its row lock: exact however many rate at once.
"""

from collections.abc import Sequence
from math import gcd
from uuid import UUID

from models.base import new_id, now
from models.directory import entries, ratings
from models.directory.entries import RATED, EntryRow
from models.directory.ratings import HIGHEST, RATINGS, RatingRow
from models.messages import Message
from models.notifications import NotificationKind
from models.powers import Power
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute
from models.storage.tables import by_ids, every, insert
from resolvers import audit, limits
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.directory import entries as keeping
from resolvers.directory import listing
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.existing import change_as_read, locked, only
from resolvers.masking import mask
from resolvers.notifications import notify
from resolvers.paging import pages
from subscriptions.events import Event, Kind, Logged, community_topic, event_about
from subscriptions.work import Work

LONGEST_BODY = 500
LONGEST_REASON = 300
RATINGS_AN_HOUR = 20

CHANGED = Message("The rating has been changed meanwhile")


async def rate(ctx: Context, *, entry_id: UUID, stars: int, body: str) -> RatingRow:
    """Say what the viewer, a verified resident, thinks of a service; said again, it replaces what was said.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited.
    """
    account_id = ctx.account_id
    entry = await listing.visible(ctx, entry_id)
    if not await lives_in(ctx, entry.community_id):
        raise NotAllowed(Message("Only verified residents of this community may rate"))
    if entry.organisation_id in ctx.viewer.offices:
        raise NotAllowed(Message("Nobody rates their own organisation"))
    if entry.category not in RATED:
        raise InvalidInput(entryId=Message("Services of this category are not rated"))
    if not 1 <= stars <= HIGHEST:
        raise InvalidInput(stars=Message("From 1 to {most}", most=HIGHEST))
    body = mask(check_text("body", body, LONGEST_BODY, least=0))
    rating_id = new_id()
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "rateEntry", RATINGS_AN_HOUR, 3600)
        await locked(EntryRow, entry.id)
        before = await own_of(entry.id, account_id)
        if before is None:
            row = RatingRow(
                id=rating_id,
                created_at=now(),
                community_id=entry.community_id,
                entry_id=entry.id,
                organisation_id=entry.organisation_id,
                author_id=account_id,
                stars=stars,
                body=body,
                edited_at=None,
                reply=None,
                replied_at=None,
                hidden_at=None,
                hidden_reason="",
                version=1,
            )
            await insert(row)
            await count_rating(entry.id, stars, 1)
            await record_events(work, row)
        elif (before.stars, before.body) != (stars, body):
            await execute(
                "UPDATE entry_rating SET stars = ?, body = ?, edited_at = ?, version = version + 1"
                " WHERE id = ? RETURNING id",
                stars,
                body,
                now(),
                before.id,
            )
            if before.hidden_at is None:
                await count_rating(entry.id, stars - before.stars, 0)
                await record_events(work, before)
    return await visible(ctx, before.id if before else rating_id)


async def reply(ctx: Context, *, rating_id: UUID, version: int, body: str) -> RatingRow:
    """Answer a rating in the name of the organisation; said again, it replaces the answer.

    Who rated is told of the first. Raises InvalidInput, NotFound, NotAllowed, RateLimited, and Conflict
    if the rating says something else meanwhile.
    """
    _ = ctx.account_id
    row = await visible(ctx, rating_id)
    if not entries.can_keep(ctx.viewer, row.organisation_id):
        raise await audit.refuse(ctx, "rating.reply", keeping.ONLY_KEEPERS, row)
    body = mask(check_text("body", body, LONGEST_BODY))
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "replyToRating", 3 * RATINGS_AN_HOUR, 3600)
        await change_as_read(row, version, CHANGED, reply=body, replied_at=now())
        await audit.record(ctx, "rating.reply", row)
        if row.reply is None:
            await tell_author(work, ctx, row)
        if row.hidden_at is None:
            work.record(event(row))
    return await visible(ctx, rating_id)


async def set_hidden(
    ctx: Context, *, rating_id: UUID, version: int, hidden: bool, reason: str = ""
) -> RatingRow:
    """Take a rating that breaks the rules out of sight and out of the figures, or bring it back; audited.

    To ask for what is so already changes nothing. Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    _ = ctx.account_id
    row = await visible(ctx, rating_id)
    if not ratings.can_hide(ctx.viewer, row.community_id):
        raise await audit.refuse(
            ctx,
            "rating.hide",
            Message("Only the residents' committee may do this"),
            row,
            power=Power.MODERATE,
        )
    reason = check_text("reason", reason, LONGEST_REASON, least=1 if hidden else 0)
    if hidden == (row.hidden_at is not None):
        return row
    async with ctx.unit_of_work() as work:
        await locked(EntryRow, row.entry_id)
        hidden_at = now() if hidden else None
        await change_as_read(row, version, CHANGED, hidden_at=hidden_at, hidden_reason=reason)
        sign = -1 if hidden else 1
        await count_rating(row.entry_id, sign * row.stars, sign)
        await audit.record(
            ctx, "rating.hide" if hidden else "rating.show", row, power=Power.MODERATE, detail=reason
        )
        await record_events(work, row)
        if hidden:
            await tell_author(work, ctx, row)
    return await visible(ctx, rating_id)


async def count_rating(entry_id: UUID, stars: int, one: int) -> None:
    await execute(
        "UPDATE directory_entry SET rating_sum = rating_sum + ?, rating_count = rating_count + ?"
        " WHERE id = ? RETURNING id",
        stars,
        one,
        entry_id,
    )


async def lives_in(ctx: Context, community_id: UUID) -> bool:
    found = await execute(
        "SELECT id FROM home WHERE id IN (?) AND community_id = ? LIMIT 1", ctx.viewer.homes, community_id
    )
    return bool(found)


# What is told


def event(row: RatingRow) -> Event:
    """That a rating says something new: for the community's members, who see ratings."""
    return event_about(Kind.RATING_CHANGED, row, {row.community_id}, thread=row.entry_id)


async def record_events(work: Work, row: RatingRow) -> None:
    """The rating to the members, and the entry's figures to all who see it."""
    (shown,) = await by_ids(EntryRow, [row.entry_id], entries.published_and_licensed(now()))
    audience = entries.audience(shown) if shown else frozenset({row.organisation_id})
    topic = community_topic(row.community_id)
    work.record(event(row), Event(topic, Kind.ENTRY_RATED, row.entry_id, audience, thread=row.entry_id))


async def tell_author(work: Work, ctx: Context, row: RatingRow) -> None:
    """Who rated is told that something came of it, each time anew."""
    await execute(
        "DELETE FROM notification WHERE account_id = ? AND subject_id = ? RETURNING id", row.author_id, row.id
    )
    await notify(work, ctx, NotificationKind.RATING, [row.author_id], row, actor_id=ctx.viewer.account_id)


# Reading


def average(entry: EntryRow) -> str | None:
    """The mean of an entry's ratings as a fraction in lowest terms, as in ``13/3``; None without any."""
    if not entry.rating_count:
        return None
    common = gcd(entry.rating_sum, entry.rating_count)
    return f"{entry.rating_sum // common}/{entry.rating_count // common}"


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[RatingRow | None]:
    """The ratings with these ids, None for each that the viewer may not see."""
    return await by_ids(RatingRow, ids, ratings.visible_to(ctx.viewer))


async def visible(ctx: Context, rating_id: UUID) -> RatingRow:
    """The rating. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [rating_id]))


async def own_of(entry_id: UUID, account_id: UUID) -> RatingRow | None:
    rows = await every(RatingRow, Where("t.entry_id = ? AND t.author_id = ?", (entry_id, account_id)))
    return rows[0] if rows else None


async def ratings_of_events(_ctx: Context, events: Sequence[Logged]) -> list[RatingRow | None]:
    """The rating that each event is about; None for one that is hidden."""
    return await by_ids(RatingRow, [logged.event.subject for logged in events], Where("t.hidden_at IS NULL"))


async def ratings_of(ctx: Context, rows: Sequence[EntryRow], args: PageArgs) -> list[Page[RatingRow]]:
    """The ratings of each entry that the viewer may see, the newest first."""
    return await pages(
        RatingRow,
        [row.id for row in rows],
        by="entry_id",
        args=args,
        where=ratings.visible_to(ctx.viewer),
        order=RATINGS,
    )


async def ratings_of_viewer(ctx: Context, rows: Sequence[EntryRow]) -> list[RatingRow | None]:
    """What the viewer said of each entry."""
    own = Where("t.author_id = ?", (ctx.viewer.account_id,))
    return await by_ids(RatingRow, [row.id for row in rows], own, by="entry_id")


async def entries_of(ctx: Context, rows: Sequence[RatingRow]) -> list[EntryRow | None]:
    """The entry of each rating, as far as the viewer sees it."""
    return await listing.visible_by_ids(ctx, [row.entry_id for row in rows])
