"""Comments below posts, notices and deliberations.

A deleted comment leaves a tombstone in its thread, so that answers to it keep their place: its time
stays, its text and its author are shown to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from uuid import UUID

from models import deliberations as deliberation_rules
from models import notices, posts
from models.base import new_id, now
from models.deliberations import Act, DeliberationRow
from models.groups import GroupAction, GroupRow, moderated_by
from models.identity import NeighbourRow
from models.messages import Message
from models.notices import NoticeRow
from models.notifications import NotificationKind
from models.posts import CommentRow, PostRow, SubjectKind
from models.powers import Power
from models.storage.paging import Order, Page, PageArgs
from models.storage.rows import Where, columns, execute, select, select_ids, select_one
from models.storage.tables import by_ids, every, insert, one, update
from resolvers import audit, identity, limits, notifications
from resolvers import posts as feed
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.deliberations import topics
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.existing import existing, only
from resolvers.groups import posting
from resolvers.groups.joining import check_awake
from resolvers.identity import Authored
from resolvers.masking import mask
from resolvers.notices import audiences
from resolvers.paging import pages
from resolvers.party import contents
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, Logged, event_about

LONGEST_BODY = 2000
COMMENTS_A_MINUTE = 60

NO_DELETING = Message("Only its author or a moderator may delete a comment")

SubjectRow = PostRow | NoticeRow | DeliberationRow


@dataclass(frozen=True, slots=True)
class Subject:
    """What is commented on. The updates of a notice share one thread, which has the first one's id."""

    kind: SubjectKind
    id: UUID
    community_id: UUID
    # Who may see it, and so its comments.
    audience: frozenset[UUID]
    author_id: UUID | None
    row: SubjectRow

    @property
    def group_id(self) -> UUID | None:
        """The group that it is in, if it is in one."""
        return self.row.group_id if isinstance(self.row, PostRow) else None


# Writing


async def add_comment(
    ctx: Context, *, kind: SubjectKind, subject_id: UUID, body: str, key: str, reply_to: UUID | None = None
) -> CommentRow:
    """Comment on a post, a notice or a deliberation, or answer a comment below it.

    The author of the post, or of the comment answered, is told. With a key used before, the comment
    made then. Raises InvalidInput, NotFound, NotAllowed (no member of the community, or nothing that takes
    comments now), Conflict (the key was used for something else), RateLimited.
    """
    account_id = ctx.account_id
    body = mask(check_text("body", body, LONGEST_BODY))
    subject = await visible_subject(ctx, kind, subject_id)
    if not posts.can_post(ctx.viewer, subject.community_id):
        raise NotAllowed(feed.NOT_A_MEMBER)
    if isinstance(subject.row, DeliberationRow) and not subject.row.allows(Act.COMMENT, now()):
        raise NotAllowed(Message("The deliberation is not in a phase that allows this"))
    if isinstance(subject.row, PostRow):
        await check_takes_comments(subject.row)
    answered = await comment_below(subject, reply_to) if reply_to else None
    comment_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "addComment", [subject.id, body, reply_to], comment_id)
        if earlier is None:
            await limits.check_rate(ctx, "addComment", COMMENTS_A_MINUTE, 60)
            row = CommentRow(
                id=comment_id,
                community_id=subject.community_id,
                subject_kind=subject.kind,
                subject_id=subject.id,
                author_id=account_id,
                reply_to_id=reply_to,
                # Answers to answers stand below the thread's first comment as well.
                parent_id=thread_of(answered) if answered else subject.id,
                body=body,
                like_count=0,
                reply_count=0,
                created_at=now(),
                edited_at=None,
                deleted_at=None,
            )
            await insert(row)
            # Always comment before post or notice, so that two transactions never wait for each other.
            if answered:
                await count_replies(row, +1)
            await count_comments(subject, +1)
            work.record(event(Kind.COMMENT_ADDED, row, subject.audience), counts_changed(subject))
            await notifications.notify(
                work,
                ctx,
                NotificationKind.REPLY if answered else NotificationKind.COMMENT,
                recipients(subject, answered),
                subject,
                subject_id=comment_id,
                actor_id=account_id,
                group_id=subject.group_id,
            )
            if subject.group_id:
                await notifications.notify(
                    work,
                    ctx,
                    NotificationKind.MENTION,
                    await posting.mentioned(subject.group_id, body),
                    subject,
                    subject_id=comment_id,
                    actor_id=account_id,
                    group_id=subject.group_id,
                )
            return row
    return await existing(CommentRow, earlier)


