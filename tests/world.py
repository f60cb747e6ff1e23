"""A small neighbourhood for tests: what they need is made in one call, and read back from the log."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient

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
from models.organisations import AppointmentRow, OrganisationRow
from models.privacy import Keys
from models.roles import OrganisationKind, Role
from models.visibility import NOBODY, viewers
from resolvers.context import Context, Services
from resolvers.tokens import Tokens
from subscriptions import log
from subscriptions.bus import Hint
from subscriptions.events import Logged
from tests import compared

numbers = count(1)


@dataclass
class FakeSms:
    """The SMS gateway's edge: keeps what would be sent."""

    sent: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, phone: str, text: str) -> None:
        self.sent.append((phone, text))


@dataclass
class Recorder:
    """Live delivery's edge: keeps the hints of commits."""

    hints: list[Hint] = field(default_factory=list)

    def committed(self, hints: Sequence[Hint]) -> None:
        self.hints += hints


@dataclass
class FakeStorage:
    """The files' edge: keeps them in memory, with when each was put."""

    files: dict[str, bytes] = field(default_factory=dict)
    put_at: dict[str, datetime] = field(default_factory=dict)

    async def put(self, name: str, data: bytes) -> None:
        self.files[name] = data
        self.put_at[name] = now()

    async def get(self, name: str) -> bytes | None:
        return self.files.get(name)

    async def remove(self, name: str, *, put_before: datetime) -> None:
        if name in self.files and self.put_at[name] < put_before:
            del self.files[name]


def throwaway_keys() -> Keys:
    return Keys(keys={"test": secrets.token_bytes(32)}, current="test", index_key=secrets.token_bytes(32))


class World:
    """Makes communities, homes and people, and contexts that speak for them."""

    def __init__(self, services: Services | None = None) -> None:
        self.sms = FakeSms()
        self.live = Recorder()
        self.services = services or Services(
            keys=throwaway_keys(),
            tokens=Tokens(secrets.token_hex(32)),
            sms=self.sms,
            live=self.live,
            media=FakeStorage(),
        )

    async def community(self, name: str | None = None) -> CommunityRow:
        return await CommunityRow.create(name=name or f"社区{next(numbers)}")

    async def estate(self, community: CommunityRow, name: str | None = None) -> EstateRow:
        return await EstateRow.create(community_id=community.id, name=name or f"小区{next(numbers)}")

    async def grid(self, community: CommunityRow, name: str | None = None) -> GridRow:
        return await GridRow.create(community_id=community.id, name=name or f"网格{next(numbers)}")

    async def building(
        self, estate: EstateRow, grid: GridRow | None = None, name: str | None = None
    ) -> BuildingRow:
        return await BuildingRow.create(
            community_id=estate.community_id,
            estate_id=estate.id,
            grid_id=grid.id if grid else None,
            name=name or f"{next(numbers)}号楼",
        )

    async def home(self, building: BuildingRow, unit: str = "1", number: str | None = None) -> HomeRow:
        return await HomeRow.create(
            community_id=building.community_id,
            building_id=building.id,
            unit=unit,
            number=number or str(next(numbers)),
            area_cm2=900_000,
        )

    async def account(self, name: str | None = None) -> AccountRow:
        number = next(numbers)
        phone = f"+86138{number:08d}"
        return await AccountRow.create(
            phone_index=self.services.keys.index("phone", phone),
            phone_sealed=self.services.keys.seal("phone", phone),
            display_name=name or f"邻居{number}",
        )

    async def resident(
        self, home: HomeRow, relation: Relation = Relation.OWNER, name: str | None = None
    ) -> AccountRow:
        """An account with a current residency in `home`."""
        account = await self.account(name)
        await ResidencyRow.create(
            community_id=home.community_id, account_id=account.id, home_id=home.id, relation=relation
        )
        return account

    async def neighbour(self, community: CommunityRow) -> AccountRow:
        """A verified resident of a new home in `community`."""
        estate = await self.estate(community)
        return await self.resident(await self.home(await self.building(estate)))

    async def organisation(
        self,
        community: CommunityRow,
        kind: OrganisationKind = OrganisationKind.RESIDENTS_COMMITTEE,
        name: str | None = None,
    ) -> OrganisationRow:
        return await OrganisationRow.create(
            community_id=community.id, kind=kind, name=name or f"组织{next(numbers)}"
        )

    async def officer(
        self,
        organisation: OrganisationRow,
        role: Role = Role.OFFICER,
        grid: GridRow | None = None,
        name: str | None = None,
    ) -> AccountRow:
        """An account that holds `role` in `organisation` and lives elsewhere."""
        account = await self.account(name)
        await AppointmentRow.create(
            community_id=organisation.community_id,
            organisation_id=organisation.id,
            account_id=account.id,
            role=role,
            grid_id=grid.id if grid else None,
        )
        return account

    async def context(self, account: AccountRow | None = None) -> Context:
        """A new operation's context, with the account's rights as they are now."""
        if account is None:
            return Context(self.services, NOBODY)
        found = await viewers({account.id: new_id()})
        return Context(self.services, found[account.id])

    async def events(self, topic: str) -> list[Logged]:
        """All that the log holds of a topic."""
        return await log.read(topic, 0, 10_000)


@dataclass
class Queries:
    """The statements that were run."""

    statements: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.statements)


@asynccontextmanager
async def counted() -> AsyncIterator[Queries]:
    """Count the statements that are run on the open database meanwhile."""
    connection = Tortoise.get_connection("default")
    queries = Queries()
    kind: type[BaseDBAsyncClient] = type(connection)
    originals = {name: getattr(kind, name) for name in ("execute_query", "fetch", "execute_insert")}

    def counting(original: Any) -> Any:
        async def run(self: Any, query: str, *args: Any) -> Any:
            if not compared.again.get():
                queries.statements.append(query)
            return await original(self, query, *args)

        return run

    for name, original in originals.items():
        setattr(kind, name, counting(original))
    try:
        yield queries
    finally:
        for name, original in originals.items():
            setattr(kind, name, original)


def ids(rows: Sequence[Any]) -> list[UUID]:
    return [row.id for row in rows]
