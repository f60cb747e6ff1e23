"""An estate of owners, a committee that puts motions to them, and the clock they go by."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from models import base
from models.base import new_id
from models.identity import AccountRow, BuildingRow, CommunityRow, EstateRow, HomeRow, Relation, ResidencyRow
from models.motions import Channel, Choice, ItemClass, MotionRow, ScopeKind
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from resolvers.context import Context
from resolvers.jobs import Worker
from resolvers.motions import (
    announcing,
    ballot_box,
    ballots,
    closing,
    paper,
    putting,
    reading,
    rules,
)
from resolvers.motions.rules import RulesDraft
from tests.clock import Clock
from tests.world import World

# Registers the scheduled work.
_ = closing

YES, NO, ABSTAIN = Choice.YES, Choice.NO, Choice.ABSTAIN
M2 = 10_000
SURVEY = RulesDraft(name="意见征询", binding=False, notice_hours=0)
numbers = count(1)


@pytest.fixture
def clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The test's clock, which PostgreSQL goes by as well."""

    async def begun_at() -> datetime:
        return clock()

    monkeypatch.setattr(ballot_box, "begun_at", begun_at)
    return clock


class Street:
    """An estate with owners, and officers of its owners' committee."""

    community: CommunityRow
    estate: EstateRow
    building: BuildingRow
    committee: OrganisationRow

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.officers: list[AccountRow] = []

    @classmethod
    async def built(cls, world: World, clock: Clock) -> "Street":
        street = cls(world, clock)
        street.community = await world.community()
        street.estate = await world.estate(street.community)
        street.building = await world.building(street.estate)
        street.committee = await world.organisation(street.community, OrganisationKind.OWNERS_COMMITTEE)
        street.officers = [await world.officer(street.committee, Role.OFFICER) for _ in range(3)]
        return street

    async def home(self, square_metres: int, building: BuildingRow | None = None) -> HomeRow:
        building = building or self.building
        return await HomeRow.create(
            community_id=building.community_id,
            building_id=building.id,
            unit="1",
            number=str(next(numbers)),
            area_cm2=square_metres * M2,
        )

    async def owner(self, *square_metres: int) -> AccountRow:
        """Somebody who alone owns a home of each of these sizes."""
        account = await self.world.account()
        for size in square_metres:
            await self.own(account, await self.home(size))
        return account

    async def own(self, account: AccountRow, home: HomeRow, relation: Relation = Relation.OWNER) -> None:
        await ResidencyRow.create(
            community_id=home.community_id, account_id=account.id, home_id=home.id, relation=relation
        )

    async def ctx(self, account: AccountRow) -> Context:
        return await self.world.context(account)

    async def officer(self, number: int = 0) -> Context:
        return await self.ctx(self.officers[number])

    async def adopt(self, wanted: RulesDraft) -> None:
        ctx = await self.officer()
        newest = await rules.newest_of(self.community.id)
        await rules.adopt(
            ctx,
            organisation_id=self.committee.id,
            base_version=newest.version if newest else 0,
            wanted=wanted,
        )

    def draft(
        self, *classes: ItemClass, now: datetime, hours: float = 24, **more: Any
    ) -> putting.MotionDraft:
        items = tuple(putting.ItemDraft(item_class=it, title=f"事项 {it.number}") for it in classes)
        return putting.MotionDraft(
            **{
                "title": "更换物业服务企业",
                "body": "现有合同年底到期。",
                "items": items
                or (putting.ItemDraft(item_class=ItemClass.PROPERTY_MANAGER, title="选聘新物业"),),
                "scope_kind": ScopeKind.ESTATE,
                "scope_ids": (self.estate.id,),
                "opens_at": now,
                "closes_at": now + timedelta(hours=hours),
                **more,
            }
        )

    async def announced(self, *classes: ItemClass, under: RulesDraft = SURVEY, **more: Any) -> "Vote":
        await self.adopt(under)
        now = base.now()
        if under.notice_hours:
            now += timedelta(hours=under.notice_hours)
        ctx = await self.officer()
        row = await putting.create(
            ctx,
            organisation_id=self.committee.id,
            draft=self.draft(*classes, now=now, **more),
            key=str(new_id()),
        )
        await putting.announce(ctx, motion_id=row.id, version=row.version)
        return Vote(self, row.id, [item.id for item in (await reading.items([row.id]))[0]])

    async def opened(self, *classes: ItemClass, under: RulesDraft = SURVEY, **more: Any) -> "Vote":
        vote = await self.announced(*classes, under=under, **more)
        await vote.work()
        return vote


class Vote:
    """An announced motion."""

    def __init__(self, street: Street, id: UUID, items: list[UUID]) -> None:
        self.street = street
        self.id = id
        self.items = items

    async def work(self) -> None:
        """Let scheduled work be done that is due."""
        worker = Worker(self.street.world.services)
        while await worker.work():
            pass

    async def row(self) -> MotionRow:
        return await reading.motion(self.id)

    def choices(self, *choices: Choice) -> dict[UUID, Choice]:
        return dict(zip(self.items, choices, strict=True))

    async def cast(
        self, account: AccountRow, *choices: Choice, home: HomeRow | None = None, **more: Any
    ) -> ballots.RecordedBallot:
        return await ballots.cast(
            await self.street.ctx(account),
            motion_id=self.id,
            home_id=home.id if home else None,
            choices=self.choices(*choices),
            **{"key": str(new_id()), **more},
        )

    async def enter(
        self, home: HomeRow, *choices: Choice, by: int = 0, channel: Channel = Channel.PAPER
    ) -> Any:
        return await paper.enter(
            await self.street.officer(by),
            motion_id=self.id,
            home_id=home.id,
            channel=channel,
            choices=self.choices(*choices),
            photo="照片 17",
            key=str(new_id()),
        )

    async def confirm(self, paper_id: UUID, *choices: Choice, by: int = 1) -> Any:
        return await paper.confirm(
            await self.street.officer(by), paper_id=paper_id, choices=self.choices(*choices)
        )

    async def on_paper(self, home: HomeRow, *choices: Choice, channel: Channel = Channel.PAPER) -> Any:
        entered = await self.enter(home, *choices, channel=channel)
        return await self.confirm(entered.id, *choices)

    async def closed(self) -> dict[str, Any]:
        """The result, after the close."""
        row = await self.row()
        self.street.clock.go(row.closes_at + announcing.SETTLE + timedelta(seconds=1))
        await self.work()
        result = (await self.row()).result
        assert result is not None
        return result
