"""Joining and leaving what has members; each domain asks its own permission first."""

from uuid import UUID

from models.base import now
from models.memberships import MemberRole, MembershipRow
from models.storage.rows import Where
from models.storage.tables import insert, update
from models.visibility import viewers
from resolvers.context import Context
from subscriptions.events import STANDING, Event, Kind
from subscriptions.work import Work


async def enrol(
    work: Work, *, community_id: UUID, host_id: UUID, account_id: UUID, role: MemberRole = MemberRole.MEMBER
) -> bool:
    """Make the account a member; whether it was none before. Who belongs already keeps the role held."""
    at = now()
    entered = await insert(
        MembershipRow(
            created_at=at,
            community_id=community_id,
            host_id=host_id,
            account_id=account_id,
            role=role,
            joined_at=at,
        ),
        "(host_id, account_id) DO UPDATE SET role = excluded.role, joined_at = excluded.joined_at,"
        " left_at = NULL, removed_at = NULL WHERE membership.left_at IS NOT NULL",
    )
    if entered:
        work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
    return bool(entered)


async def dismiss(work: Work, *, host_id: UUID, account_id: UUID, removed: bool = False) -> bool:
    """End a membership; whether there was one. What was open by it ends within seconds."""
    at = now()
    left = await update(
        MembershipRow,
        Where("host_id = ? AND account_id = ? AND left_at IS NULL", (host_id, account_id)),
        left_at=at,
        removed_at=at if removed else None,
    )
    if left:
        work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
    return bool(left)


async def reload_rights(ctx: Context) -> None:
    """Give the operation the viewer's rights as they are now, after it has changed them."""
    found = await viewers({ctx.account_id: ctx.viewer.session_id})
    ctx.holder = found[ctx.account_id]


async def set_role(work: Work, *, host_id: UUID, account_id: UUID, role: MemberRole) -> bool:
    """Give a member another role; whether that changed anything."""
    changed = await update(
        MembershipRow,
        Where(
            "host_id = ? AND account_id = ? AND left_at IS NULL AND role <> ?", (host_id, account_id, role)
        ),
        role=role,
    )
    if changed:
        work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
    return bool(changed)
