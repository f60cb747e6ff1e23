"""Residency: applying, deciding, moving out, and who may see whom."""

import asyncio
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import (
    AccountRow,
    ApplicationRow,
    ApplicationStatus,
    CommunityRow,
    HomeRow,
    Relation,
    ResidencyRow,
)
from models.notifications import NotificationKind, NotificationRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.identity import applications, residencies, unmasking
from resolvers.identity.addresses import (
    communities,
    community_visible,
    homes_by_id,
    labels_of,
    organisations_by_id,
    visible_homes_by_id,
)
from resolvers.identity.faces import neighbours, neighbours_by_id
from subscriptions.events import STANDING, Kind
from tests.world import World, counted

NAME, DOCUMENT, EVIDENCE = "张三丰", "11010519491231002X", "沪房地浦字（2020）第012345号"


@pytest.fixture
async def home(world: World, community: CommunityRow) -> HomeRow:
    return await world.home(await world.building(await world.estate(community)))


@pytest.fixture
async def officer(world: World, committee: OrganisationRow) -> AccountRow:
    return await world.officer(committee)


@pytest.fixture
async def applicant(world: World) -> AccountRow:
    return await world.account("三丰")


async def apply(
    world: World, account: AccountRow, home: HomeRow, *, key: str | None = None, document: str = DOCUMENT
) -> ApplicationRow:
    return await applications.apply(
        await world.context(account),
        home_id=home.id,
        relation=Relation.OWNER,
        real_name=NAME,
        document_number=document,
        evidence=EVIDENCE,
        key=key or str(new_id()),
    )


async def standing_changes(world: World) -> list[UUID]:
    return [e.event.subject for e in await world.events(STANDING) if e.event.kind is Kind.STANDING_CHANGED]