async def check_takes_comments(post: PostRow) -> None:
    """Raises NotAllowed if the post is of a group that rests, or shows an affair that takes none now."""
    if post.group_id:
        check_awake(await existing(GroupRow, post.group_id))
    if not all(await contents.take_comments([post])):
        raise NotAllowed(Message("This affair takes no comments now"))


async def viewer_can_comment(ctx: Context, rows: Sequence[PostRow]) -> list[bool]:
    """Whether the viewer may comment on each post now."""
    walls = await by_ids(GroupRow, [row.group_id for row in rows])
    return [
        posts.can_post(ctx.viewer, row.community_id) and takes and not (wall and wall.archived_at)
        for row, takes, wall in zip(rows, await contents.take_comments(rows), walls, strict=True)
    ]


async def edit_comment(ctx: Context, *, comment_id: UUID, body: str) -> CommentRow:
    """Replace a comment's text; what it said before goes into its history.

    Raises InvalidInput, NotFound, NotAllowed, Conflict (two edits at once), RateLimited. To say the
    same again changes nothing.
    """
    _ = ctx.account_id
    body = mask(check_text("body", body, LONGEST_BODY))
    row, subject = await visible(ctx, comment_id)
    if not posts.can_edit(ctx.viewer, row):
        raise NotAllowed(Message("Only its author may edit a comment"))
    if row.body == body:
        return row
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "edit", feed.EDITS_A_MINUTE, 60)
        changed = await update(
            CommentRow,
            Where("id = ? AND body = ? AND deleted_at IS NULL", (comment_id, row.body)),
            body=body,
            edited_at=now(),
        )
        if not changed:
            raise Conflict(Message("The comment has been edited or deleted meanwhile"), row)
        await feed.keep_revision(SubjectKind.COMMENT, comment_id, row.body)
        work.record(event(Kind.COMMENT_CHANGED, row, subject.audience))
    return await existing(CommentRow, comment_id)


async def delete_comment(ctx: Context, *, comment_id: UUID) -> CommentRow:
    """Leave of a comment only its tombstone; returns that. Deleting it again changes nothing.

    Its author may, who looks after the group that it is in, and officers who moderate, which is
    audited. Raises NotFound, NotAllowed.
    """
    _ = ctx.account_id
    row, subject = await visible(ctx, comment_id)
    post = subject.row if isinstance(subject.row, PostRow) else None
    if row.deleted_at is None and not posts.can_delete_comment(ctx.viewer, row, post):
        if post and posts.is_for_members(post):
            # An entry in the log would say who is a member.
            raise NotAllowed(NO_DELETING)
        raise await audit.refuse(ctx, "comment.delete", NO_DELETING, row)
    async with ctx.unit_of_work() as work:
        deleted = await update(
            CommentRow, Where("id = ? AND deleted_at IS NULL", (comment_id,)), deleted_at=now()
        )
        if deleted:
            if row.parent_id != row.subject_id:
                await count_replies(row, -1)
            await count_comments(subject, -1)
            if post and posts.looks_after(ctx.viewer, post) and row.author_id != ctx.account_id:
                await posting.record_moderation(
                    work, ctx, post.wall_id, row.author_id, GroupAction.COMMENT_DELETED
                )
            elif not posts.is_author(ctx.viewer, row):
                await audit.record(ctx, "comment.delete", row, power=Power.MODERATE)
            work.record(event(Kind.COMMENT_DELETED, row, subject.audience), counts_changed(subject))
    return await existing(CommentRow, comment_id)


async def count_replies(row: CommentRow, more: int) -> None:
    await execute(f"UPDATE comment SET reply_count = reply_count + {more} WHERE id = ?", row.parent_id)


async def count_comments(subject: Subject, more: int) -> None:
    """Raises NotFound if the post has been deleted meanwhile."""
    if subject.kind is SubjectKind.POST:
        statement = posts.COMMENTED if more > 0 else posts.UNCOMMENTED
    else:
        table = subject.kind.value.lower()
        statement = f"UPDATE {table} SET comment_count = comment_count + {more} WHERE id = ? RETURNING id"
    if not await execute(statement, subject.id):
        raise NotFound


async def comment_below(subject: Subject, comment_id: UUID) -> CommentRow:
    """The comment to answer. Raises InvalidInput unless it stands below `subject` and is not deleted."""
    row = await one(
        CommentRow, Where("t.id = ? AND t.subject_id = ? AND t.deleted_at IS NULL", (comment_id, subject.id))
    )
    if row is None:
        raise InvalidInput(replyTo=Message("There is no such comment here"))
    return row


