"""How far a notice came: counted exactly, once a household, and shown to those whom it concerns."""

import asyncio
import csv
import io
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id
from models.identity import AccountRow, BuildingRow, CommunityRow, GridRow, HomeRow, Relation, ResidencyRow
from models.notices import (
    AudienceKind,
    BuildingReachRow,
    NoticeCategory,
    NoticeRow,
    ReachedHow,
    ReceiptRow,
    Severity,
)
from models.notices import Progress as Came
from models.organisations import OrganisationRow
from models.roles import Role
from models.storage.paging import PageArgs
from models.storage.rows import dialect, execute
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.notices import Deliveries, publishing, reach, reading, receipts
from resolvers.notices import deliveries as deliveries_module
from resolvers.notices.audiences import Place
from resolvers.notices.publishing import NoticeDraft
from resolvers.notices.reach import Reach
from resolvers.tables import BYTE_ORDER_MARK
from schema.node import global_id
from subscriptions.events import Event, Kind, reach_topic
from tests.asking import refused, sent
from tests.plans import plan, recorded
from tests.world import World, counted

pytestmark = pytest.mark.anyio

PAGE = PageArgs(first=100)


@dataclass
class Scene:
    """One notice to two buildings of three homes each; the first building is in a grid with a worker."""

    world: World
    community: CommunityRow
    committee: OrganisationRow
    officer: AccountRow
    worker: AccountRow
    grid: GridRow
    buildings: list[BuildingRow]
    homes: list[HomeRow]
    residents: list[AccountRow]
    notice: NoticeRow

    async def as_resident(self, index: int = 0) -> Context:
        return await self.world.context(self.residents[index])

    async def acknowledge(self, index: int = 0) -> None:
        await receipts.acknowledge(await self.as_resident(index), notice_id=self.notice.id)

    async def visit(self, index: int, account: AccountRow | None = None, note: str = "") -> None:
        await receipts.record_visit(
            await self.world.context(account or self.officer),
            notice_id=self.notice.id,
            home_id=self.homes[index].id,
            how=ReachedHow.DOORSTEP,
            note=note,
        )

    async def reach(self) -> tuple[int, ...]:
        """Targeted, delivered, seen, acknowledged, in person: the counters, which agree with the receipts."""
        ctx = await self.world.context(self.officer)
        (found,) = await reach.reaches_by_id(ctx, [self.notice.id])
        assert await self.recounted() == {
            row.building_id: (row.targeted, row.delivered, row.seen, row.acknowledged, row.in_person)
            for row in await BuildingReachRow.filter(notice_id=self.notice.id)
        }
        return found.targeted, found.delivered, found.seen, found.acknowledged, found.in_person

    async def recounted(self) -> dict[UUID, tuple[int, ...]]:
        counts: dict[UUID, list[int]] = {}
        for receipt in await ReceiptRow.filter(notice_id=self.notice.id):
            acknowledged = receipt.acknowledged_at is not None
            row = counts.setdefault(receipt.building_id, [0] * 5)
            steps = (
                True,
                receipt.delivered_at is not None,
                receipt.seen_at is not None,
                acknowledged,
                receipt.reached_at is not None and not acknowledged,
            )
            for index, reached in enumerate(steps):
                row[index] += reached
        return {building_id: tuple(row) for building_id, row in counts.items()}

    async def events(self) -> list[Event]:
        return [entry.event for entry in await self.world.events(reach_topic(self.notice.id))]

    async def unreached(self, **where: Any) -> list[UUID]:
        ctx = await self.world.context(self.officer)
        asked = {"building_id": None, "grid_id": None, **where}
        (page,) = await reach.unreached(ctx, [Reach(self.notice.id)], **asked, args=PAGE)
        return [row.home_id for row in page.items]


@pytest.fixture
async def scene(world: World) -> Scene:
    return await make_scene(world)


