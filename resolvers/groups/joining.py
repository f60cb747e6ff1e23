"""Coming into a group: at once, on request, or invited.

Row locks are taken in one order: a group before its memberships, requests and invitations.
"""

from collections.abc import Sequence
from uuid import UUID

from models import groups as rules
from models.base import now
from models.groups import GroupAccess, GroupInvitationRow, GroupRow, JoinRequestRow, JoinStatus
from models.messages import Message
from models.notifications import NotificationKind
from models.storage.rows import Where, execute
from models.storage.tables import insert
from resolvers import identity, limits
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.existing import existing, locked, only
from resolvers.groups import people, reading, steps
from resolvers.masking import mask
from resolvers.memberships import enrol, reload_rights
from resolvers.notifications import notify
from subscriptions.work import Work

LONGEST_ANSWER = 500
LONGEST_REASON = 300
JOINS_AN_HOUR = 30
INVITATIONS_AN_HOUR = 60

DECIDED = Message("It has been decided already")


async def join(
    ctx: Context, *, group_id: UUID, answers: Sequence[str]
) -> tuple[GroupRow, JoinRequestRow | None]:
    """Become a member, or ask to; the request, if it takes one.

    An open group is joined at once, but for who was removed from it. Who is a member, or has asked
    already, changes nothing. Raises InvalidInput, NotFound, NotAllowed, RateLimited.
    """
    account_id = ctx.account_id
    row = await reading.visible(ctx, group_id)
    if not ctx.viewer.belongs_to(row.community_id):
        raise NotFound
    if rules.is_member(ctx.viewer, group_id):
        return row, None
    async with ctx.unit_of_work() as work:
        row = await locked_group(group_id)
        before = await people.membership(group_id, account_id)
        if before and before.left_at is None:
            return row, None
        check_awake(row)
        await limits.check_rate(ctx, "joinGroup", JOINS_AN_HOUR, 3600)
        (invited,) = await people.viewer_invitations_of(ctx, [row])
        if invited or (row.access is GroupAccess.OPEN and not (before and before.removed_at)):
            await admit(work, row, account_id)
            request = None
        elif row.access is GroupAccess.CLOSED:
            raise NotAllowed(Message("This group is joined by invitation only"))
        else:
            request = await ask(work, ctx, row, answers)
    await reload_rights(ctx)
    return await existing(GroupRow, group_id), request


async def ask(work: Work, ctx: Context, group: GroupRow, answers: Sequence[str]) -> JoinRequestRow:
    """The viewer's pending request, made now unless there is one."""
    if len(answers) != len(group.questions):
        raise InvalidInput(answers=Message("Answer each of the group's questions"))
    told = [mask(check_text("answers", answer, LONGEST_ANSWER)) for answer in answers]
    pairs = [list(pair) for pair in zip(group.questions, told, strict=True)]
    made = await insert(
        JoinRequestRow(
            community_id=group.community_id,
            group_id=group.id,
            account_id=ctx.account_id,
            answers=pairs,
            pending_key=rules.pending_key(group.id, ctx.account_id),
        ),
        "(pending_key) DO NOTHING",
    )
    request = only(await people.viewer_requests_of(ctx, [group]))
    if made:
        await count_requests(group, +1)
        await notify(
            work,
            ctx,
            NotificationKind.GROUP_JOIN,
            await people.member_ids(group.id, rules.MODERATING),
            request,
            actor_id=ctx.account_id,
        )
        work.record(steps.join_request_changed(group, request))
    return request


async def withdraw(ctx: Context, *, request_id: UUID) -> JoinRequestRow:
    """Take the own request back. Raises NotFound, Conflict (it is decided)."""
    request = await request_for_viewer(ctx, request_id)
    if request.account_id != ctx.account_id:
        raise NotFound
    async with ctx.unit_of_work() as work:
        group = await locked_group(request.group_id)
        await decide_request(request, JoinStatus.WITHDRAWN)
        await count_requests(group, -1)
        work.record(steps.join_request_changed(group, request))
    return await request_for_viewer(ctx, request_id)


async def decide(ctx: Context, *, request_id: UUID, accepted: bool, reason: str = "") -> JoinRequestRow:
    """Let somebody in, or refuse, with the reason that he is told.

    Raises InvalidInput, NotFound, NotAllowed, Conflict (it is decided, or taken back).
    """
    reason = check_text("reason", reason, LONGEST_REASON, least=0 if accepted else 2)
    request = await request_for_viewer(ctx, request_id)
    if not rules.can_moderate(ctx.viewer, request.group_id):
        raise NotAllowed(reading.ONLY_MODERATORS)
    async with ctx.unit_of_work() as work:
        group = await locked_group(request.group_id)
        await decide_request(
            request,
            JoinStatus.ACCEPTED if accepted else JoinStatus.DECLINED,
            Where(", reason = ?, decided_by_id = ?", (reason, ctx.account_id)),
        )
        await count_requests(group, -1)
        if accepted:
            await admit(work, group, request.account_id)
        await notify(
            work, ctx, NotificationKind.GROUP_JOIN, [request.account_id], request, actor_id=ctx.account_id
        )
        work.record(steps.join_request_changed(group, request))
    return await request_for_viewer(ctx, request_id)


