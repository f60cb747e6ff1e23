"""Publishing articles, at once or at a time, and withdrawing them.

Whether an article is out is a matter of its times; the jobs here only tell of it: the card in the feed, the
event, the inbox. A late one shows nothing late but these.
"""

from datetime import datetime, timedelta
from uuid import UUID

from models.base import now
from models.messages import Message
from models.notifications import NotificationKind
from models.party.articles import ArticleKind, ArticleRow, ArticleState
from models.party.audience import BranchAudience
from models.storage.rows import Where, select_ids
from models.storage.tables import by_ids, update
from models.visibility import NOBODY
from resolvers import audit, notifications
from resolvers.checks import check_text
from resolvers.context import Context, Services
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import existing
from resolvers.jobs import does, schedule, unschedule
from resolvers.media import attaching
from resolvers.party import articles, contents
from resolvers.party.articles import TURN, check_period, schedule_turns
from subscriptions.events import Kind
from subscriptions.work import Work

ANNOUNCE = "ANNOUNCE_PARTY_ARTICLE"
FARTHEST = timedelta(days=366)
LONGEST_REASON = 300

TOLD = {
    ArticleKind.NEWS: NotificationKind.PARTY_NEWS,
    ArticleKind.AFFAIR: NotificationKind.PARTY_AFFAIR,
}


async def publish(ctx: Context, *, article_id: UUID, version: int, at: datetime | None = None) -> ArticleRow:
    """Have an article appear at `at`, to the instant; at once without it. A planned one may be moved.

    Raises InvalidInput, NotFound, NotAllowed (and keeps the attempt), Conflict (it has changed since
    `version`, or is out already).
    """
    at = articles.moment("publishAt", at)
    row = await articles.editable(ctx, article_id, "party.article.publish")
    if row.state_at(now()) not in (ArticleState.DRAFT, ArticleState.PLANNED):
        raise Conflict(Message("It has been published or withdrawn"), row)
    if at is not None and not now() < at < now() + FARTHEST:
        raise InvalidInput(publishAt=Message("Must be in the future, within a year"))
    appears = at or now()
    check_period(row.comments_from, row.comments_until, appears)
    async with ctx.unit_of_work() as work:
        await unschedule(row.id, ANNOUNCE)
        await schedule_turns(row, row.comments_from, row.comments_until)
        await articles.change(row, version, publish_at=appears, listed_at=appears)
        await audit.record(ctx, "party.article.publish", row, detail=appears.isoformat() if at else "")
        if at is None:
            await announce(work, ctx, row.id)
        else:
            await schedule(ANNOUNCE, row.id, at)
    return await articles.visible(ctx, article_id)


@does(ANNOUNCE)
async def announce_by_time(services: Services, work: Work, article_id: UUID) -> None:
    await announce(work, Context(services, NOBODY), article_id)


async def announce(work: Work, ctx: Context, article_id: UUID) -> None:
    """Tell of an article that is out, once: in the feed, live, and to the members if it is for them."""
    (row,) = await by_ids(ArticleRow, [article_id])
    if (
        row is None
        or row.post_id
        or row.state_at(now())
        not in (
            ArticleState.PUBLISHED,
            ArticleState.ARCHIVED,
        )
    ):
        return
    post_id = await contents.put_up(work, row)
    # The condition waits for whoever withdraws it, or moves it, at this moment.
    shown = await update(
        ArticleRow,
        Where("id = ? AND post_id IS NULL AND withdrawn_at IS NULL AND publish_at <= ?", (row.id, now())),
        post_id=post_id,
    )
    if not shown:
        raise Conflict(articles.CHANGED, row)
    work.record(contents.event(Kind.BRANCH_PUBLISHED, row))
    if row.audience is BranchAudience.MEMBERS:
        await notifications.notify(
            work, ctx, TOLD[row.kind], await members_of_branch(row.branch_id), row, actor_id=row.author_id
        )


@does(TURN)
async def tell_of_turn(_services: Services, work: Work, article_id: UUID) -> None:
    """Comments have opened or closed: whoever follows the branch reads the affair anew."""
    (row,) = await by_ids(ArticleRow, [article_id])
    if row and row.state_at(now()) in (ArticleState.PUBLISHED, ArticleState.ARCHIVED):
        work.record(contents.event(Kind.BRANCH_CHANGED, row))


async def withdraw(ctx: Context, *, article_id: UUID, version: int, reason: str) -> ArticleRow:
    """Take an article out of view for good, with its card and the comments below it; the office keeps it.

    Raises InvalidInput, NotFound, NotAllowed (and keeps the attempt), Conflict.
    """
    reason = check_text("reason", reason, LONGEST_REASON, least=4)
    row = await articles.editable(ctx, article_id, "party.article.withdraw")
    async with ctx.unit_of_work() as work:
        await unschedule(row.id, ANNOUNCE, TURN)
        await articles.change(row, version, withdrawn_at=now())
        withdrawn = await existing(ArticleRow, row.id)
        if withdrawn.post_id:
            await contents.take_down(work, withdrawn.post_id)
            work.record(contents.event(Kind.BRANCH_WITHDRAWN, withdrawn))
        # Addresses of its pictures that were given out are good for nothing from now on.
        await attaching.release(row.id)
        await audit.record(ctx, "party.article.withdraw", row, detail=reason)
    return await articles.visible(ctx, article_id)


async def members_of_branch(branch_id: UUID) -> list[UUID]:
    """The accounts that belong to a branch now."""
    return await select_ids(
        "SELECT account_id FROM membership WHERE host_id = ? AND left_at IS NULL ORDER BY id", branch_id
    )
