"""Who may see what: one rule, for queries, mutations and streams.

Everything that may be seen has an *audience*, a set of scope ids. A viewer *holds* a set of scope
ids: the account itself, its homes, their buildings, estates, grids and communities, the
organisations it holds office in, the groups and party branches it is a member of. A viewer may see a
thing if the two sets meet. Queries ask that in SQL, streams in memory; a test holds the two together.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from models.base import named_id
from models.memberships import MemberRole, members_of, moderators_of
from models.roles import OrganisationKind, Role
from models.storage.rows import Where, select

NO_ONE: frozenset[UUID] = frozenset()


def public_of(community_id: UUID) -> UUID:
    """The scope of what everyone in a community may look at, verified or not."""
    return named_id(community_id, "public")


def role_of(community_id: UUID, kind: OrganisationKind, role: Role) -> UUID:
    """The scope of everyone who holds `role` in an organisation of `kind`."""
    return named_id(community_id, f"{kind.value}/{role.value}")


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
class RightsRow:
    """One thing that an account's rights follow from; the columns of the others are null."""

    account_id: UUID
    # Says that this session has not ended, and nothing else.
    session_id: UUID | None
    community_id: UUID | None
    home_id: UUID | None
    building_id: UUID | None
    estate_id: UUID | None
    grid_id: UUID | None
    organisation_id: UUID | None
    kind: OrganisationKind | None
    host_id: UUID | None
    # Of an office or of a membership, else empty.
    role: str


# Homes, offices, memberships, and where the account is known at all: of a home that was left, the community.
STANDING = (
    "SELECT r.account_id, CAST(NULL AS uuid) AS session_id,"
    " r.community_id, CASE WHEN r.until IS NULL THEN r.home_id END AS home_id,"
    " h.building_id, b.estate_id, b.grid_id,"
    " CAST(NULL AS uuid) AS organisation_id, NULL AS kind, CAST(NULL AS uuid) AS host_id, '' AS role"
    " FROM residency r JOIN home h ON h.id = r.home_id JOIN building b ON b.id = h.building_id"
    " WHERE r.account_id IN (?)"
    " UNION ALL SELECT a.account_id, NULL, a.community_id, NULL, NULL, NULL, a.grid_id,"
    " a.organisation_id, o.kind, NULL, a.role"
    " FROM appointment a JOIN organisation o ON o.id = a.organisation_id"
    " WHERE a.revoked_at IS NULL AND a.account_id IN (?)"
    " UNION ALL SELECT account_id, NULL, community_id, NULL, NULL, NULL, NULL, NULL, NULL, host_id, role"
    " FROM membership WHERE left_at IS NULL AND account_id IN (?)"
    " UNION ALL SELECT account_id, NULL, community_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ''"
    " FROM residency_application WHERE account_id IN (?)"
)


# And which sessions have not ended.
IN_SESSION = (
    f"{STANDING} UNION ALL SELECT account_id, id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ''"
    " FROM session WHERE id IN (?) AND ended_at IS NULL"
)


# A session and the account whose it is said to be.
InSession = tuple[UUID, UUID]


async def viewer_in(session: InSession) -> Viewer | None:
    """The account as it stands now, by one statement; None if the session has ended or is another's."""
    return (await viewers_in([session]))[session]


async def viewers_in(sessions: Collection[InSession]) -> dict[InSession, Viewer | None]:
    """The same for many, by one statement for all."""
    accounts = [account_id for _, account_id in sessions]
    ids = [session_id for session_id, _ in sessions]
    rows: dict[UUID, list[RightsRow]] = {account_id: [] for account_id in accounts}
    open_ = set()
    # One is bound faster by itself than in a list.
    params: list[Any] = [*[accounts] * 4, ids] if len(ids) > 1 else [*accounts * 4, *ids]
    for row in await select(RightsRow, IN_SESSION, *params):
        if row.session_id is not None:
            open_.add((row.session_id, row.account_id))
        else:
            rows[row.account_id].append(row)
    return {
        session: standing(session[1], session[0], rows[session[1]]) if session in open_ else None
        for session in sessions
    }


async def viewers(accounts: Mapping[UUID, UUID | None]) -> dict[UUID, Viewer]:
    """Each account (mapped to its session) as it stands now, by one statement for all."""
    rows: dict[UUID, list[RightsRow]] = {account_id: [] for account_id in accounts}
    for row in await select(RightsRow, STANDING, *[list(accounts)] * 4):
        rows[row.account_id].append(row)
    return {
        account_id: standing(account_id, session_id, rows[account_id])
        for account_id, session_id in accounts.items()
    }


def standing(account_id: UUID, session_id: UUID | None, rows: Iterable[RightsRow]) -> Viewer:
    scopes: set[UUID | None] = {account_id}
    homes: set[UUID] = set()
    communities: set[UUID] = set()
    known: set[UUID] = set()
    offices: dict[UUID, Office] = {}
    memberships: list[tuple[UUID, UUID, MemberRole]] = []
    for row in rows:
        community_id = row.community_id
        if community_id is None:
            continue
        if row.home_id is not None:
            homes.add(row.home_id)
            scopes |= {row.home_id, row.building_id, row.estate_id, row.grid_id}
            communities.add(community_id)
        elif row.organisation_id is not None and row.kind is not None:
            offices[row.organisation_id] = office = office_with(
                offices.get(row.organisation_id), row.organisation_id, community_id, row.kind, row
            )
            scopes |= {row.organisation_id}
            scopes |= {role_of(community_id, row.kind, role) for role in office.roles}
            # Who leads a branch sees what its members see.
            if row.kind is OrganisationKind.PARTY_BRANCH:
                scopes.add(members_of(row.organisation_id))
            communities.add(community_id)
        elif row.host_id is not None:
            memberships.append((community_id, row.host_id, MemberRole(row.role)))
        else:
            known.add(community_id)
    # Of no account once it has left the community.
    joined = {host_id: role for community_id, host_id, role in memberships if community_id in communities}
    scopes.update(members_of(host_id) for host_id in joined)
    scopes.update(moderators_of(host_id) for host_id, role in joined.items() if role is not MemberRole.MEMBER)
    scopes.update(communities)
    scopes.update(public_of(community_id) for community_id in communities | known)
    scopes.discard(None)
    return Viewer(
        account_id=account_id,
        session_id=session_id,
        scopes=cast(frozenset[UUID], frozenset(scopes)),
        homes=frozenset(homes),
        communities=frozenset(communities),
        offices=offices,
        memberships=joined,
    )


def office_with(
    before: Office | None, id: UUID, community_id: UUID, kind: OrganisationKind, row: RightsRow
) -> Office:
    """An office with one more appointment to it."""
    return Office(
        id,
        community_id,
        kind,
        (before.roles if before else frozenset()) | {Role(row.role)},
        (before.grids if before else NO_ONE) | ({row.grid_id} if row.grid_id else NO_ONE),
    )
