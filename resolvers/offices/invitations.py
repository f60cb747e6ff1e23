"""Offering an office to whoever has a phone, before they have ever signed in.

The phone is kept, sealed, as long as the offer is open, and no longer.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from models import privacy
from models.base import new_id, now
from models.identity import AccountRow, NeighbourRow
from models.messages import OF_RECORD, Message
from models.organisations import (
    AppointmentRow,
    InvitationRow,
    InvitationStatus,
    OrganisationRow,
    can_appoint,
    can_see_invitations,
)
from models.powers import Power, powers_of
from models.privacy import mask_phone
from models.roles import Role
from models.storage.paging import Page, PageArgs
from models.storage.rows import EVERYTHING, NOTHING, Where, columns, execute, select_ids, select_one
from models.storage.tables import by_ids, every, insert, one
from models.visibility import Viewer
from resolvers import audit, jobs, organisations, retries
from resolvers.context import Context, Services
from resolvers.errors import Conflict, InvalidInput, NotFound
from resolvers.existing import existing, locked, only
from resolvers.identity.addresses import organisations_by_id
from resolvers.identity.faces import neighbours
from resolvers.identity.sign_in import check_phone
from resolvers.limits import check_rate
from resolvers.offices.words import ROLES
from resolvers.organisations import (
    check_grid,
    has_admin,
    organisation_for,
)
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import STANDING, Event, Kind
from subscriptions.work import Work

LIFETIME = timedelta(days=7)
INVITATIONS_A_DAY = 50
EXPIRE = "EXPIRE_INVITATION"
DECIDED = Message("The invitation is no longer open")

logger = structlog.get_logger("linli.invitations")


async def invite(
    ctx: Context, *, organisation_id: UUID, role: Role, grid_id: UUID | None, phone: str, key: str
) -> InvitationRow:
    """Offer an office to whoever has this phone, and send a message there once the offer is kept.

    A message that cannot be sent leaves the offer as it is: who signs in finds it. Raises NotFound,
    NotAllowed, InvalidInput, RateLimited, and Conflict while the same offer is open.
    """
    organisation = await organisation_for(ctx, organisation_id)
    founding = await check_may_appoint(ctx, "inviteOfficer", organisation, role)
    await check_grid(ctx, organisation, role, grid_id)
    normal = check_phone("phone", phone)
    index = ctx.services.keys.index(privacy.PHONE, normal)
    invitation_id = new_id()
    async with ctx.unit_of_work():
        await locked(OrganisationRow, organisation.id)
        body = [organisation.id, role, grid_id, index]
        earlier = await earlier_result(ctx, key, "inviteOfficer", body, invitation_id)
        if earlier is None:
            await check_rate(ctx, "inviteOfficer", INVITATIONS_A_DAY, 86_400)
            if founding and await has_admin(organisation.id):
                raise Conflict(Message("The organisation has an administrator meanwhile"), organisation)
            await check_new(ctx, organisation, index, role, grid_id)
            expires_at = now() + LIFETIME
            await insert(
                InvitationRow(
                    id=invitation_id,
                    community_id=organisation.community_id,
                    organisation_id=organisation.id,
                    role=role,
                    grid_id=grid_id,
                    founding=founding,
                    phone_index=index,
                    phone_sealed=ctx.services.keys.seal(privacy.PHONE, normal),
                    open_key=open_key(ctx, organisation.id, index, role, grid_id),
                    invited_by_id=ctx.account_id,
                    expires_at=expires_at,
                )
            )
            await jobs.schedule(EXPIRE, invitation_id, expires_at)
            await audit.record(
                ctx, "inviteOfficer", organisation, subject_id=invitation_id, detail=role.value
            )
    if earlier is None:
        await send(ctx.services, normal, organisation, role, invitation_id)
    return await invitation(earlier or invitation_id)


async def check_may_appoint(ctx: Context, action: str, organisation: OrganisationRow, role: Role) -> bool:
    """Whether the viewer only names the first administrator. Raises NotAllowed, and keeps the attempt."""
    if can_appoint(ctx.viewer, organisation, role, has_admin=True):
        return False
    if can_appoint(ctx.viewer, organisation, role, has_admin=await has_admin(organisation.id)):
        return True
    raise await audit.refuse(
        ctx, action, Message("Only an administrator of the organisation may do this"), organisation
    )


async def check_new(
    ctx: Context, organisation: OrganisationRow, index: str, role: Role, grid_id: UUID | None
) -> None:
    """Raises Conflict if the same offer is open, InvalidInput for who holds the office already."""
    key = open_key(ctx, organisation.id, index, role, grid_id)
    same = await one(InvitationRow, Where("t.open_key = ?", (key,)))
    if same and same.expires_at > now():
        raise Conflict(Message("This phone is invited already"), same)
    if same:
        await close_offer(same.id, InvitationStatus.EXPIRED)
    same_grid = Where("p.grid_id = ?", (grid_id,)) if grid_id else Where("p.grid_id IS NULL")
    if await execute(
        "SELECT p.id FROM appointment p JOIN account a ON a.id = p.account_id WHERE a.phone_index = ?"
        f" AND p.organisation_id = ? AND p.role = ? AND p.revoked_at IS NULL AND {same_grid.text}",
        index,
        organisation.id,
        role,
        *same_grid.params,
    ):
        raise InvalidInput(phone=Message("Holds this office already"))


def open_key(ctx: Context, organisation_id: UUID, index: str, role: Role, grid_id: UUID | None) -> str:
    return ctx.services.keys.index("invitation", f"{organisation_id}/{index}/{role.value}/{grid_id}")


async def send(
    services: Services, phone: str, organisation: OrganisationRow, role: Role, invitation_id: UUID
) -> None:
    text = Message(
        "[Linli] {office} invites you to be its {role}. Sign in with this phone number to confirm; the"
        " invitation is good for {days} days.",
        office=organisation.name,
        role=ROLES[role],
        days=LIFETIME.days,
    )
    try:
        await services.sms.send(phone, text.in_language(OF_RECORD))
    except OSError:
        logger.exception("sms_not_sent", invitation_id=str(invitation_id))


# Answering


async def accept(ctx: Context, *, invitation_id: UUID) -> InvitationRow:
    """Take the office that the viewer's phone is offered. Raises NotFound, and Conflict if it is too late."""
    account_id = ctx.account_id
    row = await offered_to_viewer(ctx, invitation_id)
    organisation = only(await organisations_by_id(ctx, [row.organisation_id]))
    async with ctx.unit_of_work() as work:
        await locked(OrganisationRow, organisation.id)
        if row.founding and await has_admin(organisation.id):
            raise Conflict(Message("The organisation has an administrator meanwhile"), row)
        appointment_id, new = await organisations.appoint(
            organisation, account_id, row.role, row.grid_id, row.invited_by_id
        )
        await decide(row, InvitationStatus.ACCEPTED, appointment_id)
        if new:
            work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
        await audit.record(ctx, "acceptInvitation", row, subject_id=appointment_id, detail=row.role.value)
    return await invitation(row.id)


