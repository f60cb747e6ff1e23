"""A community with offices and a merchant, for the tests of local services."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest

from models.base import now
from models.directory.entries import DirectoryCategory, EntryRow
from models.directory.hours import CHINA
from models.directory.licences import LicenceKind, LicenceRow
from models.identity import AccountRow, BuildingRow, CommunityRow, EstateRow, GridRow, HomeRow
from models.jobs import JobRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from resolvers.directory import entries, licences, listing
from resolvers.directory.entries import EntryDraft
from resolvers.directory.listing import DirectoryCriteria
from resolvers.jobs import Worker
from tests.world import World

keys = count(1)
PAGE = PageArgs(first=100)
ANY = DirectoryCriteria()
NOODLES = EntryDraft(DirectoryCategory.NEARBY, "老张面馆", "手擀面,早七点开门", place="南门外")


def a_year_from_now() -> date:
    return now().astimezone(CHINA).date() + timedelta(days=365)


def new_key() -> str:
    return f"key {next(keys)}"


@dataclass
class Scene:
    world: World
    community: CommunityRow
    grid: GridRow
    estate: EstateRow
    building: BuildingRow
    home: HomeRow
    committee: OrganisationRow
    company: OrganisationRow
    shop: OrganisationRow
    admin: AccountRow
    clerk: AccountRow
    merchant: AccountRow
    resident: AccountRow
    neighbour: AccountRow
    stranger: AccountRow

    async def create(
        self,
        by: AccountRow | None = None,
        of: OrganisationRow | None = None,
        draft: EntryDraft = NOODLES,
        **more: Any,
    ) -> EntryRow:
        return await entries.create(
            await self.world.context(by or self.merchant),
            organisation_id=(of or self.shop).id,
            draft=replace(draft, **more),
            key=new_key(),
        )

    async def publish(self, row: EntryRow, by: AccountRow | None = None, on: bool = True) -> EntryRow:
        return await entries.set_published(
            await self.world.context(by or self.merchant), entry_id=row.id, version=row.version, on=on
        )

    async def office_entry(self, **more: Any) -> EntryRow:
        """Something of the committee's, published."""
        draft = EntryDraft(DirectoryCategory.GOVERNMENT_AFFAIRS, "老年优待证", "六十岁以上可以办")
        made = await self.create(self.admin, self.committee, replace(draft, **more))
        return await self.publish(made, self.admin)

    async def submit(self, until: date | None = None, by: AccountRow | None = None) -> LicenceRow:
        return await licences.submit(
            await self.world.context(by or self.merchant),
            organisation_id=self.shop.id,
            kind=LicenceKind.FOOD,
            number="JY1330106 0123456",
            valid_until=until or a_year_from_now(),
            key=new_key(),
        )

    async def decide(
        self, row: LicenceRow, approve: bool = True, by: AccountRow | None = None, reason: str = "证照齐全"
    ) -> LicenceRow:
        return await licences.decide(
            await self.world.context(by or self.clerk),
            licence_id=row.id,
            version=row.version,
            approve=approve,
            reason=reason,
        )

    async def licensed_entry(self, **more: Any) -> EntryRow:
        """Something of the merchant's, licensed and published."""
        await self.decide(await self.submit())
        return await self.publish(await self.create(**more))

    async def directory(
        self, by: AccountRow, wanted: DirectoryCriteria = ANY, args: PageArgs = PAGE
    ) -> list[EntryRow]:
        ctx = await self.world.context(by)
        (page,) = await listing.directory_of(ctx, [self.community], wanted, args)
        return page.items

    async def names(self, by: AccountRow, wanted: DirectoryCriteria = ANY) -> list[str]:
        return [row.name for row in await self.directory(by, wanted)]

    async def work(self) -> None:
        """Do what is due."""
        worker = Worker(self.world.services)
        while await worker.work():
            pass

    async def hurry(self, kind: str) -> None:
        """Have what is scheduled of this kind be due."""
        await JobRow.filter(kind=kind, done_at=None).update(due_at=now())
        await self.work()


@pytest.fixture
async def scene(world: World) -> Scene:
    community = await world.community()
    grid = await world.grid(community)
    estate = await world.estate(community)
    building = await world.building(estate, grid)
    home = await world.home(building)
    committee = await world.organisation(community)
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    shop = await world.organisation(community, OrganisationKind.MERCHANT)
    return Scene(
        world=world,
        community=community,
        grid=grid,
        estate=estate,
        building=building,
        home=home,
        committee=committee,
        company=company,
        shop=shop,
        admin=await world.officer(committee, Role.ADMIN),
        clerk=await world.officer(committee),
        merchant=await world.officer(shop, Role.ADMIN),
        resident=await world.resident(home),
        neighbour=await world.neighbour(community),
        stranger=await world.neighbour(await world.community()),
    )
