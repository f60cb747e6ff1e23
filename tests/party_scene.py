"""A community with a party branch, its officers, members and others, for the tests of the branch."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from models.identity import AccountRow, BuildingRow, CommunityRow, HomeRow, neighbour_key
from models.memberships import MembershipRow
from models.organisations import OrganisationRow
from models.party.members import PartyFunction, PartyMemberRow
from models.roles import OrganisationKind, Role
from resolvers.context import Context
from tests.asking import run, subscribed
from tests.world import World

keys = count(1)


def key() -> str:
    return f"key {next(keys)}"


@dataclass
class Branch:
    world: World
    community: CommunityRow
    building: BuildingRow
    home: HomeRow
    committee: OrganisationRow
    branch: OrganisationRow
    other_branch: OrganisationRow
    secretary: AccountRow
    officer: AccountRow
    member: AccountRow
    comrade: AccountRow
    neighbour: AccountRow
    manager: AccountRow

    @property
    def id(self) -> UUID:
        return self.branch.id

    async def ctx(self, account: AccountRow) -> Context:
        return await self.world.context(account)

    def face(self, account: AccountRow) -> UUID:
        return neighbour_key(self.community.id, account.id)

    async def run(self, by: AccountRow, text: str, **variables: Any) -> Any:
        return await run(await self.ctx(by), text, **variables)

    async def subscribe(self, by: AccountRow, text: str, **variables: Any) -> Any:
        """What the subscription's resolver answers: a request to follow a stream, or errors."""
        return await subscribed(await self.ctx(by), text, **variables)


async def enrolled(
    world: World, branch: OrganisationRow, account: AccountRow, function: PartyFunction = PartyFunction.MEMBER
) -> AccountRow:
    """The account as a member of the branch, as if it had been taken in."""
    await MembershipRow.create(community_id=branch.community_id, host_id=branch.id, account_id=account.id)
    await PartyMemberRow.create(
        community_id=branch.community_id, branch_id=branch.id, account_id=account.id, function=function
    )
    return account


@pytest.fixture
async def branch(world: World) -> Branch:
    community = await world.community()
    building = await world.building(await world.estate(community))
    home = await world.home(building)
    committee = await world.organisation(community)
    branch = await world.organisation(community, OrganisationKind.PARTY_BRANCH)
    other = await world.organisation(community, OrganisationKind.PARTY_BRANCH)
    return Branch(
        world,
        community,
        building,
        home,
        committee,
        branch,
        other,
        secretary=await world.officer(branch, Role.ADMIN),
        officer=await world.officer(branch),
        member=await enrolled(world, branch, await world.resident(home)),
        comrade=await enrolled(world, branch, await world.resident(await world.home(building))),
        neighbour=await world.resident(await world.home(building)),
        manager=await world.officer(committee, Role.ADMIN),
    )
