"""Two hundred who sign up in the same moment, over all the servers: as many seats are given as there are."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from models.activities import ActivityRow, SignUpRow, SignUpState
from models.base import now
from models.storage.rows import execute
from schema.node import global_id
from tests.activity_scene import DAY, scene_in
from tests.client import App
from tests.neighbourhood import Neighbourhood
from tests.stories.activities import ACTIVITY, ACTIVITY_EVENTS, CHECK_IN, EDIT_ACTIVITY, SIGN_OFF, SIGN_UP
from tests.wire import asked, http_client

pytestmark = pytest.mark.anyio

PARALLEL = 200
SEATS = 40


async def test_two_hundred_at_once_get_the_seats_there_are(neighbourhood: Neighbourhood) -> None:
    world, servers = neighbourhood.world, neighbourhood.deployment.servers
    scene = await scene_in(world)
    home = await world.home(await world.building(await world.estate(scene.community)))
    people = [await world.resident(home) for _ in range(PARALLEL)]
    apps = [await neighbourhood.app(account) for account in people]
    officer = await neighbourhood.app(scene.officer)
    row = await scene.hold(capacity=SEATS, most_companions=1)
    key = {"activityId": global_id("Activity", row.id)}

    async with http_client() as http:

        async def act(n: int, app: App, document: str, **more: object) -> str:
            assert app.token is not None
            data = await asked(http, servers[n % len(servers)], app.token, document, input={**key, **more})
            (result,) = data.values()
            assert result["__typename"].endswith("Payload"), result
            state: str = result["signUp"]["state"]
            return state

        async def sign_up(n: int) -> str:
            return await act(n, apps[n], SIGN_UP, companions=n % 2, idempotencyKey=f"rush {n}")

        states = await asyncio.gather(*(sign_up(n) for n in range(PARALLEL)))
        await check(row.id, SEATS, PARALLEL)
        # Each of them again, as clients do that got no answer.
        assert await asyncio.gather(*(sign_up(n) for n in range(PARALLEL))) == states
        taken = await check(row.id, SEATS, PARALLEL)
        assert taken in (SEATS - 1, SEATS)
        first = [n for n, state in enumerate(states) if state == "GOING"][:10]
        await asyncio.gather(*(act(n, apps[n], SIGN_OFF) for n in first))
        await check(row.id, SEATS, PARALLEL - len(first))
    more = await officer.act(EDIT_ACTIVITY, input={**key, "version": 1, "capacity": 2 * SEATS})
    assert more["__typename"] == "EditActivityPayload"
    await check(row.id, 2 * SEATS, PARALLEL - len(first))
    # Whoever moved up was told, once.
    told = await execute("SELECT account_id FROM notification WHERE kind = 'ACTIVITY'")
    going = await SignUpRow.filter(activity_id=row.id, state=SignUpState.GOING)
    at_once = {people[n].id for n, state in enumerate(states) if state == "GOING"}
    assert Counter(str(it["account_id"]) for it in told) == Counter(
        str(it.account_id) for it in going if it.account_id not in at_once
    )


async def check(activity_id: object, capacity: int, signed_up: int) -> int:
    """The counters are what the sign-ups say, within the capacity, and nobody was overtaken."""
    row = await ActivityRow.get(id=activity_id)
    sign_ups = await SignUpRow.filter(activity_id=activity_id).order_by("number")
    here = [it for it in sign_ups if it.state is not SignUpState.CANCELLED]
    going = [it for it in here if it.state is SignUpState.GOING]
    assert len(here) == signed_up
    assert (row.going_count, row.waiting_count) == (len(going), signed_up - len(going))
    assert row.seats_taken == sum(1 + it.companions for it in going) <= capacity
    assert [it.state for it in here] == sorted(it.state for it in here)
    assert len({it.number for it in sign_ups}) == len(sign_ups)
    return row.seats_taken


async def test_an_evening_from_the_waiting_list_to_the_door(neighbourhood: Neighbourhood) -> None:
    """Live over the servers: who waits moves up and hears of it, is told of the new place, and checks in."""
    scene = await scene_in(neighbourhood.world)
    one, two = await scene.neighbours(2)
    row = await scene.hold(capacity=1)
    apps = [await neighbourhood.app(account) for account in (one, two)]
    officer = await neighbourhood.app(scene.officer)
    id, community = global_id("Activity", row.id), global_id("Community", scene.community.id)
    for n, app in enumerate(apps):
        done = await app.act(SIGN_UP, input={"activityId": id, "idempotencyKey": "s"})
        assert done["signUp"]["state"] == ("WAITING" if n else "GOING")
    async with apps[1].following(ACTIVITY_EVENTS, community=community, activity=id) as stream:
        await apps[0].act(SIGN_OFF, input={"activityId": id})
        assert (await stream.next("ActivitySignUpChanged"))["signUp"]["state"] == "GOING"
        counted = (await stream.next("ActivityCountersChanged"))["activity"]
        assert counted == {"seatsTaken": 1, "waitingCount": 0}
        edit = {"activityId": id, "version": 1, "place": "活动室"}
        assert (await officer.act(EDIT_ACTIVITY, input=edit))["activity"]["place"] == "活动室"
        assert (await stream.next("ActivityChanged"))["activity"]["place"] == "活动室"
    assert [kind for kind, _ in await scene.told(two)] == ["MOVED_UP", "CHANGED"]
    await scene.begin(row, timedelta(minutes=1))
    shown = (await officer.run(ACTIVITY, id=id))["node"]
    assert shown["viewerCanOrganise"]
    assert [edge["node"]["neighbour"]["displayName"] for edge in shown["signUps"]["edges"]] == [
        two.display_name
    ]
    code = shown["checkInCode"]["code"]
    there = await apps[1].act(CHECK_IN, input={"activityId": id, "code": code})
    assert there["signUp"]["checkedInBy"] == "CODE"
    refused = await apps[0].act(CHECK_IN, input={"activityId": id, "code": code})
    assert refused["__typename"] == "NotAllowed"
    seen = (await apps[0].run(ACTIVITY, id=id))["node"]
    assert seen["checkedInCount"] == 1
    assert (seen["checkInCode"], seen["attendanceCsv"], seen["signUps"]["edges"]) == (None, None, [])
    assert now() < row.starts_at + DAY
