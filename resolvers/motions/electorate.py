"""Who votes: one head for each set of co-owners, with all the homes that are theirs.

One home is one head; an owner of several homes is one head; co-owners are one head together; the
developer's unsold homes are together one head (Supreme People's Court, interpretation on the ownership of
buildings, article 9). Two homes belong to one head if exactly the same persons own them.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from models.base import new_id
from models.identity import Relation
from models.motions import (
    ElectorHomeRow,
    ElectorKind,
    ElectorRow,
    ElectorVoterRow,
    MotionBuildingRow,
    MotionRow,
    ScopeKind,
)
from models.storage.rows import EVERYTHING, Where, select
from models.storage.tables import insert_all
from resolvers.motions.ballot_box import canonical, digest, iso
from resolvers.notices.audiences import natural

OWNERS = (Relation.OWNER, Relation.CO_OWNER)
SNAPSHOT = "linli-electorate/1"


@dataclass(slots=True)
class Property:
    home_id: UUID
    building_id: UUID
    estate: str
    building: str
    unit: str
    number: str
    area_cm2: int

    @property
    def walk(self) -> tuple[object, ...]:
        return (
            natural(self.estate),
            natural(self.building),
            self.building_id,
            natural(self.unit),
            natural(self.number),
        )


@dataclass(slots=True)
class Ownership:
    """That somebody owns a home, as the residency says."""

    home_id: UUID
    account_id: UUID
    document_index: str | None
    relation: Relation

    @property
    def person(self) -> str:
        return self.document_index or f"account:{self.account_id}"


@dataclass(slots=True)
class RegisteredOwnership:
    """The same, as the household register says."""

    home_id: UUID
    document_index: str
    relation: Relation


@dataclass(slots=True)
class Head:
    kind: ElectorKind
    homes: list[Property] = field(default_factory=list)
    accounts: set[UUID] = field(default_factory=set)

    @property
    def area(self) -> int:
        return sum(home.area_cm2 for home in self.homes)


def heads_of(
    homes: Sequence[Property], held: Collection[Ownership], registered: Collection[RegisteredOwnership]
) -> list[Head]:
    """The heads, in the order of a walk by their first homes. Every home is in exactly one of them.

    Current residencies say who owns a home. The register adds to them where it names one of the same owners,
    and speaks alone where there are none; where it contradicts them it is out of date. A home where people
    are known and no owner is has an unknown owner, who can vote on paper; only what is quite empty counts as
    unsold.
    """
    persons, accounts = owners_of(held, registered)
    peopled = {row.home_id for row in held} | {row.home_id for row in registered}
    heads: dict[object, Head] = {}
    for home in sorted(homes, key=lambda home: home.walk):
        owners = persons.get(home.home_id)
        key: object
        if owners:
            key, kind = frozenset(owners), ElectorKind.OWNER
        elif home.home_id in peopled:
            key, kind = home.home_id, ElectorKind.UNKNOWN
        else:
            key, kind = "developer", ElectorKind.DEVELOPER
        head = heads.setdefault(key, Head(kind))
        head.homes.append(home)
        head.accounts |= accounts.get(home.home_id, set())
    return list(heads.values())


def owners_of(
    held: Collection[Ownership], registered: Collection[RegisteredOwnership]
) -> tuple[Mapping[UUID, set[str]], Mapping[UUID, set[UUID]]]:
    """By home: who owns it, and which accounts are theirs."""
    persons: dict[UUID, set[str]] = {}
    accounts: dict[UUID, set[UUID]] = {}
    for row in held:
        if row.relation in OWNERS:
            persons.setdefault(row.home_id, set()).add(row.person)
            accounts.setdefault(row.home_id, set()).add(row.account_id)
    named: dict[UUID, set[str]] = {}
    for entry in registered:
        if entry.relation in OWNERS:
            named.setdefault(entry.home_id, set()).add(entry.document_index)
    for home_id, documents in named.items():
        known = persons.setdefault(home_id, set())
        if not known or known & documents:
            known |= documents
    return persons, accounts


async def heads_at(motion: MotionRow, moment: datetime) -> list[Head]:
    """The heads of the motion's scope as ownership stood at `moment`."""
    homes = await homes_in_scope(motion)
    held = await select(
        Ownership,
        "SELECT r.home_id, r.account_id, a.document_index, r.relation FROM residency r"
        " JOIN account a ON a.id = r.account_id"
        " WHERE r.community_id = ? AND r.since <= ? AND (r.until IS NULL OR r.until > ?)",
        motion.community_id,
        moment,
        moment,
    )
    registered = await select(
        RegisteredOwnership,
        "SELECT home_id, document_index, relation FROM household_entry WHERE community_id = ?"
        " AND created_at <= ?",
        motion.community_id,
        moment,
    )
    return heads_of(homes, held, registered)


