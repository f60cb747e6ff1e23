"""The neighbour feed: writing posts, and reading them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from models import posts
from models.base import new_id, now
from models.groups import GroupAction, GroupRow, scope_of_posts
from models.identity import CommunityRow, EstateRow, account_behind
from models.messages import Message
from models.posts import PostAudience, PostKind, PostRow, PostState, RevisionRow, SubjectKind
from models.powers import Power
from models.search import SearchKind
from models.storage.paging import Order, Page, PageArgs
from models.storage.rows import Where, execute, select_ids
from models.storage.tables import by_ids, insert, update
from models.visibility import public_of
from resolvers import audit, identity, limits, matching, search
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.existing import only
from resolvers.groups import posting
from resolvers.masking import mask
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, Logged, event_about

LONGEST_BODY = 5000
MOST_PINNED = 20
POSTS_AN_HOUR = 30
# Of posts and comments together, settling and reopening included.
EDITS_A_MINUTE = 30

BEFORE_ANY_PIN = datetime(2000, 1, 1, tzinfo=UTC)

NOT_A_MEMBER = Message("Only verified residents and officers of this community may write here")


@dataclass(frozen=True, slots=True)
class OwnEstate:
    """In place of an estate: the one where the author lives."""


OWN_ESTATE = OwnEstate()


@dataclass(frozen=True, slots=True)
class FeedCriteria:
    """Which posts of a community or a group, in which order; None is any. The author is a neighbour."""

    kinds: frozenset[PostKind] | None = None
    states: frozenset[PostState] | None = None
    estate_id: UUID | None = None
    author_id: UUID | None = None
    order: Order = posts.LATEST
    # Of a community, those in its groups as well.
    in_groups: bool = False


# Writing


async def create_post(
    ctx: Context,
    *,
    community_id: UUID,
    kind: PostKind,
    body: str,
    key: str,
    audience: PostAudience = PostAudience.NEIGHBOURS,
    estate_id: UUID | OwnEstate | None = OWN_ESTATE,
    group_id: UUID | None = None,
) -> PostRow:
    """Publish a post in the feed, or in a group, which says who may read it; with a key used before, the
    post made then.

    Raises InvalidInput, NotFound (no such community or group), NotAllowed (no member of it), Conflict
    (the key was used for something else), RateLimited.
    """
    account_id = ctx.account_id
    body = mask(check_text("body", body, LONGEST_BODY))
    if kind is PostKind.BRANCH:
        raise InvalidInput(kind=Message("A party branch publishes in other ways"))
    if audience is PostAudience.MEMBERS or (group_id and audience is PostAudience.PUBLIC):
        raise InvalidInput(
            audience=Message("Posts in a group are for the group; posts elsewhere cannot be for its members")
        )
    await identity.community_visible(ctx, community_id)
    if not posts.can_post(ctx.viewer, community_id):
        raise NotAllowed(NOT_A_MEMBER)
    if group_id and (await posting.postable(ctx, group_id)).community_id != community_id:
        raise NotFound
    told = estate_id if isinstance(estate_id, UUID) else str(estate_id)
    estate = await estate_for(ctx, community_id, estate_id)
    post_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(
            ctx, key, "createPost", [community_id, kind, body, audience, told, group_id], post_id
        )
        if earlier is None:
            await limits.check_rate(ctx, "createPost", POSTS_AN_HOUR, 3600)
            group = await posting.increment_posts(ctx, group_id) if group_id else None
            created_at = now()
            row = PostRow(
                id=post_id,
                community_id=community_id,
                scope_id=scope_of(community_id, audience, group),
                wall_id=group_id or community_id,
                author_id=account_id,
                estate_id=estate,
                kind=kind,
                state=PostState.OPEN,
                body=body,
                card_id=None,
                comment_count=0,
                like_count=0,
                hot=int(created_at.timestamp()),
                pinned_at=None,
                created_at=created_at,
                edited_at=None,
                deleted_at=None,
                version=1,
            )
            await insert(row)
            await index_post(row)
            work.record(event(Kind.POST_CREATED, row))
            for met in await matching.find_matches(work, ctx, row):
                author = frozenset({met.author_id})
                work.record(replace(event(Kind.POST_MATCHED, met), audience=author))
            if group:
                await posting.tell(work, ctx, group, post_id, body)
    return await visible(ctx, earlier or post_id)


def scope_of(community_id: UUID, audience: PostAudience, group: GroupRow | None) -> UUID:
    """Who may read a new post."""
    if group:
        return scope_of_posts(group)
    return public_of(community_id) if audience is PostAudience.PUBLIC else community_id


async def edit_post(ctx: Context, *, post_id: UUID, body: str, version: int) -> PostRow:
    """Replace a post's text; what it said before goes into its history.

    `version` is the one that the author has read. Raises Conflict if the post has been edited since,
    InvalidInput, NotFound, NotAllowed, RateLimited. To say the same again changes nothing.
    """
    _ = ctx.account_id
    body = mask(check_text("body", body, LONGEST_BODY))
    row = await visible(ctx, post_id)
    if not posts.can_edit(ctx.viewer, row):
        raise NotAllowed(Message("Only its author may edit a post"))
    if row.body == body:
        return row
    if row.version != version:
        raise Conflict(Message("The post has been edited meanwhile"), row)
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "edit", EDITS_A_MINUTE, 60)
        # The condition makes sure that the text read above is the one replaced here.
        changed = await execute(
            "UPDATE post SET body = ?, edited_at = ?, version = version + 1"
            " WHERE id = ? AND version = ? AND deleted_at IS NULL RETURNING id",
            body,
            now(),
            post_id,
            version,
        )
        if not changed:
            raise Conflict(Message("The post has been edited or deleted meanwhile"), row)
        await keep_revision(SubjectKind.POST, post_id, row.body)
        await index_post(replace(row, body=body))
        work.record(event(Kind.POST_CHANGED, row))
    return await visible(ctx, post_id)


async def delete_post(ctx: Context, *, post_id: UUID) -> PostRow:
    """Take a post out of every list, with all that stands below it; returns it as it was.

    Its author may, who looks after its group, and officers who moderate, which is audited. Raises
    NotFound, NotAllowed.
    """
    _ = ctx.account_id
    row = await visible(ctx, post_id)
    if not posts.can_delete(ctx.viewer, row):
        raise await refusal(
            ctx, "post.delete", Message("Only its author or a moderator may delete a post"), row
        )
    async with ctx.unit_of_work() as work:
        deleted = await execute(
            "UPDATE post SET deleted_at = ?, pinned_at = NULL WHERE id = ? AND deleted_at IS NULL"
            " RETURNING id",
            now(),
            post_id,
        )
        if not deleted:
            raise NotFound
        await search.forget(post_id)
        if row.group_id:
            await posting.decrement_posts(row.group_id)
        if posts.looks_after(ctx.viewer, row) and row.author_id != ctx.account_id:
            await posting.record_moderation(work, ctx, row.wall_id, row.author_id, GroupAction.POST_DELETED)
        elif not posts.is_author(ctx.viewer, row):
            await audit.record(ctx, "post.delete", row, power=Power.MODERATE)
        work.record(event(Kind.POST_DELETED, row))
    return row


async def set_post_state(ctx: Context, *, post_id: UUID, state: PostState) -> PostRow:
    """Say that the matter of a post is settled (the licence returned, the item given away), or open again.

    Its author may, and officers who moderate, which is audited. Raises NotFound, NotAllowed,
    RateLimited. To say what is so already changes nothing.
    """
    _ = ctx.account_id
    row = await visible(ctx, post_id)
    if not posts.can_set_state(ctx.viewer, row):
        raise await refusal(
            ctx, "post.state", Message("Only its author or a moderator may change the state"), row
        )
    async with ctx.unit_of_work() as work:
        changed = await update(
            PostRow, Where("id = ? AND state <> ? AND deleted_at IS NULL", (post_id, state)), state=state
        )
        if changed:
            await limits.check_rate(ctx, "edit", EDITS_A_MINUTE, 60)
            if not (posts.is_author(ctx.viewer, row) or posts.looks_after(ctx.viewer, row)):
                await audit.record(ctx, "post.state", row, power=Power.MODERATE, detail=state.value)
            work.record(event(Kind.POST_CHANGED, row))
    return await visible(ctx, post_id)


async def set_post_pinned(ctx: Context, *, post_id: UUID, pinned: bool) -> PostRow:
    """Pin a post above its community's feed, which is audited, or above its group's; or take it down.

    Raises NotFound, NotAllowed. To ask for what is so already changes nothing.
    """
    _ = ctx.account_id
    row = await visible(ctx, post_id)
    if not posts.can_pin(ctx.viewer, row):
        raise await refusal(
            ctx, "post.pin", Message("Only the committee pins in the feed, a moderator in a group"), row
        )
    async with ctx.unit_of_work() as work:
        changed = await execute(
            "UPDATE post SET pinned_at = ? WHERE id = ? AND deleted_at IS NULL"
            f" AND pinned_at IS {'NULL' if pinned else 'NOT NULL'} RETURNING id",
            now() if pinned else None,
            post_id,
        )
        if changed:
            if row.group_id is None:
                await audit.record(ctx, "post.pin" if pinned else "post.unpin", row, power=Power.PIN_POSTS)
            work.record(event(Kind.POST_CHANGED, row))
    return await visible(ctx, post_id)


async def index_post(row: PostRow) -> None:
    """Have a post found by what it says."""
    await search.index(
        SearchKind.POST, row.id, row.body, community_id=row.community_id, audience={row.scope_id}
    )


async def keep_revision(kind: SubjectKind, subject_id: UUID, body: str) -> None:
    """Keep what a text was, in the transaction that changes it."""
    await insert(RevisionRow(subject_kind=kind, subject_id=subject_id, body=body))


def event(kind: Kind, row: PostRow) -> Event:
    """What happened to a post. A stream of the feed filters by its facts."""
    facts = {"kind": row.kind.value, "author": str(row.author_id), "wall": str(row.wall_id)}
    if row.estate_id:
        facts["estate"] = str(row.estate_id)
    return event_about(kind, row, {row.scope_id}, thread=row.id, facts=facts)


async def refusal(ctx: Context, action: str, message: Message, row: PostRow) -> NotAllowed:
    """The error to raise; the attempt is kept, unless that would say who belongs to a group or a branch."""
    if posts.is_for_members(row):
        return NotAllowed(message)
    return await audit.refuse(ctx, action, message, row)


async def estate_for(ctx: Context, community_id: UUID, wanted: UUID | OwnEstate | None) -> UUID | None:
    """The estate a new post is about: the one asked for, the author's own, or None for all of them."""
    if wanted is None:
        return None
    if isinstance(wanted, UUID):
        known = await execute("SELECT id FROM estate WHERE id = ? AND community_id = ?", wanted, community_id)
        if not known:
            raise InvalidInput(estateId=Message("There is no such estate in this community"))
        return wanted
    own = await select_ids(
        "SELECT b.estate_id FROM home h JOIN building b ON b.id = h.building_id"
        " WHERE h.id IN (?) AND h.community_id = ? ORDER BY h.id LIMIT 1",
        ctx.viewer.homes,
        community_id,
    )
    return own[0] if own else None


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID | None]) -> list[PostRow | None]:
    """The posts with these ids, None for each that the viewer may not see."""
    return await by_ids(PostRow, ids, posts.visible_to(ctx.viewer))