def recipients(subject: Subject, answered: CommentRow | None) -> list[UUID]:
    """Whose inbox a new comment goes into."""
    if answered:
        return [answered.author_id]
    return [subject.author_id] if subject.author_id else []


def thread_of(row: CommentRow) -> UUID:
    """The first comment of the thread that this one is in."""
    return row.id if row.parent_id == row.subject_id else row.parent_id


def event(kind: Kind, row: CommentRow, audience: frozenset[UUID]) -> Event:
    return event_about(
        kind,
        row,
        audience,
        thread=row.subject_id,
        facts={"subject": row.subject_kind.value, "author": str(row.author_id)},
    )


def counts_changed(subject: Subject) -> Event:
    """That the number of comments or likes of a post or a notice has changed."""
    return event_about(
        Kind.COUNTERS_CHANGED,
        subject,
        subject.audience,
        thread=subject.id,
        facts={"subject": subject.kind.value},
    )


# Reading


async def visible_subject(ctx: Context, kind: SubjectKind, subject_id: UUID) -> Subject:
    """The post, deliberation, or notice (any of its updates). Raises NotFound unless the viewer sees it."""
    if kind is SubjectKind.POST:
        post = await feed.visible(ctx, subject_id)
        scopes = frozenset({post.scope_id})
        return Subject(kind, post.id, post.community_id, scopes, post.author_id, post)
    if kind is SubjectKind.DELIBERATION:
        topic = await topics.visible(ctx, subject_id)
        scopes = deliberation_rules.audience(topic)
        return Subject(kind, topic.id, topic.community_id, scopes, None, topic)
    seen = notices.visible_to(ctx.viewer)
    notice = await select_one(
        NoticeRow,
        f"SELECT {columns(NoticeRow)} FROM notice t"
        f" WHERE t.root_id = (SELECT n.root_id FROM notice n WHERE n.id = ?) AND {seen.text}"
        " ORDER BY t.id DESC LIMIT 1",
        subject_id,
        *seen.params,
    )
    if notice is None:
        raise NotFound
    # An update goes to whom the first notice went to.
    scopes = audiences.scopes(await audiences.audience_of(notice.root_id))
    return Subject(kind, notice.root_id, notice.community_id, scopes, None, notice)


async def followed_subject(ctx: Context, kind: SubjectKind, subject_id: UUID) -> Subject:
    """What a stream of comments follows. Raises Unauthenticated, NotFound."""
    _ = ctx.account_id
    return await visible_subject(ctx, kind, subject_id)


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[CommentRow | None]:
    """The comments below what the viewer may see, tombstones included; None for each of the others."""
    found = await by_ids(CommentRow, ids)
    below = {row.subject_id for row in found if row}
    seen = posts.visible_to(ctx.viewer)
    noticed = notices.visible_to(ctx.viewer)
    discussed = deliberation_rules.visible_to(ctx.viewer)
    keys = await select_ids(
        f"SELECT t.id FROM post t WHERE t.id IN (?) AND {seen.text}"
        f" UNION SELECT t.root_id AS id FROM notice t WHERE t.root_id IN (?) AND {noticed.text}"
        f" UNION SELECT t.id FROM deliberation t WHERE t.id IN (?) AND ({discussed.text})",
        below,
        *seen.params,
        below,
        *noticed.params,
        below,
        *discussed.params,
    )
    return [row if row and row.subject_id in keys else None for row in found]


async def visible(ctx: Context, comment_id: UUID) -> tuple[CommentRow, Subject]:
    """The comment and what it is about. Raises NotFound unless the viewer may see that."""
    row = only(await by_ids(CommentRow, [comment_id]))
    return row, await visible_subject(ctx, row.subject_kind, row.subject_id)


async def comments_of_events(_ctx: Context, events: Sequence[Logged]) -> list[CommentRow | None]:
    """The comment that each event is about, None if its post has been deleted since.

    Not asked for a viewer: whoever delivers an event has checked its audience.
    """
    return await by_ids(
        CommentRow,
        [logged.event.subject for logged in events],
        Where("NOT EXISTS (SELECT 1 FROM post p WHERE p.id = t.subject_id AND p.deleted_at IS NOT NULL)"),
    )


async def subjects_of_events(ctx: Context, events: Sequence[Logged]) -> list[SubjectRow | None]:
    """The post or notice below which each event happened, None if it has been deleted since."""
    return await subjects_by_id([logged.event.thread for logged in events])


