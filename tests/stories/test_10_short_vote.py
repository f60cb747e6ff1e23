"""Story 10, the short vote: under two thirds, it is extended only where the rules say so."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.neighbourhood import Neighbourhood
from tests.stories.assembly import EVENTS, Assembly

pytestmark = pytest.mark.anyio

NOTICES = """query Notices($id: ID!) { node(id: $id) { ... on Community {
  notices(first: 20) { edges { node { title body } } } } } }"""


async def test_failed_participation_or_more_time(neighbourhood: Neighbourhood) -> None:
    assembly = await Assembly.called(neighbourhood)
    one, two, three = [await assembly.street.owner(80) for _ in range(3)]
    app = await neighbourhood.app(three)
    await assembly.adopt()
    short = await assembly.poll(seconds=10)
    await assembly.adopt(base=1, mostExtensions=1, extensionHours=48)
    longer = await assembly.poll(seconds=10)
    async with app.following(EVENTS, community=assembly.community_id, motion=longer.id) as stream:
        await asyncio.gather(short.voted(one, "YES"), longer.voted(one, "YES"))

        # Where the rules know of no extension.
        result = await short.closed(app)
        assert result["items"][0]["outcome"] == "FAILED_PARTICIPATION"
        assert [test["passed"] for test in result["quorum"]] == [False, False]

        # Where they do.
        extended = (await stream.next("MotionExtended"))["motion"]
        assert (extended["extensions"], extended["phase"]) == (1, "OPEN")
        assert datetime.fromisoformat(extended["closesAt"]) == longer.closes_at + timedelta(hours=48)
    edges = (await app.run(NOTICES, id=assembly.community_id))["node"]["notices"]["edges"]
    titles = [edge["node"]["title"] for edge in edges]
    assert sum(title.startswith("意见征询延期公告") for title in titles) == 1
    assert sum(title.startswith("意见征询结果公告") for title in titles) == 1

    await longer.voted(two, "YES")
    # Two days later.
    await longer.end()
    result = await longer.closed(app)
    assert result["items"][0]["outcome"] == "ADOPTED"
