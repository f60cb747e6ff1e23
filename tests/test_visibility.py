"""models.visibility: SQL and memory agree on who may see what, and standing is read as it is."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.base import new_id, now
from models.identity import ResidencyRow, SessionRow
from models.organisations import AppointmentRow
from models.roles import OrganisationKind, Role
from models.storage.rows import execute
from models.visibility import NOBODY, Viewer, held_by, public_of, role_of, viewer_in, viewers, viewers_in
from resolvers.identity.sessions import LIFETIME
from tests.world import World, counted

SCOPES = [new_id() for _ in range(6)]
AUDIENCES = st.lists(st.frozensets(st.sampled_from(SCOPES)), min_size=1, max_size=8)
HELD = st.lists(st.frozensets(st.sampled_from(SCOPES)), min_size=1, max_size=8)


async def test_the_query_and_the_stream_agree(world: World) -> None:
    """Things with random audiences, viewers with random scopes: the same things for each, both ways."""
    cases: list[tuple[list[frozenset[UUID]], list[frozenset[UUID]]]] = []

    @settings(max_examples=60, deadline=None, database=None)
    @given(audiences=AUDIENCES, held=HELD)
    def draw(audiences: list[frozenset[UUID]], held: list[frozenset[UUID]]) -> None:
        cases.append((audiences, held))

    draw()
    assert len(cases) > 30
    for audiences, held in cases:
        things = {new_id(): audience for audience in audiences}
        rows = [(thing, scope) for thing, audience in things.items() for scope in audience]
        if rows:
            await execute(
                "INSERT INTO notice_audience (id, created_at, notice_id, kind, scope_id, label)"
                f" VALUES {', '.join('(?, ?, ?, ?, ?, ?)' for _ in rows)}",
                *[value for thing, scope in rows for value in (new_id(), now(), thing, "ESTATE", scope, "")],
            )
        for scopes in held:
            viewer = Viewer(account_id=new_id(), scopes=scopes)
            where = held_by(viewer)
            found = await execute(
                f"SELECT DISTINCT t.notice_id AS id FROM notice_audience t"
                f" WHERE t.notice_id IN (?) AND {where.text}",
                list(things),
                *where.params,
            )
            in_sql = {UUID(str(row["id"])) for row in found}
            in_memory = {thing for thing, audience in things.items() if viewer.may_see(audience)}
            assert in_sql == in_memory


def test_nobody_sees_nothing_and_nothing_is_for_nobody() -> None:
    assert not NOBODY.may_see(frozenset())
    assert not NOBODY.may_see(frozenset(SCOPES))
    assert not Viewer(scopes=frozenset(SCOPES)).may_see(frozenset())
    assert held_by(NOBODY).params == (frozenset(),)


def test_derived_scopes_are_distinct() -> None:
    community, other = new_id(), new_id()
    derived = [community, other, public_of(community), public_of(other)]
    derived += [
        role_of(c, kind, role) for c in (community, other) for kind in OrganisationKind for role in Role
    ]
    assert len(set(derived)) == len(derived)
    assert public_of(community) == public_of(community)


async def test_a_resident_holds_every_place_from_the_home_up(world: World) -> None:
    community = await world.community()
    estate, grid = await world.estate(community), await world.grid(community)
    building = await world.building(estate, grid)
    home, other = await world.home(building), await world.home(building)
    account = await world.resident(home)
    viewer = (await viewers({account.id: None}))[account.id]
    assert viewer.scopes == {
        *(account.id, home.id, building.id, estate.id, grid.id, community.id),
        public_of(community.id),
    }
    assert other.id not in viewer.scopes
    assert viewer.homes == {home.id}
    assert viewer.belongs_to(community.id)
    assert not viewer.offices


async def test_moving_out_leaves_what_is_public(world: World) -> None:
    community = await world.community()
    account = await world.neighbour(community)
    await ResidencyRow.filter(account_id=account.id).update(until=now())
    viewer = (await viewers({account.id: None}))[account.id]
    assert viewer.scopes == {account.id, public_of(community.id)}
    assert not viewer.homes
    assert not viewer.belongs_to(community.id)


async def test_an_officer_holds_the_organisation_and_the_role_until_revoked(world: World) -> None:
    community = await world.community()
    organisation = await world.organisation(community)
    grid = await world.grid(community)
    account = await world.officer(organisation, Role.OFFICER, grid)
    await AppointmentRow.create(
        community_id=community.id, organisation_id=organisation.id, account_id=account.id, role=Role.ADMIN
    )
    session = new_id()
    viewer = (await viewers({account.id: session}))[account.id]
    kind = organisation.kind
    assert viewer.session_id == session
    assert viewer.scopes == {
        *(account.id, organisation.id, community.id, public_of(community.id)),
        *(role_of(community.id, kind, Role.OFFICER), role_of(community.id, kind, Role.ADMIN)),
    }
    (office,) = viewer.offices_of(community.id, kind)
    assert office.roles == {Role.OFFICER, Role.ADMIN}
    assert office.grids == {grid.id}
    await AppointmentRow.filter(account_id=account.id).update(revoked_at=now())
    viewer = (await viewers({account.id: session}))[account.id]
    assert viewer.scopes == {account.id}


async def test_who_connects_is_found_by_a_session_that_stands_and_is_theirs(world: World) -> None:
    community = await world.community()
    neighbours = [await world.neighbour(community) for _ in range(3)]
    phone, pad, ended, others = [
        await SessionRow.create(
            account_id=account.id, device="", refresh_digest=new_id().hex, expires_at=now() + LIFETIME
        )
        for account in (neighbours[0], neighbours[0], neighbours[1], neighbours[2])
    ]
    await SessionRow.filter(id=ended.id).update(ended_at=now())
    asked = [
        (phone.id, neighbours[0].id),
        (pad.id, neighbours[0].id),
        (ended.id, neighbours[1].id),
        (others.id, neighbours[1].id),
        (others.id, neighbours[2].id),
        (new_id(), neighbours[2].id),
    ]
    async with counted() as queries:
        found = await viewers_in(asked)
    assert queries.count == 1
    assert list(found) == asked
    stands = {asked[0], asked[1], asked[4]}
    for session, viewer in found.items():
        assert (viewer is not None) == (session in stands)
        assert await viewer_in(session) == viewer
        if viewer is not None:
            assert (viewer.session_id, viewer.account_id) == session
            assert viewer == (await viewers({session[1]: session[0]}))[session[1]]
            assert viewer.belongs_to(community.id)


async def test_nothing_reaches_over_to_another_community(world: World) -> None:
    ours, theirs = await world.community(), await world.community()
    neighbour, stranger = await world.neighbour(ours), await world.neighbour(theirs)
    found = await viewers({neighbour.id: None, stranger.id: None})
    assert found[neighbour.id].scopes.isdisjoint(found[stranger.id].scopes)


@pytest.mark.parametrize("number", [1, 30])
async def test_standing_takes_one_statement_for_any_number(world: World, number: int) -> None:
    community = await world.community()
    accounts = [await world.neighbour(community) for _ in range(number)]
    async with counted() as queries:
        found = await viewers({account.id: None for account in accounts})
    assert queries.count == 1
    assert all(viewer.belongs_to(community.id) for viewer in found.values())
    assert len(found) == number


async def test_an_unknown_account_holds_itself_only(world: World) -> None:
    account_id = new_id()
    assert (await viewers({account_id: None}))[account_id].scopes == {account_id}