async def make_scene(world: World) -> Scene:
    community = await world.community()
    committee = await world.organisation(community)
    officer = await world.officer(committee)
    grid = await world.grid(community)
    estate = await world.estate(community)
    buildings = [await world.building(estate, grid), await world.building(estate)]
    homes = [await world.home(building) for building in buildings for _ in range(3)]
    residents = [await world.resident(home) for home in homes]
    notice = await publishing.publish(
        await world.context(officer),
        organisation_id=committee.id,
        draft=NoticeDraft(
            category=NoticeCategory.SAFETY, severity=Severity.EMERGENCY, title="燃气泄漏", body="请撤离"
        ),
        audience=[Place(AudienceKind.COMMUNITY, community.id)],
        key=str(new_id()),
    )
    worker = await world.officer(committee, Role.GRID_WORKER, grid)
    return Scene(world, community, committee, officer, worker, grid, buildings, homes, residents, notice)


# Receipts


async def test_each_step_implies_those_before_it(scene: Scene) -> None:
    assert await scene.reach() == (6, 0, 0, 0, 0)
    await receipts.mark_seen(await scene.as_resident(0), notice_id=scene.notice.id)
    assert await scene.reach() == (6, 1, 1, 0, 0)
    await scene.acknowledge(0)
    assert await scene.reach() == (6, 1, 1, 1, 0)
    await scene.acknowledge(1)
    assert await scene.reach() == (6, 2, 2, 2, 0)


async def test_repeating_changes_nothing_and_tells_nobody(scene: Scene) -> None:
    await scene.acknowledge()
    before = await ReceiptRow.filter(notice_id=scene.notice.id).order_by("id").values()
    events = len(await scene.events())
    await scene.acknowledge()
    await receipts.mark_seen(await scene.as_resident(), notice_id=scene.notice.id)
    assert await ReceiptRow.filter(notice_id=scene.notice.id).order_by("id").values() == before
    assert len(await scene.events()) == events == 1


async def test_one_of_a_household_answers_for_it(scene: Scene) -> None:
    spouse = await scene.world.resident(scene.homes[0], Relation.CO_OWNER)
    await receipts.acknowledge(await scene.world.context(spouse), notice_id=scene.notice.id)
    await scene.acknowledge(0)
    assert await scene.reach() == (6, 1, 1, 1, 0)
    receipt = await ReceiptRow.get(notice_id=scene.notice.id, home_id=scene.homes[0].id)
    assert receipt.acknowledged_by_id == spouse.id


async def test_an_owner_of_several_homes_answers_for_all(scene: Scene) -> None:
    for home in (scene.homes[1], scene.homes[5]):
        await ResidencyRow.create(
            community_id=scene.community.id,
            account_id=scene.residents[0].id,
            home_id=home.id,
            relation=Relation.OWNER,
        )
    await scene.acknowledge(0)
    assert await scene.reach() == (6, 3, 3, 3, 0)
    assert len(await scene.events()) == 1


async def test_a_household_is_counted_once_however_many_come_at_once(scene: Scene) -> None:
    family = [await scene.world.resident(scene.homes[0], Relation.FAMILY) for _ in range(3)]
    # Homes of both buildings, so that the order of locks matters.
    for account in family:
        await ResidencyRow.create(
            community_id=scene.community.id,
            account_id=account.id,
            home_id=scene.homes[4].id,
            relation=Relation.OWNER,
        )
    contexts = [await scene.world.context(account) for account in (*family, *scene.residents)]
    delivered = Deliveries(scene.world.live)
    delivered.handed_over(scene.notice.id, frozenset(home.id for home in scene.homes))

    async def flush() -> None:
        assert await delivered.flush()

    acts: list[Awaitable[Any]] = [flush(), scene.visit(0), scene.visit(5)]
    for ctx in contexts:
        acts += [
            receipts.acknowledge(ctx, notice_id=scene.notice.id),
            receipts.mark_seen(ctx, notice_id=scene.notice.id),
        ]
    await asyncio.gather(*acts)
    assert await scene.reach() == (6, 6, 6, 6, 0)


