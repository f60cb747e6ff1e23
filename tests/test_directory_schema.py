"""Local services over GraphQL: from one's home to the office, and events that are executed once for all."""

from datetime import timedelta
from typing import Any

import pytest

from models.base import now
from models.directory.entries import DirectoryCategory
from models.identity import AccountRow
from models.roles import Role
from resolvers.directory import offers, ratings, slots
from resolvers.directory.slots import Time
from schema.node import global_id
from subscriptions.events import community_topic
from subscriptions.streams import Request
from tests import asking
from tests.directory_scene import Scene, new_key
from tests.directory_scene import scene as scene

pytestmark = pytest.mark.anyio

GRID = DirectoryCategory.GRID
HOMES = """{ viewer { homes { label
  gridWorkers { holder { displayName } grid { name } }
  gridServices { name phone category openNow nextChange } } } }"""
CREATE = """mutation Create($input: CreateEntryInput!) { createEntry(input: $input) { __typename
  ... on EntryPayload { entry { name links { title address } steps documents openNow nextChange viewerCanKeep
    openingHours { day opens closes } openingExceptions { date note times { opens closes } }
    estate { name } building { name } } }
  ... on InvalidInput { fields { name message } } } }"""
EVENTS = """subscription Events($id: ID!) { communityEvents(communityId: $id) { cursor event { __typename
  ... on EntryPublished { entry { name licensedUntil openNow rating { count sum average } } }
  ... on OfferPublished { offer { title running entry { name } } }
  ... on SlotChanged { slot { free organisation { name } } }
  ... on EntryRated { entry { rating { average } } }
  ... on RatingChanged { rating { stars author { displayName } } } } } }"""


async def run(scene: Scene, text: str, by: AccountRow, **variables: Any) -> Any:
    return await asking.run(await scene.world.context(by), text, **variables)


async def test_from_my_home_to_the_grid_worker_and_the_office(scene: Scene) -> None:
    worker = await scene.world.officer(scene.committee, Role.GRID_WORKER, scene.grid, "刘敏")
    await scene.office_entry(
        name="第一网格联络点", category=GRID, grid_id=scene.grid.id, phone="0571-1234567"
    )
    (home,) = (await run(scene, HOMES, scene.resident))["viewer"]["homes"]
    (found,) = home["gridWorkers"]
    assert found == {"holder": {"displayName": worker.display_name}, "grid": {"name": scene.grid.name}}
    (service,) = home["gridServices"]
    assert (service["name"], service["phone"], service["category"]) == (
        "第一网格联络点",
        "0571-1234567",
        "GRID",
    )
    assert (await run(scene, HOMES, scene.clerk))["viewer"]["homes"] == []


async def test_an_entry_as_an_app_writes_and_reads_it(scene: Scene) -> None:
    entry = {
        "category": "GOVERNMENT_AFFAIRS",
        "name": "老年优待证",
        "summary": "当场领取",
        "placeId": global_id("Building", scene.building.id),
        "weekly": [{"day": "FRIDAY", "opens": "22:00", "closes": "02:00"}],
        "exceptions": [{"date": now().date().isoformat(), "note": "节"}],
        "steps": ["取号"],
        "documents": ["身份证"],
        "links": [{"title": "说明", "address": "https://example.org"}],
    }
    input = {
        "organisationId": global_id("Organisation", scene.committee.id),
        "idempotencyKey": new_key(),
        "entry": entry,
    }
    made = (await run(scene, CREATE, scene.admin, input=input))["createEntry"]["entry"]
    assert made["openingHours"] == [{"day": "FRIDAY", "opens": "22:00", "closes": "02:00"}]
    assert made["openingExceptions"] == [{"date": now().date().isoformat(), "note": "节", "times": []}]
    assert made["links"] == [{"title": "说明", "address": "https://example.org"}]
    assert (made["steps"], made["documents"]) == (["取号"], ["身份证"])
    assert (made["building"], made["estate"]) == ({"name": scene.building.name}, None)
    assert made["viewerCanKeep"] is True
    assert made["nextChange"] is not None
    input = {**input, "idempotencyKey": new_key(), "entry": {**entry, "weekly": [
        {"day": "FRIDAY", "opens": "ten", "closes": "02:00"}]}}  # fmt: skip
    refused = (await run(scene, CREATE, scene.admin, input=input))["createEntry"]
    assert [field["name"] for field in refused["fields"]] == ["opens"]


async def test_events_are_the_same_for_all_who_see_them(scene: Scene) -> None:
    """Executed without a viewer: a field that depended on one would fail."""
    entry = await scene.licensed_entry()
    merchant = await scene.world.context(scene.merchant)
    start = now() + timedelta(days=1)
    time = Time(start, start + timedelta(hours=1), 2)
    await slots.add(merchant, entry_id=entry.id, times=[time])
    said = offers.OfferDraft("半价", "工作日", 100, now(), now() + timedelta(days=1))
    await offers.create(merchant, entry_id=entry.id, draft=said, key=new_key())
    resident = await scene.world.context(scene.resident)
    await ratings.rate(resident, entry_id=entry.id, stars=4, body="")
    id = global_id("Community", scene.community.id)
    request = await asking.subscribed(resident, EVENTS, id=id)
    assert isinstance(request, Request)
    seen: dict[str, Any] = {}
    for logged in await scene.world.events(community_topic(scene.community.id)):
        if not (request.stream.wants(logged.event) and resident.viewer.may_see(logged.event.audience)):
            continue
        event = await asking.sent(scene.world, EVENTS, logged, id=id)
        seen[event.pop("__typename")] = event
    assert seen["EntryPublished"]["entry"]["name"] == "老张面馆"
    assert seen["OfferPublished"]["offer"] == {
        "title": "半价",
        "running": True,
        "entry": {"name": "老张面馆"},
    }
    assert seen["EntryRated"]["entry"] == {"rating": {"average": "4/1"}}
    assert seen["RatingChanged"]["rating"]["author"] == {"displayName": scene.resident.display_name}
