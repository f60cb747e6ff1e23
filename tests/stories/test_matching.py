"""Lost and found: who has lost something and who has found it are told of each other, and nobody else is."""

import pytest

from schema.node import global_id
from tests.neighbourhood import Neighbourhood
from tests.wire import POST

pytestmark = pytest.mark.anyio

EVENTS = """subscription Matches($id: ID!) { communityEvents(communityId: $id) { cursor event { __typename
  ... on PostCreated { post { id } }
  ... on PostMatched { post { id matches(first: 3) { edges { node { score shared post { id kind } } } } } }
} } }"""
INBOX = (
    """{ viewer { notifications(first: 5) { edges { node { kind subject { ... on Post { id } } } } } } }"""
)
LOST = "昨晚在3号楼丢了一把雅迪电动车钥匙，挂着小熊"
FOUND = "车棚捡到电动车钥匙一把，有小熊挂件"


@pytest.mark.parametrize("first", ["LOST", "FOUND"])
async def test_both_are_told_as_it_happens(neighbourhood: Neighbourhood, first: str) -> None:
    world = neighbourhood.world
    community = await world.community("屯乐苑社区")
    building = await world.building(await world.estate(community))
    early, late, other = [
        await neighbourhood.app(await world.resident(await world.home(building))) for _ in range(3)
    ]
    here = global_id("Community", community.id)
    second = "FOUND" if first == "LOST" else "LOST"
    texts = {"LOST": LOST, "FOUND": FOUND}

    async with (
        early.following(EVENTS, id=here) as early_stream,
        late.following(EVENTS, id=here) as late_stream,
        other.following(EVENTS, id=here) as other_stream,
    ):
        made = {}
        for app, kind in ((early, first), (late, second)):
            input = {"communityId": here, "kind": kind, "body": texts[kind], "idempotencyKey": kind}
            made[kind] = (await app.act(POST, input=input))["postEdge"]["node"]["id"]
        for stream, own, met in ((early_stream, first, second), (late_stream, second, first)):
            created = [(await stream.next())["post"]["id"] for _ in range(2)]
            assert created == [made[first], made[second]]
            event = await stream.next()
            while event["__typename"] != "PostMatched":
                event = await stream.next()
            assert event["post"]["id"] == made[own]
            (match,) = [edge["node"] for edge in event["post"]["matches"]["edges"]]
            assert match["post"] == {"id": made[met], "kind": met}
            assert "钥匙" in match["shared"]
            assert match["score"] >= 35

        # Of all that the third gets until the next post, nothing is of a match.
        last = {"communityId": here, "kind": "TALK", "body": "早上好", "idempotencyKey": "last"}
        ending = (await early.act(POST, input=last))["postEdge"]["node"]["id"]
        heard = [await other_stream.next()]
        while heard[-1].get("post") != {"id": ending}:
            heard.append(await other_stream.next())
        assert {event["__typename"] for event in heard} == {"PostCreated"}

    for app, met in ((early, second), (late, first)):
        inbox = (await app.run(INBOX))["viewer"]["notifications"]["edges"]
        assert [edge["node"] for edge in inbox] == [{"kind": "MATCH", "subject": {"id": made[met]}}]