async def test_only_targeted_households_answer(scene: Scene) -> None:
    outsider = await scene.world.neighbour(await scene.world.community())
    for act in (receipts.acknowledge, receipts.mark_seen):
        with pytest.raises(NotFound):
            await act(await scene.world.context(outsider), notice_id=scene.notice.id)
        with pytest.raises(NotAllowed):
            await act(await scene.world.context(scene.officer), notice_id=scene.notice.id)
        with pytest.raises(Unauthenticated):
            await act(await scene.world.context(), notice_id=scene.notice.id)
    assert await scene.reach() == (6, 0, 0, 0, 0)
    assert await scene.events() == []


# Visits


async def test_a_visit_counts_apart_until_they_acknowledge(scene: Scene) -> None:
    await scene.visit(0, scene.worker, "老人在家")
    assert await scene.reach() == (6, 0, 0, 0, 1)
    assert scene.homes[0].id not in await scene.unreached()
    receipt = await ReceiptRow.get(notice_id=scene.notice.id, home_id=scene.homes[0].id)
    assert (receipt.reached_by_id, receipt.reached_how) == (scene.worker.id, ReachedHow.DOORSTEP)
    await scene.acknowledge(0)
    assert await scene.reach() == (6, 1, 1, 1, 0)
    await scene.visit(0)
    assert await scene.reach() == (6, 1, 1, 1, 0)
    entries = await AuditRow.filter(action="recordVisit")
    assert [(entry.account_id, entry.subject_id, entry.refused) for entry in entries] == [
        (scene.worker.id, receipt.id, False)
    ]
    assert "老人" not in entries[0].detail


async def test_a_visit_after_acknowledging_is_kept_and_not_counted(scene: Scene) -> None:
    await scene.acknowledge(0)
    await scene.visit(0)
    assert await scene.reach() == (6, 1, 1, 1, 0)
    assert (await ReceiptRow.get(home_id=scene.homes[0].id)).reached_at is not None


async def test_the_first_visit_stands(scene: Scene) -> None:
    await scene.visit(0, scene.worker)
    before = await ReceiptRow.get(home_id=scene.homes[0].id).values()
    await scene.visit(0, scene.officer, "又来")
    assert await ReceiptRow.get(home_id=scene.homes[0].id).values() == before
    assert await scene.reach() == (6, 0, 0, 0, 1)


async def test_grid_workers_record_visits_in_their_grids_only(scene: Scene) -> None:
    with pytest.raises(NotAllowed):
        await scene.visit(3, scene.worker)
    with pytest.raises(NotAllowed):
        await scene.visit(0, scene.residents[0])
    refused = await AuditRow.filter(action="recordVisit", refused=True)
    assert {entry.account_id for entry in refused} == {scene.worker.id, scene.residents[0].id}
    other = await make_scene(scene.world)
    with pytest.raises(NotFound):
        await scene.visit(0, other.officer)
    home = await scene.world.home(scene.buildings[0])
    with pytest.raises(NotFound):
        await receipts.record_visit(
            await scene.world.context(scene.officer),
            notice_id=scene.notice.id,
            home_id=home.id,
            how=ReachedHow.TELEPHONE,
        )
    with pytest.raises(InvalidInput):
        await scene.visit(0, scene.worker, "长" * 501)
    assert await scene.reach() == (6, 0, 0, 0, 0)


# Deliveries


async def test_what_was_handed_over_is_written_once(scene: Scene) -> None:
    deliveries = Deliveries(scene.world.live)
    await deliveries.start()
    strangers = frozenset({new_id()})
    for home in scene.homes[:4]:
        deliveries.handed_over(scene.notice.id, frozenset({home.id}))
        deliveries.handed_over(scene.notice.id, frozenset({home.id}) | strangers)
    deliveries.handed_over(scene.notice.id, frozenset())
    await deliveries.stop()
    assert await scene.reach() == (6, 4, 0, 0, 0)
    # One event for all of them.
    assert len(await scene.events()) == 1
    assert await deliveries.flush()
    deliveries.handed_over(scene.notice.id, frozenset({scene.homes[0].id}))
    assert await deliveries.flush()
    assert await scene.reach() == (6, 4, 0, 0, 0)
    assert len(await scene.events()) == 1