async def visible(ctx: Context, post_id: UUID) -> PostRow:
    """The post. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [post_id]))


async def posts_of_events(ctx: Context, events: Sequence[Logged]) -> list[PostRow | None]:
    """The post that each event is about, None if it has been deleted since.

    Not asked for a viewer: whoever delivers an event has checked its audience, which is the post's.
    """
    return await by_ids(PostRow, [logged.event.subject for logged in events], Where("t.deleted_at IS NULL"))


async def followed_community(ctx: Context, community_id: UUID) -> frozenset[UUID]:
    """The scopes of which one must be held as long as a stream of this community is open.

    A member's stream ends when the membership does; who only may look has what is public.
    Raises Unauthenticated, NotFound.
    """
    _ = ctx.account_id
    if ctx.viewer.belongs_to(community_id):
        return frozenset({community_id})
    await identity.community_visible(ctx, community_id)
    return frozenset({public_of(community_id)})


async def feeds_of(
    ctx: Context, walls: Sequence[CommunityRow | GroupRow], wanted: FeedCriteria, args: PageArgs
) -> list[Page[PostRow]]:
    """A page of each community's or group's posts that the viewer may see."""
    where = posts.visible_to(ctx.viewer)
    for column, values in (("t.kind", wanted.kinds), ("t.state", wanted.states)):
        if values is not None:
            where &= posts.equal_to_any(column, values)
    if wanted.estate_id is not None:
        where &= Where("t.estate_id = ?", (wanted.estate_id,))
    if wanted.author_id is not None:
        where &= Where("t.author_id IN (?)", (accounts_of(wanted.author_id, walls),))
    return await pages(
        PostRow,
        [wall.id for wall in walls],
        by="community_id" if wanted.in_groups else "wall_id",
        args=args,
        where=where,
        order=wanted.order,
    )


def accounts_of(author_id: UUID, walls: Sequence[CommunityRow | GroupRow]) -> list[UUID]:
    """The accounts that a neighbour's id means where these walls are: one in each community."""
    communities = {wall.community_id if isinstance(wall, GroupRow) else wall.id for wall in walls}
    return [account_behind(community_id, author_id) for community_id in communities]


