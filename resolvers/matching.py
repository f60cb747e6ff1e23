"""Lost and found: a new post finds those that may be about the same thing, and both authors are told."""

from collections.abc import Sequence

from models import matching as rules
from models.matching import BEST, MOST_CANDIDATES, OPPOSITE, SPAN, PostMatchRow
from models.notifications import NotificationKind
from models.posts import PostRow
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, columns, select
from models.storage.tables import by_ids, insert_all
from resolvers.context import Context
from resolvers.groups.people import take_part
from resolvers.notifications import notify
from resolvers.paging import pages
from subscriptions.work import Work


async def find_matches(work: Work, ctx: Context, row: PostRow) -> list[PostRow]:
    """Keep which open posts a new one may match, in the caller's transaction; all that match, and it.

    Their authors get it into their inboxes.
    """
    if row.kind not in OPPOSITE:
        return []
    seen = rules.seen_by_both(row)
    candidates = await select(
        PostRow,
        f"SELECT {columns(PostRow)} FROM post t WHERE t.wall_id = ? AND t.kind = ? AND t.state = 'OPEN'"
        f" AND t.deleted_at IS NULL AND t.created_at > ? AND t.author_id <> ? AND {seen.text}"
        f" ORDER BY t.id DESC LIMIT {MOST_CANDIDATES}",
        row.wall_id,
        OPPOSITE[row.kind],
        row.created_at - SPAN,
        row.author_id,
        *seen.params,
    )
    there = (
        await take_part({other.author_id for other in candidates}, row.community_id) if candidates else set()
    )
    found = rules.most_alike(row, [other for other in candidates if other.author_id in there])
    if not found:
        return []
    await insert_all(
        [
            PostMatchRow(
                created_at=row.created_at,
                community_id=row.community_id,
                post_id=post_id,
                other_id=other_id,
                score=it.score,
                words=it.words,
                place=it.place,
                time=it.time,
                shared=list(it.shared),
            )
            for it in found
            for post_id, other_id in ((row.id, it.other.id), (it.other.id, row.id))
        ]
    )
    others = [it.other for it in found]
    await notify_authors(work, ctx, row, others)
    return [row, *others]


async def notify_authors(work: Work, ctx: Context, row: PostRow, others: Sequence[PostRow]) -> None:
    """The author of the new post is told of the likest, each of the others of the new one."""
    for account_ids, subject in (
        ([other.author_id for other in others], row),
        ([row.author_id], others[0]),
    ):
        await notify(work, ctx, NotificationKind.MATCH, account_ids, subject, group_id=row.group_id)


async def matches_of(ctx: Context, rows: Sequence[PostRow], args: PageArgs) -> list[Page[PostMatchRow]]:
    """The open posts that each may match and the viewer may see, the likest first."""
    return await pages(
        PostMatchRow,
        [row.id for row in rows],
        by="post_id",
        args=args,
        where=rules.visible_to(ctx.viewer),
        order=BEST,
    )


async def others_of(_ctx: Context, rows: Sequence[PostMatchRow]) -> list[PostRow | None]:
    """The other post of each match. For who was shown the match."""
    return await by_ids(PostRow, [row.other_id for row in rows], Where("t.deleted_at IS NULL"))