async def until_delivered(scene: Scene) -> None:
    for _ in range(500):
        if (await scene.reach())[1]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nothing was written")


async def test_deliveries_are_written_soon_without_being_asked(scene: Scene) -> None:
    deliveries = Deliveries(scene.world.live)
    await deliveries.start()
    deliveries.handed_over(scene.notice.id, frozenset({scene.homes[0].id}))
    await until_delivered(scene)
    await deliveries.stop()


async def test_deliveries_outlive_a_database_that_fails(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = receipts.mark_delivered
    failures = 2

    async def failing(*args: Any) -> None:
        nonlocal failures
        await original(*args)
        if failures:
            failures -= 1
            raise ConnectionError("gone")

    monkeypatch.setattr(deliveries_module, "mark_delivered", failing)
    deliveries = Deliveries(scene.world.live)
    await deliveries.start()
    deliveries.handed_over(scene.notice.id, frozenset(home.id for home in scene.homes[:2]))
    await until_delivered(scene)
    await deliveries.stop()
    assert failures == 0
    assert await scene.reach() == (6, 2, 0, 0, 0)
    assert len(await scene.events()) == 1


async def test_a_thousand_deliveries_take_few_statements(scene: Scene) -> None:
    building = scene.buildings[0]
    homes = [
        HomeRow(community_id=scene.community.id, building_id=building.id, unit="2", number=str(n), area_cm2=1)
        for n in range(1_000)
    ]
    await HomeRow.bulk_create(homes, batch_size=500)
    notice = await publishing.publish(
        await scene.world.context(scene.officer),
        organisation_id=scene.committee.id,
        draft=NoticeDraft(category=NoticeCategory.SAFETY, severity=Severity.URGENT, title="a", body="b"),
        audience=[Place(AudienceKind.BUILDING, building.id)],
        key="many",
    )
    deliveries = Deliveries(scene.world.live)
    for home in homes:
        deliveries.handed_over(notice.id, frozenset({home.id}))
    async with counted() as queries:
        assert await deliveries.flush()
    assert queries.count < 30
    assert (await BuildingReachRow.get(notice_id=notice.id)).delivered == 1_000


# Looking


async def test_every_change_is_told_to_the_offices_and_to_nobody_else(scene: Scene) -> None:
    await receipts.mark_seen(await scene.as_resident(0), notice_id=scene.notice.id)
    await scene.acknowledge(0)
    await scene.visit(1)
    events = await scene.events()
    assert [event.kind for event in events] == [Kind.REACH_CHANGED] * 3
    for event in events:
        assert (event.subject, event.audience) == (scene.notice.id, frozenset({scene.committee.id}))
        assert (await scene.world.context(scene.worker)).viewer.may_see(event.audience)
        assert not (await scene.as_resident()).viewer.may_see(event.audience)


async def test_the_round_is_the_unreached_homes_of_the_workers_grids(scene: Scene) -> None:
    await scene.acknowledge(0)
    await scene.visit(1)
    assert await scene.unreached() == [home.id for home in scene.homes[2:]]
    assert await scene.unreached(building_id=scene.buildings[1].id) == [home.id for home in scene.homes[3:]]
    assert await scene.unreached(grid_id=scene.grid.id) == [scene.homes[2].id]
    worker = await scene.world.context(scene.worker)
    (round_,) = await reach.rounds_of(worker, [scene.notice], PAGE)
    assert [row.home_id for row in round_.items] == [scene.homes[2].id]
    officer = await scene.world.context(scene.officer)
    (none,) = await reach.rounds_of(officer, [scene.notice], PAGE)
    assert none.items == []


async def test_reach_is_read_from_indexes(scene: Scene) -> None:
    """What earlier notices were told whom costs a later one nothing."""
    officer = await scene.world.context(scene.officer)
    earlier = [new_id() for _ in range(20)]
    await ReceiptRow.bulk_create(
        ReceiptRow(
            community_id=scene.community.id, notice_id=notice_id, home_id=new_id(), building_id=new_id()
        )
        for notice_id in earlier
        for _ in range(100)
    )
    if dialect() == "postgres":
        await execute("ANALYZE")
    async with recorded() as statements:
        await reach.unreached(officer, [Reach(scene.notice.id)], None, None, PAGE)
        await reach.visited(officer, [Reach(scene.notice.id)], PAGE)
        await reach.buildings_of(officer, [Reach(scene.notice.id)], PAGE)
    # The others are of the notice, for the audit log.
    statements = [statement for statement in statements if "notice_id" in statement.text]
    assert len(statements) == 3
    for statement in statements:
        found = await plan(statement)
        assert "SCAN receipt" not in found, f"{statement.text}\n{found}"
        assert "Seq Scan on receipt" not in found, f"{statement.text}\n{found}"
        if dialect() == "sqlite":
            assert "TEMP B-TREE" not in found, f"{statement.text}\n{found}"


async def test_how_far_it_came_with_a_household(scene: Scene) -> None:
    resident = await scene.as_resident(0)

    async def progress() -> Came:
        ((receipt,),) = await reading.viewers_receipts(resident, [scene.notice])
        return receipt.progress

    came = [await progress()]
    deliveries = Deliveries(scene.world.live)
    deliveries.handed_over(scene.notice.id, frozenset({scene.homes[0].id}))
    await deliveries.flush()
    came.append(await progress())
    await receipts.mark_seen(resident, notice_id=scene.notice.id)
    came.append(await progress())
    await scene.visit(0)
    came.append(await progress())
    await scene.acknowledge(0)
    came.append(await progress())
    assert came == list(Came)


async def test_the_export_lists_homes_and_no_person(scene: Scene) -> None:
    await scene.acknowledge(0)
    await receipts.mark_seen(await scene.as_resident(1), notice_id=scene.notice.id)
    await BuildingRow.filter(id=scene.buildings[1].id).update(name="=cmd()")
    ctx = await scene.world.context(scene.officer)
    (text,) = await reach.exports_of(ctx, [Reach(scene.notice.id)])
    rows = list(csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK))))
    assert rows[0] == ["小区", "楼栋", "单元", "房号", "进度"]
    assert [row[3] for row in rows[1:]] == [home.number for home in scene.homes[1:]]
    assert rows[1][1:] == [scene.buildings[0].name, "1", scene.homes[1].number, "已查看"]
    assert rows[3][1] == "'=cmd()"
    for account in scene.residents:
        assert account.display_name not in text


