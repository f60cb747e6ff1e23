"""Who may see what: one rule, for queries, mutations and streams.

Everything that may be seen has an *audience*, a set of scope ids. A viewer *holds* a set of scope
ids: the account itself, its homes, their buildings, estates, grids and communities, the
organisations it holds office in, the groups and party branches it is a member of. A viewer may see a
thing if the two sets meet. Queries ask that in SQL, streams in memory; a test holds the two together.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from models.memberships import MemberRole, members_of, moderators_of
from models.organisations import OrganisationKind, Role
from models.rows import Where, select

NO_ONE: frozenset[UUID] = frozenset()


def public_of(community_id: UUID) -> UUID:
    """The scope of what everyone in a community may look at, verified or not."""
    return uuid5(community_id, "public")


def role_of(community_id: UUID, kind: OrganisationKind, role: Role) -> UUID:
    """The scope of everyone who holds `role` in an organisation of `kind`."""
    return uuid5(community_id, f"{kind.value}/{role.value}")


@dataclass(frozen=True, slots=True)
class Office:
    """An office that a viewer holds."""

    organisation_id: UUID
    community_id: UUID
    kind: OrganisationKind
    roles: frozenset[Role]
    grids: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: an account as it stands now, or nobody."""

    account_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[UUID] = NO_ONE
    homes: frozenset[UUID] = NO_ONE
    # Communities where the account is a verified resident or an officer.
    communities: frozenset[UUID] = NO_ONE
    offices: Mapping[UUID, Office] = field(default_factory=dict)
    # The groups and party branches that the account belongs to.
    memberships: Mapping[UUID, MemberRole] = field(default_factory=dict)

    def may_see(self, audience: frozenset[UUID]) -> bool:
        return not audience.isdisjoint(self.scopes)

    def belongs_to(self, community_id: UUID) -> bool:
        """Whether the account may take part there: a verified resident, or an officer."""
        return community_id in self.communities

    def offices_of(self, community_id: UUID, kind: OrganisationKind) -> list[Office]:
        return [
            office
            for office in self.offices.values()
            if office.community_id == community_id and office.kind is kind
        ]


NOBODY = Viewer()


def held_by(viewer: Viewer, column: str = "t.scope_id") -> Where:
    """The rows whose `column` names a scope that `viewer` holds."""
    return Where(f"{column} IN (?)", (viewer.scopes,))


@dataclass(slots=True)
class HeldHome:
    account_id: UUID
    community_id: UUID
    home_id: UUID
    building_id: UUID
    estate_id: UUID
    grid_id: UUID | None


@dataclass(slots=True)
class HeldRole:
    account_id: UUID
    community_id: UUID
    organisation_id: UUID
    kind: OrganisationKind
    role: Role
    grid_id: UUID | None


@dataclass(slots=True)
class HeldMembership:
    account_id: UUID
    community_id: UUID
    host_id: UUID
    role: MemberRole


@dataclass(slots=True)
class Known:
    account_id: UUID
    community_id: UUID


@dataclass(slots=True)
class Fact:
    """One thing that an account's rights follow from; the columns of the others are null."""

    account_id: UUID
    community_id: UUID
    home_id: UUID | None
    building_id: UUID | None
    estate_id: UUID | None
    grid_id: UUID | None
    organisation_id: UUID | None
    kind: OrganisationKind | None
    host_id: UUID | None
    role: str | None


# Homes, offices, memberships, and where the account is known at all.
STANDING = (
    "SELECT r.account_id, r.community_id, r.home_id, h.building_id, b.estate_id, b.grid_id,"
    " CAST(NULL AS uuid) AS organisation_id, NULL AS kind, CAST(NULL AS uuid) AS host_id, NULL AS role"
    " FROM residency r JOIN home h ON h.id = r.home_id JOIN building b ON b.id = h.building_id"
    " WHERE r.until IS NULL AND r.account_id IN (?)"
    " UNION ALL SELECT a.account_id, a.community_id, NULL, NULL, NULL, a.grid_id,"
    " a.organisation_id, o.kind, NULL, a.role"
    " FROM appointment a JOIN organisation o ON o.id = a.organisation_id"
    " WHERE a.revoked_at IS NULL AND a.account_id IN (?)"
    " UNION ALL SELECT account_id, community_id, NULL, NULL, NULL, NULL, NULL, NULL, host_id, role"
    " FROM membership WHERE left_at IS NULL AND account_id IN (?)"
    " UNION ALL SELECT account_id, community_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    " FROM residency WHERE account_id IN (?)"
    " UNION ALL SELECT account_id, community_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    " FROM residency_application WHERE account_id IN (?)"
)


