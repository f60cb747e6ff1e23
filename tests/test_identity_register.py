"""The household register: what a file may say, what is made of it, and what it approves."""

import asyncio
from collections.abc import Sequence

import pytest

from models.audit import AuditRow
from models.base import new_id
from models.identity import (
    AccountRow,
    ApplicationRow,
    ApplicationStatus,
    BuildingRow,
    CommunityRow,
    EstateRow,
    HomeRow,
    HouseholdEntryRow,
    HouseholdImportRow,
    Relation,
    ResidencyRow,
)
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.identity import applications, register
from resolvers.identity.sign_in import account_with
from tests.world import World, counted

HEADER = "小区,楼栋,单元,房号,面积(㎡),姓名,证件号,手机号,关系"
ZHANG = "丰盛园,3号楼,2单元,501,89.1234,张三丰,11010519491231002X,13800138000,业主"
LI = "丰盛园,3号楼,2单元,501,89.1234,李四光,E12345678,,家属"
EMPTY = "丰盛园,3号楼,2单元,502,120,,,,"


@pytest.fixture
async def officer(world: World, committee: OrganisationRow) -> AccountRow:
    return await world.officer(committee)


async def take_in(
    world: World,
    officer: AccountRow,
    committee: OrganisationRow,
    lines: Sequence[str],
    *,
    key: str | None = None,
    header: str = HEADER,
) -> HouseholdImportRow:
    return await register.import_households(
        await world.context(officer),
        organisation_id=committee.id,
        text="\r\n".join([header, *lines]),
        key=key or str(new_id()),
    )


async def test_a_file_makes_homes_and_entries(
    world: World, community: CommunityRow, committee: OrganisationRow, officer: AccountRow
) -> None:
    made = await take_in(world, officer, committee, [ZHANG, LI, EMPTY])
    assert (made.rows_read, made.imported, made.unchanged, made.homes_added) == (3, 3, 0, 2)
    assert made.problems == []
    assert (await EstateRow.get()).community_id == community.id
    assert (await BuildingRow.get()).name == "3号楼"
    homes = await HomeRow.all().order_by("number")
    assert [(home.unit, home.number, home.area_cm2) for home in homes] == [
        ("2", "501", 891_234),
        ("2", "502", 1_200_000),
    ]
    entries = await HouseholdEntryRow.all().order_by("relation")
    assert [entry.relation for entry in entries] == [Relation.FAMILY, Relation.OWNER]
    kept = " ".join(f"{e.real_name_sealed} {e.document_index} {e.phone_index}" for e in entries)
    assert not any(clear in kept for clear in ("张三丰", "李四光", "E12345678", "13800138000"))
    entry = await AuditRow.get()
    assert (entry.action, entry.account_id) == ("importHouseholds", officer.id)


async def test_importing_again_changes_nothing(
    world: World, committee: OrganisationRow, officer: AccountRow
) -> None:
    await take_in(world, officer, committee, [ZHANG, LI, EMPTY])
    before = await HouseholdEntryRow.all().order_by("id").values()
    again = await take_in(world, officer, committee, [ZHANG, LI, EMPTY])
    assert (again.imported, again.unchanged, again.homes_added) == (0, 3, 0)
    assert await HouseholdEntryRow.all().order_by("id").values() == before
    changed = await take_in(
        world, officer, committee, [ZHANG.replace("业主", "共有人"), LI, EMPTY.replace("120", "121")]
    )
    assert (changed.imported, changed.unchanged) == (2, 1)
    assert await HomeRow.filter(area_cm2=1_210_000).count() == 1
    assert await HouseholdEntryRow.filter(relation=Relation.CO_OWNER).count() == 1
    assert await HouseholdEntryRow.all().count() == 2


