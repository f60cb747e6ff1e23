"""Story 12, the tunnel: what a phone missed arrives exactly, or it is told that it cannot."""

from datetime import timedelta

import pytest

from schema.node import global_id
from subscriptions import log
from tests.client import App
from tests.neighbourhood import Neighbourhood
from tests.wire import COMMENT, COMMENTS, POST

pytestmark = pytest.mark.anyio

THREAD = """query Thread($id: ID!) { node(id: $id) { ... on Post { commentCount
  comments(first: 50) { edges { node { body } } } } } }"""


async def test_a_phone_gets_what_it_missed_or_is_told(neighbourhood: Neighbourhood) -> None:
    """37 comments of several people, over all servers, while the phone is away."""
    world = neighbourhood.world
    community = await world.community()
    mei = await world.neighbour(community)
    home = await neighbourhood.app(mei)
    talkers = [await neighbourhood.app(await world.neighbour(community)) for _ in range(4)]
    posted = await home.act(
        POST,
        input={
            "communityId": global_id("Community", community.id),
            "kind": "TALK",
            "body": "谁看见我家的橘猫了?",
            "idempotencyKey": "cat",
        },
    )
    subject = posted["postEdge"]["node"]["id"]
    # The same phone afterwards, on the other server where there are two.
    elsewhere = App(neighbourhood.deployment.servers[-1], home.token)

    async def comment(by: App, body: str) -> None:
        result = await by.act(COMMENT, input={"subjectId": subject, "body": body, "idempotencyKey": body})
        assert result["__typename"] == "AddCommentPayload", result

    async with home.following(COMMENTS, subject=subject) as stream:
        await comment(talkers[0], "在 3 号楼门口")
        seen = await stream.next("CommentAdded")
        assert seen["comment"]["body"] == "在 3 号楼门口"
        cursor = stream.cursor

    # The tunnel.
    missed = [f"线索 {n}" for n in range(37)]
    for n, body in enumerate(missed):
        await comment(talkers[n % len(talkers)], body)

    async with elsewhere.following(COMMENTS, subject=subject, after=cursor) as stream:
        assert stream.opening["event"]["__typename"] == "StreamOpened"
        assert stream.opening["cursor"] == cursor
        assert [(await stream.next("CommentAdded"))["comment"]["body"] for _ in missed] == missed
        # Nothing twice: the next event is the next comment.
        await comment(talkers[0], "找到了!")
        assert (await stream.envelope())["event"]["comment"]["body"] == "找到了!"

    # A much longer tunnel: the log no longer reaches back to the cursor.
    assert await log.trim(timedelta(days=7), 5) > 0
    async with elsewhere.following(COMMENTS, subject=subject, after=cursor) as stream:
        assert stream.opening["event"] == {"__typename": "StreamReset", "reason": "LOG_TRIMMED"}
        thread = (await elsewhere.run(THREAD, id=subject))["node"]
        everything = ["在 3 号楼门口", *missed, "找到了!"]
        assert [edge["node"]["body"] for edge in thread["comments"]["edges"]] == everything
        assert thread["commentCount"] == len(everything)
        # The stream goes on behind what was read.
        await comment(talkers[1], "太好了")
        assert (await stream.envelope())["event"]["comment"]["body"] == "太好了"
        fresh = stream.cursor

    async with home.following(COMMENTS, subject=subject, after=fresh) as stream:
        assert stream.opening["event"]["__typename"] == "StreamOpened"
