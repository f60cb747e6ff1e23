"""The neighbour feed: posts, the comments below them and below notices, likes, and what was edited.

How *hot* a post is: the second of its creation plus four hours for each binary digit of
``likes + 2 × comments`` (twelve digits at most). Twice the answers lift a post over posts that are
four hours younger, never by more than two days. The column changes in the transaction that changes a
counter, so that the "hot" list is an index and no computation over all posts.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable, Table
from models.groups import can_moderate as can_moderate_group
from models.powers import Power, office_with
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer, held_by, public_of


class PostKind(StrEnum):
    TALK = "TALK"
    LOST = "LOST"
    FOUND = "FOUND"
    IDLE_GOODS = "IDLE_GOODS"
    HELP = "HELP"
    COMPLAINT = "COMPLAINT"
    ACTIVITY = "ACTIVITY"
    BRANCH = "BRANCH"


class PostState(StrEnum):
    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class PostAudience(StrEnum):
    """Who may see a post: the community's members, whoever may look at it, or a group's or a branch's."""

    NEIGHBOURS = "NEIGHBOURS"
    PUBLIC = "PUBLIC"
    MEMBERS = "MEMBERS"


class SubjectKind(StrEnum):
    """What a comment, a like or a revision is about."""

    POST = "POST"
    NOTICE = "NOTICE"
    COMMENT = "COMMENT"
    DELIBERATION = "DELIBERATION"
    ARTICLE = "ARTICLE"


class PostRow(CommunityTable):
    # Whoever holds this scope may see the post; see models.visibility.
    scope_id: UUID = fields.UUIDField()
    # Where it is posted: in the community's feed, or in a group.
    wall_id: UUID = fields.UUIDField()
    author_id: UUID = fields.UUIDField()
    estate_id: UUID | None = fields.UUIDField(null=True, default=None)
    kind: PostKind = fields.CharEnumField(PostKind, max_length=12)
    state: PostState = fields.CharEnumField(PostState, max_length=12, default=PostState.OPEN)
    body: str = fields.TextField()
    # What of a party branch the post shows; the branch writes and withdraws it, not the post's author.
    card_id: UUID | None = fields.UUIDField(null=True, default=None)
    comment_count: int = fields.IntField(default=0)
    like_count: int = fields.IntField(default=0)
    hot: int = fields.BigIntField(default=0)
    pinned_at: datetime | None = fields.DatetimeField(null=True, default=None)
    edited_at: datetime | None = fields.DatetimeField(null=True, default=None)
    deleted_at: datetime | None = fields.DatetimeField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "post"
        indexes = (
            ("wall_id", "id"),
            ("wall_id", "hot", "id"),
            ("wall_id", "kind", "id"),
            ("wall_id", "estate_id", "id"),
            ("wall_id", "pinned_at", "id"),
            ("author_id", "wall_id", "id"),
            ("community_id", "id"),
            ("community_id", "hot", "id"),
        )

    @property
    def group_id(self) -> UUID | None:
        """The group that it is posted in, if it is not in the community's feed."""
        return self.wall_id if self.wall_id != self.community_id else None


class CommentRow(CommunityTable):
    subject_kind: SubjectKind = fields.CharEnumField(SubjectKind, max_length=12)
    subject_id: UUID = fields.UUIDField()
    author_id: UUID = fields.UUIDField()
    reply_to_id: UUID | None = fields.UUIDField(null=True, default=None)
    # What it stands under when a page shows threads: the subject for a first comment, the thread's
    # first comment for every reply.
    parent_id: UUID = fields.UUIDField()
    body: str = fields.TextField()
    like_count: int = fields.IntField(default=0)
    reply_count: int = fields.IntField(default=0)
    edited_at: datetime | None = fields.DatetimeField(null=True, default=None)
    deleted_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "comment"
        indexes = (("subject_id", "id"), ("parent_id", "id"), ("author_id", "id"))


class RevisionRow(Table):
    """What the text of a post or a comment was before an edit."""

    subject_kind: SubjectKind = fields.CharEnumField(SubjectKind, max_length=12)
    subject_id: UUID = fields.UUIDField()
    body: str = fields.TextField()

    class Meta:
        table = "revision"
        indexes = (("subject_id", "id"),)


class LikeRow(Table):
    subject_kind: SubjectKind = fields.CharEnumField(SubjectKind, max_length=12)
    subject_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()

    class Meta:
        table = "appreciation"
        unique_together = (("subject_id", "account_id"),)


LATEST = Order("latest-posts", ("id",))
HOT = Order("hot-posts", ("hot", "id"))
PINNED = Order("pinned-posts", ("pinned_at", "id"))
# One name: a comment has the same cursor whichever way its list runs.
NEWEST_COMMENTS = Order("comments", ("id",))
OLDEST_COMMENTS = Order("comments", ("id",), descending=False)
REVISIONS = Order("revisions", ("id",))

