"""What a new post does to its group, and who is told of it."""

import re
from dataclasses import dataclass
from uuid import UUID

from models import groups as rules
from models.base import now
from models.groups import GroupAction, GroupRow
from models.memberships import Alerts
from models.messages import Message
from models.notifications import NotificationKind
from models.storage.rows import execute, select
from resolvers.context import Context
from resolvers.errors import NotAllowed
from resolvers.existing import existing
from resolvers.groups import people, reading, steps
from resolvers.groups.joining import check_awake, locked_group
from resolvers.notifications import notify
from subscriptions.work import Work

ONLY_MEMBERS = Message("Only its members may post in this group")

LONGEST_DISPLAY_NAME = 30
MOST_MENTIONS = 10
MENTION = re.compile(rf"[@＠](\S{{1,{LONGEST_DISPLAY_NAME}}})")


async def postable(ctx: Context, group_id: UUID) -> GroupRow:
    """The group, for who may post there. Raises NotFound, NotAllowed."""
    row = await reading.visible(ctx, group_id)
    check_awake(row)
    if not rules.is_member(ctx.viewer, group_id):
        raise NotAllowed(ONLY_MEMBERS)
    return row


async def increment_posts(ctx: Context, group_id: UUID) -> GroupRow:
    """Count one more post of the viewer's, in the transaction that makes it; the group as it stays.

    Raises NotFound, NotAllowed if the group or the membership has ended meanwhile.
    """
    row = await locked_group(group_id)
    check_awake(row)
    held = await people.membership(group_id, ctx.account_id)
    if held is None or held.left_at is not None:
        raise NotAllowed(ONLY_MEMBERS)
    await execute(
        "UPDATE interest_group SET post_count = post_count + 1, last_post_at = ? WHERE id = ?",
        now(),
        group_id,
    )
    return row


async def decrement_posts(group_id: UUID) -> None:
    """Count one post less."""
    await execute("UPDATE interest_group SET post_count = post_count - 1 WHERE id = ?", group_id)


async def record_moderation(
    work: Work, ctx: Context, group_id: UUID, author_id: UUID, action: GroupAction
) -> None:
    """Keep that the viewer, who looks after the group, took away what somebody wrote, who is told."""
    group = await existing(GroupRow, group_id)
    await steps.record(work, ctx, group, action, account_id=author_id, told=[author_id])


async def tell(work: Work, ctx: Context, group: GroupRow, post_id: UUID, body: str) -> None:
    """Tell of a new post: members who want to know of all, and those whom it mentions."""
    wanting = await select(
        MemberName,
        "SELECT m.account_id, '' AS name FROM membership m"
        f" WHERE m.host_id = ? AND m.left_at IS NULL AND m.alerts = '{Alerts.ALL}' ORDER BY m.id",
        group.id,
    )
    await notify(
        work,
        ctx,
        NotificationKind.GROUP_POST,
        [*await mentioned(group.id, body), *(row.account_id for row in wanting)],
        group,
        subject_id=post_id,
        actor_id=ctx.account_id,
        group_id=group.id,
    )


@dataclass(slots=True)
class MemberName:
    account_id: UUID
    name: str


async def mentioned(group_id: UUID, text: str) -> list[UUID]:
    """The members whose display name follows an @ in the text."""
    words = MENTION.findall(text)[:MOST_MENTIONS]
    if not words:
        return []
    # Chinese goes on without a space behind a name.
    beginnings = {word[:length] for word in words for length in range(1, len(word) + 1)}
    found = await select(
        MemberName,
        "SELECT m.account_id, a.display_name AS name FROM membership m JOIN account a ON a.id = m.account_id"
        " WHERE m.host_id = ? AND m.left_at IS NULL AND a.display_name IN (?) ORDER BY m.id",
        group_id,
        sorted(beginnings),
    )
    meant = {
        max((row.name for row in found if word.startswith(row.name)), key=len, default="") for word in words
    }
    return [row.account_id for row in found if row.name in meant]
