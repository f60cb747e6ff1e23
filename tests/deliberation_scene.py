"""An estate that deliberates, for the tests of deliberation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import UUID

from models.base import now
from models.deliberations import (
    DeliberationPhase,
    DeliberationRow,
    DeliberationStepRow,
    StatementChoice,
    StatementRow,
)
from models.identity import AccountRow, BuildingRow, CommunityRow, EstateRow
from models.jobs import JobRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind
from models.storage.paging import PageArgs
from resolvers.deliberations import phases, statements, steps, topics
from resolvers.deliberations.topics import UNPLANNED, Plan, Topic
from resolvers.existing import existing
from resolvers.jobs import Worker
from subscriptions.events import Kind, community_topic
from tests.world import World

keys = count(1)


@dataclass
class Estates:
    world: World
    community: CommunityRow
    estate: EstateRow
    building: BuildingRow
    committee: OrganisationRow
    owners: OrganisationRow
    property: OrganisationRow
    clerk: AccountRow
    colleague: AccountRow
    chair: AccountRow
    manager: AccountRow
    residents: list[AccountRow]

    async def convene(
        self,
        by: AccountRow | None = None,
        *,
        organisation: OrganisationRow | None = None,
        estate: bool = False,
        post_id: UUID | None = None,
        plan: Plan = UNPLANNED,
        key: str | None = None,
    ) -> DeliberationRow:
        return await topics.convene(
            await self.world.context(by or self.clerk),
            organisation_id=(organisation or self.committee).id,
            topic=Topic("遛狗怎么管", "怎么才能都满意？", self.estate.id if estate else None, post_id),
            key=key or f"key {next(keys)}",
            plan=plan,
        )

    async def propose(self, by: AccountRow, organisation: OrganisationRow | None = None) -> DeliberationRow:
        return await topics.propose(
            await self.world.context(by),
            organisation_id=(organisation or self.committee).id,
            topic=Topic("加装电梯", "一楼也要同意"),
            key=f"key {next(keys)}",
        )

    async def move(
        self, row: DeliberationRow, phase: DeliberationPhase, reason: str = "", by: AccountRow | None = None
    ) -> DeliberationRow:
        row = await existing(DeliberationRow, row.id)
        return await phases.move(
            await self.world.context(by or self.clerk),
            deliberation_id=row.id,
            phase=phase,
            version=row.version,
            reason=reason,
        )

    async def voting(self, *, estate: bool = False) -> DeliberationRow:
        return await self.move(await self.convene(estate=estate), DeliberationPhase.STATEMENTS)

    async def say(
        self, row: DeliberationRow, body: str, by: AccountRow | None = None, key: str | None = None
    ) -> StatementRow:
        return await statements.add(
            await self.world.context(by or self.residents[0]),
            deliberation_id=row.id,
            body=body,
            key=key or f"key {next(keys)}",
        )

    async def vote(self, by: AccountRow, statement: StatementRow, choice: StatementChoice) -> StatementRow:
        return await statements.vote(await self.world.context(by), statement_id=statement.id, choice=choice)

    async def kinds(self) -> list[Kind]:
        return [it.event.kind for it in await self.world.events(community_topic(self.community.id))]

    async def steps(self, row: DeliberationRow) -> Sequence[DeliberationStepRow]:
        (page,) = await steps.steps_of(await self.world.context(), [row], PageArgs(first=100))
        assert [step.ordinal for step in page.items] == list(range(1, len(page.items) + 1))
        return page.items

    async def tick(self, at: datetime | None = None) -> None:
        """Do what is scheduled until `at`, as if it were due now."""
        await JobRow.filter(done_at=None, due_at__lte=at or now()).update(due_at=now())
        while await Worker(self.world.services).work():
            pass


async def estates(world: World, residents: int = 3) -> Estates:
    community = await world.community()
    estate = await world.estate(community)
    building = await world.building(estate)
    committee = await world.organisation(community)
    owners = await world.organisation(community, OrganisationKind.OWNERS_COMMITTEE)
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    return Estates(
        world,
        community,
        estate,
        building,
        committee,
        owners,
        company,
        clerk=await world.officer(committee),
        colleague=await world.officer(committee),
        chair=await world.officer(owners),
        manager=await world.officer(company),
        residents=[await world.resident(await world.home(building)) for _ in range(residents)],
    )
