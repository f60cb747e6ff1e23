"""Likes of posts and comments. The counters are exact however many like at once."""

from collections.abc import Sequence
from uuid import UUID

from models import posts
from models.deliberations import DeliberationRow
from models.posts import CommentRow, LikeRow, PostRow, SubjectKind
from models.storage.rows import execute, select_ids
from models.storage.tables import insert
from resolvers import comments, limits
from resolvers import posts as feed
from resolvers.comments import Subject, SubjectRow
from resolvers.context import Context
from resolvers.deliberations import topics
from resolvers.errors import NotAllowed, NotFound
from resolvers.existing import existing
from subscriptions.events import Event, Kind, Logged, event_about

LIKES_A_MINUTE = 120

LikedRow = PostRow | CommentRow | DeliberationRow


async def set_like(ctx: Context, *, kind: SubjectKind, subject_id: UUID, on: bool) -> LikedRow:
    """Like a post, a comment or a deliberation, or take the like back.

    To ask for what is so already changes nothing.

    Raises NotFound (also for a tombstone), NotAllowed (no member of the community), RateLimited.
    """
    account_id = ctx.account_id
    subject, comment = await liked_subject(ctx, kind, subject_id)
    if not posts.can_post(ctx.viewer, subject.community_id):
        raise NotAllowed(feed.NOT_A_MEMBER)
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "setLike", LIKES_A_MINUTE, 60)
        if on:
            # The unique index makes a second like wait for the first, and then do nothing.
            changed = await insert(
                LikeRow(subject_kind=kind, subject_id=subject_id, account_id=account_id),
                "(subject_id, account_id) DO NOTHING",
            )
        else:
            changed = bool(
                await execute(
                    "DELETE FROM appreciation WHERE subject_id = ? AND account_id = ? RETURNING id",
                    subject_id,
                    account_id,
                )
            )
        if changed:
            await count(kind, subject_id, on=on)
            work.record(counts_changed(subject, comment))
    if comment:
        return await existing(CommentRow, subject_id)
    if kind is SubjectKind.DELIBERATION:
        return await topics.visible(ctx, subject_id)
    return await feed.visible(ctx, subject_id)


async def liked_subject(
    ctx: Context, kind: SubjectKind, subject_id: UUID
) -> tuple[Subject, CommentRow | None]:
    """What shall be liked: the post or deliberation, or the comment and what it stands below."""
    if kind is not SubjectKind.COMMENT:
        return await comments.visible_subject(ctx, kind, subject_id), None
    comment, subject = await comments.visible(ctx, subject_id)
    if comment.deleted_at is not None:
        raise NotFound
    return subject, comment


async def count(kind: SubjectKind, subject_id: UUID, *, on: bool) -> None:
    """Raises NotFound if it has been deleted meanwhile."""
    if kind is SubjectKind.POST:
        statement = posts.LIKED if on else posts.UNLIKED
    elif kind is SubjectKind.DELIBERATION:
        more = 1 if on else -1
        statement = f"UPDATE deliberation SET like_count = like_count + {more} WHERE id = ? RETURNING id"
    else:
        statement = (
            f"UPDATE comment SET like_count = like_count {'+' if on else '-'} 1"
            " WHERE id = ? AND deleted_at IS NULL RETURNING id"
        )
    if not await execute(statement, subject_id):
        raise NotFound


def counts_changed(subject: Subject, comment: CommentRow | None) -> Event:
    if comment is None:
        return comments.counts_changed(subject)
    return event_about(
        Kind.COUNTERS_CHANGED,
        comment,
        subject.audience,
        thread=subject.id,
        facts={"subject": SubjectKind.COMMENT.value},
    )


async def viewer_has_liked(ctx: Context, rows: Sequence[LikedRow]) -> list[bool]:
    """Whether the viewer likes each."""
    account_id = ctx.viewer.account_id
    if account_id is None:
        return [False] * len(rows)
    found = await select_ids(
        "SELECT subject_id FROM appreciation WHERE account_id = ? AND subject_id IN (?)",
        account_id,
        list(dict.fromkeys(row.id for row in rows)),
    )
    liked = set(found)
    return [row.id in liked for row in rows]


async def subjects_of_events(ctx: Context, events: Sequence[Logged]) -> list[SubjectRow | CommentRow | None]:
    """The post, comment or notice whose counters have changed, None if it has been deleted since."""
    below = await comments.comments_of_events(
        ctx, [logged for logged in events if logged.fact("subject") == SubjectKind.COMMENT]
    )
    found: dict[UUID, CommentRow] = {row.id: row for row in below if row}
    others = await comments.subjects_by_id(
        [None if logged.event.subject in found else logged.event.subject for logged in events]
    )
    return [found.get(logged.event.subject) or other for logged, other in zip(events, others, strict=True)]
