"""Interest groups: what they are, who asks to come in, who is asked, and what was done in them.

The members are in `models.memberships`, and what they write is `models.posts`. A post keeps the
audience that it was written for, whatever becomes of its group's access.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable
from models.memberships import MemberRole, members_of
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by


class GroupAccess(StrEnum):
    OPEN = "OPEN"
    APPROVAL = "APPROVAL"
    CLOSED = "CLOSED"


class JoinStatus(StrEnum):
    """What has become of a request to join, or of an invitation."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"


class GroupAction(StrEnum):
    REMOVED = "REMOVED"
    ROLE_CHANGED = "ROLE_CHANGED"
    TRANSFERRED = "TRANSFERRED"
    ARCHIVED = "ARCHIVED"
    RESTORED = "RESTORED"
    DISSOLVED = "DISSOLVED"
    POST_DELETED = "POST_DELETED"
    COMMENT_DELETED = "COMMENT_DELETED"


MODERATING = frozenset({MemberRole.OWNER, MemberRole.MODERATOR})


class GroupRow(CommunityTable):
    # Whoever holds this scope knows of the group; see models.visibility.
    scope_id: UUID = fields.UUIDField()
    access: GroupAccess = fields.CharEnumField(GroupAccess, max_length=8)
    name: str = fields.CharField(max_length=40)
    description: str = fields.TextField()
    rules: str = fields.TextField(default="")
    # JSON: what somebody who wants to join is asked.
    questions: list[str] = fields.JSONTextField(default="[]")
    member_count: int = fields.IntField(default=0)
    post_count: int = fields.IntField(default=0)
    request_count: int = fields.IntField(default=0)
    last_post_at: datetime | None = fields.DatetimeField(null=True, default=None)
    archived_at: datetime | None = fields.DatetimeField(null=True, default=None)
    dissolved_at: datetime | None = fields.DatetimeField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        # "group" is a word of SQL.
        table = "interest_group"
        indexes = (("community_id", "id"), ("community_id", "member_count", "id"))


class JoinRequestRow(CommunityTable):
    group_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    # JSON, pairs of question and answer; gone once it is decided.
    answers: list[list[str]] = fields.JSONTextField(default="[]")
    status: JoinStatus = fields.CharEnumField(JoinStatus, max_length=9, default=JoinStatus.PENDING)
    # Of group and account while it is pending, so that there is one at most.
    pending_key: str | None = fields.CharField(max_length=80, null=True, default=None, unique=True)
    reason: str = fields.CharField(max_length=300, default="")
    decided_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "join_request"
        indexes = (("group_id", "status", "id"), ("account_id", "id"))


class GroupInvitationRow(CommunityTable):
    group_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    invited_by_id: UUID = fields.UUIDField()
    status: JoinStatus = fields.CharEnumField(JoinStatus, max_length=9, default=JoinStatus.PENDING)
    pending_key: str | None = fields.CharField(max_length=80, null=True, default=None, unique=True)
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "group_invitation"
        indexes = (("group_id", "status", "id"), ("account_id", "id"))


class GroupStepRow(CommunityTable):
    """What the owner or a moderator did, for those whom it concerns. Append-only."""

    group_id: UUID = fields.UUIDField()
    action: GroupAction = fields.CharEnumField(GroupAction, max_length=16)
    actor_id: UUID = fields.UUIDField()
    # Whom it happened to, if to one.
    account_id: UUID | None = fields.UUIDField(null=True, default=None)
    role: MemberRole | None = fields.CharEnumField(MemberRole, max_length=12, null=True, default=None)
    # As it was called then, for who may no longer see the group.
    group_name: str = fields.CharField(max_length=40)
    reason: str = fields.CharField(max_length=300, default="")

    class Meta:
        table = "group_step"
        indexes = (("group_id", "id"), ("account_id", "id"))


