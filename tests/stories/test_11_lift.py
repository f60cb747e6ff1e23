"""Story 11, the lift: a repair from report to confirmation, with everybody who does something in sight."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.base import now
from models.identity import neighbour_key
from models.jobs import JobRow
from models.requests import RequestRow
from schema.node import global_id, type_and_key
from tests.client import Stream
from tests.neighbourhood import Neighbourhood
from tests.stories.requests import EVENTS, FOLLOW, HISTORY, INBOX, Street, act, done, street_in

pytestmark = pytest.mark.anyio

BOARD = """query Board($id: ID!) { node(id: $id) { ... on Community { requests(first: 10) { edges { node {
  number title category state overdue building { name } home { label } reporter { displayName } body
  office { name } } } } } } }"""
QUEUE = """query Queue($id: ID!, $bucket: RequestBucket!) { node(id: $id) { ... on Organisation {
  requestCounts { toAccept inHand returned toConfirm overdue escalated }
  requestQueue(bucket: $bucket, first: 10) { edges { node { id } } } } } }"""
QUEUE_EVENTS = """subscription Queue($id: ID!) { officeQueueEvents(organisationId: $id) { cursor event {
  __typename ... on OfficeQueueChanged { request { id state } organisation { name } } } } }"""


async def test_the_lift(neighbourhood: Neighbourhood) -> None:
    street = await street_in(neighbourhood)
    apps = street.apps
    office = global_id("Organisation", street.company.id)
    async with apps["clerk"].following(QUEUE_EVENTS, id=office) as queue:
        request = await street.submit("resident")
        changed = await queue.next("OfficeQueueChanged")
        assert changed["request"] == {"id": request["id"], "state": "SUBMITTED"}
    # The deadlines stand from the first moment, for everyone to see.
    assert due_in(request["acceptBy"]) == timedelta(days=1)
    assert due_in(request["resolveBy"]) == timedelta(days=3)
    (shown,) = (await apps["neighbour"].run(BOARD, id=street.id))["node"]["requests"]["edges"]
    assert shown["node"] == {
        "number": 1,
        "title": "3号楼电梯异响",
        "category": "REPAIR",
        "state": "SUBMITTED",
        "overdue": False,
        "building": {"name": street.building.name},
        "home": None,
        "reporter": None,
        "body": None,
        "office": {"name": street.company.name},
    }
    followed = await apps["neighbour"].act(FOLLOW, input={"requestId": request["id"], "on": True})
    assert followed["request"]["followerCount"] == 1

    async with apps["neighbour"].following(EVENTS, id=request["id"]) as stream:
        request = await walk(street, request, stream)
    assert request["state"] == "CONFIRMED"

    found = (await apps["resident"].run(HISTORY, id=request["id"]))["node"]
    steps = [edge["node"] for edge in found["steps"]["edges"]]
    assert [step["ordinal"] for step in steps] == list(range(1, 12))
    assert [step["action"] for step in steps] == [
        "SUBMIT", "ACCEPT", "ASSIGN", "VISIT", "FINISH", "RETURN",
        "ASSIGN", "VISIT", "FINISH", "CONFIRM", "RATE",
    ]  # fmt: skip
    names = [step["officer"]["displayName"] if step["officer"] else None for step in steps]
    clerk, mechanic = (street.accounts[name].display_name for name in ("clerk", "mechanic"))
    assert names == [None, clerk, clerk, mechanic, mechanic, None, clerk, clerk, clerk, None, None]
    # What the resident wrote is read by the offices; neighbours see that she returned it.
    for name, note in (("resident", "还是响"), ("mechanic", "还是响"), ("neighbour", None)):
        found = (await apps[name].run(HISTORY, id=request["id"]))["node"]
        assert found["steps"]["edges"][5]["node"]["viewerNote"] == note
        assert (found["reporter"] is None) == (name == "neighbour")
    inbox = (await apps["neighbour"].run(INBOX))["viewer"]["notifications"]["edges"]
    told = [edge["node"]["subject"]["action"] for edge in reversed(inbox)]
    assert told == [step["action"] for step in steps[1:]]


async def walk(street: Street, request: dict[str, Any], follower: Stream) -> dict[str, Any]:
    """From accepting to the rating; the follower sees each step live."""
    apps = street.apps
    mechanic = face(street, "mechanic")
    clerk = face(street, "clerk")
    for by, name, more, state in (
        ("clerk", "acceptRequest", {}, "ACCEPTED"),
        ("clerk", "assignRequest", {"assigneeId": mechanic}, "ASSIGNED"),
        ("mechanic", "recordRequestVisit", {"note": "检查了曳引机"}, "IN_PROGRESS"),
        ("mechanic", "finishRequest", {"note": "已上油"}, "DONE"),
        ("resident", "returnRequest", {"note": "还是响"}, "RETURNED"),
        ("clerk", "assignRequest", {"assigneeId": clerk}, "ASSIGNED"),
        ("clerk", "recordRequestVisit", {"note": "厂家到场"}, "IN_PROGRESS"),
        ("clerk", "finishRequest", {"note": "更换了轴承"}, "DONE"),
        ("resident", "confirmRequest", {}, "CONFIRMED"),
        ("resident", "rateRequest", {"rating": 4, "comment": "第二次才修好"}, "CONFIRMED"),
    ):
        request = await done(apps[by], name, request, **more)
        assert request["state"] == state
        event = await follower.next("RequestStepAdded")
        assert event["request"] == request
        assert event["step"]["toState"] == state
    return request


async def test_an_overdue_lift_is_escalated_once_though_a_server_dies(neighbourhood: Neighbourhood) -> None:
    """Both processes look for what is due; the committee hears of it one time."""
    street = await street_in(neighbourhood)
    apps = street.apps
    requests = [await street.submit("resident", title=f"电梯 {n}") for n in range(6)]
    committee = global_id("Organisation", street.committee.id)
    refused = await act(
        apps["manager"],
        "handOverRequest",
        requests[0],
        officeId=committee,
        note="我们来办",
    )
    assert refused["__typename"] == "NotAllowed"
    server = neighbourhood.deployment.servers[0]
    server.kill()
    # Time passes while it is down.
    late = now() - timedelta(minutes=1)
    for request in requests:
        key = key_of(request["id"])
        await RequestRow.filter(id=key).update(due_at=late, accept_by=late)
        await JobRow.filter(subject_id=key).update(due_at=late)
    server.start()
    await server.ready()
    async with apps["manager"].following(EVENTS, id=requests[-1]["id"], after=None) as stream:
        await escalated(street, requests, stream)
    for request in requests:
        found = (await apps["manager"].run(HISTORY, id=request["id"]))["node"]
        assert [edge["node"]["action"] for edge in found["steps"]["edges"]] == ["SUBMIT", "ESCALATE"]
        assert found["overdue"]
    inbox = (await apps["manager"].run(INBOX))["viewer"]["notifications"]["edges"]
    assert len([edge for edge in inbox if edge["node"]["subject"]["action"] == "ESCALATE"]) == 6
    counts = (await apps["manager"].run(QUEUE, id=committee, bucket="ESCALATED"))["node"]
    assert counts["requestCounts"]["escalated"] == 6
    assert len(counts["requestQueue"]["edges"]) == 6
    # Now the committee may give it to somebody else.
    found = (await apps["manager"].run(HISTORY, id=requests[0]["id"]))["node"]
    assert "HAND_OVER" in found["viewerActions"]


async def escalated(street: Street, requests: list[dict[str, Any]], stream: Stream) -> None:
    """Wait until the last of them is."""
    found = (await street.apps["manager"].run(HISTORY, id=requests[-1]["id"]))["node"]
    if not any(edge["node"]["action"] == "ESCALATE" for edge in found["steps"]["edges"]):
        while (await stream.next("RequestStepAdded"))["step"]["action"] != "ESCALATE":
            pass
    while True:
        counts = await street.apps["manager"].run(
            QUEUE, id=global_id("Organisation", street.committee.id), bucket="ESCALATED"
        )
        if counts["node"]["requestCounts"]["escalated"] == len(requests):
            return


def due_in(text: str) -> timedelta:
    """Whole hours from now, rounded."""
    left = datetime.fromisoformat(text).astimezone(UTC) - now()
    return timedelta(hours=round(left.total_seconds() / 3600))


def face(street: Street, name: str) -> str:
    key = neighbour_key(street.community.id, street.accounts[name].id)
    return str(global_id("Neighbour", key))


def key_of(value: str) -> Any:
    found = type_and_key(value)
    assert found is not None
    return found[1]
