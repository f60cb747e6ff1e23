"""Neighbours' ids: another in each community, and whose they are only the deployment can tell."""

from models import pseudonyms
from models.base import new_id
from models.identity import account_behind, neighbour_key
from resolvers.identity import neighbours_by_id
from tests.world import World, throwaway_keys


async def test_a_face_leads_to_its_account_and_nowhere_else(world: World) -> None:
    here, there, account = await world.community(), await world.community(), await world.account()
    one, other = (neighbour_key(community.id, account.id) for community in (here, there))
    assert account_behind(here.id, one) == account.id
    assert account_behind(there.id, one) != account.id
    assert len({one, other, account.id}) == 3
    # With what everybody sees nothing is computed: neither the account nor its face elsewhere.
    assert one.int ^ here.id.int not in (account.id.int, other.int)
    assert one.int ^ other.int != here.id.int ^ there.id.int


async def test_another_key_gives_other_faces() -> None:
    community, account = new_id(), new_id()
    before, kept = neighbour_key(community, account), pseudonyms.keys
    pseudonyms.enciphered_with(throwaway_keys())
    try:
        assert neighbour_key(community, account) != before
        assert account_behind(community, before) != account
    finally:
        pseudonyms.enciphered_with(kept)
    assert neighbour_key(community, account) == before


async def test_a_face_is_known_in_its_own_community_only(world: World) -> None:
    here, there = await world.community(), await world.community()
    home = await world.home(await world.building(await world.estate(here)))
    neighbour = await world.resident(home)
    ids = [neighbour_key(here.id, neighbour.id), neighbour_key(there.id, neighbour.id), neighbour.id]
    found = await neighbours_by_id(await world.context(neighbour), ids)
    assert [row and row.account_id for row in found] == [neighbour.id, None, None]
    stranger = await world.context(await world.neighbour(there))
    assert await neighbours_by_id(stranger, ids) == [None, None, None]
