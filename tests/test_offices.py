"""The back offices: invitations, organisations, grids and their workers, figures, and who may do what."""

import asyncio
import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import AccountRow, BuildingRow, CommunityRow, GridRow
from models.jobs import JobRow
from models.notices import BuildingReachRow, NoticeCategory, NoticeRow, NoticeStatus, Severity
from models.organisations import AppointmentRow, InvitationRow, InvitationStatus, OrganisationRow
from models.powers import Power, has_power, powers_in_order
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.identity.addresses import grids_by_id, homes_by_id, organisations_by_id
from resolvers.jobs import Worker
from resolvers.offices import exports, founding, grids, invitations, statistics
from resolvers.tables import BYTE_ORDER_MARK
from subscriptions.events import STANDING
from tests.world import World, counted

COMMITTEE, COMPANY = OrganisationKind.RESIDENTS_COMMITTEE, OrganisationKind.PROPERTY_COMPANY
PHONE = "13912345678"


def phone_of(world: World, account: AccountRow) -> str:
    return world.services.keys.open("phone", account.phone_sealed)


async def standing_changes(world: World) -> list[UUID]:
    return [event.event.subject for event in await world.events(STANDING)]


async def audited(*, refused: bool = False) -> list[str]:
    return [entry.action for entry in await AuditRow.filter(refused=refused).order_by("id")]


async def invited(
    world: World,
    ctx: Context,
    organisation: OrganisationRow,
    phone: str = PHONE,
    role: Role = Role.OFFICER,
    key: str = "key",
    grid: GridRow | None = None,
) -> InvitationRow:
    return await invitations.invite(
        ctx,
        organisation_id=organisation.id,
        role=role,
        grid_id=grid.id if grid else None,
        phone=phone,
        key=key,
    )


# Invitations


async def test_somebody_who_never_signed_in_is_invited(
    world: World, committee: OrganisationRow, admin: AccountRow
) -> None:
    made = await invited(world, await world.context(admin), committee)
    assert made.status is InvitationStatus.OPEN
    ((phone, text),) = world.sms.sent
    assert phone == f"+86{PHONE}"
    assert committee.name in text
    # Kept sealed, and found again by the account that the phone makes later.
    stored = await InvitationRow.get(id=made.id)
    assert PHONE not in f"{stored.phone_sealed} {stored.phone_index} {stored.open_key}"
    keys = world.services.keys
    clerk = await AccountRow.create(
        phone_index=keys.index("phone", f"+86{PHONE}"),
        phone_sealed=keys.seal("phone", f"+86{PHONE}"),
        display_name="新人",
    )
    ctx = await world.context(clerk)
    (offers,) = await invitations.offers_to(ctx, [clerk])
    assert [offer.id for offer in offers] == [made.id]
    assert await invitations.masked_phones(ctx, offers) == ["139****5678"]

    accepted = await invitations.accept(ctx, invitation_id=made.id)
    assert accepted.status is InvitationStatus.ACCEPTED
    assert has_power((await world.context(clerk)).viewer, committee.id, Power.PUBLISH_NOTICES)
    assert await standing_changes(world) == [clerk.id]
    # The phone is forgotten, and the job that would have ended the offer.
    stored = await InvitationRow.get(id=made.id)
    assert {stored.phone_index, stored.phone_sealed, stored.open_key} == {None}
    assert await JobRow.filter(subject_id=made.id).count() == 0
    assert await audited() == ["inviteOfficer", "acceptInvitation"]
    with pytest.raises(Conflict):
        await invitations.accept(ctx, invitation_id=made.id)
    assert (await invitations.offers_to(ctx, [clerk])) == [[]]


