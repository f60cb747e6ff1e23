"""Whoever reads a list of persons, or is refused one, is in the audit log: once, and never without end."""

import pytest

from models.audit import AuditRow
from models.identity import CommunityRow, HomeRow
from models.organisations import OrganisationRow
from models.requests import RequestBucket
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from models.storage.rows import columns, select
from resolvers.context import Context
from resolvers.errors import NotAllowed
from resolvers.identity import applications, residencies
from resolvers.requests import queues
from schema.node import global_id
from tests.asking import answered
from tests.clock import Clock
from tests.clock import clock as clock
from tests.world import World

FIRST = PageArgs(first=5)


@pytest.fixture
async def community(world: World) -> CommunityRow:
    return await world.community()


@pytest.fixture
async def committee(world: World, community: CommunityRow) -> OrganisationRow:
    return await world.organisation(community)


@pytest.fixture
async def company(world: World, community: CommunityRow) -> OrganisationRow:
    return await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)


@pytest.fixture
async def home(world: World, community: CommunityRow) -> HomeRow:
    return await world.home(await world.building(await world.estate(community)))


async def noted(community: CommunityRow) -> list[tuple[str, bool, str]]:
    rows = await select(
        AuditRow,
        f"SELECT {columns(AuditRow)} FROM audit_entry t WHERE t.chain = ? ORDER BY t.number",
        community.id,
    )
    return [(row.action, row.refused, row.detail) for row in rows]


async def read_queue(ctx: Context, *offices: OrganisationRow) -> None:
    await queues.queue_of(ctx, offices, RequestBucket.TO_ACCEPT, False, FIRST)


async def test_an_office_that_reads_its_lists_is_entered_once(
    world: World, community: CommunityRow, committee: OrganisationRow, company: OrganisationRow, home: HomeRow
) -> None:
    officer = await world.officer(committee, Role.ADMIN)
    clerk = await world.officer(company)
    await read_queue(await world.context(clerk), company)
    await applications.applications_of(await world.context(officer), [committee], None, FIRST)
    await residencies.residents_of(await world.context(officer), [home, await neighbouring(home)], FIRST)
    # Another page, and the same again, in a request of its own.
    await read_queue(await world.context(clerk), company)
    await applications.applications_of(await world.context(officer), [committee], None, FIRST)
    assert await noted(community) == [
        ("requestQueue", False, ""),
        ("residencyApplications", False, ""),
        ("residents", False, "× 2"),
    ]


async def neighbouring(home: HomeRow) -> HomeRow:
    return await HomeRow.create(
        community_id=home.community_id, building_id=home.building_id, unit="9", number="9", area_cm2=1
    )


async def test_after_a_minute_it_is_another_reading(
    world: World, community: CommunityRow, company: OrganisationRow, clock: Clock
) -> None:
    clerk = await world.officer(company)
    for seconds in (0, 30, 40):
        clock.forward(seconds=seconds)
        await read_queue(await world.context(clerk), company)
    assert len(await noted(community)) == 2


async def test_another_offices_queue_is_empty_and_the_attempt_is_kept(
    world: World, community: CommunityRow, committee: OrganisationRow, company: OrganisationRow
) -> None:
    clerk = await world.officer(company)
    ctx = await world.context(clerk)
    (page,) = await queues.queue_of(ctx, [committee], RequestBucket.TO_ACCEPT, False, FIRST)
    assert page.items == []
    assert await noted(community) == [("requestQueue", True, "")]


async def test_who_does_not_belong_there_leaves_nothing(
    world: World, community: CommunityRow, company: OrganisationRow
) -> None:
    stranger = await world.neighbour(await world.community())
    await read_queue(await world.context(stranger), company)
    await read_queue(await world.context(), company)
    assert await noted(community) == []


QUERY = "query ($id: ID!) { node(id: $id) { ... on Organisation { %s } } }"


async def test_a_residents_refused_readings_do_not_fill_the_log(
    world: World, community: CommunityRow, committee: OrganisationRow, home: HomeRow, clock: Clock
) -> None:
    """Of ten in one request one is kept, of a thousand in an hour the first, and how many they were."""
    resident = await world.resident(home)
    fields = " ".join(
        f"a{number}: residencyApplications(first: 1) {{ edges {{ cursor }} }}" for number in range(10)
    )
    found = await answered(
        await world.context(resident), QUERY % fields, id=global_id("Organisation", committee.id)
    )
    assert len(found.errors or []) == 10
    assert await noted(community) == [("residencyApplications", True, "仅居委会工作人员可查看申请")]
    for _ in range(120):
        with pytest.raises(NotAllowed):
            await applications.check_may_see(await world.context(resident), committee)
    assert [detail for _, _, detail in (await noted(community))[1:]] == [
        "× 10 / h",
        "× 100 / h",
    ]
    # Somebody else's, and another hour's, are their own.
    clock.forward(hours=1)
    with pytest.raises(NotAllowed):
        await applications.check_may_see(await world.context(resident), committee)
    assert len(await noted(community)) == 4


async def test_what_an_officer_is_refused_is_kept_each_time(
    world: World, community: CommunityRow, committee: OrganisationRow, company: OrganisationRow
) -> None:
    clerk = await world.officer(company)
    for _ in range(12):
        with pytest.raises(NotAllowed):
            await applications.check_may_see(await world.context(clerk), committee)
    assert len(await noted(community)) == 12
