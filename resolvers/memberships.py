"""Joining and leaving what has members; each domain asks its own permission first."""

from uuid import UUID

from models.base import new_id, now
from models.memberships import MemberRole
from models.rows import execute
from subscriptions.events import STANDING, Event, Kind
from subscriptions.work import Work


async def enrol(
    work: Work, *, community_id: UUID, host_id: UUID, account_id: UUID, role: MemberRole = MemberRole.MEMBER
) -> bool:
    """Make the account a member; whether it was none before. Who belongs already keeps the role held."""
    at = now()
    entered = await execute(
        "INSERT INTO membership (id, created_at, community_id, host_id, account_id, role, joined_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (host_id, account_id) DO UPDATE"
        " SET role = excluded.role, joined_at = excluded.joined_at, left_at = NULL"
        " WHERE membership.left_at IS NOT NULL RETURNING id",
        new_id(),
        at,
        community_id,
        host_id,
        account_id,
        role,
        at,
    )
    if entered:
        work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
    return bool(entered)


async def dismiss(work: Work, *, host_id: UUID, account_id: UUID) -> bool:
    """End a membership; whether there was one. What was open by it ends within seconds."""
    left = await execute(
        "UPDATE membership SET left_at = ? WHERE host_id = ? AND account_id = ? AND left_at IS NULL"
        " RETURNING id",
        now(),
        host_id,
        account_id,
    )
    if left:
        work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
    return bool(left)