async def subjects_of(ctx: Context, rows: Sequence[CommentRow]) -> list[SubjectRow | None]:
    """What each comment is about: the post, or the newest of the notice's updates."""
    return await subjects_by_id([row.subject_id for row in rows])


async def deletable(ctx: Context, rows: Sequence[CommentRow]) -> list[bool]:
    """Whether the viewer may delete each comment."""
    # Only who looks after a group must know in which group a comment is.
    found = await subjects_of(ctx, rows) if moderated_by(ctx.viewer) else [None] * len(rows)
    return [
        posts.can_delete_comment(ctx.viewer, row, subject if isinstance(subject, PostRow) else None)
        for row, subject in zip(rows, found, strict=True)
    ]


async def subjects_by_id(ids: Sequence[UUID | None]) -> list[SubjectRow | None]:
    """Posts, threads of notices and deliberations by id. For who was shown a comment below them."""
    below = list(dict.fromkeys(key for key in ids if key))
    found: dict[UUID, SubjectRow] = {
        row.id: row for row in await by_ids(PostRow, below, Where("t.deleted_at IS NULL")) if row
    }
    rest = [key for key in below if key not in found]
    if rest:
        chains = await every(NoticeRow, Where("t.root_id IN (?)", (rest,)))
        found |= {row.root_id: row for row in chains}
        rest = [key for key in rest if key not in found]
    if rest:
        found |= {row.id: row for row in await by_ids(DeliberationRow, rest) if row}
    return [found.get(key) if key else None for key in ids]


def subject_key(row: SubjectRow) -> UUID:
    """The id under which the comments on a post or a notice stand."""
    return row.root_id if isinstance(row, NoticeRow) else row.id


async def comments_of(
    _ctx: Context, subjects: Sequence[SubjectRow], order: Order, args: PageArgs
) -> list[Page[CommentRow]]:
    """A page of all comments of each subject."""
    keys = [subject_key(row) for row in subjects]
    return await pages(CommentRow, keys, by="subject_id", args=args, order=order)


async def threads_of(
    _ctx: Context, subjects: Sequence[SubjectRow], order: Order, args: PageArgs
) -> list[Page[CommentRow]]:
    """A page of the first comments of each subject's threads."""
    keys = [subject_key(row) for row in subjects]
    return await pages(CommentRow, keys, by="parent_id", args=args, order=order)


async def replies_of(
    _ctx: Context, rows: Sequence[CommentRow], order: Order, args: PageArgs
) -> list[Page[CommentRow]]:
    """A page of the answers in the thread that each comment begins; none for a comment that begins none."""
    keys = [row.id for row in rows]
    return await pages(CommentRow, keys, by="parent_id", args=args, order=order)


async def comments_answered(_ctx: Context, rows: Sequence[CommentRow]) -> list[CommentRow | None]:
    """The comment that each one answers."""
    return await by_ids(CommentRow, [row.reply_to_id for row in rows])


async def thread_heads_of(_ctx: Context, rows: Sequence[CommentRow]) -> list[CommentRow]:
    """The comment that begins each one's thread, which may be itself."""
    found = await by_ids(CommentRow, [thread_of(row) for row in rows])
    return [head or row for head, row in zip(found, rows, strict=True)]


async def authors_of(ctx: Context, rows: Sequence[Authored]) -> list[NeighbourRow | None]:
    """Who wrote each comment, and whatever is commented on; None for a tombstone.

    One function for all of them, so that a thread's authors are asked for together.
    """
    signed = [not is_tombstone(row) for row in rows]
    authors = iter(await identity.authors_of(ctx, list(compress(rows, signed))))
    return [next(authors) if shown else None for shown in signed]


def is_tombstone(row: Authored) -> bool:
    return type(row) is CommentRow and row.deleted_at is not None


async def comment_counts_of(_ctx: Context, subjects: Sequence[SubjectRow]) -> list[int]:
    """How many comments each subject has. All updates of a notice share the count of the first."""
    roots = {row.root_id for row in subjects if isinstance(row, NoticeRow) and row.id != row.root_id}
    counts = (
        {
            row.id: row.comment_count
            for row in await select(Count, "SELECT id, comment_count FROM notice WHERE id IN (?)", roots)
        }
        if roots
        else {}
    )
    return [counts.get(subject_key(row), row.comment_count) for row in subjects]


@dataclass(slots=True)
class Count:
    id: UUID
    comment_count: int