async def decline(ctx: Context, *, invitation_id: UUID) -> InvitationRow:
    """Refuse the office that the viewer's phone is offered. Raises NotFound, Conflict."""
    _ = ctx.account_id
    row = await offered_to_viewer(ctx, invitation_id)
    async with ctx.unit_of_work():
        await decide(row, InvitationStatus.DECLINED)
        await audit.record(ctx, "declineInvitation", row, detail=row.role.value)
    return await invitation(row.id)


async def revoke(ctx: Context, *, invitation_id: UUID) -> InvitationRow:
    """Take an offer back. Raises NotFound, NotAllowed, and Conflict if it is no longer open."""
    _ = ctx.account_id
    row = only(await visible_by_ids(ctx, [invitation_id]))
    organisation = only(await organisations_by_id(ctx, [row.organisation_id]))
    if not can_appoint(ctx.viewer, organisation, row.role, has_admin=not row.founding):
        raise await audit.refuse(
            ctx, "revokeInvitation", Message("Only an administrator of the organisation may do this"), row
        )
    async with ctx.unit_of_work():
        await decide(row, InvitationStatus.REVOKED)
        await audit.record(ctx, "revokeInvitation", row, detail=row.role.value)
    return await invitation(row.id)


async def offered_to_viewer(ctx: Context, invitation_id: UUID) -> InvitationRow:
    """The invitation, if it was sent to the viewer's own phone. Raises NotFound, Conflict."""
    row = await one(
        InvitationRow,
        Where(
            "t.id = ? AND t.phone_index = (SELECT phone_index FROM account WHERE id = ?)",
            (invitation_id, ctx.account_id),
        ),
    )
    if row is None:
        # Decided offers know no phone; who took this one is told that it is decided.
        decided = await select_one(
            InvitationRow,
            f"SELECT {columns(InvitationRow)} FROM office_invitation t"
            " JOIN appointment p ON p.id = t.appointment_id WHERE t.id = ? AND p.account_id = ?",
            invitation_id,
            ctx.account_id,
        )
        raise Conflict(DECIDED, decided) if decided else NotFound()
    return row