NEWEST = Order("newest-groups", ("id",))
LARGEST = Order("largest-groups", ("member_count", "id"))
MEMBERS = Order("group-members", ("id",), descending=False)
MY_GROUPS = Order("my-groups", ("id",))
REQUESTS = Order("join-requests", ("id",))
INVITATIONS = Order("group-invitations", ("id",))
STEPS = Order("group-steps", ("id",))


def scope_of(access: GroupAccess, community_id: UUID, group_id: UUID) -> UUID:
    """Who knows of a group: its community, or its members only."""
    return members_of(group_id) if access is GroupAccess.CLOSED else community_id


def scope_of_posts(row: GroupRow) -> UUID:
    """Who may read what is posted in a group from now on."""
    return row.community_id if row.access is GroupAccess.OPEN else members_of(row.id)


def pending_key(group_id: UUID, account_id: UUID) -> str:
    return f"{group_id}/{account_id}"


# Who may see and do what


def visible_to(viewer: Viewer) -> Where:
    """The groups (as ``t``) that the viewer may know of; who is invited knows of the group."""
    if viewer.account_id is None:
        return NOTHING
    invited = Where(
        "EXISTS (SELECT 1 FROM group_invitation i WHERE i.group_id = t.id AND i.account_id = ?"
        " AND i.status = 'PENDING') AND t.community_id IN (?)",
        (viewer.account_id, viewer.communities),
    )
    return Where("t.dissolved_at IS NULL") & (held_by(viewer) | invited)


def moderated_by(viewer: Viewer) -> list[UUID]:
    """The groups that the viewer looks after."""
    return [host_id for host_id, role in viewer.memberships.items() if role in MODERATING]


def of_viewer_or_moderated(viewer: Viewer) -> Where:
    """The requests and invitations (as ``t``) of the viewer, and those of groups that the viewer looks
    after."""
    if viewer.account_id is None:
        return NOTHING
    own = Where("t.account_id = ?", (viewer.account_id,))
    return Where("t.community_id IN (?)", (viewer.communities,)) & (
        own | Where("t.group_id IN (?)", (moderated_by(viewer),))
    )


def step_visible_to(viewer: Viewer) -> Where:
    """As `of_viewer_or_moderated`; that a group is no more, whoever was in it may know."""
    ended = Where(
        "t.action = 'DISSOLVED' AND EXISTS (SELECT 1 FROM membership m WHERE m.host_id = t.group_id"
        " AND m.account_id = ?)",
        (viewer.account_id,),
    )
    return of_viewer_or_moderated(viewer) | (ended & Where("t.community_id IN (?)", (viewer.communities,)))


def can_found(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer make a group in this community?"""
    return viewer.belongs_to(community_id)


def is_member(viewer: Viewer, group_id: UUID) -> bool:
    """Does the viewer belong to the group?"""
    return group_id in viewer.memberships


def can_own(viewer: Viewer, group_id: UUID) -> bool:
    """May the viewer name moderators, and archive, dissolve or hand over the group?"""
    return viewer.memberships.get(group_id) is MemberRole.OWNER


def can_moderate(viewer: Viewer, group_id: UUID) -> bool:
    """May the viewer let people in and out, and take away what others wrote in the group?"""
    return viewer.memberships.get(group_id) in MODERATING


def can_post(viewer: Viewer, row: GroupRow) -> bool:
    """May the viewer post in the group?"""
    return is_member(viewer, row.id) and row.archived_at is None


def can_read_posts(viewer: Viewer, row: GroupRow) -> bool:
    """May the viewer read what is posted in the group?"""
    return scope_of_posts(row) in viewer.scopes


def can_remove(viewer: Viewer, group_id: UUID, role: MemberRole) -> bool:
    """May the viewer remove a member with this role? Nobody removes the owner."""
    if role is MemberRole.OWNER:
        return False
    return can_own(viewer, group_id) or (can_moderate(viewer, group_id) and role is MemberRole.MEMBER)
