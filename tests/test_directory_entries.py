"""What organisations offer: writing it, publishing it, finding it, and who looks after a home."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.audit import AuditRow
from models.base import now
from models.directory.entries import OFFERED, DirectoryCategory, EntryRow
from models.directory.hours import CHINA, Exceptional, Hours, Interval
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from resolvers.directory import entries, listing
from resolvers.directory.entries import EntryDraft, Link
from resolvers.directory.listing import DirectoryCriteria
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from subscriptions.events import Kind, Logged, community_topic
from tests.directory_scene import NOODLES, PAGE, Scene, new_key
from tests.directory_scene import scene as scene

pytestmark = pytest.mark.anyio

GRID = DirectoryCategory.GRID
AFFAIRS = EntryDraft(DirectoryCategory.GOVERNMENT_AFFAIRS, "生育登记", "夫妻一方到场即可")


async def happened(scene: Scene, *kinds: Kind) -> list[Logged]:
    return [
        logged
        for logged in await scene.world.events(community_topic(scene.community.id))
        if logged.event.kind in kinds
    ]


async def test_an_entry_says_what_was_written(scene: Scene) -> None:
    hours = Hours({1: (Interval(540, 720),)}, {(now().astimezone(CHINA)).date(): Exceptional((), "学习")})
    draft = replace(
        AFFAIRS,
        place="一楼大厅3号窗",
        estate_id=scene.estate.id,
        phone="0571-8888 6666",
        hours=hours,
        steps=["取号", "交材料"],
        documents=["身份证 11010519491231002X", "户口簿"],
        links=[Link("网上办", "https://example.org/a")],
    )
    row = await scene.create(scene.admin, scene.committee, draft)
    assert (row.name, row.place, row.phone, row.estate_id) == (
        "生育登记",
        "一楼大厅3号窗",
        "0571-8888 6666",
        scene.estate.id,
    )
    assert row.opening == hours
    assert row.steps == ["取号", "交材料"]
    # No number of a document is ever kept in what everybody reads.
    assert row.documents == ["身份证 ****************2X", "户口簿"]
    assert row.links == [["网上办", "https://example.org/a"]]
    assert not row.published
    assert [entry.action for entry in await AuditRow.all()] == ["directory.create"]


async def test_a_draft_is_seen_by_its_office_only_until_it_is_published(scene: Scene) -> None:
    row = await scene.create(scene.admin, scene.committee, AFFAIRS)
    assert await scene.names(scene.resident) == []
    with pytest.raises(NotFound):
        await listing.visible(await scene.world.context(scene.resident), row.id)
    (page,) = await listing.entries_of(await scene.world.context(scene.clerk), [scene.committee], PAGE)
    assert [it.id for it in page.items] == [row.id]

    row = await scene.publish(row, scene.admin)
    assert row.version == 2
    assert await scene.publish(row, scene.admin) == row
    assert await scene.names(scene.resident) == ["生育登记"]
    (published,) = await happened(scene, Kind.ENTRY_PUBLISHED)
    assert scene.community.id not in published.event.audience
    viewer = (await scene.world.context(scene.resident)).viewer
    assert viewer.may_see(published.event.audience)
    assert await listing.entries_of_events(await scene.world.context(scene.resident), [published]) == [row]

    withdrawn = await scene.publish(row, scene.admin, on=False)
    assert await scene.names(scene.resident) == []
    (gone,) = await happened(scene, Kind.ENTRY_WITHDRAWN)
    assert viewer.may_see(gone.event.audience)
    # What was told before is not told any more.
    assert await listing.entries_of_events(await scene.world.context(scene.resident), [published]) == [None]
    assert withdrawn.version == 3


async def test_whoever_has_applied_may_look_and_others_may_not(scene: Scene) -> None:
    row = await scene.office_entry()
    (found,) = await listing.visible_by_ids(await scene.world.context(scene.stranger), [row.id])
    assert found is None
    assert await scene.names(scene.stranger) == []
    assert await scene.names(await scene.world.account()) == []


async def test_who_keeps_nothing_writes_nothing(scene: Scene) -> None:
    worker = await scene.world.officer(scene.committee, Role.GRID_WORKER, scene.grid)
    row = await scene.office_entry()
    for by in (scene.resident, scene.merchant, worker):
        with pytest.raises(NotAllowed):
            await scene.create(by, scene.committee, AFFAIRS)
        with pytest.raises(NotAllowed):
            await scene.publish(row, by, on=False)
        with pytest.raises(NotAllowed):
            await entries.edit(
                await scene.world.context(by), entry_id=row.id, version=row.version, draft=AFFAIRS
            )
    with pytest.raises(NotFound):
        await scene.create(scene.stranger, scene.committee, AFFAIRS)
    assert await EntryRow.all().count() == 1
    assert (await EntryRow.get()).version == row.version
    assert await AuditRow.filter(refused=True).count() == 9


async def test_an_edit_replaces_all_and_a_stale_one_is_a_conflict(scene: Scene) -> None:
    row = await scene.office_entry()
    draft = replace(AFFAIRS, name="老年优待证(新)")
    ctx = await scene.world.context(scene.clerk)
    edited = await entries.edit(ctx, entry_id=row.id, version=row.version, draft=draft)
    assert (edited.name, edited.summary, edited.version) == (draft.name, draft.summary, row.version + 1)
    with pytest.raises(Conflict) as refused:
        await entries.edit(ctx, entry_id=row.id, version=row.version, draft=AFFAIRS)
    assert refused.value.current == row.id
    assert await scene.names(scene.resident) == [draft.name]
    assert len(await happened(scene, Kind.ENTRY_CHANGED)) == 1


async def test_a_retry_writes_one_entry(scene: Scene) -> None:
    ctx = await scene.world.context(scene.admin)
    key = new_key()
    once = await entries.create(ctx, organisation_id=scene.committee.id, draft=AFFAIRS, key=key)
    assert await entries.create(ctx, organisation_id=scene.committee.id, draft=AFFAIRS, key=key) == once
    with pytest.raises(Conflict):
        await entries.create(
            ctx, organisation_id=scene.committee.id, draft=replace(AFFAIRS, name="别的"), key=key
        )
    assert await EntryRow.all().count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"summary": "长" * 1001}, "summary"),
        ({"phone": "打门口座机"}, "phone"),
        ({"links": [Link("坏", "javascript:alert(1)")]}, "links"),
        ({"steps": ["一"] * 21}, "steps"),
        ({"category": DirectoryCategory.NEARBY, "grid_id": "grid"}, "gridId"),
        ({"estate_id": "estate", "building_id": "building"}, "placeId"),
        ({"estate_id": "elsewhere"}, "estateId"),
        ({"hours": Hours({1: (Interval(0, 1),) * 7})}, "hours"),
        (
            {"hours": Hours({}, {(now() + timedelta(days=800)).date(): Exceptional(())})},
            "exceptions",
        ),
    ],
)
async def test_what_cannot_be_said(scene: Scene, change: dict[str, Any], field: str) -> None:
    places = {
        "grid": scene.grid.id,
        "estate": scene.estate.id,
        "building": scene.building.id,
        "elsewhere": (await scene.world.estate(await scene.world.community())).id,
    }
    change = {
        name: places.get(value, value) if isinstance(value, str) else value for name, value in change.items()
    }
    with pytest.raises(InvalidInput) as refused:
        await scene.create(scene.admin, scene.committee, AFFAIRS, **change)
    assert list(refused.value.fields) == [field]
    assert not await EntryRow.exists()


@pytest.mark.parametrize("kind", OrganisationKind)
async def test_nobody_offers_what_is_not_theirs(scene: Scene, kind: OrganisationKind) -> None:
    """A shop cannot pose as an office; a branch offers nothing."""
    office = await scene.world.organisation(scene.community, kind)
    officer = await scene.world.officer(office, Role.ADMIN)
    offered = set()
    for category in DirectoryCategory:
        try:
            await scene.create(officer, office, replace(NOODLES, category=category))
            offered.add(category)
        except (InvalidInput, NotAllowed):
            pass
    assert offered == OFFERED.get(kind, set())
    assert (DirectoryCategory.GOVERNMENT_AFFAIRS in offered) == (
        kind in (OrganisationKind.RESIDENTS_COMMITTEE, OrganisationKind.GOVERNMENT)
    )


async def test_the_directory_by_category_and_name(scene: Scene) -> None:
    for name in ("老年优待证", "100%满意_测试", "Lao Nian 活动室"):
        await scene.office_entry(name=name)
    await scene.office_entry(name="老年网格", category=GRID)
    assert await scene.names(scene.resident, DirectoryCriteria(name="老年")) == ["老年优待证", "老年网格"]
    assert await scene.names(scene.resident, DirectoryCriteria(name="%")) == ["100%满意_测试"]
    assert await scene.names(scene.resident, DirectoryCriteria(name="lao")) == ["Lao Nian 活动室"]
    assert await scene.names(scene.resident, DirectoryCriteria(frozenset({GRID}))) == ["老年网格"]
    assert await scene.names(scene.resident, DirectoryCriteria(frozenset({GRID}), "活动")) == []
    with pytest.raises(InvalidInput):
        await scene.names(scene.resident, DirectoryCriteria(name="长" * 41))


async def test_what_is_near_comes_first_whichever_way_it_is_read(scene: Scene) -> None:
    elsewhere = await scene.world.estate(scene.community)
    for number in range(7):
        near = number % 2 == 1
        await scene.office_entry(name=f"{number}", estate_id=(scene.estate if near else elsewhere).id)
    everywhere = await scene.office_entry(name="all")
    expected = ["1", "3", "5", "0", "2", "4", "6", everywhere.name]
    assert await scene.names(scene.resident) == expected
    assert await scene.names(scene.merchant) == [*map(str, range(7)), "all"]

    async def page(**args: Any) -> Any:
        ctx = await scene.world.context(scene.resident)
        (found,) = await listing.directory_of(ctx, [scene.community], DirectoryCriteria(), PageArgs(**args))
        return found

    for size in range(1, 10):
        for start, beyond, more, end in (
            ("first", "after", "has_next_page", -1),
            ("last", "before", "has_previous_page", 0),
        ):
            seen: list[str] = []
            args: dict[str, Any] = {start: size}
            while True:
                found = await page(**args)
                names = [row.name for row in found.items]
                seen = names + seen if end == 0 else seen + names
                if not getattr(found, more):
                    break
                assert len(names) == size
                args[beyond] = found.cursors[end]
            assert seen == expected, (size, start)
    whole = await page(first=10)
    between = await page(first=10, after=whole.cursors[1], before=whole.cursors[5])
    assert [row.name for row in between.items] == expected[2:5]
    with pytest.raises(InvalidInput):
        await page(first=1, after="nonsense")


async def test_my_home_leads_to_its_grid_worker_and_to_the_office(scene: Scene) -> None:
    worker = await scene.world.officer(scene.committee, Role.GRID_WORKER, scene.grid)
    other = await scene.world.grid(scene.community)
    for_all = await scene.office_entry(name="网格服务站", category=GRID, phone="0571-1234567")
    mine = await scene.office_entry(name="第一网格", category=GRID, grid_id=scene.grid.id)
    await scene.office_entry(name="第二网格", category=GRID, grid_id=other.id)
    await scene.office_entry(name="不是网格")
    ctx = await scene.world.context(scene.resident)
    assert await listing.grid_services_of(ctx, [scene.home]) == [[mine, for_all]]
    account: Any = scene.resident
    assert [[home.id for home in found] for found in await listing.homes_of_viewer(ctx, [account])] == [
        [scene.home.id]
    ]
    # A stranger reads the register, and no more.
    assert await listing.grid_services_of(await scene.world.context(scene.stranger), [scene.home]) == [[]]
    assert worker.id != scene.resident.id
