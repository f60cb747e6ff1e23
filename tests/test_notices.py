"""Official word: who may send it, to whom it goes, and how it is taken back."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import (
    AccountRow,
    BuildingRow,
    CommunityRow,
    EstateRow,
    GridRow,
    HomeRow,
    Relation,
    ResidencyRow,
)
from models.notices import (
    AudienceKind,
    BuildingReachRow,
    NoticeCategory,
    NoticeRow,
    NoticeStatus,
    ReachedHow,
    ReceiptRow,
    Severity,
    visible_to,
)
from models.notifications import NotificationRow
from models.organisations import AppointmentRow, OrganisationRow
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from models.storage.rows import columns, select
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.notices import publishing, reading, receipts
from resolvers.notices.audiences import Place, RoleHolders, Wanted, natural
from resolvers.notices.publishing import NoticeChange, NoticeDraft
from schema.node import global_id
from subscriptions.events import Event, Kind, community_topic
from subscriptions.streams import Stream
from tests.asking import answered, refused, run, sent, subscribed
from tests.world import World, counted

pytestmark = pytest.mark.anyio

PAGE = PageArgs(first=100)


@dataclass
class Scene:
    """A community with a committee, a property company, and two estates of two buildings each."""

    world: World
    community: CommunityRow
    committee: OrganisationRow
    property: OrganisationRow
    officer: AccountRow
    manager: AccountRow
    grid: GridRow
    estates: list[EstateRow]
    buildings: list[BuildingRow]
    homes: list[HomeRow]
    residents: list[AccountRow]

    async def as_officer(self) -> Context:
        return await self.world.context(self.officer)

    def draft(self, **changes: Any) -> NoticeDraft:
        said: dict[str, Any] = {
            "category": NoticeCategory.OUTAGE,
            "severity": Severity.URGENT,
            "title": "停电通知",
            "body": "2、3号楼明日停电。",
        }
        return NoticeDraft(**{**said, **changes})

    async def publish(self, *audience: Wanted, ctx: Context | None = None, **changes: Any) -> NoticeRow:
        return await publishing.publish(
            ctx or await self.as_officer(),
            organisation_id=self.committee.id,
            draft=self.draft(**changes),
            audience=audience or [Place(AudienceKind.COMMUNITY, self.community.id)],
            key=str(new_id()),
        )

    async def events(self, *kinds: Kind) -> list[Event]:
        logged = await self.world.events(community_topic(self.community.id))
        return [entry.event for entry in logged if not kinds or entry.event.kind in kinds]


@pytest.fixture
async def scene(world: World) -> Scene:
    """Each of the four buildings has two homes, the first two are in a grid; one resident a home."""
    return await make_scene(world)


async def make_scene(world: World) -> Scene:
    community = await world.community()
    committee = await world.organisation(community)
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    grid = await world.grid(community)
    estates = [await world.estate(community) for _ in range(2)]
    buildings = [await world.building(estates[0], grid) for _ in range(2)]
    buildings += [await world.building(estates[1]) for _ in range(2)]
    homes = [await world.home(building) for building in buildings for _ in range(2)]
    return Scene(
        world=world,
        community=community,
        committee=committee,
        property=company,
        officer=await world.officer(committee),
        manager=await world.officer(company),
        grid=grid,
        estates=estates,
        buildings=buildings,
        homes=homes,
        residents=[await world.resident(home) for home in homes],
    )


async def targeted(notice: NoticeRow) -> set[UUID]:
    return {receipt.home_id for receipt in await ReceiptRow.filter(notice_id=notice.id)}


async def seen_by(scene: Scene, account: AccountRow) -> list[UUID]:
    ctx = await scene.world.context(account)
    where = visible_to(ctx.viewer)
    rows = await select(
        NoticeRow,
        f"SELECT {columns(NoticeRow)} FROM notice t WHERE {where.text} ORDER BY t.id",
        *where.params,
    )
    return [row.id for row in rows]


async def nothing_happened(scene: Scene) -> bool:
    written = (
        await NoticeRow.all().count() + await ReceiptRow.all().count() + await NotificationRow.all().count()
    )
    return written == 0 and await scene.events() == []


# Sending


async def test_a_notice_to_buildings_targets_exactly_their_homes(scene: Scene) -> None:
    notice = await scene.publish(
        Place(AudienceKind.BUILDING, scene.buildings[1].id),
        Place(AudienceKind.BUILDING, scene.buildings[2].id),
    )
    assert await targeted(notice) == {home.id for home in scene.homes[2:6]}
    counters = {row.building_id: row.targeted for row in await BuildingReachRow.filter(notice_id=notice.id)}
    assert counters == {scene.buildings[1].id: 2, scene.buildings[2].id: 2}
    told = {row.account_id for row in await NotificationRow.filter(subject_id=notice.id)}
    assert told == {account.id for account in scene.residents[2:6]}
    for index, resident in enumerate(scene.residents):
        assert (await seen_by(scene, resident) == [notice.id]) is (2 <= index < 6)


@pytest.mark.parametrize(("kind", "homes"), [("COMMUNITY", 8), ("ESTATE", 4), ("GRID", 4), ("BUILDING", 2)])
async def test_each_kind_of_place_targets_its_homes(scene: Scene, kind: str, homes: int) -> None:
    place = {
        "COMMUNITY": scene.community.id,
        "ESTATE": scene.estates[0].id,
        "GRID": scene.grid.id,
        "BUILDING": scene.buildings[0].id,
    }[kind]
    notice = await scene.publish(Place(AudienceKind(kind), place))
    assert await targeted(notice) == {home.id for home in scene.homes[:homes]}


async def test_overlapping_places_count_a_home_once(scene: Scene) -> None:
    notice = await scene.publish(
        Place(AudienceKind.ESTATE, scene.estates[0].id),
        Place(AudienceKind.GRID, scene.grid.id),
        Place(AudienceKind.BUILDING, scene.buildings[0].id),
        Place(AudienceKind.BUILDING, scene.buildings[0].id),
    )
    assert await ReceiptRow.filter(notice_id=notice.id).count() == 4
    assert await NotificationRow.filter(subject_id=notice.id).count() == 4


async def test_the_target_is_fixed_at_sending(scene: Scene) -> None:
    notice = await scene.publish(Place(AudienceKind.BUILDING, scene.buildings[0].id))
    before = await targeted(notice)
    home = await scene.world.home(scene.buildings[0])
    newcomer = await scene.world.resident(home)
    await ResidencyRow.filter(home_id=scene.homes[0].id).update(until=now())
    assert await targeted(notice) == before
    # Whoever moves in sees what holds in the building, but the household is not counted.
    assert await seen_by(scene, newcomer) == [notice.id]
    with pytest.raises(NotAllowed):
        await receipts.acknowledge(await scene.world.context(newcomer), notice_id=notice.id)
    assert await seen_by(scene, scene.residents[0]) == []


async def test_a_former_resident_is_told_nothing(scene: Scene) -> None:
    await ResidencyRow.filter(account_id=scene.residents[0].id).update(until=now())
    notice = await scene.publish()
    assert not await NotificationRow.filter(account_id=scene.residents[0].id).exists()
    assert scene.homes[0].id in await targeted(notice)


async def test_a_role_is_told_without_household_receipts(scene: Scene) -> None:
    worker = await scene.world.officer(scene.committee, Role.GRID_WORKER, scene.grid)
    revoked = await scene.world.officer(scene.committee, Role.GRID_WORKER, scene.grid)
    await AppointmentRow.filter(account_id=revoked.id).update(revoked_at=now())
    notice = await scene.publish(RoleHolders(OrganisationKind.RESIDENTS_COMMITTEE, Role.GRID_WORKER))
    assert await targeted(notice) == set()
    assert [row.account_id for row in await NotificationRow.filter(subject_id=notice.id)] == [worker.id]
    assert await seen_by(scene, worker) == [notice.id]
    assert await seen_by(scene, scene.residents[0]) == []


async def test_publisher_and_committee_see_what_was_sent(scene: Scene) -> None:
    notice = await publishing.publish(
        await scene.world.context(scene.manager),
        organisation_id=scene.property.id,
        draft=scene.draft(),
        audience=[Place(AudienceKind.BUILDING, scene.buildings[0].id)],
        key="k",
    )
    assert await seen_by(scene, scene.manager) == [notice.id]
    assert await seen_by(scene, scene.officer) == [notice.id]
    own = await scene.publish(Place(AudienceKind.BUILDING, scene.buildings[0].id))
    assert own.id not in await seen_by(scene, scene.manager)


async def test_the_event_is_for_whom_the_query_shows_it_to(scene: Scene) -> None:
    notice = await scene.publish(Place(AudienceKind.BUILDING, scene.buildings[0].id))
    published, added = await scene.events()
    assert (published.kind, published.subject, published.thread) == (
        Kind.NOTICE_PUBLISHED,
        notice.id,
        notice.id,
    )
    assert published.facts == {"severity": "URGENT", "category": "OUTAGE"}
    for account in (*scene.residents, scene.officer, scene.manager):
        viewer = (await scene.world.context(account)).viewer
        assert viewer.may_see(published.audience) is (await seen_by(scene, account) == [notice.id])
    # One event for all inboxes, by scope, without the office that only looks on.
    assert (added.kind, added.subject, added.audience) == (
        Kind.NOTIFICATION_ADDED,
        notice.id,
        frozenset({scene.buildings[0].id}),
    )


async def test_publishing_again_with_the_same_key_sends_nothing_again(scene: Scene) -> None:
    ctx = await scene.as_officer()
    audience = [Place(AudienceKind.COMMUNITY, scene.community.id)]
    said: dict[str, Any] = {"organisation_id": scene.committee.id, "audience": audience, "key": "retry"}
    first = await publishing.publish(ctx, draft=scene.draft(), **said)
    again = await publishing.publish(ctx, draft=scene.draft(), **said)
    assert again.id == first.id
    assert await NoticeRow.all().count() == 1
    assert len(await scene.events()) == 2
    assert await AuditRow.all().count() == 1
    with pytest.raises(Conflict):
        await publishing.publish(ctx, draft=scene.draft(title="别的"), **said)
    assert await NoticeRow.all().count() == 1


async def test_thousands_of_homes_take_few_statements(world: World) -> None:
    scene = await make_scene(world)
    building = scene.buildings[3]
    homes = [
        HomeRow(
            community_id=scene.community.id,
            building_id=building.id,
            unit="1",
            number=f"n{number}",
            area_cm2=1,
        )
        for number in range(3_000)
    ]
    await HomeRow.bulk_create(homes, batch_size=500)
    await ResidencyRow.bulk_create(
        [
            ResidencyRow(
                community_id=scene.community.id, account_id=new_id(), home_id=home.id, relation=Relation.OWNER
            )
            for home in homes
        ],
        batch_size=500,
    )
    async with counted() as queries:
        notice = await scene.publish()
    assert await ReceiptRow.filter(notice_id=notice.id).count() == 3_008
    assert await NotificationRow.filter(subject_id=notice.id).count() == 3_008
    # Statements grow with batches of a thousand, never with homes.
    assert queries.count < 40


# Refusals


async def test_residents_and_strangers_cannot_publish(scene: Scene) -> None:
    audience = [Place(AudienceKind.COMMUNITY, scene.community.id)]
    said: dict[str, Any] = {
        "organisation_id": scene.committee.id,
        "draft": scene.draft(),
        "audience": audience,
    }
    resident = await scene.world.context(scene.residents[0])
    with pytest.raises(NotAllowed):
        await publishing.publish(resident, key="k", **said)
    entry = await AuditRow.get(account_id=scene.residents[0].id)
    assert (entry.action, entry.refused, entry.organisation_id) == ("publishNotice", True, scene.committee.id)
    elsewhere = await scene.world.neighbour(await scene.world.community())
    with pytest.raises(NotFound):
        await publishing.publish(await scene.world.context(elsewhere), key="k", **said)
    with pytest.raises(Unauthenticated):
        await publishing.publish(await scene.world.context(), key="k", **said)
    assert await nothing_happened(scene)


async def test_emergencies_are_for_the_committee(scene: Scene) -> None:
    manager = await scene.world.context(scene.manager)
    with pytest.raises(NotAllowed):
        await publishing.publish(
            manager,
            organisation_id=scene.property.id,
            draft=scene.draft(severity=Severity.EMERGENCY),
            audience=[Place(AudienceKind.COMMUNITY, scene.community.id)],
            key="k",
        )
    assert await AuditRow.filter(account_id=scene.manager.id, refused=True).count() == 1
    assert await nothing_happened(scene)
    assert (await scene.publish(severity=Severity.EMERGENCY)).severity is Severity.EMERGENCY


async def test_an_office_cannot_publish_for_another(scene: Scene) -> None:
    with pytest.raises(NotAllowed):
        await scene.publish(ctx=await scene.world.context(scene.manager))
    assert await nothing_happened(scene)


async def test_places_of_another_community_are_no_audience(scene: Scene) -> None:
    other = await make_scene(scene.world)
    for place in (
        Place(AudienceKind.COMMUNITY, other.community.id),
        Place(AudienceKind.ESTATE, other.estates[0].id),
        Place(AudienceKind.GRID, other.grid.id),
        Place(AudienceKind.BUILDING, other.buildings[0].id),
    ):
        with pytest.raises(InvalidInput) as refused:
            await scene.publish(place)
        assert list(refused.value.fields) == ["audience"]
    assert await nothing_happened(scene)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "长" * 81}, "title"),
        ({"body": "长" * 5001}, "body"),
        ({"ends_at": now() - timedelta(seconds=1)}, "endsAt"),
        ({"starts_at": now() + timedelta(hours=2), "ends_at": now() + timedelta(hours=1)}, "endsAt"),
        ({"starts_at": now().replace(tzinfo=None)}, "startsAt"),
    ],
)
async def test_what_cannot_be_accepted_is_named(scene: Scene, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await scene.publish(**changes)
    assert list(refused.value.fields) == [field]
    assert await nothing_happened(scene)


async def test_an_audience_must_reach_somebody(scene: Scene) -> None:
    empty = await scene.world.building(scene.estates[0])
    with pytest.raises(InvalidInput):
        await scene.publish(Place(AudienceKind.BUILDING, empty.id))
    assert await nothing_happened(scene)


# Updates and cancels


async def test_an_update_supersedes_and_goes_to_the_same_homes(scene: Scene) -> None:
    old = await scene.publish(
        Place(AudienceKind.BUILDING, scene.buildings[0].id), ends_at=now() + timedelta(hours=8)
    )
    await receipts.acknowledge(await scene.world.context(scene.residents[0]), notice_id=old.id)
    # Built after the notice was sent: an update goes to whom the first went to.
    await scene.world.home(scene.buildings[0])
    until = now() + timedelta(hours=10)
    new = await publishing.update(
        await scene.as_officer(), notice_id=old.id, version=1, change=NoticeChange(ends_at=until), key="k"
    )
    assert (new.root_id, new.supersedes_id, new.status) == (old.id, old.id, NoticeStatus.ACTIVE)
    assert (new.title, new.body, new.ends_at) == (old.title, old.body, until)
    assert (await reading.notice(old.id)).status is NoticeStatus.SUPERSEDED
    assert await targeted(new) == await targeted(old)
    # Everyone must hear the news anew.
    assert not await ReceiptRow.filter(notice_id=new.id, acknowledged_at__isnull=False).exists()
    (updated,) = await scene.events(Kind.NOTICE_UPDATED)
    (published,) = await scene.events(Kind.NOTICE_PUBLISHED)
    assert (updated.subject, updated.thread, updated.audience) == (new.id, old.id, published.audience)
    assert await NotificationRow.filter(subject_id=new.id).count() == 2


async def test_a_superseded_notice_conflicts_with_what_is_current(scene: Scene) -> None:
    old = await scene.publish()
    ctx = await scene.as_officer()
    new = await publishing.update(ctx, notice_id=old.id, version=1, change=NoticeChange(title="新"), key="a")
    resident = await scene.world.context(scene.residents[0])
    for attempt in (
        publishing.update(ctx, notice_id=old.id, version=1, change=NoticeChange(title="旧"), key="b"),
        publishing.update(ctx, notice_id=old.id, version=2, change=NoticeChange(title="旧"), key="c"),
        publishing.cancel(ctx, notice_id=old.id, version=2, reason="恢复"),
        receipts.acknowledge(resident, notice_id=old.id),
    ):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.current == new.id
    assert await NoticeRow.all().count() == 2
    assert not await ReceiptRow.filter(acknowledged_at__isnull=False).exists()
    again = await publishing.update(
        ctx, notice_id=old.id, version=1, change=NoticeChange(title="新"), key="a"
    )
    assert again.id == new.id


async def test_of_two_updates_at_once_one_wins(scene: Scene) -> None:
    old = await scene.publish()
    ctx = await scene.as_officer()
    results = await asyncio.gather(
        *(
            publishing.update(ctx, notice_id=old.id, version=1, change=NoticeChange(title=str(n)), key=str(n))
            for n in range(4)
        ),
        return_exceptions=True,
    )
    (winner,) = [result for result in results if isinstance(result, NoticeRow)]
    losers = [result for result in results if isinstance(result, Conflict)]
    assert [loser.current for loser in losers] == [winner.id] * 3
    assert await NoticeRow.all().count() == 2


async def test_a_milder_update_reaches_those_who_follow_only_severe_notices(scene: Scene) -> None:
    old = await scene.publish(severity=Severity.EMERGENCY)
    change = NoticeChange(severity=Severity.INFORMATION)
    await publishing.update(await scene.as_officer(), notice_id=old.id, version=1, change=change, key="k")
    (updated,) = await scene.events(Kind.NOTICE_UPDATED)
    assert updated.facts["severity"] == "EMERGENCY"


async def test_a_cancel_closes_a_notice(scene: Scene) -> None:
    notice = await scene.publish()
    closed = await publishing.cancel(
        await scene.as_officer(), notice_id=notice.id, version=1, reason="已恢复供电"
    )
    assert (closed.status, closed.cancel_reason) == (NoticeStatus.CANCELLED, "已恢复供电")
    assert closed.cancelled_at is not None
    (cancelled,) = await scene.events(Kind.NOTICE_CANCELLED)
    assert cancelled.subject == notice.id
    with pytest.raises(Conflict):
        await receipts.acknowledge(await scene.world.context(scene.residents[0]), notice_id=notice.id)
    actions = [entry.action for entry in await AuditRow.all().order_by("id")]
    assert actions == ["publishNotice", "cancelNotice"]


async def test_only_the_publishing_office_updates_and_cancels(scene: Scene) -> None:
    notice = await scene.publish()
    worker = await scene.world.officer(scene.committee, Role.GRID_WORKER, scene.grid)
    for account in (scene.residents[0], worker):
        ctx = await scene.world.context(account)
        with pytest.raises(NotAllowed):
            await publishing.update(
                ctx, notice_id=notice.id, version=1, change=NoticeChange(title="x"), key="k"
            )
        with pytest.raises(NotAllowed):
            await publishing.cancel(ctx, notice_id=notice.id, version=1, reason="x")
    assert await AuditRow.filter(refused=True).count() == 4
    other = await scene.world.neighbour(await scene.world.community())
    with pytest.raises(NotFound):
        await publishing.cancel(await scene.world.context(other), notice_id=notice.id, version=1, reason="x")
    assert (await reading.notice(notice.id)).status is NoticeStatus.ACTIVE
    assert await NoticeRow.all().count() == 1


# Reading


async def test_what_is_in_force_and_what_is_not_acknowledged(scene: Scene) -> None:
    ctx = await scene.world.context(scene.residents[0])
    active = await scene.publish(severity=Severity.INFORMATION)
    later = await scene.publish(starts_at=now() + timedelta(days=1))
    over = await scene.publish(ends_at=now() + timedelta(hours=1))
    await NoticeRow.filter(id=over.id).update(ends_at=now() - timedelta(seconds=1))
    cancelled = await scene.publish()
    await publishing.cancel(await scene.as_officer(), notice_id=cancelled.id, version=1, reason="x")
    await scene.publish(Place(AudienceKind.BUILDING, scene.buildings[3].id))

    async def in_force() -> list[UUID]:
        return [row.id for row in (await reading.active(ctx, scene.community.id, PAGE)).items]

    async def pending(least: Severity) -> list[UUID]:
        page = await reading.unacknowledged(ctx, scene.community.id, least.and_above(), PAGE)
        return [row.id for row in page.items]

    assert await in_force() == [active.id]
    assert await pending(Severity.INFORMATION) == [later.id, active.id]
    assert await pending(Severity.URGENT) == [later.id]
    await receipts.acknowledge(ctx, notice_id=later.id)
    assert await pending(Severity.INFORMATION) == [active.id]


async def test_lists_are_filtered_and_paged(scene: Scene) -> None:
    resident = await scene.world.context(scene.residents[0])
    general = await scene.publish(category=NoticeCategory.GENERAL, severity=Severity.INFORMATION)
    outage = await scene.publish()
    cancelled = await scene.publish(severity=Severity.EMERGENCY)
    await publishing.cancel(await scene.as_officer(), notice_id=cancelled.id, version=1, reason="x")
    other = await scene.publish(Place(AudienceKind.BUILDING, scene.buildings[3].id))
    community: Any = scene.community

    async def listed(args: PageArgs = PAGE, **wanted: Any) -> list[UUID]:
        filters = reading.Filters(**wanted)
        (page,) = await reading.notices_of_communities(resident, [community], filters, args)
        return [row.id for row in page.items]

    assert await listed() == [cancelled.id, outage.id, general.id]
    assert await listed(PageArgs(first=1)) == [cancelled.id]
    assert await listed(PageArgs(last=1)) == [general.id]
    assert await listed(status=NoticeStatus.ACTIVE) == [outage.id, general.id]
    assert await listed(severities=Severity.URGENT.and_above()) == [cancelled.id, outage.id]
    assert await listed(severities=frozenset()) == []
    assert await listed(category=NoticeCategory.GENERAL) == [general.id]
    committee: Any = scene.committee
    (page,) = await reading.notices_of_organisations(resident, [committee], reading.Filters(), PAGE)
    assert [row.id for row in page.items] == [cancelled.id, outage.id, general.id]
    officer = await scene.as_officer()
    (page,) = await reading.notices_of_organisations(officer, [committee], reading.Filters(), PAGE)
    assert page.items[0].id == other.id
    with pytest.raises(InvalidInput):
        await listed(PageArgs(first=1, after="x"))


def test_buildings_are_walked_in_the_order_of_their_numbers() -> None:
    names = ["10号楼", "9号楼", "丰盛园 2号楼", "A10", "A9"]
    assert sorted(names, key=natural) == ["9号楼", "10号楼", "A9", "A10", "丰盛园 2号楼"]


LIST = """
query ($id: ID!) { node(id: $id) { ... on Community { notices(first: 100) { edges { node { %s } } } } } }
"""
# Each alone: how many statements two lists of the same type share is a matter of their timing.
SELECTIONS = [
    """id title category severity status startsAt endsAt createdAt validNow version
       organisation { name } author { displayName } audience { kind label organisationKind role }""",
    "supersedes { id } supersededBy { id } history(first: 5) { edges { node { id } } }",
    "viewerReceipts { home { label } building { name } progress } viewerCanSeeReach",
    "reach { targeted reached byBuilding(first: 5) { edges { node { targeted building { name } } } } }",
    "reach { unreached(first: 5) { edges { node { home { label } building { name } progress } } } }",
    "reach { visits(first: 5) { edges { node { home { label } note visitor { displayName } } } } }",
    "reach { unreachedCsv } round(first: 5) { edges { node { home { label } } } }",
]


async def test_a_list_costs_the_same_statements_for_one_and_for_a_hundred(scene: Scene) -> None:
    variables = {"id": global_id("Community", scene.community.id)}
    home = (await scene.world.resident(scene.homes[0])).id
    await AppointmentRow.create(
        community_id=scene.community.id,
        organisation_id=scene.committee.id,
        account_id=home,
        role=Role.GRID_WORKER,
        grid_id=scene.grid.id,
    )
    counts: list[list[int]] = []
    data: dict[str, Any] = {}
    for more in (1, 99):
        for _ in range(more):
            notice = await scene.publish()
            await receipts.record_visit(
                await scene.as_officer(),
                notice_id=notice.id,
                home_id=scene.homes[7].id,
                how=ReachedHow.DOORSTEP,
            )
        ctx = await scene.world.context(await AccountRow.get(id=home))
        counts.append([])
        for selection in SELECTIONS:
            async with counted() as queries:
                data = await run(replace(ctx, memo={}), LIST % selection, **variables)
            counts[-1].append(queries.count)
    edges = data["node"]["notices"]["edges"]
    assert len(edges) == 100
    assert len(edges[99]["node"]["round"]["edges"]) == 4
    assert counts[0] == counts[1]
    assert max(counts[0]) < 12


PUBLISH = """
mutation ($input: PublishNoticeInput!) { publishNotice(input: $input) { __typename
  ... on PublishNoticePayload { notice { id title audience { kind label } } }
  ... on Problem { code } ... on InvalidInput { fields { name } }
} }
"""


async def test_publishing_over_graphql(scene: Scene) -> None:
    given: dict[str, Any] = {
        "organisationId": global_id("Organisation", scene.committee.id),
        "category": "OUTAGE",
        "severity": "EMERGENCY",
        "title": "停电",
        "body": "今晚",
        "audience": [
            {"placeId": global_id("Building", scene.buildings[0].id)},
            {"role": {"organisationKind": "PROPERTY_COMPANY", "role": "OFFICER"}},
        ],
        "endsAt": (now() + timedelta(hours=1)).isoformat(),
        "idempotencyKey": "k",
    }
    answer = (await run(await scene.as_officer(), PUBLISH, input=given))["publishNotice"]
    assert answer["__typename"] == "PublishNoticePayload"
    label = f"{scene.estates[0].name} {scene.buildings[0].name}"
    assert {"kind": "BUILDING", "label": label} in answer["notice"]["audience"]
    assert [row["kind"] for row in answer["notice"]["audience"]].count("OFFICE") == 0
    assert await seen_by(scene, scene.manager) != []
    no_audiences: list[list[dict[str, Any]]] = [[{}], [], [{"placeId": global_id("Home", scene.homes[0].id)}]]
    for audience in no_audiences:
        bad = {**given, "audience": audience, "idempotencyKey": "other"}
        answer = (await run(await scene.as_officer(), PUBLISH, input=bad))["publishNotice"]
        assert (answer["code"], answer["fields"]) == ("INVALID_INPUT", [{"name": "audience"}])
    resident = await scene.world.context(scene.residents[0])
    answer = (await run(resident, PUBLISH, input={**given, "idempotencyKey": "x"}))["publishNotice"]
    assert answer["__typename"] == "NotAllowed"


async def test_reach_is_an_error_for_residents_and_leaves_the_rest(scene: Scene) -> None:
    notice = await scene.publish()
    text = "query ($id: ID!) { node(id: $id) { ... on Notice { title reach { reached } } } }"
    ctx = await scene.world.context(scene.residents[0])
    result = await answered(ctx, text, id=global_id("Notice", notice.id))
    assert result.data == {"node": {"title": notice.title, "reach": None}}
    assert [(error.extensions or {})["code"] for error in result.errors or []] == ["NOT_ALLOWED"]


EVENTS = """
subscription ($id: ID!, $least: Severity!) { noticeEvents(communityId: $id, minSeverity: $least) {
  cursor event { __typename
    ... on NoticePublished { notice { id title organisation { name } audience { label } } }
    ... on NoticeUpdated { notice { id supersedes { id } } } } } }