async def invite(ctx: Context, *, group_id: UUID, neighbour_id: UUID) -> GroupInvitationRow:
    """Ask a neighbour to come in; who is invited already is not asked twice.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited.
    """
    row = await reading.moderated_by_viewer(ctx, group_id)
    (neighbour,) = await identity.neighbours_by_id(ctx, [neighbour_id])
    if neighbour is None or neighbour.community_id != row.community_id:
        raise InvalidInput(neighbourId=Message("There is no such neighbour"))
    async with ctx.unit_of_work() as work:
        check_awake(await locked_group(group_id))
        before = await people.membership(group_id, neighbour.account_id)
        if before and before.left_at is None:
            raise InvalidInput(neighbourId=Message("Is a member already"))
        await limits.check_rate(ctx, "inviteToGroup", INVITATIONS_AN_HOUR, 3600)
        invitation = GroupInvitationRow(
            community_id=row.community_id,
            group_id=group_id,
            account_id=neighbour.account_id,
            invited_by_id=ctx.account_id,
            pending_key=rules.pending_key(group_id, neighbour.account_id),
        )
        if not await insert(invitation, "(pending_key) DO NOTHING"):
            pending = Where("t.pending_key = ?", (invitation.pending_key,))
            invitation = await existing(GroupInvitationRow, pending)
        else:
            await notify(
                work,
                ctx,
                NotificationKind.GROUP_INVITE,
                [neighbour.account_id],
                invitation,
                actor_id=ctx.account_id,
            )
    return await invitation_for_viewer(ctx, invitation.id)


async def answer(ctx: Context, *, invitation_id: UUID, accepted: bool) -> GroupInvitationRow:
    """Come in as invited, or not. Raises NotFound, NotAllowed, Conflict (it is answered, or taken back)."""
    row = await invitation_for_viewer(ctx, invitation_id)
    if row.account_id != ctx.account_id:
        raise NotFound
    async with ctx.unit_of_work() as work:
        group = await locked_group(row.group_id)
        await decide_invitation(row, JoinStatus.ACCEPTED if accepted else JoinStatus.DECLINED)
        if accepted:
            await admit(work, group, row.account_id)
    await reload_rights(ctx)
    return await invitation_for_viewer(ctx, invitation_id)


async def revoke(ctx: Context, *, invitation_id: UUID) -> GroupInvitationRow:
    """Take an invitation back. Raises NotFound, NotAllowed, Conflict."""
    row = await invitation_for_viewer(ctx, invitation_id)
    if not rules.can_moderate(ctx.viewer, row.group_id):
        raise NotAllowed(reading.ONLY_MODERATORS)
    async with ctx.unit_of_work():
        await locked_group(row.group_id)
        await decide_invitation(row, JoinStatus.WITHDRAWN)
    return await invitation_for_viewer(ctx, invitation_id)


# In the caller's transaction


async def locked_group(group_id: UUID) -> GroupRow:
    """The group as it is, and stays until the transaction ends. Raises NotFound."""
    return await locked(GroupRow, Where("t.id = ? AND t.dissolved_at IS NULL", (group_id,)))


async def admit(work: Work, group: GroupRow, account_id: UUID) -> None:
    """Make the account a member of the locked group, and settle what was pending about that.

    Raises NotAllowed.
    """
    check_awake(group)
    key = rules.pending_key(group.id, account_id)
    settled = "decided_at = ?, pending_key = NULL WHERE pending_key = ? RETURNING id"
    asked = await execute(
        f"UPDATE join_request SET status = 'ACCEPTED', answers = '[]', {settled}", now(), key
    )
    await execute(f"UPDATE group_invitation SET status = 'ACCEPTED', {settled}", now(), key)
    if asked:
        await count_requests(group, -1)
    if await enrol(work, community_id=group.community_id, host_id=group.id, account_id=account_id):
        await execute("UPDATE interest_group SET member_count = member_count + 1 WHERE id = ?", group.id)
        work.record(steps.group_changed(group))


def check_awake(group: GroupRow) -> None:
    """Raises NotAllowed if the group rests."""
    if group.archived_at:
        raise NotAllowed(Message("The group is archived: nobody posts, comments or joins"))


async def count_requests(group: GroupRow, more: int) -> None:
    await execute(f"UPDATE interest_group SET request_count = request_count + {more} WHERE id = ?", group.id)


async def decide_request(
    request: JoinRequestRow,
    status: JoinStatus,
    more: Where = Where(""),  # noqa: B008
) -> None:
    decided = await execute(
        f"UPDATE join_request SET status = ?, answers = '[]', pending_key = NULL, decided_at = ?{more.text}"
        " WHERE id = ? AND status = 'PENDING' RETURNING id",
        status,
        now(),
        *more.params,
        request.id,
    )
    if not decided:
        raise Conflict(DECIDED, request)


async def decide_invitation(row: GroupInvitationRow, status: JoinStatus) -> None:
    decided = await execute(
        "UPDATE group_invitation SET status = ?, pending_key = NULL, decided_at = ?"
        " WHERE id = ? AND status = 'PENDING' RETURNING id",
        status,
        now(),
        row.id,
    )
    if not decided:
        raise Conflict(DECIDED, row)


async def request_for_viewer(ctx: Context, request_id: UUID) -> JoinRequestRow:
    """The request, for who has made it or decides it. Raises Unauthenticated, NotFound."""
    _ = ctx.account_id
    return only(await people.requests_by_ids(ctx, [request_id]))


async def invitation_for_viewer(ctx: Context, invitation_id: UUID) -> GroupInvitationRow:
    """The invitation, for who is invited or invites. Raises Unauthenticated, NotFound."""
    _ = ctx.account_id
    return only(await people.invitations_by_ids(ctx, [invitation_id]))
