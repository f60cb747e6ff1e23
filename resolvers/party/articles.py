"""Writing news and open affairs, and reading them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from models.base import new_id, now
from models.media import MediaKind, MediaRow
from models.messages import Message
from models.organisations import OrganisationRow
from models.party import articles as rules
from models.party.articles import LISTED, AffairCategory, ArticleKind, ArticleRow, ArticleState, in_states
from models.party.audience import BranchAudience, scope_of
from models.posts import REVISIONS, PostRow, RevisionRow, SubjectKind, equal_to_any
from models.powers import Power
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where
from models.storage.tables import by_ids, insert
from resolvers import audit, identity
from resolvers import posts as feed
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.existing import change_as_read, existing, only
from resolvers.jobs import schedule, unschedule
from resolvers.markdown import check_markdown, render
from resolvers.masking import mask
from resolvers.media import attaching
from resolvers.paging import pages
from resolvers.party import contents
from resolvers.party.branches import branch_with_power, check_power
from resolvers.retries import earlier_result
from subscriptions.events import Kind

LONGEST_TITLE = 80
LONGEST_BODY = 20_000

# The job that tells of an affair whose comments open or close.
TURN = "TURN_PARTY_AFFAIR"

CHANGED = Message("The article has changed meanwhile")


@dataclass(frozen=True, slots=True)
class ArticleDraft:
    """What an article says, and to whom."""

    title: str
    body: str
    audience: BranchAudience = BranchAudience.PUBLIC
    cover_id: UUID | None = None
    # Of affairs only.
    category: AffairCategory | None = None
    comments_from: datetime | None = None
    comments_until: datetime | None = None


# Writing


async def create(
    ctx: Context, *, branch_id: UUID, kind: ArticleKind, draft: ArticleDraft, key: str
) -> ArticleRow:
    """Begin an article; with a key used before, the one begun then. Until it is published its office sees it.

    Raises InvalidInput, NotFound, NotAllowed (and keeps the attempt), Conflict (the key was used for
    something else).
    """
    account_id = ctx.account_id
    draft, html, shown = await checked(draft)
    check_period(draft.comments_from, draft.comments_until)
    branch = await branch_with_power(ctx, branch_id, Power.PUBLISH_PARTY_CONTENT, "party.article.create")
    article_id = new_id()
    async with ctx.unit_of_work():
        earlier = await earlier_result(ctx, key, "createPartyArticle", [branch_id, kind, draft], article_id)
        if earlier is None:
            await attaching.attach(ctx, community_id=branch.community_id, subject_id=article_id, wanted=shown)
            await insert(
                ArticleRow(
                    id=article_id,
                    community_id=branch.community_id,
                    scope_id=scope_of(draft.audience, branch),
                    audience=draft.audience,
                    branch_id=branch.id,
                    author_id=account_id,
                    kind=kind,
                    category=draft.category,
                    title=draft.title,
                    body=draft.body,
                    html=html,
                    cover_id=draft.cover_id,
                    comments_from=draft.comments_from,
                    comments_until=draft.comments_until,
                )
            )
            await audit.record(ctx, "party.article.create", await existing(ArticleRow, article_id))
    return await visible(ctx, earlier or article_id)


async def checked(draft: ArticleDraft) -> tuple[ArticleDraft, str, list[tuple[str, UUID]]]:
    """The draft as it is kept, its HTML, and the uploads that it shows, with the fields that name them."""
    title = mask(" ".join(check_text("title", draft.title, LONGEST_TITLE).split()))
    body = check_markdown("body", draft.body, LONGEST_BODY)
    html, pictures = await asyncio.to_thread(render, "body", body)
    shown = [("body", key) for key in pictures]
    if draft.cover_id:
        shown.append(("coverId", draft.cover_id))
    kept = replace(
        draft,
        title=title,
        body=body,
        comments_from=moment("commentsFrom", draft.comments_from),
        comments_until=moment("commentsUntil", draft.comments_until),
    )
    return kept, html, shown


def moment(field: str, at: datetime | None) -> datetime | None:
    """Raises InvalidInput for a moment without a time zone."""
    if at is not None and at.tzinfo is None:
        raise InvalidInput(**{field: Message("Needs a time zone")})
    return at and at.astimezone(UTC)


def check_period(begins: datetime | None, ends: datetime | None, publish_at: datetime | None = None) -> None:
    """Raises InvalidInput unless comments are taken, if at all, for a time that is still to come."""
    if ends is None:
        if begins is not None:
            raise InvalidInput(commentsUntil=Message("Say until when comments are taken"))
        return
    if ends <= max(now(), begins or now(), publish_at or now()):
        raise InvalidInput(commentsUntil=Message("Must be later than the start, and in the future"))
    if begins is not None and publish_at is not None and begins < publish_at:
        raise InvalidInput(commentsFrom=Message("Must not be before it is published"))


async def editable(ctx: Context, article_id: UUID, action: str) -> ArticleRow:
    """The article, for who may change it. Raises NotFound, NotAllowed (and keeps an officer's attempt)."""
    _ = ctx.account_id
    row = await visible(ctx, article_id)
    await check_power(ctx, row.community_id, row.branch_id, Power.PUBLISH_PARTY_CONTENT, action, row.id)
    return row


async def edit(ctx: Context, *, article_id: UUID, version: int, draft: ArticleDraft) -> ArticleRow:
    """Say something else. What a published article said before goes into its history.

    Once it is published its audience stays, and so does a comment period that is over. Raises InvalidInput,
    NotFound, NotAllowed (and keeps the attempt), Conflict (it has changed since `version`).
    """
    draft, html, shown = await checked(draft)
    row = await editable(ctx, article_id, "party.article.edit")
    branch = only(await identity.organisations_by_id(ctx, [row.branch_id]))
    state = row.state_at(now())
    out = state in (ArticleState.PUBLISHED, ArticleState.ARCHIVED)
    if state is ArticleState.WITHDRAWN:
        raise NotAllowed(Message("What is withdrawn cannot be changed"))
    if out and draft.audience is not row.audience:
        raise InvalidInput(audience=Message("To change that, withdraw it and publish it again"))
    moved = (draft.comments_from, draft.comments_until) != (row.comments_from, row.comments_until)
    if moved and state is ArticleState.ARCHIVED:
        raise InvalidInput(commentsUntil=Message("The time for comments is over"))
    if moved:
        check_period(draft.comments_from, draft.comments_until, row.publish_at)
    async with ctx.unit_of_work() as work:
        if moved:
            await schedule_turns(row, draft.comments_from, draft.comments_until)
        await change(
            row,
            version,
            title=draft.title,
            body=draft.body,
            html=html,
            cover_id=draft.cover_id,
            category=draft.category,
            audience=draft.audience,
            scope_id=scope_of(draft.audience, branch),
            comments_from=draft.comments_from,
            comments_until=draft.comments_until,
            edited_at=now() if out else None,
        )
        await attaching.attach(ctx, community_id=row.community_id, subject_id=row.id, wanted=shown)
        await audit.record(ctx, "party.article.edit", row)
        if out:
            await feed.keep_revision(SubjectKind.ARTICLE, row.id, f"{row.title}\n\n{row.body}")
            if row.post_id:
                await contents.put_right(work, row.post_id, await existing(ArticleRow, row.id))
            work.record(contents.event(Kind.BRANCH_CHANGED, row))
    return await visible(ctx, article_id)


async def change(row: ArticleRow, version: int, **values: Any) -> None:
    """Change an article as it was read. Raises Conflict if it has changed since `version`."""
    await change_as_read(row, version, CHANGED, Where("t.withdrawn_at IS NULL"), **values)


async def schedule_turns(row: ArticleRow, *moments: datetime | None) -> None:
    """Have it told when comments open and close. Jobs come before the article, as whoever does them locks."""
    await unschedule(row.id, TURN)
    for at in moments:
        if at is not None:
            await schedule(TURN, row.id, at)


# Reading


async def visible(ctx: Context, article_id: UUID) -> ArticleRow:
    """The article. Raises NotFound unless the viewer may see it."""
    return only(await by_ids(ArticleRow, [article_id], rules.visible_to(ctx.viewer)))


async def visible_news_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[ArticleRow | None]:
    """The news with these ids, None for each that the viewer may not see."""
    return await by_ids(ArticleRow, ids, of_kind(ArticleKind.NEWS) & rules.visible_to(ctx.viewer))


async def visible_affairs_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[ArticleRow | None]:
    """The affairs with these ids, None for each that the viewer may not see."""
    return await by_ids(ArticleRow, ids, of_kind(ArticleKind.AFFAIR) & rules.visible_to(ctx.viewer))


def of_kind(kind: ArticleKind) -> Where:
    return Where("t.kind = ?", (kind,))


async def articles_of(
    ctx: Context,
    branches: Sequence[OrganisationRow],
    kind: ArticleKind,
    states: frozenset[ArticleState] | None,
    categories: frozenset[AffairCategory] | None,
    args: PageArgs,
) -> list[Page[ArticleRow]]:
    """A page of each branch's articles of a kind that the viewer may see."""
    where = of_kind(kind) & rules.visible_to(ctx.viewer)
    if states is not None:
        where &= in_states(sorted(states), now())
    if categories is not None:
        where &= equal_to_any("t.category", sorted(categories))
    return await pages(
        ArticleRow,
        [branch.id for branch in branches],
        by="branch_id",
        args=args,
        where=where,
        order=LISTED,
    )


async def covers_of(_ctx: Context, rows: Sequence[ArticleRow]) -> list[MediaRow | None]:
    """The picture above each, if it has one."""
    return await by_ids(MediaRow, [row.cover_id for row in rows])


async def pictures_of(_ctx: Context, rows: Sequence[ArticleRow]) -> list[list[MediaRow]]:
    """All pictures of each, the cover too."""
    return await attaching.attached(rows, MediaKind.PICTURE)


async def posts_of(ctx: Context, rows: Sequence[ArticleRow]) -> list[PostRow | None]:
    """The card of each in the feed, as far as the viewer may see it."""
    known = [row.post_id for row in rows if row.post_id]
    found = dict(zip(known, await feed.visible_by_ids(ctx, known), strict=True)) if known else {}
    return [found.get(row.post_id) if row.post_id else None for row in rows]


async def revisions_of(ctx: Context, rows: Sequence[ArticleRow], args: PageArgs) -> list[Page[RevisionRow]]:
    """What each said before its edits, the latest first; an empty page for who may not read that."""
    open_to_viewer = [row.id for row in rows if rules.can_read_history(ctx.viewer, row)]
    found = await pages(RevisionRow, open_to_viewer, by="subject_id", args=args, order=REVISIONS)
    by_article = dict(zip(open_to_viewer, found, strict=True))
    return [by_article.get(row.id) or Page([], [], False, False) for row in rows]