async def test_an_approved_applicant_is_a_neighbour(
    world: World, community: CommunityRow, home: HomeRow, officer: AccountRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    assert application.status is ApplicationStatus.PENDING
    waiting = await world.context(applicant)
    assert not waiting.viewer.belongs_to(community.id)
    assert (await community_visible(waiting, community.id)).id == community.id
    decided = await applications.approve(
        await world.context(officer), application_id=application.id, version=application.version
    )
    assert decided.status is ApplicationStatus.APPROVED
    viewer = (await world.context(applicant)).viewer
    assert viewer.belongs_to(community.id)
    assert viewer.homes == {home.id}
    assert await standing_changes(world) == [applicant.id]
    told = await NotificationRow.get()
    assert (told.account_id, told.kind, told.subject_id) == (
        applicant.id,
        NotificationKind.RESIDENCY,
        application.id,
    )
    entry = await AuditRow.get()
    assert (entry.action, entry.account_id, entry.subject_id) == (
        "approveResidency",
        officer.id,
        application.id,
    )


async def test_a_decision_deletes_the_evidence_and_the_account_keeps_the_name_sealed(
    world: World, home: HomeRow, officer: AccountRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    kept = await ApplicationRow.get()
    for clear in (NAME, DOCUMENT, EVIDENCE):
        assert clear not in f"{kept.real_name_sealed}{kept.document_sealed}{kept.evidence_sealed}"
    await applications.approve(await world.context(officer), application_id=application.id, version=1)
    kept = await ApplicationRow.get()
    assert [kept.real_name_sealed, kept.document_sealed, kept.document_index, kept.evidence_sealed] == [
        None
    ] * 4
    account = await AccountRow.get(id=applicant.id)
    assert account.real_name_sealed
    assert account.document_sealed
    keys = world.services.keys
    assert keys.open("real-name", account.real_name_sealed) == NAME
    assert keys.open("document", account.document_sealed) == DOCUMENT


async def test_a_rejected_applicant_is_told_why_and_nothing_is_kept(
    world: World, community: CommunityRow, home: HomeRow, officer: AccountRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    ctx = await world.context(officer)
    with pytest.raises(InvalidInput):
        await applications.reject(ctx, application_id=application.id, version=1, reason=" ")
    row = await applications.reject(ctx, application_id=application.id, version=1, reason="材料不全")
    assert (row.status, row.reason) == (ApplicationStatus.REJECTED, "材料不全")
    kept = await ApplicationRow.get()
    assert [kept.real_name_sealed, kept.document_sealed, kept.document_index, kept.evidence_sealed] == [
        None
    ] * 4
    assert (await AccountRow.get(id=applicant.id)).real_name_sealed is None
    assert await ResidencyRow.all().count() == 0
    assert await standing_changes(world) == []
    assert await NotificationRow.all().count() == 1
    # And may apply again.
    await apply(world, applicant, home)


async def test_of_two_officers_one_decides(
    world: World, committee: OrganisationRow, home: HomeRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    first, second = [await world.context(await world.officer(committee)) for _ in range(2)]
    results = await asyncio.gather(
        applications.approve(first, application_id=application.id, version=1),
        applications.reject(second, application_id=application.id, version=1, reason="材料不全"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    (row,) = await applications.applications_by_id(first, [application.id])
    assert row
    assert row.version == 2
    assert await ResidencyRow.all().count() == (row.status is ApplicationStatus.APPROVED)
    assert await NotificationRow.all().count() == 1


async def test_a_stale_version_decides_nothing(
    world: World, home: HomeRow, officer: AccountRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    with pytest.raises(Conflict) as error:
        await applications.approve(await world.context(officer), application_id=application.id, version=7)
    assert error.value.current == application.id
    assert await ResidencyRow.all().count() == 0


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (OrganisationKind.PROPERTY_COMPANY, Role.ADMIN),
        (OrganisationKind.OWNERS_COMMITTEE, Role.ADMIN),
        (OrganisationKind.RESIDENTS_COMMITTEE, Role.GRID_WORKER),
    ],
)
async def test_other_offices_are_refused_and_the_attempt_is_kept(
    world: World,
    community: CommunityRow,
    home: HomeRow,
    applicant: AccountRow,
    kind: OrganisationKind,
    role: Role,
) -> None:
    application = await apply(world, applicant, home)
    organisation = await world.organisation(community, kind)
    ctx = await world.context(await world.officer(organisation, role))
    with pytest.raises(NotAllowed):
        await applications.approve(ctx, application_id=application.id, version=1)
    with pytest.raises(NotAllowed):
        await applications.reject(ctx, application_id=application.id, version=1, reason="不行")
    with pytest.raises(NotAllowed):
        await unmasking.unmask(ctx, application_id=application.id, reason="好奇而已")
    (row,) = await organisations_by_id(ctx, [organisation.id])
    assert row
    with pytest.raises(NotAllowed):
        await applications.applications_of(ctx, [row], None, PageArgs(first=1))
    assert await applications.applications_by_id(ctx, [application.id]) == [None]
    entries = await AuditRow.all().order_by("id")
    assert [entry.action for entry in entries] == [
        "approveResidency",
        "rejectResidency",
        "unmask",
        "residencyApplications",
    ]
    assert all(entry.refused and entry.account_id == ctx.account_id for entry in entries)
    assert (await ApplicationRow.get()).status is ApplicationStatus.PENDING


async def test_officers_elsewhere_and_neighbours_find_no_application(
    world: World, community: CommunityRow, home: HomeRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    elsewhere = await world.officer(await world.organisation(await world.community()), Role.ADMIN)
    for account in (elsewhere, await world.neighbour(community), await world.account()):
        ctx = await world.context(account)
        with pytest.raises(NotFound):
            await applications.approve(ctx, application_id=application.id, version=1)
        with pytest.raises(NotFound):
            await applications.withdraw(ctx, application_id=application.id)
        with pytest.raises(NotFound):
            await unmasking.unmask(ctx, application_id=application.id, reason="好奇而已")
        assert await applications.applications_by_id(ctx, [application.id]) == [None]
    assert await AuditRow.all().count() == 0
    assert (await ApplicationRow.get()).status is ApplicationStatus.PENDING


async def test_nobody_decides_the_own_application(world: World, home: HomeRow, officer: AccountRow) -> None:
    application = await apply(world, officer, home)
    with pytest.raises(NotAllowed):
        await applications.approve(await world.context(officer), application_id=application.id, version=1)
    assert await ResidencyRow.all().count() == 0
    assert (await AuditRow.get()).refused


async def test_applying_again_with_the_key_makes_no_second_application(
    world: World, home: HomeRow, applicant: AccountRow
) -> None:
    first = await apply(world, applicant, home, key="k")
    assert (await apply(world, applicant, home, key="k")).id == first.id
    with pytest.raises(Conflict):
        await apply(world, applicant, home, key="k", document="E12345678")
    with pytest.raises(Conflict) as error:
        await apply(world, applicant, home)
    assert error.value.current == first.id
    assert await ApplicationRow.all().count() == 1


async def test_of_two_applications_at_once_one_is_made(
    world: World, home: HomeRow, applicant: AccountRow
) -> None:
    calls = [apply(world, applicant, home) for _ in range(4)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 3
    assert await ApplicationRow.all().count() == 1


async def test_a_wrong_document_is_named_and_not_repeated(
    world: World, home: HomeRow, applicant: AccountRow
) -> None:
    with pytest.raises(InvalidInput) as error:
        await apply(world, applicant, home, document="110105194912310021")
    assert list(error.value.fields) == ["documentNumber"]
    assert "110105" not in str(error.value.fields)
    assert await ApplicationRow.all().count() == 0


async def test_a_verified_account_keeps_its_document(
    world: World, home: HomeRow, officer: AccountRow, applicant: AccountRow, community: CommunityRow
) -> None:
    application = await apply(world, applicant, home)
    await applications.approve(await world.context(officer), application_id=application.id, version=1)
    second = await world.home(await world.building(await world.estate(community)))
    with pytest.raises(InvalidInput):
        await apply(world, applicant, second, document="E12345678")
    await apply(world, applicant, second)
    with pytest.raises(Conflict):
        await apply(world, applicant, home)


async def test_one_account_is_verified_as_one_person(
    world: World, home: HomeRow, officer: AccountRow, applicant: AccountRow, community: CommunityRow
) -> None:
    second = await world.home(await world.building(await world.estate(community)))
    one = await apply(world, applicant, home)
    other = await apply(world, applicant, second, document="E12345678")
    ctx = await world.context(officer)
    await applications.approve(ctx, application_id=one.id, version=1)
    with pytest.raises(Conflict):
        await applications.approve(ctx, application_id=other.id, version=1)
    account = await AccountRow.get(id=applicant.id)
    assert account.document_index == world.services.keys.index("document", DOCUMENT)
    assert await ResidencyRow.all().count() == 1
    kept = await ApplicationRow.get(id=other.id)
    assert (kept.status, kept.version) == (ApplicationStatus.PENDING, 1)
    await applications.reject(ctx, application_id=other.id, version=1, reason="证件不符")


async def test_a_withdrawn_application_is_not_decided(
    world: World, home: HomeRow, officer: AccountRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    ctx = await world.context(applicant)
    with pytest.raises(NotAllowed):
        await applications.withdraw(await world.context(officer), application_id=application.id)
    for _ in range(2):
        row = await applications.withdraw(ctx, application_id=application.id)
        assert row.status is ApplicationStatus.WITHDRAWN
    assert (await ApplicationRow.get()).evidence_sealed is None
    with pytest.raises(Conflict):
        await applications.approve(await world.context(officer), application_id=application.id, version=2)
    assert await ResidencyRow.all().count() == 0


async def test_moving_out_ends_rights(world: World, community: CommunityRow, home: HomeRow) -> None:
    resident = await world.resident(home)
    residency = await ResidencyRow.get()
    ctx = await world.context(resident)
    row = await residencies.move_out(ctx, residency_id=residency.id)
    assert row.until is not None
    assert await standing_changes(world) == [resident.id]
    assert not (await world.context(resident)).viewer.belongs_to(community.id)
    again = await residencies.move_out(ctx, residency_id=residency.id)
    assert again.until == row.until
    assert await standing_changes(world) == [resident.id]


async def test_the_committee_records_moving_out(world: World, home: HomeRow, officer: AccountRow) -> None:
    resident = await world.resident(home)
    residency = await ResidencyRow.get()
    await residencies.move_out(await world.context(officer), residency_id=residency.id)
    assert (await ResidencyRow.get()).until is not None
    assert (await NotificationRow.get()).account_id == resident.id
    assert (await AuditRow.get()).action == "moveOut"


async def test_nobody_else_ends_a_residency(world: World, community: CommunityRow, home: HomeRow) -> None:
    await world.resident(home)
    residency = await ResidencyRow.get()
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    for account, error in (
        (await world.neighbour(community), NotFound),
        (await world.officer(company, Role.ADMIN), NotAllowed),
    ):
        with pytest.raises(error):
            await residencies.move_out(await world.context(account), residency_id=residency.id)
    with pytest.raises(Unauthenticated):
        await residencies.move_out(await world.context(), residency_id=residency.id)
    assert (await ResidencyRow.get(id=residency.id)).until is None
    assert await standing_changes(world) == []


async def test_unmasking_needs_a_reason_that_is_kept(
    world: World, home: HomeRow, officer: AccountRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    ctx = await world.context(officer)
    with pytest.raises(InvalidInput):
        await unmasking.unmask(ctx, application_id=application.id, reason="")
    assert await AuditRow.all().count() == 0
    shown = await unmasking.unmask(ctx, application_id=application.id, reason="核对房产证")
    assert (shown.real_name, shown.document_number, shown.evidence) == (NAME, DOCUMENT, EVIDENCE)
    assert shown.phone
    assert shown.phone.startswith("+86138")
    entry = await AuditRow.get()
    assert (entry.action, entry.detail, entry.subject_id) == ("unmask", "核对房产证", application.id)
    await applications.approve(ctx, application_id=application.id, version=1)
    shown = await unmasking.unmask(ctx, application_id=application.id, reason="核对房产证")
    assert (shown.real_name, shown.evidence) == (NAME, None)


async def test_officers_see_masked_names_only(
    world: World, committee: OrganisationRow, home: HomeRow, officer: AccountRow, applicant: AccountRow
) -> None:
    application = await apply(world, applicant, home)
    ctx = await world.context(officer)
    (row,) = await organisations_by_id(ctx, [committee.id])
    assert row
    (page,) = await applications.applications_of(ctx, [row], ApplicationStatus.PENDING, PageArgs(first=10))
    assert [item.id for item in page.items] == [application.id]
    assert await unmasking.masked_names(ctx, page.items) == ["张**"]
    assert await unmasking.masked_documents(ctx, page.items) == ["1***************2X"]
    await applications.approve(ctx, application_id=application.id, version=1)
    (page,) = await applications.applications_of(ctx, [row], ApplicationStatus.PENDING, PageArgs(first=10))
    assert page.items == []
    rows = await homes_by_id(ctx, [home.id])
    homes = [row for row in rows if row]
    (residents,) = await residencies.residents_of(ctx, homes, PageArgs(first=10))
    assert residents
    assert await unmasking.masked_names(ctx, residents.items) == ["张**"]
    for account in (applicant, await world.account()):
        assert await residencies.residents_of(await world.context(account), homes, PageArgs(first=10)) == [
            None
        ]


async def test_the_register_is_there_for_who_signed_in(
    world: World, community: CommunityRow, home: HomeRow
) -> None:
    ctx = await world.context(await world.account())
    assert (await visible_homes_by_id(ctx, [home.id, new_id()]))[0] is not None
    assert [row.id for row in (await communities(ctx, PageArgs(first=5), community.name)).items] == [
        community.id
    ]
    assert (await communities(ctx, PageArgs(first=5), "%")).items == []
    with pytest.raises(NotFound):
        await community_visible(ctx, community.id)
    nobody = await world.context()
    assert await visible_homes_by_id(nobody, [home.id]) == [None]
    with pytest.raises(Unauthenticated):
        await communities(nobody, PageArgs(first=5))


async def test_communities_come_in_pages(world: World) -> None:
    made = [await world.community() for _ in range(3)]
    ctx = await world.context(await world.account())
    first = await communities(ctx, PageArgs(first=2))
    rest = await communities(ctx, PageArgs(first=2, after=first.cursors[-1]))
    assert [row.id for row in first.items + rest.items] == [row.id for row in made]
    assert (first.has_next_page, rest.has_next_page) == (True, False)
    with pytest.raises(InvalidInput):
        await communities(ctx, PageArgs(first=2, after="x"))


async def test_a_home_is_called_as_on_its_door(world: World) -> None:
    rows = []
    estate = await world.estate(await world.community())
    for number, (building, unit, door) in enumerate(
        [("3号楼", "2", "501"), ("甲栋", "", "12"), ("楼", "1", "1")]
    ):
        made = await world.building(estate)
        made.name = building
        await made.save()
        rows.append(
            HomeRow(
                community_id=made.community_id, building_id=made.id, unit=unit, number=door, area_cm2=number
            )
        )
    assert await labels_of(await world.context(), rows) == ["3-2-501", "甲-12", "楼-1-1"]


async def test_a_neighbour_s_face(
    world: World, community: CommunityRow, committee: OrganisationRow, home: HomeRow
) -> None:
    resident, officer = await world.resident(home, name="小王"), await world.officer(committee, Role.ADMIN)
    past = await world.resident(home)
    await ResidencyRow.filter(account_id=past.id).update(until=now())
    other = await world.community()
    gone = new_id()
    pairs = [(resident.id, community.id), (officer.id, community.id), (past.id, community.id)]
    pairs += [(resident.id, other.id), (gone, community.id)]
    ctx = await world.context()
    found = await neighbours(ctx, pairs)
    assert [row.building is not None for row in found] == [True, False, False, False, False]
    assert [row.office is not None for row in found] == [False, True, False, False, False]
    assert found[0].display_name == "小王"
    assert found[1].office
    assert found[1].office.role is Role.ADMIN
    assert found[4].display_name == "已注销"
    assert found[0].id != found[3].id


async def test_neighbours_are_found_by_id_inside_one_s_communities_only(
    world: World, community: CommunityRow, home: HomeRow
) -> None:
    resident = await world.resident(home)
    (row,) = await neighbours(await world.context(), [(resident.id, community.id)])
    inside = await world.context(await world.neighbour(community))
    assert await neighbours_by_id(inside, [row.id, new_id()]) == [row, None]
    outside = await world.context(await world.neighbour(await world.community()))
    assert await neighbours_by_id(outside, [row.id]) == [None]
    assert await neighbours_by_id(await world.context(), [row.id]) == [None]


async def test_faces_take_one_statement_for_any_number(
    world: World, community: CommunityRow, home: HomeRow
) -> None:
    accounts = [await world.resident(home) for _ in range(20)]
    ctx = await world.context()
    counts = []
    for size in (1, 300):
        async with counted() as queries:
            await neighbours(ctx, [(accounts[i % 20].id, community.id) for i in range(size)])
        counts.append(queries.count)
    assert counts == [1, 1]
