"""What a branch shows, of whatever kind: in events, and as cards of the feed."""

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from models.base import new_id, now
from models.party.articles import ArticleRow, published
from models.party.pioneers import OUT, PioneerRow
from models.posts import PostKind, PostRow, PostState
from models.search import SearchKind
from models.storage.rows import Where, execute
from models.storage.tables import by_ids, every, insert
from resolvers import posts as feed
from resolvers import search
from resolvers.context import Context
from subscriptions.events import Event, Kind, Logged, event_about
from subscriptions.work import Work

ContentRow = ArticleRow | PioneerRow


class Content(StrEnum):
    """What an event of a branch is about."""

    NEWS = "NEWS"
    AFFAIR = "AFFAIR"
    PIONEER = "PIONEER"


def content_of(row: ContentRow) -> Content:
    return Content(row.kind.value) if isinstance(row, ArticleRow) else Content.PIONEER


def title_of(row: ContentRow) -> str:
    return row.title if isinstance(row, ArticleRow) else row.headline


def event(kind: Kind, row: ContentRow) -> Event:
    """Something that happened to what a branch shows, for whoever it is shown to."""
    return event_about(
        kind,
        row,
        {row.scope_id},
        facts={
            "branch": str(row.branch_id),
            "audience": row.audience.value,
            "content": content_of(row).value,
        },
    )


# Cards: a post of the feed that shows something, for the same audience. Comments and likes are the post's.


async def put_up(work: Work, row: ContentRow) -> UUID:
    """Have the feed show `row`; the id of the post that does."""
    created_at = now()
    post = PostRow(
        id=new_id(),
        community_id=row.community_id,
        scope_id=row.scope_id,
        wall_id=row.community_id,
        author_id=row.author_id,
        estate_id=None,
        kind=PostKind.BRANCH,
        state=PostState.OPEN,
        body=title_of(row),
        card_id=row.id,
        comment_count=0,
        like_count=0,
        hot=int(created_at.timestamp()),
        pinned_at=None,
        created_at=created_at,
        edited_at=None,
        deleted_at=None,
        version=1,
    )
    await insert(post)
    await index_card(post, row)
    work.record(feed.event(Kind.POST_CREATED, post))
    return post.id


async def put_right(work: Work, post_id: UUID, row: ContentRow) -> None:
    """Have the card say what `row` says now."""
    changed = await execute(
        "UPDATE post SET body = ?, version = version + 1 WHERE id = ? AND deleted_at IS NULL RETURNING id",
        title_of(row),
        post_id,
    )
    if changed:
        (post,) = await by_ids(PostRow, [post_id], ALIVE)
        if post:
            await index_card(post, row)
            work.record(feed.event(Kind.POST_CHANGED, post))


async def index_card(post: PostRow, row: ContentRow) -> None:
    """Have the card found by all that it shows."""
    text = row.body if isinstance(row, ArticleRow) else row.story
    await search.index(
        SearchKind.POST, post.id, post.body, text, community_id=post.community_id, audience={post.scope_id}
    )


async def take_down(work: Work, post_id: UUID) -> None:
    """Take a card out of the feed, with the comments below it, unless a moderator has."""
    (post,) = await by_ids(PostRow, [post_id], ALIVE)
    taken = await execute(
        "UPDATE post SET deleted_at = ?, pinned_at = NULL WHERE id = ? AND deleted_at IS NULL RETURNING id",
        now(),
        post_id,
    )
    if post and taken:
        await search.forget(post_id)
        work.record(feed.event(Kind.POST_DELETED, post))


ALIVE = Where("t.deleted_at IS NULL")


# Profiles


async def take_out(work: Work, before: PioneerRow) -> None:
    """End what is shown of a profile, in the caller's transaction."""
    await execute("UPDATE pioneer SET publish_at = NULL, post_id = NULL WHERE id = ? RETURNING id", before.id)
    if before.post_id:
        await take_down(work, before.post_id)
    if before.publish_at is not None:
        work.record(event(Kind.BRANCH_WITHDRAWN, before))


async def end_profile(work: Work, *, branch_id: UUID, account_id: UUID) -> None:
    """Whoever leaves a branch is shown as its pioneer no longer."""
    left = await every(PioneerRow, Where("t.branch_id = ? AND t.account_id = ?", (branch_id, account_id)))
    for row in left:
        await execute(
            "UPDATE pioneer SET consented_at = NULL, version = version + 1 WHERE id = ? RETURNING id", row.id
        )
        await take_out(work, row)


# Reading


async def contents_by_ids(ids: Sequence[UUID | None]) -> list[ContentRow | None]:
    """What is out, by id. For whoever is in its audience."""
    articles = await by_ids(ArticleRow, ids, published(now()))
    pioneers = await by_ids(PioneerRow, ids, OUT)
    return [article or pioneer for article, pioneer in zip(articles, pioneers, strict=True)]


async def cards_of(_ctx: Context, posts: Sequence[PostRow]) -> list[ContentRow | None]:
    """What each post shows, if it is a card and that is out: its audience is the post's."""
    return await contents_by_ids([post.card_id for post in posts])


async def contents_of_events(_ctx: Context, events: Sequence[Logged]) -> list[ContentRow | None]:
    """What each event is about, None if it is withdrawn since."""
    return await contents_by_ids([logged.event.subject for logged in events])


async def take_comments(posts: Sequence[PostRow]) -> list[bool]:
    """Whether each post is none that shows an affair outside of its comment period."""
    cards = await contents_by_ids([post.card_id for post in posts])
    return [not isinstance(card, ArticleRow) or card.takes_comments_at(now()) for card in cards]
