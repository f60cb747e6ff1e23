"""One event on many screens: all see the same post, and each what concerns them of it."""

import pytest

from tests.neighbourhood import Neighbourhood
from tests.stories.requests import street_in
from tests.wire import COMMENT, POST

pytestmark = pytest.mark.anyio

FEED = """subscription Feed($id: ID!) { postEvents(communityId: $id) { cursor event { __typename
  ... on PostCreated { post { id body author { displayName }
    viewerHasLiked viewerCanEdit viewerCanDelete } }
} } }"""
THREAD = """subscription Thread($subject: ID!) { commentEvents(subjectId: $subject) {
  cursor event { __typename
  ... on CommentAdded { comment { body author { displayName } viewerCanEdit } } } } }"""


async def test_each_is_told_what_they_may_do_with_it(neighbourhood: Neighbourhood) -> None:
    street = await street_in(neighbourhood)
    resident, neighbour = street.apps["resident"], street.apps["neighbour"]
    author = {"displayName": street.accounts["resident"].display_name}
    async with (
        resident.following(FEED, id=street.id) as own,
        resident.following(FEED, id=street.id) as on_another_device,
        neighbour.following(FEED, id=street.id) as others,
    ):
        input = {"communityId": street.id, "kind": "TALK", "body": "谁家的猫?", "idempotencyKey": "cat"}
        post = (await resident.act(POST, input=input))["postEdge"]["node"]["id"]
        for stream, mine in ((own, True), (on_another_device, True), (others, False)):
            assert (await stream.next())["post"] == {
                "id": post,
                "body": "谁家的猫?",
                "author": author,
                "viewerHasLiked": False,
                "viewerCanEdit": mine,
                "viewerCanDelete": mine,
            }
    async with (
        resident.following(THREAD, subject=post) as asker,
        neighbour.following(THREAD, subject=post) as answerer,
    ):
        await neighbour.act(COMMENT, input={"subjectId": post, "body": "我家的", "idempotencyKey": "mine"})
        for stream, mine in ((asker, False), (answerer, True)):
            comment = (await stream.next())["comment"]
            assert (comment["body"], comment["viewerCanEdit"]) == ("我家的", mine)
