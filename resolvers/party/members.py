"""Entering a party branch, functions in it, and leaving it.

Nothing here tells anybody else who is a member: no event but to those concerned, no count, no log entry with
a name or a reason.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from models import privacy
from models.base import new_id, now
from models.identity import AccountRow
from models.messages import Message
from models.notifications import NotificationKind
from models.organisations import OrganisationRow
from models.party import members as rules
from models.party.members import (
    APPLICATIONS,
    MEMBERS,
    PartyApplicationRow,
    PartyApplicationStatus,
    PartyFunction,
    PartyMemberRow,
)
from models.powers import Power
from models.storage.paging import Page, PageArgs
from models.storage.rows import EVERYTHING, Where, execute, select_ids
from models.storage.tables import by_ids, every, insert
from resolvers import audit, memberships, notifications, retries
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.existing import change_as_read, only
from resolvers.limits import check_rate
from resolvers.organisations import officers_with
from resolvers.paging import pages
from resolvers.party import contents
from resolvers.party.branches import branch_for, check_power, note_reading
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, Logged, event_about
from subscriptions.work import Work

LONGEST_STATEMENT = 1000
LONGEST_REASON = 300
APPLICATIONS_A_DAY = 5
CHANGED = Message("It has been changed meanwhile")
DECIDED = Message("It has been decided or has changed meanwhile")

# Applying


async def apply(ctx: Context, *, branch_id: UUID, statement: str, key: str) -> PartyApplicationRow:
    """Ask to be known to a branch as a member; with a key used before, the application made then.

    Raises InvalidInput, NotFound, NotAllowed (no verified resident), Conflict (a member or an applicant
    already), RateLimited.
    """
    account_id = ctx.account_id
    statement = check_text("statement", statement, LONGEST_STATEMENT)
    branch = await branch_for(ctx, branch_id)
    if not await lives_in(account_id, branch.community_id):
        raise NotAllowed(Message("Only verified residents of this community may apply to the branch"))
    application_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "applyToPartyBranch", [branch_id, statement], application_id)
        if earlier is None:
            await check_rate(ctx, "applyToPartyBranch", APPLICATIONS_A_DAY, 24 * 3600)
            await insert_application(ctx, application_id, branch, statement)
            row = await application(application_id)
            await tell(work, ctx, row, await officers_with(branch.id, Power.MANAGE_PARTY_MEMBERS))
    return await application(earlier or application_id)


async def insert_application(
    ctx: Context, application_id: UUID, branch: OrganisationRow, statement: str
) -> None:
    if branch.id in ctx.viewer.memberships:
        raise Conflict(Message("You belong to this branch already"))
    made = await insert(
        PartyApplicationRow(
            id=application_id,
            community_id=branch.community_id,
            branch_id=branch.id,
            account_id=ctx.account_id,
            statement_sealed=ctx.services.keys.seal(privacy.PARTY, statement),
            open_key=uuid5(branch.id, str(ctx.account_id)),
        ),
        "(open_key) DO NOTHING",
    )
    if not made:
        (open_one,) = await PartyApplicationRow.filter(open_key=uuid5(branch.id, str(ctx.account_id)))
        raise Conflict(Message("You have applied to this branch already"), open_one)


async def withdraw(ctx: Context, *, application_id: UUID) -> PartyApplicationRow:
    """Take an own application back. Raises NotFound, Conflict."""
    row = await application(application_id)
    if row.account_id != ctx.account_id:
        raise NotFound
    async with ctx.unit_of_work() as work:
        await write_decision(row, row.version, PartyApplicationStatus.WITHDRAWN)
        work.record(application_event(row, await officers_with(row.branch_id, Power.MANAGE_PARTY_MEMBERS)))
    return await application(row.id)


async def approve(
    ctx: Context, *, application_id: UUID, version: int, function: PartyFunction
) -> PartyApplicationRow:
    """Take the applicant into the branch. Raises InvalidInput, NotFound, NotAllowed, Conflict."""
    row = await decided_by(ctx, application_id, "party.approve")
    if not await lives_in(row.account_id, row.community_id):
        raise InvalidInput(applicationId=Message("The applicant does not live in this community any more"))
    async with ctx.unit_of_work() as work:
        await write_decision(row, version, PartyApplicationStatus.APPROVED)
        entered = await memberships.enrol(
            work, community_id=row.community_id, host_id=row.branch_id, account_id=row.account_id
        )
        if entered:
            await insert(
                PartyMemberRow(
                    community_id=row.community_id,
                    branch_id=row.branch_id,
                    account_id=row.account_id,
                    function=function,
                )
            )
        await record_decision(work, ctx, row, "party.approve")
    return await application(row.id)


async def reject(ctx: Context, *, application_id: UUID, version: int, reason: str) -> PartyApplicationRow:
    """Refuse an application, with the reason that the applicant is told.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    reason = check_text("reason", reason, LONGEST_REASON, least=4)
    row = await decided_by(ctx, application_id, "party.reject")
    async with ctx.unit_of_work() as work:
        sealed = ctx.services.keys.seal(privacy.PARTY, reason)
        await write_decision(row, version, PartyApplicationStatus.REJECTED, sealed)
        await record_decision(work, ctx, row, "party.reject")
    return await application(row.id)