"""


async def test_followers_of_urgent_notices_get_no_others(scene: Scene) -> None:
    for severity in Severity:
        await scene.publish(severity=severity)
    old = await scene.publish(severity=Severity.URGENT)
    milder = NoticeChange(severity=Severity.INFORMATION)
    await publishing.update(await scene.as_officer(), notice_id=old.id, version=1, change=milder, key="k")
    variables = {"id": global_id("Community", scene.community.id), "least": "URGENT"}
    resident = await scene.world.context(scene.residents[0])
    stream: Stream = (await subscribed(resident, EVENTS, **variables)).stream
    assert stream.requires == frozenset({scene.community.id})
    logged = [
        entry
        for entry in await scene.world.events(community_topic(scene.community.id))
        if stream.wants(entry.event)
    ]
    assert [entry.event.kind for entry in logged] == [Kind.NOTICE_PUBLISHED] * 3 + [Kind.NOTICE_UPDATED]
    told = await sent(scene.world, EVENTS, logged[-1], **variables)
    assert told["notice"]["supersedes"] == {"id": global_id("Notice", old.id)}


async def test_only_verified_people_follow_notices(scene: Scene) -> None:
    variables = {"id": global_id("Community", scene.community.id), "least": "URGENT"}
    former = scene.residents[0]
    await ResidencyRow.filter(account_id=former.id).update(until=now())
    elsewhere = await scene.world.neighbour(await scene.world.community())
    for account, code in ((former, "NOT_ALLOWED"), (elsewhere, "NOT_FOUND"), (None, "UNAUTHENTICATED")):
        ctx = await scene.world.context(account)
        assert await refused(ctx, EVENTS, **variables) == [code]
