"""Organisations and who holds which office in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models import privacy
from models.audit import Act
from models.base import now
from models.identity import AccountRow, CommunityRow, may_look_into
from models.messages import Message
from models.organisations import AppointmentRow, OrganisationRow, can_appoint
from models.powers import POWERS, Power, powers_of
from models.roles import OrganisationKind, Role
from models.storage.paging import OLDEST, Page, PageArgs
from models.storage.rows import Where, select, select_ids
from models.storage.tables import by_ids, every, insert, lists, update
from resolvers import audit
from resolvers.context import Context, Services
from resolvers.errors import Conflict, InvalidInput, Unauthenticated
from resolvers.existing import existing, locked, only
from resolvers.identity.addresses import grids_by_id, organisations_by_id
from resolvers.identity.faces import neighbours_by_id
from resolvers.identity.sign_in import account_with, check_phone, holder_of
from resolvers.limits import check_rate
from resolvers.paging import pages
from subscriptions.events import STANDING, Event, Kind
from subscriptions.work import unit_of_work

# Enough for founding an office, too few to learn who of a city has an account.
PHONES_AN_HOUR = 30


@dataclass(slots=True)
class Officer:
    account_id: UUID
    kind: OrganisationKind
    role: Role


async def officers_with(organisation_id: UUID, power: Power) -> list[UUID]:
    """The accounts that may do this in the name of an organisation, in the order of their appointment."""
    officers = await select(
        Officer,
        "SELECT a.account_id, o.kind, a.role FROM appointment a JOIN organisation o"
        " ON o.id = a.organisation_id WHERE o.id = ? AND a.revoked_at IS NULL ORDER BY a.id",
        organisation_id,
    )
    able = [row.account_id for row in officers if power in POWERS[row.kind].get(row.role, frozenset())]
    return list(dict.fromkeys(able))


async def visible_organisations_by_id(ctx: Context, ids: Sequence[UUID]) -> list[OrganisationRow | None]:
    """The organisations with these ids in communities that the viewer may look into."""
    return [
        row if row and may_look_into(ctx.viewer, row.community_id) else None
        for row in await organisations_by_id(ctx, ids)
    ]


async def organisation_for(ctx: Context, organisation_id: UUID) -> OrganisationRow:
    """The organisation, if the viewer may see it. Raises Unauthenticated, NotFound."""
    if ctx.viewer.account_id is None:
        raise Unauthenticated
    return only(await visible_organisations_by_id(ctx, [organisation_id]))


async def grant_role(
    ctx: Context,
    *,
    organisation_id: UUID,
    role: Role,
    grid_id: UUID | None = None,
    phone: str | None = None,
    neighbour_id: UUID | None = None,
) -> AppointmentRow:
    """Appoint a neighbour, or the account with this phone, to an office.

    Somebody who holds the role already keeps it as it is. Raises Conflict, NotFound, NotAllowed,
    InvalidInput, RateLimited.
    """
    organisation = await organisation_for(ctx, organisation_id)
    if not can_appoint(ctx.viewer, organisation, role, has_admin=await has_admin(organisation.id)):
        raise await audit.refuse(
            ctx, "grantRole", Message("Only an administrator of the organisation may do this"), organisation
        )
    await check_grid(ctx, organisation, role, grid_id)
    account_id = await account_meant(ctx, organisation, phone, neighbour_id)
    async with ctx.unit_of_work() as work:
        await locked(OrganisationRow, organisation.id)
        # Asked again behind the lock: of two who name the first administrator one does.
        if not can_appoint(ctx.viewer, organisation, role, has_admin=await has_admin(organisation.id)):
            raise Conflict(Message("The organisation has an administrator meanwhile"), organisation)
        appointment_id, new = await appoint(organisation, account_id, role, grid_id, ctx.account_id)
        if new:
            work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
            await audit.record(ctx, "grantRole", organisation, subject_id=appointment_id, detail=role.value)
    return await appointment(appointment_id)


async def revoke_role(ctx: Context, *, appointment_id: UUID) -> AppointmentRow:
    """End an appointment; the holder's powers and open subscriptions end with it.

    Revoking it again changes nothing. Raises NotFound, NotAllowed, and Conflict for the last
    administrator's.
    """
    if ctx.viewer.account_id is None:
        raise Unauthenticated
    row = await appointment(appointment_id)
    organisation = only(await visible_organisations_by_id(ctx, [row.organisation_id]))
    if not can_appoint(ctx.viewer, organisation, row.role, has_admin=True):
        raise await audit.refuse(
            ctx, "revokeRole", Message("Only an administrator of the organisation may do this"), row
        )
    async with ctx.unit_of_work() as work:
        await locked(OrganisationRow, organisation.id)
        ended = await update(
            AppointmentRow, Where("id = ? AND revoked_at IS NULL", (row.id,)), revoked_at=now()
        )
        if ended and row.role is Role.ADMIN and not await has_admin(organisation.id):
            raise Conflict(Message("An organisation keeps at least one administrator"), row)
        if ended:
            work.record(Event(STANDING, Kind.STANDING_CHANGED, row.account_id))
            await audit.record(ctx, "revokeRole", row, detail=row.role.value)
    return await appointment(row.id)


async def create_admin(
    services: Services,
    *,
    phone: str,
    community: str,
    organisation: str,
    kind: OrganisationKind = OrganisationKind.RESIDENTS_COMMITTEE,
    role: Role = Role.ADMIN,
    display_name: str | None = None,
) -> UUID:
    """Make the account with this phone an administrator, and whatever that takes; returns its id.

    For the operator's command line: community and organisation are named and made if there are none; doing
    it again changes nothing. Raises InvalidInput for what is no phone number.
    """
    normal = check_phone("phone", phone)
    async with unit_of_work(services.live) as work:
        account_id = await account_with(services, normal, display_name)
        place = await community_named(community)
        row = await organisation_named(place.id, organisation, kind)
        row = await locked(OrganisationRow, row.id)
        appointment_id, new = await appoint(row, account_id, role, None, None)
        if new:
            work.record(Event(STANDING, Kind.STANDING_CHANGED, account_id))
            # By the operator, who is no account.
            work.audit(
                Act(
                    action="createAdmin",
                    community_id=row.community_id,
                    organisation_id=row.id,
                    kind=row.kind,
                    subject_id=appointment_id,
                    detail=role.value,
                )
            )
    return account_id


async def organisations_of_ids(ids: Sequence[UUID]) -> list[OrganisationRow]:
    return await every(OrganisationRow, Where("t.id IN (?)", (ids,)))


async def community_named(name: str) -> CommunityRow:
    """The community with this name, made if there is none."""
    row = CommunityRow(name=name)
    if await insert(row, "(name) DO NOTHING"):
        return row
    return await existing(CommunityRow, Where("t.name = ?", (name,)))


async def organisation_named(community_id: UUID, name: str, kind: OrganisationKind) -> OrganisationRow:
    """The community's organisation with this name, made if there is none."""
    row = OrganisationRow(community_id=community_id, name=name, kind=kind)
    if await insert(row, "(community_id, name) DO NOTHING"):
        return row
    return await existing(OrganisationRow, Where("t.community_id = ? AND t.name = ?", (community_id, name)))