async def homes_in_scope(motion: MotionRow) -> list[Property]:
    ids = [UUID(text) for text in motion.scope_ids]
    where = {
        ScopeKind.COMMUNITY: EVERYTHING,
        ScopeKind.ESTATE: Where("b.estate_id IN (?)", (ids,)),
        ScopeKind.BUILDINGS: Where("b.id IN (?)", (ids,)),
    }[motion.scope_kind]
    return await select(
        Property,
        "SELECT h.id AS home_id, h.building_id, e.name AS estate, b.name AS building, h.unit, h.number,"
        " h.area_cm2 FROM home h JOIN building b ON b.id = h.building_id JOIN estate e ON e.id = b.estate_id"
        f" WHERE h.community_id = ? AND ({where.text})",
        motion.community_id,
        *where.params,
    )


@dataclass(slots=True)
class FrozenElectorate:
    heads: int
    area: int
    snapshot: str
    voters: set[UUID]

    @property
    def hash(self) -> str:
        return digest(self.snapshot)


async def freeze(motion: MotionRow) -> FrozenElectorate:
    """Write down who votes, as ownership stood at the hour of the opening, for ever.

    Electors and homes get numbers by lot, so that the published form names nobody.
    """
    heads = await heads_at(motion, motion.opens_at)
    lot = random.SystemRandom()
    by_lot = lot.sample(heads, len(heads))
    every = [home for head in heads for home in head.homes]
    numbers = {home.home_id: number for number, home in enumerate(lot.sample(every, len(every)), 1)}
    places = {
        home.building_id: f"{home.estate} {home.building}" for home in sorted(every, key=lambda it: it.walk)
    }
    order = {building_id: place for place, building_id in enumerate(places, 1)}
    ids = [new_id() for _ in by_lot]
    await write(motion, by_lot, ids, numbers, order)
    content: dict[str, Any] = {
        "format": SNAPSHOT,
        "motion": motion.id.hex,
        "at": iso(motion.opens_at),
        "buildings": list(places.values()),
        "electors": [
            {
                "number": number,
                "kind": head.kind.value,
                "homes": sorted(
                    (
                        {
                            "number": numbers[home.home_id],
                            "building": order[home.building_id],
                            "area": home.area_cm2,
                        }
                        for home in head.homes
                    ),
                    key=lambda home: home["number"],
                ),
            }
            for number, head in enumerate(by_lot, 1)
        ],
    }
    return FrozenElectorate(
        len(heads),
        sum(head.area for head in heads),
        canonical(content),
        {account for head in heads for account in head.accounts},
    )


async def write(
    motion: MotionRow,
    heads: Sequence[Head],
    ids: Sequence[UUID],
    numbers: Mapping[UUID, int],
    order: Mapping[UUID, int],
) -> None:
    at = motion.opens_at
    await insert_all(
        [
            ElectorRow(
                id=id,
                created_at=at,
                community_id=motion.community_id,
                motion_id=motion.id,
                number=number,
                kind=head.kind,
                building_id=head.homes[0].building_id,
                area_cm2=head.area,
            )
            for number, (id, head) in enumerate(zip(ids, heads, strict=True), 1)
        ]
    )
    await insert_all(
        [
            ElectorHomeRow(
                created_at=at,
                motion_id=motion.id,
                elector_id=id,
                home_id=home.home_id,
                building_id=home.building_id,
                number=numbers[home.home_id],
                area_cm2=home.area_cm2,
            )
            for id, head in zip(ids, heads, strict=True)
            for home in head.homes
        ]
    )
    await insert_all(
        [
            ElectorVoterRow(created_at=at, motion_id=motion.id, elector_id=id, account_id=account)
            for id, head in zip(ids, heads, strict=True)
            for account in sorted(head.accounts)
        ]
    )
    areas = dict.fromkeys(order, 0)
    counts = dict.fromkeys(order, 0)
    for head in heads:
        counts[head.homes[0].building_id] += 1
        for home in head.homes:
            areas[home.building_id] += home.area_cm2
    await insert_all(
        [
            MotionBuildingRow(
                created_at=at,
                motion_id=motion.id,
                building_id=building,
                position=place,
                heads=counts[building],
                area_cm2=areas[building],
            )
            for building, place in order.items()
        ]
    )
