"""Story 1, the driving licence: it is found, talked of, returned, and nobody else's business."""

import asyncio
from typing import Any

import pytest

from models.identity import AccountRow
from schema.node import global_id
from tests.client import App, Connected, Refused, Stream
from tests.neighbourhood import Neighbourhood
from tests.wire import COMMENT, POST

pytestmark = pytest.mark.anyio

NUMBER = "11010519491231002X"
MASKED = "****************2X"
BODY = "在 3 号楼门口捡到驾驶证一本，证号 {}，请失主联系我。"

# What an app shows of a post; the same in the list and in the stream, so that nothing is fetched again.
CARD = "fragment Card on Post { id kind state body commentCount likeCount author { displayName } }"
FEED = """query Feed($id: ID!, $states: [PostState!], $kinds: [PostKind!]) {
  node(id: $id) { ... on Community {
  posts(first: 50, states: $states, kinds: $kinds) { edges { node { id state body } } } } } }"""
NEIGHBOUR_FEED = (
    """subscription Feed($id: ID!) { communityEvents(communityId: $id) { cursor event { __typename
  ... on PostCreated { post { ...Card } } ... on PostChanged { post { ...Card } }
  ... on CommentAdded { comment { body author { displayName } } subject { id commentCount } }
  ... on CountersChanged { subject { ... on Post { id likeCount commentCount } } } } } }"""
    + CARD
)
COMMENTS = """subscription Comments($id: ID!) { commentEvents(subjectId: $id) { cursor event { __typename
  ... on CommentAdded { comment { id body author { displayName } } subject { id commentCount } } } } }"""
COUNTERS = """subscription Counters($id: ID!) { counterEvents(postId: $id) { cursor event { __typename
  ... on CountersChanged { subject { ... on Post { likeCount commentCount } } } } } }"""
POSTS = """subscription Posts($id: ID!) { postEvents(communityId: $id) { cursor event { __typename
  ... on PostCreated { post { body } } } } }"""
LIKE = """mutation Like($input: SetLikeInput!) { setLike(input: $input) { __typename
  ... on Problem { code } } }"""
STATE = """mutation State($input: SetPostStateInput!) { setPostState(input: $input) { __typename
  ... on SetPostStatePayload { post { state } } ... on Problem { code } } }"""
NODE = "query Any($id: ID!) { node(id: $id) { __typename id } }"


async def test_a_found_licence_goes_back_to_its_owner(neighbourhood: Neighbourhood) -> None:
    """Everybody in 屯乐苑 watches live; a member of another community sees nothing at all."""
    world = neighbourhood.world
    community = await world.community("屯乐苑社区")
    building = await world.building(await world.estate(community, "屯乐苑"), name="3号楼")
    mei = await neighbourhood.app(await world.resident(await world.home(building), name="梅姐"))
    wang = await neighbourhood.app(await world.resident(await world.home(building), name="老王"))
    other = await world.community("别的社区")
    outsider = await world.neighbour(other)
    stranger = await neighbourhood.app(outsider)
    here, there = global_id("Community", community.id), global_id("Community", other.id)

    async with (
        wang.following(NEIGHBOUR_FEED, id=here) as feed,
        stranger.following(NEIGHBOUR_FEED, id=there) as elsewhere,
        mei.connected() as phone,
    ):
        body = BODY.format(NUMBER)
        posted = await mei.act(
            POST, input={"communityId": here, "kind": "FOUND", "body": body, "idempotencyKey": "licence"}
        )
        post = posted["postEdge"]["node"]["id"]
        assert posted["postEdge"]["node"]["body"] == BODY.format(MASKED)

        # A neighbour's open feed shows it.
        assert await feed.next() == {
            "__typename": "PostCreated",
            "post": {
                "id": post,
                "kind": "FOUND",
                "state": "OPEN",
                "body": BODY.format(MASKED),
                "commentCount": 0,
                "likeCount": 0,
                "author": {"displayName": "梅姐"},
            },
        }
        comment = await answered(phone, feed, wang, post)
        await returned(mei, wang, feed, here, post)

        # Another community's member gets none of it, whatever ids he has heard of.
        await check_unseen(stranger, here, post, comment)
        await check_silent(neighbourhood, elsewhere, outsider, there)


