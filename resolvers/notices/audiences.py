"""For whom a notice is: the scopes that see it, and the homes that are counted."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.messages import Message
from models.notices import AudienceKind, AudienceRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from models.storage.rows import EVERYTHING, NOTHING, Where, select
from models.storage.tables import every
from models.visibility import role_of
from resolvers.errors import InvalidInput

# Nobody types more; a community's buildings are its estates or grids together.
MOST_SCOPES = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A community, an estate, a building or a grid that a notice shall go to."""

    kind: AudienceKind
    scope_id: UUID


@dataclass(frozen=True, slots=True)
class RoleHolders:
    """Everyone with this role in the organisations of this kind; they have no household receipts."""

    organisation_kind: OrganisationKind
    role: Role


Wanted = Place | RoleHolders


@dataclass(slots=True)
class NamedPlace:
    id: UUID
    name: str


@dataclass(slots=True)
class TargetRow:
    home_id: UUID
    building_id: UUID
    estate: str
    building: str
    unit: str
    number: str


@dataclass(frozen=True, slots=True)
class Target:
    """A home that a notice is counted by."""

    home_id: UUID
    building_id: UUID


# Each takes the community and the ids.
NAMES = {
    AudienceKind.COMMUNITY: "SELECT id, name FROM community WHERE id = ? AND id IN (?)",
    AudienceKind.ESTATE: "SELECT id, name FROM estate WHERE community_id = ? AND id IN (?)",
    AudienceKind.GRID: "SELECT id, name FROM grid WHERE community_id = ? AND id IN (?)",
    AudienceKind.BUILDING: (
        "SELECT b.id, e.name || ' ' || b.name AS name FROM building b JOIN estate e ON e.id = b.estate_id"
        " WHERE b.community_id = ? AND b.id IN (?)"
    ),
}


async def check_audience(
    organisation: OrganisationRow, wanted: Sequence[Wanted], notice_id: UUID
) -> list[AudienceRow]:
    """The scopes to send to, by one statement a kind, and the two offices that see what was sent.

    Raises InvalidInput for none or too many, and for places outside of the organisation's community.
    """
    if not wanted:
        raise InvalidInput(audience=Message("Must not be empty"))
    if len(wanted) > MOST_SCOPES:
        raise InvalidInput(audience=Message("At most {most}", most=MOST_SCOPES))
    rows = [
        role_audience(organisation.community_id, item, notice_id)
        for item in dict.fromkeys(wanted)
        if isinstance(item, RoleHolders)
    ]
    for kind, names in NAMES.items():
        ids = {item.scope_id for item in wanted if isinstance(item, Place) and item.kind is kind}
        if not ids:
            continue
        found = await select(NamedPlace, names, organisation.community_id, ids)
        if len(found) < len(ids):
            raise InvalidInput(audience=Message("Holds a place that is not in the organisation's community"))
        rows += [
            AudienceRow(notice_id=notice_id, kind=kind, scope_id=place.id, label=place.name)
            for place in sorted(found, key=lambda place: natural(place.name))
        ]
    return rows + await offices(organisation, notice_id)


def role_audience(community_id: UUID, holders: RoleHolders, notice_id: UUID) -> AudienceRow:
    scope = role_of(community_id, holders.organisation_kind, holders.role)
    return AudienceRow(
        notice_id=notice_id,
        kind=AudienceKind.ROLE,
        scope_id=scope,
        organisation_kind=holders.organisation_kind,
        role=holders.role,
    )


async def offices(organisation: OrganisationRow, notice_id: UUID) -> list[AudienceRow]:
    """The publisher and the residents' committee, which leads: they see the notice and its reach."""
    found = await select(
        NamedPlace,
        "SELECT id, name FROM organisation WHERE id = ? OR (community_id = ? AND kind = ?) ORDER BY id",
        organisation.id,
        organisation.community_id,
        OrganisationKind.RESIDENTS_COMMITTEE,
    )
    return [
        AudienceRow(notice_id=notice_id, kind=AudienceKind.OFFICE, scope_id=office.id, label=office.name)
        for office in found
    ]


async def targets(community_id: UUID, audience: Iterable[AudienceRow]) -> list[Target]:
    """The homes in `audience`, each once, in the order of a walk from door to door."""
    where = NOTHING
    for kind, column in (
        (AudienceKind.ESTATE, "b.estate_id"),
        (AudienceKind.BUILDING, "b.id"),
        (AudienceKind.GRID, "b.grid_id"),
    ):
        ids = [row.scope_id for row in audience if row.kind is kind]
        where |= Where(f"{column} IN (?)", (ids,)) if ids else NOTHING
    if any(row.kind is AudienceKind.COMMUNITY for row in audience):
        where = EVERYTHING
    found = await select(
        TargetRow,
        "SELECT h.id AS home_id, h.building_id, e.name AS estate, b.name AS building, h.unit, h.number"
        " FROM home h JOIN building b ON b.id = h.building_id JOIN estate e ON e.id = b.estate_id"
        f" WHERE h.community_id = ? AND ({where.text})",
        community_id,
        *where.params,
    )
    found.sort(key=walk)
    return [Target(row.home_id, row.building_id) for row in found]


def walk(row: TargetRow) -> tuple[object, ...]:
    return natural(row.estate), natural(row.building), row.building_id, natural(row.unit), natural(row.number)


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts building 10 behind building 9, and numbers before names."""
    return [
        (0, int(digits), "") if digits else (1, 0, other)
        for digits, other in re.findall(r"([0-9]{1,9})|(\D+)", text)
    ]


async def audience_of(notice_id: UUID) -> list[AudienceRow]:
    return await every(AudienceRow, Where("t.notice_id = ?", (notice_id,)))


def scopes(audience: Iterable[AudienceRow]) -> frozenset[UUID]:
    """Whoever may see the notice."""
    return frozenset(row.scope_id for row in audience)


def addressees(audience: Iterable[AudienceRow]) -> frozenset[UUID]:
    """Whom the notice is for: without the offices that only look on."""
    return frozenset(row.scope_id for row in audience if row.kind is not AudienceKind.OFFICE)


def overseers(audience: Iterable[AudienceRow]) -> frozenset[UUID]:
    """The offices that follow how far the notice comes."""
    return frozenset(row.scope_id for row in audience if row.kind is AudienceKind.OFFICE)
