"""Leaving, removing, roles, handing over, and of what a member is told."""

from uuid import UUID

from models import groups as rules
from models.groups import GroupAction, GroupRow
from models.memberships import Alerts, MemberRole, MembershipRow
from models.messages import Message
from models.storage.rows import Where, execute
from models.storage.tables import update
from resolvers import identity
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing
from resolvers.groups import people, reading, steps
from resolvers.groups.founding import ONLY_OWNER, owned_by_viewer
from resolvers.groups.joining import LONGEST_REASON, locked_group
from resolvers.memberships import dismiss, reload_rights, set_role
from subscriptions.work import Work


async def leave(ctx: Context, *, group_id: UUID) -> GroupRow | None:
    """End one's own membership, and give the group, if the viewer may still know of it.

    To leave again changes nothing. Raises NotFound, NotAllowed (an owner hands the group over first).
    """
    account_id = ctx.account_id
    row = await reading.visible(ctx, group_id)
    async with ctx.unit_of_work() as work:
        await locked_group(group_id)
        held = await people.membership(group_id, account_id)
        if held and held.left_at is None:
            if held.role is MemberRole.OWNER:
                raise NotAllowed(Message("The owner hands the group over before leaving"))
            await end_membership(work, row, account_id)
    await reload_rights(ctx)
    (now_seen,) = await reading.visible_by_ids(ctx, [group_id])
    return now_seen


async def remove(ctx: Context, *, group_id: UUID, neighbour_id: UUID, reason: str) -> GroupRow:
    """Make a member leave, who is told why, and comes back only if a moderator agrees.

    Raises InvalidInput, NotFound, NotAllowed.
    """
    reason = check_text("reason", reason, LONGEST_REASON, least=2)
    row = await reading.moderated_by_viewer(ctx, group_id)
    async with ctx.unit_of_work() as work:
        await locked_group(group_id)
        held = await membership_of(ctx, row, neighbour_id)
        if not rules.can_remove(ctx.viewer, group_id, held.role):
            raise NotAllowed(ONLY_OWNER)
        await end_membership(work, row, held.account_id, removed=True)
        await steps.record(
            work,
            ctx,
            row,
            GroupAction.REMOVED,
            account_id=held.account_id,
            reason=reason,
            told=[held.account_id],
        )
    return await existing(GroupRow, group_id)


async def appoint(ctx: Context, *, group_id: UUID, neighbour_id: UUID, moderator: bool) -> MembershipRow:
    """Make a member a moderator, or a moderator an ordinary member again.

    To ask for what is so already changes nothing. Raises InvalidInput, NotFound, NotAllowed.
    """
    row = await owned_by_viewer(ctx, group_id)
    role = MemberRole.MODERATOR if moderator else MemberRole.MEMBER
    async with ctx.unit_of_work() as work:
        await locked_group(group_id)
        held = await membership_of(ctx, row, neighbour_id)
        if held.role is MemberRole.OWNER:
            raise InvalidInput(neighbourId=Message("Is the owner"))
        if await set_role(work, host_id=group_id, account_id=held.account_id, role=role):
            await steps.record(
                work,
                ctx,
                row,
                GroupAction.ROLE_CHANGED,
                account_id=held.account_id,
                role=role,
                told=[held.account_id],
            )
    return await membership_of(ctx, row, neighbour_id)


async def transfer(ctx: Context, *, group_id: UUID, neighbour_id: UUID) -> GroupRow:
    """Hand the group over to a member; who owned it becomes a moderator.

    A group whose owner has left the community may be taken over by a moderator. Raises InvalidInput,
    NotFound, NotAllowed, Conflict (handed over meanwhile).
    """
    row = await reading.moderated_by_viewer(ctx, group_id)
    async with ctx.unit_of_work() as work:
        await locked_group(group_id)
        (owner,) = await people.member_ids(group_id, {MemberRole.OWNER})
        if owner != ctx.account_id:
            if rules.can_own(ctx.viewer, group_id):
                raise Conflict(Message("The group has been handed over meanwhile"), row)
            if await people.take_part({owner}, row.community_id):
                raise NotAllowed(ONLY_OWNER)
        held = await membership_of(ctx, row, neighbour_id)
        if held.account_id != owner:
            await set_role(work, host_id=group_id, account_id=owner, role=MemberRole.MODERATOR)
            await set_role(work, host_id=group_id, account_id=held.account_id, role=MemberRole.OWNER)
            await steps.record(
                work,
                ctx,
                row,
                GroupAction.TRANSFERRED,
                account_id=held.account_id,
                role=MemberRole.OWNER,
                told=[held.account_id, owner],
            )
            work.record(steps.group_changed(row))
    await reload_rights(ctx)
    return await existing(GroupRow, group_id)


async def set_alerts(ctx: Context, *, group_id: UUID, alerts: Alerts) -> GroupRow:
    """Say of what in a group the viewer is told. Raises NotFound, NotAllowed (no member)."""
    account_id = ctx.account_id
    row = await reading.visible(ctx, group_id)
    async with ctx.unit_of_work():
        known = await update(
            MembershipRow,
            Where("host_id = ? AND account_id = ? AND left_at IS NULL", (group_id, account_id)),
            alerts=alerts,
        )
        if not known:
            raise NotAllowed(Message("Only its members may do this"))
    return row


async def end_membership(work: Work, group: GroupRow, account_id: UUID, *, removed: bool = False) -> None:
    """End a membership of the locked group, in the caller's transaction."""
    if await dismiss(work, host_id=group.id, account_id=account_id, removed=removed):
        await execute("UPDATE interest_group SET member_count = member_count - 1 WHERE id = ?", group.id)
        work.record(steps.group_changed(group))


async def membership_of(ctx: Context, group: GroupRow, neighbour_id: UUID) -> MembershipRow:
    """The membership of a neighbour. Raises InvalidInput if there is none."""
    (neighbour,) = await identity.neighbours_by_id(ctx, [neighbour_id])
    held = (
        await people.membership(group.id, neighbour.account_id)
        if neighbour and neighbour.community_id == group.community_id
        else None
    )
    if held is None or held.left_at is not None:
        raise InvalidInput(neighbourId=Message("Is no member of the group"))
    return held