async def viewers(accounts: Mapping[UUID, UUID | None]) -> dict[UUID, Viewer]:
    """Each account (mapped to its session) as it stands now, by one statement for all."""
    ids = list(accounts)
    homes: list[HeldHome] = []
    roles: list[HeldRole] = []
    memberships: list[HeldMembership] = []
    known: list[Known] = []
    for fact in await select(Fact, STANDING, *[ids] * 5):
        own = fact.account_id, fact.community_id
        match fact:
            case Fact(
                home_id=UUID() as home_id, building_id=UUID() as building_id, estate_id=UUID() as estate
            ):
                homes.append(HeldHome(*own, home_id, building_id, estate, fact.grid_id))
            case Fact(organisation_id=UUID() as office, kind=OrganisationKind() as kind, role=str() as held):
                roles.append(HeldRole(*own, office, kind, Role(held), fact.grid_id))
            case Fact(host_id=UUID() as host, role=str() as held):
                memberships.append(HeldMembership(*own, host, MemberRole(held)))
            case _:
                known.append(Known(*own))
    homes_of: defaultdict[UUID, list[HeldHome]] = defaultdict(list)
    roles_of: defaultdict[UUID, list[HeldRole]] = defaultdict(list)
    memberships_of: defaultdict[UUID, list[HeldMembership]] = defaultdict(list)
    known_to: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for home in homes:
        homes_of[home.account_id].append(home)
    for role in roles:
        roles_of[role.account_id].append(role)
    for membership in memberships:
        memberships_of[membership.account_id].append(membership)
    for row in known:
        known_to[row.account_id].add(row.community_id)
    return {
        account_id: standing(
            account_id,
            session_id,
            homes_of[account_id],
            roles_of[account_id],
            memberships_of[account_id],
            known_to[account_id],
        )
        for account_id, session_id in accounts.items()
    }


def standing(
    account_id: UUID,
    session_id: UUID | None,
    homes: Iterable[HeldHome],
    roles: Iterable[HeldRole],
    memberships: Iterable[HeldMembership],
    known: set[UUID],
) -> Viewer:
    scopes = {account_id}
    communities: set[UUID] = set()
    for home in homes:
        scopes |= {home.home_id, home.building_id, home.estate_id}
        scopes |= {home.grid_id} if home.grid_id else set()
        communities.add(home.community_id)
    offices: dict[UUID, Office] = {}
    for held in roles:
        before = offices.get(held.organisation_id)
        offices[held.organisation_id] = Office(
            held.organisation_id,
            held.community_id,
            held.kind,
            (before.roles if before else frozenset()) | {held.role},
            (before.grids if before else NO_ONE) | ({held.grid_id} if held.grid_id else NO_ONE),
        )
        scopes |= {held.organisation_id, role_of(held.community_id, held.kind, held.role)}
        # Who leads a branch sees what its members see.
        scopes |= {members_of(held.organisation_id)} if held.kind is OrganisationKind.PARTY_BRANCH else set()
        communities.add(held.community_id)
    # Of no account once it has left the community.
    joined = [membership for membership in memberships if membership.community_id in communities]
    scopes |= {members_of(membership.host_id) for membership in joined}
    scopes |= {moderators_of(held.host_id) for held in joined if held.role is not MemberRole.MEMBER}
    scopes |= communities | {public_of(community_id) for community_id in communities | known}
    return Viewer(
        account_id=account_id,
        session_id=session_id,
        scopes=frozenset(scopes),
        homes=frozenset(home.home_id for home in homes),
        communities=frozenset(communities),
        offices=offices,
        memberships={membership.host_id: membership.role for membership in joined},
    )