async def test_a_repeated_call_answers_the_same(
    world: World, committee: OrganisationRow, officer: AccountRow
) -> None:
    first = await take_in(world, officer, committee, [ZHANG], key="k")
    assert await take_in(world, officer, committee, [ZHANG], key="k") == first
    with pytest.raises(Conflict):
        await take_in(world, officer, committee, [LI], key="k")
    assert await HouseholdImportRow.all().count() == 1


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (ZHANG.replace("11010519491231002X", "110105194912310021"), "document"),
        (ZHANG.replace("13800138000", "12345"), "phone"),
        (ZHANG.replace("89.1234", "89.12345"), "area"),
        (ZHANG.replace("89.1234", "-1"), "area"),
        (ZHANG.replace("89.1234", "1e3"), "area"),
        (ZHANG.replace("89.1234", "0"), "area"),
        (ZHANG.replace("业主", "朋友"), "relation"),
        (ZHANG.replace("张三丰", ""), "name"),
        (ZHANG.replace("11010519491231002X", ""), "document"),
        (ZHANG.replace("丰盛园", ""), "estate"),
        (ZHANG.replace("501", "5" * 30), "number"),
        ("丰盛园,3号楼", "number"),
        (EMPTY.replace("502", "501"), "area"),
        (LI, "document"),
    ],
)
async def test_a_bad_line_is_reported_and_the_good_ones_are_imported(
    world: World, committee: OrganisationRow, officer: AccountRow, line: str, column: str
) -> None:
    made = await take_in(world, officer, committee, [LI, "", line])
    assert (made.rows_read, made.imported) == (2, 1)
    assert [(problem["line"], problem["column"]) for problem in made.problems] == [(4, column)]
    said = str(made.problems)
    assert not any(cell in said for cell in line.split(",") if len(cell) > 3)
    assert await HouseholdEntryRow.all().count() == 1


