"""Organisations: who may do what, and who appoints whom."""

import asyncio
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id
from models.identity import AccountRow, CommunityRow
from models.notices import NoticeCategory, Severity, may_publish
from models.organisations import AppointmentRow, OrganisationRow
from models.powers import POWERS, Power, has_power, has_power_in
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from models.visibility import NOBODY
from resolvers import identity, organisations
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.identity.addresses import communities_by_id
from resolvers.identity.faces import neighbours
from subscriptions.events import STANDING
from tests.world import World, counted

COMMITTEE, COMPANY = OrganisationKind.RESIDENTS_COMMITTEE, OrganisationKind.PROPERTY_COMPANY


def phone_of(world: World, account: AccountRow) -> str:
    return world.services.keys.open("phone", account.phone_sealed)


async def standing_changes(world: World) -> list[UUID]:
    return [event.event.subject for event in await world.events(STANDING)]


def test_every_kind_has_powers_written_down() -> None:
    assert set(POWERS) == set(OrganisationKind)
    assert all(Power.MANAGE_OFFICERS in POWERS[kind][Role.ADMIN] for kind in OrganisationKind)


def test_only_the_residents_committee_sees_real_names_and_verifies() -> None:
    for power in (Power.UNMASK, Power.VERIFY_RESIDENTS, Power.IMPORT_REGISTER, Power.PUBLISH_EMERGENCIES):
        holders = {
            (kind, role) for kind, roles in POWERS.items() for role, held in roles.items() if power in held
        }
        assert holders == {(COMMITTEE, Role.ADMIN), (COMMITTEE, Role.OFFICER)}


@pytest.mark.parametrize(
    ("kind", "role", "category", "severity", "may"),
    [
        (COMMITTEE, Role.OFFICER, NoticeCategory.SAFETY, Severity.EMERGENCY, True),
        (COMMITTEE, Role.GRID_WORKER, NoticeCategory.GENERAL, Severity.INFORMATION, False),
        (COMPANY, Role.OFFICER, NoticeCategory.OUTAGE, Severity.URGENT, True),
        (COMPANY, Role.OFFICER, NoticeCategory.GENERAL, Severity.INFORMATION, True),
        (COMPANY, Role.ADMIN, NoticeCategory.OUTAGE, Severity.EMERGENCY, False),
        (COMPANY, Role.ADMIN, NoticeCategory.HEALTH, Severity.INFORMATION, False),
        (OrganisationKind.OWNERS_COMMITTEE, Role.ADMIN, NoticeCategory.GENERAL, Severity.INFORMATION, False),
    ],
)
async def test_who_may_publish_what(
    world: World,
    community: CommunityRow,
    kind: OrganisationKind,
    role: Role,
    category: NoticeCategory,
    severity: Severity,
    may: bool,
) -> None:
    organisation = await world.organisation(community, kind)
    viewer = (await world.context(await world.officer(organisation, role))).viewer
    assert may_publish(viewer, organisation.id, category, severity) is may
    assert not may_publish(viewer, new_id(), category, severity)
    assert not may_publish(NOBODY, organisation.id, category, severity)


