"""The public face of accounts: a display name, a building, an office; never more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from models.identity import NeighbourOffice, NeighbourRow, neighbour_key
from models.organisations import Role
from models.rows import select
from resolvers.context import Context

ANONYMOUS = "已注销"


class Authored(Protocol):
    """What somebody wrote in a community."""

    @property
    def author_id(self) -> UUID: ...
    @property
    def community_id(self) -> UUID: ...


@dataclass(slots=True)
class Fact:
    """An account's name with one of its homes, or one of its offices, in a community."""

    account_id: UUID
    community_id: UUID | None
    name: str
    organisation_id: UUID | None
    role: Role | None
    # Of the building or of the organisation.
    place: str | None


async def authors_of(ctx: Context, authored: Sequence[Authored]) -> list[NeighbourRow]:
    """Who wrote each, as the community knows them."""
    return await neighbours(ctx, [(item.author_id, item.community_id) for item in authored])


async def neighbours(_ctx: Context, pairs: Iterable[tuple[UUID, UUID]]) -> list[NeighbourRow]:
    """The face of each account in each community, by one statement.

    Nobody's permission is asked: whoever may see what an account did may see the face it did it
    with. An account that is gone keeps a face without a name.
    """
    wanted = list(pairs)
    found = await faces(wanted)
    return [found.get(pair) or faceless(*pair) for pair in wanted]


async def neighbours_by_id(ctx: Context, ids: Sequence[UUID]) -> list[NeighbourRow | None]:
    """The neighbours with these ids in the communities that the viewer belongs to, else None."""
    communities = ctx.viewer.communities
    pairs = [(neighbour_key(community_id, id), community_id) for id in ids for community_id in communities]
    found = {row.id: row for row in (await faces(pairs)).values() if takes_part(row)}
    return [found.get(id) for id in ids]


def takes_part(row: NeighbourRow) -> bool:
    return row.building is not None or row.office is not None


def faceless(account_id: UUID, community_id: UUID) -> NeighbourRow:
    return NeighbourRow(account_id, community_id, ANONYMOUS, None, None)


RANKS = {role: rank for rank, role in enumerate(Role)}

FACES = (
    "SELECT a.id AS account_id, r.community_id, a.display_name AS name,"
    " CAST(NULL AS uuid) AS organisation_id, NULL AS role, b.name AS place FROM account a"
    " LEFT JOIN residency r ON r.account_id = a.id AND r.until IS NULL AND r.community_id IN (?)"
    " LEFT JOIN home h ON h.id = r.home_id LEFT JOIN building b ON b.id = h.building_id"
    " WHERE a.id IN (?)"
    " UNION ALL SELECT p.account_id, p.community_id, '', p.organisation_id, p.role, o.name"
    " FROM appointment p JOIN organisation o ON o.id = p.organisation_id"
    " WHERE p.revoked_at IS NULL AND p.account_id IN (?) AND p.community_id IN (?)"
)


def precedence(fact: Fact) -> tuple[str, int]:
    return fact.place or "", RANKS[fact.role or Role.ADMIN]


def office_of(fact: Fact) -> NeighbourOffice | None:
    if fact.organisation_id is None or fact.role is None:
        return None
    return NeighbourOffice(fact.organisation_id, fact.place or "", fact.role)


async def faces(pairs: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], NeighbourRow]:
    unique = set(pairs)
    if not unique:
        return {}
    accounts = {account_id for account_id, _ in unique}
    communities = {community_id for _, community_id in unique}
    names: dict[UUID, str] = {}
    buildings: dict[Any, str] = {}
    held: dict[Any, Fact] = {}
    # Of several homes or offices the same one is shown every time.
    for fact in await select(Fact, FACES, communities, accounts, accounts, communities):
        key = (fact.account_id, fact.community_id)
        if fact.role is not None:
            if (before := held.get(key)) is None or precedence(fact) < precedence(before):
                held[key] = fact
            continue
        names[fact.account_id] = fact.name
        if fact.place is not None and ((place := buildings.get(key)) is None or fact.place < place):
            buildings[key] = fact.place
    offices = {key: office_of(fact) for key, fact in held.items()}
    return {
        pair: NeighbourRow(*pair, names[pair[0]], buildings.get(pair), offices.get(pair))
        for pair in unique
        if pair[0] in names
    }