async def pinned_of(ctx: Context, walls: Sequence[CommunityRow | GroupRow]) -> list[list[PostRow]]:
    """The pinned posts of each community or group that the viewer may see, the latest pin first."""
    found = await pages(
        PostRow,
        [wall.id for wall in walls],
        by="wall_id",
        args=PageArgs(first=MOST_PINNED),
        # A range that an index answers on both databases, as "is not null" does not.
        where=posts.visible_to(ctx.viewer) & Where("t.pinned_at > ?", (BEFORE_ANY_PIN,)),
        order=posts.PINNED,
    )
    return [page.items for page in found]


async def revisions_of(ctx: Context, rows: Sequence[PostRow], args: PageArgs) -> list[Page[RevisionRow]]:
    """What each post said before its edits, the latest first; an empty page for who may not read that."""
    open_to_viewer = [row.id for row in rows if posts.can_read_history(ctx.viewer, row)]
    found = await pages(RevisionRow, open_to_viewer, by="subject_id", args=args, order=posts.REVISIONS)
    by_post = dict(zip(open_to_viewer, found, strict=True))
    return [by_post.get(row.id) or Page([], [], False, False) for row in rows]


async def estates_of(ctx: Context, rows: Sequence[PostRow]) -> list[EstateRow | None]:
    """The estate that each post is about, None for the whole community."""
    known = [row.estate_id for row in rows if row.estate_id]
    found = dict(zip(known, await identity.estates_by_id(ctx, known), strict=True)) if known else {}
    return [found.get(row.estate_id) if row.estate_id else None for row in rows]