async def test_areas_are_exact() -> None:
    assert register.area_cm2("89.1") == 891_000
    assert register.area_cm2("0.0001") == 1
    assert register.area_cm2("100000") == 1_000_000_000
    assert register.area_cm2("89.10000") == 891_000
    assert register.area_cm2("88.88㎡") == 888_800
    with pytest.raises(register.BadCell):
        register.area_cm2("100000.0001")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "姓名,证件号",
        HEADER + ",姓名",
        HEADER + '\n"open',
        HEADER + "\n" + "x" * (1024 * 1024),
        "\0",
    ],
)
async def test_what_is_no_register_is_refused(
    world: World, committee: OrganisationRow, officer: AccountRow, text: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        await register.import_households(
            await world.context(officer), organisation_id=committee.id, text=text, key="k"
        )
    assert list(error.value.fields) == ["csv"]
    assert await HomeRow.all().count() == 0
    assert await HouseholdImportRow.all().count() == 0


async def test_english_headers_and_a_byte_order_mark_are_understood(
    world: World, committee: OrganisationRow, officer: AccountRow
) -> None:
    made = await take_in(
        world,
        officer,
        committee,
        ["Harmony,1,,101,75.5,Ann Lee,H1234567,+14155550100,Tenant"],
        header="\ufeffEstate,Building,Unit,Number,Area,Name,Document,Phone,Relation",
    )
    assert (made.imported, made.problems) == (1, [])
    assert (await HomeRow.get()).unit == ""


async def apply(world: World, account: AccountRow, name: str, document: str) -> ApplicationStatus:
    row = await applications.apply(
        await world.context(account),
        home_id=(await HomeRow.get(number="501")).id,
        relation=Relation.TENANT,
        real_name=name,
        document_number=document,
        evidence="",
        key=str(new_id()),
    )
    return row.status


async def holder(world: World, phone: str = "+8613800138000") -> AccountRow:
    """The account that signs in with the phone that the register has for Zhang."""
    return await AccountRow.get(id=await account_with(world.services, phone))


async def test_who_is_in_the_register_is_approved_at_once(
    world: World, community: CommunityRow, committee: OrganisationRow, officer: AccountRow
) -> None:
    await take_in(world, officer, committee, [ZHANG])
    account = await holder(world)
    assert await apply(world, account, "张 三丰", "11010519491231002x") is ApplicationStatus.APPROVED
    assert (await world.context(account)).viewer.belongs_to(community.id)
    # As what the register says, not as what the applicant said.
    assert (await ResidencyRow.get()).relation is Relation.OWNER
    # Another account with the same document waits for the committee.
    assert (
        await apply(world, await world.account(), "张三丰", "11010519491231002X") is ApplicationStatus.PENDING
    )


@pytest.mark.parametrize(
    ("name", "document"), [("张三", "11010519491231002X"), ("张三丰", "E12345678"), ("李四光", "H12345678")]
)
async def test_who_differs_from_the_register_waits(
    world: World, committee: OrganisationRow, officer: AccountRow, name: str, document: str
) -> None:
    await take_in(world, officer, committee, [ZHANG])
    assert await apply(world, await holder(world), name, document) is ApplicationStatus.PENDING
    assert await ResidencyRow.all().count() == 0


async def test_a_leaked_name_and_number_are_not_enough(
    world: World, committee: OrganisationRow, officer: AccountRow
) -> None:
    """Where the register has a phone it must be the applicant's; where it has none the rest decides."""
    await take_in(world, officer, committee, [ZHANG, LI])
    thief = await world.account()
    assert await apply(world, thief, "张三丰", "11010519491231002X") is ApplicationStatus.PENDING
    assert await ResidencyRow.all().count() == 0
    assert await apply(world, await world.account(), "李四光", "E12345678") is ApplicationStatus.APPROVED


async def test_an_import_approves_who_waits(
    world: World, community: CommunityRow, committee: OrganisationRow, officer: AccountRow
) -> None:
    await take_in(world, officer, committee, [EMPTY.replace("502", "501").replace("120", "89.1234")])
    zhang, li, stranger, twin = await holder(world), *[await world.account() for _ in range(3)]
    for account, name, document in (
        (zhang, "张三丰", "11010519491231002X"),
        (li, "李四光", "E12345678"),
        (twin, "李四光", "E12345678"),
        (stranger, "王五", "H7654321"),
    ):
        assert await apply(world, account, name, document) is ApplicationStatus.PENDING
    made = await take_in(world, officer, committee, [ZHANG, LI])
    # Two accounts claim to be Li: the committee decides.
    assert made.approved == 1
    assert (await ResidencyRow.get()).account_id == zhang.id
    assert await ApplicationRow.filter(status=ApplicationStatus.PENDING).count() == 3
    assert (await world.context(zhang)).viewer.belongs_to(community.id)


async def test_only_the_committee_imports(
    world: World, community: CommunityRow, committee: OrganisationRow, officer: AccountRow
) -> None:
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    manager = await world.officer(company, Role.ADMIN)
    for organisation in (company, committee):
        with pytest.raises(NotAllowed):
            await take_in(world, manager, organisation, [ZHANG])
    elsewhere = await world.officer(await world.organisation(await world.community()))
    with pytest.raises(NotFound):
        await take_in(world, elsewhere, committee, [ZHANG])
    assert await AuditRow.filter(refused=True).count() == 2
    assert await HomeRow.all().count() == 0
    made = await take_in(world, officer, committee, [ZHANG])
    own, other = await world.context(officer), await world.context(manager)
    assert await register.visible_imports_by_id(own, [made.id]) == [made]
    assert await register.visible_imports_by_id(other, [made.id]) == [None]


async def test_another_community_s_estate_of_the_same_name_is_another(
    world: World, committee: OrganisationRow, officer: AccountRow
) -> None:
    second = await world.organisation(await world.community())
    await take_in(world, officer, committee, [ZHANG])
    await take_in(world, await world.officer(second), second, [ZHANG])
    assert await EstateRow.all().count() == 2
    assert len({home.community_id for home in await HomeRow.all()}) == 2


async def test_two_imports_at_once_make_each_home_once(
    world: World, committee: OrganisationRow, officer: AccountRow
) -> None:
    made = await asyncio.gather(*(take_in(world, officer, committee, [ZHANG, LI, EMPTY]) for _ in range(3)))
    assert sorted(row.imported for row in made) == [0, 0, 3]
    assert await HomeRow.all().count() == 2


async def test_statements_do_not_grow_with_lines(
    world: World, committee: OrganisationRow, officer: AccountRow
) -> None:
    counts = []
    for size in (1, 300):
        lines = [f"园{size},1号楼,1,{n},80,王小{n},H{n:07},,业主" for n in range(size)]
        async with counted() as queries:
            made = await take_in(world, officer, committee, lines)
        assert made.imported == size
        counts.append(queries.count)
    assert counts[0] == counts[1]
