"""The places and organisations that rows name; for fields of rows that the viewer was shown already."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from models.base import InCommunity
from models.identity import BuildingRow, CommunityRow, EstateRow, GridRow, HomeRow
from models.organisations import OrganisationRow
from models.storage.tables import by_ids
from resolvers.context import Context


class InEstate(Protocol):
    @property
    def estate_id(self) -> UUID | None: ...


class InGrid(Protocol):
    @property
    def grid_id(self) -> UUID | None: ...


class InBuilding(Protocol):
    @property
    def building_id(self) -> UUID | None: ...


class InHome(Protocol):
    @property
    def home_id(self) -> UUID | None: ...


class OfOrganisation(Protocol):
    @property
    def organisation_id(self) -> UUID | None: ...


class OfBranch(Protocol):
    @property
    def branch_id(self) -> UUID: ...


async def communities(_ctx: Context, rows: Sequence[InCommunity]) -> list[CommunityRow | None]:
    return await by_ids(CommunityRow, [row.community_id for row in rows])


async def estates(_ctx: Context, rows: Sequence[InEstate]) -> list[EstateRow | None]:
    """None for what is about a whole community."""
    return await by_ids(EstateRow, [row.estate_id for row in rows])


async def grids(_ctx: Context, rows: Sequence[InGrid]) -> list[GridRow | None]:
    """None for what is in no grid."""
    return await by_ids(GridRow, [row.grid_id for row in rows])


async def buildings(_ctx: Context, rows: Sequence[InBuilding]) -> list[BuildingRow | None]:
    return await by_ids(BuildingRow, [row.building_id for row in rows])


async def homes(_ctx: Context, rows: Sequence[InHome]) -> list[HomeRow | None]:
    return await by_ids(HomeRow, [row.home_id for row in rows])


async def organisations(_ctx: Context, rows: Sequence[OfOrganisation]) -> list[OrganisationRow | None]:
    """The organisation that acted, offers, or was asked."""
    return await by_ids(OrganisationRow, [row.organisation_id for row in rows])


async def branches(_ctx: Context, rows: Sequence[OfBranch]) -> list[OrganisationRow | None]:
    return await by_ids(OrganisationRow, [row.branch_id for row in rows])
