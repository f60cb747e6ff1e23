"""Who is in a group, who wants to come in, and what was done there."""

from collections.abc import Collection, Sequence
from typing import TypeVar
from uuid import UUID

from models import groups as rules
from models.groups import GroupInvitationRow, GroupRow, GroupStepRow, JoinRequestRow, JoinStatus
from models.identity import AccountRow, NeighbourRow
from models.memberships import MemberRole, MembershipRow
from models.storage.paging import Order, Page, PageArgs
from models.storage.rows import EVERYTHING, Where, select_ids
from models.storage.tables import by_ids, every
from resolvers import identity
from resolvers.context import Context
from resolvers.paging import pages
from subscriptions.events import Logged

R = TypeVar("R", JoinRequestRow, GroupInvitationRow, GroupStepRow)


async def member_ids(group_id: UUID, roles: Collection[MemberRole] = frozenset(MemberRole)) -> list[UUID]:
    """The accounts that belong to a group now, in these roles."""
    return await select_ids(
        "SELECT account_id FROM membership WHERE host_id = ? AND left_at IS NULL AND role IN (?) ORDER BY id",
        group_id,
        sorted(roles),
    )


async def take_part(accounts: Collection[UUID], community_id: UUID) -> set[UUID]:
    """Those of the accounts that are still verified residents or officers of the community."""
    rows = await select_ids(
        "SELECT account_id FROM residency WHERE until IS NULL AND community_id = ? AND account_id IN (?)"
        " UNION SELECT account_id FROM appointment WHERE revoked_at IS NULL AND community_id = ?"
        " AND account_id IN (?)",
        community_id,
        accounts,
        community_id,
        accounts,
    )
    return set(rows)


async def membership(group_id: UUID, account_id: UUID) -> MembershipRow | None:
    """What the account is or was to the group."""
    found = await memberships(Where("t.host_id = ? AND t.account_id = ?", (group_id, account_id)))
    return found[0] if found else None


async def memberships(where: Where) -> list[MembershipRow]:
    return await every(MembershipRow, where)


async def members_of_groups(
    ctx: Context, groups: Sequence[GroupRow], args: PageArgs
) -> list[Page[MembershipRow] | None]:
    """Who belongs to each group, for its members; None for others."""
    open_to_viewer = [row.id for row in groups if rules.is_member(ctx.viewer, row.id)]
    found = await pages(
        MembershipRow,
        open_to_viewer,
        by="host_id",
        args=args,
        where=Where("t.left_at IS NULL"),
        order=rules.MEMBERS,
    )
    by_group = dict(zip(open_to_viewer, found, strict=True))
    return [by_group.get(row.id) for row in groups]


async def memberships_of(
    ctx: Context, accounts: Sequence[AccountRow], community_id: UUID | None, args: PageArgs
) -> list[Page[MembershipRow]]:
    """The groups that each account, the viewer's own, belongs to."""
    communities = ctx.viewer.communities if community_id is None else ctx.viewer.communities & {community_id}
    where = Where(
        "t.left_at IS NULL AND t.account_id = ? AND t.community_id IN (?)"
        " AND EXISTS (SELECT 1 FROM interest_group g WHERE g.id = t.host_id)",
        (ctx.account_id, communities),
    )
    ids = [account.id for account in accounts]
    return await pages(MembershipRow, ids, by="account_id", args=args, where=where, order=rules.MY_GROUPS)


async def viewer_memberships_of(ctx: Context, groups: Sequence[GroupRow]) -> list[MembershipRow | None]:
    """What the viewer is to each group, None for no member."""
    if ctx.viewer.account_id is None:
        return [None] * len(groups)
    rows = await memberships(
        Where(
            "t.left_at IS NULL AND t.account_id = ? AND t.host_id IN (?)",
            (ctx.viewer.account_id, {row.id for row in groups}),
        )
    )
    found = {row.host_id: row for row in rows}
    return [found.get(row.id) for row in groups]


async def owners_of(ctx: Context, groups: Sequence[GroupRow]) -> list[NeighbourRow | None]:
    """Who owns each group."""
    rows = await memberships(
        Where("t.left_at IS NULL AND t.role = 'OWNER' AND t.host_id IN (?)", ({row.id for row in groups},))
    )
    faces = await identity.neighbours(ctx, [(row.account_id, row.community_id) for row in rows])
    found = {row.host_id: face for row, face in zip(rows, faces, strict=True)}
    return [found.get(row.id) for row in groups]


async def groups_of_memberships(_ctx: Context, rows: Sequence[MembershipRow]) -> list[GroupRow | None]:
    """The group of each membership. For who was shown that."""
    return await by_ids(GroupRow, [row.host_id for row in rows], Where("t.dissolved_at IS NULL"))