async def appoint(
    organisation: OrganisationRow, account_id: UUID, role: Role, grid_id: UUID | None, by: UUID | None
) -> tuple[UUID, bool]:
    """The current appointment with this role and grid, and whether it is new. Call it behind the lock."""
    held = await every(
        AppointmentRow,
        Where(
            "t.organisation_id = ? AND t.account_id = ? AND t.revoked_at IS NULL",
            (organisation.id, account_id),
        ),
    )
    for row in held:
        if (row.role, row.grid_id) == (role, grid_id):
            return row.id, False
    made = AppointmentRow(
        community_id=organisation.community_id,
        organisation_id=organisation.id,
        account_id=account_id,
        role=role,
        grid_id=grid_id,
        granted_by_id=by,
    )
    await insert(made)
    return made.id, True


async def has_admin(organisation_id: UUID) -> bool:
    return bool(
        await select_ids(
            "SELECT id FROM appointment WHERE organisation_id = ? AND role = 'ADMIN' AND revoked_at IS NULL",
            organisation_id,
        )
    )


async def check_grid(ctx: Context, organisation: OrganisationRow, role: Role, grid_id: UUID | None) -> None:
    """Raises InvalidInput unless a grid worker has a grid of the community and nobody else has one."""
    if role is not Role.GRID_WORKER:
        if grid_id is not None:
            raise InvalidInput(gridId=Message("Only a grid worker has a grid"))
        return
    (grid,) = await grids_by_id(ctx, [grid_id])
    if grid is None or grid.community_id != organisation.community_id:
        raise InvalidInput(gridId=Message("A grid worker has a grid of the community"))