EVENTS = """
subscription ($id: ID!) { reachEvents(noticeId: $id) { cursor event { __typename ... on ReachChanged {
  notice { title } reach { targeted delivered seen acknowledged inPerson reached
    byBuilding(first: 10) { edges { node { targeted reached building { name } } } }
    unreached(first: 10) { edges { node { home { number } progress } } } }
} } } }
"""


async def test_reach_is_followed_by_offices_only(scene: Scene) -> None:
    for account, code in (
        (scene.residents[0], "NOT_ALLOWED"),
        (await scene.world.neighbour(await scene.world.community()), "NOT_FOUND"),
        (None, "UNAUTHENTICATED"),
    ):
        ctx = await scene.world.context(account)
        assert await refused(ctx, EVENTS, id=global_id("Notice", scene.notice.id)) == [code]


async def test_an_event_carries_the_reach_without_a_viewer(scene: Scene) -> None:
    await scene.acknowledge(0)
    await scene.visit(1)
    (*_, logged) = await scene.world.events(reach_topic(scene.notice.id))
    reach = (await sent(scene.world, EVENTS, logged, id=global_id("Notice", scene.notice.id)))["reach"]
    assert {name: value for name, value in reach.items() if isinstance(value, int)} == {
        "targeted": 6,
        "delivered": 1,
        "seen": 1,
        "acknowledged": 1,
        "inPerson": 1,
        "reached": 2,
    }
    assert [edge["node"]["reached"] for edge in reach["byBuilding"]["edges"]] == [2, 0]
    assert len(reach["unreached"]["edges"]) == 4