async def decided_by(ctx: Context, application_id: UUID, action: str) -> PartyApplicationRow:
    """The application, for who may decide it. Officers of the branch who may not are refused."""
    _ = ctx.account_id
    row = await application(application_id)
    (seen,) = await applications_visible_by_ids(ctx, [row.id])
    if seen is None and row.branch_id not in ctx.viewer.offices:
        raise NotFound
    await check_power(ctx, row.community_id, row.branch_id, Power.MANAGE_PARTY_MEMBERS, action, row.id)
    return row


async def write_decision(
    row: PartyApplicationRow, version: int, status: PartyApplicationStatus, reason: str | None = None
) -> None:
    """Decide a pending application, and forget what it said. Raises Conflict."""
    changed = await execute(
        "UPDATE party_application SET status = ?, decided_at = ?, reason_sealed = ?, statement_sealed = NULL,"
        " open_key = NULL, version = version + 1 WHERE id = ? AND version = ? AND status = ? RETURNING id",
        status,
        now(),
        reason,
        row.id,
        version,
        PartyApplicationStatus.PENDING,
    )
    if not changed:
        raise Conflict(DECIDED, row)
    await retries.forget([row.account_id], [row.id])


async def record_decision(work: Work, ctx: Context, row: PartyApplicationRow, action: str) -> None:
    await audit.record(ctx, action, row)
    await tell(work, ctx, row, [row.account_id])
    work.record(application_event(row, await officers_with(row.branch_id, Power.MANAGE_PARTY_MEMBERS)))


async def tell(work: Work, ctx: Context, row: PartyApplicationRow, account_ids: Sequence[UUID]) -> None:
    """Each of these finds the application in the inbox, and hears of it live."""
    await notifications.notify(work, ctx, NotificationKind.PARTY_ENTRY, account_ids, row)
    work.record(application_event(row, account_ids))


def application_event(row: PartyApplicationRow, account_ids: Sequence[UUID]) -> Event:
    return event_about(Kind.PARTY_APPLICATION_CHANGED, row, {row.account_id, *account_ids})


# Belonging


async def set_function(
    ctx: Context, *, member_id: UUID, version: int, function: PartyFunction
) -> PartyMemberRow:
    """Say what a member does for the branch. Raises NotFound, NotAllowed, Conflict."""
    row = await current_membership(ctx, member_id)
    await check_power(
        ctx, row.community_id, row.branch_id, Power.MANAGE_PARTY_MEMBERS, "party.setFunction", row.id
    )
    async with ctx.unit_of_work() as work:
        await change(row, version, function=function)
        await audit.record(ctx, "party.setFunction", row, detail=function.value)
        work.record(await member_event(row))
    return await member(row.id)