HOT_STEP = 4 * 60 * 60
HOT_DIGITS = 12


def hot_rank_bonus(likes: str, comments: str) -> str:
    """SQL for the seconds that answers add to `hot`, given SQL for the counters."""
    answers = f"({likes} + 2 * {comments})"
    steps = " ".join(
        f"WHEN {answers} >= {2 ** (digits - 1)} THEN {digits * HOT_STEP}"
        for digits in range(HOT_DIGITS, 0, -1)
    )
    return f"CASE {steps} ELSE 0 END"


def counter_statement(likes: int = 0, comments: int = 0) -> str:
    """The statement that adds to a living post's counters, and so to `hot`; it takes the post's id.

    One statement, so that counters are exact however many write at once. It returns the id, or no
    row if the post has been deleted.
    """
    before = hot_rank_bonus("like_count", "comment_count")
    after = hot_rank_bonus(f"(like_count + {likes})", f"(comment_count + {comments})")
    counters = f"like_count = like_count + {likes}, comment_count = comment_count + {comments}"
    changes = f"{counters}, hot = hot + ({after}) - ({before})"
    # Built of the constants above only.
    return f"UPDATE post SET {changes} WHERE id = ? AND deleted_at IS NULL RETURNING id"


LIKED = counter_statement(likes=1)
UNLIKED = counter_statement(likes=-1)
COMMENTED = counter_statement(comments=1)
UNCOMMENTED = counter_statement(comments=-1)


def visible_to(viewer: Viewer) -> Where:
    """The posts (as ``t``) whose audience the viewer is in. A deleted post is nobody's."""
    return Where("t.deleted_at IS NULL") & held_by(viewer)


def equal_to_any(column: str, values: Iterable[object]) -> Where:
    """The rows whose `column` is one of `values`; of one value an index can make an order."""
    wanted = list(dict.fromkeys(values))
    return Where(f"{column} = ?", (wanted[0],)) if len(wanted) == 1 else Where(f"{column} IN (?)", (wanted,))


def can_post(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer write in this community: posts, comments, likes?"""
    return viewer.belongs_to(community_id)


def can_edit(viewer: Viewer, row: PostRow | CommentRow) -> bool:
    """May the viewer change this text?"""
    return is_author(viewer, row) and row.deleted_at is None and not is_card(row)


def can_delete(viewer: Viewer, row: PostRow) -> bool:
    """May the viewer take this post away?"""
    own = is_author(viewer, row) and not is_card(row)
    return row.deleted_at is None and (own or can_moderate(viewer, row))


def can_delete_comment(viewer: Viewer, row: CommentRow, post: PostRow | None) -> bool:
    """May the viewer take this comment away, which stands below `post`, or below no post?"""
    moderates = can_moderate(viewer, post) if post else can_moderate_in(viewer, row.community_id)
    return row.deleted_at is None and (is_author(viewer, row) or moderates)


def can_set_state(viewer: Viewer, row: PostRow) -> bool:
    """May the viewer say that this is settled, or open again?"""
    own = is_author(viewer, row) or can_moderate(viewer, row)
    return own and not is_card(row)


def can_read_history(viewer: Viewer, row: PostRow) -> bool:
    """May the viewer read what this post said before it was edited?"""
    return is_author(viewer, row) or can_moderate(viewer, row)


def is_author(viewer: Viewer, row: PostRow | CommentRow) -> bool:
    """Did the viewer write this, and does the viewer still belong to the community?"""
    return viewer.account_id == row.author_id and viewer.belongs_to(row.community_id)


def is_card(row: PostRow | CommentRow) -> bool:
    """Is this the card of something else, which decides what it says and how long it is there?"""
    return isinstance(row, PostRow) and row.card_id is not None


def is_for_members(row: PostRow) -> bool:
    """Is this for the members of a group or a branch only, so that to see it says who is one?"""
    return row.scope_id not in (row.community_id, public_of(row.community_id))


def can_moderate(viewer: Viewer, row: PostRow) -> bool:
    """May the viewer take away this post, and what others wrote below it?"""
    return looks_after(viewer, row) or can_moderate_in(viewer, row.community_id)


def can_moderate_in(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer take away what others wrote in this community?"""
    return office_with(viewer, community_id, Power.MODERATE) is not None


def looks_after(viewer: Viewer, row: PostRow) -> bool:
    """Is the viewer the owner or a moderator of the group that the post is in?"""
    return row.group_id is not None and can_moderate_group(viewer, row.group_id)


def can_pin(viewer: Viewer, row: PostRow) -> bool:
    """May the viewer pin this post above the feed, or above its group's?"""
    if row.group_id:
        return can_moderate_group(viewer, row.group_id)
    return office_with(viewer, row.community_id, Power.PIN_POSTS) is not None
