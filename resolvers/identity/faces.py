"""The public face of accounts: a display name, a building, an office; never more."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from models.identity import NeighbourOffice, NeighbourRow, account_behind
from models.messages import Message
from models.roles import Role
from models.storage.rows import select
from resolvers.context import Context

ANONYMOUS = Message("Account closed")


class Authored(Protocol):
    """What somebody wrote in a community."""

    @property
    def author_id(self) -> UUID: ...
    @property
    def community_id(self) -> UUID: ...


class OfAccount(Protocol):
    """Something about an account in a community."""

    @property
    def account_id(self) -> UUID: ...
    @property
    def community_id(self) -> UUID: ...


@dataclass(slots=True)
class FaceFact:
    """An account's name with one of its homes, or one of its offices, in a community."""

    account_id: UUID
    # None for the name of one who lives in none of those asked for.
    community_id: UUID | None
    name: str
    organisation_id: UUID | None
    role: Role | None
    # Of the building or of the organisation.
    place: str | None


async def authors_of(ctx: Context, authored: Sequence[Authored]) -> list[NeighbourRow]:
    """Who wrote each, as the community knows them."""
    return await neighbours(ctx, [(item.author_id, item.community_id) for item in authored])


async def neighbours_of(ctx: Context, rows: Sequence[OfAccount]) -> list[NeighbourRow]:
    """Whom each is about, as the community knows them."""
    return await neighbours(ctx, [(row.account_id, row.community_id) for row in rows])


async def faces_of(
    ctx: Context, pairs: Sequence[tuple[UUID | None, UUID | None]]
) -> list[NeighbourRow | None]:
    """The face of each account in each community, by one statement; None where one of the two is."""
    known = list(dict.fromkeys((account, community) for account, community in pairs if account and community))
    found: dict[tuple[UUID | None, UUID | None], NeighbourRow] = {}
    if known:
        found.update(zip(known, await neighbours(ctx, known), strict=True))
    return [found.get(pair) for pair in pairs]


async def neighbours(ctx: Context, pairs: Iterable[tuple[UUID, UUID]]) -> list[NeighbourRow]:
    """The face of each account in each community, by one statement.

    Nobody's permission is asked: whoever may see what an account did may see the face it did it
    with. An account that is gone keeps a face without a name.
    """
    wanted = list(pairs)
    found = await faces(wanted)
    nameless = ANONYMOUS.in_language(ctx.language)
    return [
        found[community].get(account) or NeighbourRow(account, community, nameless, None, None)
        for account, community in wanted
    ]


async def neighbours_by_id(ctx: Context, ids: Sequence[UUID]) -> list[NeighbourRow | None]:
    """The neighbours with these ids in the communities that the viewer belongs to, else None."""
    communities = ctx.viewer.communities
    pairs = [(account_behind(community_id, id), community_id) for id in ids for community_id in communities]
    known = (await faces(pairs)).values()
    found = {row.id: row for people in known for row in people.values() if takes_part(row)}
    return [found.get(id) for id in ids]


def takes_part(row: NeighbourRow) -> bool:
    return row.building is not None or row.office is not None


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


def face_precedence(fact: FaceFact) -> tuple[str, int]:
    return fact.place or "", RANKS[fact.role or Role.ADMIN]


def office_of(fact: FaceFact) -> NeighbourOffice | None:
    if fact.organisation_id is None or fact.role is None:
        return None
    return NeighbourOffice(fact.organisation_id, fact.place or "", fact.role)


async def faces(pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, dict[UUID, NeighbourRow]]:
    """By community the faces of those of its accounts that are asked for and not gone."""
    asked: dict[UUID, set[UUID]] = defaultdict(set)
    for account_id, community_id in pairs:
        asked[community_id].add(account_id)
    if not asked:
        return {}
    accounts = set[UUID]().union(*asked.values())
    communities = list(asked)
    facts = await select(FaceFact, FACES, communities, accounts, accounts, communities)
    known = at_home(asked, [fact for fact in facts if fact.role is None])
    # Of several offices, as of several homes, the same one is shown every time.
    for fact in sorted([fact for fact in facts if fact.role], key=face_precedence, reverse=True):
        if fact.community_id and (face := known[fact.community_id].get(fact.account_id)):
            face.office = office_of(fact)
    return known


def at_home(
    asked: Mapping[UUID, set[UUID]], facts: Iterable[FaceFact]
) -> dict[UUID, dict[UUID, NeighbourRow]]:
    """The faces without offices."""
    known: dict[UUID, dict[UUID, NeighbourRow]] = {community_id: {} for community_id in asked}
    # Of who may be asked for where they do not live.
    names: dict[UUID, str] = {}
    for fact in facts:
        account_id, community, building = fact.account_id, fact.community_id, fact.place
        if community is None or len(asked) > 1:
            names[account_id] = fact.name
        if community is not None:
            face = known[community].get(account_id)
            if face is None:
                known[community][account_id] = NeighbourRow(account_id, community, fact.name, building, None)
            elif (building or "") < (face.building or ""):
                face.building = building
    for community_id, members in asked.items():
        for account_id in members.difference(known[community_id]):
            if (name := names.get(account_id)) is not None:
                known[community_id][account_id] = NeighbourRow(account_id, community_id, name, None, None)
    return known