async def decide(row: InvitationRow, status: InvitationStatus, appointment_id: UUID | None = None) -> None:
    """Close an open offer, in the caller's transaction. Raises Conflict if it is not open any more."""
    if not await close_offer(row.id, status, appointment_id, after=Where("expires_at > ?", (now(),))):
        raise Conflict(DECIDED, row)
    await jobs.unschedule(row.id, EXPIRE)


async def close_offer(
    invitation_id: UUID,
    status: InvitationStatus,
    appointment_id: UUID | None = None,
    after: Where = EVERYTHING,
) -> bool:
    """Close an offer and forget the phone; whether it was open."""
    ended = await select_ids(
        "UPDATE office_invitation SET status = ?, decided_at = ?, appointment_id = ?, phone_index = NULL,"
        " phone_sealed = NULL, open_key = NULL"
        f" WHERE id = ? AND status = ? AND {after.text} RETURNING invited_by_id",
        status,
        now(),
        appointment_id,
        invitation_id,
        InvitationStatus.OPEN,
        *after.params,
    )
    await retries.forget(ended, [invitation_id])
    return bool(ended)


@jobs.does(EXPIRE)
async def expire_offer(_services: Services, _work: Work, invitation_id: UUID) -> None:
    """An offer that nobody answered ends, and its phone is forgotten."""
    await close_offer(invitation_id, InvitationStatus.EXPIRED, after=Where("expires_at <= ?", (now(),)))


# Reading


def visible_to(viewer: Viewer) -> Where:
    """The invitations (as ``t``) sent to the viewer's phone, and those of offices that the viewer fills."""
    if viewer.account_id is None:
        return NOTHING
    filled = {
        office.organisation_id
        for office in viewer.offices.values()
        if Power.MANAGE_OFFICERS in powers_of(office)
    }
    founded = {
        office.community_id for office in viewer.offices.values() if Power.FOUND_OFFICES in powers_of(office)
    }
    return (
        Where("t.phone_index = (SELECT phone_index FROM account WHERE id = ?)", (viewer.account_id,))
        | Where("t.appointment_id IN (SELECT id FROM appointment WHERE account_id = ?)", (viewer.account_id,))
        | Where("t.organisation_id IN (?)", (filled,))
        | Where("t.community_id IN (?)", (founded,))
    )


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[InvitationRow | None]:
    """The invitations with these ids that the viewer may see, None for each of the others."""
    where = visible_to(ctx.viewer)
    return await by_ids(InvitationRow, ids, where)


async def invitation(invitation_id: UUID) -> InvitationRow:
    return await existing(InvitationRow, invitation_id)


async def invitations_of(
    ctx: Context, organisations: Sequence[OrganisationRow], args: PageArgs
) -> list[Page[InvitationRow] | None]:
    """The offers of each organisation, the newest first; None for who does not fill its offices."""
    seen = [row.id for row in organisations if can_see_invitations(ctx.viewer, row)]
    found = await pages(InvitationRow, seen, by="organisation_id", args=args)
    by_office = dict(zip(seen, found, strict=True))
    return [by_office.get(row.id) for row in organisations]


async def offers_to(_ctx: Context, accounts: Sequence[AccountRow]) -> list[list[InvitationRow]]:
    """The open offers to each account's phone, the newest first."""
    rows = await every(
        InvitationRow,
        Where(
            "t.phone_index IN (?) AND t.status = ? AND t.expires_at > ?",
            ({account.phone_index for account in accounts}, InvitationStatus.OPEN, now()),
        ),
        "t.id DESC",
    )
    return [[row for row in rows if row.phone_index == account.phone_index] for account in accounts]


async def appointments_of(_ctx: Context, rows: Sequence[InvitationRow]) -> list[AppointmentRow | None]:
    """What came of each: for who has just accepted, too, and did not belong to the community before."""
    return await by_ids(AppointmentRow, [row.appointment_id for row in rows])


async def inviters_of(ctx: Context, rows: Sequence[InvitationRow]) -> list[NeighbourRow]:
    """Who invited, as neighbours know them."""
    return await neighbours(ctx, [(row.invited_by_id, row.community_id) for row in rows])


async def masked_phones(ctx: Context, rows: Sequence[InvitationRow]) -> list[str | None]:
    """Each open offer's phone, masked; None once it is decided."""
    keys = ctx.services.keys
    return [
        mask_phone(keys.open(privacy.PHONE, row.phone_sealed)) if row.phone_sealed else None for row in rows
    ]