async def end(ctx: Context, *, member_id: UUID, version: int, reason: str) -> PartyMemberRow:
    """End a membership: who leads the branch, or the member. What it carried ends within seconds.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    reason = check_text("reason", reason, LONGEST_REASON, least=4)
    row = await current_membership(ctx, member_id)
    own = row.account_id == ctx.account_id
    if not own:
        await check_power(
            ctx, row.community_id, row.branch_id, Power.MANAGE_PARTY_MEMBERS, "party.endMembership", row.id
        )
    async with ctx.unit_of_work() as work:
        sealed = ctx.services.keys.seal(privacy.PARTY, reason)
        await change(row, version, ended_at=now(), end_reason_sealed=sealed)
        await memberships.dismiss(work, host_id=row.branch_id, account_id=row.account_id)
        await contents.end_profile(work, branch_id=row.branch_id, account_id=row.account_id)
        if not own:
            await audit.record(ctx, "party.endMembership", row)
        work.record(await member_event(row))
        await notifications.notify(
            work, ctx, NotificationKind.PARTY_MEMBER, [row.account_id], row, actor_id=ctx.account_id
        )
    return await member(row.id)


async def current_membership(ctx: Context, member_id: UUID) -> PartyMemberRow:
    """A membership that the viewer sees and that holds. Raises Unauthenticated, NotFound, Conflict."""
    _ = ctx.account_id
    row = only(await members_visible_by_ids(ctx, [member_id]))
    if row.ended_at is not None:
        raise Conflict(CHANGED, row)
    return row


async def change(row: PartyMemberRow, version: int, **values: Any) -> None:
    await change_as_read(row, version, CHANGED, Where("t.ended_at IS NULL"), **values)


async def member_event(row: PartyMemberRow) -> Event:
    """For the member and who leads the branch."""
    leading = await officers_with(row.branch_id, Power.MANAGE_PARTY_MEMBERS)
    return event_about(Kind.PARTY_MEMBER_CHANGED, row, {row.account_id, *leading})


async def lives_in(account_id: UUID, community_id: UUID) -> bool:
    """Whether the account is a verified resident there."""
    return bool(
        await select_ids(
            "SELECT id FROM residency WHERE account_id = ? AND community_id = ? AND until IS NULL LIMIT 1",
            account_id,
            community_id,
        )
    )


# Reading


async def application(application_id: UUID) -> PartyApplicationRow:
    """The application, whoever asks. Raises NotFound."""
    return only(await applications_by_ids([application_id]))


async def applications_by_ids(
    ids: Sequence[UUID], where: Where = EVERYTHING
) -> list[PartyApplicationRow | None]:
    return await by_ids(PartyApplicationRow, ids, where)


async def applications_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PartyApplicationRow | None]:
    """The applications with these ids, None for each that the viewer may not see."""
    return await applications_by_ids(ids, rules.applications_visible_to(ctx.viewer))


async def member(member_id: UUID) -> PartyMemberRow:
    """The membership, whoever asks. Raises NotFound."""
    return only(await members_by_ids([member_id]))


async def members_by_ids(ids: Sequence[UUID], where: Where = EVERYTHING) -> list[PartyMemberRow | None]:
    return await by_ids(PartyMemberRow, ids, where)


async def members_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PartyMemberRow | None]:
    """The memberships with these ids, None for each that the viewer may not see."""
    return await members_by_ids(ids, rules.members_visible_to(ctx.viewer))


async def members_of(
    ctx: Context, branches: Sequence[OrganisationRow], args: PageArgs
) -> list[Page[PartyMemberRow]]:
    """Who belongs to each branch now, for its members and officers; empty for everyone else."""
    await note_reading(ctx, "party.members", branches)
    seen = Where("t.ended_at IS NULL AND t.branch_id IN (?)", (rules.branches_of(ctx.viewer),))
    ids = [branch.id for branch in branches]
    return await pages(PartyMemberRow, ids, by="branch_id", args=args, where=seen, order=MEMBERS)


async def applications_of(
    ctx: Context,
    branches: Sequence[OrganisationRow],
    status: PartyApplicationStatus | None,
    args: PageArgs,
) -> list[Page[PartyApplicationRow]]:
    """The applications to each branch, for who decides them; empty for everyone else."""
    await note_reading(ctx, "party.applications", branches, Power.MANAGE_PARTY_MEMBERS)
    where = rules.applications_decided_by(ctx.viewer)
    if status is not None:
        where &= Where("t.status = ?", (status,))
    ids = [branch.id for branch in branches]
    return await pages(
        PartyApplicationRow,
        ids,
        by="branch_id",
        args=args,
        where=where,
        order=APPLICATIONS,
    )


async def own_memberships(ctx: Context, accounts: Sequence[AccountRow]) -> list[list[PartyMemberRow]]:
    """The memberships that each account holds now; empty but for the viewer's own."""
    rows = await every(
        PartyMemberRow,
        Where(
            "t.account_id IN (?) AND t.ended_at IS NULL AND t.branch_id IN (?)",
            (
                [account.id for account in accounts if account.id == ctx.viewer.account_id],
                frozenset(ctx.viewer.memberships),
            ),
        ),
    )
    return [[row for row in rows if row.account_id == account.id] for account in accounts]


async def own_applications(
    ctx: Context, branches: Sequence[OrganisationRow]
) -> list[PartyApplicationRow | None]:
    """The viewer's newest application to each branch."""
    rows = await every(
        PartyApplicationRow,
        Where(
            "t.account_id = ? AND t.branch_id IN (?)",
            (ctx.viewer.account_id, {branch.id for branch in branches}),
        ),
    )
    found = {row.branch_id: row for row in rows}
    return [found.get(branch.id) for branch in branches]


async def applications_of_events(ctx: Context, events: Sequence[Logged]) -> list[PartyApplicationRow | None]:
    return await applications_visible_by_ids(ctx, [logged.event.subject for logged in events])


async def members_of_events(ctx: Context, events: Sequence[Logged]) -> list[PartyMemberRow | None]:
    return await members_visible_by_ids(ctx, [logged.event.subject for logged in events])