async def test_a_power_holds_in_one_community(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    other = await world.organisation(await world.community())
    viewer = (await world.context(admin)).viewer
    assert has_power_in(viewer, community.id, Power.MODERATE)
    assert not has_power_in(viewer, other.community_id, Power.MODERATE)
    assert not has_power(viewer, other.id, Power.MODERATE)


async def test_an_admin_appoints_and_revokes(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    clerk = await world.account()
    ctx = await world.context(admin)
    made = await organisations.grant_role(
        ctx, organisation_id=committee.id, role=Role.OFFICER, phone=phone_of(world, clerk)
    )
    assert (made.account_id, made.role) == (clerk.id, Role.OFFICER)
    assert has_power((await world.context(clerk)).viewer, committee.id, Power.PUBLISH_NOTICES)
    assert await standing_changes(world) == [clerk.id]
    again = await organisations.grant_role(
        ctx, organisation_id=committee.id, role=Role.OFFICER, phone=phone_of(world, clerk)
    )
    assert again.id == made.id
    assert await standing_changes(world) == [clerk.id]
    for _ in range(2):
        ended = await organisations.revoke_role(ctx, appointment_id=made.id)
        assert ended.revoked_at is not None
    assert not has_power((await world.context(clerk)).viewer, committee.id, Power.PUBLISH_NOTICES)
    assert await standing_changes(world) == [clerk.id, clerk.id]
    assert [entry.action for entry in await AuditRow.all().order_by("id")] == ["grantRole", "revokeRole"]


async def test_a_neighbour_is_appointed_by_face(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    resident = await world.neighbour(community)
    ctx = await world.context(admin)
    (face,) = await neighbours(ctx, [(resident.id, community.id)])
    grid = await world.grid(community)
    made = await organisations.grant_role(
        ctx, organisation_id=committee.id, role=Role.GRID_WORKER, grid_id=grid.id, neighbour_id=face.id
    )
    assert (made.account_id, made.grid_id) == (resident.id, grid.id)
    assert grid.id in (await world.context(resident)).viewer.offices[committee.id].grids


async def test_what_is_no_appointment_is_refused(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    clerk = phone_of(world, await world.account())
    foreign_grid = await world.grid(await world.community())
    grid = await world.grid(community)
    wrong: list[tuple[Role, UUID | None, str | None, UUID | None]] = [
        (Role.GRID_WORKER, None, clerk, None),
        (Role.GRID_WORKER, foreign_grid.id, clerk, None),
        (Role.OFFICER, grid.id, clerk, None),
        (Role.OFFICER, None, None, None),
        (Role.OFFICER, None, "13912345678", None),
        (Role.OFFICER, None, None, new_id()),
        (Role.OFFICER, None, clerk, new_id()),
    ]
    for role, grid_id, phone, neighbour_id in wrong:
        with pytest.raises(InvalidInput):
            await organisations.grant_role(
                ctx,
                organisation_id=committee.id,
                role=role,
                grid_id=grid_id,
                phone=phone,
                neighbour_id=neighbour_id,
            )
    assert await AppointmentRow.all().count() == 1


async def test_the_last_admin_stays(world: World, committee: OrganisationRow, admin: AccountRow) -> None:
    ctx = await world.context(admin)
    own = await AppointmentRow.get(account_id=admin.id)
    with pytest.raises(Conflict):
        await organisations.revoke_role(ctx, appointment_id=own.id)
    assert (await AppointmentRow.get(id=own.id)).revoked_at is None
    assert await standing_changes(world) == []


async def test_two_admins_cannot_both_be_revoked_at_once(
    world: World, committee: OrganisationRow, admin: AccountRow
) -> None:
    second = await world.officer(committee, Role.ADMIN)
    first_held = await AppointmentRow.get(account_id=admin.id)
    second_held = await AppointmentRow.get(account_id=second.id)
    results = await asyncio.gather(
        organisations.revoke_role(await world.context(admin), appointment_id=second_held.id),
        organisations.revoke_role(await world.context(second), appointment_id=first_held.id),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert await AppointmentRow.filter(revoked_at=None).count() == 1


async def test_the_committee_names_the_first_admin_of_another(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    company = await world.organisation(community, COMPANY)
    ctx = await world.context(admin)
    manager = await world.account()
    phone = phone_of(world, manager)
    with pytest.raises(NotAllowed):
        await organisations.grant_role(ctx, organisation_id=company.id, role=Role.OFFICER, phone=phone)
    await organisations.grant_role(ctx, organisation_id=company.id, role=Role.ADMIN, phone=phone)
    with pytest.raises(NotAllowed):
        await organisations.grant_role(
            ctx, organisation_id=company.id, role=Role.ADMIN, phone=phone_of(world, admin)
        )
    assert await AppointmentRow.filter(organisation_id=company.id).count() == 1
    assert await AuditRow.filter(refused=True).count() == 2


async def test_nobody_else_appoints(
    world: World, community: CommunityRow, committee: OrganisationRow
) -> None:
    clerk = await world.officer(committee, Role.OFFICER)
    held = await AppointmentRow.get()
    company_admin = await world.officer(await world.organisation(community, COMPANY), Role.ADMIN)
    stranger = await world.neighbour(await world.community())
    for account, error in (
        (clerk, NotAllowed),
        (company_admin, NotAllowed),
        (stranger, NotFound),
        (None, Unauthenticated),
    ):
        ctx = await world.context(account)
        with pytest.raises(error):
            await organisations.grant_role(
                ctx, organisation_id=committee.id, role=Role.ADMIN, phone=phone_of(world, clerk)
            )
        with pytest.raises(error):
            await organisations.revoke_role(ctx, appointment_id=held.id)
    assert await AppointmentRow.filter(role=Role.ADMIN, organisation_id=committee.id).count() == 0
    assert (await AppointmentRow.get(id=held.id)).revoked_at is None
    assert await AuditRow.filter(refused=True).count() == 4


async def test_members_are_shown_to_the_community_only(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    inside = await world.context(await world.neighbour(community))
    (row,) = await organisations.visible_organisations_by_id(inside, [committee.id])
    assert row
    (page,) = await organisations.members_of(inside, [row], PageArgs(first=10))
    assert [item.account_id for item in page.items] == [admin.id]
    held = page.items[0].id
    assert (await organisations.visible_appointments_by_id(inside, [held]))[0] is not None
    for account in (await world.account(), await world.neighbour(await world.community())):
        outside = await world.context(account)
        assert await organisations.visible_organisations_by_id(outside, [committee.id]) == [None]
        assert await organisations.visible_appointments_by_id(outside, [held]) == [None]
        assert (await organisations.members_of(outside, [row], PageArgs(first=10)))[0].items == []
        (found,) = await communities_by_id(outside, [community.id])
        assert found
        assert (await organisations.organisations_of(outside, [found], PageArgs(first=10)))[0].items == []


async def test_members_take_one_statement_for_any_number(world: World, community: CommunityRow) -> None:
    ctx = await world.context(await world.neighbour(community))
    made = [await world.organisation(community) for _ in range(30)]
    for organisation in made:
        await world.officer(organisation)
    rows = [row for row in await organisations.visible_organisations_by_id(ctx, [m.id for m in made]) if row]
    counts = []
    for some in (rows[:1], rows):
        async with counted() as queries:
            pages = await organisations.members_of(ctx, some, PageArgs(first=10))
            holders = await identity.neighbours_of(ctx, [item for page in pages for item in page.items])
        assert [holder.office is not None for holder in holders] == [True] * len(some)
        counts.append(queries.count)
    assert counts[0] == counts[1]


async def test_creating_an_admin_again_changes_nothing(world: World) -> None:
    made = [
        await organisations.create_admin(
            world.services, phone="13900001111", community="屯乐苑社区", organisation="屯乐苑居委会"
        )
        for _ in range(2)
    ]
    assert await AccountRow.all().count() == 1
    assert await CommunityRow.all().count() == 1
    assert await OrganisationRow.all().count() == 1
    assert await AppointmentRow.all().count() == 1
    assert await standing_changes(world) == made[:1] == made[1:]
    ctx = await world.context(await AccountRow.get())
    assert has_power(ctx.viewer, (await OrganisationRow.get()).id, Power.MANAGE_OFFICERS)
