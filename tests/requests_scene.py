"""A community with three offices and people who report things, for the tests of service requests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from models.base import now
from models.identity import AccountRow, BuildingRow, CommunityRow, EstateRow, HomeRow, neighbour_key
from models.jobs import JobRow
from models.organisations import OrganisationRow
from models.requests import RequestAction, RequestRow, StepRow
from models.roles import OrganisationKind, Role
from models.storage.rows import columns, execute, select
from models.storage.tables import by_ids
from resolvers.jobs import Worker
from resolvers.requests import handling, opening
from resolvers.requests.handling import Act
from resolvers.requests.opening import Place, RequestDraft
from tests.world import World

keys = count(1)


@dataclass
class Scene:
    world: World
    community: CommunityRow
    estate: EstateRow
    building: BuildingRow
    home: HomeRow
    committee: OrganisationRow
    owners: OrganisationRow
    property: OrganisationRow
    reporter: AccountRow
    neighbour: AccountRow
    clerk: AccountRow
    colleague: AccountRow
    manager: AccountRow
    owner: AccountRow

    async def submit(
        self,
        category: str = "REPAIR",
        *,
        by: AccountRow | None = None,
        title: str = "电梯有异响",
        **place: Any,
    ) -> RequestRow:
        return await opening.submit(
            await self.world.context(by or self.reporter),
            community_id=self.community.id,
            draft=RequestDraft(category, title, "从三楼往上一直响", Place(**place)),
            key=f"key {next(keys)}",
        )

    async def act(
        self,
        by: AccountRow,
        row: RequestRow,
        action: RequestAction,
        note: str = "说明",
        *,
        key: str | None = None,
        version: int | None = None,
        **more: Any,
    ) -> RequestRow:
        """`row` is the case as `by` has read it."""
        done, _ = await handling.act(
            await self.world.context(by),
            request_id=row.id,
            act=Act(action=action, note=note, **more),
            key=key or f"key {next(keys)}",
            version=row.version if version is None else version,
        )
        return done

    async def through(self, row: RequestRow, *actions: RequestAction) -> RequestRow:
        """Take a case through some of the actions of the office that has it and of its reporter."""
        for action in actions:
            reporters = (RequestAction.CONFIRM, RequestAction.RETURN, RequestAction.WITHDRAW)
            row = await self.act(self.reporter if action in reporters else self.clerk, row, action)
        return row

    async def row(self, request_id: UUID) -> RequestRow:
        (found,) = await by_ids(RequestRow, [request_id])
        assert found is not None
        return found

    async def steps(self, row: RequestRow) -> list[StepRow]:
        return await select(
            StepRow,
            f"SELECT {columns(StepRow)} FROM request_step t WHERE t.request_id = ? ORDER BY t.ordinal",
            row.id,
        )

    async def actions(self, row: RequestRow) -> list[str]:
        return [step.action.value for step in await self.steps(row)]

    def face(self, account: AccountRow) -> UUID:
        return neighbour_key(self.community.id, account.id)

    async def later(self, row: RequestRow, **time: float) -> None:
        """Let time pass for a case and for what is scheduled for it."""
        by = timedelta(**time)
        names = (
            "due_at", "accept_by", "resolve_by", "paused_at", "reminded_for", "escalated_for", "escalated_at",
            "done_at", "confirm_by", "confirm_reminded_at", "closed_at",
        )  # fmt: skip
        before = await self.row(row.id)
        changes = {name: value - by for name in names if (value := getattr(before, name)) is not None}
        settings = ", ".join(f"{name} = ?" for name in changes)
        await execute(f"UPDATE service_request SET {settings} WHERE id = ?", *changes.values(), row.id)
        for tenure in await select(
            Tenured,
            "SELECT id, received_at, accept_by, resolve_by FROM request_tenure WHERE request_id = ?",
            row.id,
        ):
            await execute(
                "UPDATE request_tenure SET received_at = ?, accept_by = ?, resolve_by = ? WHERE id = ?",
                tenure.received_at - by,
                tenure.accept_by - by,
                tenure.resolve_by - by,
                tenure.id,
            )
        for job in await JobRow.filter(subject_id=row.id, done_at=None):
            await JobRow.filter(id=job.id).update(due_at=job.due_at - by)

    async def work(self) -> None:
        """Do what is due."""
        worker = Worker(self.world.services)
        while await worker.work():
            pass

    async def jobs(self, row: RequestRow) -> list[str]:
        """What is still to be done for a case."""
        return sorted(job.kind for job in await JobRow.filter(subject_id=row.id, done_at=None))


@dataclass(slots=True)
class Tenured:
    id: UUID
    received_at: datetime
    accept_by: datetime
    resolve_by: datetime


async def scene_in(world: World) -> Scene:
    community = await world.community()
    estate = await world.estate(community)
    building = await world.building(estate)
    home = await world.home(building)
    committee = await world.organisation(community)
    owners = await world.organisation(community, OrganisationKind.OWNERS_COMMITTEE)
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    return Scene(
        world,
        community,
        estate,
        building,
        home,
        committee,
        owners,
        company,
        reporter=await world.resident(home),
        neighbour=await world.resident(await world.home(building)),
        clerk=await world.officer(company),
        colleague=await world.officer(company),
        manager=await world.officer(committee, Role.ADMIN),
        owner=await world.officer(owners),
    )


def seconds_from_now(moment: datetime | None) -> float:
    assert moment is not None
    return float((moment - now()).total_seconds())


@pytest.fixture
async def scene(world: World) -> Scene:
    return await scene_in(world)