async def answered(phone: Connected, feed: Stream, wang: App, post: str) -> str:
    """The poster's open post shows a neighbour's comment and like; the comment's id."""
    comments = await phone.follow(COMMENTS, id=post)
    counters = await phone.follow(COUNTERS, id=post)
    added = await wang.act(
        COMMENT, input={"subjectId": post, "body": "是我对门老李的！", "idempotencyKey": "his"}
    )
    comment: str = added["commentEdge"]["node"]["id"]
    assert await comments.next() == {
        "__typename": "CommentAdded",
        "comment": {"id": comment, "body": "是我对门老李的！", "author": {"displayName": "老王"}},
        "subject": {"id": post, "commentCount": 1},
    }
    assert (await counters.next())["subject"] == {"likeCount": 0, "commentCount": 1}
    liked = await wang.act(LIKE, input={"subjectId": post, "on": True})
    assert liked["__typename"] == "SetLikePayload"
    assert (await counters.next())["subject"] == {"likeCount": 1, "commentCount": 1}

    # The neighbours' feed counts along.
    assert (await feed.next("CommentAdded"))["subject"] == {"id": post, "commentCount": 1}
    while (await feed.next("CountersChanged"))["subject"] != {"id": post, "likeCount": 1, "commentCount": 1}:
        pass
    return comment


async def returned(mei: App, wang: App, feed: Stream, here: str, post: str) -> None:
    """She marks it returned: it leaves the open list, and stays where everything is found."""
    assert await listed(wang, here, states=["OPEN"]) == [post]
    # Only she may say so.
    refused = await wang.act(STATE, input={"postId": post, "state": "RESOLVED"})
    assert refused == {"__typename": "NotAllowed", "code": "NOT_ALLOWED"}
    assert await listed(wang, here, states=["OPEN"]) == [post]

    done = await mei.act(STATE, input={"postId": post, "state": "RESOLVED"})
    assert done["post"] == {"state": "RESOLVED"}
    changed = (await feed.next("PostChanged"))["post"]
    assert (changed["id"], changed["state"], changed["body"]) == (post, "RESOLVED", BODY.format(MASKED))
    assert await listed(wang, here, states=["OPEN"]) == []
    assert await listed(wang, here, states=["RESOLVED"]) == [post]
    assert await listed(wang, here, kinds=["FOUND"]) == [post]
    assert await listed(wang, here) == [post]
    assert (await wang.run(NODE, id=post))["node"] == {"__typename": "Post", "id": post}


async def listed(app: App, community: str, **filters: Any) -> list[str]:
    found = await app.run(FEED, id=community, **filters)
    return [edge["node"]["id"] for edge in found["node"]["posts"]["edges"]]


async def check_unseen(stranger: App, here: str, post: str, comment: str) -> None:
    for id in (post, comment):
        assert (await stranger.run(NODE, id=id))["node"] is None
    assert await listed(stranger, here) == []
    for subscription, id in ((NEIGHBOUR_FEED, here), (POSTS, here), (COMMENTS, post), (COUNTERS, post)):
        with pytest.raises(Refused) as refused:
            async with stranger.following(subscription, id=id):
                pass
        assert refused.value.codes == ["NOT_FOUND"], subscription
    for mutation, input in (
        (COMMENT, {"subjectId": post, "body": "我的！", "idempotencyKey": "k"}),
        (LIKE, {"subjectId": post, "on": True}),
        (LIKE, {"subjectId": comment, "on": True}),
        (STATE, {"postId": post, "state": "OPEN"}),
    ):
        assert (await stranger.act(mutation, input=input))["__typename"] == "NotFound", input


async def check_silent(
    neighbourhood: Neighbourhood, elsewhere: Stream, outsider: AccountRow, community: str
) -> None:
    """The next thing in his open feed is what happens next in his own community."""
    at_home = await neighbourhood.app(outsider)
    async with asyncio.timeout(30):
        await at_home.act(
            POST,
            input={"communityId": community, "kind": "TALK", "body": "大家好", "idempotencyKey": "marker"},
        )
        event = await elsewhere.next()
    assert event["__typename"] == "PostCreated"
    assert event["post"]["body"] == "大家好"