async def subjects_of_steps(ctx: Context, rows: Sequence[GroupStepRow]) -> list[NeighbourRow | None]:
    """Whom each step is about, if anybody."""
    return await identity.faces_of(ctx, [(row.account_id, row.community_id) for row in rows])


async def actors_of(ctx: Context, rows: Sequence[GroupStepRow]) -> list[NeighbourRow]:
    """Who took each step."""
    return await identity.neighbours(ctx, [(row.actor_id, row.community_id) for row in rows])


async def inviters_of(ctx: Context, rows: Sequence[GroupInvitationRow]) -> list[NeighbourRow]:
    """Who sent each invitation."""
    return await identity.neighbours(ctx, [(row.invited_by_id, row.community_id) for row in rows])


# Who wants to come in


async def requests_of_groups(
    ctx: Context, groups: Sequence[GroupRow], status: JoinStatus | None, args: PageArgs
) -> list[Page[JoinRequestRow] | None]:
    """Who has asked to join each group, for those who look after it; None for others."""
    return await pages_for_moderators(ctx, groups, JoinRequestRow, rules.REQUESTS, args, status)


async def invitations_of_groups(
    ctx: Context, groups: Sequence[GroupRow], status: JoinStatus | None, args: PageArgs
) -> list[Page[GroupInvitationRow] | None]:
    """Whom each group has invited, for those who look after it; None for others."""
    return await pages_for_moderators(ctx, groups, GroupInvitationRow, rules.INVITATIONS, args, status)


async def steps_of_groups(
    ctx: Context, groups: Sequence[GroupRow], args: PageArgs
) -> list[Page[GroupStepRow] | None]:
    """What was done in each group, for those who look after it; None for others."""
    return await pages_for_moderators(ctx, groups, GroupStepRow, rules.STEPS, args)


async def pages_for_moderators(
    ctx: Context,
    groups: Sequence[GroupRow],
    row: type[R],
    order: Order,
    args: PageArgs,
    status: JoinStatus | None = None,
) -> list[Page[R] | None]:
    """A page of what only those see who look after a group."""
    looked_after = [group.id for group in groups if rules.can_moderate(ctx.viewer, group.id)]
    found = await pages(
        row,
        looked_after,
        by="group_id",
        args=args,
        where=Where("t.status = ?", (status,)) if status else EVERYTHING,
        order=order,
    )
    by_group = dict(zip(looked_after, found, strict=True))
    return [by_group.get(group.id) for group in groups]


async def requests_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[JoinRequestRow | None]:
    """The requests with these ids that are the viewer's, or to a group that the viewer looks after."""
    return await by_ids(JoinRequestRow, ids, rules.of_viewer_or_moderated(ctx.viewer))


async def invitations_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[GroupInvitationRow | None]:
    """The invitations with these ids, to the viewer or from a group that the viewer looks after."""
    return await by_ids(GroupInvitationRow, ids, rules.of_viewer_or_moderated(ctx.viewer))


async def steps_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[GroupStepRow | None]:
    """The steps with these ids about the viewer, or in a group that the viewer looks after."""
    return await by_ids(GroupStepRow, ids, rules.step_visible_to(ctx.viewer))


async def viewer_requests_of(ctx: Context, groups: Sequence[GroupRow]) -> list[JoinRequestRow | None]:
    """The viewer's request to each group that is not decided."""
    return await pending(ctx, JoinRequestRow, groups)


async def viewer_invitations_of(ctx: Context, groups: Sequence[GroupRow]) -> list[GroupInvitationRow | None]:
    """The viewer's invitation to each group that is not answered."""
    return await pending(ctx, GroupInvitationRow, groups)


async def pending(ctx: Context, row: type[R], groups: Sequence[GroupRow]) -> list[R | None]:
    account_id = ctx.viewer.account_id
    keys = [rules.pending_key(group.id, account_id) for group in groups] if account_id else []
    found = {item.group_id: item for item in await every(row, Where("t.pending_key IN (?)", (keys,)))}
    return [found.get(group.id) for group in groups]


async def invitations_to(ctx: Context, accounts: Sequence[AccountRow]) -> list[list[GroupInvitationRow]]:
    """The invitations to groups that each account, the viewer's own, has not answered."""
    rows = await every(
        GroupInvitationRow,
        Where(
            "t.account_id = ? AND t.status = 'PENDING' AND t.community_id IN (?)",
            (ctx.account_id, ctx.viewer.communities),
        ),
        "t.id DESC",
    )
    return [[row for row in rows if row.account_id == account.id] for account in accounts]


async def requests_of_events(ctx: Context, events: Sequence[Logged]) -> list[JoinRequestRow | None]:
    """The request that each event is about. Whoever delivers the event has checked its audience."""
    return await by_ids(JoinRequestRow, [logged.event.subject for logged in events])