async def account_meant(
    ctx: Context, organisation: OrganisationRow, phone: str | None, neighbour_id: UUID | None
) -> UUID:
    """The account with this phone, or of this neighbour in the organisation's community.

    Raises InvalidInput, and RateLimited for who tries out phones: the answer tells whose have an account.
    """
    if (phone is None) == (neighbour_id is None):
        raise InvalidInput(phone=Message("Give either a phone or a neighbour"))
    if neighbour_id is not None:
        (neighbour,) = await neighbours_by_id(ctx, [neighbour_id])
        if neighbour is None or neighbour.community_id != organisation.community_id:
            raise InvalidInput(neighbourId=Message("There is no such neighbour"))
        return neighbour.account_id
    index = ctx.services.keys.index(privacy.PHONE, check_phone("phone", phone or ""))
    await check_rate(ctx, "grantRole", PHONES_AN_HOUR, 3600)
    account = await holder_of(index)
    if account is None:
        raise InvalidInput(phone=Message("Nobody has signed in with this phone yet"))
    return account.id


async def appointment(appointment_id: UUID) -> AppointmentRow:
    return await existing(AppointmentRow, appointment_id)


async def visible_appointments_by_id(ctx: Context, ids: Sequence[UUID]) -> list[AppointmentRow | None]:
    """The appointments with these ids in communities that the viewer belongs to."""
    return await by_ids(AppointmentRow, ids, Where("t.community_id IN (?)", (ctx.viewer.communities,)))


async def organisations_of(
    ctx: Context, communities: Sequence[CommunityRow], args: PageArgs
) -> list[Page[OrganisationRow]]:
    """The organisations of each community; none where the viewer may not look in."""
    seen = {row.id for row in communities if may_look_into(ctx.viewer, row.id)}
    return await pages(
        OrganisationRow,
        [row.id for row in communities],
        by="community_id",
        args=args,
        where=Where("t.community_id IN (?)", (seen,)),
        order=OLDEST,
    )


async def members_of(
    ctx: Context, organisations: Sequence[OrganisationRow], args: PageArgs
) -> list[Page[AppointmentRow]]:
    """Who holds which office in each organisation now, for who belongs to the community."""
    return await pages(
        AppointmentRow,
        [row.id for row in organisations],
        by="organisation_id",
        args=args,
        where=Where("t.revoked_at IS NULL AND t.community_id IN (?)", (ctx.viewer.communities,)),
        order=OLDEST,
    )


def powers_held(ctx: Context, organisation_id: UUID) -> list[Power]:
    """What the viewer may do in the name of the organisation, in the order of `Power`."""
    office = ctx.viewer.offices.get(organisation_id)
    held = powers_of(office) if office else frozenset()
    return [power for power in Power if power in held]


async def offices_held(_ctx: Context, accounts: Sequence[AccountRow]) -> list[list[AppointmentRow]]:
    """The offices that each account holds now."""
    ids = [account.id for account in accounts]
    return await lists(AppointmentRow, ids, Where("t.revoked_at IS NULL"), by="account_id")