async def test_an_invitation_is_repeated_without_a_second_message(
    world: World, committee: OrganisationRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    first = await invited(world, ctx, committee)
    again = await invited(world, ctx, committee)
    assert again.id == first.id
    assert len(world.sms.sent) == 1
    # One open offer a phone and role; another role is another offer.
    with pytest.raises(Conflict) as conflict:
        await invited(world, ctx, committee, key="other")
    assert conflict.value.current == first.id
    await invited(world, ctx, committee, role=Role.ADMIN, key="admin")
    assert await InvitationRow.all().count() == 2
    assert len(world.sms.sent) == 2


async def test_of_two_invitations_at_once_one_is_made(
    world: World, committee: OrganisationRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    results = await asyncio.gather(
        *[invited(world, ctx, committee, key=str(number)) for number in range(4)], return_exceptions=True
    )
    assert sum(isinstance(result, Conflict) for result in results) == 3
    assert await InvitationRow.filter(status=InvitationStatus.OPEN).count() == 1


async def test_a_message_that_cannot_be_sent_undoes_nothing(
    world: World, committee: OrganisationRow, admin: AccountRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(_phone: str, _text: str) -> None:
        # The offer is committed by now.
        assert await InvitationRow.all().count() == 1
        raise OSError

    monkeypatch.setattr(world.sms, "send", unreachable)
    made = await invited(world, await world.context(admin), committee)
    assert (await InvitationRow.get(id=made.id)).status is InvitationStatus.OPEN


async def test_an_invitation_is_declined_or_revoked(
    world: World, committee: OrganisationRow, admin: AccountRow
) -> None:
    clerk, other = await world.account(), await world.account()
    ctx = await world.context(admin)
    declined = await invited(world, ctx, committee, phone_of(world, clerk), key="1")
    revoked = await invited(world, ctx, committee, phone_of(world, other), key="2")
    with pytest.raises(NotFound):
        await invitations.decline(await world.context(other), invitation_id=declined.id)
    after = await invitations.decline(await world.context(clerk), invitation_id=declined.id)
    assert after.status is InvitationStatus.DECLINED
    after = await invitations.revoke(ctx, invitation_id=revoked.id)
    assert after.status is InvitationStatus.REVOKED
    with pytest.raises(NotFound):
        await invitations.accept(await world.context(other), invitation_id=revoked.id)
    for row in (declined, revoked):
        with pytest.raises(Conflict):
            await invitations.revoke(ctx, invitation_id=row.id)
    assert await AppointmentRow.filter(account_id__in=[clerk.id, other.id]).count() == 0
    assert await standing_changes(world) == []


async def test_an_invitation_expires(world: World, committee: OrganisationRow, admin: AccountRow) -> None:
    clerk = await world.account()
    ctx = await world.context(admin)
    made = await invited(world, ctx, committee, phone_of(world, clerk))
    await InvitationRow.filter(id=made.id).update(expires_at=now() - timedelta(seconds=1))
    with pytest.raises(Conflict):
        await invitations.accept(await world.context(clerk), invitation_id=made.id)
    assert await invitations.offers_to(ctx, [clerk]) == [[]]
    # Before the job comes round, the same phone may be invited anew.
    await invited(world, ctx, committee, phone_of(world, clerk), key="anew")
    assert (await InvitationRow.get(id=made.id)).status is InvitationStatus.EXPIRED


async def test_the_job_ends_what_nobody_answered(
    world: World, committee: OrganisationRow, admin: AccountRow
) -> None:
    made = await invited(world, await world.context(admin), committee)
    past = now() - timedelta(seconds=1)
    await InvitationRow.filter(id=made.id).update(expires_at=past)
    await JobRow.filter(subject_id=made.id).update(due_at=past)
    await Worker(world.services).work()
    stored = await InvitationRow.get(id=made.id)
    assert stored.status is InvitationStatus.EXPIRED
    assert {stored.phone_index, stored.phone_sealed, stored.open_key} == {None}


async def test_who_may_invite(world: World, community: CommunityRow, committee: OrganisationRow) -> None:
    company = await world.organisation(community, COMPANY)
    for account in (
        await world.officer(committee),
        await world.officer(company, Role.ADMIN),
        await world.neighbour(community),
    ):
        with pytest.raises(NotAllowed):
            await invited(world, await world.context(account), committee)
    with pytest.raises(Unauthenticated):
        await invited(world, await world.context(), committee)
    with pytest.raises(NotFound):
        await invited(world, await world.context(await world.account()), committee)
    assert await audited(refused=True) == ["inviteOfficer"] * 3
    assert (await InvitationRow.all().count(), world.sms.sent) == (0, [])


async def test_the_first_administrator_is_invited_by_the_committee(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    company = await world.organisation(community, COMPANY)
    ctx = await world.context(admin)
    with pytest.raises(NotAllowed):
        await invited(world, ctx, company, key="officer")
    first, second = await world.account(), await world.account()
    one = await invited(world, ctx, company, phone_of(world, first), Role.ADMIN, key="1")
    two = await invited(world, ctx, company, phone_of(world, second), Role.ADMIN, key="2")
    await invitations.accept(await world.context(first), invitation_id=one.id)
    # Once there is one, the offer of the first administrator's office holds no longer.
    with pytest.raises(Conflict):
        await invitations.accept(await world.context(second), invitation_id=two.id)
    with pytest.raises(NotAllowed):
        await invited(world, ctx, company, PHONE, Role.ADMIN, key="3")
    assert await AppointmentRow.filter(organisation_id=company.id).count() == 1


async def test_what_is_no_invitation(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    clerk = await world.officer(committee)
    grid = await world.grid(community)
    foreign = await world.grid(await world.community())
    wrong: list[tuple[str, Role, GridRow | None]] = [
        ("no phone", Role.OFFICER, None),
        (phone_of(world, clerk), Role.OFFICER, None),
        (PHONE, Role.OFFICER, grid),
        (PHONE, Role.GRID_WORKER, None),
        (PHONE, Role.GRID_WORKER, foreign),
    ]
    for number, (phone, role, where) in enumerate(wrong):
        with pytest.raises(InvalidInput):
            await invited(world, ctx, committee, phone, role, str(number), where)
    assert (await InvitationRow.all().count(), world.sms.sent) == (0, [])


async def test_who_sees_invitations(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    made = await invited(world, ctx, committee)
    (row,) = await organisations_by_id(ctx, [committee.id])
    assert row is not None
    (page,) = await invitations.invitations_of(ctx, [row], PageArgs(first=5))
    assert page is not None
    assert [item.id for item in page.items] == [made.id]
    company = await world.organisation(community, COMPANY)
    for account in (await world.officer(committee), await world.officer(company, Role.ADMIN)):
        other = await world.context(account)
        assert await invitations.invitations_of(other, [row], PageArgs(first=5)) == [None]
        assert await invitations.visible_by_ids(other, [made.id]) == [None]


# Organisations


async def founded(ctx: Context, community: CommunityRow, **said: Any) -> OrganisationRow:
    wanted = {"kind": COMPANY, "name": "阳光物业", "key": "key", **said}
    return await founding.create_organisation(ctx, community_id=community.id, **wanted)


async def test_the_committee_makes_organisations(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    made = await founded(ctx, community)
    assert (made.kind, made.name, made.version) == (COMPANY, "阳光物业", 1)
    assert (await founded(ctx, community)).id == made.id
    wrong: list[dict[str, Any]] = [
        {"key": "2"},
        {"key": "3", "name": " "},
        {"key": "4", "name": "两\n行"},
        {"key": "5", "name": "第二居委会", "kind": COMMITTEE},
    ]
    for said in wrong:
        with pytest.raises(InvalidInput):
            await founded(ctx, community, **said)
    assert await OrganisationRow.filter(community_id=community.id).count() == 2
    assert await audited() == ["createOrganisation"]


async def test_renaming_needs_the_version(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    made = await founded(ctx, community)
    renamed = await founding.rename_organisation(ctx, organisation_id=made.id, version=1, name="月光物业")
    assert (renamed.name, renamed.version) == ("月光物业", 2)
    with pytest.raises(Conflict) as conflict:
        await founding.rename_organisation(ctx, organisation_id=made.id, version=1, name="星光物业")
    assert conflict.value.current == made.id
    with pytest.raises(InvalidInput):
        await founding.rename_organisation(ctx, organisation_id=made.id, version=2, name=committee.name)
    assert (await OrganisationRow.get(id=made.id)).name == "月光物业"


async def test_of_two_clerks_who_rename_one_has_a_conflict(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    made = await founded(ctx, community)
    results = await asyncio.gather(
        *[
            founding.rename_organisation(ctx, organisation_id=made.id, version=1, name=f"物业{number}")
            for number in range(3)
        ],
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 2
    assert (await OrganisationRow.get(id=made.id)).version == 2


async def test_who_may_make_and_rename(
    world: World, community: CommunityRow, committee: OrganisationRow
) -> None:
    company = await world.organisation(community, COMPANY)
    manager = await world.context(await world.officer(company, Role.ADMIN))
    clerk = await world.context(await world.officer(committee))
    for ctx in (manager, clerk):
        with pytest.raises(NotAllowed):
            await founded(ctx, community)
        with pytest.raises(NotAllowed):
            await founding.rename_organisation(ctx, organisation_id=committee.id, version=1, name="x")
    # Its own name an organisation's administrator may change.
    await founding.rename_organisation(manager, organisation_id=company.id, version=1, name="新名")
    stranger = await world.context(await world.account())
    with pytest.raises(NotFound):
        await founded(stranger, community)
    assert await OrganisationRow.filter(community_id=community.id).count() == 2
    assert await audited(refused=True) == ["createOrganisation", "renameOrganisation"] * 2


# Grids


class Block:
    """Two buildings with a resident each, and two grids."""

    def __init__(self, world: World, community: CommunityRow) -> None:
        self.world, self.community = world, community
        self.buildings: list[BuildingRow] = []
        self.residents: list[AccountRow] = []
        self.grids: list[GridRow] = []

    async def build(self) -> "Block":
        estate = await self.world.estate(self.community)
        for _ in range(2):
            self.grids.append(await self.world.grid(self.community))
            building = await self.world.building(estate)
            self.buildings.append(building)
            self.residents.append(await self.world.resident(await self.world.home(building)))
        return self

    async def assign(self, ctx: Context, grid: int, version: int, *buildings: int) -> GridRow:
        ids = [self.buildings[number].id for number in buildings]
        return await grids.assign_buildings(
            ctx, grid_id=self.grids[grid].id, version=version, building_ids=ids
        )


@pytest.fixture
async def block(world: World, community: CommunityRow) -> Block:
    return await Block(world, community).build()


async def test_grids_are_made_and_renamed(world: World, community: CommunityRow, admin: AccountRow) -> None:
    ctx = await world.context(admin)
    made = await grids.create_grid(ctx, community_id=community.id, name="第一网格", key="1")
    again = await grids.create_grid(ctx, community_id=community.id, name="第一网格", key="1")
    assert (again.id, again.version) == (made.id, 1)
    with pytest.raises(InvalidInput):
        await grids.create_grid(ctx, community_id=community.id, name="第一网格", key="2")
    renamed = await grids.rename_grid(ctx, grid_id=made.id, version=1, name="东网格")
    assert (renamed.name, renamed.version) == ("东网格", 2)
    with pytest.raises(Conflict):
        await grids.rename_grid(ctx, grid_id=made.id, version=1, name="西网格")
    assert await audited() == ["createGrid", "renameGrid"]


async def test_buildings_move_between_grids(world: World, admin: AccountRow, block: Block) -> None:
    ctx = await world.context(admin)
    first = await block.assign(ctx, 0, 1, 0, 1)
    assert first.version == 2
    assert set(await standing_changes(world)) == {resident.id for resident in block.residents}
    assert block.grids[0].id in (await world.context(block.residents[0])).viewer.scopes
    await block.assign(ctx, 1, 1, 1)
    moved = await BuildingRow.get(id=block.buildings[1].id)
    assert moved.grid_id == block.grids[1].id
    # The grid that lost it is another than the one that was looked at.
    with pytest.raises(Conflict):
        await block.assign(ctx, 0, 2, 1)
    released = await grids.release_buildings(
        ctx, grid_id=block.grids[0].id, version=3, building_ids=[building.id for building in block.buildings]
    )
    assert released.version == 4
    left = [building.grid_id for building in await BuildingRow.all().order_by("id")]
    assert left == [None, block.grids[1].id]
    assert len(await standing_changes(world)) == 4
    assert await audited() == ["assignBuildings", "assignBuildings", "releaseBuildings"]


async def test_two_who_move_buildings_at_once_do_not_wait_for_ever(
    world: World, admin: AccountRow, block: Block
) -> None:
    ctx = await world.context(admin)
    await block.assign(ctx, 0, 1, 0)
    await block.assign(ctx, 1, 1, 1)
    results = await asyncio.gather(
        block.assign(ctx, 0, 2, 1), block.assign(ctx, 1, 2, 0), return_exceptions=True
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1


async def test_foreign_buildings_are_refused(world: World, admin: AccountRow, block: Block) -> None:
    ctx = await world.context(admin)
    foreign = await world.building(await world.estate(await world.community()))
    wrong: list[list[UUID]] = [[], [foreign.id], [block.buildings[0].id, new_id()]]
    for ids in wrong:
        with pytest.raises(InvalidInput):
            await grids.assign_buildings(ctx, grid_id=block.grids[0].id, version=1, building_ids=ids)
    assert await BuildingRow.filter(grid_id=None).count() == 3


async def test_a_worker_is_given_another_grid(
    world: World, committee: OrganisationRow, admin: AccountRow, block: Block
) -> None:
    ctx = await world.context(admin)
    await block.assign(ctx, 0, 1, 0)
    worker = await world.officer(committee, Role.GRID_WORKER, block.grids[1], name="刘敏")
    held = await AppointmentRow.get(account_id=worker.id)
    resident = await world.context(block.residents[0])
    homes = [home for home in await homes_by_id(resident, list(resident.viewer.homes)) if home]
    assert await grids.workers_of_homes(resident, homes) == [[]]

    moved = await grids.assign_worker(ctx, appointment_id=held.id, version=1, grid_id=block.grids[0].id)
    assert (moved.grid_id, moved.version) == (block.grids[0].id, 2)
    assert worker.id in await standing_changes(world)
    with pytest.raises(Conflict):
        await grids.assign_worker(ctx, appointment_id=held.id, version=1, grid_id=block.grids[1].id)
    clerk = await AppointmentRow.get(account_id=admin.id)
    with pytest.raises(InvalidInput):
        await grids.assign_worker(ctx, appointment_id=clerk.id, version=1, grid_id=block.grids[0].id)

    # Now the resident sees who looks after the home, and a stranger does not.
    (found,) = await grids.workers_of_homes(resident, homes)
    assert [row.account_id for row in found] == [worker.id]
    rows = [row for row in await grids_by_id(ctx, [grid.id for grid in block.grids]) if row]
    assert [len(rows) for rows in await grids.workers_of(resident, rows)] == [1, 0]
    stranger = await world.context(await world.neighbour(await world.community()))
    assert await grids.workers_of(stranger, rows) == [[], []]
    assert await grids.workers_of_homes(stranger, homes) == [[]]


async def test_only_administrators_of_the_committee_manage_grids(
    world: World, community: CommunityRow, committee: OrganisationRow, block: Block
) -> None:
    company = await world.organisation(community, COMPANY)
    worker = await world.officer(committee, Role.GRID_WORKER, block.grids[0])
    held = await AppointmentRow.get(account_id=worker.id)
    grid, building = block.grids[0].id, [block.buildings[0].id]
    for account in (await world.officer(committee), await world.officer(company, Role.ADMIN)):
        ctx = await world.context(account)
        for attempt in (
            grids.create_grid(ctx, community_id=community.id, name="x", key="k"),
            grids.rename_grid(ctx, grid_id=grid, version=1, name="x"),
            grids.assign_buildings(ctx, grid_id=grid, version=1, building_ids=building),
            grids.release_buildings(ctx, grid_id=grid, version=1, building_ids=building),
            grids.assign_worker(ctx, appointment_id=held.id, version=1, grid_id=block.grids[1].id),
        ):
            with pytest.raises(NotAllowed):
                await attempt
    stranger = await world.context(await world.neighbour(await world.community()))
    with pytest.raises(NotFound):
        await grids.rename_grid(stranger, grid_id=grid, version=1, name="x")
    assert await audited(refused=True) == [
        "createGrid", "renameGrid", "assignBuildings", "releaseBuildings", "assignWorker"
    ] * 2  # fmt: skip
    assert await GridRow.filter(community_id=community.id).count() == 2
    assert await BuildingRow.filter(community_id=community.id, grid_id=None).count() == 2
    assert await standing_changes(world) == []


# Figures


AT = datetime(2026, 3, 1, tzinfo=UTC)


async def noticed(
    organisation: OrganisationRow,
    at: datetime,
    category: NoticeCategory,
    reached: dict[UUID, tuple[int, int, int, int, int]],
    severity: Severity = Severity.URGENT,
) -> None:
    id = new_id()
    await NoticeRow.create(
        id=id,
        community_id=organisation.community_id,
        organisation_id=organisation.id,
        author_id=new_id(),
        root_id=id,
        category=category,
        severity=severity,
        status=NoticeStatus.ACTIVE,
        title="t",
        body="b",
        starts_at=at,
        created_at=at,
    )
    for building_id, (targeted, delivered, seen, acknowledged, in_person) in reached.items():
        await BuildingReachRow.create(
            notice_id=id,
            building_id=building_id,
            targeted=targeted,
            delivered=delivered,
            seen=seen,
            acknowledged=acknowledged,
            in_person=in_person,
        )


async def row_of(organisation: OrganisationRow) -> OrganisationRow:
    nobody: Any = None
    (row,) = await organisations_by_id(Context(nobody, None), [organisation.id])
    assert row is not None
    return row


def told(row: statistics.ReachFigures) -> tuple[int, ...]:
    return (row.notices, row.targeted, row.delivered, row.seen, row.acknowledged, row.in_person, row.reached)


async def test_reach_in_whole_numbers(
    world: World, committee: OrganisationRow, admin: AccountRow, block: Block
) -> None:
    one, two = (building.id for building in block.buildings)
    await noticed(committee, AT, NoticeCategory.OUTAGE, {one: (10, 9, 8, 7, 1), two: (5, 4, 3, 2, 1)})
    # In China it is April by then.
    late = datetime(2026, 3, 31, 17, tzinfo=UTC)
    await noticed(committee, late, NoticeCategory.SAFETY, {one: (10, 10, 10, 10, 0)}, Severity.EMERGENCY)
    await noticed(committee, AT, NoticeCategory.OUTAGE, {})
    await noticed(committee, AT - timedelta(microseconds=1), NoticeCategory.OUTAGE, {one: (99, 0, 0, 0, 0)})
    await noticed(committee, AT + timedelta(days=60), NoticeCategory.OUTAGE, {one: (99, 0, 0, 0, 0)})
    ctx = await world.context(admin)
    (asked,) = await statistics.statistics_of(ctx, [await row_of(committee)], AT, AT + timedelta(days=60))
    (found,) = await statistics.notices_of(ctx, [asked])
    assert found is not None
    assert told(found.total) == (3, 25, 23, 21, 19, 2, 21)
    assert [(row.category, told(row)) for row in found.by_category] == [
        (NoticeCategory.OUTAGE, (2, 15, 13, 11, 9, 2, 11)),
        (NoticeCategory.SAFETY, (1, 10, 10, 10, 10, 0, 10)),
    ]
    assert [row.severity for row in found.by_severity] == [Severity.URGENT, Severity.EMERGENCY]
    buildings = await statistics.buildings_of(ctx, found.by_building)
    by_building = zip(buildings, found.by_building, strict=True)
    assert {building.id: told(row) for building, row in by_building if building} == {
        one: (2, 20, 19, 18, 17, 1, 18),
        two: (1, 5, 4, 3, 2, 1, 3),
    }
    assert [(row.month, row.notices) for row in found.by_month] == [("2026-03", 2), ("2026-04", 1)]
    assert all(type(number) is int for row in found.by_building for number in told(row))

    (text,) = await exports.notices_of(replace(ctx, language="en"), [asked])
    head, *lines = csv.reader(io.StringIO((text or "").removeprefix(BYTE_ORDER_MARK)))
    assert head == [*exports.NOTICES_HEADS]
    assert [[line[0], *line[3:]] for line in lines] == [
        ["outage", "1", "10", "9", "8", "7", "1"],
        ["outage", "1", "5", "4", "3", "2", "1"],
        ["safety", "1", "10", "10", "10", "10", "0"],
    ]


async def test_figures_cost_one_statement(
    world: World, committee: OrganisationRow, admin: AccountRow, block: Block
) -> None:
    ctx, row = await world.context(admin), await row_of(committee)
    costs = []
    for _ in range(2):
        for _ in range(20):
            await noticed(committee, AT, NoticeCategory.OUTAGE, {block.buildings[0].id: (1, 1, 1, 1, 0)})
        asked = await statistics.statistics_of(ctx, [row], AT, AT + timedelta(days=1))
        async with counted() as queries:
            await statistics.notices_of(ctx, asked)
        costs.append(queries.count)
    assert costs == [1, 1]


async def test_who_sees_figures(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    company = await world.organisation(community, COMPANY)
    period = (AT, AT + timedelta(days=1))
    manager = await world.context(await world.officer(company))
    leader = await world.context(admin)
    for ctx, organisation in ((manager, company), (leader, company), (leader, committee)):
        asked = await statistics.statistics_of(ctx, [await row_of(organisation)], *period)
        (found,) = await statistics.notices_of(ctx, asked)
        assert found is not None
        assert told(found.total) == (0,) * 7
    neighbour = await world.context(await world.neighbour(community))
    for ctx, organisation in ((manager, committee), (neighbour, company)):
        with pytest.raises(NotAllowed):
            await statistics.statistics_of(ctx, [await row_of(organisation)], *period)
    assert await audited(refused=True) == ["statistics"] * 2
    row = await row_of(company)
    for since, until in ((AT, AT), (AT, AT + timedelta(days=4000)), (AT.replace(tzinfo=None), AT)):
        with pytest.raises(InvalidInput):
            await statistics.statistics_of(manager, [row], since, until)


# The table


def rendered() -> str:
    """The table of powers, as docs/back-offices.md shows it."""
    lines = ["| office | role | powers |", "|---|---|---|"]
    for kind, role, powers in powers_in_order():
        if powers:
            names = ", ".join(f"`{power.name}`" for power in powers)
            lines.append(f"| `{kind.value}` | `{role.value}` | {names} |")
    return "\n".join(lines)


def test_the_documentation_has_the_table_as_it_is() -> None:
    text = (Path(__file__).parent.parent / "docs" / "back-offices.md").read_text()
    assert rendered() in text, f"docs/back-offices.md must hold this table:\n\n{rendered()}"
