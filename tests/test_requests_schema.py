"""Service requests over GraphQL: statements, shared execution of events, and their streams."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any
from uuid import UUID

import pytest

from models.base import new_id
from models.identity import AccountRow
from models.requests import RequestAction, RequestFollowerRow, RequestRow, StepRow, TenureRow
from schema.node import global_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Request
from tests import asking
from tests.requests_scene import Scene
from tests.requests_scene import scene as scene
from tests.world import counted

pytestmark = pytest.mark.anyio

A = RequestAction

CASE = """fragment Case on ServiceRequest {
  id number category title area state waitingFor version stepCount followerCount createdAt acceptBy resolveBy
  dueAt overdue escalatedAt doneAt confirmBy confirmRemindedAt confirmedBy closedAt rating
  ratingComment onBoard policy { id name } community { id } estate { name } building { name } home { label }
  office { id name } offeredTo { name } assignee { displayName } post { id } duplicateOf { id }
  reporter { displayName } reporterPhone body viewerFollows viewerIsReporter viewerActions
  duplicates(first: 2) { edges { node { id } } }
  steps(first: 5) { edges { node { id ordinal action fromState toState party visibility note viewerNote
    officer { displayName } office { name } toOffice { name } assignee { displayName } request { id }
    linkedRequest { id } } } } }"""
BOARD = (
    """query Board($id: ID!) { node(id: $id) { ... on Community { viewerCanReport requestPolicies { code }
  requests(first: 100) { edges { node { ...Case } } } } } }"""
    + CASE
)
OFFICES = """query Offices($id: ID!) { node(id: $id) { ... on Community {
  organisations(first: 10) { edges { node { id requestCounts { toAccept inHand overdue }
  requestQueue(bucket: TO_ACCEPT, first: 50) { edges { node { office { name } reporter { displayName } } } }
  requestStatistics(since: "2020-01-01T00:00:00Z") { total { received } csv
    byCategory { category received } byBuilding { building { name } received } } } } } } } }"""
EVENTS = """subscription Events($id: ID!) { requestEvents(requestId: $id) { cursor event { __typename
  ... on RequestStepAdded { step { ordinal action note officer { displayName } office { name } }
    request { state version office { name } building { name } } }
  ... on RequestFollowersChanged { request { followerCount } } } } }"""
QUEUE = """subscription Queue($id: ID!) { officeQueueEvents(organisationId: $id) { cursor event { __typename
  ... on OfficeQueueChanged { request { id state } organisation { name } } } } }"""
EVERYTHING = """subscription Everything($id: ID!) { communityEvents(communityId: $id) {
  cursor event { __typename
  ... on RequestStepAdded { step { action } } } } }"""


async def run(scene: Scene, text: str, by: AccountRow, **variables: Any) -> Any:
    return await asking.run(await scene.world.context(by), text, **variables)


async def copies(scene: Scene, request_id: Any, count: int) -> None:
    """More cases like this one, each with its own steps."""
    row = asdict(await scene.row(request_id))
    steps = await StepRow.filter(request_id=request_id)
    tenures = await TenureRow.filter(request_id=request_id)
    made: list[RequestRow] = []
    lines: list[StepRow] = []
    times: list[TenureRow] = []
    for n in range(count):
        key = new_id()
        made.append(RequestRow(**{**row, "id": key, "number": 1000 + n}))
        lines += [StepRow(**copied(step, key)) for step in steps]
        times += [TenureRow(**copied(tenure, key)) for tenure in tenures]
    await RequestRow.bulk_create(made, batch_size=20)
    await StepRow.bulk_create(lines, batch_size=20)
    await TenureRow.bulk_create(times, batch_size=20)


def copied(item: StepRow | TenureRow, request_id: UUID) -> dict[str, Any]:
    values = {name: getattr(item, name) for name in item._meta.db_fields}
    return {**values, "id": new_id(), "request_id": request_id}


async def test_the_board_takes_as_many_statements_for_one_as_for_many(scene: Scene) -> None:
    row = await scene.submit(home_id=scene.home.id)
    row = await scene.act(scene.clerk, row, A.ACCEPT)
    row = await scene.act(scene.clerk, row, A.ASSIGN)
    await RequestFollowerRow.create(
        community_id=scene.community.id, request_id=row.id, account_id=scene.neighbour.id
    )
    community = global_id("Community", scene.community.id)
    for by in (scene.neighbour, scene.clerk):
        async with counted() as one:
            found = await run(scene, BOARD, by, id=community)
        assert len(found["node"]["requests"]["edges"]) == 1 + (99 if by is scene.clerk else 0)
        if by is scene.neighbour:
            await copies(scene, row.id, 99)
            async with counted() as many:
                found = await run(scene, BOARD, by, id=community)
            assert len(found["node"]["requests"]["edges"]) == 100
            assert many.count == one.count, many.statements
            assert one.count <= 32


async def test_offices_take_as_many_statements_for_one_case_as_for_many(scene: Scene) -> None:
    row = await scene.submit(building_id=scene.building.id)
    community = global_id("Community", scene.community.id)
    async with counted() as one:
        await run(scene, OFFICES, scene.manager, id=community)
    await copies(scene, row.id, 80)
    async with counted() as many:
        found = await run(scene, OFFICES, scene.manager, id=community)
    assert many.count == one.count, many.statements
    received = [
        edge["node"]["requestStatistics"]["total"]["received"]
        for edge in found["node"]["organisations"]["edges"]
    ]
    assert sorted(received) == [0, 0, 81]
    # The committee sees how the company does, not who waits for it.
    assert [edge["node"]["requestCounts"] is None for edge in found["node"]["organisations"]["edges"]] == [
        False,
        True,
        True,
    ]


@asynccontextmanager
async def followed(scene: Scene, text: str, by: AccountRow, **variables: Any) -> AsyncIterator[Any]:
    """What executing an event for this subscription gives, once for everyone."""
    request = await asking.subscribed(await scene.world.context(by), text, **variables)
    assert isinstance(request, Request), request

    async def execute(logged: Any) -> Any:
        assert request.stream.wants(logged.event)
        return await asking.sent(scene.world, text, logged, **variables)

    yield request, execute


async def test_a_follower_gets_each_step_once(scene: Scene) -> None:
    row = await scene.submit()
    other = await scene.submit()
    row = await scene.act(scene.clerk, row, A.ACCEPT, "马上来")
    await scene.act(scene.clerk, other, A.ACCEPT)
    events = await scene.world.events(community_topic(scene.community.id))
    id = global_id("ServiceRequest", row.id)
    async with followed(scene, EVENTS, scene.neighbour, id=id) as (request, execute):
        wanted = [logged for logged in events if request.stream.wants(logged.event)]
        # Once for everybody: nothing in it depends on who asks.
        told = [await execute(logged) for logged in wanted]
    assert [logged.event.kind for logged in wanted] == [Kind.REQUEST_STEP] * 2
    assert [each["step"]["note"] for each in told] == ["", "马上来"]
    assert told[1]["step"]["officer"] == {"displayName": scene.clerk.display_name}
    assert told[1]["request"]["version"] == 2
    async with followed(
        scene, EVERYTHING, scene.neighbour, id=global_id("Community", scene.community.id)
    ) as (request, _):
        wanted = [
            logged
            for logged in events
            if request.stream.wants(logged.event) and logged.event.kind is Kind.REQUEST_STEP
        ]
    assert len(wanted) == 4


@pytest.mark.parametrize("who", ["neighbour", "owner", "reporter"])
async def test_a_queue_is_followed_by_its_office_only(scene: Scene, who: str) -> None:
    office = global_id("Organisation", scene.property.id)
    ctx = await scene.world.context(getattr(scene, who))
    assert not isinstance(await asking.subscribed(ctx, QUEUE, id=office), Request)


async def test_problems_are_answers(scene: Scene) -> None:
    text = """mutation Act($input: RequestActInput!) { acceptRequest(input: $input) { __typename
      ... on RequestActPayload { request { version } } ... on Conflict { current { id } }
      ... on Problem { code } } }"""
    row = await scene.submit()
    id = global_id("ServiceRequest", row.id)

    async def accept(by: AccountRow, key: str, version: int = 1) -> Any:
        given = {"requestId": id, "version": version, "idempotencyKey": key}
        return (await run(scene, text, by, input=given))["acceptRequest"]

    assert (await accept(scene.neighbour, "a"))["code"] == "NOT_ALLOWED"
    assert (await accept(scene.clerk, ""))["code"] == "INVALID_INPUT"
    assert (await accept(scene.clerk, "a", version=7))["current"] == {"id": id}
    assert (await accept(scene.clerk, "b"))["request"] == {"version": 2}
    assert (await accept(scene.clerk, "c", version=2))["code"] == "CONFLICT"
    stranger = await scene.world.neighbour(await scene.world.community())
    assert (await accept(stranger, "a"))["code"] == "NOT_FOUND"
